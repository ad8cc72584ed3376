"""What writing a transcript is made of: headers, whole records, a torn end put aside."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

from engine.clock import Clock, iso
from engine.disk import Disk, copy_range, explain
from engine.errors import StoreError
from engine.sessions.lines import decode_line
from engine.sessions.migrate import VERSION
from engine.sessions.nodes import make_node
from engine.sessions.tree import Tree

__all__ = ["Lines", "Parent", "as_written", "complete", "fresh_id", "make_header", "quarantine"]

_REPLACED = "\ufffd".encode()

Lines = Sequence[Mapping[str, Any]] | Callable[[Tree], Sequence[Mapping[str, Any]]]
"""Entries to append, or what makes them of the tree as it is at that moment."""

Parent = str | None | EllipsisType
"""An entry's id, None for a root, or `...` for the place the tree chooses."""


def fresh_id() -> str:
    """8 hex digits, as the reference's entry ids."""
    return secrets.token_hex(4)


def make_header(session_id: str, clock: Clock, **fields: Any) -> dict[str, Any]:
    """The first line of a new transcript; fields that are None are left out."""
    head = {"type": "session", "version": VERSION, "id": session_id, "timestamp": iso(clock.now())}
    return {**head, "cwd": "", **{k: v for k, v in fields.items() if v is not None}}


def complete(
    tree: Tree,
    lines: Sequence[Mapping[str, Any]],
    parent: Parent,
    new_id: Callable[[], str],
    stamp: str,
) -> list[dict[str, Any]]:
    """Records with id, parent and time, each the parent of the next.

    Args:
        tree: what they are added to.
        lines: `type` and what belongs to it; `id` and `timestamp` are made when missing. One
            that has a `parentId` goes there.
        parent: of the first one, where it has none.
        new_id: makes ids; asked again for one that is taken.
        stamp: the time now.

    Raises:
        StoreError: an id is taken or unusable, or the parent is not in the session.
    """
    records: list[dict[str, Any]] = []
    taken: set[str] = set()
    for fields in lines:
        above = fields.get("parentId", parent)
        if isinstance(above, EllipsisType):
            above = tree.parent_for(fields)
        if above is not None and above not in tree.nodes and above not in taken:
            raise StoreError(f"the parent {above} is not in this session")
        name = _name(tree, fields, taken, new_id)
        taken.add(name)
        record = {
            **fields,
            "type": fields["type"],
            "id": name,
            "parentId": above,
            "timestamp": fields.get("timestamp") or stamp,
        }
        if make_node(record) is None:
            raise StoreError("the entry has no usable id and type")
        records.append(record)
        parent = name
    return records


def _name(tree: Tree, fields: Mapping[str, Any], taken: set[str], new_id: Callable[[], str]) -> str:
    given = fields.get("id")
    if given is not None:
        if given in tree.nodes or given in taken:
            raise StoreError(f"the session has an entry {given} already")
        if not isinstance(given, str) or not given:
            raise StoreError("an entry's id must be text")
        return given
    while (name := new_id()) in tree.nodes or name in taken:
        pass
    return name


def as_written(
    records: Sequence[dict[str, Any]], encoded: Sequence[bytes]
) -> list[Mapping[str, Any]]:
    """The records as their lines read: a lone surrogate has become U+FFFD in the file."""
    return [
        (decode_line(line) or record) if _REPLACED in line else record
        for record, line in zip(records, encoded, strict=True)
    ]


def quarantine(disk: Disk, fd: int, path: Path, start: int, end: int, stamp: str) -> Path:
    """Cut a file's end off into `<file>.torn.<time>`; the copy is durable before the cut.

    Args:
        fd: the file, open for writing.
        path: its path.
        start: where it is cut, in bytes.
        end: its length.
        stamp: the time now, ISO.

    Returns:
        Where the bytes are now.

    Raises:
        StoreError: the copy or the cut failed; the file is as it was, or cut.
    """
    aside = path.with_name(f"{path.name}.torn.{stamp.replace(':', '-')}")
    count = 0
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.torn.{stamp.replace(':', '-')}.{count}")
    try:
        copy_range(disk, fd, start, end, aside)
        disk.truncate(fd, start)
        disk.fsync(fd)
    except OSError as error:
        raise explain(error, "could not cut off the torn end of the session") from error
    return aside
