from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.disk import ensure_dir
from engine.errors import SessionError, SessionReadOnly, StoreError
from engine.sessions.shelf import reset
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import (
    FaultyDisk,
    Killed,
    QuickDisk,
    new_transcript,
    reply,
    texts,
    user,
)

FAULTS = ["enospc", "eio", "short", "kill", "power"]
TORN = b'{"type":"message","id":"torn'


def faults(kind: str, run: Callable[[FaultyDisk], object]) -> Iterator[tuple[int, FaultyDisk]]:
    """Run a thing again and again with each of its system calls failing once."""
    for at in range(1, 400):
        disk = FaultyDisk(at, "kill" if kind == "power" else kind)
        with suppress(SessionError, OSError, Killed):
            run(disk)
        disk.bury(lose=kind == "power")
        if not disk.hit:
            assert at > 3
            return
        yield at, disk
    raise AssertionError("the loop did not come to an end")


@pytest.mark.parametrize("torn", [b"", TORN, None], ids=["whole", "torn", "no newline"])
@pytest.mark.parametrize("kind", FAULTS)
def test_an_append_survives_a_fault_at_every_call(
    tmp_path: Path, kind: str, torn: bytes | None
) -> None:
    whole = new_transcript(tmp_path / "first.jsonl", "one", "two").path.read_bytes()
    start = whole[:-1] if torn is None else whole + torn
    path = tmp_path / "s.jsonl"
    acked: list[str] = []

    def run(disk: FaultyDisk) -> None:
        acked.clear()
        path.write_bytes(start)
        transcript = Transcript.open(path, disk=disk, clock=ManualClock())
        for text in ("three", "four"):
            transcript.append(user(text))
            acked.append(text)

    for at, disk in faults(kind, run):
        place = (at, disk.trace[at - 1])
        assert path.read_bytes().startswith(whole[:-1]), place
        found = Transcript.open(path, disk=QuickDisk())
        loaded = texts(found)
        assert loaded[:2] == ["one", "two"], place
        assert loaded[2:] == ["three", "four"][: len(loaded) - 2], place
        assert len(loaded) - 2 >= len(acked), place
        if kind not in ("kill", "power"):
            assert loaded[2:] == acked, place
        sent = found.append(user("later"))
        before = path.read_bytes()
        again = Transcript.open(path, disk=QuickDisk())
        assert texts(again) == [*loaded, "later"], place
        assert again.tree.leaf == sent.id
        with again.hold():
            pass
        assert path.read_bytes() == before, place
        assert not [item for item in tmp_path.iterdir() if item.name.endswith((".tmp", ".lock"))]
        for aside in tmp_path.glob("*.torn.*"):
            assert (TORN.startswith(aside.read_bytes())) or aside.read_bytes()[:1] == b"{", place
            aside.unlink()


