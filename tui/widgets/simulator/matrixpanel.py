"""The panel with the isolation matrix."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive

from tui.look.glyphs import UNICODE, Glyphs
from tui.widgets.drawn import drawn
from tui.widgets.edged import Edged
from tui.widgets.simulator.matrixlines import MatrixState, matrix_lines

__all__ = ["MatrixPanel"]


class MatrixPanel(Edged):
    """Who shares a memory with whom; painted anew only when something in it changed."""

    ALLOW_SELECT = False

    state: reactive[MatrixState] = reactive(((), (), ()))

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._glyphs = UNICODE

    def show(self, state: MatrixState, glyphs: Glyphs) -> None:
        """Say something else."""
        self._glyphs = glyphs
        name = "Isolation matrix"
        long = f"{name}   same letter = same session = shared memory"
        keys = ("b at once", "e identity", "x remove", "w keep", "F1 all keys")
        self.edge((long, f"{name}   same letter = shared memory", name), keys)
        self.state = state

    def render(self) -> Content:
        size = self.content_size
        if size.width <= 0 or size.height <= 0:
            return Content("")
        return drawn(self, matrix_lines(self.state, size.width, size.height, self._glyphs))
