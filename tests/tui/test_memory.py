"""What the app remembers, as it is written while the app runs and at its end."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from tests.pty import Terminal
from tests.tui.driving import running, screen
from tui import memory
from tui.memory import AppMemory, MemoryFile, load_memory

MAIN = "agent:main:main"


async def test_what_could_not_be_written_is_written_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as (app, _):
        screen(app).composer.set_draft("half a thought")

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(memory, "save_memory", refuse)
            await app.keep_memory()
        assert load_memory(tmp_path).drafts == {}
        await app.keep_memory()
        assert load_memory(tmp_path).drafts == {MAIN: "half a thought"}


async def test_an_older_memory_never_comes_over_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as (app, _):
        turn, begun, may_write = app.memory_file.write, threading.Event(), threading.Event()

        def slowly(kept: AppMemory, number: int) -> None:
            begun.set()
            may_write.wait(20)
            turn(kept, number)

        with monkeypatch.context() as slow:
            slow.setattr(app.memory_file, "write", slowly)
            screen(app).composer.set_draft("half")
            late = asyncio.create_task(app.keep_memory())
            await asyncio.to_thread(begun.wait, 20)
        screen(app).composer.set_draft("half a thought")
        await app.keep_memory()
        may_write.set()
        await late
        assert load_memory(tmp_path).drafts == {MAIN: "half a thought"}


def test_a_write_that_failed_holds_no_place(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path / "away")
    first, second = file.turn(), file.turn()
    with pytest.raises(OSError):
        file.write(AppMemory(theme="nord"), second)
    (tmp_path / "away").mkdir()
    file.write(AppMemory(theme="dracula"), first)
    assert load_memory(tmp_path / "away").theme == file.memory.theme == "dracula"


def test_words_that_cannot_be_kept_are_told_of_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "app.json").mkdir()
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("New here?")
        terminal.press("feed the cat\x11")
        assert terminal.end() == 0
        assert b"could not be kept" in terminal.raw
