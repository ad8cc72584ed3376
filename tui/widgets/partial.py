"""Paints a part of a screen from the widgets that are in that part.

When a line changes on the screen, Textual asks every widget for all of its lines that lie between
the outermost changes, most of which it throws away: a letter in a text field costs as much as a
screen full of messages. Here only widgets that a change touches are asked, and only for the lines
from the first to the last one that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

__all__ = ["PartialCompositor"]


class PartialCompositor(Compositor):
    """As Textual's, but an update of a part is made of the widgets that it touches."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: tuple[Region, ...] | None = None
        """What is being painted; None: the whole screen."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """An update of what changed since the last one; None when nothing did."""
        self._parts = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._parts = None

    def _get_renders(
        self, crop: Region | None = None
    ) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if self._parts is None:
            yield from super()._get_renders(crop)
            return
        for widget, (region, clip) in self.visible_widgets.items():
            seen = _touched(region.intersection(clip), self._parts)
            if seen:
                yield region, seen, widget.render_lines(seen.translate(-region.offset))


def _touched(seen: Region, parts: Iterable[Region]) -> Region:
    """The lines of a region, in their full width, from the first to the last that `parts` touch;
    empty when they touch none."""
    rows = [part for part in parts if seen.overlaps(part)]
    if not rows:
        return Region()
    top = max(seen.y, min(part.y for part in rows))
    bottom = min(seen.bottom, max(part.bottom for part in rows))
    return Region(seen.x, top, seen.width, bottom - top)
