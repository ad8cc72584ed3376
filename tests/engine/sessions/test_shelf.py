from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.errors import CommandError, SessionBusy, SessionNotFound
from engine.sessions.life import Life, life_note, moment_of, read_life, stamp_of
from engine.sessions.records import SessionRecord
from engine.sessions.shelf import erase, put_aside, reset, restore
from engine.sessions.store import Store
from engine.sessions.tombs import Tombstone, bury, read_tombs
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import FaultyDisk, QuickDisk, reply, texts, user
from tests.engine.sessions.test_crash import FAULTS, faults

BOB = "agent:main:telegram:dm:bob"
FOLDER = "agents/main/sessions"
MODEL = {"type": "custom", "customType": "branchline.model", "data": {"model": "p/m"}}
LABELS = {"type": "custom", "customType": "branchline.labels", "data": {"labels": ["vip"]}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(QuickDisk(), tmp_path / "state", ManualClock())


def talk(store: Store, *said: str) -> SessionRecord:
    transcript = store.open(store.create(BOB, "main"))
    for text in said:
        transcript.append(user(text))
    transcript.close()
    return store.note(BOB)


def everything(store: Store) -> dict[str, list[str]]:
    """What is said in each transcript, by the time-free part of its kind."""
    found: dict[str, list[str]] = {}
    for record in store.list():
        found.setdefault(record.kind, []).extend(texts(store.open(record)))
    return found


def found_by_kind(store: Store, kind: str) -> SessionRecord:
    [one] = [record for record in store.list() if record.kind == kind]
    return one


def tombs(store: Store) -> list[Tombstone]:
    return read_tombs(store.disk, store.directory("main").tombs)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("doing", ["archive", "delete", "restore", "over", "reset", "erase"])
def test_a_fault_at_every_call_loses_nothing_and_leaves_the_old_or_the_new(
    tmp_path: Path, kind: str, doing: str
) -> None:
    base, state = tmp_path / "base", tmp_path / "state"
    clock = ManualClock()
    first = Store(QuickDisk(), base, clock)
    talk(first, "old")
    with first.open(BOB).hold():
        pass
    transcript = first.open(BOB)
    transcript.append_all((MODEL, LABELS))
    transcript.set_name("Bobby")
    transcript.close()
    first.note(BOB, label="Bobby", foreignField=7)
    if doing in ("restore", "over"):
        put_aside(first, first.resolve(BOB), "archived", reason="why", rule="which")
    if doing == "erase":
        put_aside(first, first.resolve(BOB), "deleted")
    if doing == "over":
        talk(first, "new")

    def run(disk: FaultyDisk) -> None:
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(base, state)
        store = Store(disk, state, clock)
        if doing in ("archive", "delete"):
            ending = "archived" if doing == "archive" else "deleted"
            put_aside(store, store.resolve(BOB), ending, reason="why", rule="which")  # type: ignore[arg-type]
        elif doing in ("restore", "over"):
            restore(store, found_by_kind(store, "archived"))
        elif doing == "reset":
            reset(store, BOB, reason="why", rule="which")
        else:
            erase(store, found_by_kind(store, "deleted"), rule="which")

    for at, disk in faults(kind, run):
        place = (at, disk.trace[at - 1])
        store = Store(QuickDisk(), state, clock)
        said = everything(store)
        gone = doing == "erase" and not said
        assert gone or "old" in [text for found in said.values() for text in found], place
        if doing == "over":
            assert sorted(text for found in said.values() for text in found) == ["new", "old"]
        if doing in ("archive", "delete"):
            ending = "archived" if doing == "archive" else "deleted"
            assert said in ({"session": ["old"]}, {ending: ["old"]}), place
            if ending in said:
                one = found_by_kind(store, ending)
                assert one.key == BOB
                assert one.life is not None and one.life.rule == "which", place
        if "deleted" in said or gone:
            assert tombs(store)[-1].key == BOB, place
        if doing == "reset":
            kept = store.create(BOB, "main")
            fresh = store.open(kept)
            assert texts(fresh) in ([], ["old"]), place
            assert (fresh.tree.name, kept.labels) == ("Bobby", ("vip",)), place
            assert "branchline.model" in fresh.tree.ours, place
        assert not list(state.rglob(".*.tmp")), place
        listed = [(r.key, r.kind, r.path, r.labels) for r in store.list()]
        for name in ("sessions.json", "sessions.cache.json"):
            (state / FOLDER / name).unlink(missing_ok=True)
        rebuilt = Store(QuickDisk(), state, clock)
        assert [(r.key, r.kind, r.path, r.labels) for r in rebuilt.list()] == listed, place
        if doing in ("archive", "delete", "restore") and not gone:
            [one] = [record for record in rebuilt.list() if record.key == BOB]
            if one.kind != "session":
                one = restore(rebuilt, one)
            assert texts(rebuilt.open(BOB)) == ["old"], place
            again = rebuilt.open(BOB)
            again.append(user("more"))
            again.close()
            rebuilt.note(BOB)
            assert not list(state.rglob("*.lock")), place


def test_a_restored_session_has_what_only_the_index_knew(store: Store) -> None:
    talk(store, "one")
    store.note(BOB, foreignField={"x": 1}, modelOverride="m")
    aside = put_aside(store, store.resolve(BOB), "archived")
    index = store.state_dir / FOLDER / "sessions.json"
    assert BOB not in json.loads(index.read_bytes())
    restore(store, aside)
    entry = json.loads(index.read_bytes())[BOB]
    assert (entry["foreignField"], entry["modelOverride"]) == ({"x": 1}, "m")


def test_names_never_collide(store: Store) -> None:
    for text in ("one", "two", "three"):
        talk(store, text)
        aside = put_aside(store, store.resolve(BOB), "archived")
        put_aside(store, aside, "deleted")
    assert sorted(everything(store)["deleted"]) == ["one", "three", "two"]
    talk(store, "x")
    one = put_aside(store, store.resolve(BOB), "archived")
    twin = one.path.with_name(one.path.name.partition(".jsonl")[0] + ".jsonl")
    twin.write_bytes(one.path.read_bytes().replace(BOB.encode(), b"agent:main:chat:twin"))
    restored = restore(store, one)
    assert restored.path != twin and texts(store.open(BOB)) == ["x"]


def test_what_cannot_be_put_aside_says_why(store: Store, tmp_path: Path) -> None:
    record = talk(store, "one")
    loose = tmp_path / "loose.jsonl"
    loose.write_bytes(record.path.read_bytes())
    with pytest.raises(CommandError, match="elsewhere"):
        put_aside(store, store.resolve(str(loose)), "archived")
    with pytest.raises(CommandError, match="not in the trash"):
        erase(store, record)
    with pytest.raises(CommandError, match="not archived"):
        restore(store, record)
    record.path.unlink()
    [missing] = store.list()
    with pytest.raises(SessionNotFound, match="missing"):
        put_aside(store, missing, "archived")
    with pytest.raises(SessionNotFound):
        reset(store, BOB)


def test_what_is_written_at_the_moment_stays(store: Store) -> None:
    record = talk(store, "one")
    other = Transcript.open(record.path, disk=store.disk)
    with other.hold():
        for ending in ("archived", "deleted"):
            with pytest.raises(SessionBusy):
                put_aside(store, record, ending)  # type: ignore[arg-type]
    other.close()
    assert everything(store) == {"session": ["one"]}


def test_a_file_that_is_no_transcript_goes_to_the_trash_too(store: Store) -> None:
    talk(store, "one")
    bad = store.state_dir / FOLDER / "bad.jsonl"
    bad.write_bytes(b"this is nothing\n{}\n")
    [record] = [one for one in store.list() if one.path == bad]
    put_aside(store, record, "deleted")
    assert not bad.exists()
    assert [one.kind for one in store.list() if one.path.name.startswith("bad")] == ["deleted"]


def test_a_stale_lock_of_what_was_put_aside_is_swept_away(store: Store) -> None:
    talk(store, "one")
    aside = put_aside(store, store.resolve(BOB), "archived")
    lock = aside.path.with_name(f"{aside.path.name}.lock")
    lock.write_text('{"pid": 999999, "createdAt": "2026-01-01T00:00:00.000Z"}')
    store.list()
    assert not lock.exists()


def test_a_torn_tombstone_costs_only_itself(tmp_path: Path) -> None:
    path, disk = tmp_path / "tombstones.jsonl", QuickDisk()
    one = Tombstone("trash", 1, "by hand", "why", BOB, "s", "s.jsonl", 2, 0, 0)
    bury(disk, path, one)
    with path.open("ab") as file:
        file.write(b'{"action":"tra')
    bury(disk, path, one)
    assert read_tombs(disk, path) == [one, one]
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_tombs(disk, tmp_path / "none") == []


def test_times_in_names_are_the_reference_s() -> None:
    assert stamp_of(1_795_173_498_402) == "2026-11-20T11-18-18.402Z"
    assert moment_of("2026-11-20T11-18-18.402Z") == 1_795_173_498_402
    assert moment_of("2026-11-20T11-18-18.402Z.3") == 1_795_173_498_402
    assert moment_of("2026-11-20T11-18-18Z") == 1_795_173_498_000
    assert moment_of("yesterday") is None


def test_a_life_reads_as_it_was_written_and_nonsense_reads_as_nothing() -> None:
    life = Life("archive", "why", "which", BOB, 1_795_173_498_402)
    note = life_note(life, {})
    assert read_life(note["data"], note["timestamp"]) == life
    assert read_life(None, None) is None and read_life({"event": 7}, None) is None
    assert read_life({"event": "x", "reason": []}, "never") == Life("x")


def test_a_long_answer_that_ended_is_found_by_its_time(store: Store) -> None:
    record = talk(store, "one")
    transcript = store.open(record)
    transcript.append(reply("two"))
    transcript.close()
    old = record.path.with_name(f"{record.path.name}.reset.2026-11-20T11-18-18.402Z")
    record.path.rename(old)
    [found] = store.list()
    assert (found.kind, found.key, found.ended) == ("reset", BOB, 1_795_173_498_402)
