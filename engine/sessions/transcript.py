"""A transcript: one session's file, opened by an index of its lines and appended to, never changed.

Promises (SPEC §5): a record is written wholly or not at all; earlier bytes never change; what
another program appended is taken in before our own record; what cannot be read is counted and
kept; only a torn tail is cut, by a writer, into a file of its own beside the transcript.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.clock import Clock, SystemClock, iso
from engine.disk import NOT_ROLLED_BACK, NOT_SYNCED, Disk, append_all, explain, write_atomic
from engine.errors import Problem, SessionBusy, SessionReadOnly, StoreError
from engine.sessions.entries import LEAF, Entry
from engine.sessions.keys import canonical_key
from engine.sessions.lines import encode_line
from engine.sessions.load import load
from engine.sessions.lock import Held, take
from engine.sessions.nodes import Node
from engine.sessions.tree import Tree
from engine.sessions.writing import (
    Lines,
    Parent,
    as_written,
    complete,
    fresh_id,
    make_header,
    quarantine,
)

__all__ = ["Transcript", "fresh_id", "make_header"]

_POLL = 0.02
"""Seconds between two looks at a session that is busy."""


class Transcript:
    """One session's file. Reading needs no lock; writing takes it (see `hold`).

    Safe to use from several threads; the tree may be read while another thread appends.

    Attributes:
        path: the file.
        header: its first line; `{}` when that line is damaged.
        tree: its entries. Another object after `refresh` found the file replaced.
        foreign: an older or flat form, read as v3 but not written to: see Store.writable.
    """

    def __init__(self, path: Path, disk: Disk, clock: Clock, new_id: Callable[[], str]):
        self.path = path
        self._disk = disk
        self._clock = clock
        self._new_id = new_id
        self._mutex = threading.RLock()
        self._held: Held | None = None
        self._depth = 0
        self._arrived: list[Entry] = []
        self._notes: list[Problem] = []
        self._broken: str | None = None
        self._loaded = load(disk, path)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        disk: Disk | None = None,
        clock: Clock | None = None,
        key: str | None = None,
        new_id: Callable[[], str] = fresh_id,
    ) -> Transcript:
        """Open a file for reading; nothing on disk changes.

        Args:
            path: the transcript.
            disk, clock, new_id: the doors to files and time; makes entry ids.
            key: the session key it must belong to, if its header names one.

        Raises:
            StoreError: it cannot be read, is no transcript, or belongs to another session.
        """
        found = cls(path, disk or Disk(), clock or SystemClock(), new_id)
        if key is not None and found.key is not None and found.key != canonical_key(key):
            found.close()
            raise StoreError(
                f"this transcript belongs to {found.key}, not to {key}",
                place=str(path),
                remedy="Run `branchline doctor --repair` to rebuild the index",
            )
        return found

    @classmethod
    def create(
        cls,
        path: Path,
        header: Mapping[str, Any],
        entries: Sequence[Mapping[str, Any]] = (),
        *,
        disk: Disk | None = None,
        clock: Clock | None = None,
        new_id: Callable[[], str] = fresh_id,
    ) -> Transcript:
        """Write a new file, whole or not at all, and open it.

        Raises:
            StoreError: it cannot be written, or something stands there already.
        """
        disk = disk or Disk()
        data = b"".join(encode_line(line) for line in (header, *entries))
        try:
            with suppress(FileNotFoundError):
                disk.look(path)
                raise FileExistsError(errno.EEXIST, "something stands there already", str(path))
            write_atomic(disk, path, data)
        except OSError as error:
            raise explain(error, "could not make the session") from error
        return cls.open(path, disk=disk, clock=clock, new_id=new_id)

    @property
    def header(self) -> Mapping[str, Any]:
        return self._loaded.header

    @property
    def tree(self) -> Tree:
        return self._loaded.tree

    @property
    def foreign(self) -> bool:
        return self._loaded.form != "v3"

    @property
    def id(self) -> str:
        found = self.header.get("id")
        return found if isinstance(found, str) else self.path.name.partition(".")[0]

    @property
    def key(self) -> str | None:
        """The session key that the header names, in our spelling."""
        key = self.header.get("sessionKey")
        return canonical_key(key) if isinstance(key, str) else None

    @property
    def read_only(self) -> str | None:
        """Why nothing can be written, or None."""
        return self._broken or self._loaded.read_only

    @property
    def unreadable(self) -> tuple[int, ...]:
        """Numbers (from 1) of the lines that could not be read."""
        return tuple(self._loaded.unreadable)

    @property
    def problems(self) -> list[Problem]:
        """Everything a person should know about this file."""
        with self._mutex:
            found = [*self._notes, *self._loaded.problems(self.path), *self.tree.problems]
            if self._broken is not None:
                found.insert(0, Problem(self._broken, file=str(self.path)))
            return found

    def close(self) -> None:
        """Let go of the file. The tree stays; bodies not read yet cannot be read any more."""
        with self._mutex:
            if self._held is not None:
                self._held.release()
                self._held, self._depth = None, 0
            self._loaded.close()

    def reopen(self) -> None:
        """Read the file anew, after a failed write or to get rid of a stale state.

        Raises:
            StoreError: it cannot be read.
        """
        with self._mutex:
            fresh = load(self._disk, self.path)
            self._loaded.close()
            self._loaded = fresh
            self._broken = None

    def refresh(self) -> list[Entry]:
        """Take in what other programs wrote since the last look.

        Returns:
            The new entries in file order, also those that an append of ours met; all unknown
            ones when the file was replaced.

        Raises:
            StoreError: the file is gone or cannot be read.
        """
        with self._mutex:
            self._take_in()
            arrived, self._arrived = self._arrived, []
            return arrived

    def _take_in(self) -> None:
        loaded = self._loaded
        try:
            there = self._disk.look(self.path)
        except OSError as error:
            raise explain(error, "could not look at the session") from error
        if loaded.is_current(there):
            return
        if loaded.can_extend(there):
            fresh = loaded.extend(there.st_size)
        else:
            if loaded.is_at(there) and there.st_size < loaded.whole:
                text = "the file became shorter than it was"
                self._notes.append(Problem(text, file=str(self.path)))
            fresh = self._read_anew()
        self._arrived += [self.tree.entry(node.id) for node in fresh]

    def _read_anew(self) -> list[Node]:
        known = self.tree.nodes
        self.reopen()
        return [node for node in self.tree.nodes.values() if node.id not in known]

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one writer, for as long as the `with` lasts; may be nested.

        On entry, what others wrote is taken in and a torn tail is cut into quarantine.

        Raises:
            SessionBusy: another program is writing; says who.
            SessionReadOnly: an earlier write failed, or the file is of a form that is not written.
            StoreError: the file cannot be opened or locked.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    @asynccontextmanager
    async def holding(
        self, seconds: float = 10.0, *, told: Callable[[SessionBusy], None] | None = None
    ) -> AsyncIterator[None]:
        """As `hold`, waiting up to `seconds` for another writer to finish.

        Args:
            told: called once, with who is writing, when there is somebody to wait for.
        """
        deadline = self._clock.monotonic() + seconds
        while True:
            try:
                self._enter()
                break
            except SessionBusy as busy:
                if self._clock.monotonic() >= deadline:
                    raise
                if told is not None:
                    told(busy)
                    told = None
            await self._clock.sleep(_POLL)
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._mutex:
            if self._depth == 0:
                if self.read_only is not None:
                    raise SessionReadOnly(self.read_only, place=str(self.path))
                self._held = take(self._disk, self.path, self._clock)
                try:
                    self._take_in()
                    self._mend()
                except BaseException:
                    self._held.release()
                    self._held = None
                    raise
            self._depth += 1

    def _follow_file(self) -> None:
        """Lock the file that stands at the path now, if it was replaced while we held the old."""
        assert self._held is not None
        if self._loaded.is_at(self._held.file):
            return
        self._held.release()
        self._held = take(self._disk, self.path, self._clock)
        self._take_in()
        self._mend()

    def _leave(self) -> None:
        with self._mutex:
            self._depth = max(0, self._depth - 1)
            if self._depth == 0 and self._held is not None:
                self._held.release()
                self._held = None

    def _mend(self) -> None:
        """Cut a torn tail off into a file beside the transcript."""
        start, end = self._loaded.torn, self._loaded.size
        if start is None or self._held is None:
            return
        now = iso(self._clock.now())
        aside = quarantine(self._disk, self._held.fd, self.path, start, end, now)
        self._loaded.cut(start)
        self._notes.append(
            Problem(
                f"the last record was not written whole ({end - start:,} bytes); "
                f"it was cut off and kept as {aside.name}",
                severity="warning",
                file=str(self.path),
            )
        )

    def append(
        self,
        fields: Mapping[str, Any],
        *,
        parent: Parent = ...,
        sync: bool = True,
    ) -> Entry:
        """Add one entry; when this returns it is on disk.

        Args:
            fields: `type` and what belongs to it; `id` and `timestamp` are made when missing.
            parent: the parent's id; left out: the leaf for bookkeeping, else the nearest
                entry at or above the leaf that is no bookkeeping.
            sync: False leaves it to the system when the bytes reach the disk.

        Raises:
            SessionBusy: another program is writing.
            SessionReadOnly: an earlier write failed; see `reopen`.
            StoreError: it could not be written; nothing was kept.
        """
        return self.append_all((fields,), parent=parent, sync=sync)[0]

    def append_all(self, lines: Lines, *, parent: Parent = ..., sync: bool = True) -> list[Entry]:
        """Add several entries in one write, each the parent of the next unless it says otherwise;
        as `append`. What makes them is called when nobody else can write any more."""
        with self._mutex, self.hold():
            if self._broken is not None:
                raise SessionReadOnly(self._broken, place=str(self.path))
            self._take_in()
            self._follow_file()
            lines = lines(self.tree) if callable(lines) else lines
            if not lines:
                return []
            records = complete(self.tree, lines, parent, self._new_id, iso(self._clock.now()))
            encoded = [encode_line(record) for record in records]
            written = as_written(records, encoded)
            start = self._loaded.size + len(self._loaded.joint)
            self._write(self._loaded.joint + b"".join(encoded), sync)
            entries = []
            for record, line in zip(written, encoded, strict=True):
                entries.append(self._loaded.add(record, start, len(line)))
                start += len(line)
            return entries

    def _write(self, data: bytes, sync: bool) -> None:
        assert self._held is not None
        try:
            append_all(self._disk, self._held.fd, data, size=self._loaded.size, sync=sync)
        except OSError as error:
            notes = getattr(error, "__notes__", ())
            problem = explain(error, "could not write to the session")
            if NOT_ROLLED_BACK in notes or NOT_SYNCED in notes:
                end = "the session takes no more until it is opened again"
                self._broken = f"an earlier write failed ({problem.message}); {end}"
            raise problem from error

    def move_leaf(self, target: str | None) -> Entry:
        """Continue from `target` (None: before the first entry); survives a restart.

        Raises:
            EntryNotFound: there is no such entry.
            StoreError: as `append`.
        """
        if target is not None:
            self.tree.node(target)
        body = {"type": "custom", "customType": LEAF, "data": {"targetId": target}}
        return self.append(body, parent=target)

    def set_label(self, target: str, label: str | None) -> Entry:
        """Put a label on an entry; None or "" takes it away.

        Raises:
            EntryNotFound: there is no such entry.
            StoreError: as `append`.
        """
        self.tree.node(target)
        return self.append({"type": "label", "targetId": target, "label": label or None})

    def set_name(self, name: str) -> Entry:
        """Name the session; "" takes the name away.

        Raises:
            StoreError: as `append`.
        """
        return self.append({"type": "session_info", "name": name.strip()})
