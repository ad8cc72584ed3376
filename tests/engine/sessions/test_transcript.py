from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock
from engine.disk import Disk
from engine.errors import EntryNotFound, SessionReadOnly, StoreError
from engine.sessions.lines import CHUNK, MAX_DEPTH, MAX_LINE
from engine.sessions.transcript import Transcript, make_header
from tests.engine.sessions.support import new_transcript, reply, texts, user

Cases = Callable[[str], list[dict[str, Any]]]
HEADER = (
    b'{"type":"session","version":3,"id":"s","timestamp":"2026-01-01T00:00:00.000Z","cwd":""}\n'
)


def record(name: str, parent: str | None, text: str = "x") -> bytes:
    body = {**user(text), "id": name, "parentId": parent, "timestamp": "2026-01-01T00:00:00.000Z"}
    return json.dumps(body).encode() + b"\n"


def written(tmp_path: Path, *parts: bytes) -> Path:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join(parts))
    return path


def file_cases(cases: Cases) -> list[dict[str, Any]]:
    return [case for case in cases("tree") if case["group"] == "file"]


def test_recorded_files_load_as_in_the_reference(tmp_path: Path, cases: Cases) -> None:
    for case in file_cases(cases):
        path = written(tmp_path, case["input"]["raw"].encode())
        expected = case["expected"]
        if "openError" in expected:
            with pytest.raises(StoreError, match="no session header"):
                Transcript.open(path)
            continue
        found = Transcript.open(path)
        ids = expected["open"]["entryIds"]
        if "<random>" in ids:
            assert len(found.tree.nodes) == len(ids), case["id"]
            assert found.tree.leaf == list(found.tree.nodes)[-1]
        else:
            assert list(found.tree.nodes) == ids, case["id"]
            assert found.tree.leaf == expected["open"]["leaf"], case["id"]
            assert found.tree.anchor(found.tree.leaf) == expected["open"]["nextAppendParent"]
        assert len(found.unreadable) == expected["open"]["unreadableLinesAfter"], case["id"]
        assert path.read_bytes() == case["input"]["raw"].encode(), case["id"]
        assert found.id == expected["loadedIds"][0]


def test_every_sample_opens_and_every_entry_of_it_is_read(sample_state: Path) -> None:
    folder = sample_state / "agents" / "main" / "sessions"
    for path in sorted(folder.iterdir()):
        if path.name == "sessions.json":
            continue
        before = path.read_bytes()
        found = Transcript.open(path)
        lines = [json.loads(line) for line in before.splitlines()[1:]]
        assert list(found.tree.nodes) == [line["id"] for line in lines], path.name
        assert [dict(found.tree.entry(line["id"]).data) for line in lines] == lines
        assert path.read_bytes() == before
        assert {problem.severity for problem in found.problems} <= {"warning"}


