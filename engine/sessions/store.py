"""The store: all sessions of a state dir, found by key, id, label or path.

Transcripts are the only truth. `sessions.json` maps keys to files and can be deleted at any time;
a transcript that no index knows is adopted under the key in its header, else under
`agent:<id>:explicit:<file>` (the reference's form for a session opened by its id).
"""

from __future__ import annotations

import contextlib
import difflib
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.clock import Clock, iso
from engine.disk import Disk, ensure_dir, explain
from engine.errors import Problem, SessionNotFound, StoreError
from engine.sessions.directory import Directory
from engine.sessions.keys import agent_of, canonical_key
from engine.sessions.life import carry
from engine.sessions.records import ENDED, SessionRecord
from engine.sessions.transcript import Transcript, fresh_id, make_header
from engine.text import safe_line

__all__ = ["Store"]

_AGENT = re.compile(r"[a-z0-9_-]{1,64}")
_SHORTEST_PREFIX = 4


def _uuid() -> str:
    return str(uuid.uuid4())


class Store:
    """The sessions below `<state_dir>/agents/<agent>/sessions/`.

    Holds no session open and caches nothing between calls, so what other programs change is seen.

    Attributes:
        problems: what was wrong with the indexes at the last look.
    """

    def __init__(
        self, disk: Disk, state_dir: Path, clock: Clock, *, new_uuid: Callable[[], str] = _uuid
    ):
        self.disk = disk
        self.clock = clock
        self.state_dir = state_dir
        self.new_uuid = new_uuid
        self._problems: dict[str, tuple[Problem, ...]] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for found in self._problems.values() for problem in found)

    def directory(self, agent_id: str) -> Directory:
        """One agent's sessions; nothing is made on disk.

        Raises:
            StoreError: the agent id is not one (letters, digits, `_`, `-`; 64 at most).
        """
        if not _AGENT.fullmatch(agent_id):
            raise StoreError(f"{safe_line(agent_id, limit=80)!r} is no agent id")
        path = self.state_dir / "agents" / agent_id / "sessions"
        return Directory(self.disk, self.clock, agent_id, path)

    def agents(self) -> list[str]:
        """Ids of the agents that have a directory, sorted."""
        try:
            names = self.disk.dirs(self.state_dir / "agents")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise explain(error, "could not list the agents") from error
        return [name for name in names if _AGENT.fullmatch(name)]

    def list(self, agent_id: str | None = None) -> list[SessionRecord]:
        """All sessions and leftovers, the most recently active first.

        Raises:
            StoreError: a directory cannot be read.
        """
        agents = self.agents() if agent_id is None else [agent_id]
        found: list[SessionRecord] = []
        for agent in agents:
            directory = self.directory(agent)
            found += directory.records()
            self._problems[agent] = tuple(directory.problems)
        found.sort(key=lambda record: (-record.last_active, record.key, record.path.name))
        return found

    def get(self, key: str) -> SessionRecord | None:
        """The session a key points to, or None; looks at one file where the index knows it.

        Raises:
            StoreError: the index cannot be read.
        """
        wanted = canonical_key(key)
        agent = agent_of(wanted)
        if agent is None or not _AGENT.fullmatch(agent):
            return None
        directory = self.directory(agent)
        quick = directory.quick(wanted)
        if quick is not None:
            return quick
        return directory.find(wanted)

    def resolve(self, ref: str) -> SessionRecord:
        """The session that a person means: a key (either spelling), an id or a unique prefix of
        one, a label, the end of a key as lists show it (`main`, `plans`), or a path.

        Raises:
            SessionNotFound: none, or more than one; names the nearest.
        """
        found = self.get(ref)
        if found is not None:
            return found
        if "/" in ref or ref.endswith(".jsonl"):
            path = Path(ref).expanduser()
            if path.is_file():
                return self._by_path(path)
        records = self.list()
        for choose in (_by_id, _by_label, _by_prefix, _by_tail):
            hits = choose(records, ref)
            if len(hits) == 1:
                return hits[0]
            if hits:
                raise _ambiguous(ref, hits)
        raise _not_found(ref, records)

    def _by_path(self, path: Path) -> SessionRecord:
        there = path.absolute()
        for record in self.list():
            if record.path.absolute() == there:
                return record
        transcript = Transcript.open(path, disk=self.disk, clock=self.clock)
        transcript.close()
        key = transcript.key or f"file:{path}"
        return SessionRecord(key, "", transcript.id, path, kind="file")

    def open(self, ref: str | SessionRecord) -> Transcript:
        """Open a session for reading and, in our own form, writing.

        Raises:
            SessionNotFound: there is none.
            StoreError: it cannot be read, or its file belongs to another key.
        """
        record = ref if isinstance(ref, SessionRecord) else self.resolve(ref)
        key = record.key if record.kind == "session" else None
        return Transcript.open(record.path, disk=self.disk, clock=self.clock, key=key)

    def create(
        self,
        key: str,
        agent_id: str,
        *,
        cwd: str = "",
        origin: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
        parent_session: str | None = None,
        entries: Iterable[Mapping[str, Any]] = (),
    ) -> SessionRecord:
        """The session of a key, made when there is none; two programs make it only once.

        Args:
            key: the session key.
            agent_id: the agent it belongs to.
            cwd: the working directory noted in the header.
            origin: what the channel says of the first message; kept in header and index.
            lineage: `parentKey`, `parentEntry` of a fork; kept in header and index.
            parent_session: path of the transcript it was forked from.
            entries: what the new file begins with.

        Raises:
            SessionBusy: another program is stuck while writing the index.
            StoreError: it cannot be written.
        """
        wanted = canonical_key(key)
        directory = self.directory(agent_id)
        self.make_directory(directory.path)
        with directory.index.locked():
            found = directory.quick(wanted) or directory.find(wanted)
            if found is not None:
                if not found.index_key:
                    directory.index.patch({wanted: directory.entry_for(found)})
                return found
            over = directory.unfinished_reset(wanted) or directory.last_ended(wanted)
            kept, told = self._following(over)
            header = make_header(
                self.new_uuid(),
                self.clock,
                cwd=cwd,
                parentSession=parent_session,
                sessionKey=wanted,
                origin=dict(origin) if origin else None,
                lineage=dict(lineage) if lineage else None,
                **told,
            )
            return self.add_file(directory, wanted, header, (*kept, *entries))

    def _following(
        self, over: SessionRecord | None
    ) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]:
        """What a new session takes from the one that its key had before, and what its header says
        of that. What a rule ended goes on under its name, with its labels and its model; what a
        person put away does not."""
        if over is None or over.kind == "deleted":
            return (), {}
        life = over.life
        reason, rule = (life.reason, life.rule) if life is not None else ("", "")
        begun = {"reason": reason, "rule": rule, "messages": over.messages}
        kept = self.carried(over) if over.kind == "reset" or rule else ()
        return kept, {"begun": begun, "replaces": over.path.name}

    def make_directory(self, path: Path) -> None:
        """See to it that an agent's directory is there.

        Raises:
            StoreError: it cannot be made.
        """
        try:
            ensure_dir(self.disk, path)
        except OSError as error:
            raise explain(error, "could not make the sessions directory") from error

    def add_file(
        self,
        directory: Directory,
        key: str,
        header: Mapping[str, Any],
        entries: tuple[Mapping[str, Any], ...] = (),
        *,
        index_key: str = "",
    ) -> SessionRecord:
        """A transcript and its index entry (under the spelling it had); the index is locked."""
        path = directory.path / f"{header['id']}.jsonl"
        Transcript.create(path, header, entries, disk=self.disk, clock=self.clock).close()
        record = directory.record_of(path.name, key)
        directory.index.patch({index_key or key: directory.entry_for(record)})
        return record

    def carried(self, old: SessionRecord) -> tuple[Mapping[str, Any], ...]:
        """What a reset keeps of a session, as entries of the new file: name, labels, model;
        nothing of one whose file is damaged.

        Raises:
            StoreError: the disk failed.
        """
        try:
            with contextlib.closing(self.open(old)) as transcript:
                return carry(transcript.tree, old.label, iso(self.clock.now()), fresh_id)
        except StoreError as error:
            if isinstance(error.__cause__, OSError):
                raise  # it may well be readable in a moment
            return ()

    def writable(self, ref: str | SessionRecord) -> Transcript:
        """Open a session that can be written to: an older or flat form is migrated into a new
        file first, which takes its place in the index; the old file stays as it is, listed.

        Raises:
            SessionNotFound: there is none.
            StoreError: it cannot be read or the new file cannot be written.
        """
        record = ref if isinstance(ref, SessionRecord) else self.resolve(ref)
        transcript = self.open(record)
        if not transcript.foreign:
            return transcript
        with contextlib.closing(transcript):
            agent = record.agent_id or agent_of(record.key) or "main"
            directory = self.directory(agent)
            self.make_directory(directory.path)
            key = record.key
            if record.kind == "file" and agent_of(key) is None:
                key = directory.explicit_key(transcript.id)
            header = {
                **transcript.header,
                "id": self.new_uuid(),
                "sessionKey": key,
                "migratedFrom": record.path.name if record.agent_id else str(record.path),
            }
            entries = tuple(transcript.tree.entry(name).data for name in transcript.tree.nodes)
            with directory.index.locked():
                fresh = self.add_file(directory, key, header, entries, index_key=record.index_key)
        return self.open(fresh)

    def note(
        self, ref: str | SessionRecord, *, named: bool = False, **fields: Any
    ) -> SessionRecord:
        """Bring the index up to date with a transcript, and set further fields of its entry.

        Args:
            ref: the session.
            named: whether the transcript says its name: the index gets what that says by now,
                for another program may have given it a newer one.
            fields: index fields to set beside (`state`, `origin` …); None removes one.

        Raises:
            SessionNotFound: there is none.
            StoreError: the index cannot be written.
        """
        record = ref if isinstance(ref, SessionRecord) else self.resolve(ref)
        if not record.agent_id or record.kind != "session":
            return record
        directory = self.directory(record.agent_id)
        with directory.index.locked():
            # The key may point to another file by now: a reset or a migration elsewhere.
            current = directory.quick(record.key) or directory.find(record.key)
            if current is None:
                raise _not_found(record.key, directory.records())
            fresh = directory.record_of(current.path.name, record.key)
            key = current.index_key or record.key
            told: dict[str, Any] = {"labels": list(fresh.labels) or None}
            if named:
                told["label"] = fresh.label
            directory.index.patch({key: {**directory.entry_for(fresh), **told, **fields}})
        return directory.quick(record.key) or fresh

    def set_label(self, ref: str | SessionRecord, label: str) -> SessionRecord:
        """Name a session, in its transcript and in the index; "" takes the name away.

        Raises:
            SessionNotFound: there is none.
            SessionBusy: it is being written.
            StoreError: it cannot be written.
        """
        with contextlib.closing(self.writable(ref)) as transcript:
            transcript.set_name(label)
            record = self.resolve(transcript.key or str(transcript.path))
        return self.note(record, named=True)


