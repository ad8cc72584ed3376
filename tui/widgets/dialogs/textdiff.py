"""A difference of two texts, whole."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.difflines import diff_content

__all__ = ["TextDiff"]

MOST = 5000
"""Lines that are drawn."""


class TextDiff(Dialog[None]):
    """Shows a `diff -u`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d,enter", "dismiss", "Close", id="dialog.close"),
        Binding("j,down", "scroll(1)", "Down", id="list.down", show=False),
        Binding("k,up", "scroll(-1)", "Up", id="list.up", show=False),
        Binding("pagedown", "scroll(10)", "Page down", id="list.page-down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", id="list.page-up", show=False),
    ]
    DEFAULT_CSS = """
    TextDiff { align: center middle; }
    TextDiff > VerticalScroll {
        width: 96%; height: 92%; padding: 0 1; background: $surface; border: round $border;
        border-title-color: $text; border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
    }
    TextDiff Static { height: auto; width: 1fr; }
    """

    def __init__(self, diff: str, title: str):
        super().__init__()
        self._diff = diff
        self._title = title

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("j k scroll · Esc close")
            yield Static(diff_content(self._diff, most=MOST), markup=False)

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)
