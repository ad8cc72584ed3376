"""One writer per session: the kernel's lock on the transcript, and a file that names the holder.

The kernel's lock (flock) dies with its process, so there are no stale ones. Beside it, while it
is held, `<file>.lock` names the holder the way the reference does (JSON `pid` and `createdAt`,
made with O_EXCL; reference: OpenClaw 2026.4.15), which keeps the reference out; and a lock file
of a live process that is not ours is respected (SPEC §5).
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

import msgspec

from engine.clock import Clock, iso, parse_iso
from engine.disk import Disk, explain, open_regular, read_file, write_all
from engine.errors import SessionBusy, StoreError

__all__ = ["Held", "Holder", "drop_stale", "holder_of", "take", "take_waiting"]

_OWNER = "branchline"
_TRIES = 8
_PAUSE = 0.002
_UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


class Holder(msgspec.Struct, frozen=True, rename="camel"):
    """Who holds a session. `created_at` is an ISO time."""

    pid: int
    created_at: str = ""
    owner: str = ""


class Held:
    """A lock that is held; `release` may be called twice.

    Attributes:
        fd: the descriptor it is held on.
        file: what the descriptor is open on.
    """

    def __init__(self, disk: Disk, fd: int, mark: Path, file: os.stat_result):
        self._disk = disk
        self._mark = mark
        self.fd = fd
        self.file = file

    def release(self) -> None:
        """Let go: the name first, then the lock."""
        if self.fd < 0:
            return
        fd, self.fd = self.fd, -1
        with contextlib.suppress(OSError):
            self._disk.unlink(self._mark)
        with contextlib.suppress(OSError):
            self._disk.unlock(fd)
        self._disk.close(fd)


def take(disk: Disk, path: Path, clock: Clock, *, directory: bool = False) -> Held:
    """Take the lock of a file (or, for the index, of its directory) at once.

    Args:
        path: the file whose `.lock` names the holder.
        directory: lock the directory of `path` instead of the file, for a file that is replaced
            by renaming; the descriptor is then the directory's.

    Raises:
        SessionBusy: somebody has it; says who and since when.
        StoreError: the file cannot be opened, or locks are not supported there.
    """
    for _ in range(_TRIES):
        try:
            fd = _open(disk, path, directory)
        except OSError as error:
            raise explain(error, "could not open the session for writing") from error
        try:
            if not _lock(disk, fd, path):
                raise _busy(path, holder_of(disk, path))
            file = _file_of(disk, fd, None if directory else path)
            if file is not None:
                mark = _mark(path)
                _claim(disk, path, mark, clock)
                return Held(disk, fd, mark, file)
        except BaseException:
            disk.close(fd)
            raise
        disk.close(fd)  # replaced between opening and locking: take the new one
    raise StoreError(
        "another program replaces the file again and again",
        place=str(path),
        remedy="Stop that program (a sync or backup?), then try again",
    )


def take_waiting(disk: Disk, path: Path, clock: Clock, seconds: float = 5.0) -> Held:
    """The lock of a file that is replaced by renaming (the index), held for a few ms each time;
    so this waits, blocking, instead of asking the caller to.

    Raises:
        SessionBusy: somebody has held it for `seconds`.
        StoreError: as `take`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return take(disk, path, clock, directory=True)
        except SessionBusy:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)


def _open(disk: Disk, path: Path, directory: bool) -> int:
    if directory:
        return disk.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    return open_regular(disk, path, os.O_RDWR | os.O_APPEND)


def _lock(disk: Disk, fd: int, path: Path) -> bool:
    try:
        return disk.lock(fd)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise StoreError(
                "this file system does not support locks, so two programs could write at once",
                place=str(path),
                remedy="Keep the state directory on a local disk",
            ) from error
        raise explain(error, "could not lock the session") from error


def _file_of(disk: Disk, fd: int, path: Path | None) -> os.stat_result | None:
    """What a descriptor is open on; None when something else stands at `path` by now."""
    try:
        ours = disk.stat(fd)
        there = disk.look(path) if path is not None else ours
    except OSError as error:
        raise explain(error, "could not look at the session") from error
    same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
    return ours if same else None


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _claim(disk: Disk, path: Path, mark: Path, clock: Clock) -> None:
    """Write our name into the lock file. We have the kernel's lock, so a name there is either
    stale or that of the reference, which knows no kernel locks."""
    body = {"pid": os.getpid(), "createdAt": iso(clock.now()), "owner": _OWNER}
    for _ in range(_TRIES):
        try:
            fd = disk.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            holder = holder_of(disk, path)
            if holder is not None and _is_live(holder):
                raise _busy(path, holder) from None
            with contextlib.suppress(FileNotFoundError):
                disk.unlink(mark)
            continue
        except OSError as error:
            raise explain(error, "could not write the session's lock file") from error
        try:
            write_all(disk, fd, msgspec.json.encode(body))
        except OSError as error:
            with contextlib.suppress(OSError):
                disk.unlink(mark)
            raise explain(error, "could not write the session's lock file") from error
        finally:
            disk.close(fd)
        return
    raise _busy(path, holder_of(disk, path))


def holder_of(disk: Disk, path: Path) -> Holder | None:
    """Who is named in the lock file of `path`, or None when nobody (readably) is."""
    try:
        return msgspec.json.decode(read_file(disk, _mark(path), limit=4096), type=Holder)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None


def drop_stale(disk: Disk, path: Path) -> None:
    """Remove the lock file of a transcript that is gone, unless its holder is a live foreigner.

    Raises:
        OSError: it cannot be removed.
    """
    holder = holder_of(disk, path)
    if holder is None or not _is_live(holder):
        disk.unlink(_mark(path))


def _is_live(holder: Holder) -> bool:
    """Whether a named holder, known not to have the kernel's lock, is a running foreign writer."""
    if holder.owner == _OWNER or holder.pid <= 0 or holder.pid == os.getpid():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return holder.pid < 2**31
    since, started = parse_iso(holder.created_at), _started(holder.pid)
    # A process younger than the lock has only inherited the number.
    return since is None or started is None or started <= since + 1000


def _started(pid: int) -> int | None:
    """When a process began, in ms since 1970, where /proc tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text("utf-8").splitlines()
            if line.startswith("btime ")
        )
        ticks = os.sysconf("SC_CLK_TCK")
        return round((boot + int(fields[19]) / ticks) * 1000)
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _busy(path: Path, holder: Holder | None) -> SessionBusy:
    if holder is None:
        return SessionBusy(
            f"{path.name} is being written by another program",
            remedy="Wait for it to finish, or close it",
        )
    since = f" since {holder.created_at}" if holder.created_at else ""
    return SessionBusy(
        f"{path.name} is being written by process {holder.pid}{since}",
        pid=holder.pid,
        remedy="Wait for it to finish, or close it",
    )
