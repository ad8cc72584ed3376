"""The help: what the pane in focus is, the keys that act there, and how all of it works."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import var
from textual.widgets import Static

from tui.commands.keyhelp import HOW, Group, HelpPage, flowing
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.chat.markdown_safe import parse
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.drawn import drawn

__all__ = ["HelpDialog"]

WIDEST = 18
"""Cells of the column of keys, at most."""


class HelpDialog(Dialog[None]):
    """Shows a page of help.

    Args:
        page: what to show.
        how: whether to begin with how it all works.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", id="dialog.close"),
        Binding("h", "how", "How it works", id="help.how"),
        Binding("j", "scroll(1)", "Down", id="list.down", show=False),
        Binding("k", "scroll(-1)", "Up", id="list.up", show=False),
    ]

    DEFAULT_CSS = f"""
    HelpDialog {{ align: center middle; }}
    HelpDialog > VerticalScroll {{
        {BOX} width: 82; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }}
    HelpDialog Static {{ height: auto; width: 1fr; }}
    """

    how: var[bool] = var(False)
    """Whether it is told how all of it works, instead of the keys of a pane."""

    def __init__(self, page: HelpPage, *, how: bool = False):
        super().__init__()
        self._page = page
        self.set_reactive(HelpDialog.how, how)

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        self._draw()

    def watch_how(self) -> None:
        if self.is_mounted:
            self._draw()
            self.query_one(VerticalScroll).scroll_home(animate=False)

    def _draw(self) -> None:
        box = self.query_one(VerticalScroll)
        width = box.scrollable_content_region.width
        if width < 4:
            return
        other = f"h {'the keys here' if self.how else 'how it works'}"
        box.border_title = Content("How Branchline works" if self.how else self._page.title)
        box.border_subtitle = drawn(self, Content(f"j k scroll · {other} · Esc close"))
        rows = _prose(flowing(HOW) if self.how else self._page.prose, width)
        if not self.how:
            for group in self._page.groups:
                rows += ["", *_group(group, width)]
        text = Content("\n").join([Content(row) if isinstance(row, str) else row for row in rows])
        self.query_one(Static).update(drawn(self, text))

    def action_how(self) -> None:
        self.how = not self.how

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)


def _prose(text: str, width: int) -> list[Content | str]:
    return [row for piece in parse(text) for row in piece.rows(width)]


def _group(group: Group, width: int) -> list[Content | str]:
    """A title, and an action to a row: its keys, what it does, more about it."""
    keys = [" ".join(row.keys) for row in group.rows]
    column = min(max(map(cell_len, keys)), WIDEST, width // 2)
    rows: list[Content | str] = [Content.styled(group.title.upper(), MUTED_BOLD)]
    for shown, row in zip(keys, group.rows, strict=True):
        more = f"  {row.more}" if row.more else ""
        said = Content.assemble(row.says, (more, MUTED))
        left = Content.styled(shown, "bold $primary").wrap(column) if shown else [Content("")]
        right = said.wrap(max(4, width - column - 2))
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else Content("")
            other = right[index] if index < len(right) else Content("")
            rows.append(one.pad_right(column + 2 - one.cell_length) + other)
    return rows
