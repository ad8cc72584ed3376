"""The open end of a reply, laid out as it grows: rows that are full stay as they are.

A long paragraph laid out anew at every word takes time with its length: 18 ms at 600 words, four
times that with four replies at once. Words that come at its end change only its last row, which
may lose a word to a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich._wrap import divide_line
from textual.content import Content

from tui.widgets.chat.layout import body_rows, framed, inside
from tui.widgets.chat.pieces import Paragraph, Piece, Rows
from tui.widgets.chat.shown import Shown

__all__ = ["Growing", "alike"]

_LOOSE = 2
"""Rows at the end of a text that more text may change: the last, and the one before it, should the
word that had no room in it become a shorter one."""


def alike(one: Content, other: Content) -> bool:
    """Whether two texts look alike; Textual compares only their words."""
    return one is other or (one.plain == other.plain and one.spans == other.spans)


class Growing:
    """Rows of pieces of which the last grow and more come; for one message."""

    def __init__(self) -> None:
        self._pieces: list[_Grown] = []

    def rows(self, shown: Shown, pieces: Sequence[Piece], width: int) -> Rows:
        """As `body_rows` of each piece, at the cost of what is not as it was."""
        del self._pieces[len(pieces) :]
        rows: Rows = []
        for place, piece in enumerate(pieces):
            if place == len(self._pieces):
                self._pieces.append(_Grown())
            rows += self._pieces[place].rows(shown, piece, width)
        return rows


@dataclass(slots=True)
class _Line:
    """A line of a text in rows; `starts` is where each begins in it."""

    content: Content
    rows: Rows
    starts: list[int]


@dataclass(slots=True)
class _Grown:
    """What is known of one piece since it was last laid out."""

    look: tuple[object, ...] = ()
    lines: list[_Line] = field(default_factory=list)
    bare: Rows = field(default_factory=list)
    done: Rows = field(default_factory=list)

    def rows(self, shown: Shown, piece: Piece, width: int) -> Rows:
        if not isinstance(piece, Paragraph):
            self.look = ()
            return body_rows(shown, piece, width)
        look = (width, piece.first, piece.rest, piece.fold, shown.kind, shown.aside)
        if look != self.look:
            self.look, self.lines, self.bare, self.done = look, [], [], []
        within = inside(shown, width)
        lines = piece.content.split(allow_blank=True)
        room = piece.room(within)
        self.lines = [self._line(piece, place, line, room) for place, line in enumerate(lines)]
        bare = [row for line in self.lines for row in line.rows]
        same = _same(self.bare, bare)
        fresh = piece.beside(bare[same:], within, same)
        self.bare, self.done = bare, self.done[:same] + framed(shown, fresh)
        return self.done

    def _line(self, piece: Paragraph, place: int, line: Content, room: int) -> _Line:
        before = self.lines[place] if place < len(self.lines) else None
        if before is not None and alike(before.content, line):
            return before
        tabs = "\t" in line.plain  # wider than they are long
        if piece.fold or tabs or line.cell_length <= room:
            return _Line(line, piece.cut(line, room), [0])
        return _wrapped(line, room, before)


def _same(before: Rows, now: Rows) -> int:
    """How many rows at the beginning are the very same."""
    pairs = enumerate(zip(before, now, strict=False))
    changed = (place for place, (old, new) in pairs if old is not new)
    return next(changed, min(len(before), len(now)))


def _wrapped(line: Content, room: int, before: _Line | None) -> _Line:
    """A line in rows; those it had are kept as far as it begins alike."""
    kept = _kept(before, line) if before is not None else 0
    if before is None or not kept:
        start, rows, starts = 0, [], []
    else:
        start, rows, starts = before.starts[kept], before.rows[:kept], before.starts[:kept]
    rest = line[start:]
    breaks = divide_line(rest.plain, room)
    return _Line(line, rows + rest.wrap(room), [*starts, *(start + each for each in (0, *breaks))])


def _kept(before: _Line, line: Content) -> int:
    """How many rows of a line stay as they are in what it became."""
    text = before.content.plain
    for kept in range(len(before.starts) - _LOOSE, 0, -1):
        start, after = before.starts[kept : kept + 2]
        whole = text[start - 1].isspace() and not text[start].isspace()
        if whole and any(letter.isspace() for letter in text[start:after]):
            return kept if _goes_on(before.content, line, after) else 0
    return 0


def _goes_on(before: Content, line: Content, until: int) -> bool:
    """Whether a line begins as it was; a row stays only if the word that had no room in it does."""
    same = line.plain.startswith(before.plain[:until])
    return same and alike(before[:until], line[:until])
