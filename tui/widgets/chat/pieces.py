"""What a message is made of: pieces that can be laid out in rows for any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from textual.content import Content

__all__ = ["DIM", "Grid", "Paragraph", "Piece", "Rows"]

DIM = "$text 60%"
"""The style of what is beside the words: margins, addresses, models, times."""

Rows = list[Content]


class Piece(Protocol):
    """A part of a message that can be laid out in `width` cells."""

    def rows(self, width: int) -> Rows: ...


def _margin(text: str, width: int) -> Content:
    """A margin in at most half of the width, so that deep nesting leaves room for words."""
    if len(text) > width // 2:
        text = text[: width // 2]
    return Content.styled(text, DIM) if text.strip() else Content(text)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text between margins. `first` stands before the first row, `rest` before the others.

    `fold` cuts at the width instead of between words, and keeps white space (code).
    """

    content: Content
    first: str = ""
    rest: str = ""
    fold: bool = False

    def rows(self, width: int) -> Rows:
        room = self.room(width)
        lines = self.content.split(allow_blank=True)
        return self.beside([row for line in lines for row in self.cut(line, room)], width)

    def room(self, width: int) -> int:
        """Cells left for the text."""
        first, rest = _margin(self.first, width), _margin(self.rest, width)
        return max(2, width - max(first.cell_length, rest.cell_length))

    def cut(self, line: Content, room: int) -> Rows:
        """One line of the text in as many rows as it takes."""
        if line.cell_length <= room:
            return [line]
        return line.fold(room) if self.fold else line.wrap(room)

    def beside(self, rows: Rows, width: int, above: int = 0) -> Rows:
        """Rows with their margins; `above` rows of the piece stand before them."""
        first, rest = _margin(self.first, width), _margin(self.rest, width)
        if not first.plain and not rest.plain:
            return rows
        return [(rest if index else first) + row for index, row in enumerate(rows, above)]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: `cells` row by row (the first is the head); `right` names the columns that are
    aligned to the right."""

    cells: tuple[tuple[Content, ...], ...]
    right: frozenset[int] = frozenset()
    margin: str = ""
    more: int = 0

    def rows(self, width: int) -> Rows:
        margin = _margin(self.margin, width)
        room = max(2, width - margin.cell_length)
        columns = max(len(row) for row in self.cells)
        rows = self._list(room) if columns * 4 > room else self._table(room)
        if self.more:
            rows.extend(Content.styled(f"… {self.more:,} more cells", DIM).wrap(room))
        return [margin + row for row in rows] if margin.plain else rows

    def _table(self, room: int) -> Rows:
        widths = self._widths(room)
        rows: Rows = []
        for index, cells in enumerate(self.cells):
            rows.extend(_grid_row(cells, widths, self.right))
            if index == 0:
                line = "  ".join("─" * size for size in widths)
                rows.append(Content.styled(line, DIM))
        return rows

    def _list(self, room: int) -> Rows:
        """Too narrow for columns: the cells of a row one after the other."""
        joint = Content.styled(" │ ", DIM)
        return [row for cells in self.cells for row in joint.join(cells).wrap(room)]

    def _widths(self, room: int) -> list[int]:
        columns = max(len(row) for row in self.cells)
        widths = [1] * columns
        for row in self.cells:
            for index, cell in enumerate(row):
                widths[index] = max(widths[index], cell.cell_length)
        room = max(columns, room - 2 * (columns - 1))
        share = max(1, room // columns)
        while sum(widths) > room:  # the widest gives way, down to an even share
            widest = max(range(columns), key=widths.__getitem__)
            if widths[widest] <= share:
                break
            others = max((size for size in widths if size < widths[widest]), default=share)
            excess = sum(widths) - room
            widths[widest] = max(share, others, widths[widest] - excess)
            if widths[widest] == others and widths.count(others) == columns:
                return [share] * columns
        return widths


def _grid_row(cells: Sequence[Content], widths: Sequence[int], right: frozenset[int]) -> Rows:
    wrapped = [
        cell.wrap(max(2, size)) if cell.cell_length > size else [cell]
        for cell, size in zip(cells, widths, strict=False)
    ]
    height = max((len(rows) for rows in wrapped), default=1)
    lines: Rows = []
    for index in range(height):
        parts = []
        for column, (rows, size) in enumerate(zip(wrapped, widths, strict=False)):
            row = rows[index] if index < len(rows) else Content("")
            space = max(0, size - row.cell_length)
            parts.append(row.pad_left(space) if column in right else row.pad_right(space))
        lines.append(Content("  ").join(parts))
    return lines
