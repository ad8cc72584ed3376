"""What differs between two configs, as paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.config.document import dotted
from engine.config.scan import KeyPath
from engine.config.schema import Config

__all__ = ["MAX_CHANGES", "changed_paths", "may_route_otherwise"]

MAX_CHANGES = 50
"""Paths listed; the last of more says how many."""

_ROUTING = ("agents", "bindings", "channels", "routing", "session")


def may_route_otherwise(old: Config, new: Config) -> bool:
    """Whether messages could go elsewhere under the new config."""
    return any(getattr(old, name) != getattr(new, name) for name in _ROUTING)


def _keyed(value: Any) -> dict[str, Any] | None:
    """What an object holds, by the names of the file; None for what is no object."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {item.encode_name: getattr(value, item.name) for item in fields}
    return value if isinstance(value, dict) else None


def changed_paths(old: Config, new: Config) -> tuple[str, ...]:
    """Dotted paths of the values that differ, in the schema's order; no values, no secrets.

    A list that grew or shrank is told by the positions that came (in the new config) or went (in
    the old one).
    """
    found: list[KeyPath] = []
    work: list[tuple[KeyPath, Any, Any]] = [((), old, new)]
    while work:
        path, one, other = work.pop()
        if one == other:
            continue
        left, right = _keyed(one), _keyed(other)
        if left is not None and right is not None:
            keys = reversed([*left, *(key for key in right if key not in left)])
            work += [((*path, key), left.get(key), right.get(key)) for key in keys]
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
            work += reversed(_items(path, one, other))
        else:
            found.append(path)
    listed = [dotted(path) or "the whole config" for path in found[:MAX_CHANGES]]
    if len(found) > MAX_CHANGES:
        listed[-1] = f"{len(found) - MAX_CHANGES + 1:,} more"
    return tuple(listed)


def _items(
    path: KeyPath, one: Sequence[Any], other: Sequence[Any]
) -> list[tuple[KeyPath, Any, Any]]:
    """The items to compare: without those that only moved along."""
    if len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [((*path, at), left, right) for at, (left, right) in pairs]
    short = min(len(one), len(other))
    head = next((at for at in range(short) if one[at] != other[at]), short)
    rest = range(short - head)
    tail = next((at for at in rest if one[~at] != other[~at]), short - head)
    longest = one if len(one) > len(other) else other
    return [((*path, at), None, longest[at]) for at in range(head, len(longest) - tail)]
