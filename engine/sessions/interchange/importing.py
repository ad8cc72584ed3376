"""Bringing conversations of other programs into a state dir (SPEC §5: never in place).

Each becomes a session of the operator's own, `agent:<id>:chat:import-…`, so that nobody on a
channel is ever routed into it. Its key and its entries' ids follow from the original, so importing
the same thing twice finds it there; another state of the same conversation is put beside it.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.disk import ensure_dir, explain
from engine.errors import BranchlineError, StoreError
from engine.sessions.directory import Directory
from engine.sessions.index import IndexEntry
from engine.sessions.interchange.foreign import IMPORTED, Settled
from engine.sessions.interchange.reading import Refused, read_source
from engine.sessions.interchange.sources import Source, find_sources
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript, make_header

__all__ = ["Imported", "Report", "State", "import_path"]

State = Literal["new", "present", "changed", "empty", "refused"]
"""`new`: taken in; `present`: was there already; `changed`: taken in beside an earlier state of
it; `empty`: holds no message; `refused`: see `odd`."""

_BATCH = 25
"""Sessions written while the index is locked once."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_OPERATOR = {"channel": "terminal", "accountId": "default"}
"""Whose an imported session is, in the form in which sessions keep their origin."""


class Imported(Struct, frozen=True):
    """What became of one conversation. Titles and remarks are untrusted.

    Attributes:
        source: the file, and the place in it.
        format: what wrote it; "" when that is not known.
        original_id: as it was called there.
        key: its session key here; "" when it has none.
        roots: beginnings; more than one where chains were broken.
        odd: what a person should know.
    """

    source: str
    state: State
    format: str = ""
    original_id: str = ""
    title: str = ""
    key: str = ""
    session_id: str = ""
    messages: int = 0
    entries: int = 0
    roots: int = 0
    odd: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """What an import brought. `odd` is what concerns all of it."""

    path: Path
    agent_id: str
    dry_run: bool
    sessions: tuple[Imported, ...]
    odd: tuple[str, ...] = ()

    def count(self, *states: State) -> int:
        return sum(one.state in states for one in self.sessions)


def import_path(store: Store, path: Path, agent_id: str, *, dry_run: bool = False) -> Report:
    """Take in the conversations at a path: files of pi, OpenClaw and Claude Code, flat files,
    exports of ChatGPT and Claude (also zipped), and directories of such.

    Args:
        store: where to.
        path: a file or directory; it is only read.
        agent_id: the agent that goes on with the conversations.
        dry_run: report only, write nothing.

    Raises:
        StoreError: nothing can be read there, a limit is exceeded, it is the state dir itself,
            or the sessions cannot be written.
        SessionBusy: another program is stuck while writing the index.
    """
    home = store.state_dir.resolve()
    if path.resolve() == home or home in path.resolve().parents:
        raise StoreError(
            "this is in the state dir, where its sessions are listed already", place=str(path)
        )
    sources = find_sources(store.disk, path)
    directory = store.directory(agent_id)
    if not dry_run:
        try:
            ensure_dir(store.disk, directory.path)
        except OSError as error:
            raise explain(error, "could not make the sessions directory") from error
    writer = _Writer(store, directory, dry_run=dry_run)
    found: list[Imported] = []
    for batch in _batches(_read_all(sources.files)):
        found += writer.take(batch)
    return Report(path, agent_id, dry_run, tuple(found), sources.odd)


def _read_all(files: Iterable[Source]) -> Iterator[tuple[str, Settled | Refused]]:
    for source in files:
        for one in read_source(source):
            yield source.name, one


