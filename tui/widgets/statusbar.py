"""Row 0: product, config and its revision, dmScope, counts, problems, the time of day."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.cells import fit
from tui.glyphs import UNICODE, Glyphs
from tui.tones import MUTED

__all__ = ["BarState", "StatusBar", "bar_line"]

Part = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BarState:
    """What row 0 says. `broken`: the file on disk does not load, an older revision runs."""

    place: str = ""
    config: str = ""
    revision: int = 0
    broken: bool = False
    scope: str = ""
    sessions: int = 0
    busy: int = 0
    queued: int = 0
    problems: int = 0
    clock: str = ""


def bar_line(state: BarState, width: int, glyphs: Glyphs) -> Content:
    """Row 0 in `width` cells: what matters least is left out first, the time stays at the edge."""
    parts = _parts(state, glyphs)
    room = width - cell_len(state.clock) - 2
    for drop in ("scope-word", "config", "words", "place", "scope", "rest"):
        if sum(cell_len(text) for text, _, _ in parts) <= room:
            break
        parts = _without(parts, drop)
    shown = [(text, style) for text, style, _ in parts]
    used = sum(cell_len(text) for text, _ in shown)
    if used > room:
        shown, used = [(fit("".join(text for text, _ in shown), max(0, room)), "")], max(0, room)
    gap = " " * max(0, width - used - cell_len(state.clock) - 1)
    return Content.assemble(*shown, gap, (state.clock, MUTED), " ")


def _parts(state: BarState, glyphs: Glyphs) -> list[tuple[str, str, str]]:
    live = (
        ("broken", "$text-error bold", glyphs.broken)
        if state.broken
        else (
            "live",
            "$text-success",
            glyphs.live,
        )
    )
    parts = [(" Branchline", "$primary bold", "name")]
    if state.place:
        parts.append((f"  {state.place}", "", "place"))
    parts += [
        (f"  {state.config}", MUTED, "config"),
        (f"  {live[2]} {live[0]} r{state.revision}", live[1], "live"),
        ("   dmScope", MUTED, "scope-word"),
        (f" {state.scope}", "", "scope"),
        (f"   {state.sessions} sessions", "", "words"),
        (f" {glyphs.dot} {state.busy} busy", "$text-primary" if state.busy else MUTED, "rest"),
    ]
    if state.queued:
        parts.append((f" {glyphs.dot} {state.queued} queued", "$text-warning", "rest"))
    if state.problems:
        noun = "problem" if state.problems == 1 else "problems"
        parts.append((f"   {glyphs.warning} {state.problems} {noun}", "$text-warning", "problems"))
    return parts


def _without(parts: list[tuple[str, str, str]], name: str) -> list[tuple[str, str, str]]:
    """Parts with one of them shortened or left out."""
    if name == "scope-word":
        return [
            ("  ", style, kind) if kind == name else (text, style, kind)
            for text, style, kind in parts
        ]
    if name == "scope":
        return [part for part in parts if part[2] not in {"scope", "scope-word"}]
    if name == "words":
        return [(text.replace(" sessions", " sess"), style, kind) for text, style, kind in parts]
    return [part for part in parts if part[2] != name]


class StatusBar(Widget):
    """Row 0. Only its own line is painted when something on it changes."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    StatusBar { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    state: reactive[BarState] = reactive(BarState())

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.glyphs = UNICODE

    def on_mount(self) -> None:
        self._tick()
        self.set_interval(5, self._tick)

    def _tick(self) -> None:
        self.state = replace(self.state, clock=time.strftime("%H:%M"))

    def show(self, state: BarState, glyphs: Glyphs) -> None:
        """Show counts and config; the clock keeps its own time."""
        self.glyphs = glyphs
        self.state = replace(state, clock=self.state.clock)

    def render(self) -> Content:
        return bar_line(self.state, self.size.width, self.glyphs)
