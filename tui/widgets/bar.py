"""Row 0 of a screen: one line that ends in the time of day."""

from __future__ import annotations

import time

from textual.reactive import reactive
from textual.widget import Widget

from tui.look.glyphs import UNICODE

__all__ = ["Bar"]


class Bar(Widget):
    """The base of every row 0. Only its own line is painted when something on it changes.

    What it says is the screen's business; the clock keeps its own time.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Bar { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    clock: reactive[str] = reactive("")

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.glyphs = UNICODE

    def on_mount(self) -> None:
        self._tick()
        self.set_interval(5, self._tick)

    def _tick(self) -> None:
        self.clock = time.strftime("%H:%M")
