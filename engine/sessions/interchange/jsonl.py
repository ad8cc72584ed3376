"""A session as a v3 transcript: the lines as they stand in the file, wherever they can."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.disk import Disk, explain, open_regular, read_range
from engine.sessions.entries import LEAF
from engine.sessions.graft import plan_fork
from engine.sessions.lines import CHUNK, decode_line, encode_line
from engine.sessions.writing import fresh_id

if TYPE_CHECKING:
    from engine.sessions.nodes import Node
    from engine.sessions.transcript import Transcript

__all__ = ["jsonl_lines"]


def jsonl_lines(transcript: Transcript, leaf: str | None, *, branches: bool) -> Iterator[bytes]:
    """The lines of a valid v3 transcript, header first.

    The whole tree ends with a move of the leaf when `leaf` is not where the session goes on. A
    path takes along what belongs to it: the results of its calls, labels, the name, the model.
    Lines that cannot be read are left out.

    Raises:
        StoreError: the file cannot be read.
    """
    disk = Disk()
    try:
        fd = open_regular(disk, transcript.path, os.O_RDONLY)
    except OSError as error:
        raise explain(error, "could not open the session") from error
    try:
        source = _Source(transcript, disk, fd)
        yield source.header()
        yield from _whole(source, leaf) if branches else _path(source, leaf)
    except OSError as error:
        raise explain(error, "could not read the session") from error
    finally:
        disk.close(fd)


class _Source:
    """The lines of one file."""

    def __init__(self, transcript: Transcript, disk: Disk, fd: int):
        self.transcript = transcript
        self.tree = transcript.tree
        self._disk = disk
        self._fd = fd
        self._raw = not transcript.foreign

    def header(self) -> bytes:
        header = self.transcript.header or {
            "type": "session",
            "version": 3,
            "id": self.transcript.id,
            "timestamp": "",
            "cwd": "",
        }
        line, end, _ = read_range(self._disk, self._fd, 0, CHUNK).partition(b"\n")
        same = self._raw and end and decode_line(line) == header and not line.endswith(b"\r")
        return line + end if same else encode_line(header)

    def line(self, node: Node) -> bytes:
        """An entry's line as it stands in the file."""
        if self._raw:
            line = read_range(self._disk, self._fd, node.offset, node.length)
            if len(line) == node.length and not line.endswith(b"\r"):
                return line + b"\n"
        return encode_line(self.tree.entry(node.id).data)


def _whole(source: _Source, leaf: str | None) -> Iterator[bytes]:
    tree = source.tree
    for node in list(tree.nodes.values()):
        yield source.line(node)
    if leaf is not None and leaf != tree.leaf:
        yield encode_line(_moved(source, leaf))


def _moved(source: _Source, leaf: str) -> Mapping[str, Any]:
    while (name := fresh_id()) in source.tree.nodes:
        pass
    stamp = source.tree.entry(leaf).timestamp
    body = {"type": "custom", "customType": LEAF, "data": {"targetId": leaf}}
    return {**body, "id": name, "parentId": leaf, "timestamp": stamp}


def _path(source: _Source, leaf: str | None) -> Iterator[bytes]:
    tree = source.tree
    fork = plan_fork(tree, tree.leaf if leaf is None else leaf, fresh_id)
    for data in fork.lines:
        node = tree.nodes.get(str(data["id"]))
        same = node is not None and tree.entry(node.id).data == data
        yield source.line(node) if node is not None and same else encode_line(data)
