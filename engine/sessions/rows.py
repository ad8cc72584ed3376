"""The rows of a tree as a list shows them: folds applied, each row's words read when it is seen.

A row is an entry, or stands for entries that are folded. Folding hides what is below an entry;
what lies behind a compaction is folded from the start, and opens by its own row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.clock import parse_iso
from engine.errors import SessionError
from engine.sessions.entries import Entry, is_bookkeeping
from engine.sessions.outline import Outline
from engine.sessions.tree import Tree
from engine.text import safe_line

__all__ = [
    "Fold",
    "Row",
    "RowKind",
    "TreeRows",
    "read_row",
    "runs_behind",
    "speaker_of",
    "words_of",
]

LEAST_RUN = 3
"""Fewer entries behind a compaction are not folded."""

LARGE = 4 * 1024 * 1024
"""Bytes of a line beyond which a row does not read it: that would be felt at a key."""

_HEAD = 2
"""Entries at the beginning of a conversation that stay visible before what is folded."""

RowKind = Literal["person", "assistant", "tool", "compaction", "summary", "note", "bookkeeping"]


class Fold(Struct, frozen=True):
    """Entries that one row stands for: places `start … stop - 1`.

    Attributes:
        key: the entry that was folded, or for what lies behind a compaction, that compaction.
        behind: whether it is what lies behind a compaction.
    """

    key: str
    start: int
    stop: int
    behind: bool

    @property
    def size(self) -> int:
        return self.stop - self.start


class Row(Struct, frozen=True):
    """What a row says of an entry. Texts are safe and on one line.

    Attributes:
        time: ms since 1970; None when the entry does not say.
        speaker: who speaks; for entries that nobody speaks, what they are.
        tokens: before and after, of a compaction: None where it does not say.
        broken: how a reply failed or was stopped; "" when it did not.
    """

    node_id: str
    kind: RowKind
    time: int | None
    speaker: str
    text: str
    tokens: tuple[int | None, int | None] = (None, None)
    broken: str = ""


class TreeRows:
    """An outline with folds: row numbers ↔ entries, in time that grows with the folds only.

    Args:
        outline: all that is shown when nothing is folded.
        folded: entries whose subtree is folded.
        behind: what lies behind compactions and is to be folded (see `runs_behind`).
    """

    def __init__(self, outline: Outline, folded: Collection[str] = (), behind: Iterable[Fold] = ()):
        self.outline = outline
        self.folds = _outermost([*_subtrees(outline, folded), *behind])
        self._fold_rows: list[int] = []
        saved = 0
        for fold in self.folds:
            self._fold_rows.append(fold.start - saved)
            saved += fold.size - 1
        self._size = len(outline) - saved
        self._fold_of = {fold.key: index for index, fold in enumerate(self.folds)}

    def __len__(self) -> int:
        return self._size

    def at(self, row: int) -> int | Fold:
        """The place of a row's entry, or the fold that it stands for."""
        index = bisect_right(self._fold_rows, row) - 1
        if index < 0:
            return row
        fold = self.folds[index]
        beyond = row - self._fold_rows[index]
        return fold if beyond == 0 else fold.stop + beyond - 1

    def row_of(self, node_id: str) -> int | None:
        """The row of an entry; None when it is not shown or folded away."""
        place = self.outline.places.get(node_id)
        if place is None:
            return None
        index = bisect_right(self.folds, place, key=lambda fold: fold.start) - 1
        if index < 0:
            return place
        fold = self.folds[index]
        return None if place < fold.stop else self._fold_rows[index] + 1 + place - fold.stop

    def row_of_fold(self, key: str) -> int | None:
        """The row that stands for the fold of an entry."""
        index = self._fold_of.get(key)
        return None if index is None else self._fold_rows[index]

    def fold_over(self, node_id: str) -> Fold | None:
        """The fold that hides an entry."""
        place = self.outline.places.get(node_id)
        if place is None:
            return None
        index = bisect_right(self.folds, place, key=lambda fold: fold.start) - 1
        return self.folds[index] if index >= 0 and place < self.folds[index].stop else None

    def nearest(self, place: int) -> int:
        """The row of a place, or of the fold that hides it."""
        row = self.row_of(self.outline.ids[place])
        if row is not None:
            return row
        index = bisect_right(self.folds, place, key=lambda fold: fold.start) - 1
        return self._fold_rows[index]


