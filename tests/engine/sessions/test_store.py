from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock, iso
from engine.errors import SessionBusy, SessionNotFound, StoreError
from engine.routing.envelope import OPERATOR_CHANNEL
from engine.sessions.keys import agent_of, canonical_key
from engine.sessions.records import read_name
from engine.sessions.shelf import reset
from engine.sessions.store import Store
from engine.sessions.summary import scan
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, reply, texts, user

Cases = Callable[[str], list[dict[str, Any]]]
BOB = "agent:main:telegram:dm:bob"


class CountingDisk(QuickDisk):
    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        self.opened.append(path.name)
        return super().open(path, flags, mode)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    return Store(QuickDisk(), tmp_path / "state", clock)


def folder(store: Store, agent: str = "main") -> Path:
    return store.state_dir / "agents" / agent / "sessions"


def index(store: Store) -> dict[str, Any]:
    found = json.loads((folder(store) / "sessions.json").read_bytes())
    assert isinstance(found, dict)
    return found


def say(store: Store, key: str, *said: str) -> Transcript:
    transcript = store.open(store.create(key, agent_of(key) or "main"))
    for text in said:
        transcript.append(user(text))
    return transcript


def test_recorded_lists_are_the_same(tmp_path: Path, cases: Cases) -> None:
    seen = 0
    for case in cases("tree"):
        if case["group"] != "list":
            continue
        seen += 1
        store = Store(QuickDisk(), tmp_path / case["id"], ManualClock())
        folder(store).mkdir(parents=True)
        for name, text in case["input"]["files"].items():
            (folder(store) / name).write_text(text)
        found = [
            {
                "file": record.path.name,
                "id": record.session_id,
                "name": record.label,
                "messageCount": record.messages,
                "firstMessage": record.preview or "(no messages)",
                "modified": iso(record.last_active),
                "hasParent": bool((record.lineage or {}).get("parentSession")),
            }
            for record in store.list()
        ]
        assert found == case["expected"]["sessions"], case["id"]
    assert seen >= 3


def test_every_session_and_leftover_of_a_real_state_dir_is_listed_and_opens(
    sample_state: Path,
) -> None:
    store = Store(QuickDisk(), sample_state, ManualClock())
    path = folder(store) / "sessions.json"
    before = path.read_bytes()
    found = store.list()
    files = {p.name for p in folder(store).iterdir() if not p.name.startswith("sessions.")}
    assert {record.path.name for record in found} == files
    assert {record.key for record in found} > set(json.loads(before))
    kinds = sorted(record.kind for record in found if record.kind != "session")
    assert kinds == ["checkpoint", "checkpoint", "reset", "reset"]
    for record in found:
        transcript = store.open(record)
        assert record.messages == sum(n.type == "message" for n in transcript.tree.nodes.values())
        assert record.problems == ()
    assert path.read_bytes() == before
    by_key = {record.key: record for record in found if record.kind == "session"}
    assert by_key["agent:main:src"].label == "source"
    assert by_key["agent:main:src"].path.name.startswith("8e540c89")
    assert by_key["agent:main:forked"].lineage == {"parentKey": "agent:main:src"}
    [reset] = [r for r in found if r.kind == "reset" and r.path.name.startswith("8e540c89")]
    assert reset.key == "agent:main:src"


def test_a_turn_added_to_a_real_session_leaves_the_rest_of_its_index_alone(
    sample_state: Path,
) -> None:
    store = Store(QuickDisk(), sample_state, ManualClock())
    before = index(store)
    transcript = store.writable("agent:main:main")
    said = transcript.path.read_bytes()
    transcript.append(user("one more"))
    store.note("agent:main:main", state="idle")
    after = index(store)
    assert transcript.path.read_bytes().startswith(said)
    assert {key: after[key] for key in after if key != "agent:main:main"} == {
        key: before[key] for key in before if key != "agent:main:main"
    }
    entry, old = after["agent:main:main"], before["agent:main:main"]
    assert set(old) <= set(entry) and entry["skillsSnapshot"] == old["skillsSnapshot"]
    assert entry["messageCount"] == 7 and entry["state"] == "idle"


