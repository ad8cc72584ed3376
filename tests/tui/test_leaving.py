"""Leaving in the same breath as the last deed: all that was asked for is done first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pty import Terminal
from tests.tui.driving import running, say, screen, shows, until
from tests.tui.test_outbox import FullDisk

QUIT = "\x11"
MAIN = "agent:main:main"


def test_a_message_sent_right_before_the_end_is_on_disk(tmp_path: Path) -> None:
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("New here?")
        terminal.press(f"feed the cat\r{QUIT}")
        assert terminal.end() == 0
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("┃ feed the cat")
        assert "Enter sends" in terminal.screen()  # it stands nowhere twice


def test_what_was_not_sent_right_before_the_end_is_a_draft(tmp_path: Path) -> None:
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("New here?")
        terminal.press(f"feed the cat{QUIT}")
        assert terminal.end() == 0
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("feed the cat")
        assert "┃ feed" not in terminal.screen()


def test_a_name_given_right_before_the_end_is_kept(tmp_path: Path) -> None:
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("New here?")
        terminal.press("feed the cat\r")
        terminal.wait_for("You said")
        terminal.press("\x1b", 0.5)
        terminal.press("\x1b[Z", 0.5)  # to the list
        terminal.press(f"rcats of mine\r{QUIT}")
        assert terminal.end() == 0
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("cats of mine")


@pytest.mark.parametrize("again", [False, True])
async def test_a_disk_that_hangs_holds_nobody_for_long(tmp_path: Path, again: bool) -> None:
    disk = FullDisk()
    async with running(tmp_path, disk=disk) as (app, pilot):
        await say(pilot, "kept")
        await shows(pilot, "main ▸ echo")
        await until(pilot, lambda: not app.bridge.tracker.live and not screen(app).outbox.underway)
        screen(app).chat.next_models[MAIN] = "offline/echo-2k"
        disk.full = True
        await say(pilot, "this hangs")
        await pilot.press("ctrl+q")
        if again:
            await pilot.press("ctrl+q")
        await until(pilot, lambda: not app._running, "the app has ended")
        assert app.memory.drafts == {MAIN: "this hangs"}
        assert app.memory.next_models == {MAIN: "offline/echo-2k"}
        disk.may_tell.set()