def _subtrees(outline: Outline, folded: Collection[str]) -> Iterable[Fold]:
    for name in folded:
        place = outline.places.get(name)
        if place is not None and outline.end_of(place) > place + 1:
            yield Fold(name, place + 1, outline.end_of(place), False)


def _outermost(folds: list[Fold]) -> list[Fold]:
    """Without those whose own entry another one hides."""
    found: list[Fold] = []
    stop = 0
    for fold in sorted(folds, key=lambda one: (one.start, -one.stop)):
        head = fold.start if fold.behind else fold.start - 1
        if head >= stop:
            found.append(fold)
            stop = fold.stop
    return found


def runs_behind(tree: Tree, outline: Outline) -> list[Fold]:
    """What lies behind each compaction on its own stretch, where that is enough to fold: the
    first entries of the conversation and those that the compaction keeps stay visible."""
    stretches: dict[int, list[tuple[int, int]]] = {}
    for place in outline.compactions:
        index = outline.segment_at(place)
        start = outline.segments[index].start
        if (outline.ids[place] in outline.active) != (outline.ids[start] in outline.active):
            continue  # the conversation goes on before it: what it folded is in force
        kept = _first_kept(tree, outline, place, start)
        stretches.setdefault(index, []).append((place, kept))
    return [fold for index in stretches for fold in _runs(outline, index, stretches[index])]


def _runs(outline: Outline, index: int, compactions: list[tuple[int, int]]) -> Iterable[Fold]:
    """Folds on one stretch, given its compactions and where what they keep begins."""
    segment = outline.segments[index]
    start = segment.start + (_HEAD if segment.parent < 0 else 1)
    following = [kept for _, kept in compactions[1:]] + [0]
    for (place, kept), later in zip(compactions, following, strict=True):
        stop = place if later > place else kept  # a later one folds what this one had kept
        if stop - start >= LEAST_RUN:
            yield Fold(outline.ids[place], start, stop, True)
        start = place + 1


def _first_kept(tree: Tree, outline: Outline, place: int, start: int) -> int:
    """The place of the first entry shown that the compaction at `place` keeps, on its stretch."""
    name = outline.ids[place]
    first = _data(tree, name).get("firstKeptEntryId")
    if not isinstance(first, str) or first not in tree.nodes or first == name:
        return place
    kept = place
    for node in tree.up(name):
        where = outline.places.get(node.id)
        if where is not None:
            if where < start:
                return start
            kept = where
        if node.id == first:
            return kept
    return place


def _data(tree: Tree, name: str) -> Mapping[str, Any]:
    try:
        return tree.entry(name).data
    except SessionError:
        return {}


def read_row(tree: Tree, node_id: str, *, agent: str) -> Row:
    """What a row says of an entry; reads its line from the file.

    Args:
        agent: whom replies are by.
    """
    try:
        node = tree.node(node_id)
        if node.length > LARGE:
            kind: RowKind = "assistant" if node.role == "assistant" else "note"
            speaker = agent if kind == "assistant" else _name(node.role or node.type)
            return Row(node_id, kind, None, speaker, f"({node.length:,} bytes)")
        entry = tree.entry(node_id)
    except SessionError as error:
        return Row(node_id, "note", None, "unreadable", safe_line(str(error)))
    kind, speaker = _who(entry, agent)
    tokens: tuple[int | None, int | None] = (None, None)
    if entry.type == "compaction":
        tokens = (_whole(entry.data.get("tokensBefore")), _whole(entry.data.get("tokensAfter")))
    return Row(
        node_id, kind, parse_iso(entry.timestamp), speaker, words_of(entry), tokens, _broken(entry)
    )