def test_what_is_appended_is_there_in_full_and_nothing_earlier_changed(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    transcript = new_transcript(path, "one")
    before = path.read_bytes()
    entry = transcript.append(reply("two"))
    assert path.read_bytes().startswith(before)
    assert json.loads(path.read_bytes().splitlines()[-1]) == dict(entry.data)
    again = Transcript.open(path)
    assert texts(again) == ["one", "two"]
    assert again.tree.leaf == entry.id
    assert entry.parent_id == next(iter(again.tree.nodes))
    assert len(entry.id) == 8 and int(entry.id, 16) >= 0
    assert entry.timestamp == "2026-01-01T00:00:00.000Z"


def test_bookkeeping_hangs_below_the_leaf_and_never_carries_a_message(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one")
    first = transcript.tree.leaf
    assert first is not None
    label = transcript.set_label(first, "here")
    name = transcript.set_name(" Title ")
    setting = transcript.append({"type": "custom", "customType": "branchline.model", "data": {}})
    assert label.parent_id == first
    assert transcript.append(user("two")).parent_id == first
    again = Transcript.open(transcript.path)
    assert again.tree.labels == {first: "here"} and again.tree.name == "Title"
    assert again.tree.ours == {"branchline.model": setting.id}
    assert name.parent_id == label.id


def test_a_moved_leaf_survives_a_restart_and_takes_the_next_message(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one", "two", "three")
    first, second, _ = transcript.tree.nodes
    note = transcript.move_leaf(second)
    assert note.parent_id == second
    again = Transcript.open(transcript.path)
    assert again.tree.leaf == second
    assert again.append(user("other")).parent_id == second
    again.move_leaf(None)
    final = Transcript.open(transcript.path)
    assert final.tree.leaf is None
    assert final.append(user("anew")).parent_id is None
    with pytest.raises(EntryNotFound):
        transcript.move_leaf("nope")
    assert first in transcript.tree.nodes


def test_several_records_are_one_write_and_a_chain(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one")
    entries = transcript.append_all([reply("a"), reply("b"), reply("c")])
    assert [entry.parent_id for entry in entries[1:]] == [entry.id for entry in entries[:-1]]
    assert texts(Transcript.open(transcript.path)) == ["one", "a", "b", "c"]


def test_ids_are_unique_and_given_ones_are_checked(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one")
    drawn = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    transcript._new_id = lambda: next(drawn)
    assert transcript.append(user("x")).id == "aaaaaaaa"
    assert transcript.append(user("y")).id == "bbbbbbbb"
    before = transcript.path.read_bytes()
    for wrong in ("aaaaaaaa", 7, ""):
        with pytest.raises(StoreError):
            transcript.append({**user("z"), "id": wrong})
    with pytest.raises(StoreError, match="nowhere"):
        transcript.append(user("z"), parent="nowhere")
    assert transcript.path.read_bytes() == before


@pytest.mark.parametrize(
    ("raw", "ids", "unreadable"),
    [
        (b"\xef\xbb\xbf" + HEADER + record("a", None), ["a"], 0),
        (HEADER.replace(b"\n", b"\r\n") + record("a", None).replace(b"\n", b"\r\n"), ["a"], 0),
        (HEADER + record("a", None)[:-1] + record("b", "a") + record("c", None), ["c"], 1),
        (HEADER + b"\0" * 300 + b"\n" + record("a", None), ["a"], 1),
        (HEADER + record("a", None, "caf\u00e9").replace(b"\\u00e9", b"\xe9"), ["a"], 0),
        (HEADER + record("a", None, "\ud800 half"), ["a"], 0),
        (HEADER + b"null\n[1]\n3\n" + record("a", None), ["a"], 3),
        (HEADER + b'{"type":"message"}\n{"id":"x"}\n{"id":5,"type":"m"}\n', [], 3),
        (HEADER + b'{"id":"a","type":"new_kind","parentId":null,"z":1}\n', ["a"], 0),
        (HEADER + b'{"id":"a","type":"message","parentId":7}\n', ["a"], 0),
        (HEADER + b'{"id":"a","type":"message","message":"odd"}\n', ["a"], 0),
        (HEADER + record("a", None)[:-1], ["a"], 0),
        (HEADER + b"[" * 100_000 + b"\n" + record("a", None), ["a"], 1),
        (HEADER + b'{"id":"a","type":"x","n":' + b"9" * 6000 + b"}\n" + record("b", None), None, 0),
    ],
)
def test_odd_bytes_are_read_where_they_can_be_and_counted_where_not(
    tmp_path: Path, raw: bytes, ids: list[str] | None, unreadable: int
) -> None:
    path = written(tmp_path, raw)
    found = Transcript.open(path)
    if ids is not None:
        assert list(found.tree.nodes) == ids
        assert len(found.unreadable) == unreadable
    for name in found.tree.nodes:
        found.tree.entry(name).text.encode()
    assert path.read_bytes() == raw
    report = " ".join(str(problem) for problem in found.problems)
    assert ("unreadable" in report) == bool(found.unreadable)


def test_unreadable_lines_are_named_by_number_and_kept_through_an_append(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None), b"garbage\n", record("b", "a"), b"{\n")
    found = Transcript.open(path)
    assert found.unreadable == (3, 5)
    before = path.read_bytes()
    assert found.append(user("more")).parent_id == "b"
    assert path.read_bytes().startswith(before)
    assert any("2 lines unreadable" in str(problem) for problem in found.problems)


def test_a_whole_last_record_without_its_newline_is_kept_and_completed(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None)[:-1])
    found = Transcript.open(path)
    assert found.problems == []
    entry = found.append(user("next"))
    assert entry.parent_id == "a"
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["s", "a", entry.id]
    assert list(Transcript.open(path).tree.nodes) == ["a", entry.id]
    assert found.tree.entry(entry.id).text == "next"


def test_a_torn_end_is_shown_by_readers_and_cut_by_writers(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None), record("b", "a")[:40])
    found = Transcript.open(path)
    before = path.read_bytes()
    assert "not whole" in str(found.problems[0])
    assert path.read_bytes() == before
    found.append(user("next"))
    aside = [item for item in tmp_path.iterdir() if ".torn." in item.name]
    assert [item.read_bytes() for item in aside] == [record("b", "a")[:40]]
    assert "cut off and kept" in str(found.problems[0])
    assert texts(Transcript.open(path)) == ["x", "next"]
    assert Transcript.open(path).problems == []
    again = Transcript.open(path)
    with again.hold():
        pass
    assert [item for item in tmp_path.iterdir() if ".torn." in item.name] == aside


def test_a_reader_follows_a_cut_of_any_length(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None))
    for length in range(1, 200, 7):
        with path.open("ab") as file:
            file.write(b"{" * length)
        reader, writer = Transcript.open(path), Transcript.open(path)
        entry = writer.append(user("y" * length))
        assert [found.id for found in reader.refresh()] == [entry.id], length
        assert reader.problems == []
        assert list(reader.tree.nodes) == list(Transcript.open(path).tree.nodes)


def test_a_reader_sees_a_record_that_took_a_torn_ones_place_byte_for_byte(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None))
    length = len(record("b", "a"))
    with path.open("ab") as file:
        file.write(b"{" * length)
    reader = Transcript.open(path)
    os.truncate(path, path.stat().st_size - length)
    with path.open("ab") as file:
        file.write(record("b", "a"))
    os.utime(path, ns=(1, 1))
    assert [entry.id for entry in reader.refresh()] == ["b"]
    assert reader.problems == []


