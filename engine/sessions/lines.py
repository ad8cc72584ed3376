"""Lines of a transcript: bytes to objects and back, and a file in batches of lines.

Reading is forgiving where the reference is (a BOM, CRLF, bytes that are no UTF-8) and where
Python's and JavaScript's JSON differ (lone surrogates); what cannot be read is None, never an
exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.disk import Disk
from engine.errors import StoreError
from engine.sessions.nodes import Node, make_node

__all__ = [
    "CHUNK",
    "MAX_DEPTH",
    "MAX_LINE",
    "Batch",
    "batches",
    "decode_line",
    "encode_line",
    "node_of",
    "too_deep",
]

MAX_LINE = 64 * 1024 * 1024
"""Longest line that is read, in bytes (SPEC §15)."""

CHUNK = 1024 * 1024
"""Bytes read at a time."""

MAX_DEPTH = 256
"""Deepest nesting that is read or written (SPEC §15)."""

_BOM = b"\xef\xbb\xbf"
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_LONE = re.compile("[\ud800-\udfff]")
_FAILED = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Role(msgspec.Struct, gc=False):
    role: Literal["user", "assistant", "toolResult", "custom", "bashExecution"] | None = None


class _Head(msgspec.Struct, gc=False):
    """What the index needs of a well-formed line; the body is skipped, not built."""

    id: str
    type: Literal[
        "message",
        "compaction",
        "branch_summary",
        "model_change",
        "thinking_level_change",
        "custom",
        "custom_message",
        "label",
        "session_info",
    ]
    parent: str | None = msgspec.field(name="parentId", default=None)
    custom: str | None = msgspec.field(name="customType", default=None)
    message: _Role | None = None


_head = msgspec.json.Decoder(_Head).decode
_any = msgspec.json.Decoder().decode


def node_of(line: bytes, offset: int) -> Node | None:
    """The place of one line in the tree, or None for what is no entry."""
    if too_deep(line):
        return None
    try:
        head = _head(line)
        if head.id:
            message = head.message
            return Node(
                head.id,
                head.parent,
                head.type,
                message.role if message is not None and head.type == "message" else None,
                head.custom,
                offset,
                len(line),
            )
    except _FAILED:
        pass
    data = decode_line(line, first=offset == 0)
    return make_node(data, offset, len(line)) if data is not None else None


def too_deep(line: bytes) -> bool:
    """Whether a line is nested deeper than MAX_DEPTH; cheap where it cannot be."""
    if len(line) < 2 * MAX_DEPTH or line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKET.finditer(line):
        mark = line[found.start()]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in b"]}":
            depth -= 1
    return False


def decode_line(line: bytes, *, first: bool = False) -> dict[str, Any] | None:
    """The object that a line holds, or None when it holds none.

    Args:
        line: without its newline.
        first: whether it starts the file, where a BOM is let pass.
    """
    if too_deep(line):
        return None
    try:
        found = _any(line)
    except _FAILED:
        found = _decode_odd(line.removeprefix(_BOM) if first else line)
    return found if isinstance(found, dict) else None


def _decode_odd(line: bytes) -> object:
    """Once more, with broken UTF-8 and lone surrogates replaced by U+FFFD."""
    text = line.decode("utf-8", "replace")
    text = _ESCAPE.sub(lambda found: r"\ufffd" if found["lone"] else found[0], text)
    try:
        return _any(text.encode())
    except _FAILED:
        return None


def encode_line(data: Mapping[str, Any]) -> bytes:
    """One line with its newline; lone surrogates become U+FFFD.

    Raises:
        StoreError: longer than MAX_LINE, or nested too deeply.
    """
    try:
        line = msgspec.json.encode(data)
    except UnicodeEncodeError:
        line = _LONE.sub("\ufffd", json.dumps(data, ensure_ascii=False)).encode()
    except RecursionError:
        raise _deep() from None
    if too_deep(line):
        raise _deep()
    if len(line) >= MAX_LINE:
        raise StoreError(f"the entry is larger than {MAX_LINE:,} bytes", remedy="Shorten it")
    return line + b"\n"


def _deep() -> StoreError:
    return StoreError(f"the entry is nested more than {MAX_DEPTH} deep")


class Batch(Struct, frozen=True):
    """Lines that follow each other in a file.

    Attributes:
        offset: byte offset of the first line.
        lines: without their newlines; empty for an oversized line.
        length: bytes in all, newlines included.
        complete: False for what stands after the last newline.
    """

    offset: int
    lines: list[bytes]
    length: int
    complete: bool = True


def batches(disk: Disk, fd: int, start: int, end: int) -> Iterator[Batch]:
    """A file's bytes from `start` to `end` as batches of lines.

    Raises:
        OSError: the file cannot be read.
    """
    parts: list[bytes] = []
    held, offset, at = 0, start, start
    while at < end:
        chunk = disk.read(fd, min(CHUNK, end - at), at)
        if not chunk:
            break
        at += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            held += len(chunk)
            if held <= MAX_LINE:
                parts.append(chunk)
            else:
                parts.clear()
            continue
        if held > MAX_LINE:
            # The oversized line ends in this chunk, at its first newline.
            head = chunk.index(b"\n") + 1
            yield Batch(offset, [], held + head)
            offset, chunk, cut, held = offset + held + head, chunk[head:], cut - head, 0
        whole = b"".join((*parts, chunk[:cut])) if parts else chunk[:cut]
        if whole:
            yield Batch(offset, whole[:-1].split(b"\n"), len(whole))
        offset += len(whole)
        parts, held = [chunk[cut:]], len(chunk) - cut
    if held:
        lines = [b"".join(parts)] if held <= MAX_LINE else []
        yield Batch(offset, lines, held, complete=False)
