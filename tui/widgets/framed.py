"""What makes a list that scrolls cheap to paint: lines framed once, and a scrollbar that is painted
only when it looks different."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from textual._styles_cache import StylesCache
from textual.reactive import Reactive
from textual.scrollbar import ScrollBar
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType
    from textual.color import Color
    from textual.css.styles import StylesBase
    from textual.geometry import Size, Spacing

__all__ = ["KEPT", "FramedLines", "StillBar"]

KEPT = 400
"""Lines kept, a few screens full: each takes some kilobytes with what is worked out for it."""

EIGHTHS = 8
"""Parts of a cell in which a scrollbar moves."""


class FramedLines(StylesCache):
    """Puts the border and the padding round a line once for as long as they look the same.

    Textual keeps framed lines by their place, so a list that scrolls by one row frames all of them
    anew, and so does a message that gets longer. Here they are kept by what they say: a widget that
    gives the same `Strip` for the same words gets the same framed one, and with it what was worked
    out for it already (how it is cut and coloured).
    """

    def __init__(self) -> None:
        super().__init__()
        self._framed: dict[int, tuple[Strip, Strip]] = {}
        self._look: tuple[Any, ...] = ()

    def render(self, styles: StylesBase, size: Size, *rest: Any, **more: Any) -> list[Strip]:
        """As Textual's; whatever the frame depends on is compared first."""
        look = (
            *(size.width, rest[0], rest[1], styles.border, styles.outline),
            *(styles.tint, styles.text_opacity, styles.has_rule("hatch") and styles.hatch),
            *(more["padding"], more["opacity"], more["ansi_theme"], more["native_ansi"]),
            more["content_size"].width,
        )
        if look != self._look:
            self._look = look
            self._framed.clear()
        return super().render(styles, size, *rest, **more)

    def render_line(
        self,
        styles: StylesBase,
        y: int,
        size: Size,
        content_size: Size,
        padding: Spacing,
        base_background: Color,
        background: Color,
        render_content_line: Callable[[int], Strip],
        *rest: Any,
    ) -> Strip:
        """A line with its frame; the words come from `render_content_line`."""
        place = y - styles.gutter.top
        told = render_content_line(place) if 0 <= place < content_size.height else None
        found = self._framed.get(id(told)) if told is not None else None
        if found is not None:
            return found[1]

        def again(line: int) -> Strip:
            return told if told is not None else render_content_line(line)

        framed = super().render_line(
            styles, y, size, content_size, padding, base_background, background, again, *rest
        )
        if told is not None:
            if len(self._framed) >= KEPT:
                self._framed.clear()
            self._framed[id(told)] = told, framed  # while it is held its id stays its own
        return framed


class StillBar(ScrollBar):
    """A scrollbar at the right that is painted when its thumb is seen to move: beside a long list
    it stands still at most keys."""

    position: Reactive[float] = Reactive(0, repaint=False)

    _thumb: tuple[int, int] = (0, 0)

    def watch_position(self) -> None:
        if self._seen() != self._thumb:
            self.refresh()

    def render(self) -> RenderableType:
        self._thumb = self._seen()
        return super().render()

    def _seen(self) -> tuple[int, int]:
        """Start and length of the thumb in eighths of a cell, as Textual's renderer draws it."""
        size, window, total = self.size.height, self.window_size, self.window_virtual_size
        if not size or not 0 < window < total:
            return 0, 0
        length = max(1, window * size / total)
        start = (size - length) * self.position / (total - window)
        return int(start * EIGHTHS), ceil(length * EIGHTHS)