def test_what_is_glued_to_an_unfinished_line_is_read_as_a_fresh_reader_reads_it(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, HEADER, record("a", None), record("b", "a")[:-1])
    reader = Transcript.open(path)
    assert list(reader.tree.nodes) == ["a", "b"]
    with path.open("ab") as file:
        file.write(record("c", "b") + record("d", "a"))
    assert [entry.id for entry in reader.refresh()] == ["d"]
    assert list(reader.tree.nodes) == list(Transcript.open(path).tree.nodes) == ["a", "d"]
    assert reader.unreadable == (3,)


def test_an_oversized_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("wb") as file:
        file.write(HEADER + record("a", None) + b'{"id":"huge","type":"message","x":"')
        for _ in range(MAX_LINE // CHUNK + 1):
            file.write(b"x" * CHUNK)
        file.write(b'"}\n' + record("b", "a"))
    found = Transcript.open(path)
    assert list(found.tree.nodes) == ["a", "b"]
    assert found.unreadable == (3,)
    assert found.tree.entry("b").text == "x"


@pytest.mark.parametrize("size", [CHUNK - 200, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_records_larger_than_what_is_read_at_a_time(tmp_path: Path, size: int) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "a", "y" * size, "b")
    again = Transcript.open(transcript.path)
    assert [len(text) for text in texts(again)] == [1, size, 1]


def test_too_large_or_too_deep_an_entry_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "a")
    before = transcript.path.read_bytes()
    with pytest.raises(StoreError, match="larger than"):
        transcript.append(user("x" * MAX_LINE))
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StoreError, match="nested"):
        transcript.append({**user("x"), "deep": deep})
    while deep:
        deep = deep[0]
    assert transcript.path.read_bytes() == before


