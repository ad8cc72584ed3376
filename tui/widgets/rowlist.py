"""RowList: the one list of the app, on Textual's Line API (session list, later the tree).

It paints only the rows in view, so a key costs the same at ten rows and at a hundred thousand
(nested Tree nodes and ListView do not: UX §2, §3). The widget owns cursor, folds and filter;
what the rows say comes from a `Rows` value, made anew by a source whenever folds or filter change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message

from tui.widgets.rowpaint import RowPaint, tops_of
from tui.widgets.rows import NoRows, Rows, RowSource, RowView

__all__ = ["RowList"]


class RowList(RowPaint, can_focus=True):
    """A list of rows with cursor, folds and filter."""

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rowlist--cursor",
        "rowlist--hover",
        "rowlist--gutter",
        "rowlist--dim",
        "rowlist--strong",
        "rowlist--head",
        "rowlist--busy",
        "rowlist--new",
        "rowlist--needs",
        "rowlist--match",
    }

    DEFAULT_CSS = """
    RowList {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .rowlist--cursor { background: $foreground 8%; }
        & > .rowlist--hover { background: $foreground 4%; }
        & > .rowlist--gutter { color: $foreground 30%; }
        & > .rowlist--dim { color: $text-muted; }
        & > .rowlist--strong { text-style: bold; }
        & > .rowlist--head { color: $text-muted; text-style: bold; }
        & > .rowlist--busy { color: $text-primary; }
        & > .rowlist--new { color: $text-success; text-style: bold; }
        & > .rowlist--needs { color: $text-error; text-style: bold; }
        & > .rowlist--match { color: $text-accent; text-style: bold underline; }
        &:focus > .rowlist--cursor { background: $primary 25%; }
        &:focus > .rowlist--gutter { color: $primary; }
        &:nocolor > .rowlist--cursor { text-style: reverse; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page-down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page-up"),
        Binding("home,g", "edge(-1)", "First", show=False, id="list.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="list.last"),
        Binding("enter", "select", "Open", show=False, id="list.select"),
        Binding("space", "fold", "Fold", show=False, id="list.fold"),
    ]

    @dataclass
    class Highlighted(Message):
        """The cursor came to a row."""

        list: RowList
        key: Hashable

    @dataclass
    class Selected(Message):
        """A row was chosen, by Enter or a click."""

        list: RowList
        key: Hashable

    @dataclass
    class Folded(Message):
        """A row was folded or unfolded."""

        list: RowList
        key: Hashable
        folded: bool

    def __init__(
        self,
        source: RowSource | None = None,
        *,
        empty: str = "Nothing here yet",
        sign: str = "▌",
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ):
        super().__init__(id=id, classes=classes)
        self._source: RowSource = source or (lambda view: NoRows())
        self._look = RowView()
        self.empty = empty
        self.sign = sign

    # what is shown

    @property
    def rows(self) -> Rows:
        return self._rows

    @property
    def look(self) -> RowView:
        """Folds and filter in force."""
        return self._look

    @property
    def current(self) -> Hashable | None:
        """The key of the row under the cursor."""
        return self._rows.key(self.cursor) if self.cursor < len(self._rows) else None

    @property
    def in_view(self) -> list[Hashable]:
        """Keys of the rows that are on the screen."""
        first, last = self._row_at(0), self._row_at(max(0, self.size.height - 1))
        last = last if last >= 0 else len(self._rows) - 1
        return [self._rows.key(index) for index in range(max(0, first), last + 1)]

    def set_source(self, source: RowSource) -> None:
        """Take rows from here on from `source`, and show them."""
        self._source = source
        self.rebuild()

    def rebuild(self) -> None:
        """Ask the source again. Cursor and scroll position stay with the row they were on."""
        here = self.current
        above = self._tops[self.cursor] - self.scroll_offset.y if here is not None else 0
        self._rows = self._source(self._look)
        self._tops = tops_of(self._rows)
        self._strips.clear()
        self.hovered = -1
        self._resize_virtual()
        found = self._rows.index_of(here) if here is not None else None
        if found is not None:
            self.set_reactive(RowList.cursor, found)
            self._keep_offset(self._tops[found] - above)
        else:
            self.cursor = min(self.cursor, max(0, len(self._rows) - 1))
        self.paint_changed()

    def paint_again(self, keys: Iterable[Hashable]) -> None:
        """Some rows say something else; none of them came, went or grew."""
        found = (self._rows.index_of(key) for key in keys)
        rows = {row for row in found if row is not None}
        self._strips = {at: kept for at, kept in self._strips.items() if at[0] not in rows}
        for row in rows:
            self.refresh_row(row)

    def filter(self, query: str) -> None:
        """Show what fits `query` (the source decides what fits); "" shows everything."""
        if query != self._look.query:
            self._look = RowView(self._look.folded, query)
            self.rebuild()

    def set_folded(self, key: Hashable, folded: bool) -> None:
        """Fold or unfold a row by its key."""
        keys = self._look.folded | {key} if folded else self._look.folded - {key}
        if keys != self._look.folded:
            self._look = RowView(keys, self._look.query)
            self.rebuild()
            self.post_message(self.Folded(self, key, folded))

    def mark(self, key: Hashable | None) -> None:
        """Show one row as the one that is open."""
        if key != self.marked:
            self.marked = key
            self._strips.clear()
            self.paint_changed()

    def repaint_row(self, key: Hashable) -> None:
        """Draw a row anew that says something else now."""
        row = self._rows.index_of(key)
        if row is not None:
            for strip in [each for each in self._strips if each[0] == row]:
                del self._strips[strip]
            self.refresh_row(row)

    def go_to(self, key: Hashable) -> bool:
        """Put the cursor on a row; False when it is not shown."""
        found = self._rows.index_of(key)
        if found is None:
            return False
        self.cursor = found
        return True

    # size and place

    def _resize_virtual(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self._tops[-1])

    def on_resize(self) -> None:
        self._strips.clear()
        self._resize_virtual()
        self._show_cursor()

    def on_mount(self) -> None:
        self.rebuild()

    def _keep_offset(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False)
        self._show_cursor()

    def _show_cursor(self) -> None:
        if self.cursor < len(self._rows) and self.size.height:
            top, bottom = self._tops[self.cursor], self._tops[self.cursor + 1]
            region = Region(0, top, self.scrollable_content_region.width, bottom - top)
            self.scroll_to_region(region, animate=False, force=True)

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh_row(old)
        self.refresh_row(new)
        self._show_cursor()
        if new < len(self._rows):
            self.post_message(self.Highlighted(self, self._rows.key(new)))

    def watch_hovered(self, old: int, new: int) -> None:
        self.refresh_row(old)
        self.refresh_row(new)

    # keys and mouse

    def _row_at(self, y: int) -> int:
        line = y + self.scroll_offset.y
        return bisect_right(self._tops, line) - 1 if 0 <= line < self._tops[-1] else -1

    def action_move(self, step: int) -> None:
        if len(self._rows):
            self.cursor = min(max(0, self.cursor + step), len(self._rows) - 1)

    def action_page(self, direction: int) -> None:
        if not len(self._rows):
            return
        page = max(1, self.scrollable_content_region.height - 1)
        line = self._tops[self.cursor] + direction * page
        target = bisect_right(self._tops, min(max(0, line), self._tops[-1] - 1)) - 1
        if target == self.cursor:
            target += direction
        self.cursor = min(max(0, target), len(self._rows) - 1)

    def action_edge(self, direction: int) -> None:
        if len(self._rows):
            self.cursor = 0 if direction < 0 else len(self._rows) - 1

    def action_select(self) -> None:
        if self.cursor < len(self._rows):
            self._choose(self.cursor)

    def action_fold(self) -> None:
        if self.cursor < len(self._rows) and self._rows.foldable(self.cursor):
            key = self._rows.key(self.cursor)
            self.set_folded(key, key not in self._look.folded)

    def _choose(self, row: int) -> None:
        if self._rows.foldable(row):
            self.action_fold()
        else:
            self.post_message(self.Selected(self, self._rows.key(row)))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        offset = event.get_content_offset(self)
        row = self._row_at(offset.y) if offset is not None else -1
        if row >= 0:
            self.cursor = row
            self._choose(row)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        offset = event.get_content_offset(self)
        self.hovered = self._row_at(offset.y) if offset is not None else -1

    def on_leave(self) -> None:
        self.hovered = -1
