"""Older and foreign transcripts, brought to v3 in memory; the file they come from is not touched.

v1 had no ids (a chain in file order), v2 called injected messages `hookMessage` (reference: pi's
session manager). The flat forms have no header: `{"role", "content", "timestamp"}` is a chain,
`{"id", "parentId", "role", "content"[, "type": "compaction"]}` a tree (SPEC §5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from engine.clock import iso, parse_iso
from engine.sessions.entries import content_text

__all__ = ["VERSION", "from_flat", "is_flat", "upgrade", "version_of"]

VERSION = 3
"""The transcript version that is written."""

Line = dict[str, Any]


def version_of(header: Mapping[str, Any]) -> int:
    """The version a header states; one that states none is v1, as in the reference."""
    version = header.get("version")
    if isinstance(version, str) and version.isdecimal():
        return int(version[:9])
    if isinstance(version, int | float) and not isinstance(version, bool) and version == version:
        return int(max(min(version, 1e9), -1))
    return 1


def stable_ids(seed: str) -> Callable[[int], str]:
    """Ids for lines that have none: 8 hex digits by position, the same at every reading."""

    def make(index: int) -> str:
        return blake2b(f"{seed}\n{index}".encode("utf-8", "replace"), digest_size=4).hexdigest()

    return make


def upgrade(lines: Sequence[Line], ids: Callable[[int], str]) -> list[Line]:
    """A v1 or v2 file's lines, header included, as v3.

    Args:
        lines: all readable lines in file order; the first is the header. Not changed.
        ids: the id for the line at a position, for v1.
    """
    version = version_of(lines[0])
    found = [dict(line) for line in lines]
    if version < 2:
        _chain(found, ids)
    for line in found:
        message = line.get("message")
        if line.get("type") == "session":
            line["version"] = VERSION
        elif line.get("type") != "message" or not isinstance(message, dict):
            continue
        elif message.get("role") == "hookMessage":
            line["message"] = {**message, "role": "custom"}
    return found


def _chain(lines: list[Line], ids: Callable[[int], str]) -> None:
    """Give every entry an id and the entry before it as its parent."""
    names = _unique([ids(index) for index in range(len(lines))])
    previous = None
    for index, line in enumerate(lines):
        if line.get("type") == "session":
            continue
        line["id"], line["parentId"] = names[index], previous
        previous = names[index]
        if line.get("type") == "compaction" and "firstKeptEntryIndex" in line:
            kept = line.pop("firstKeptEntryIndex")
            # The index counts all lines, the header too; it points backwards, or at the
            # compaction itself, which keeps nothing.
            if type(kept) is int and 0 < kept <= index:
                line["firstKeptEntryId"] = names[kept]


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        count = seen.get(name, 0)
        seen[name] = count + 1
        if count:
            names[index] = f"{name}{count}"
    return names


def is_flat(line: Mapping[str, Any]) -> bool:
    """Whether a file's first line is one of the flat forms."""
    if line.get("type") == "compaction":
        return "parentId" in line and ("content" in line or "role" in line)
    return isinstance(line.get("role"), str) and "content" in line and "message" not in line


def from_flat(lines: Sequence[Line], name: str, modified: int) -> list[Line]:
    """The lines of a flat file as v3, with a header.

    Args:
        lines: all readable lines in file order.
        name: the session's id, made from the file's name.
        modified: the file's change time in ms, for lines that state none.
    """
    ids = stable_ids(name)
    names = [
        found if isinstance(found := line.get("id"), str) and found else ids(index)
        for index, line in enumerate(lines)
    ]
    entries: list[Line] = []
    for index, line in enumerate(lines):
        previous = names[index - 1] if index else None
        parent = line.get("parentId", previous)
        entries.append(_flat_entry(line, names[index], parent, modified))
    begun = entries[0]["timestamp"] if entries else iso(modified)
    header = {"type": "session", "version": VERSION, "id": name, "timestamp": begun, "cwd": ""}
    return [header, *entries]


def _flat_entry(line: Line, name: str, parent: object, modified: int) -> Line:
    moment = _moment(line.get("timestamp"))
    moment = modified if moment is None else moment
    entry: Line = {"type": "message", "id": name, "parentId": parent, "timestamp": iso(moment)}
    rest = {key: value for key, value in line.items() if key not in ("id", "parentId", "type")}
    if line.get("type") == "compaction":
        summary = line.get("summary", content_text(line.get("content")))
        rest = {key: value for key, value in rest.items() if key not in ("role", "content")}
        entry = {**rest, **entry, "type": "compaction", "summary": summary}
        entry.setdefault("tokensBefore", 0)
        return entry
    content = rest.get("content")
    if rest.get("role") == "assistant" and isinstance(content, str):
        rest["content"] = [{"type": "text", "text": content}]
    entry["message"] = {**rest, "timestamp": moment}
    return entry


def _moment(value: object) -> int | None:
    """A time in ms: ISO text, ms, or (when it is too small for that) seconds."""
    if isinstance(value, str):
        return parse_iso(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 253e12:
        return round(value if value > 1e11 else value * 1000)
    return None