@pytest.mark.parametrize("depth", [1, 200, 250, 251, 252, 300, 900, 5000])
def test_nesting_is_read_and_written_to_a_depth_and_no_further(tmp_path: Path, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    told = b'{"id":"b","type":"x","parentId":"a","text":"' + b"[{" * 400 + b'","deep":'
    path = written(tmp_path, HEADER, record("a", None), told + nested + b"}\n")
    found = Transcript.open(path)
    fits = depth < MAX_DEPTH
    assert found.unreadable == (() if fits else (3,))
    if fits:
        body = found.tree.entry("b").data["deep"]
        assert found.append({**user("x"), "deep": body}).parent_id == "b"
        with pytest.raises(StoreError, match="deep"):
            found.append({**user("x"), "deep": [body] * 2 if depth > 254 else _nest(body)})
    assert Transcript.open(path).unreadable == found.unreadable


def _nest(body: Any) -> Any:
    for _ in range(MAX_DEPTH):
        body = [body]
    return body


def test_lone_surrogates_become_replacement_characters_on_the_way_in(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl")
    entry = transcript.append(user("a\ud83d b"))
    assert entry.text == "a\ufffd b"
    assert Transcript.open(transcript.path).tree.entry(entry.id).text == "a\ufffd b"


@pytest.mark.parametrize(
    "raw",
    [b"\n", b"\n\n", b"no json\n", b"\x7fELF" + bytes(range(256)), b"[]\n", b'{"id":"a"}\n'],
)
def test_what_is_no_transcript_is_refused_with_its_place(tmp_path: Path, raw: bytes) -> None:
    path = written(tmp_path, raw)
    with pytest.raises(StoreError, match="no session header") as caught:
        Transcript.open(path)
    assert caught.value.place == str(path)


def test_an_empty_file_is_a_session_that_begins_with_its_first_entry(tmp_path: Path) -> None:
    path = written(tmp_path, b"")
    found = Transcript.open(path)
    assert (found.id, found.tree.leaf, dict(found.tree.nodes)) == ("s", None, {})
    assert "empty" in str(found.problems[0])
    assert path.read_bytes() == b""
    other = Transcript.open(path)
    first = found.append(user("one"))
    assert found.tree.entry(first.id).text == "one"
    second = other.append(user("two"))
    assert second.parent_id == first.id
    again = Transcript.open(path)
    assert texts(again) == ["one", "two"] and again.problems == [] == found.problems
    assert again.header == found.header and again.header["version"] == 3


def test_a_damaged_header_does_not_cost_the_session(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.replace(b":3", b":\x01"), record("a", None), record("b", "a"))
    found = Transcript.open(path)
    assert list(found.tree.nodes) == ["a", "b"]
    assert found.id == "s"
    assert "header line is damaged" in str(found.problems[0])
    assert found.append(user("c")).parent_id == "b"


def test_a_later_version_is_read_and_not_written(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.replace(b":3", b":4"), record("a", None))
    found = Transcript.open(path)
    assert list(found.tree.nodes) == ["a"]
    with pytest.raises(SessionReadOnly, match="version 4"):
        found.append(user("b"))
    assert path.read_bytes().count(b"\n") == 2


def test_a_file_of_another_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    header = make_header("s", ManualClock(), sessionKey="agent:main:telegram:dm:Bob")
    Transcript.create(path, header)
    assert Transcript.open(path, key="agent:main:telegram:direct:bob").id == "s"
    with pytest.raises(StoreError, match="belongs to agent:main:telegram:dm:bob"):
        Transcript.open(path, key="agent:main:telegram:dm:alice")


def test_nothing_is_made_where_something_stands(tmp_path: Path) -> None:
    path = written(tmp_path, b"mine")
    with pytest.raises(StoreError, match="stands there"):
        Transcript.create(path, make_header("s", ManualClock()))
    assert path.read_bytes() == b"mine"


def test_entries_of_others_arrive_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    one = new_transcript(path, "a")
    two = Transcript.open(path)
    assert two.refresh() == []
    sent = [one.append(user("b")), one.append(user("c"))]
    mine = two.append(user("d"))
    assert mine.parent_id == sent[-1].id
    assert [entry.id for entry in two.refresh()] == [entry.id for entry in sent]
    assert two.refresh() == []
    assert [entry.id for entry in one.refresh()] == [mine.id]
    assert texts(one) == texts(two) == ["a", "b", "c", "d"]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    transcript = new_transcript(path, "a")
    old = transcript.tree
    other = new_transcript(tmp_path / "other.jsonl", "x", "y")
    os.replace(other.path, path)
    assert [entry.text for entry in transcript.refresh()] == ["x", "y"]
    assert transcript.tree is not old
    assert transcript.append(user("z")).parent_id == other.tree.leaf
    assert texts(Transcript.open(path)) == ["x", "y", "z"]


def test_a_file_replaced_while_it_is_held_is_the_one_written_to(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    transcript = new_transcript(path, "a")
    with transcript.hold():
        transcript.append(user("b"))
        old = path.read_bytes()
        os.link(path, tmp_path / "old.jsonl")
        os.replace(new_transcript(tmp_path / "other.jsonl", "x").path, path)
        transcript.append(user("y"))
    assert texts(Transcript.open(path)) == ["x", "y"]
    assert (tmp_path / "old.jsonl").read_bytes() == old
    assert not (tmp_path / "s.jsonl.lock").exists()


def test_a_file_that_shrank_is_read_anew_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    transcript = new_transcript(path, "a", "b", "c")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"{", 0, whole.rindex(b'{"type"'))])
    os.truncate(path, len(b"".join(whole.splitlines(keepends=True)[:2])))
    transcript.refresh()
    assert texts(transcript) == ["a"]
    assert any("shorter" in str(problem) for problem in transcript.problems)


