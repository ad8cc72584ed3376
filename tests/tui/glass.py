"""A terminal that the app paints: what a person has before them, which is right only if every part
that changed was painted."""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

__all__ = ["Glass"]


class Glass:
    """Takes all that an app paints from now on, as its terminal would."""

    def __init__(self, app: App[Any]):
        self._app = app
        self._display = app._display
        width, height = app.size
        self._rows = [Strip.blank(width) for _ in range(height)]
        app._display = self._seen  # type: ignore[method-assign]

    def _seen(self, screen: Screen[Any], update: Any) -> None:
        self._display(screen, update)
        if screen is not self._app.screen:
            return
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                self._rows[y] = Strip.join(strips)
        elif isinstance(update, ChopsUpdate):
            for y, start, end in update.spans:
                self._part(y, start, end, update)

    def _part(self, y: int, start: int, end: int, update: ChopsUpdate) -> None:
        """As Textual writes a part of a line: by pieces, each from where its widget begins."""
        for stop, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
            if strip is not None and x < end and stop > start:
                piece, row = strip.crop(0, min(stop, end) - x), self._rows[y]
                after = row.crop(x + piece.cell_length)
                self._rows[y] = Strip.join([row.crop(0, x), piece, after])

    @property
    def rows(self) -> list[list[Segment]]:
        """What stands on it."""
        return [list(row.simplify()) for row in self._rows]

    @property
    def wanted(self) -> list[list[Segment]]:
        """What would stand on it, were the whole screen painted now, as Textual does."""
        compositor = self._app.screen._compositor
        chops = Compositor._render_chops(compositor, compositor.size.region, lambda y: True)
        return [list(Strip.join(line.values()).simplify()) for line in chops]