def test_a_session_is_made_once_and_its_key_is_in_the_file(store: Store) -> None:
    record = store.create("agent:main:telegram:DIRECT:Bob", "main", origin={"channel": "telegram"})
    assert record.key == BOB and record.kind == "session"
    assert store.create(BOB, "main").path == record.path
    transcript = store.open(BOB)
    assert transcript.key == BOB and transcript.header["origin"] == {"channel": "telegram"}
    assert index(store)[BOB]["sessionFile"] == record.path.name
    assert index(store)[BOB]["sessionId"] == transcript.id
    assert BOB not in record.path.name


def test_folders_and_files_are_private_whatever_the_umask(store: Store) -> None:
    before = os.umask(0)
    try:
        say(store, BOB, "x")
        store.note(BOB)
        store.list()
    finally:
        os.umask(before)
    for path in [store.state_dir, *store.state_dir.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_deleted_index_is_rebuilt_as_it_was(store: Store, clock: ManualClock) -> None:
    for key in (BOB, "agent:main:main", "agent:main:slack:group:g1:thread:7"):
        clock.advance(60)
        say(store, key, f"hello {key}").append(reply("yes"))
        store.note(key)
    store.set_label(BOB, "Bobby")
    store.create("agent:main:fork:1", "main", lineage={"parentKey": BOB}, parent_session="/p.jsonl")
    reset(store, BOB)
    store.list()
    before, listed = index(store), store.list()
    for name in ("sessions.json", "sessions.cache.json"):
        (folder(store) / name).unlink()
        again = [(r.key, r.kind, r.path, r.label, r.lineage, r.messages) for r in store.list()]
        assert again == [(r.key, r.kind, r.path, r.label, r.lineage, r.messages) for r in listed]
        assert index(store) == before


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": {"b": ' * 500])
def test_a_broken_index_is_kept_aside_and_rebuilt(store: Store, raw: bytes) -> None:
    say(store, BOB, "x")
    path = folder(store) / "sessions.json"
    path.write_bytes(raw)
    assert [record.key for record in store.list()] == [BOB]
    aside = list(folder(store).glob("sessions.json.broken.*"))
    assert [item.read_bytes() for item in aside] == [raw]
    assert aside[0].name in str(store.problems[0])
    assert list(index(store)) == [BOB]
    assert store.list() and store.problems == ()


def test_odd_entries_in_the_index_hurt_nobody(store: Store) -> None:
    transcript = say(store, BOB, "x")
    secret = store.state_dir / "secret.jsonl"
    shutil.copy(transcript.path, secret)
    link = folder(store) / "link.jsonl"
    link.symlink_to(secret)
    entries: dict[str, Any] = index(store)
    entries.update(
        {
            "agent:main:a": {
                "sessionId": "../../../secret",
                "sessionFile": "../../../secret.jsonl",
            },
            "agent:main:b": {"sessionFile": str(secret)},
            "agent:main:c": {"sessionId": "link", "sessionFile": str(link)},
            "agent:main:d": {"sessionId": 7, "sessionFile": ["x"], "updatedAt": "soon"},
            "agent:main:e": {"sessionId": "a\0b"},
            "agent:main:f": {"sessionId": "sessions.json", "sessionFile": "sessions.json"},
            "agent:main:g": "not an entry",
            "": {},
        }
    )
    (folder(store) / "sessions.json").write_text(json.dumps(entries))
    found = {record.key: record for record in store.list()}
    assert found[BOB].messages == 1
    for key in ("agent:main:a", "agent:main:b", "agent:main:c", "agent:main:d", "agent:main:e"):
        assert found[key].state == "missing" and "missing" in str(found[key].problems[0])
        assert store.get(key) is None
    fresh = store.create("agent:main:a", "main")
    assert fresh.path.parent == folder(store)


def test_agent_ids_cannot_leave_the_state_dir(store: Store) -> None:
    for agent in ("..", "../x", "/etc", "a/b", "", "A", "a\0", "x" * 65, "ü"):
        with pytest.raises(StoreError, match="agent id"):
            store.create("agent:main:x", agent)
    assert store.get("agent:..:x") is None
    say(store, BOB, "x")
    outside = store.state_dir / "outside"
    shutil.move(folder(store).parent, outside)
    folder(store).parent.symlink_to(outside)
    assert store.agents() == []


def test_spellings_of_a_key_are_one_and_an_index_keeps_its_own(store: Store) -> None:
    path = say(store, BOB, "x").path
    entry = index(store)[BOB]
    other = "agent:main:telegram:direct:bob"
    (folder(store) / "sessions.json").write_text(json.dumps({other: entry}))
    assert store.get(BOB) is not None and store.resolve(other).path == path
    assert [record.key for record in store.list()] == [BOB]
    assert store.create(BOB, "main").path == path
    store.note(BOB)
    assert list(index(store)) == [other]


def test_two_files_for_one_key_are_both_listed(store: Store, clock: ManualClock) -> None:
    path = say(store, BOB, "old").path
    clock.advance(100)
    copy = folder(store) / "copy.jsonl"
    shutil.copy(path, copy)
    Transcript.open(copy).append(user("new"))
    (folder(store) / "sessions.json").unlink()
    kinds = {record.path.name: record.kind for record in store.list()}
    assert kinds == {"copy.jsonl": "session", path.name: "older"}


def test_orphans_are_adopted_under_their_own_key_or_their_file(store: Store) -> None:
    path = say(store, BOB, "x").path
    (folder(store) / "sessions.json").write_text("{}")
    stray = folder(store) / "Stray-1.jsonl"
    stray.write_bytes(path.read_bytes().replace(b'"sessionKey":"' + BOB.encode() + b'"', b'"q":1'))
    assert {record.key for record in store.list()} == {BOB, "agent:main:explicit:stray-1"}
    assert index(store) == {}
    assert store.create(BOB, "main").path == path
    assert list(index(store)) == [BOB]
    assert store.resolve("agent:main:explicit:stray-1").path == stray


def test_a_session_whose_file_went_away_starts_anew(store: Store) -> None:
    path = say(store, BOB, "x").path
    path.unlink()
    [record] = store.list()
    assert record.state == "missing" and record.problems
    fresh = store.create(BOB, "main")
    assert fresh.path != path
    assert [record.problems for record in store.list()] == [()]


def test_a_reset_keeps_the_old_one_listed_and_label_and_model_in_force(store: Store) -> None:
    transcript = say(store, BOB, "old")
    body = {"type": "custom", "customType": "branchline.model", "data": {"model": "p/m"}}
    transcript.append(body)
    store.set_label(BOB, "Bobby")
    reset(store, BOB)
    fresh = store.open(BOB)
    assert texts(fresh) == [] and fresh.tree.name == "Bobby"
    assert fresh.tree.entry(fresh.tree.ours["branchline.model"]).data["data"] == {"model": "p/m"}
    assert fresh.append(user("new")).parent_id is None
    generations = [record for record in store.list() if record.key == BOB]
    assert sorted(record.kind for record in generations) == ["reset", "session"]
    [old] = [record for record in generations if record.kind == "reset"]
    assert texts(store.open(old)) == ["old"]
    reset(store, BOB)
    assert [r.kind for r in store.list() if r.key == BOB].count("reset") == 2
    with pytest.raises(StoreError, match="gone"):
        transcript.append(user("into the old one"))


def test_a_note_from_an_old_record_goes_to_the_file_of_now(store: Store) -> None:
    say(store, BOB, "old")
    before = store.get(BOB)
    assert before is not None
    _, fresh = reset(store, BOB)
    assert store.note(before, label="L").path == fresh.path
    assert index(store)[BOB]["sessionFile"] == fresh.path.name


def test_a_busy_session_is_not_reset(store: Store) -> None:
    transcript = say(store, BOB, "x")
    with transcript.hold(), pytest.raises(SessionBusy):
        reset(store, BOB)
    assert texts(store.open(BOB)) == ["x"]


def test_references_by_key_id_prefix_label_and_path(store: Store, tmp_path: Path) -> None:
    path = say(store, BOB, "x").path
    say(store, "agent:main:main", "y")
    store.set_label(BOB, "Bobby Tables")
    record = store.get(BOB)
    assert record is not None
    for ref in (BOB, BOB.upper(), record.session_id, record.session_id[:8], "bobby tables"):
        assert store.resolve(ref).path == path, ref
    for ref in (str(path), path.name):
        assert store.resolve(ref).path == path, ref
    loose = tmp_path / "loose.jsonl"
    shutil.copy(path, loose)
    assert (store.resolve(str(loose)).kind, store.resolve(str(loose)).key) == ("file", BOB)
    with pytest.raises(SessionNotFound) as caught:
        store.resolve("agent:main:telegram:dm:bab")
    assert BOB in str(caught.value)
    with pytest.raises(SessionNotFound, match="no session"):
        store.resolve("\x1b[31m" + "x" * 10_000)


def test_a_reference_that_fits_two_names_both(store: Store) -> None:
    for key in (BOB, "agent:main:main"):
        say(store, key, "x")
        store.set_label(key, "same")
    with pytest.raises(SessionNotFound, match="fits 2 sessions") as caught:
        store.resolve("same")
    assert BOB in str(caught.value) and "agent:main:main" in str(caught.value)


def test_listing_opens_only_what_changed(store: Store) -> None:
    transcripts = [say(store, f"agent:main:telegram:dm:{n}", "x") for n in range(20)]
    store.list()
    disk = CountingDisk()
    quick = Store(disk, store.state_dir, store.clock)
    assert len(quick.list()) == 20
    assert [name for name in disk.opened if name.endswith(".jsonl")] == []
    transcripts[3].append(user("more"))
    listed = {record.key: record.messages for record in quick.list()}
    assert [name for name in disk.opened if name.endswith(".jsonl")] == [transcripts[3].path.name]
    assert listed["agent:main:telegram:dm:3"] == 2


def test_a_summary_goes_on_from_where_it_was(store: Store) -> None:
    transcript = say(store, BOB, "first", "second")
    known = scan(QuickDisk(), transcript.path)
    transcript.append(reply("third"))
    transcript.set_name("Name")
    whole, added = scan(QuickDisk(), transcript.path), scan(QuickDisk(), transcript.path, known)
    assert whole == added
    assert (whole.messages, whole.preview, whole.name, whole.model) == (3, "first", "Name", "p/m")
    with transcript.path.open("ab") as file:
        file.write(b'{"type":"message","id":"z","message":{"role":"user"')
    torn = scan(QuickDisk(), transcript.path, whole)
    assert not torn.settled and torn.messages == 3
    with transcript.path.open("ab") as file:
        file.write(b"}}\n")
    assert scan(QuickDisk(), transcript.path, torn) == scan(QuickDisk(), transcript.path)


def test_a_look_at_a_long_session_is_remembered(store: Store) -> None:
    class Measuring(QuickDisk):
        bytes = 0

        def read(self, fd: int, count: int, offset: int) -> bytes:
            found = super().read(fd, count, offset)
            self.bytes += len(found)
            return found

    say(store, BOB, *("y" * 100_000 for _ in range(20)))
    disk = Measuring()
    for _ in range(3):
        found = Store(disk, store.state_dir, store.clock).get(BOB)
        assert found is not None and found.messages == 20
    assert disk.bytes < 3_000_000


def test_a_file_that_is_no_transcript_is_listed_with_its_problem(store: Store) -> None:
    say(store, BOB, "x")
    (folder(store) / "noise.jsonl").write_bytes(os.urandom(200).replace(b"\n", b""))
    (folder(store) / "empty.jsonl").write_bytes(b"")
    os.mkfifo(folder(store) / "pipe.jsonl")
    found = {record.path.name: record for record in store.list()}
    assert "no session transcript" in str(found["noise.jsonl"].problems[0]) or (
        "not a session transcript" in str(found["noise.jsonl"].problems[0])
    )
    assert found["empty.jsonl"].messages == 0 and found["empty.jsonl"].problems == ()
    assert texts(store.open(found["empty.jsonl"])) == []
    assert "pipe.jsonl" not in found
    assert len(store.list()) == 3


def test_an_index_changed_by_another_program_meanwhile_is_merged(store: Store) -> None:
    say(store, BOB, "x")
    other = Store(QuickDisk(), store.state_dir, store.clock)
    other.create("agent:main:main", "main")
    entries = index(store)
    entries[BOB]["theirs"] = [1, 2]
    (folder(store) / "sessions.json").write_text(json.dumps(entries))
    store.note(BOB, label="L", origin=None)
    assert set(index(store)) == {BOB, "agent:main:main"}
    assert index(store)[BOB]["theirs"] == [1, 2] and index(store)[BOB]["label"] == "L"


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("agent:main:direct:bob", "agent:main:dm:bob"),
        ("agent:main:telegram:direct:bob", "agent:main:telegram:dm:bob"),
        ("agent:main:telegram:work:direct:bob", "agent:main:telegram:work:dm:bob"),
        (
            "agent:main:telegram:work:direct:bob:thread:1",
            "agent:main:telegram:work:dm:bob:thread:1",
        ),
        ("agent:main:telegram:group:direct", "agent:main:telegram:group:direct"),
        ("agent:main:telegram:group:direct:thread:1", "agent:main:telegram:group:direct:thread:1"),
        ("agent:main:telegram:dm:direct:x", "agent:main:telegram:dm:direct:x"),
        ("agent:main:direct", "agent:main:direct"),
        ("agent:direct:main", "agent:direct:main"),
        ("  AGENT:Main:MAIN ", "agent:main:main"),
        ("agent:main:telegram:direct:direct", "agent:main:telegram:dm:direct"),
    ],
)
def test_keys_are_spelt_our_way(key: str, canonical: str) -> None:
    assert canonical_key(key) == canonical
    assert canonical_key(canonical) == canonical


