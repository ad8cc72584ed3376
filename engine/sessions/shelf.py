"""Sessions are put aside and taken out again: reset, archived, into the trash, and back.

Each is a note in the transcript, then one renaming of its file: what the file is called says what
it is, so a crash leaves it the one or the other, and the index only follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from engine.disk import explain, sync_dir
from engine.errors import CommandError, SessionNotFound, StoreError
from engine.sessions.entries import LIFE
from engine.sessions.keys import canonical_key
from engine.sessions.life import Life, life_note, stamp_of
from engine.sessions.lock import take
from engine.sessions.records import ENDED, SessionRecord, read_name
from engine.sessions.store import Store
from engine.sessions.tombs import Tombstone, bury
from engine.sessions.traces import candidates
from engine.sessions.transcript import Transcript
from engine.sessions.writing import make_header
from engine.text import safe_line
from engine.values import replace

__all__ = ["Ending", "erase", "put_aside", "reset", "restore"]

Ending = Literal["archived", "reset", "deleted"]
"""How a session is put aside: the kind that it then is."""

_EVENTS: dict[Ending, str] = {"archived": "archive", "reset": "reset", "deleted": "delete"}

_TOLD = frozenset(
    {
        *("sessionId", "sessionFile", "updatedAt", "createdAt", "lastActive", "messageCount"),
        *("state", "labels"),
    }
)
"""Index fields that the transcript tells; the others are kept in its note."""


def put_aside(
    store: Store, record: SessionRecord, ending: Ending, *, reason: str = "", rule: str = ""
) -> SessionRecord:
    """End a session, or move what ended already (an archived one into the trash).

    Args:
        record: a session or a leftover of the state dir.
        ending: what becomes of it.
        reason: why, for people.
        rule: the place in the config that decided.

    Returns:
        What it is now. Its key points to nothing, unless another session holds it.

    Raises:
        CommandError: it is a file elsewhere.
        SessionBusy: it is being written; says by whom.
        StoreError: it cannot be renamed or written; it is as it was.
    """
    _check(record)
    if record.kind == "session":
        record = _migrated(store, record)
    key, _ = _told(store, record)
    record = replace(record, key=key)
    directory = store.directory(record.agent_id)
    now = store.clock.now()
    life = Life(_EVENTS[ending], reason, rule, record.key, now)
    if ending == "deleted":
        _bury(store, record, "trash", reason, rule)
    extra = {} if ending == "reset" else _only_in_index(record)
    target = _free(record.path, f"{_base(record.path)}.{ending}.{stamp_of(now)}")
    _rename(store, record.path, target, life_note(life, extra))
    with directory.index.locked():
        if ending != "reset" and record.index_key:
            entry = directory.index.read_some((record.index_key,)).get(record.index_key, {})
            if record.path.name in candidates(entry):
                directory.index.patch({record.index_key: None})
    with contextlib.suppress(StoreError):
        return directory.record_of(target.name, record.key, ending)
    return replace(record, path=target, kind=ending, state="archived")


def reset(
    store: Store, key: str, *, reason: str = "", rule: str = ""
) -> tuple[SessionRecord, SessionRecord]:
    """Give a key a new file; the old one is put aside, stays listed under the key and can be
    opened (SPEC §11: generations). Name, labels and model override are carried over.

    Returns:
        The old one as it is kept, and the new one.

    Raises:
        SessionBusy: the old one is being written.
        SessionNotFound: there is no session of this key.
        StoreError: it cannot be renamed or written.
    """
    old = store.get(key)
    if old is None:
        raise SessionNotFound(f"there is no session {safe_line(key, limit=120)!r}")
    carried = store.carried(old)
    aside = put_aside(store, old, "reset", reason=reason, rule=rule)
    directory = store.directory(old.agent_id)
    fields: dict[str, Any] = {
        "sessionKey": old.key,
        "replaces": aside.path.name,
        "begun": {"reason": reason, "rule": rule, "messages": old.messages},
        "origin": old.origin,
        "lineage": old.lineage,
    }
    header = make_header(store.new_uuid(), store.clock, **fields)
    with directory.index.locked():
        fresh = store.add_file(directory, old.key, header, carried, index_key=old.index_key)
    return aside, fresh


def erase(store: Store, record: SessionRecord, *, reason: str = "", rule: str = "") -> None:
    """Remove what lies in the trash, for good. Its tombstone stays.

    Raises:
        CommandError: it does not lie in the trash.
        SessionBusy: it is being written.
        StoreError: it cannot be removed.
    """
    if record.kind != "deleted":
        raise CommandError(
            f"{safe_line(record.path.name, limit=120)} is not in the trash ({record.kind})",
            remedy="Delete it first: `branchline sessions delete`",
        )
    record = replace(record, key=_told(store, record)[0])
    _bury(store, record, "erase", reason, rule)
    held = take(store.disk, record.path, store.clock)
    try:
        store.disk.unlink(record.path)
        sync_dir(store.disk, record.path.parent)
    except OSError as error:
        raise explain(error, "could not erase the session") from error
    finally:
        held.release()


def _bury(store: Store, record: SessionRecord, action: str, reason: str, rule: str) -> None:
    directory = store.directory(record.agent_id)
    tomb = Tombstone(
        action,
        store.clock.now(),
        rule or "by hand",
        reason,
        record.key,
        record.session_id,
        record.path.name,
        record.messages,
        record.created,
        record.last_active,
    )
    with directory.index.locked():
        bury(store.disk, directory.tombs, tomb)


def restore(store: Store, record: SessionRecord) -> SessionRecord:
    """Make what was put aside its key's session again. One that holds the key by now is archived,
    so that this, too, can be taken back.

    Raises:
        CommandError: it is not archived, reset or in the trash.
        SessionBusy: it, or the one that holds the key, is being written.
        StoreError: it cannot be renamed or written; nothing is lost.
    """
    if record.kind not in ENDED:
        raise CommandError(
            f"{safe_line(record.path.name, limit=120)} is not archived ({record.kind})",
            remedy="Fork it to go on with it: `branchline sessions fork`",
        )
    directory = store.directory(record.agent_id)
    key, kept = _told(store, record)
    life = Life("restore", "", "", key, store.clock.now())
    now = store.get(key)
    if now is not None and now.state != "missing":
        put_aside(store, now, "archived", reason="an earlier conversation was restored")
    target = record.path.with_name(_base(record.path))
    if target.exists():
        target = record.path.with_name(f"{store.new_uuid()}.jsonl")
    _rename(store, record.path, target, life_note(life, {}))
    with directory.index.locked():
        found = directory.record_of(target.name, key)
        directory.index.patch({key: {**kept, **directory.entry_for(found)}})
    return directory.quick(key) or found


def _migrated(store: Store, record: SessionRecord) -> SessionRecord:
    """The session in a form that can be written to, so that it can be noted how it ended; as it
    is, where its file is damaged."""
    try:
        with closing(store.writable(record)) as transcript:
            moved = transcript.path != record.path
    except StoreError as error:
        if isinstance(error.__cause__, OSError):
            raise
        return record
    return (store.get(record.key) or record) if moved else record


def _check(record: SessionRecord) -> None:
    if record.state == "missing":
        raise SessionNotFound(
            f"the file of {safe_line(record.key, limit=120)} is missing",
            remedy="Its next message starts a new one",
        )
    if not record.agent_id:
        raise CommandError(
            f"{safe_line(str(record.path), limit=200)} is a file elsewhere",
            remedy="`branchline sessions import` makes it a session",
        )


def _base(path: Path) -> str:
    """The name that a file has as a session."""
    parts = read_name(path.name)
    return f"{parts.stem}.jsonl" if parts is not None and parts.kind in ENDED else path.name


def _free(path: Path, name: str) -> Path:
    """A path beside another that nothing stands at."""
    target, count = path.with_name(name), 0
    while target.exists():
        count += 1
        target = path.with_name(f"{name}.{count}")
    return target


def _only_in_index(record: SessionRecord) -> Mapping[str, Any]:
    entry = record.entry or {}
    return {name: value for name, value in entry.items() if name not in _TOLD}


def _told(store: Store, record: SessionRecord) -> tuple[str, Mapping[str, Any]]:
    """What a transcript itself tells: its key, and the index fields that it had when it ended.
    The record may have been made while the disk failed, and then knows less.

    Raises:
        StoreError: the disk fails now.
    """
    try:
        transcript = Transcript.open(record.path, disk=store.disk, clock=store.clock)
    except StoreError as error:
        if isinstance(error.__cause__, OSError):
            raise
        return record.key, {}
    with closing(transcript):
        tree, body = transcript.tree, None
        if LIFE in tree.ours:
            body = tree.entry(tree.ours[LIFE]).data.get("data")
        told = body if isinstance(body, dict) else {}
        key, index = told.get("key"), told.get("index")
        known = canonical_key(key) if isinstance(key, str) and key else record.key
        return transcript.key or known, index if isinstance(index, dict) else {}


def _rename(store: Store, source: Path, target: Path, note: Mapping[str, Any]) -> None:
    """Note in the transcript what happens to it, and rename it while nobody else can write. One
    that takes no note (of a form that is not written to, damaged) is renamed all the same."""
    try:
        transcript = Transcript.open(source, disk=store.disk, clock=store.clock)
    except StoreError as error:
        if isinstance(error.__cause__, OSError):
            raise  # the disk is to blame, not what is in the file
        _rename_locked(store, source, target)
        return
    with closing(transcript):
        if transcript.foreign or transcript.read_only is not None:
            _rename_locked(store, source, target)
            return
        with transcript.hold():
            transcript.append(note)
            _do(store, source, target)


def _rename_locked(store: Store, source: Path, target: Path) -> None:
    held = take(store.disk, source, store.clock)
    try:
        _do(store, source, target)
    finally:
        held.release()


def _do(store: Store, source: Path, target: Path) -> None:
    try:
        store.disk.rename(source, target)
        sync_dir(store.disk, target.parent)
    except OSError as error:
        raise explain(error, "could not put the session aside") from error
