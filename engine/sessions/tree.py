"""A session's tree: nodes by id, parents, children, the leaf; bodies are read when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from engine.errors import EntryNotFound, Problem
from engine.sessions.entries import Entry

__all__ = ["Node", "Tree"]


class Node(msgspec.Struct, gc=False):
    """What the index keeps of an entry. `offset` and `length` (bytes) locate its line."""

    id: str
    parent_id: str | None
    type: str
    role: str | None = None
    custom_type: str | None = None
    offset: int = 0
    length: int = 0


class Tree:
    """Nodes in file order with their links. Survives missing parents (extra roots) and cycles
    (cut and reported); no method recurses."""

    nodes: dict[str, Node]
    leaf: str | None
    problems: list[Problem]

    @classmethod
    def from_entries(cls, entries: Iterable[Mapping[str, Any]]) -> Tree:
        """A tree held in memory, of decoded lines without the header."""
        raise NotImplementedError

    def entry(self, entry_id: str) -> Entry:
        """The whole entry, read from its file if need be.

        Raises:
            EntryNotFound: there is no such node.
        """
        raise EntryNotFound(entry_id)

    def up(self, leaf: str | None) -> Iterator[Node]:
        """From `leaf` to its root, `leaf` first; stops at a missing parent; safe on cycles."""
        raise NotImplementedError

    def path(self, leaf: str | None) -> list[Node]:
        """From the root to `leaf`."""
        return list(self.up(leaf))[::-1]

    def children(self, entry_id: str | None) -> tuple[str, ...]:
        """Ids of the children in file order; of the roots for None."""
        raise NotImplementedError

    def nearest(self, entry_id: str | None, kind: str) -> str | None:
        """The nearest node at or above `entry_id` of a kind, in constant time: `compaction`,
        `model` (a model_change or an assistant message), `thinking` (a thinking_level_change)."""
        raise NotImplementedError


Reader = Callable[[Node], Mapping[str, Any]]
