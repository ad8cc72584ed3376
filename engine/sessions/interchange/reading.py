"""From the bytes of a file to the conversations in it, whatever program wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import iso, parse_iso
from engine.errors import BranchlineError, StoreError
from engine.sessions.interchange.chatgpt import is_chatgpt, read_chatgpt
from engine.sessions.interchange.claude_ai import is_claude_ai, read_claude_ai
from engine.sessions.interchange.claude_code import is_claude_code, read_claude_code
from engine.sessions.interchange.foreign import Conversation, Line, Settled, finish, settle
from engine.sessions.interchange.sources import Source
from engine.sessions.lines import decode_line
from engine.sessions.migrate import VERSION, from_flat, is_flat, stable_ids, upgrade, version_of
from engine.sessions.tree import Tree
from engine.values import replace

__all__ = ["Refused", "read_source"]

_FIRST = 200
"""Lines looked at to find out what wrote a file."""

_BOM = b"\xef\xbb\xbf"


class Refused(Struct, frozen=True):
    """What could not be taken in, and why."""

    name: str
    reason: str


def read_source(source: Source) -> Iterator[Settled | Refused]:
    """The conversations of a file; one that is no use does not spoil the others."""
    try:
        data = source.read().removeprefix(_BOM)
    except BranchlineError as error:
        yield Refused(source.name, error.message)
        return
    if source.name.endswith(".json") or data.lstrip()[:1] == b"[":
        yield from _document(source, data)
    else:
        yield from _lines(source, data)


def _document(source: Source, data: bytes) -> Iterator[Settled | Refused]:
    """An export: a list of conversations, one alone, or an object that holds a list of them."""
    conversations = _elements(data)
    if conversations is None:
        yield from _lines(source, data)
        return
    for number, raw in enumerate(conversations, 1):
        name = f"{source.name}, conversation {number}"
        read = _reader_of(decode_line(bytes(raw)) if isinstance(raw, msgspec.Raw) else raw)
        if read is None:
            yield Refused(name, "it is no conversation of a known form")
            continue
        yield _guarded(name, read)


def _elements(data: bytes) -> list[Any] | None:
    """The conversations of an export, not decoded yet where that is possible; None for what is
    no JSON."""
    try:
        raw = msgspec.json.decode(data, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        if isinstance(raw, list):
            return raw
        listed = raw.get("conversations")
        if listed is not None:
            return msgspec.json.decode(listed, type=list[msgspec.Raw])
        return [msgspec.Raw(data)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # Half a character somewhere in it, perhaps, which JavaScript writes and reads.
        whole = decode_line(b'{"all":' + data + b"}")
    found = whole.get("all") if whole is not None else None
    if isinstance(found, dict):
        found = found.get("conversations", [found])
    return found if isinstance(found, list) else None


def _reader_of(data: object) -> Callable[[], Settled] | None:
    if not isinstance(data, dict):
        return None
    if is_chatgpt(data):
        return lambda: settle(read_chatgpt(data))
    if is_claude_ai(data):
        return lambda: settle(read_claude_ai(data))
    return None


def _lines(source: Source, data: bytes) -> Iterator[Settled | Refused]:
    lines: list[Line] = []
    unreadable = 0
    for raw in data.split(b"\n"):
        if not raw.strip():
            continue
        line = decode_line(raw)
        if line is None:
            unreadable += 1
        else:
            lines.append(line)
    if not lines:
        yield Refused(source.name, "no line of it can be read" if unreadable else "it is empty")
        return
    odd = [f"{unreadable:,} unreadable lines were passed over"] if unreadable else []
    first = lines[0]
    if (first.get("type") == "session" and isinstance(first.get("id"), str)) or is_flat(first):
        yield _guarded(source.name, lambda: _native(source, lines, odd))
    elif any(map(is_claude_code, lines[:_FIRST])):
        yield _guarded(source.name, lambda: _claude_code(source, lines, odd))
    else:
        yield from _guarded_rest(source, lines)


def _guarded_rest(source: Source, lines: list[Line]) -> Iterator[Settled | Refused]:
    """A file whose lines are conversations of an export each, or none of a known form."""
    found = [(number, _reader_of(line)) for number, line in enumerate(lines, 1)]
    known = [(number, read) for number, read in found if read is not None]
    for number, read in known:
        yield _guarded(f"{source.name}, line {number}", read)
    if not known:
        yield Refused(source.name, "it is of no known form")


def _guarded(name: str, read: Callable[[], Settled]) -> Settled | Refused:
    """A conversation, or why it cannot be one of ours (a message that is too large or deep)."""
    try:
        return read()
    except StoreError as error:
        return Refused(name, error.message)


def _claude_code(source: Source, lines: list[Line], odd: list[str]) -> Settled:
    made = read_claude_code(lines, source.stem)
    made.odd += odd
    return settle(made)


def _native(source: Source, lines: list[Line], odd: list[str]) -> Settled:
    """A transcript of pi, OpenClaw or ours, brought to v3; its entries stay as they are."""
    header = lines[0]
    flat = header.get("type") != "session"
    if flat:
        header, *entries = from_flat(lines, source.stem, source.modified)
    elif version_of(header) < VERSION:
        header, *entries = upgrade(lines, stable_ids(str(header["id"])))
    else:
        entries = lines[1:]
    odd = list(odd)
    if version_of(header) > VERSION:
        odd.append(f"it is of version {version_of(header)}, newer than what is known here")
    usable = [line for line in entries if _is_entry(line)]
    if len(usable) < len(entries):
        odd.append(f"{len(entries) - len(usable):,} lines without an id and type were passed over")
    tree = Tree.from_entries(usable)
    odd += [problem.message for problem in tree.problems]
    stamp = header.get("timestamp")
    created = (parse_iso(stamp) if isinstance(stamp, str) else None) or source.modified
    name = source.label or (f"{source.key} (imported)" if source.key else "")
    made = Conversation(
        "flat" if flat else "pi",
        str(header["id"]),
        "" if tree.name else name,
        created=created,
        cwd=header["cwd"] if isinstance(header.get("cwd"), str) else "",
        about={"header": header, **({"sessionKey": source.key} if source.key else {})},
        odd=odd,
    )
    settled = finish(made, [_dated(line, created) for line in usable], tree.leaf)
    return replace(settled, title=tree.name or name)


def _is_entry(line: Line) -> bool:
    name, kind = line.get("id"), line.get("type")
    return isinstance(name, str) and bool(name) and isinstance(kind, str) and kind != "session"


def _dated(line: Line, created: int) -> Line:
    """A line with the fields that `finish` counts on."""
    missing: Line = {}
    if not isinstance(line.get("timestamp"), str):
        missing["timestamp"] = iso(created)
    if "parentId" not in line:
        missing["parentId"] = None
    return {**line, **missing} if missing else line
