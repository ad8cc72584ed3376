"""What file names, index entries and headers tell of each other: which file is whose."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from typing import Any

from engine.sessions.index import IndexEntry
from engine.sessions.keys import canonical_key
from engine.sessions.records import ENDED, SessionRecord, read_name
from engine.sessions.summary import Summary

__all__ = [
    "candidates",
    "claims_of",
    "is_left_lock",
    "lineage_of",
    "mapping",
    "number",
    "put_aside",
    "state_of",
    "stem_of",
    "text",
    "told_key",
]


def candidates(entry: IndexEntry) -> list[str]:
    """Names that an index entry's file may have, without any path."""
    stated, session_id = entry.get("sessionFile"), entry.get("sessionId")
    names = [stated.replace("\\", "/").rpartition("/")[2]] if isinstance(stated, str) else []
    if isinstance(session_id, str):
        names.append(f"{session_id}.jsonl")
    return [name for name in names if "/" not in name and "\0" not in name and read_name(name)]


def put_aside(entry: IndexEntry, names: Iterable[str]) -> bool:
    """Whether an index entry's file was put aside and the index not told any more: the program
    was killed in between."""
    stems = {stem_of(name) for name in candidates(entry)}
    return any(
        parts is not None and parts.kind in ENDED and parts.stem in stems
        for parts in map(read_name, names)
    )


def told_key(summary: Summary) -> str | None:
    """The key that a file itself names, in its header or where it tells how it ended."""
    key = summary.key or (summary.life.key if summary.life is not None else "")
    return canonical_key(key) if key else None


def is_left_lock(name: str, files: Container[str]) -> bool:
    """Whether this is the lock file of a transcript that is gone, or was put aside."""
    base = name.removesuffix(".lock")
    parts = read_name(base) if base != name else None
    return parts is not None and (base not in files or parts.kind in ENDED)


def claims_of(
    summaries: Mapping[str, Summary], indexed: list[SessionRecord]
) -> tuple[dict[str, str], dict[str, str]]:
    """Which files, by the headers of others, were replaced by a reset or migrated; with keys."""
    keys = {record.path.name: record.key for record in indexed}
    replaced: dict[str, str] = {}
    migrated: dict[str, str] = {}
    for name, summary in summaries.items():
        key = keys.get(name) or (canonical_key(summary.key) if summary.key else None)
        if key is None:
            continue
        for field, claims in (("replaces", replaced), ("migratedFrom", migrated)):
            claimed = summary.header.get(field)
            if isinstance(claimed, str):
                claims[claimed] = key
    return replaced, migrated


def state_of(info: os.stat_result) -> tuple[int, int]:
    return info.st_size, info.st_mtime_ns


def stem_of(name: str) -> str:
    parts = read_name(name)
    return parts.stem if parts is not None else name


def number(value: object) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if usable and abs(value) < 1e15 else 0.0  # type: ignore[arg-type]


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def mapping(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) and value else None


def lineage_of(entry: IndexEntry, header: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where a session came from, in our fields, from ours or the reference's."""
    found = dict(mapping(entry.get("lineage")) or mapping(header.get("lineage")) or {})
    parent_key = text(entry.get("parentSessionKey")) or text(entry.get("spawnedBy"))
    if parent_key is not None:
        found.setdefault("parentKey", canonical_key(parent_key))
    parent = text(header.get("parentSession"))
    if parent is not None:
        found.setdefault("parentSession", parent)
    return found or None