def speaker_of(entry: Entry, *, agent: str) -> str:
    """Who speaks; for entries that nobody speaks, what they are.

    Args:
        agent: whom replies are by.
    """
    return _who(entry, agent)[1]


def _who(entry: Entry, agent: str) -> tuple[RowKind, str]:
    match entry.type:
        case "message":
            return _by_role(entry, agent)
        case "compaction":
            return "compaction", "compacted"
        case "branch_summary":
            return "summary", "branch left"
        case "custom_message":
            return "note", _name(entry.custom_type) or "note"
    if is_bookkeeping(entry.type, entry.custom_type):
        return "bookkeeping", _name(entry.custom_type) or entry.type.replace("_", " ")
    return "note", _name(entry.type)


def _by_role(entry: Entry, agent: str) -> tuple[RowKind, str]:
    match entry.role:
        case "assistant":
            return "assistant", agent
        case "user":
            return "person", _sender(entry)
        case "toolResult":
            return "tool", _name(entry.message.get("toolName")) or "tool"
        case "bashExecution":
            return "tool", "shell"
    return "note", _name(entry.role) or "nobody"


def _name(value: object) -> str:
    return safe_line(value, limit=40) if isinstance(value, str) else ""


def _sender(entry: Entry) -> str:
    """Who wrote a message: as its origin says, else the person at this terminal."""
    origin = entry.data.get("origin")
    if not isinstance(origin, dict) or origin.get("channel") == "terminal":
        return "you"
    sender = origin.get("sender")
    found = [sender.get("name"), sender.get("id")] if isinstance(sender, dict) else []
    return next((name for name in map(_name, found) if name), "you")


def words_of(entry: Entry) -> str:
    """The words of an entry, or what it does, safe and on one line."""
    text = safe_line(entry.text)
    match entry.type:
        case "message" if not text:
            return _without_words(entry)
        case "compaction":
            return text
        case "label":
            target = _name(entry.data.get("targetId"))
            return f"{text or '(taken away)'} → {target}"
        case "model_change":
            parts = (_name(entry.data.get("provider")), _name(entry.data.get("modelId")))
            return "/".join(part for part in parts if part)
        case "thinking_level_change":
            return _name(entry.data.get("thinkingLevel"))
        case "custom":
            return _custom(entry.data.get("data"))
    return text


def _without_words(entry: Entry) -> str:
    message = entry.message
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    calls = [
        f"{_name(block.get('name')) or 'tool'} {_arguments(block.get('arguments'))}".rstrip()
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "toolCall"
    ]
    if calls:
        return safe_line("calls " + " · ".join(calls))
    if any(isinstance(block, dict) and block.get("type") == "image" for block in blocks):
        return "(a picture)"
    if isinstance(message.get("command"), str):
        return safe_line(message["command"])
    if isinstance(message.get("errorMessage"), str):
        return safe_line(message["errorMessage"])
    return "(no words)"


def _arguments(value: object) -> str:
    """The first texts among the arguments of a call."""
    if not isinstance(value, dict):
        return ""
    texts = [text for text in value.values() if isinstance(text, str)]
    return safe_line(" ".join(texts[:3]), limit=120)


def _custom(body: object) -> str:
    if not isinstance(body, dict):
        return ""
    pairs = [(name, value) for name, value in body.items() if isinstance(value, str | int)]
    return safe_line(" · ".join(f"{name} {value}" for name, value in pairs[:4]))


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return int(value)


def _broken(entry: Entry) -> str:
    stop = entry.message.get("stopReason")
    words = {"error": "failed", "aborted": "stopped", "length": "cut at the limit"}
    return words.get(stop, "") if isinstance(stop, str) else ""
