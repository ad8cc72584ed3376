"""Finding words in transcripts: every branch, folded or left, whole texts and summaries.

A file is searched as bytes first; only lines that can hold what is looked for are decoded. What
JSON and case folding may write otherwise (`\\u0041`, `ſ`) makes a line one of those, so nothing
is passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.disk import Disk, explain, open_regular
from engine.errors import BranchlineError, CommandError, Problem
from engine.sessions.lines import batches, decode_line
from engine.sessions.pieces import Piece, Where, pieces
from engine.sessions.query import Query, Token, parse_query

if TYPE_CHECKING:
    from engine.sessions.nodes import Node
    from engine.sessions.records import SessionRecord
    from engine.sessions.store import Store
    from engine.sessions.transcript import Transcript

__all__ = ["SEARCHED", "Hit", "SessionHits", "raw_lines", "search_sessions", "search_tree"]

SEARCHED = frozenset({"session", "older", "archived", "reset", "file"})
"""Kinds of records that are searched by themselves; the others repeat what these hold, or are
in the trash."""

AROUND = 60
"""Characters of a snippet on either side of what was found."""

MOST = 10_000
"""Hits that one search returns at most."""

LOOSE_TEXT = 100_000
"""Characters of one text in which a regular expression is looked for."""

_FOLDS = "\u00df\u0130\u0149\u017f\u01f0\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e\u212a" + "".join(
    map(chr, range(0xFB00, 0xFB07))
)
"""Characters outside ASCII that case folding turns into letters of ASCII."""

_RUNS = re.compile(r"""[ !#-.0-\[\]-~]+""")
"""Stretches that JSON writes as they are (or with `\\u`): ASCII without `"`, `/` and backslash."""

_GAPS = re.compile(r"\s+")

Span = tuple[int, int]
Finder = Callable[[str], Span | None]


class Hit(Struct, frozen=True):
    """Where something was found. Texts are untrusted and unchanged.

    Attributes:
        entry_id: the entry; of a label the one that has it.
        type, role: the entry's.
        where: which of its texts.
        position, length: characters in that text.
        before, match, after: the snippet.
        on_path: whether it is on the way to the session's leaf.
    """

    entry_id: str
    type: str
    role: str | None
    where: Where
    position: int
    length: int
    before: str
    match: str
    after: str
    on_path: bool

    @property
    def snippet(self) -> str:
        return self.before + self.match + self.after


class SessionHits(Struct, frozen=True):
    """The hits of one session; `named` when its own key, label or id fits the query."""

    record: SessionRecord
    hits: tuple[Hit, ...]
    named: bool = False
    problems: tuple[Problem, ...] = ()


def search_tree(transcript: Transcript, query: str, *, limit: int = MOST) -> list[Hit]:
    """Every entry of a session that holds all parts of a query, in file order.

    Args:
        transcript: open; entries that it has not taken in yet are not searched.
        query: words and `"phrases"`, wherever they stand and in any case; `re:` and a pattern.
        limit: most hits.

    Raises:
        CommandError: the query is empty, or its pattern cannot be used.
        StoreError: the file cannot be read.
    """
    finders, key = _prepare(query)
    found: list[Hit] = []
    path = None
    for node, data in _candidates(transcript, key):
        hit = _look(node, data, finders, transcript.tree.labels)
        if hit is None:
            continue
        if path is None:
            path = {one.id for one in transcript.tree.up(transcript.tree.leaf)}
        entry_id, piece, (start, end) = hit
        found.append(_hit(entry_id, node, piece, start, end, entry_id in path))
        if len(found) >= limit:
            break
    return found


def search_sessions(
    store: Store, records: Sequence[SessionRecord], query: str, *, limit: int = MOST
) -> Iterator[SessionHits]:
    """Search sessions one after the other; those without a hit are passed over.

    A session that cannot be read comes with its problem and no hits.

    Args:
        records: as Store.list gives them.
        query, limit: as `search_tree`; the limit is for all together.

    Raises:
        CommandError: the query is empty, or its pattern cannot be used.
    """
    finders, _ = _prepare(query)
    left = limit
    for record in records:
        named = _named(record, finders)
        try:
            with closing(store.open(record)) as transcript:
                hits = tuple(search_tree(transcript, query, limit=left)) if left else ()
        except BranchlineError as error:
            yield SessionHits(record, (), named, (Problem(str(error), file=str(record.path)),))
            continue
        left -= len(hits)
        if hits or named:
            yield SessionHits(record, hits, named)


def _named(record: SessionRecord, finders: Sequence[Finder]) -> bool:
    names = (record.key, record.session_id, record.label or "")
    return all(any(finder(name) is not None for name in names) for finder in finders)


def _prepare(text: str) -> tuple[list[Finder], _Key]:
    query = parse_query(text)
    if query.error is not None:
        raise CommandError(query.error)
    if query.empty:
        raise CommandError("there is nothing to search for")
    return _finders(query), _key_of(query)


def _finders(query: Query) -> list[Finder]:
    if query.pattern is not None:
        return [_pattern_finder(query.pattern)]
    return [_word_finder(token) for token in query.tokens]


def _pattern_finder(pattern: re.Pattern[str]) -> Finder:
    def find(text: str) -> Span | None:
        found = pattern.search(text[:LOOSE_TEXT])
        return found.span() if found else None

    return find


def _word_finder(token: Token) -> Finder:
    words = token.value.casefold().split()
    if len(words) > 1:
        return _phrase_finder(words)
    wanted = "".join(words)

    def find(text: str) -> Span | None:
        folded = text.casefold()
        place = folded.find(wanted)
        return _unfold(text, folded, (place, place + len(wanted))) if place >= 0 else None

    return find


def _phrase_finder(words: list[str]) -> Finder:
    pattern = re.compile(r"\s+".join(map(re.escape, words)))

    def find(text: str) -> Span | None:
        folded = text.casefold()
        found = pattern.search(folded)
        return _unfold(text, folded, found.span()) if found else None

    return find


def _unfold(text: str, folded: str, span: Span) -> Span:
    """A stretch of a folded text as a stretch of the text itself."""
    if len(folded) == len(text):
        return span
    start, end = span
    place, first = 0, len(text)
    for index, char in enumerate(text):
        after = place + len(char.casefold())
        if place <= start < after:
            first = index
        if after >= end:
            return first, index + 1
        place = after
    return first, len(text)


class _Key(Struct, frozen=True):
    """What the bytes of a line must hold to be worth decoding; nothing: any line is.

    Attributes:
        plain: a stretch of the query, in lower case where case matters.
        cased: whether ASCII letters are folded before looking.
        folds: what else may stand for letters of `plain`.
    """

    plain: bytes = b""
    cased: bool = False
    folds: re.Pattern[bytes] | None = None

    def everywhere(self, chunk: bytes, lines: int) -> bool:
        """Whether looking for places costs more than decoding every line."""
        return chunk.count(self.plain) >= lines

    def places(self, chunk: bytes) -> Iterator[int]:
        """Places in a chunk that are within lines worth decoding."""
        low = chunk.lower() if self.cased else chunk
        yield from _finds(low, self.plain)
        yield from _finds(low, b"\\u")
        if self.folds is not None and not chunk.isascii():
            for found in self.folds.finditer(chunk):
                yield found.start()


def _finds(chunk: bytes, wanted: bytes) -> Iterator[int]:
    """The first place of each line that holds `wanted`."""
    place = chunk.find(wanted)
    while place >= 0:
        yield place
        end = chunk.find(b"\n", place)
        place = chunk.find(wanted, end) if end >= 0 else -1


def _key_of(query: Query) -> _Key:
    """The longest stretch of a query that stands in a line's bytes as it is typed."""
    best = _Key()
    for token in query.tokens:
        for word in token.value.casefold().split():
            if word.isascii():
                runs = [_ascii_key(run) for run in _RUNS.findall(word)]
            else:
                runs = [_Key(word.encode())] if _caseless(word) else []
            best = max([best, *runs], key=lambda key: len(key.plain))
    return best


def _ascii_key(run: str) -> _Key:
    folds = [char for char in _FOLDS if _may_hold(run, char.casefold())]
    pattern = re.compile(b"|".join(char.encode() for char in folds)) if folds else None
    return _Key(run.encode(), True, pattern)


def _may_hold(run: str, folded: str) -> bool:
    """Whether one character that folds to `folded` may be part of a text that folds to `run`."""
    ends = range(1, len(folded) + 1)
    return folded in run or any(
        run.startswith(folded[-size:]) or run.endswith(folded[:size]) for size in ends
    )


def _caseless(word: str) -> bool:
    """Whether no other text folds to this one: letters of scripts without case, digits."""
    return all(
        not char.isascii()
        and char.isalnum()
        and char.lower() == char.upper()
        and char.casefold() == char
        for char in word
    )


def _candidates(transcript: Transcript, key: _Key) -> Iterator[tuple[Node, Mapping[str, Any]]]:
    tree = transcript.tree
    if transcript.foreign:
        for node in list(tree.nodes.values()):
            yield node, tree.entry(node.id).data
        return
    nodes: dict[int, Node] | None = None
    for offset, line in _lines(transcript, key):
        if nodes is None:
            nodes = {node.offset: node for node in list(tree.nodes.values())}
        node_ = nodes.get(offset)
        data = decode_line(line, first=offset == 0) if node_ is not None else None
        if node_ is not None and data is not None:
            yield node_, data


def raw_lines(transcript: Transcript, holding: bytes) -> Iterator[bytes]:
    """The lines of a session's file that hold some bytes, as they stand there.

    Raises:
        StoreError: the file cannot be read.
    """
    for _, line in _lines(transcript, _Key(holding)):
        if holding in line:
            yield line


def _lines(transcript: Transcript, key: _Key) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are worth decoding, with their offsets in bytes."""
    disk = Disk()
    try:
        fd = open_regular(disk, transcript.path, os.O_RDONLY)
        try:
            for batch in batches(disk, fd, 0, disk.stat(fd).st_size):
                yield from _of_batch(batch.offset, batch.lines, key)
        finally:
            disk.close(fd)
    except OSError as error:
        raise explain(error, "could not search the session") from error


def _of_batch(offset: int, lines: list[bytes], key: _Key) -> Iterator[tuple[int, bytes]]:
    chunk = b"\n".join(lines) if key.plain else b""
    if not key.plain or key.everywhere(chunk, len(lines)):
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        return
    starts = {chunk.rfind(b"\n", 0, place) + 1 for place in key.places(chunk)}
    for start in sorted(starts):
        end = chunk.find(b"\n", start)
        yield offset + start, chunk[start:] if end < 0 else chunk[start:end]


def _look(
    node: Node,
    data: Mapping[str, Any],
    finders: Sequence[Finder],
    labels: Mapping[str, str],
) -> tuple[str, Piece, Span] | None:
    """The first place of the first part of the query, when all parts are in the entry."""
    found = [piece for piece in pieces(data) if piece.where != "name"]
    first: tuple[Piece, Span] | None = None
    for finder in finders:
        place = next(((one, span) for one in found if (span := finder(one.text))), None)
        if place is None:
            return None
        first = first or place
    if first is None:
        return None
    if node.type != "label":
        return node.id, *first
    target = str(data.get("targetId"))
    # A label that was changed since is no longer there to be found.
    return (target, *first) if labels.get(target) == first[0].text else None


def _hit(entry_id: str, node: Node, piece: Piece, start: int, end: int, on_path: bool) -> Hit:
    text = piece.text
    before = _GAPS.sub(" ", text[max(0, start - AROUND) : start])
    after = _GAPS.sub(" ", text[end : end + AROUND])
    return Hit(
        entry_id,
        node.type,
        node.role,
        piece.where,
        start,
        end - start,
        f"…{before}" if start > AROUND else before,
        _GAPS.sub(" ", text[start:end][: 4 * AROUND]),
        f"{after}…" if end + AROUND < len(text) else after,
        on_path,
    )
