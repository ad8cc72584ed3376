"""How a RowList is painted: the rows in view and no others, each line made once for what it says,
and when the rows were made anew, only the lines that say something else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from itertools import accumulate

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.reactive import Reactive, reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.framed import KEPT, FramedLines, StillBar
from tui.widgets.rows import Line, NoRows, Rows

__all__ = ["RowPaint", "tops_of"]

_Said = tuple[object, ...]
"""All that a line is painted from: two that say the same are one Strip."""


def tops_of(rows: Rows) -> Sequence[int]:
    """First line of each row and, last, the number of lines."""
    if rows.uniform is not None:
        return range(0, len(rows) * rows.uniform + 1, rows.uniform)
    return list(accumulate((rows.height(index) for index in range(len(rows))), initial=0))


class RowPaint(ScrollView):
    """Paints `rows`, with a cursor, a row under the mouse and one that is marked.

    Attributes:
        marked: the key of the row that is open.
        empty: what stands there when there are no rows.
        sign: the sign before the row with the cursor.
    """

    # As Textual has it, but more rows lay nothing else on the screen out anew.
    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)

    cursor: reactive[int] = reactive(0, repaint=False)
    hovered: reactive[int] = reactive(-1, repaint=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None):  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._rows: Rows = NoRows()
        self._tops: Sequence[int] = range(1)
        self._window = (0, 0)  # the first line in view, and the width, of what is being painted
        self._strips: dict[tuple[int, int, str], list[Strip]] = {}
        self._made: dict[_Said, Strip] = {}
        self._painted: dict[int, Strip] = {}  # by the place in view, what stands there
        self._styles: dict[tuple[str, str], Style] = {}
        self._styles_cache = FramedLines()
        self.marked: Hashable | None = None
        self.empty = ""
        self.sign = "▌"

    # painting

    def render_lines(self, crop: Region) -> list[Strip]:
        self._see()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        strip = self._painted[y] = self._line_at(y)
        return strip

    def paint_changed(self) -> None:
        """Paint the lines in view that say something else than what stands there."""
        self._see()
        region = self.scrollable_content_region
        lines = range(region.height)
        changed = [y for y in lines if self._line_at(y) is not self._painted.get(y)]
        if len(changed) > region.height // 2:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, region.width, 1) for y in changed))

    def _see(self) -> None:
        self._window = self.scroll_offset.y, self.scrollable_content_region.width

    def _line_at(self, y: int) -> Strip:
        top, width = self._window
        line = top + y
        if line >= self._tops[-1]:
            return self._blank(y, width)
        row = bisect_right(self._tops, line) - 1
        strips = self._row_strips(row, width)
        return strips[line - self._tops[row]]

    def _blank(self, y: int, width: int) -> Strip:
        if not len(self._rows) and y == 0:
            return self._strip(((f" {self.empty}", "dim"),), width, "")
        return self._strip((), width, "")

    def _row_strips(self, row: int, width: int) -> list[Strip]:
        flag = "cursor" if row == self.cursor else "hover" if row == self.hovered else ""
        cached = self._strips.get((row, width, flag))
        if cached is None:
            if len(self._strips) >= KEPT:
                self._strips.clear()
            cached = self._strips[(row, width, flag)] = self._paint_row(row, width, flag)
        return cached

    def _paint_row(self, row: int, width: int, flag: str) -> list[Strip]:
        edge = self.sign if flag == "cursor" else " "
        lines = self._rows.lines(row, max(0, width - cell_len(edge)))
        height = self._tops[row + 1] - self._tops[row]
        shown = [*lines, *[()] * (height - len(lines))][:height]
        strong = self.marked is not None and self._rows.key(row) == self.marked
        return [
            self._strip(((edge, "gutter"), *line), width, flag, strong=strong and not place)
            for place, line in enumerate(shown)
        ]

    def _strip(self, line: Line, width: int, flag: str, *, strong: bool = False) -> Strip:
        """A line; the very same one for the same words as long as it is kept."""
        said = (tuple(line), width, flag, strong)
        found = self._made.get(said)
        if found is None:
            if len(self._made) >= KEPT:
                self._made.clear()
            found = self._made[said] = self._paint_line(line, width, flag)
            if strong:
                found = self._made[said] = found.apply_style(Style(bold=True))
        return found

    def _paint_line(self, line: Line, width: int, flag: str) -> Strip:
        segments = [Segment(text, self._styled(flag, name)) for text, name in line if text]
        return Strip(segments).adjust_cell_length(width, self._styled(flag, ""))

    def _styled(self, flag: str, name: str) -> Style:
        """How letters of a tone look in a row with the cursor, under the mouse, or plain; worked
        out once for the styles in force."""
        found = self._styles.get((flag, name))
        if found is None:
            found = self.rich_style
            if flag:
                found += self.get_component_rich_style(f"rowlist--{flag}")
            found = self._styles[flag, name] = found + self._tone(name) if name else found
        return found

    def _tone(self, name: str) -> Style:
        """Letters of a component style, blended with the list's background; no background."""
        full = self.get_component_rich_style(f"rowlist--{name}")
        partial = self.get_component_rich_style(f"rowlist--{name}", partial=True)
        return Style(color=full.color, bold=partial.bold, underline=partial.underline)

    def notify_style_update(self) -> None:
        for kept in (self._strips, self._made, self._painted, self._styles):
            kept.clear()
        super().notify_style_update()

    def refresh_row(self, row: int) -> None:
        """Paint a row again that says something else, or stands out now."""
        if 0 <= row < len(self._rows):
            self.refresh_lines(self._tops[row], self._tops[row + 1] - self._tops[row])

    # size and place

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """As Textual's, but one that stands still while its thumb does."""
        if self._vertical_scrollbar is None:
            thickness = self.scrollbar_size_vertical
            self._vertical_scrollbar = StillBar(name="vertical", thickness=thickness)
            self._vertical_scrollbar.display = False
            self.app._start_widget(self, self._vertical_scrollbar)
        return self._vertical_scrollbar

    def watch_virtual_size(self, size: Size) -> None:
        """More rows or fewer: the scrollbar, and where it comes or the list is as high as its rows
        the layout too."""
        parent = self.parent
        above = isinstance(parent, Widget) and parent.styles.auto_dimensions
        if above or self.styles.auto_dimensions:
            self.refresh(layout=True)
        elif self.size:
            self._scroll_update(size)
