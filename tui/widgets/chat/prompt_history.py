"""What the person typed before, kept over restarts: one JSONL file per state dir."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from engine.disk import Disk, append_all, ensure_dir, open_regular, read_file, write_atomic

__all__ = ["PromptHistory"]

FILE_LIMIT = 8 * 1024 * 1024
"""A history file larger than this (bytes) is not read, and begins anew."""

TEXT_LIMIT = 64 * 1024
"""Most characters of one prompt that are remembered; a longer one is not."""


class PromptHistory:
    """Earlier prompts, newest last, and a place in them that arrow keys move.

    Args:
        path: the file, or None to remember only until the app ends.
        limit: most prompts kept; the file holds at most twice as many lines.
        disk: the door to the file.

    Losing this file loses comfort and no message: a file that cannot be read or written is
    reported once by `load` or `add` raising OSError, and memory goes on.
    """

    def __init__(self, path: Path | None = None, *, limit: int = 500, disk: Disk | None = None):
        self._path = path
        self._limit = limit
        self._disk = disk or Disk()
        self._prompts: list[str] = []
        self._lines = 0
        self._at: int | None = None
        self._draft = ""
        self._lock = asyncio.Lock()

    @property
    def prompts(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self._prompts)

    async def load(self) -> None:
        """Read the file. Lines that are no prompt are passed over.

        Raises:
            OSError: it is there and cannot be read.
        """
        if self._path is None:
            return
        async with self._lock:
            found, self._lines = await asyncio.to_thread(self._read, self._path)
        self._prompts = [*found, *self._prompts][-self._limit :]

    def _read(self, path: Path) -> tuple[list[str], int]:
        try:
            data = read_file(self._disk, path, limit=FILE_LIMIT)
        except FileNotFoundError:
            return [], 0
        lines = data.split(b"\n")[:-1]
        prompts = [prompt for line in lines if (prompt := _prompt(line)) is not None]
        return prompts, len(lines)

    async def add(self, text: str) -> None:
        """Remember a prompt that was sent; the same one twice in a row is kept once.

        Raises:
            OSError: it is remembered, but not on disk.
        """
        self._at, self._draft = None, ""
        same = bool(self._prompts) and self._prompts[-1] == text
        if not text.strip() or len(text) > TEXT_LIMIT or same:
            return
        self._prompts = [*self._prompts, text][-self._limit :]
        if self._path is None:
            return
        async with self._lock:
            if self._lines >= 2 * self._limit:
                await asyncio.to_thread(self._rewrite, self._path, self._prompts)
                self._lines = len(self._prompts)
            else:
                await asyncio.to_thread(self._append, self._path, _line(text))
                self._lines += 1

    def _append(self, path: Path, line: bytes) -> None:
        ensure_dir(self._disk, path.parent)
        fd = open_regular(self._disk, path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            size = self._disk.stat(fd).st_size
            torn = size > 0 and self._disk.read(fd, 1, size - 1) != b"\n"
            append_all(self._disk, fd, b"\n" + line if torn else line, size=size, sync=False)
        finally:
            self._disk.close(fd)

    def _rewrite(self, path: Path, prompts: list[str]) -> None:
        write_atomic(self._disk, path, b"".join(_line(prompt) for prompt in prompts))

    def older(self, current: str) -> str | None:
        """The prompt before; `current` (what is typed now) comes back at the newest end."""
        at = len(self._prompts) if self._at is None else self._at
        if at == 0:
            return None
        if self._at is None:
            self._draft = current
        self._at = at - 1
        return self._prompts[self._at]

    def newer(self) -> str | None:
        """The prompt after, at the end what was typed; None when nothing was being looked at."""
        if self._at is None:
            return None
        if self._at + 1 < len(self._prompts):
            self._at += 1
            return self._prompts[self._at]
        self._at = None
        return self._draft

    def reset(self) -> None:
        """Forget the place, when what was recalled has been changed."""
        self._at = None

    def search(self, words: str, *, limit: int = 50) -> list[str]:
        """Prompts that hold all of `words`, newest first, each once."""
        wanted = words.lower().split()
        found: dict[str, None] = {}
        for prompt in reversed(self._prompts):
            low = prompt.lower()
            if all(word in low for word in wanted):
                found.setdefault(prompt)
            if len(found) == limit:
                break
        return list(found)


def _line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"  # ASCII: lone surrogates survive


def _prompt(line: bytes) -> str | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else None