@pytest.mark.parametrize("kind", ["enospc", "short", "eio"])
def test_the_same_transcript_goes_on_after_a_failed_write_or_says_why_not(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "s.jsonl"
    calls = FaultyDisk()
    transcript = new_transcript(path, "one", disk=calls)
    calls.calls = 0
    transcript.append(user("count"))
    total = calls.calls
    path.unlink()
    refused = 0
    for at in range(1, total + 1):
        disk = FaultyDisk()
        transcript = new_transcript(path, "one", disk=disk)
        disk.calls, disk.at, disk.fault = 0, at, kind
        acked = ["one"]
        for text in ("two", "three"):
            try:
                transcript.append(user(text))
                acked.append(text)
            except SessionReadOnly:
                refused += 1
                assert transcript.read_only and str(transcript.problems[0])
                transcript.reopen()
                assert transcript.read_only is None
                transcript.append(user(text))
                acked.append(text)
            except StoreError as error:
                assert error.remedy, disk.trace[at - 1]
        assert texts(Transcript.open(path, disk=QuickDisk())) == acked == texts(transcript), (
            disk.trace[at - 1]
        )
        disk.bury()
        path.unlink()
    # Only a failed fsync leaves it unknown what the disk holds.
    assert refused == (1 if kind != "short" else refused)


def test_a_roll_back_that_fails_too_makes_the_session_read_only(tmp_path: Path) -> None:
    class Dying(QuickDisk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            if b"lost" not in bytes(data):
                return super().write(fd, data)
            os.write(fd, bytes(data)[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def truncate(self, fd: int, size: int) -> None:
            if size > 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    transcript = new_transcript(tmp_path / "s.jsonl", "one", disk=Dying())
    with pytest.raises(StoreError, match="No space"):
        transcript.append(user("lost"))
    with pytest.raises(SessionReadOnly, match="opened again"):
        transcript.append(user("refused"))
    assert "No space" in str(transcript.problems[0])
    found = Transcript.open(tmp_path / "s.jsonl")
    found.append(user("after"))
    assert texts(found) == ["one", "after"]


def index_of(state: Path) -> bytes:
    return (state / "agents" / "main" / "sessions" / "sessions.json").read_bytes()


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("doing", ["create", "reset", "note", "label"])
def test_the_store_survives_a_fault_at_every_call(tmp_path: Path, kind: str, doing: str) -> None:
    base, state = tmp_path / "base", tmp_path / "state"
    key, clock = "agent:main:telegram:dm:bob", ManualClock()
    first = Store(QuickDisk(), base, clock)
    record = first.create("agent:main:main", "main")
    with_text = first.open(record)
    with_text.append(user("kept"))
    with_text.append(reply("too"))
    first.note(record)
    if doing != "create":
        first.open(first.create(key, "main")).append(user("bob"))
        first.note(key)

    def run(disk: FaultyDisk) -> None:
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(base, state)
        store = Store(disk, state, clock)
        if doing == "create":
            store.open(store.create(key, "main")).append(user("bob"))
        elif doing == "reset":
            reset(store, key)
        elif doing == "note":
            store.open(key).append(user("more"))
            store.note(key, state="idle")
        else:
            store.set_label(key, "Bobby")

    for at, disk in faults(kind, run):
        place = (at, disk.trace[at - 1])
        store = Store(QuickDisk(), state, clock)
        found = store.list()
        keyed = {(item.key, item.kind): item for item in found}
        assert keyed["agent:main:main", "session"].messages == 2, place
        assert texts(store.open("agent:main:main")) == ["kept", "too"], place
        if doing != "create":
            said = [text for r in found if r.key == key and r.messages for text in open_texts(r)]
            assert said[0] == "bob" and set(said[1:]) <= {"more"}, place
        store.open(store.create(key, "main")).append(user("again"))
        store.note(key)
        after = store.list()
        assert sum(r.key == key and r.kind == "session" for r in after) == 1, place
        assert not list((state / "agents" / "main" / "sessions").glob("*.lock")), place
        assert not list((state / "agents" / "main" / "sessions").glob(".*.tmp")), place
        written = index_of(state)
        (state / "agents" / "main" / "sessions" / "sessions.json").unlink()
        rebuilt = Store(QuickDisk(), state, clock).list()
        assert [(r.key, r.kind, r.path) for r in rebuilt] == [
            (r.key, r.kind, r.path) for r in after
        ], place
        if doing != "note":
            assert json.loads(index_of(state)) == json.loads(written), place


def open_texts(record: object) -> list[str]:
    path = record.path  # type: ignore[attr-defined]
    return texts(Transcript.open(path, disk=QuickDisk())) if path.exists() else []


@pytest.mark.parametrize("kind", FAULTS)
def test_migration_survives_a_fault_at_every_call(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    raw = b'{"role":"user","content":"one"}\n{"role":"assistant","content":"two"}\n'

    def run(disk: FaultyDisk) -> None:
        shutil.rmtree(state, ignore_errors=True)
        folder = state / "agents" / "main" / "sessions"
        ensure_dir(QuickDisk(), folder)
        (folder / "old.jsonl").write_bytes(raw)
        Store(disk, state, ManualClock()).writable("old").append(user("three"))

    for at, disk in faults(kind, run):
        place = (at, disk.trace[at - 1])
        store = Store(QuickDisk(), state, ManualClock())
        assert (state / "agents" / "main" / "sessions" / "old.jsonl").read_bytes() == raw, place
        live = [record for record in store.list() if record.kind == "session"]
        assert len(live) == 1, place
        assert texts(store.open(live[0]))[:2] == ["one", "two"], place
        store.writable(live[0]).append(user("four"))
        assert texts(store.open(live[0].key))[-1] == "four", place
