from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input

from tests.pty import Terminal
from tests.tui.driving import running, say, screen, shows, until
from tui.app import BranchlineApp


def burst(app: BranchlineApp, *keys: str) -> None:
    """Keys that come together, as from a paste or a quick hand."""
    driver = app._driver
    assert driver is not None
    for key in keys:
        event = Key(key, key if len(key) == 1 else None)
        event.set_sender(app)
        driver.send_message(event)


def draft(app: BranchlineApp) -> str | None:
    """What is written in the chat; None on another screen."""
    return screen(app).composer.draft if app.current_mode == "sessions" else None


async def test_keys_after_f5_reach_the_routing_screen_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        burst(app, "f5", "t", *"telegram")
        await until(pilot, lambda: app.current_mode == "routing", "the screen")

        def written() -> bool:
            focused = app.screen.focused
            return isinstance(focused, Input) and focused.value == "telegram"

        await until(pilot, written, "the word in the field")
        await pilot.press("f2")
        await until(pilot, lambda: draft(app) == "", "nothing written in the chat")


@pytest.mark.parametrize("mode", ["f3", "f4", "f5"])
async def test_there_and_back_and_on_writing(tmp_path: Path, mode: str) -> None:
    async with running(tmp_path) as (app, pilot):
        burst(app, *"one ", mode, "f2", *"two")
        await until(pilot, lambda: draft(app) == "one two", "all of the draft")


async def test_digits_that_lead_are_seen_through_too(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await say(pilot, "hello")
        await shows(pilot, "This is the first")
        await pilot.press("escape")
        burst(app, "4", "2")
        await until(pilot, lambda: app.current_mode == "tree", "the last of the two")
        await shows(pilot, "hello")


async def test_a_dialog_keeps_keys_that_lead_elsewhere(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("f1")
        burst(app, "f5", "escape", *"word")
        await until(pilot, lambda: screen(app).composer.draft == "word", "the word")
        assert app.current_mode == "sessions"


async def test_what_is_typed_after_the_palettes_key_is_looked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        burst(app, "ctrl+p", *"notices", "escape", *"word")
        await until(pilot, lambda: screen(app).composer.draft == "word", "the word")


@pytest.mark.pty
def test_a_burst_in_a_real_terminal(tmp_path: Path) -> None:
    with Terminal(state=tmp_path / "state") as terminal:
        terminal.wait_for("New here?")
        terminal.press("\x1b[15~ttelegram")
        terminal.wait_for("channel telegram")
