"""The tabs above the lanes, where not all of them are in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from engine.scenario.cast import Persona
from engine.text import safe_line
from tui.look.cells import fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.look.tones import MUTED
from tui.widgets.drawn import drawn

__all__ = ["LaneTabs"]


class LaneTabs(Widget):
    """`1 Alice │ 2 Bob │ 3 Carol`: those in view are bright, the one in focus is marked."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    LaneTabs { height: 1; width: 1fr; display: none; }
    LaneTabs.-shown { display: block; }
    """

    @dataclass
    class Chosen(Message):
        """A tab was clicked; `place` counts from 0."""

        place: int

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._state: tuple[tuple[str, ...], int, int, int] = ((), 0, 0, 0)
        self._glyphs = UNICODE
        self._ends: list[tuple[int, int]] = []

    def show(
        self, people: Sequence[Persona], at: int, first: int, room: int, glyphs: Glyphs
    ) -> None:
        """Show who there is; nothing where all are in view."""
        names = tuple(safe_line(one.name, limit=20) for one in people)
        self.set_class(len(people) > room, "-shown")
        state = names, at, first, room
        if (state, glyphs) != (self._state, self._glyphs):
            self._state, self._glyphs = state, glyphs
            self.refresh()

    def render(self) -> Content:
        names, at, first, seen = self._state
        width = self.size.width
        labels = [f" {number} {name} " for number, name in enumerate(names, 1)]
        start = first
        while (
            start > 0 and sum(cell_len(one) + 1 for one in labels[start - 1 : at + 1]) < width - 6
        ):
            start -= 1
        parts: list[tuple[str, str]] = [("< ", "$text-accent")] if start else [(" ", "")]
        used = len(parts[0][0])
        self._ends = []
        for place, label in enumerate(labels[start:], start):
            if used + cell_len(label) + 3 > width and place > at:
                parts.append((" >", "$text-accent"))
                break
            shown = first <= place < first + seen
            style = "reverse bold" if place == at else "bold" if shown else MUTED
            text = fit(label, min(cell_len(label), max(1, width - used)))
            parts += [(text, style), ("│", MUTED)]
            used += cell_len(text) + 1
            self._ends.append((used, place))
        return drawn(self, Content.assemble(*parts)).truncate(max(1, width))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for end, place in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(place))
                return
