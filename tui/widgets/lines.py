"""One-line notices that stay: how to connect a model, and what is wrong with the config."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.look.cells import fit

__all__ = ["Banner", "HintLine", "longest"]


def longest(variants: tuple[str, ...], width: int) -> str:
    """The first of `variants` (longest first) that fits, else the last one cut."""
    for text in variants:
        if cell_len(text) <= width:
            return text
    return fit(variants[-1], width) if variants else ""


class HintLine(Widget):
    """A line of advice that a click (or the palette) puts away."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HintLine { height: 1; color: $foreground 60%; padding: 0 2; display: none; }
    HintLine.-shown { display: block; }
    """

    class Dismissed(Message):
        """The person has read it."""

    variants: reactive[tuple[str, ...]] = reactive(())
    """The same advice, longest first; the first that fits is drawn. Empty: no line."""

    def watch_variants(self, variants: tuple[str, ...]) -> None:
        self.set_class(bool(variants), "-shown")

    def render(self) -> Content:
        room = self.content_size.width - 2
        return Content.assemble((fit(longest(self.variants, room), room), "italic"), (" ×", "bold"))

    def on_click(self) -> None:
        self.post_message(self.Dismissed())


class Banner(Widget):
    """A line across the screen that stays until what it tells is mended, or, where it can be put
    away, until a click."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Banner { height: 1; padding: 0 1; display: none; }
    Banner.-shown { display: block; background: $error 25%; color: $foreground; }
    Banner#leak { background: $error; color: $text; text-style: bold; }
    """

    class Dismissed(Message):
        """The person has read it."""

    variants: reactive[tuple[str, ...]] = reactive(())
    """The same news, longest first; the first that fits is drawn. Empty: no line."""

    def __init__(self, *, dismissable: bool = False, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._dismissable = dismissable

    def watch_variants(self, variants: tuple[str, ...]) -> None:
        self.set_class(bool(variants), "-shown")

    def render(self) -> Content:
        room = self.content_size.width
        if not self._dismissable:
            return Content(fit(longest(self.variants, room), room))
        return Content.assemble(fit(longest(self.variants, room - 2), room - 2), (" ×", "bold"))

    def on_click(self) -> None:
        if self._dismissable:
            self.post_message(self.Dismissed())
