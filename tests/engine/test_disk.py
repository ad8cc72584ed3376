from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.disk import (
    NOT_ROLLED_BACK,
    NOT_SYNCED,
    Disk,
    append_all,
    copy_range,
    ensure_dir,
    explain,
    is_temporary,
    open_regular,
    read_file,
    read_range,
    write_all,
    write_atomic,
)
from engine.errors import StoreError
from engine.sessions.transcript import Transcript, make_header


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


class Dribbling(Disk):
    """Writes a few bytes at a time, as a busy or filling disk may; fails after `room` bytes."""

    def __init__(self, room: int = 10**9):
        self.room = room

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(3, len(data), self.room)
        self.room -= count
        return os.write(fd, data[:count])


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "log"
    path.write_bytes(b"earlier\n")
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    yield path, fd
    os.close(fd)


def test_short_writes_are_continued(log: tuple[Path, int]) -> None:
    path, fd = log
    append_all(Dribbling(), fd, b"a whole record\n", size=8)
    assert path.read_bytes() == b"earlier\na whole record\n"
    write_all(Dribbling(), fd, b"")
    assert path.read_bytes() == b"earlier\na whole record\n"


@pytest.mark.parametrize("room", range(15))
def test_a_disk_that_fills_up_at_any_byte_leaves_the_old_length(
    log: tuple[Path, int], room: int
) -> None:
    path, fd = log
    with pytest.raises(OSError, match="No space") as caught:
        append_all(Dribbling(room), fd, b"a whole record\n", size=8)
    assert path.read_bytes() == b"earlier\n"
    assert notes(caught.value) == []


def test_a_failed_sync_is_rolled_back_and_said(log: tuple[Path, int]) -> None:
    class Failing(Disk):
        fail = 1

        def fsync(self, fd: int) -> None:
            if self.fail > 0:
                self.fail -= 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    path, fd = log
    with pytest.raises(OSError, match="error") as caught:
        append_all(Failing(), fd, b"record\n", size=8)
    assert path.read_bytes() == b"earlier\n"
    assert notes(caught.value) == [NOT_SYNCED]
    append_all(Failing(), fd, b"record\n", size=8, sync=False)
    assert path.read_bytes() == b"earlier\nrecord\n"


def test_a_roll_back_that_fails_is_said(log: tuple[Path, int]) -> None:
    class Stuck(Dribbling):
        def truncate(self, fd: int, size: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    path, fd = log
    with pytest.raises(OSError, match="No space") as caught:
        append_all(Stuck(5), fd, b"record\n", size=8)
    assert notes(caught.value) == [NOT_ROLLED_BACK]
    assert path.read_bytes() == b"earlier\nrecor"


def test_an_interrupted_write_is_rolled_back(log: tuple[Path, int]) -> None:
    class Interrupted(Disk):
        def fsync(self, fd: int) -> None:
            if os.fstat(fd).st_size > 8:
                raise KeyboardInterrupt

    path, fd = log
    with pytest.raises(KeyboardInterrupt):
        append_all(Interrupted(), fd, b"record\n", size=8)
    assert path.read_bytes() == b"earlier\n"


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "rename"])
def test_a_replacement_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failing: str
) -> None:
    class Failing(Disk):
        pass

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    setattr(Failing, failing, fail)
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="error"):
        write_atomic(Failing(), path, b"new")
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_replacement_is_private_and_whole_and_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0)
    try:
        write_atomic(Dribbling(), path, b"one")
        write_atomic(Dribbling(), path, b"two" * 1000)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two" * 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_what_can_be_made_anew_is_replaced_without_a_sync(tmp_path: Path) -> None:
    class Counting(Disk):
        synced = 0

        def fsync(self, fd: int) -> None:
            self.synced += 1

    disk = Counting()
    write_atomic(disk, tmp_path / "cache", b"one", sync=False)
    assert (disk.synced, (tmp_path / "cache").read_bytes()) == (0, b"one")
    write_atomic(disk, tmp_path / "cache", b"two")
    assert (disk.synced, (tmp_path / "cache").read_bytes()) == (2, b"two")


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    link.symlink_to(target)
    write_atomic(Disk(), link, b"ours")
    assert target.read_bytes() == b"theirs"
    assert link.read_bytes() == b"ours" and not link.is_symlink()


