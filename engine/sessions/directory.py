"""One agent's sessions directory: files, index and summaries brought together as records."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from engine.clock import Clock
from engine.disk import Disk, FileInfo, explain, is_temporary
from engine.errors import Problem, SessionError, StoreError
from engine.sessions.index import Index, IndexEntry
from engine.sessions.keys import canonical_key
from engine.sessions.lock import drop_stale
from engine.sessions.overrides import kept_override
from engine.sessions.records import ENDED, FileName, Kind, SessionRecord, read_name
from engine.sessions.summary import FORM, Summary, scan
from engine.sessions.traces import (
    candidates,
    claims_of,
    is_left_lock,
    lineage_of,
    mapping,
    number,
    put_aside,
    state_of,
    stem_of,
    text,
    told_key,
)

__all__ = ["Directory"]

_WORTH_KEEPING = 1024 * 1024
"""Bytes; a look at one session that read more than this is remembered."""


class Directory:
    """A look at one agent's sessions; made anew for each call of the store.

    Attributes:
        problems: what was wrong with the index itself.
        tombs: where deletions are noted (see engine.sessions.tombs).
    """

    def __init__(self, disk: Disk, clock: Clock, agent_id: str, path: Path):
        self._disk = disk
        self.agent_id = agent_id
        self.path = path
        self.index = Index(disk, clock, path)
        self.tombs = path.parent / "tombstones.jsonl"
        self.problems: list[Problem] = []

    def records(self) -> list[SessionRecord]:
        """Everything in here that is a transcript, or that the index says should be.

        Rebuilds a missing or broken index. Reads only files that changed since the last time.

        Raises:
            StoreError: the directory cannot be read.
        """
        files = self._files()
        if not files:
            return []
        self._sweep(files)
        index = self.index.read()
        summaries = self._summaries(files)
        found = self._indexed(index or {}, summaries)
        found += self._unindexed(found, index or {}, summaries)
        if index is None:
            self._rebuild(found)
        return found

    def _files(self) -> dict[str, FileInfo]:
        try:
            return {info.name: info for info in self._disk.files(self.path)}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise explain(error, "could not list the sessions") from error

    def _sweep(self, files: Mapping[str, FileInfo]) -> None:
        """Remove what a killed program of ours left: half-written files that were never renamed
        to their names, and lock files of transcripts that are gone."""
        for name in files:
            try:
                if is_temporary(name):
                    # Whoever writes one that matters holds the index's lock.
                    with self.index.locked():
                        self._disk.unlink(self.path / name)
                elif is_left_lock(name, files):
                    drop_stale(self._disk, self.path / name.removesuffix(".lock"))
            except (OSError, SessionError):
                continue  # in use, or gone already

    def _summaries(self, files: Mapping[str, FileInfo]) -> dict[str, Summary]:
        """A summary of every transcript, made anew where its file changed."""
        known = self.index.read_cache()
        found: dict[str, Summary] = {}
        changed = False
        for name, info in files.items():
            if read_name(name) is None:
                continue
            summary = known.get(name)
            if summary is None or (summary.size, summary.mtime_ns) != (info.size, info.mtime_ns):
                summary = self._scan(name, info, summary)
                changed = True
            found[name] = summary
        if changed or len(found) != len(known):
            self.index.write_cache(found)
        return found

    def _scan(self, name: str, info: FileInfo, known: Summary | None) -> Summary:
        try:
            return scan(self._disk, self.path / name, known)
        except StoreError as error:
            # What the content is to blame for is true until the file changes; other failures
            # (too many open files, a bad sector) are tried again.
            lasting = not isinstance(error.__cause__, OSError)
            mtime = info.mtime_ns if lasting else -1
            return Summary(size=info.size, mtime_ns=mtime, failure=error.message, form=FORM)

    def _indexed(
        self, index: Mapping[str, IndexEntry], summaries: Mapping[str, Summary]
    ) -> list[SessionRecord]:
        found = []
        newest: dict[str, tuple[float, str]] = {}
        for raw, entry in index.items():
            key = canonical_key(raw)
            rank = (number(entry.get("updatedAt")), raw)
            newest[key] = max(newest.get(key, rank), rank)
        for raw, entry in index.items():
            key = canonical_key(raw)
            name = self._file_of(entry, summaries)
            if name is None:
                if not put_aside(entry, summaries):
                    found.append(self._missing(key, raw, entry))
                continue
            kind: Kind = "session" if newest[key][1] == raw else "older"
            found.append(self._record(name, key, summaries[name], kind, raw, entry))
        return found

    def _file_of(self, entry: IndexEntry, names: Container[str]) -> str | None:
        """The file of an index entry, by its base name in this directory and nowhere else."""
        return next((name for name in candidates(entry) if name in names), None)

    def _missing(self, key: str, raw: str, entry: IndexEntry) -> SessionRecord:
        session_id = entry.get("sessionId")
        names = candidates(entry)
        problem = Problem(
            "the session's file is missing",
            file=str(self.index.path),
            path=raw,
            hint="its next message starts a new one",
        )
        return SessionRecord(
            key,
            self.agent_id,
            session_id if isinstance(session_id, str) else "",
            self.path / (names[0] if names else "missing.jsonl"),
            last_active=int(number(entry.get("updatedAt"))),
            label=text(entry.get("label")),
            state="missing",
            problems=(problem,),
            index_key=raw,
            entry=entry,
        )

    def _unindexed(
        self,
        indexed: list[SessionRecord],
        index: Mapping[str, IndexEntry],
        summaries: Mapping[str, Summary],
    ) -> list[SessionRecord]:
        """Orphans, adopted, and leftovers, each under the key of the session it came from."""
        taken = {record.path.name for record in indexed}
        owners = {
            stem_of(name): canonical_key(raw)
            for raw, entry in index.items()
            for name in candidates(entry)
        }
        owners |= {stem_of(record.path.name): record.key for record in indexed}
        replaced, migrated = claims_of(summaries, indexed)
        held = {record.key for record in indexed if record.state != "missing"}
        found = []
        rest = [name for name in summaries if name not in taken]
        for name in sorted(rest, key=lambda name: (-summaries[name].active, name)):
            summary, parts = summaries[name], read_name(name)
            assert parts is not None
            key = told_key(summary) or replaced.get(name) or migrated.get(name)
            key = key or owners.get(parts.stem) or self.explicit_key(parts.stem)
            kind = self._kind(name, parts, key, held, migrated)
            if kind == "session":
                held.add(key)
                owners.setdefault(parts.stem, key)
            found.append(self._record(name, key, summary, kind))
        return found

    def _kind(
        self, name: str, parts: FileName, key: str, held: set[str], migrated: Mapping[str, str]
    ) -> Kind:
        if parts.kind != "session":
            return parts.kind
        if name in migrated:
            return "original"
        return "older" if key in held else "session"

    def explicit_key(self, stem: str) -> str:
        """The key of a session that is known by its file alone."""
        return f"agent:{self.agent_id}:explicit:{stem.lower()}"

    def _record(
        self,
        name: str,
        key: str,
        summary: Summary,
        kind: Kind,
        raw: str = "",
        entry: IndexEntry | None = None,
    ) -> SessionRecord:
        entry = entry or {}
        problems = []
        file = str(self.path / name)
        if summary.failure is not None:
            problems.append(Problem(summary.failure, file=file))
        if summary.unreadable:
            count = summary.unreadable
            told = "1 line unreadable" if count == 1 else f"{count:,} lines unreadable"
            problems.append(Problem(told, severity="warning", file=file))
        if summary.key is not None and canonical_key(summary.key) != key:
            problems.append(Problem(f"the file belongs to {summary.key}", file=file))
        return SessionRecord(
            key,
            self.agent_id,
            summary.session_id or stem_of(name),
            self.path / name,
            kind,
            created=summary.created,
            last_active=summary.active,
            messages=summary.messages,
            heard=summary.heard,
            trouble=summary.trouble,
            label=text(entry.get("label")) or summary.name,
            labels=summary.labels,
            preview=summary.preview,
            model=summary.model,
            state=text(entry.get("state")) or ("active" if kind == "session" else "archived"),
            size=summary.size,
            origin=mapping(entry.get("origin")) or mapping(summary.header.get("origin")),
            lineage=lineage_of(entry, summary.header),
            life=summary.life,
            override=kept_override(summary.override, entry),
            problems=tuple(problems),
            index_key=raw,
            entry=entry,
        )

    def quick(self, key: str) -> SessionRecord | None:
        """The session of a key, looking only at its own file; None when the index does not
        plainly say which that is."""
        entries = self.index.read_some((key, key.replace(":dm:", ":direct:", 1)))
        if not entries:
            return None
        raw = max(entries, key=lambda name: number(entries[name].get("updatedAt")))
        summaries = self.index.read_cache()
        for name in candidates(entries[raw]):
            try:
                there = self._disk.look(self.path / name)
                known = summaries.get(name)
                if known is None or (known.size, known.mtime_ns) != state_of(there):
                    known = self._scan_anew(name, known, summaries)
            except (OSError, StoreError):
                continue
            return self._record(name, key, known, "session", raw, entries[raw])
        return None

    def _scan_anew(
        self, name: str, known: Summary | None, summaries: dict[str, Summary]
    ) -> Summary:
        """A file's summary; kept when making it took long, so that it need not again."""
        found = scan(self._disk, self.path / name, known)
        if found.size - (known.size if known is not None else 0) > _WORTH_KEEPING:
            self.index.write_cache({**summaries, name: found})
        return found

    def find(self, key: str) -> SessionRecord | None:
        """The session of a key, looking at everything; None when its file is not here."""
        if self._is_nowhere(key):
            return None
        for record in self.records():
            if record.key == key and record.kind == "session" and record.state != "missing":
                return record
        return None

    def unfinished_reset(self, key: str) -> SessionRecord | None:
        """The session of a key that was put aside by a reset whose program was killed before it
        made the new one."""
        for raw, entry in self.index.read_some((key, key.replace(":dm:", ":direct:", 1))).items():
            stems = {stem_of(name) for name in candidates(entry)}
            for name in sorted(self._files(), reverse=True):
                parts = read_name(name)
                if parts is not None and parts.kind == "reset" and parts.stem in stems:
                    summary = scan(self._disk, self.path / name)
                    return self._record(name, key, summary, "reset", raw, entry)
        return None

    def last_ended(self, key: str) -> SessionRecord | None:
        """What a key's session was before, when that is over: the conversation that ended last."""
        summaries: dict[str, Summary] | None = None
        found = []
        for name in self._files():
            parts = read_name(name)
            if parts is None or parts.kind not in ENDED:
                continue
            if summaries is None:
                summaries = self.index.read_cache()
            try:
                summary = summaries.get(name) or scan(self._disk, self.path / name)
            except StoreError:
                continue
            if told_key(summary) == key:
                found.append(self._record(name, key, summary, parts.kind))
        return max(found, key=lambda one: (one.ended, one.path.name), default=None)

    def _is_nowhere(self, key: str) -> bool:
        """Whether index and file names alone tell that no file is of this key: the index is
        whole, does not know the key, and knows every transcript."""
        index = self.index.read()
        if index is None or any(canonical_key(raw) == key for raw in index):
            return False
        named = {name for entry in index.values() for name in candidates(entry)}
        for name in self._files():
            parts = read_name(name)
            if parts is not None and parts.kind == "session" and name not in named:
                return False
        return True

    def note(self, records: Iterable[SessionRecord]) -> None:
        """Bring index and summaries up to date with the files of some sessions, writing each
        once. A file that cannot be read any more is passed over.

        Raises:
            SessionBusy, StoreError: the index cannot be written.
        """
        with self.index.locked():
            summaries = self.index.read_cache()
            changes = {}
            for record in records:
                name = record.path.name
                try:
                    summaries[name] = scan(self._disk, record.path, summaries.get(name))
                except StoreError:
                    continue
                fresh = self._record(name, record.key, summaries[name], "session")
                changes[record.index_key or record.key] = self.entry_for(fresh)
            self.index.patch(changes)
            self.index.write_cache(summaries)

    def record_of(self, name: str, key: str, kind: Kind = "session") -> SessionRecord:
        """The record of one file under a key, from the file alone.

        Raises:
            StoreError: it cannot be read.
        """
        return self._record(name, key, scan(self._disk, self.path / name), kind)

    def entry_for(self, record: SessionRecord) -> IndexEntry:
        """The index fields that a transcript determines; the same whoever writes them."""
        entry: IndexEntry = {
            "sessionId": record.session_id,
            "sessionFile": record.path.name,
            "updatedAt": record.last_active,
            "createdAt": record.created,
            "lastActive": record.last_active,
            "messageCount": record.messages,
            "state": record.state,
        }
        if record.label:
            entry["label"] = record.label
        if record.labels:
            entry["labels"] = list(record.labels)
        if record.origin:
            entry["origin"] = dict(record.origin)
        if record.lineage:
            entry["lineage"] = dict(record.lineage)
        return entry

    def _rebuild(self, found: list[SessionRecord]) -> None:
        """Write the index anew from the files."""
        base = {r.key: self.entry_for(r) for r in found if r.kind == "session"}
        try:
            self.problems += self.index.patch({}, base)
        except StoreError as error:
            self.problems.append(Problem(str(error), severity="warning"))
