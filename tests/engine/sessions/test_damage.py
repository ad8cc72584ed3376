from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, new_transcript, reply, texts, user


def sample(tmp_path: Path) -> bytes:
    transcript = new_transcript(tmp_path / "whole.jsonl", "one", "zwei – ü", "three")
    first = next(iter(transcript.tree.nodes))
    transcript.append(reply("four"))
    transcript.set_label(first, "here")
    transcript.append(user("five"))
    return transcript.path.read_bytes()


def test_a_file_cut_at_any_byte_of_its_last_records_loses_only_the_torn_one(
    tmp_path: Path,
) -> None:
    whole = sample(tmp_path)
    lines = whole.splitlines(keepends=True)
    start = len(b"".join(lines[:-3]))
    ids = [json.loads(line)["id"] for line in lines]
    path = tmp_path / "cut.jsonl"
    for size in range(start, len(whole) + 1):
        path.write_bytes(whole[:size])
        for aside in tmp_path.glob("*.torn.*"):
            aside.unlink()
        complete = whole[:size].count(b"\n")
        rest = whole[:size].rpartition(b"\n")[2]
        # All of a record but its newline is the record.
        complete += rest == lines[complete][:-1] if complete < len(lines) else 0
        found = Transcript.open(path, disk=QuickDisk())
        assert list(found.tree.nodes) == ids[1:complete], size
        assert path.read_bytes() == whole[:size]
        entry = found.append(user("after"))
        again = Transcript.open(path, disk=QuickDisk())
        assert list(again.tree.nodes) == [*ids[1:complete], entry.id], size
        assert again.problems == [], size
        assert path.read_bytes().startswith(b"".join(lines[:complete]))
        aside = list(tmp_path.glob("cut.jsonl.torn.*"))
        torn = rest if rest and rest != lines[complete - 1][:-1] else b""
        assert [item.read_bytes() for item in aside] == ([torn] if torn else []), size
        before = path.read_bytes()
        with again.hold():
            pass
        assert path.read_bytes() == before


def test_any_flipped_byte_costs_at_most_the_lines_it_joins_or_breaks(tmp_path: Path) -> None:
    whole = sample(tmp_path)
    lines = whole.splitlines()
    ids = {json.loads(line)["id"] for line in lines[1:]}
    path = tmp_path / "flipped.jsonl"
    chance = random.Random(7)
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        in_header = place <= len(lines[0])
        try:
            found = Transcript.open(path, disk=QuickDisk())
        except StoreError:
            # Only a damaged header can make it something else than a transcript.
            assert in_header, place
            continue
        lost = ids - set(found.tree.nodes)
        assert len(lost) <= (2 if not in_header else 1) or found.foreign, place
        assert isinstance(found.problems, list)
        for name in found.tree.nodes:
            found.tree.entry(name).text.encode()
        assert path.read_bytes() == bytes(flipped)


@pytest.mark.parametrize("blocks", [1, 4096, 100_000])
def test_blocks_of_zeros_at_the_end_are_a_torn_record(tmp_path: Path, blocks: int) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one")
    with transcript.path.open("ab") as file:
        file.write(b"\0" * blocks)
    found = Transcript.open(transcript.path, disk=QuickDisk())
    assert texts(found) == ["one"]
    found.append(user("two"))
    assert texts(Transcript.open(transcript.path, disk=QuickDisk())) == ["one", "two"]
    assert b"\0" not in transcript.path.read_bytes()


def test_interleaved_halves_of_two_writers_without_locks_cost_only_themselves(
    tmp_path: Path,
) -> None:
    transcript = new_transcript(tmp_path / "s.jsonl", "one", "two")
    last = transcript.path.read_bytes().splitlines()[-1]
    with transcript.path.open("ab") as file:
        file.write(last[:50] + last[:70] + last[50:] + b"\n" + last[70:] + b"\n")
    found = Transcript.open(transcript.path, disk=QuickDisk())
    assert found.unreadable == (4, 5)
    found.append(user("three"))
    assert texts(Transcript.open(transcript.path, disk=QuickDisk())) == ["one", "two", "three"]


def test_random_bytes_never_crash_the_reader(tmp_path: Path) -> None:
    chance = random.Random(11)
    header = sample(tmp_path).splitlines(keepends=True)[0]
    path = tmp_path / "noise.jsonl"
    for _ in range(300):
        noise = bytes(chance.choice(b'{}[]",:\\\n\r\0u19aeE-. \xff') for _ in range(400))
        path.write_bytes(header + noise)
        found = Transcript.open(path, disk=QuickDisk())
        found.append(user("on"))
        assert texts(Transcript.open(path, disk=QuickDisk()))[-1] == "on"
