"""Words on the border of a pane or dialog that get shorter by whole words where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from tui.look.cells import longest_fitting, whole_parts
from tui.widgets.drawn import drawn, entitle

__all__ = ["Edged", "EdgedVertical"]

_CORNERS = 6
"""Cells of a border's line beside its words."""


class Edged(Widget):
    """A widget with a title on its upper edge and keys on its lower one. It goes last among the
    bases of a class: Textual takes styles and keys from the first only."""

    _titles: Sequence[str] = ()
    _keys: Sequence[str] = ()
    _gap = "   "

    def edge(self, titles: Sequence[str], keys: Sequence[str] = (), *, gap: str = "   ") -> None:
        """Say what stands there.

        Args:
            titles: ways to say it, the longest first; the first one that has room is shown. Safe.
            keys: as many as have room are shown, first to last; of a dialog the last one ends it
                and goes last. Safe.
            gap: what stands between keys.
        """
        self._titles, self._keys, self._gap = titles, keys, gap
        self._draw_edge()

    def _draw_edge(self) -> None:
        room = self.outer_size.width - _CORNERS
        if room > 0 and self._titles:
            entitle(self, drawn(self, Content(longest_fitting(self._titles, room))))
        if room > 0 and self._keys:
            keys = Content(whole_parts(self._keys, room, self._gap))
            entitle(self, subtitle=drawn(self, keys))

    def on_resize(self) -> None:
        self._draw_edge()


class EdgedVertical(Vertical, Edged):
    """The same as a container."""
