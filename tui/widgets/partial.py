"""Paints a part of a screen from the widgets that are seen in that part.

When a line changes on the screen, Textual asks every widget for all of its lines that lie between
the outermost changes, and throws most of them away: a letter in a text field costs as much as a
screen full of messages. Here only widgets that a change touches are asked, from front to back, and
only for the lines on which nothing before them covers them wholly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

__all__ = ["PartialCompositor"]

_Chops = list[dict[int, Strip | None]]
"""By line the pieces of it, by the column at which each begins; None: nothing is there yet."""


class PartialCompositor(Compositor):
    """As Textual's, but what is not seen afterwards is not asked for."""

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

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        parts = (crop,) if self._parts is None else self._parts
        chops: _Chops = [dict.fromkeys(cuts[:-1]) for cuts in self.cuts]
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            touched = _touched(seen, parts)
            rows = [y for y in touched.line_range if is_rendered_line(y)]
            rows = [y for y in rows if _is_open(chops[y], self.cuts[y], touched)]
            if not rows:
                continue
            first = rows[0]
            asked = Region(seen.x, first, seen.width, rows[-1] + 1 - first)
            strips = widget.render_lines(asked.translate(-region.offset))
            for y in rows:
                _fill(chops[y], self.cuts[y], seen, strips[y - first])
        return chops  # type: ignore[return-value]


def _touched(seen: Region, parts: Iterable[Region]) -> Region:
    """The smallest part of a region with all of it that `parts` touch."""
    touching = [part.intersection(seen) for part in parts if seen.overlaps(part)]
    return Region.from_union(touching) if touching else Region()


def _is_open(line: dict[int, Strip | None], cuts: list[int], touched: Region) -> bool:
    """Whether nothing stands yet on a piece of a line that a region touches."""
    start, end = touched.column_span
    return any(line[at] is None and at < end and stop > start for at, stop in pairwise(cuts))


def _fill(line: dict[int, Strip | None], cuts: list[int], seen: Region, strip: Strip) -> None:
    """Put a widget's line to where nothing stands yet."""
    start, end = seen.column_span
    own = [cut for cut in cuts if start <= cut <= end]
    for at, piece in zip(own, strip.divide([cut - start for cut in own[1:]]), strict=False):
        if line[at] is None:
            line[at] = piece