def test_a_file_that_went_away_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "a")
    transcript.path.unlink()
    with pytest.raises(StoreError, match="gone"):
        transcript.refresh()
    with pytest.raises(StoreError):
        transcript.append(user("b"))
    assert not transcript.path.exists()


def test_a_body_that_was_changed_under_us_is_not_passed_off_as_the_entry(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, record("a", None), record("b", "a"))
    found = Transcript.open(path)
    raw = path.read_bytes()
    with path.open("r+b") as file:
        file.write(raw.replace(b'"id": "a"', b'"id": "z"'))
    with pytest.raises(StoreError, match="changed from outside"):
        found.tree.entry("a")
    assert found.tree.entry("b").id == "b"


def test_links_pipes_and_folders_are_refused_and_do_not_hang(tmp_path: Path) -> None:
    target = new_transcript(tmp_path / "t.jsonl", "a").path
    link, pipe, folder = tmp_path / "l.jsonl", tmp_path / "p.jsonl", tmp_path / "d.jsonl"
    link.symlink_to(target)
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (link, pipe, folder, tmp_path / "none.jsonl"):
        with pytest.raises(StoreError):
            Transcript.open(path)


def test_modes_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        transcript = new_transcript(tmp_path / "s.jsonl", "a")
        with transcript.path.open("ab") as file:
            file.write(b"torn")
        with transcript.hold():
            found = {item.name: item.stat().st_mode for item in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert any(".torn." in name for name in found) and "s.jsonl.lock" in found
    assert {stat.S_IMODE(mode) for mode in found.values()} == {0o600}


def test_threads_read_the_tree_while_another_appends(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "a")
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                tree = transcript.tree
                names = tree.children(None)
                while names:
                    names = tree.children(names[-1])
                assert tree.path(tree.leaf) and transcript.problems == []
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for count in range(150):
            transcript.append(user(str(count)), sync=False)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(transcript.tree.nodes) == 151


def test_appending_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl")

    def send(who: int) -> None:
        for count in range(20):
            transcript.append(user(f"{who}.{count}"), sync=False)

    threads = [threading.Thread(target=send, args=(who,)) for who in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = texts(Transcript.open(transcript.path))
    assert sorted(found) == sorted(f"{who}.{count}" for who in range(5) for count in range(20))
    assert found == texts(transcript)


def test_unsynced_appends_do_not_ask_the_disk_to_sync(tmp_path: Path) -> None:
    class Counting(Disk):
        synced = 0

        def fsync(self, fd: int) -> None:
            self.synced += 1

    disk = Counting()
    transcript = new_transcript(tmp_path / "s.jsonl", disk=disk)
    before = disk.synced
    transcript.append(user("a"), sync=False)
    assert disk.synced == before
    transcript.append(user("b"))
    assert disk.synced == before + 1
