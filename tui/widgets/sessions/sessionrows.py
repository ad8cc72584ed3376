"""The rows of the session list as they are drawn: two lines a session where there is room."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

from rich.cells import cell_len

from engine.config.schema import Config
from engine.engine import SessionInfo
from engine.text import safe_line
from tui.behind.sessionfilter import read_query
from tui.behind.sessionorder import Fold, Group, Place, arrange
from tui.look.cells import age, fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.people.naming import channel_tag, model_name, session_name
from tui.tracker import Status, Tracker
from tui.widgets.gauge import level
from tui.widgets.rows import Line, RowView, Span

__all__ = ["TWO_LINES", "SessionRows"]

TWO_LINES = 25
"""Inner width from which a session gets a second line (preview, reason)."""

_SIGNS = {
    Status.BUSY: ("busy", "busy"),
    Status.NEW: ("new", "new"),
    Status.IDLE: ("idle", "dim"),
    Status.NEEDS: ("needs", "needs"),
    Status.STORED: ("stored", "dim"),
}


class SessionRows:
    """Rows of groups, sessions and folds; a session's key is its ref.

    Args:
        tracker: what is known of the sessions.
        config: in force.
        view: folds and filter.
        now: ms since 1970.
        tall: whether a session has two lines.
        glyphs: the signs.
        marks: refs of marked sessions; looked at whenever a row is drawn.
    """

    def __init__(
        self,
        tracker: Tracker,
        config: Config,
        view: RowView,
        *,
        now: int,
        tall: bool,
        glyphs: Glyphs,
        marks: Collection[Hashable] = (),
    ):
        self.uniform: int | None = None if tall else 1
        self._tracker = tracker
        self._glyphs = glyphs
        self._now = now
        self._tall = tall
        self._marks = marks
        self._query = read_query(view.query)
        self.all = arrange(tracker, config, view.folded, view.query)
        self._places = {row.key: index for index, row in enumerate(self.all)}

    def __len__(self) -> int:
        return len(self.all)

    def height(self, index: int) -> int:
        return 2 if self._tall and isinstance(self.all[index], Place) else 1

    def key(self, index: int) -> Hashable:
        return self.all[index].key

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(key)

    def foldable(self, index: int) -> bool:
        return not isinstance(self.all[index], Place)

    def refs_under(self, index: int) -> list[str]:
        """The sessions that a row stands for: its own, those of a group, those of an open fold."""
        row = self.all[index]
        if isinstance(row, Place):
            return [row.info.ref]
        found = []
        for after in self.all[index + 1 :]:
            if isinstance(after, Group) or (isinstance(row, Fold) and not _is_in(row, after)):
                break
            if isinstance(after, Place) and (after.depth == 0 or isinstance(row, Fold)):
                found.append(after.info.ref)
        return found

    def lines(self, index: int, width: int) -> Sequence[Line]:
        row = self.all[index]
        if isinstance(row, Group):
            return [self._head(row, width)]
        if isinstance(row, Fold):
            return [self._fold(row, width)]
        first = self._first(row, width)
        return [first, self._second(row, width)] if self._tall else [first]

    def _head(self, group: Group, width: int) -> Line:
        sign = self._glyphs.open if group.is_open else self._glyphs.closed
        signs: list[Span] = [] if group.is_open else self._signs_below(group)
        number = f" {group.size} "
        room = width - _cells(signs) - len(number)
        name = fit(f"{sign} {group.name}", room, ellipsis=self._glyphs.ellipsis)
        return [(name, "head"), *signs, (number, "dim")]

    def _signs_below(self, group: Group) -> list[Span]:
        """How many of a folded group's sessions need the person, or hold something new."""
        states = [self._tracker.status(ref) for ref in group.refs]
        found: list[Span] = []
        for status in (Status.NEEDS, Status.NEW, Status.BUSY):
            field, tone = _SIGNS[status]
            if many := states.count(status):
                sign: str = getattr(self._glyphs, field)
                found.append((f" {sign}{many}", tone))
        return found

    def _fold(self, fold: Fold, width: int) -> Line:
        sign = self._glyphs.open if fold.is_open else self._glyphs.closed
        told = f"{'  ' * fold.depth}{sign} {fold.told}"
        return [(fit(told, width, ellipsis=self._glyphs.ellipsis), "dim")]

    def _first(self, place: Place, width: int) -> Line:
        info, indent = place.info, "  " * place.depth
        status = self._tracker.status(info.ref)
        field, tone = _SIGNS[status]
        tag = channel_tag(info) if not place.depth else ""
        tag = fit(tag, 7) if self._tall else fit(tag.split(" ")[0], 3)
        right = self._right(info, status)
        marked = [(f"{self._glyphs.mark} ", "mark")] if info.ref in self._marks else []
        # The second line says it in words, where there is one.
        unsaid = not self._tall or bool(self._tracker.reason(info.ref))
        own = [(f"{self._glyphs.override} ", "busy")] if info.override and unsaid else []
        used = _cells((*marked, *own, *right))
        room = max(0, width - len(indent) - 2 - cell_len(tag) - used)
        name_style = "strong" if status in {Status.NEW, Status.NEEDS} else ""
        name = self._name(place, room, "dim" if status is Status.STORED else name_style)
        sign: str = getattr(self._glyphs, field)
        return [(f"{indent}{sign} ", tone), *marked, *name, *own, (tag, "dim"), *right]

    def _name(self, place: Place, room: int, style: str) -> list[Span]:
        """The name in `room` cells, the letters that were found lit; of what is under its key
        already, its own name or its first words."""
        info = place.info
        name = session_name(info)
        if place.depth and self._tracker.runs(info.key):
            name = safe_line(info.label or info.preview, limit=80) or name
        shown = fit(name, room - 1, ellipsis=self._glyphs.ellipsis) + " " if room else ""
        return _lit(shown, style, self._query.letters(name), upto=_same(name, shown))

    def _right(self, info: SessionInfo, status: Status) -> list[Span]:
        when = age(self._now - info.last_active) if info.last_active else ""
        tone = "dim"
        if not self._tall and status in {Status.BUSY, Status.NEW, Status.NEEDS}:
            when, tone = status.value.split()[0], _SIGNS[status][1]
        fill = self._tracker.fills.get(info.ref)
        bar = level(fill.part, self._glyphs) if fill is not None and fill.tokens else " "
        full = fill is not None and fill.part >= fill.threshold
        return [(fit(when, 5, right=True), tone), (f" {bar} ", "needs" if full else "dim")]

    def _second(self, place: Place, width: int) -> Line:
        """Words for the signs, then what waits, else the first words."""
        info = place.info
        parts = self._words(info, width)
        spans: list[Span] = [("  " * (place.depth + 1), "")]
        for part in parts:
            spans += [*([self._between] if len(spans) > 1 else []), part]
        rest = self._tracker.reason(info.ref)
        if not rest and place.depth:
            rest = "1 message" if info.messages == 1 else f"{info.messages:,} messages"
        rest = rest or safe_line(info.preview, limit=200)
        if parts and rest:
            spans.append(self._between)
        room = width - _cells(spans) - 1
        shown = fit(rest, room, ellipsis=self._glyphs.ellipsis)
        return [*spans, *_lit(shown, "dim", self._query.written(rest), upto=_same(rest, shown))]

    @property
    def _between(self) -> Span:
        return (" · " if self._glyphs is UNICODE else " - ", "dim")

    def _words(self, info: SessionInfo, width: int) -> list[Span]:
        """What the signs of a row say, in words: marked, its state, a model and labels of its own;
        where nothing waits."""
        status = self._tracker.status(info.ref)
        found: list[Span] = [("marked", "mark")] if info.ref in self._marks else []
        if status is Status.STORED:
            found.append((safe_line(info.state, limit=20), "dim"))
        elif status is not Status.IDLE:
            found.append((status.value, _SIGNS[status][1]))
        if self._tracker.reason(info.ref):
            return found  # why needs the room
        room = width - _cells(found) - 3 * len(found)
        if info.override:
            name = safe_line(model_name(info.override), limit=max(6, room - 14))
            found.append((f"{self._glyphs.override} {name} override", "busy"))
        if labels := ", ".join(safe_line(label, limit=40) for label in info.labels[1:]):
            told = safe_line(labels, limit=max(8, (width - 2) // 2))
            found.append((f"{self._glyphs.label} {told}", "label"))
        return found


def _cells(spans: Iterable[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


def _is_in(fold: Fold, row: Fold | Place) -> bool:
    """Whether a row after a fold is one of those behind it."""
    return isinstance(row, Place) and row.depth == 1


def _same(text: str, shown: str) -> int:
    """How many characters a text and what is shown of it have in common at the beginning."""
    least = min(len(text), len(shown))
    return next((place for place in range(least) if text[place] != shown[place]), least)


def _lit(text: str, style: str, places: Iterable[int], upto: int) -> list[Span]:
    """A text in spans: the letters at `places` before `upto` as found."""
    lit = sorted(place for place in places if place < upto)
    if not lit:
        return [(text, style)]
    spans: list[Span] = []
    start = 0
    for place in lit:
        if place > start:
            spans.append((text[start:place], style))
        if spans and spans[-1][1] == "match" and place == start:
            spans[-1] = (spans[-1][0] + text[place], "match")
        else:
            spans.append((text[place], "match"))
        start = place + 1
    return [*spans, (text[start:], style)]
