from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import ManualClock, iso
from engine.errors import SessionBusy, StoreError
from engine.sessions.lock import holder_of, take, take_waiting
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, new_transcript, texts, user

CLOCK = ManualClock()
DISK = QuickDisk()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return new_transcript(tmp_path / "s.jsonl", "first").path


@pytest.fixture
def stranger() -> Iterator[int]:
    """A live process of somebody else's."""
    code = "import sys; sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.communicate()


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def mark(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def test_while_it_is_held_the_lock_file_names_us_as_the_reference_does(path: Path) -> None:
    held = take(DISK, path, CLOCK)
    body = json.loads(mark(path).read_bytes())
    assert (body["pid"], body["createdAt"]) == (os.getpid(), iso(CLOCK.now()))
    held.release()
    held.release()
    assert not mark(path).exists()


def test_a_live_foreign_holder_is_respected(path: Path, stranger: int) -> None:
    future = "2099-01-01T00:00:00.000Z"
    for body in ({"pid": stranger, "createdAt": future}, {"pid": stranger}):
        mark(path).write_text(json.dumps(body))
        before = path.read_bytes()
        with pytest.raises(SessionBusy) as caught:
            Transcript.open(path).append(user("x"))
        assert caught.value.pid == stranger
        assert path.read_bytes() == before
        assert json.loads(mark(path).read_bytes()) == body


def test_a_number_that_passed_to_a_younger_process_holds_nothing(path: Path, stranger: int) -> None:
    mark(path).write_text(json.dumps({"pid": stranger, "createdAt": "2020-01-01T00:00:00.000Z"}))
    take(DISK, path, CLOCK).release()
    assert not mark(path).exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"pid": "x"}',
        b"\xff\xfe",
        b'{"pid": -1}',
        b'{"pid": 0}',
        b'{"pid": 99999999999999999999}',
        b'{"pid": 2147483646, "createdAt": "2026-01-01T00:00:00Z"}',
    ],
)
def test_a_lock_file_that_names_nobody_alive_is_taken_over(path: Path, body: bytes) -> None:
    mark(path).write_bytes(body)
    take(DISK, path, CLOCK).release()
    assert not mark(path).exists()


def test_a_dead_holder_is_not_respected(path: Path) -> None:
    for owner in ({}, {"owner": "branchline"}):
        mark(path).write_text(json.dumps({"pid": dead_pid(), **owner}))
        Transcript.open(path, disk=DISK).append(user("x"))
    assert texts(Transcript.open(path)) == ["first", "x", "x"]


def test_our_own_name_without_the_kernels_lock_is_stale(path: Path, stranger: int) -> None:
    for body in ({"pid": os.getpid()}, {"pid": stranger, "owner": "branchline"}):
        mark(path).write_text(json.dumps({**body, "createdAt": "2099-01-01T00:00:00.000Z"}))
        take(DISK, path, CLOCK).release()


def test_two_in_one_process_are_two(path: Path) -> None:
    one, two = Transcript.open(path, disk=DISK), Transcript.open(path, disk=DISK)
    with one.hold(), one.hold():
        one.append(user("a"))
        with pytest.raises(SessionBusy):
            two.append(user("b"))
    two.append(user("b"))
    assert texts(Transcript.open(path)) == ["first", "a", "b"]


def test_a_lock_is_let_go_when_the_work_under_it_fails(path: Path) -> None:
    transcript = Transcript.open(path, disk=DISK)
    with pytest.raises(RuntimeError), transcript.hold():
        raise RuntimeError
    assert not mark(path).exists()
    take(DISK, path, CLOCK).release()


def test_a_file_replaced_while_we_wait_is_locked_in_its_place(path: Path, tmp_path: Path) -> None:
    class Replacing(QuickDisk):
        times = 0

        def lock(self, fd: int) -> bool:
            found = super().lock(fd)
            if self.times < 2:
                self.times += 1
                other = tmp_path / "other.jsonl"
                other.write_bytes(path.read_bytes())
                os.replace(other, path)
            return found

    disk = Replacing()
    held = take(disk, path, CLOCK)
    assert os.fstat(held.fd).st_ino == path.stat().st_ino
    held.release()


def test_a_file_system_without_locks_is_refused_in_plain_words(path: Path) -> None:
    class NoLocks(QuickDisk):
        def lock(self, fd: int) -> bool:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    before = path.read_bytes()
    with pytest.raises(StoreError, match="does not support locks") as caught:
        Transcript.open(path, disk=NoLocks()).append(user("x"))
    assert caught.value.remedy is not None and "local disk" in caught.value.remedy
    assert path.read_bytes() == before


def test_the_index_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    index = tmp_path / "sessions.json"
    held = take(DISK, index, CLOCK, directory=True)
    with pytest.raises(SessionBusy):
        take_waiting(DISK, index, CLOCK, seconds=0.05)
    held.release()
    take_waiting(DISK, index, CLOCK).release()
    assert holder_of(DISK, index) is None
