"""Places in a session's tree that people go back to: named ones, and the latest tips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from engine.errors import SessionError
from engine.sessions.entries import is_bookkeeping
from engine.sessions.journal import Marks, marks_of
from engine.sessions.navigate import tip_of
from engine.sessions.rows import read_row
from engine.sessions.tree import Tree
from engine.text import safe_line

__all__ = ["MOST_TIPS", "Landmark", "landmarks"]

MOST_TIPS = 30
"""Tips without a name that are listed: the newest in the file."""

Sort = Literal["branch", "label", "bookmark", "compaction", "tip"]


@dataclass(frozen=True, slots=True)
class Landmark:
    """A place. `name` and `words` are safe; `name` is "" where it has none of its own."""

    sort: Sort
    entry_id: str
    name: str
    words: str


def landmarks(tree: Tree, agent: str) -> tuple[Landmark, ...]:
    """The places of a tree, named ones first. In proportion to its size: for a thread.

    Args:
        agent: whom replies are by, safe.
    """
    return tuple(_named(tree, agent)) + tuple(_tips(tree, agent))


def _named(tree: Tree, agent: str) -> Iterator[Landmark]:
    try:
        marks = marks_of(tree)
    except SessionError:
        marks = Marks()
    for name, target in marks.branches.items():
        if target in tree.nodes:
            yield _landmark(tree, "branch", tip_of(tree, target), agent, name)
    for target, text in tree.labels.items():
        if target in tree.nodes:
            yield _landmark(tree, "label", target, agent, text)
    for target in marks.bookmarks:
        if target in tree.nodes:
            yield _landmark(tree, "bookmark", target, agent)


def _tips(tree: Tree, agent: str) -> Iterator[Landmark]:
    """The newest ends of branches, and the newest compactions, which is where people go back to."""
    nodes = [
        node
        for node in list(tree.nodes.values())  # at once: another thread may add to it
        if not is_bookkeeping(node.type, node.custom_type)
    ]
    parents = {node.parent_id for node in nodes}
    tips = (node.id for node in reversed(nodes) if node.id not in parents)
    folds = (node.id for node in reversed(nodes) if node.type == "compaction")
    for name in islice(tips, MOST_TIPS):
        yield _landmark(tree, "tip", name, agent)
    for name in islice(folds, MOST_TIPS):
        yield _landmark(tree, "compaction", name, agent)


def _landmark(tree: Tree, sort: Sort, target: str, agent: str, name: str = "") -> Landmark:
    row = read_row(tree, target, agent=agent)
    words = " ".join(part for part in (safe_line(row.speaker), row.text) if part)
    return Landmark(sort, target, safe_line(name, limit=80), safe_line(words, limit=120))
