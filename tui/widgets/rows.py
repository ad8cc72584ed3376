"""What a RowList shows: rows as plain values, and how a person looks at them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Line", "NoRows", "RowSource", "RowView", "Rows", "Span"]

Span = tuple[str, str]
"""Text (already safe, on one line) and the name of its style: component class `rowlist--<name>`."""

Line = Sequence[Span]


class Rows(Protocol):
    """What a RowList shows: an immutable sequence of rows.

    `uniform` is the height all rows share, or None when `height(index)` must be asked of each.
    A row's key is its identity: cursor and folds stay with it when the rows are made anew.
    """

    @property
    def uniform(self) -> int | None: ...

    def __len__(self) -> int: ...

    def height(self, index: int) -> int: ...

    def key(self, index: int) -> Hashable: ...

    def index_of(self, key: Hashable) -> int | None: ...

    def foldable(self, index: int) -> bool: ...

    def lines(self, index: int, width: int) -> Sequence[Line]: ...


@dataclass(frozen=True, slots=True)
class RowView:
    """How a person looks at the rows: what is folded (of rows that begin folded: what is open),
    and the filter typed."""

    folded: frozenset[Hashable] = frozenset()
    query: str = ""


class NoRows:
    """No rows at all."""

    uniform = 1

    def __len__(self) -> int:
        return 0

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        raise IndexError(index)

    def index_of(self, key: Hashable) -> int | None:
        return None

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        return ()


RowSource = Callable[[RowView], Rows]
