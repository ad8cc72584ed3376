"""Tombstones: a line for every session that was deleted, saying when, why and by which rule.

They lie in `agents/<agent>/tombstones.jsonl`, beside the sessions, and hold nothing that was said.
The line is written first, so that there is no deletion without one; a crash in between leaves a
tombstone of a session that is still there, which the next attempt writes again.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.disk import Disk, append_all, explain, open_regular, read_file, read_range, sync_dir

__all__ = ["Tombstone", "bury", "read_tombs"]

_LIMIT = 64 * 1024 * 1024


class Tombstone(msgspec.Struct, frozen=True, rename="camel"):
    """A deletion.

    Attributes:
        action: trash, or erase (from the trash).
        at: ms since 1970.
        rule: the place in the config that decided; "by hand" for a person's own wish.
        file: name of the transcript before.
    """

    action: str
    at: int
    rule: str
    reason: str
    key: str
    session_id: str
    file: str
    messages: int
    created: int
    last_active: int


def bury(disk: Disk, path: Path, tomb: Tombstone) -> None:
    """Add a tombstone. The caller holds the lock of the agent's index.

    Raises:
        StoreError: it cannot be written; nothing was.
    """
    new = not path.exists()
    try:
        fd = open_regular(disk, path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            size = disk.stat(fd).st_size
            torn = size > 0 and read_range(disk, fd, size - 1, 1) != b"\n"
            line = (b"\n" if torn else b"") + msgspec.json.encode(tomb) + b"\n"
            append_all(disk, fd, line, size=size)
        finally:
            disk.close(fd)
        if new:
            sync_dir(disk, path.parent)
    except OSError as error:
        raise explain(error, "could not note the deletion") from error


def read_tombs(disk: Disk, path: Path) -> list[Tombstone]:
    """All tombstones, oldest first; lines that cannot be read are passed over.

    Raises:
        StoreError: the file is there and cannot be read.
    """
    try:
        data = read_file(disk, path, limit=_LIMIT)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, "could not read the tombstones") from error
    found = []
    for line in data.splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Tombstone))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    return found
