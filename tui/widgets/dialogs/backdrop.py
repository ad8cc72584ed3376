"""What is seen behind a dialog: the screen below, dimmed.

Textual dims every piece of it anew whenever the dialog is painted, 20 ms of the 45 that one takes
to open. A screen has few styles; each is dimmed once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen
from textual.strip import Strip
from textual.visual import Visual

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.css.styles import RulesMap
    from textual.screen import Screen
    from textual.style import Style
    from textual.visual import RenderOptions

__all__ = ["Backdrop", "behind"]


@lru_cache(4096)
def _dimmed(style: RichStyle, base: RichStyle, color: Color) -> RichStyle:
    """A style as Textual dims it; without links and what a click would do."""
    plain = Segment(" ", style)
    (found,) = BackgroundScreen.process_segments([plain], color)
    return base + found.style if found.style is not None else base


class Backdrop(Visual):
    """A screen dimmed by a colour that is partly transparent."""

    def __init__(self, screen: Screen[object], color: Color):
        self.screen = screen
        self.color = color

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.screen.size.height

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        base, color, null = style.rich_style, self.color, RichStyle.null()
        return [
            Strip(
                [Segment(text, _dimmed(old or null, base, color)) for text, old, _ in strip],
                strip.cell_length,
            ).adjust_cell_length(width, base)
            for strip in self.screen._compositor.render_strips()[:height]
        ]


def behind(rendered: RenderableType) -> Any:
    """What a dialog draws behind itself, for what Textual would draw there: a Visual or a
    renderable, which Textual takes alike and types as the latter."""
    if isinstance(rendered, BackgroundScreen):
        return Backdrop(rendered.screen, rendered.color)
    return rendered