def _batches(
    found: Iterator[tuple[str, Settled | Refused]],
) -> Iterator[list[tuple[str, Settled | Refused]]]:
    batch = []
    for one in found:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _Writer:
    """Writes conversations that are not there yet into one agent's directory."""

    def __init__(self, store: Store, directory: Directory, *, dry_run: bool):
        self._store = store
        self._directory = directory
        self._dry_run = dry_run
        records = store.list(directory.agent_id)
        self._there = {record.key: record.path for record in records if record.kind == "session"}
        self._prints: dict[str, str] = {}

    def take(self, batch: list[tuple[str, Settled | Refused]]) -> list[Imported]:
        if self._dry_run:
            return [self._one(name, one, {}) for name, one in batch]
        changes: dict[str, IndexEntry] = {}
        with self._directory.index.locked():
            # Another import may have written since the last look.
            for record in self._fresh():
                self._there.setdefault(*record)
            found = [self._one(name, one, changes) for name, one in batch]
            self._directory.index.patch(changes)
        return found

    def _fresh(self) -> Iterator[tuple[str, Path]]:
        for key, entry in (self._directory.index.read() or {}).items():
            name = entry.get("sessionFile")
            if isinstance(name, str) and "/" not in name:
                yield key, self._directory.path / name

    def _one(self, name: str, one: Settled | Refused, changes: dict[str, IndexEntry]) -> Imported:
        if isinstance(one, Refused):
            return Imported(one.name, "refused", odd=(one.reason,))
        if not one.messages:
            return self._told(name, one, "empty")
        base = f"agent:{self._directory.agent_id}:chat:{_chat_name(one)}"
        beside = f"{base}-{one.fingerprint[:8]}"
        for key in (base, beside):
            if key in self._there and self._print_of(key) == one.fingerprint:
                return self._told(name, one, "present", key)
        key = beside if base in self._there else base
        if key in self._there:
            return self._told(name, one, "refused", key, ("something else has its key",))
        session_id = "" if self._dry_run else self._write(key, one, name, changes)
        self._there[key] = self._directory.path / f"{session_id}.jsonl"
        self._prints[key] = one.fingerprint
        return self._told(name, one, "new" if key == base else "changed", key, (), session_id)

    def _write(self, key: str, one: Settled, name: str, changes: dict[str, IndexEntry]) -> str:
        session_id = str(uuid.uuid4())
        header = make_header(
            session_id, self._store.clock, cwd=one.cwd, sessionKey=key, origin=_OPERATOR
        )
        header["imported"] = {"format": one.format, "id": one.id, "file": name}
        path = self._directory.path / f"{session_id}.jsonl"
        Transcript.create(
            path, header, one.lines, disk=self._store.disk, clock=self._store.clock
        ).close()
        changes[key] = self._directory.entry_for(self._directory.record_of(path.name, key))
        return session_id

    def _print_of(self, key: str) -> str | None:
        """The fingerprint of what was imported under a key; None for what was not imported."""
        if key not in self._prints:
            with contextlib.suppress(BranchlineError):
                self._prints[key] = self._read_print(self._there[key])
        return self._prints.get(key)

    def _read_print(self, path: Path) -> str:
        with contextlib.closing(Transcript.open(path, disk=self._store.disk)) as transcript:
            note = transcript.tree.ours.get(IMPORTED)
            body = transcript.tree.entry(note).data.get("data") if note is not None else None
            return str(body.get("fingerprint")) if isinstance(body, dict) else ""

    def _told(
        self,
        name: str,
        one: Settled,
        state: State,
        key: str = "",
        odd: tuple[str, ...] = (),
        session_id: str = "",
    ) -> Imported:
        return Imported(
            name,
            state,
            one.format,
            one.id,
            one.title,
            key,
            session_id,
            one.messages,
            len(one.lines),
            one.roots,
            (*one.odd, *odd),
        )


def _chat_name(one: Settled) -> str:
    """`import-<format>-<id>`; an id that would not stand in a key as it is, as its digest."""
    name = one.id
    if not _PLAIN.fullmatch(name):
        seed = (name or one.fingerprint).encode("utf-8", "replace")
        name = blake2b(seed, digest_size=8).hexdigest()
    return f"import-{one.format}-{name}"
