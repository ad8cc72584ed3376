"""What a lane says of its person: who they are, where their words go, how full that session is."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from engine.routing.envelope import Envelope
from engine.routing.router import Route
from engine.scenario.cast import Persona
from engine.text import safe_line
from tui.look.cells import fit, percent
from tui.look.glyphs import ASCII, Glyphs
from tui.look.tones import MUTED
from tui.people.naming import channel_short, model_name
from tui.widgets.gauge import Fill, gauge

__all__ = [
    "LaneFacts",
    "account_line",
    "badge",
    "end_of",
    "foot_line",
    "head_lines",
    "lane_title",
    "peer_line",
]

_SIGNS = "▲■●◆"
"""One for each of the first four letters, so that letters are told apart at a glance."""

_TONES = ("$text-primary", "$text-secondary", "$text-accent", "$text-warning")


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """All that a lane says beside its messages.

    Attributes:
        number: its place, from 1.
        letter: the same as of every lane in the same session.
        state: what goes on, with its sign: `idle`, `◐ answering`.
        messages: in the session.
        dropping: whether the next message is to be lost.
        mention: whether messages address the agent.
        held: how many of their messages are held back.
        current: whether it has the focus, or had it last.
        override: the model that was chosen for the session; "": the config's.
    """

    number: int
    person: Persona
    route: Route
    letter: str
    state: str = "idle"
    messages: int = 0
    fill: Fill | None = None
    dropping: bool = False
    mention: bool = False
    held: int = 0
    current: bool = False
    override: str = ""


def lane_title(facts: LaneFacts, *, long: bool, width: int, glyphs: Glyphs) -> str:
    """`1 Alice`, and where there is no head `1 Alice · tg dm alice`; `▲` and the model that was
    chosen for the session. In plain ASCII the frame
    cannot tell where the focus is, so the title does."""
    name = safe_line(facts.person.name, limit=60)
    if long:
        peer = facts.person.envelope.peer
        kind = f" {peer.kind}" if peer is not None else ""
        name += f" · {channel_short(facts.person.envelope.channel)}{kind}"
        name += f" {safe_line(peer.id, limit=60)}" if peer is not None else ""
    mark = f"{glyphs.cursor} " if facts.current and glyphs is ASCII else ""
    own = f" {glyphs.override} {model_name(facts.override)}" if facts.override else ""
    title = f"{mark}{facts.number} {name}{own}"
    return fit(title, max(1, min(width, cell_len(title))))


def badge(letter: str, agent: str, glyphs: Glyphs) -> Content:
    """`▲A mia`: the letter of the session and who answers."""
    place = ord(letter[-1]) - ord("A") if letter else 0
    sign = "" if glyphs is ASCII else _SIGNS[place % len(_SIGNS)]
    tone = _TONES[place % len(_TONES)]
    return Content.assemble((f"{sign}{letter}", f"{tone} bold"), f" {safe_line(agent, limit=40)}")


def account_line(envelope: Envelope) -> str:
    """`telegram · acct biz · guild 742 · tenant 7`."""
    parts = [envelope.channel]
    if envelope.account_id not in ("", "default"):
        parts.append(f"acct {envelope.account_id}")
    for word, value in (
        ("guild", envelope.guild_id),
        ("team", envelope.team_id),
        ("tenant", envelope.tenant_id),
    ):
        if value:
            parts.append(f"{word} {value}")
    return " · ".join(safe_line(part, limit=60) for part in parts)


def peer_line(envelope: Envelope) -> str:
    """`group g1 · thread 7 · as 111 · roles staff`."""
    peer, sender = envelope.peer, envelope.sender
    parts = [f"{peer.kind} {peer.id}" if peer is not None else "no peer"]
    if envelope.thread_id:
        parts.append(f"thread {envelope.thread_id}")
    if envelope.parent_peer is not None:
        parts.append(f"in {envelope.parent_peer.id}")
    if sender is not None and (peer is None or sender.id != peer.id):
        parts.append(f"as {sender.id}")
    if envelope.member_role_ids:
        parts.append("roles " + ", ".join(envelope.member_role_ids))
    return " · ".join(safe_line(part, limit=60) for part in parts)


def end_of(text: str, width: int, glyphs: Glyphs) -> str:
    """The end of a key in `width` cells: that is where keys differ."""
    text = safe_line(text, limit=400)
    while cell_len(text) > width and text:
        text = glyphs.ellipsis + text.lstrip(glyphs.ellipsis)[1:]
    return text


def head_lines(facts: LaneFacts, width: int, rows: int, glyphs: Glyphs) -> Content:
    """Who this is and where their words go, in `rows` (1 or 3) lines; one holds the key alone."""
    key = Content.styled(end_of(facts.route.session_key, width, glyphs), "$text-primary")
    if rows < 3:
        return key
    envelope = facts.person.envelope
    told = [account_line(envelope), peer_line(envelope)]
    lines = [Content.styled(fit(line, width, ellipsis=glyphs.ellipsis), MUTED) for line in told]
    return Content("\n").join([*lines, key])


def foot_line(facts: LaneFacts, width: int, glyphs: Glyphs) -> Content:
    """`▕██░░┊▏ 31% idle · 41 msgs`; what is unusual comes first, the gauge gives way."""
    fill = facts.fill or Fill(0, 0)
    marks = []
    if facts.dropping:
        marks.append((f"{glyphs.no} drops next ", "$text-warning bold"))
    if facts.held:
        marks.append((f"{facts.held} held ", "$text-warning"))
    if facts.mention:
        marks.append(("@agent ", "$text-secondary"))
    state = f" {facts.state}"
    count = f" {glyphs.dot} {facts.messages:,} msgs" if facts.messages else ""
    share = f" {percent(fill.part)}"
    used = sum(cell_len(text) for text, _ in marks) + cell_len(state + share)
    if used + cell_len(count) > width - 5:
        count = ""
    room = width - used - cell_len(count)
    bar = gauge(fill, min(14, room), glyphs) if room >= 5 else Content("")
    tone = "$text-primary" if facts.state != "idle" else MUTED
    return Content.assemble(*marks, bar, (share, MUTED), (state, tone), (count, MUTED)).truncate(
        max(1, width), ellipsis=True
    )
