"""Why each entry of a path is in the window or not, told without reading what lies behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from msgspec import Struct

from engine.sessions.tree import Node, Tree

__all__ = ["Decision", "Decisions", "no_message_reason"]


class Decision(Struct, frozen=True):
    """Why an entry is in the window or not. `tokens` is what it costs there: 0 when out."""

    entry_id: str
    type: str
    included: bool
    tokens: int
    reason: str


_SILENT = {
    "label": "a label: a note for people, never sent",
    "session_info": "the session's name: never sent",
    "model_change": "a change of model: a setting, never sent",
    "thinking_level_change": "a change of thinking level: a setting, never sent",
    "custom": "a program's own note: never sent",
    "context_edit": "a correction of an earlier entry, applied there",
    "compaction": "an earlier compaction: the latest one counts",
}


def no_message_reason(type_: str) -> str | None:
    """Why entries of a type are no message, or None when they may be one."""
    if type_ in ("message", "custom_message", "branch_summary"):
        return None
    return _SILENT.get(type_, "an entry of a kind unknown here: kept in the file, not sent")


def _out(node: Node, reason: str) -> Decision:
    return Decision(node.id, node.type, False, 0, no_message_reason(node.type) or reason)


class Decisions(Sequence[Decision]):
    """The decisions of a path, root first.

    Those for what lies behind the compaction or a history limit are made when somebody looks at
    them (`len`, iteration, a positive index); negative indices and `recent` never touch them.

    Args:
        recent: decisions for the entries from the cut to the leaf.
        tree: where the rest is walked.
        behind: the entry just before the first of `recent`; None when there is none.
        known: decisions behind that are made already: for summaries, which stay in.
        zones: why messages behind are out, newest zone first: (id of its oldest entry, reason);
            the last zone goes to the root.
    """

    __slots__ = ("_all", "_behind", "_known", "_tree", "_zones", "recent")

    def __init__(
        self,
        recent: Iterable[Decision],
        tree: Tree,
        behind: str | None,
        known: Iterable[Decision],
        zones: Sequence[tuple[str | None, str]],
    ):
        self.recent = tuple(recent)
        self._tree, self._behind, self._zones = tree, behind, tuple(zones)
        self._known = {decision.entry_id: decision for decision in known}
        self._all: tuple[Decision, ...] | None = None

    def _full(self) -> tuple[Decision, ...]:
        if self._all is None:
            self._all = (*reversed(list(self._walk())), *self.recent)
        return self._all

    def _walk(self) -> Iterator[Decision]:
        zones = iter(self._zones)
        last, reason = next(zones)
        for node in self._tree.up(self._behind):
            yield self._known.get(node.id) or _out(node, reason)
            if node.id == last:
                last, reason = next(zones, (None, reason))

    def behind(self) -> Iterator[Decision]:
        """Those before `recent`, the newest first, each made when it is asked for."""
        return self._walk()

    def __len__(self) -> int:
        return len(self._full())

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Decision]: ...
    def __getitem__(self, index: int | slice) -> Decision | Sequence[Decision]:
        if isinstance(index, int) and -len(self.recent) <= index < 0:
            return self.recent[index]
        return self._full()[index]

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._full())

    def __reversed__(self) -> Iterator[Decision]:
        yield from reversed(self.recent)
        full = self._full()
        yield from reversed(full[: len(full) - len(self.recent)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return self._full() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._full())

    def __repr__(self) -> str:
        return f"Decisions({len(self.recent)} recent{', and more behind' if self._behind else ''})"
