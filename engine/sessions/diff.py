"""Two branches side by side: what they share, where they part, which words differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec import Struct

from engine.sessions.entries import Entry, is_bookkeeping
from engine.sessions.tree import Tree

__all__ = ["BranchDiff", "DiffRow", "Span", "diff_branches", "mark_words"]

MOST_WORDS = 1500
"""Words of a text that are compared one by one; longer texts are compared line by line."""

MOST_ROWS = 2000
"""Entries of a tail that are matched with the other's; longer ones stand in their order."""

_PIECES = re.compile(r"\s+|\w+|[^\w\s]")

Span = tuple[int, int]
"""From a character to before another: words that the other side does not have."""


class DiffRow(Struct, frozen=True):
    """One line of the comparison; a side is None where the other has no counterpart. Texts are
    untrusted."""

    left: Entry | None
    right: Entry | None
    left_marks: tuple[Span, ...] = ()
    right_marks: tuple[Span, ...] = ()

    @property
    def same(self) -> bool:
        left, right = self.left, self.right
        return left is not None and right is not None and not (self.left_marks or self.right_marks)


class BranchDiff(Struct, frozen=True):
    """Two branches compared.

    Attributes:
        ancestor: the last entry that both have; None when they share nothing.
        shared: entries on both paths that a person reads.
        left: ids of the first branch after the ancestor, oldest first.
        right: of the second.
        rows: both tails beside each other.
    """

    ancestor: str | None
    shared: int
    left: tuple[str, ...]
    right: tuple[str, ...]
    rows: tuple[DiffRow, ...]


def diff_branches(tree: Tree, left: str, right: str) -> BranchDiff:
    """Compare the branches that end at two entries.

    Raises:
        EntryNotFound: one of them is not there.
    """
    tree.node(left)
    tree.node(right)
    one, other = tree.path(left), tree.path(right)
    shared = 0
    while shared < min(len(one), len(other)) and one[shared].id == other[shared].id:
        shared += 1
    tails = [
        [tree.entry(n.id) for n in path[shared:] if not is_bookkeeping(n.type, n.custom_type)]
        for path in (one, other)
    ]
    said = sum(not is_bookkeeping(node.type, node.custom_type) for node in one[:shared])
    return BranchDiff(
        one[shared - 1].id if shared else None,
        said,
        tuple(entry.id for entry in tails[0]),
        tuple(entry.id for entry in tails[1]),
        tuple(_rows(tails[0], tails[1])),
    )


def _rows(left: Sequence[Entry], right: Sequence[Entry]) -> Iterator[DiffRow]:
    if max(len(left), len(right)) > MOST_ROWS:
        yield from _aligned(left, right)
        return
    keys = [[(entry.type, entry.role, entry.text) for entry in side] for side in (left, right)]
    matcher = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield from map(DiffRow, left[a:b], right[c:d])
        else:
            yield from _aligned(left[a:b], right[c:d])


def _aligned(left: Sequence[Entry], right: Sequence[Entry]) -> Iterator[DiffRow]:
    """Entries that differ, those of one role beside each other as far as their order goes."""
    a = b = 0
    while a < len(left) or b < len(right):
        one = left[a] if a < len(left) else None
        other = right[b] if b < len(right) else None
        if one is not None and other is not None and one.role != other.role:
            ahead = next((i for i in range(b, len(right)) if right[i].role == one.role), None)
            one, other = (None, other) if ahead is not None else (one, None)
        if one is not None and other is not None:
            yield DiffRow(one, other, *mark_words(one.text, other.text))
        else:
            yield DiffRow(one, other)
        a += one is not None
        b += other is not None


def mark_words(left: str, right: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """The stretches of each text that the other does not have, by words; of long texts by
    lines."""
    if left == right:
        return (), ()
    one, other = _PIECES.findall(left), _PIECES.findall(right)
    if max(len(one), len(other)) > MOST_WORDS:
        one, other = left.splitlines(keepends=True), right.splitlines(keepends=True)
        if max(len(one), len(other)) > MOST_WORDS:
            return ((0, len(left)),), ((0, len(right)),)
    starts = [_starts(one), _starts(other)]
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    marks: tuple[list[Span], list[Span]] = ([], [])
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        if b > a:
            marks[0].append((starts[0][a], starts[0][b]))
        if d > c:
            marks[1].append((starts[1][c], starts[1][d]))
    return tuple(marks[0]), tuple(marks[1])


def _starts(pieces: Sequence[str]) -> list[int]:
    found = [0]
    for piece in pieces:
        found.append(found[-1] + len(piece))
    return found
