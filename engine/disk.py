"""The door to files. Each method of Disk is one system call, so a test disk can fail, tear or
record every one of them; the functions below are the only ways the engine writes.

Rules kept here: directories 0700, files 0600, links never followed, only regular files opened,
a short write is continued, a failed write is rolled back, a replaced file is synced before and
its directory after the rename.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from engine.errors import BranchlineError, StoreError

__all__ = [
    "NOT_ROLLED_BACK",
    "NOT_SYNCED",
    "Disk",
    "FileInfo",
    "append_all",
    "copy_range",
    "ensure_dir",
    "explain",
    "is_temporary",
    "open_regular",
    "read_file",
    "read_range",
    "sync_dir",
    "write_all",
    "write_atomic",
]

COPY_CHUNK = 1024 * 1024
_TEMPORARY = re.compile(r"\..+\.\d+\.\d+\.tmp")
NOT_SYNCED = "not synced"
NOT_ROLLED_BACK = "not rolled back"


class FileInfo(Struct, frozen=True):
    """A directory's entry: a regular file's name, size in bytes and change time in ns."""

    name: str
    size: int
    mtime_ns: int


class Disk:
    """The real disk. Replaceable: a subclass may fail, tear, delay or record each call."""

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def close(self, fd: int) -> None:
        os.close(fd)

    def read(self, fd: int, count: int, offset: int) -> bytes:
        return os.pread(fd, count, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def stat(self, fd: int) -> os.stat_result:
        return os.fstat(fd)

    def chmod(self, fd: int, mode: int) -> None:
        os.fchmod(fd, mode)

    def look(self, path: Path) -> os.stat_result:
        """What stands at a path; a link itself, not what it points at."""
        return os.lstat(path)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def mkdir(self, path: Path) -> None:
        os.mkdir(path, 0o700)

    def lock(self, fd: int) -> bool:
        """Take the exclusive kernel lock (flock) at once; False when somebody has it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self, fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)

    def files(self, path: Path) -> list[FileInfo]:
        """The regular files of a directory (links and others left out), in no order."""
        found = []
        with os.scandir(path) as scan:
            for item in scan:
                # A file may go between the listing and the look at it.
                with contextlib.suppress(FileNotFoundError):
                    if item.is_file(follow_symlinks=False):
                        info = item.stat(follow_symlinks=False)
                        found.append(FileInfo(item.name, info.st_size, info.st_mtime_ns))
        return found

    def dirs(self, path: Path) -> list[str]:
        """The names of a directory's directories (links left out), sorted."""
        with os.scandir(path) as scan:
            return sorted(item.name for item in scan if item.is_dir(follow_symlinks=False))


def explain(error: OSError, doing: str) -> StoreError:
    """A StoreError that says what failed, where, and what a person can do about it."""
    remedies = {
        errno.ENOSPC: "Free some space on the disk and try again; nothing earlier was changed",
        errno.EDQUOT: "Your disk quota is used up: free some space and try again",
        errno.EROFS: "The file system is mounted read-only",
        errno.EACCES: "Check who owns the state directory and its permissions",
        errno.EPERM: "Check who owns the state directory and its permissions",
        errno.ELOOP: "A link stands where a plain file belongs: remove it",
        errno.EMFILE: "Too many files are open: close some programs or raise `ulimit -n`",
        errno.ENOTDIR: "A file stands where a directory belongs: move it away",
        errno.ENOENT: "The file or its directory is gone: was the state directory moved?",
    }
    reason = error.strerror or str(error)
    place = error.filename if isinstance(error.filename, str) else None
    remedy = remedies.get(error.errno or 0, "Check the disk and try again")
    return StoreError(f"{doing}: {reason}", place=place, remedy=remedy)


