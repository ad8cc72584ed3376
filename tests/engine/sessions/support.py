from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.clock import ManualClock
from engine.disk import Disk, FileInfo
from engine.sessions.transcript import Transcript, make_header


class Killed(BaseException):
    """The process is gone: nothing after this runs, not even clean-up that touches the disk."""


class QuickDisk(Disk):
    """The real disk without waiting for it: what fsync adds shows only when the power goes."""

    def fsync(self, fd: int) -> None:
        os.fstat(fd)


class FaultyDisk(Disk):
    """The real disk, one call of which goes wrong.

    `at` counts calls from 1; `fault` is enospc, eio, short or kill. `calls` says afterwards how
    many there were, so that a loop can stop at the first number that no call reached.
    """

    def __init__(self, at: int = 0, fault: str = "eio"):
        self.at = at
        self.fault = fault
        self.calls = 0
        self.hit = False
        self.dead = False
        self.full = False
        self.fds: set[int] = set()
        self.trace: list[str] = []
        self.unsynced: dict[str, int] = {}

    def _step(self, name: str, tear: Callable[[], object] | None = None) -> None:
        if self.dead:
            raise Killed
        self.calls += 1
        self.trace.append(name)
        if self.calls != self.at:
            return
        self.hit = True
        if self.fault == "kill":
            if tear is not None:
                tear()
            self.dead = True
            raise Killed
        if self.fault == "short" and tear is not None:
            tear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        code = errno.ENOSPC if self.fault in ("enospc", "short") else errno.EIO
        raise OSError(code, os.strerror(code))

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        self._step("open")
        fd = super().open(path, flags, mode)
        self.fds.add(fd)
        return fd

    def close(self, fd: int) -> None:
        if fd in self.fds and not self.dead:
            self.fds.discard(fd)
            super().close(fd)

    def read(self, fd: int, count: int, offset: int) -> bytes:
        self._step("read")
        return super().read(fd, count, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._step("write", lambda: os.write(fd, bytes(data)[: max(1, len(data) // 2)]))
        self.unsynced.setdefault(os.readlink(f"/proc/self/fd/{fd}"), os.fstat(fd).st_size)
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._step("fsync")
        self.unsynced.pop(os.readlink(f"/proc/self/fd/{fd}"), None)

    def truncate(self, fd: int, size: int) -> None:
        self._step("truncate")
        super().truncate(fd, size)

    def stat(self, fd: int) -> os.stat_result:
        self._step("stat")
        return super().stat(fd)

    def look(self, path: Path) -> os.stat_result:
        self._step("look")
        return super().look(path)

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self._step("mkdir")
        super().mkdir(path)

    def lock(self, fd: int) -> bool:
        self._step("lock")
        return super().lock(fd)

    def unlock(self, fd: int) -> None:
        self._step("unlock")
        super().unlock(fd)

    def files(self, path: Path) -> list[FileInfo]:
        self._step("files")
        return super().files(path)

    def dirs(self, path: Path) -> list[str]:
        self._step("dirs")
        return super().dirs(path)

    def bury(self, *, lose: bool = False) -> None:
        """What the kernel does with a dead process; `lose`: the power went too, and of what was
        not synced nothing reached the disk."""
        if lose:
            for path, size in self.unsynced.items():
                if os.path.exists(path) and os.path.getsize(path) > size:
                    os.truncate(path, size)
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "message": {"role": "user", "content": text, **more}}


def reply(text: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    message = {"role": "assistant", "content": content, "provider": "p", "model": "m"}
    return {"type": "message", "message": message}


def new_transcript(path: Path, *texts: str, disk: Disk | None = None) -> Transcript:
    clock, disk = ManualClock(), disk or QuickDisk()
    header = make_header(path.stem, clock, sessionKey="agent:main:main")
    transcript = Transcript.create(path, header, disk=disk, clock=clock)
    for text in texts:
        transcript.append(user(text))
    return transcript


def texts(transcript: Transcript) -> list[str]:
    tree = transcript.tree
    return [tree.entry(name).text for name, node in tree.nodes.items() if node.type == "message"]
