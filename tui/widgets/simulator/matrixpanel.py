"""The panel with the isolation matrix."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.look.glyphs import UNICODE, Glyphs
from tui.widgets.drawn import drawn
from tui.widgets.simulator.matrixlines import MatrixState, matrix_lines

__all__ = ["MatrixPanel"]


class MatrixPanel(Widget):
    """Who shares a memory with whom; painted anew only when something in it changed."""

    ALLOW_SELECT = False

    state: reactive[MatrixState] = reactive(((), (), ()))

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._glyphs = UNICODE

    def show(self, state: MatrixState, glyphs: Glyphs) -> None:
        """Say something else."""
        self._glyphs = glyphs
        self.border_title = Content("Isolation matrix   same letter = same session = shared memory")
        hint = "b at once   e identity   x remove   w keep   F1 all keys"
        self.border_subtitle = Content(hint if self.size.width >= 76 else "")
        self.state = state

    def render(self) -> Content:
        size = self.content_size
        if size.width <= 0 or size.height <= 0:
            return Content("")
        return drawn(self, matrix_lines(self.state, size.width, size.height, self._glyphs))