def ensure_dir(disk: Disk, path: Path) -> None:
    """Create a directory and its missing parents, 0700 each.

    Raises:
        OSError: it cannot be made, or something other than a directory is in the way.
    """
    missing = []
    current = path
    while not current.exists():
        missing.append(current)
        current = current.parent
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            disk.mkdir(directory)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def open_regular(disk: Disk, path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a plain file; a link, pipe, device or directory is refused.

    Raises:
        OSError: as the system says, or ELOOP / EINVAL for what is not a plain file.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to must not hang.
    fd = disk.open(path, flags | os.O_NONBLOCK, mode)
    try:
        if not stat.S_ISREG(disk.stat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except BaseException:
        disk.close(fd)
        raise
    return fd


def read_file(disk: Disk, path: Path, *, limit: int) -> bytes:
    """All of a plain file.

    Raises:
        OSError: it cannot be read, or EFBIG when it is larger than `limit` bytes.
    """
    fd = open_regular(disk, path, os.O_RDONLY)
    try:
        size = disk.stat(fd).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
        return read_range(disk, fd, 0, size)
    finally:
        disk.close(fd)


def read_range(disk: Disk, fd: int, offset: int, count: int) -> bytes:
    """`count` bytes from `offset`, fewer at the end of the file."""
    parts = []
    while count > 0:
        part = disk.read(fd, count, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return b"".join(parts)


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Write every byte: a disk that fills up first answers with a short write, not an error."""
    view = memoryview(data)
    while view:
        view = view[disk.write(fd, view) :]


def append_all(disk: Disk, fd: int, data: bytes, *, size: int, sync: bool = True) -> None:
    """Append to an O_APPEND file whose length is `size`, wholly or not at all.

    Raises:
        OSError: nothing was kept; the file has its old length again. `__notes__` says NOT_SYNCED
            when it was the sync that failed (what the disk holds is then unknown) and
            NOT_ROLLED_BACK when not even the old length could be restored; in both cases the
            caller must stop writing until it has read the file again.
    """
    try:
        write_all(disk, fd, data)
        if sync:
            _sync_noted(disk, fd)
    except BaseException as error:
        try:
            disk.truncate(fd, size)
            disk.fsync(fd)
        except OSError:
            error.add_note(NOT_ROLLED_BACK)
        raise


def _sync_noted(disk: Disk, fd: int) -> None:
    try:
        disk.fsync(fd)
    except OSError as error:
        error.add_note(NOT_SYNCED)
        raise


def copy_range(disk: Disk, fd: int, start: int, end: int, target: Path) -> None:
    """Copy part of an open file into a new one, durably.

    Raises:
        OSError: it cannot be read or written; what there is of the copy is removed.
    """
    out = disk.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while start < end:
            part = disk.read(fd, min(COPY_CHUNK, end - start), start)
            if not part:
                break
            write_all(disk, out, part)
            start += len(part)
        disk.fsync(out)
    except OSError:
        with contextlib.suppress(OSError):
            disk.unlink(target)
        raise
    finally:
        disk.close(out)
    sync_dir(disk, target.parent)


def write_atomic(
    disk: Disk,
    path: Path,
    data: bytes,
    *,
    mode: int = 0o600,
    exact: bool = False,
    sync: bool = True,
    may_replace: Callable[[], None] | None = None,
) -> None:
    """Replace a file's content so that a crash leaves the old or the new, never a mixture.

    Args:
        disk, path, data: where, and what.
        mode: the new file's permissions.
        exact: they hold whatever the umask takes away.
        sync: False for what can be made anew: when the power goes, neither may be left.
        may_replace: called when all is written, right before the old content goes; what it
            raises leaves that in place.

    Raises:
        OSError: the old content stands; no temporary file is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(temporary)
        fd = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            if exact:
                disk.chmod(fd, mode)
            write_all(disk, fd, data)
            if sync:
                disk.fsync(fd)
        finally:
            disk.close(fd)
        if may_replace is not None:
            may_replace()
        disk.rename(temporary, path)
    except (OSError, BranchlineError):
        with contextlib.suppress(OSError):
            disk.unlink(temporary)
        raise
    if sync:
        sync_dir(disk, path.parent)


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `write_atomic` gives to what it has not finished."""
    return _TEMPORARY.fullmatch(name) is not None


def sync_dir(disk: Disk, path: Path) -> None:
    """Make a directory's names durable (after a create or a rename)."""
    fd = disk.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        disk.fsync(fd)
    finally:
        disk.close(fd)
