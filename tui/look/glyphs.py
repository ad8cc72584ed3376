"""The signs drawn on screens, as Unicode or plain ASCII (config `ui.glyphs`).

State is never shown by colour alone: a sign and a word always go with it. The Unicode set holds
no double-width sign and no emoji; the ASCII set is for terminals that draw them badly.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ASCII", "UNICODE", "Glyphs", "glyphs_for"]


class Glyphs(NamedTuple):
    """One set of signs. `levels` grow from nearly empty to full, for one-cell bars."""

    busy: str
    new: str
    idle: str
    needs: str
    stored: str
    open: str
    closed: str
    cursor: str
    live: str
    broken: str
    warning: str
    override: str
    mark: str
    label: str
    yes: str
    no: str
    skipped: str
    would: str
    arrow: str
    fold: str
    dot: str
    ellipsis: str
    full: str
    empty: str
    reserve: str
    tick: str
    left: str
    right: str
    levels: str


UNICODE = Glyphs(
    busy="◐",
    new="●",
    idle="○",
    needs="!",
    stored="▫",
    open="▾",
    closed="▸",
    cursor="▌",
    live="●",
    broken="✖",
    warning="▲",
    override="▲",
    mark="✔",
    label="⚑",
    yes="✔",
    no="✘",
    skipped="·",
    would="○",
    arrow="→",
    fold="◆",
    dot="·",
    ellipsis="…",
    full="█",
    empty=" ",
    reserve="░",
    tick="┊",
    left="▕",
    right="▏",
    levels="▁▂▃▄▅▆▇█",
)

ASCII = Glyphs(
    busy="*",
    new="+",
    idle="o",
    needs="!",
    stored="-",
    open="v",
    closed=">",
    cursor=">",
    live="*",
    broken="X",
    warning="!",
    override="^",
    mark="x",
    label="@",
    yes="y",
    no="n",
    skipped=".",
    would="o",
    arrow="->",
    fold="#",
    dot="-",
    ellipsis="~",
    full="#",
    empty=" ",
    reserve=".",
    tick=":",
    left="[",
    right="]",
    levels="12345678",
)


def glyphs_for(name: str) -> Glyphs:
    """The set that a config value names; anything but `ascii` is the Unicode one."""
    return ASCII if name == "ascii" else UNICODE