def test_names_of_unfinished_files_are_known(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watching(Disk):
        def rename(self, source: Path, target: Path) -> None:
            seen.append(source.name)
            super().rename(source, target)

    write_atomic(Watching(), tmp_path / "sessions.json", b"{}")
    assert is_temporary(seen[0])
    for name in ("sessions.json", ".hidden", "x.1.2.tmp", ".x.tmp", ".x.1.tmp"):
        assert not is_temporary(name)


def test_only_plain_files_are_opened_and_nothing_hangs(tmp_path: Path) -> None:
    plain, link, pipe = tmp_path / "plain", tmp_path / "link", tmp_path / "pipe"
    plain.write_bytes(b"x")
    link.symlink_to(plain)
    os.mkfifo(pipe)
    os.close(open_regular(Disk(), plain, os.O_RDONLY))
    for path in (link, pipe, tmp_path, Path("/dev/null"), tmp_path / "none"):
        with pytest.raises(OSError, match=r".+"):
            open_regular(Disk(), path, os.O_RDONLY)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(Disk(), path, limit=5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_file(Disk(), path, limit=4)


def test_a_range_is_read_whole_from_a_disk_that_reads_little(tmp_path: Path) -> None:
    class Sipping(Disk):
        def read(self, fd: int, count: int, offset: int) -> bytes:
            return super().read(fd, min(count, 2), offset)

    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY)
    try:
        assert read_range(Sipping(), fd, 2, 5) == b"23456"
        assert read_range(Sipping(), fd, 8, 5) == b"89"
        copy_range(Sipping(), fd, 3, 8, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"34567"
        with pytest.raises(FileExistsError):
            copy_range(Sipping(), fd, 3, 8, tmp_path / "copy")
        with pytest.raises(OSError, match="No space"):
            copy_range(Dribbling(2), fd, 0, 9, tmp_path / "other")
    finally:
        os.close(fd)
    assert not (tmp_path / "other").exists()


def test_directories_are_private_and_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ensure_dir(Disk(), tmp_path / "a" / "b" / "c")
        ensure_dir(Disk(), tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        ensure_dir(Disk(), tmp_path / "file")


def test_a_directory_lists_plain_files_and_real_directories_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    [info] = Disk().files(tmp_path)
    assert (info.name, info.size) == ("file", 3)
    assert Disk().dirs(tmp_path) == ["folder"]
    assert stat.S_ISLNK(Disk().look(tmp_path / "link").st_mode)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (errno.ENOSPC, "space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "owns"),
        (errno.ELOOP, "link"),
        (errno.EMFILE, "ulimit"),
        (errno.ENOENT, "moved"),
        (errno.EIO, "disk"),
    ],
)
def test_every_failure_says_what_where_and_what_to_do(code: int, word: str) -> None:
    found = explain(OSError(code, os.strerror(code), "/some/place"), "could not write")
    assert isinstance(found, StoreError)
    assert str(found).startswith("/some/place: could not write: ")
    assert found.remedy is not None and word in found.remedy


def test_a_really_full_disk_loses_nothing_and_takes_more_when_there_is_room(
    tmp_path: Path,
) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(mount)],
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        clock = ManualClock()
        transcript = Transcript.create(mount / "s.jsonl", make_header("s", clock), clock=clock)
        body = {"type": "message", "message": {"role": "user", "content": "x" * 5000}}
        kept = 0
        with pytest.raises(StoreError, match="No space") as caught:
            while True:
                transcript.append(body)
                kept += 1
        assert caught.value.remedy is not None and "Free some space" in caught.value.remedy
        assert kept > 3
        size = (mount / "s.jsonl").stat().st_size
        found = Transcript.open(mount / "s.jsonl")
        assert len(found.tree.nodes) == kept and found.problems == []
        found.close()
        assert subprocess.run(["mount", "-o", "remount,size=1m", str(mount)]).returncode == 0
        transcript.append(body)
        assert (mount / "s.jsonl").stat().st_size > size
        transcript.close()
    finally:
        subprocess.run(["umount", str(mount)], check=True)