def _by_id(records: list[SessionRecord], ref: str) -> list[SessionRecord]:
    return _live([record for record in records if ref in (record.session_id, record.path.name)])


def _by_label(records: list[SessionRecord], ref: str) -> list[SessionRecord]:
    wanted = ref.casefold()
    return _live([record for record in records if (record.label or "").casefold() == wanted])


def _by_prefix(records: list[SessionRecord], ref: str) -> list[SessionRecord]:
    if len(ref) < _SHORTEST_PREFIX:
        return []
    wanted = ref.lower()
    return _live(
        [
            record
            for record in records
            if record.session_id.lower().startswith(wanted)
            or record.path.name.lower().startswith(wanted)
        ]
    )


def _by_tail(records: list[SessionRecord], ref: str) -> list[SessionRecord]:
    tail = f":{ref.strip().lower()}"
    return _live([record for record in records if len(tail) > 1 and record.key.endswith(tail)])


def _live(hits: list[SessionRecord]) -> list[SessionRecord]:
    """Of several, those that are in use: a session comes before its leftovers."""
    return [record for record in hits if record.kind == "session"] or hits


def _ambiguous(ref: str, hits: list[SessionRecord]) -> SessionNotFound:
    names = ", ".join(safe_line(f"{hit.key} ({hit.path.name})", limit=120) for hit in hits[:5])
    return SessionNotFound(
        f"{safe_line(ref, limit=80)!r} fits {len(hits)} sessions: {names}",
        remedy="Give more of the id, or the whole key",
    )


def _not_found(ref: str, records: list[SessionRecord]) -> SessionNotFound:
    if any(record.key == canonical_key(ref) and record.kind in ENDED for record in records):
        return SessionNotFound(
            f"the conversation of {safe_line(ref, limit=120)} is over and kept",
            remedy="`branchline sessions restore` brings it back, `list --archived` shows it",
        )
    known = {record.key: None for record in records}
    known.update({record.label: None for record in records if record.label})
    near = difflib.get_close_matches(ref, [*known][:5000], n=3, cutoff=0.5)
    hint = "Did you mean " + " or ".join(safe_line(name, limit=120) for name in near) + "?"
    remedy = hint if near else "`branchline sessions list` shows what there is"
    return SessionNotFound(f"there is no session {safe_line(ref, limit=120)!r}", remedy=remedy)
