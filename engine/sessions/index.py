"""`sessions.json`: from session key to file, one per agent; and the cache of summaries beside it.

The index is the reference's (OpenClaw 2026.4.15), so all its fields survive; a program that reads
it finds in ours what it knows (`sessionId`, `sessionFile`, `updatedAt`). Both files are caches:
they can be deleted at any time and are rebuilt from the transcripts (SPEC §5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import Clock, iso
from engine.disk import Disk, explain, read_file, write_atomic
from engine.errors import Problem
from engine.sessions.lock import Held, take_waiting
from engine.sessions.summary import FORM, Summary

__all__ = ["Index", "IndexEntry"]

IndexEntry = dict[str, Any]

_LIMIT = 256 * 1024 * 1024
_Summaries = dict[str, Summary]


class Index:
    """The index of one agent's sessions directory."""

    def __init__(self, disk: Disk, clock: Clock, directory: Path):
        self._disk = disk
        self._clock = clock
        self.directory = directory
        self.path = directory / "sessions.json"
        self._held: Held | None = None
        self._depth = 0
        self._cache_path = directory / "sessions.cache.json"

    def read(self) -> dict[str, IndexEntry] | None:
        """Key → entry as they stand in the file; None when there is no file or it is broken.

        Raises:
            StoreError: the file is there and cannot be read.
        """
        try:
            data = read_file(self._disk, self.path, limit=_LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(error, "could not read the session index") from error
        return _decode(data)

    def read_some(self, keys: tuple[str, ...]) -> dict[str, IndexEntry]:
        """The entries of some keys, decoding only those; empty where the index is no use."""
        try:
            data = read_file(self._disk, self.path, limit=_LIMIT)
            raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            found = {key: msgspec.json.decode(raw[key]) for key in keys if key in raw}
        except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}
        return {key: entry for key, entry in found.items() if isinstance(entry, dict)}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes the index; may be nested.

        Raises:
            SessionBusy: another program is stuck while writing it.
            StoreError: the directory cannot be locked.
        """
        if self._depth == 0:
            self._held = take_waiting(self._disk, self.path, self._clock)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and self._held is not None:
                self._held.release()
                self._held = None

    def patch(
        self,
        changes: Mapping[str, Mapping[str, Any] | None],
        base: Mapping[str, IndexEntry] | None = None,
    ) -> list[Problem]:
        """Change some fields of some entries; all else stays as another program left it.

        Args:
            changes: key → fields to set (None removes a field), or None to remove the entry.
            base: what to begin with when the index is missing or broken.

        Returns:
            A broken index that was kept aside, as a problem.

        Raises:
            SessionBusy: another program is stuck while writing the index.
            StoreError: it cannot be written; the old index stands.
        """
        with self.locked():
            problems = []
            index = self.read()
            before = None if index is None else msgspec.json.encode(index)
            if index is None:
                problems = self._put_aside()
                index = {key: dict(entry) for key, entry in (base or {}).items()}
            for key, fields in changes.items():
                _apply(index, key, fields)
            if msgspec.json.encode(index) != before:
                self._write(index)
            return problems

    def _write(self, index: Mapping[str, IndexEntry]) -> None:
        data = msgspec.json.format(msgspec.json.encode(index), indent=2)
        try:
            write_atomic(self._disk, self.path, data)
        except OSError as error:
            raise explain(error, "could not write the session index") from error

    def _put_aside(self) -> list[Problem]:
        """Rename a broken index, so that nothing in it is lost."""
        stamp = iso(self._clock.now()).replace(":", "-")
        aside = self.path.with_name(f"{self.path.name}.broken.{stamp}")
        try:
            self._disk.rename(self.path, aside)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise explain(error, "could not put the broken session index aside") from error
        text = f"the session index was broken; it was rebuilt, the old one is kept as {aside.name}"
        return [Problem(text, severity="warning", file=str(self.path))]

    def read_cache(self) -> _Summaries:
        """File name → summary; empty when there is none that can be read."""
        try:
            data = read_file(self._disk, self._cache_path, limit=_LIMIT)
            found = msgspec.json.decode(data, type=_Summaries)
        except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}
        return {name: summary for name, summary in found.items() if summary.form == FORM}

    def write_cache(self, summaries: _Summaries) -> None:
        """Keep the summaries for the next time; where that fails they are made anew."""
        try:
            write_atomic(self._disk, self._cache_path, msgspec.json.encode(summaries), sync=False)
        except (OSError, UnicodeError):
            return


def _decode(data: bytes) -> dict[str, IndexEntry] | None:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def _apply(index: dict[str, IndexEntry], key: str, fields: Mapping[str, Any] | None) -> None:
    if fields is None:
        index.pop(key, None)
        return
    entry = index.setdefault(key, {})
    for name, value in fields.items():
        if value is None:
            entry.pop(name, None)
        else:
            entry[name] = value