@pytest.mark.parametrize(
    ("name", "stem", "kind"),
    [
        ("a.jsonl", "a", "session"),
        ("a.checkpoint.b-1.jsonl", "a", "checkpoint"),
        ("a.jsonl.reset.2026-11-20T11-17-03.013Z", "a", "reset"),
        ("a.jsonl.deleted.2026-11-20T11-17-03.013Z", "a", "deleted"),
        ("a.jsonl.deleted", "a", "deleted"),
        ("a.jsonl.bak.1", "a", "bak"),
        ("a-topic-7.jsonl", "a-topic-7", "session"),
    ],
)
def test_file_names_say_what_a_file_is(name: str, stem: str, kind: str) -> None:
    found = read_name(name)
    assert found is not None and (found.stem, found.kind) == (stem, kind)


@pytest.mark.parametrize(
    "name",
    [
        "sessions.json",
        "a.jsonl.lock",
        "a.jsonl.torn.2026",
        ".a.jsonl.1.2.tmp",
        "notes.txt",
        ".jsonl",
    ],
)
def test_other_files_are_no_sessions(name: str) -> None:
    assert read_name(name) is None


def heard(store: Store) -> tuple[int, str]:
    record = store.get(BOB)
    assert record is not None
    return record.heard, record.trouble


def from_(origin: object) -> dict[str, Any]:
    return {**user("hello"), "origin": origin}


def test_what_others_wrote_is_counted_and_a_reply_that_failed_is_told(store: Store) -> None:
    transcript = store.open(store.create(BOB, "main"))
    transcript.append(from_({"channel": OPERATOR_CHANNEL, "accountId": "default"}))
    assert heard(store) == (0, "")
    transcript.append(from_({"channel": "telegram", "peer": {"kind": "dm", "id": "bob"}}))
    transcript.append(user("of nobody that is known"))
    assert heard(store) == (2, "")
    failed = reply("")
    failed["message"] |= {"stopReason": "error", "errorMessage": "no key \x1b[31m" + "x" * 1000}
    transcript.append(failed)
    many, trouble = heard(store)
    assert many == 3 and trouble.startswith("no key") and len(trouble) == 300
    transcript.append(reply("here it is"))
    assert heard(store) == (4, "")


@pytest.mark.parametrize("origin", [None, 5, "x", [], {"channel": 7}, {"channel": "terminal"}])
def test_an_origin_may_hold_anything(store: Store, origin: object) -> None:
    transcript = store.open(store.create(BOB, "main"))
    transcript.append(from_(origin))
    own = origin == {"channel": "terminal"}
    assert heard(store) == (0 if own else 1, "")
