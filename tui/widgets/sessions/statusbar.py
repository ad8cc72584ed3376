"""Row 0: product, config and its revision, dmScope, counts, problems, the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from engine.values import replace
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.bar import Bar

__all__ = ["BarState", "StatusBar", "bar_line"]


@dataclass(frozen=True, slots=True)
class BarState:
    """What row 0 says. `broken`: the file on disk does not load, an older revision runs;
    `asking`: strangers who wait for approval; `turned_away`: who met a full house."""

    place: str = ""
    config: str = ""
    revision: int = 0
    broken: bool = False
    scope: str = ""
    sessions: int = 0
    busy: int = 0
    queued: int = 0
    problems: int = 0
    asking: int = 0
    turned_away: int = 0
    clock: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of row 0: its name, text and style, and what is left of it when it is tight."""

    name: str
    text: str
    style: str = ""
    short: str = ""


_GIVE_WAY = (
    *("config", "dmScope", "config", "asking", "sessions", "turned"),
    *("place", "scope", "sessions", "turns", "problems"),
)
"""What is shortened, then left out, in this order, until the rest fits."""


def bar_line(state: BarState, width: int, glyphs: Glyphs) -> Content:
    """Row 0 in `width` cells: what matters least is left out first, the time stays at the edge."""
    parts = _parts(state, glyphs)
    room = max(0, width - cell_len(state.clock) - 2)
    for name in _GIVE_WAY:
        if sum(cell_len(part.text) for part in parts) <= room:
            break
        parts = _tighter(parts, name)
    shown = [(part.text, part.style) for part in _without_loose_ends(parts, glyphs)]
    used = sum(cell_len(text) for text, _ in shown)
    if used > room:
        shown, used = [(fit("".join(text for text, _ in shown), room), "")], room
    gap = " " * max(0, width - used - cell_len(state.clock) - 1)
    return Content.assemble(*shown, gap, (state.clock, MUTED), " ")


def _without_loose_ends(parts: list[_Part], glyphs: Glyphs) -> list[_Part]:
    """No dot joins what is left to something that was left out."""
    joint, found = f" {glyphs.dot} ", list[_Part]()
    for part in parts:
        alone = not found or found[-1].name not in ("sessions", "turns")
        if part.name == "turns" and alone:
            part = replace(part, text=f"  {part.text.removeprefix(joint)}")
        found.append(part)
    return found


def _tighter(parts: list[_Part], name: str) -> list[_Part]:
    """Parts with those of a name shortened, or left out when they cannot be."""
    tight = partial(replace, short="")
    kept = [tight(part, text=part.short) if part.name == name else part for part in parts]
    return [part for part in kept if part.text]


def _parts(state: BarState, glyphs: Glyphs) -> list[_Part]:
    word, sign, tone = ("live", glyphs.live, "$text-success")
    if state.broken:
        word, sign, tone = ("broken", glyphs.broken, "$text-error bold")
    noun = "session" if state.sessions == 1 else "sessions"
    busy = "$text-primary" if state.busy else MUTED
    parts = [
        _Part("name", " Branchline", "$primary bold"),
        _Part("place", f"  {state.place}" if state.place else ""),
        _Part("config", f"  {state.config}", MUTED, f"  {state.config.rpartition('/')[2]}"),
        _Part("live", f"  {sign} {word} r{state.revision}", tone),
        _Part("dmScope", "   dmScope", MUTED, " "),
        _Part("scope", f" {state.scope} "),
        _Part("sessions", f"  {state.sessions} {noun}", "", f"  {state.sessions} sess"),
        _Part("turns", f" {glyphs.dot} {state.busy} busy", busy),
    ]
    if state.queued:
        parts.append(_Part("turns", f" {glyphs.dot} {state.queued} queued", "$text-warning"))
    parts += _callers(state, glyphs)
    if state.problems:
        noun = "problem" if state.problems == 1 else "problems"
        told = f"  {glyphs.warning} {state.problems} {noun}"
        short = f"  {glyphs.warning} {state.problems}"
        parts.append(_Part("problems", told, "$text-warning", short))
    return [part for part in parts if part.text]


def _callers(state: BarState, glyphs: Glyphs) -> list[_Part]:
    """Who stands at the door."""
    found = []
    if state.asking:
        told = f"  {glyphs.needs} {state.asking} "
        verb = "asks" if state.asking == 1 else "ask"
        tone = "$text-warning bold"
        found.append(_Part("asking", f"{told}{verb} to be let in", tone, f"{told}{verb}"))
    if state.turned_away:
        told = f"  {glyphs.dot} {state.turned_away} turned away"
        found.append(_Part("turned", told, "$text-warning"))
    return found


class StatusBar(Bar):
    """Row 0 of the Sessions screen."""

    state: reactive[BarState] = reactive(BarState())

    def show(self, state: BarState, glyphs: Glyphs) -> None:
        """Say something else."""
        self.glyphs = glyphs
        self.state = state

    def render(self) -> Content:
        return bar_line(replace(self.state, clock=self.clock), self.size.width, self.glyphs)
