"""What the rows of a tree say, as plain values for the row list."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.cells import cell_len

from engine.sessions.journal import Marks
from engine.sessions.outline import Outline
from engine.sessions.rows import Fold, Row, TreeRows, read_row
from engine.sessions.tree import Tree
from engine.text import safe_line
from tui.look.cells import count, fit
from tui.look.glyphs import ASCII, UNICODE, Glyphs
from tui.widgets.rows import Line, Span

__all__ = ["LIVE", "Forest", "TreeLines", "fold_key", "in_ascii", "local_time", "name_cells"]

LIVE = ("live", "")
"""Key of the row of a reply that is being written."""

KEPT_ROWS = 4000
"""Rows whose words are kept in memory."""

_NAME = (5, 12)
"""Least and most cells of the names."""

_ASCII = str.maketrans("├└│┆─●○◆◇⚑┬◀◁⋯→▸·…◐", "|`|:-*o#+!+<<~>>-~*")


def in_ascii(text: str, glyphs: Glyphs) -> str:
    """Lines and signs of our own, in ASCII where the config asks for it; one sign for one."""
    return text.translate(_ASCII) if glyphs is ASCII else text


def fold_key(key: str) -> tuple[str, str]:
    """The key of the row that stands for what is folded under an entry."""
    return ("fold", key)


@dataclass(frozen=True, slots=True)
class Forest:
    """All that the list shows, as of one moment.

    Attributes:
        behind: what lies behind compactions, folded from the start.
        agent: whom replies are by, safe.
        days: whether the entries are of several days, so that times need the day.
        names: cells for the names.
    """

    tree: Tree
    outline: Outline
    behind: tuple[Fold, ...] = ()
    marks: Marks = field(default_factory=Marks)
    agent: str = "assistant"
    days: bool = False
    names: int = 6

    @property
    def branch_names(self) -> dict[str, str]:
        """Entry → the branch name it carries."""
        return {target: name for name, target in self.marks.branches.items()}


class TreeLines:
    """Rows of a forest for the row list. An entry's key is its id; a fold's is `fold_key`."""

    uniform = 1

    def __init__(
        self,
        forest: Forest,
        rows: TreeRows,
        read: dict[str, Row],
        *,
        glyphs: Glyphs = UNICODE,
        live: str | None = None,
        marked: Sequence[str] = (),
        hits: frozenset[str] = frozenset(),
    ):
        self.forest = forest
        self.rows = rows
        self._read = read
        self._glyphs = glyphs
        self._marked = marked
        self._hits = hits
        self._names = forest.branch_names
        self._bookmarks = frozenset(forest.marks.bookmarks)
        self.live = live
        self._live_row = self._place_live() if live is not None else None

    def _place_live(self) -> int | None:
        leaf = self.forest.outline.leaf
        row = self.rows.row_of(leaf) if leaf is not None else -1
        return None if row is None else row + 1

    def __len__(self) -> int:
        return len(self.rows) + (self._live_row is not None)

    def height(self, index: int) -> int:
        return 1

    def _inner(self, index: int) -> int | None:
        """The row of the tree behind a row of the list; None for the live one."""
        if self._live_row is None or index < self._live_row:
            return index
        return None if index == self._live_row else index - 1

    def _outer(self, row: int | None) -> int | None:
        if row is None or self._live_row is None or row < self._live_row:
            return row
        return row + 1

    def at(self, index: int) -> int | Fold | None:
        """The place of a row's entry, the fold it stands for, or None for the live reply."""
        inner = self._inner(index)
        return None if inner is None else self.rows.at(inner)

    def key(self, index: int) -> Hashable:
        found = self.at(index)
        if found is None:
            return LIVE
        if isinstance(found, Fold):
            return fold_key(found.key)
        return self.forest.outline.ids[found]

    def index_of(self, key: Hashable) -> int | None:
        if key == LIVE:
            return self._live_row
        if isinstance(key, tuple):
            return self._outer(self.rows.row_of_fold(str(key[1])))
        return self._outer(self.rows.row_of(str(key)))

    def row_near(self, place: int) -> int:
        """The row of a place, or of the fold that hides it."""
        return self._outer(self.rows.nearest(place)) or 0

    def foldable(self, index: int) -> bool:
        found = self.at(index)
        return isinstance(found, Fold) or (
            found is not None and not self.forest.outline.is_tip(found)
        )

    # what a row says

    def row(self, node_id: str) -> Row:
        """The words of an entry; read once."""
        found = self._read.get(node_id)
        if found is None:
            if len(self._read) >= KEPT_ROWS:
                self._read.clear()
            found = read_row(self.forest.tree, node_id, agent=self.forest.agent)
            self._read[node_id] = found
        return found

    def lines(self, index: int, width: int) -> Sequence[Line]:
        found = self.at(index)
        if found is None:
            return [self._live_line(width)]
        if isinstance(found, Fold):
            return [self._fold_line(found, width)]
        return [self._entry_line(found, width)]

    def _signs(self, text: str) -> str:
        return in_ascii(text, self._glyphs)

    def _levels(self, width: int) -> int:
        """How many levels of indent are drawn, so that words keep most of the row."""
        return max(3, min(20, (width - 36) // 4))

    def _entry_line(self, place: int, width: int) -> Line:
        outline = self.forest.outline
        name = outline.ids[place]
        row = self.row(name)
        active = name in outline.active
        folded = row.kind in ("compaction", "summary")
        sign = ("◆" if active else "◇") if folded else "●" if active else "○"
        tone = "dim" if not active else "fold" if folded else "active"
        line: list[Span] = [
            (f"  {self._signs(outline.gutter(place, self._levels(width)))}", "line"),
            (f"{self._signs(sign)} ", tone),
            *_when(self._time(row, width), "match" if name in self._hits else "dim"),
        ]
        marks = self._marks(name, place)
        used = _cells(line) + _cells(marks) + (1 if marks else 0)
        line += self._words(row, max(0, width - used - 1), active)
        return _spread(line, marks, width)

    def _time(self, row: Row, width: int) -> str:
        form = "%H:%M"
        if self.forest.days:
            form = "%d %b %H:%M" if width >= 72 else "%d %b"
        size = 13 if form.startswith("%d %b %") else 7 if form.startswith("%d") else 6
        return fit(local_time(row.time, form), size)

    def _words(self, row: Row, room: int, active: bool) -> list[Span]:
        plain = "" if active else "off"
        if row.kind in ("compaction", "summary"):
            before, after = (count(each) if each is not None else "" for each in row.tokens)
            numbers = f"{before} → {after}" if after else before
            told = [(f"{row.speaker}  ", "fold" if active else "off")]
            told += [(f"{self._signs(numbers)}  ", plain)] if numbers else []
            return _cut(told, row.text, "dim", room, self._glyphs)
        tones = {"person": "person", "assistant": "agent"}
        name = row.speaker
        if row.kind in tones or cell_len(name) < self.forest.names:
            name = fit(name, self.forest.names, ellipsis=self._glyphs.ellipsis)
        tone = tones.get(row.kind, "dim") if active else "off"
        told = [(f"{name}  ", tone)]
        if row.broken:
            told.append((f"{row.broken}  ", "needs"))
        return _cut(told, row.text, plain if row.kind in tones else "dim", room, self._glyphs)

    def _marks(self, name: str, place: int) -> list[Span]:
        """What stands at the right end: mark for a comparison, label, branch, leaf."""
        forest = self.forest
        marks: list[Span] = []
        if name in self._marked:
            marks.append(("[d] ", "needs"))
        if name in forest.marks.hidden:
            marks.append((f"{safe_line(forest.marks.hidden[name], limit=10)} ", "dim"))
        if name in self._bookmarks or name in forest.tree.labels:
            label = safe_line(forest.tree.labels.get(name, ""), limit=30)
            marks.append((f"{self._signs('⚑')} {label} ".replace("  ", " "), "label"))
        if name in self._names:
            branch = safe_line(self._names[name], limit=30)
            marks.append((f"{self._signs('┬')} {branch} ", "label"))
        if name == forest.outline.leaf:
            if self.live is None:
                marks.append((f"{self._signs('◀')} leaf ", "leaf"))
        elif forest.outline.is_tip(place) and self.row(name).kind != "bookkeeping":
            marks.append((f"{self._signs('◁')} tip ", "dim"))
        return marks

    def _fold_line(self, fold: Fold, width: int) -> Line:
        outline = self.forest.outline
        place = fold.start if fold.behind else fold.start - 1
        gutter = outline.gutter_below(place, self._levels(width))
        noun = "message" if fold.size == 1 else "messages"
        told = f"{fold.size:,} {noun} folded"
        branches = outline.branches_in(fold.start, fold.stop)
        if branches:
            told += f" · {branches:,} {'branch' if branches == 1 else 'branches'}"
        if fold.behind:
            told += " · in the summary"
        line: list[Span] = [(f"  {self._signs(gutter)}", "line"), (self._signs("┆ "), "line")]
        line += _cut([], self._signs(told), "dim", width - _cells(line) - 13, self._glyphs)
        return _spread(line, [("Space opens ", "dim")], width)

    def _live_line(self, width: int) -> Line:
        outline = self.forest.outline
        gutter = "  "
        if outline.leaf is not None:
            place, most = outline.places[outline.leaf], self._levels(width)
            gutter += outline.gutter_below(place, most)
            gutter += "" if outline.is_tip(place) else "├─"
        row = Row("", "assistant", None, self.forest.agent, safe_line((self.live or "")[-2000:]))
        line: list[Span] = [
            (self._signs(gutter), "line"),
            (self._signs("◐ "), "active"),
            (self._time(row, width), ""),
        ]
        marks: list[Span] = [(f"{self._signs('◀')} leaf, live ", "leaf")]
        line += self._words(row, max(0, width - _cells(line) - _cells(marks) - 2), True)
        return _spread(line, marks, width)


def local_time(milliseconds: int | None, form: str) -> str:
    """A time as the clock on the wall says; "" for none, or one that no calendar has."""
    if milliseconds is None:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000).strftime(form)
    except (OverflowError, OSError, ValueError):
        return ""


def _when(time: str, tone: str) -> list[Span]:
    words = time.rstrip()
    return [(words, tone), (" " * (len(time) - len(words)), "")]


def _cells(line: Sequence[Span]) -> int:
    return sum(cell_len(text) for text, _ in line)


def _cut(told: list[Span], text: str, tone: str, room: int, glyphs: Glyphs) -> list[Span]:
    """`told` and then as much of `text` as there is room for."""
    used = _cells(told)
    if used >= room:
        whole = "".join(part for part, _ in told)
        return [(fit(whole, room, ellipsis=glyphs.ellipsis), told[0][1] if told else tone)]
    rest = room - used
    if cell_len(text) > rest:
        text = fit(text, rest, ellipsis=glyphs.ellipsis)
    return [*told, (text, tone)]


def _spread(line: list[Span], marks: list[Span], width: int) -> Line:
    gap = width - _cells(line) - _cells(marks)
    return [*line, (" " * max(0, gap), ""), *marks]


def name_cells(agent: str, names: Iterable[str]) -> int:
    """Cells for the names of those who speak."""
    longest = max((cell_len(name) for name in (agent, *names)), default=0)
    return max(_NAME[0], min(_NAME[1], longest))
