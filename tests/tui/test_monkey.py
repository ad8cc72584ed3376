"""Somebody leans on the keyboard: whatever is pressed, the app goes on, draws within its screen,
and loses nothing that was on the disk."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from textual.command import CommandList

from tests.tui.driving import SMALL, TINY, WIDE, running, screen, until
from tests.tui.shown import lines
from tui.app import BranchlineApp
from tui.widgets.dialogs.dialog import Commands
from tui.widgets.dialogs.problems import Problems

KEYS = int(os.environ.get("BRANCHLINE_TEST_KEYS", "150"))
SEEDS = range(int(os.environ.get("BRANCHLINE_TEST_SEEDS", "3")))

TYPED = ["a", "space", "slash", "at", "left_square_bracket", "x", "1", "enter", "ctrl+j"]
WAYS = ["escape", "enter", "tab", "shift+tab", "up", "down", "pagedown", "f2", "f3", "f4", "f5"]
LEFT_OUT = {"ctrl+q", "ctrl+c", "ctrl+z"}


def bindings(app: BranchlineApp) -> list[str]:
    """Keys that act where the focus is now."""
    active = app.screen.active_bindings
    return [key for key, each in active.items() if each.enabled and key not in LEFT_OUT]


def transcripts(state: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (state / "agents").rglob("*.jsonl*")}


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_is_pressed_the_app_goes_on(
    sample_state: Path, size: tuple[int, int], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDITOR", "VISUAL", "PAGER"):
        monkeypatch.setenv(name, "true")
    chance = random.Random(f"{seed} {size}")
    monkeypatch.setattr(BranchlineApp, "action_quit", lambda self: None)
    pressed: list[str] = []
    before = transcripts(sample_state)
    async with running(sample_state, size, paced=False) as (app, pilot):
        for number in range(KEYS):
            pool = chance.choice([bindings(app), bindings(app), TYPED, WAYS])
            key = chance.choice(pool or WAYS)
            pressed.append(key)
            app.simulate_key(key)
            if number % 3 == 0 or number % 25 == 0:
                await pilot.pause()
            assert app.is_running, " ".join(pressed[-20:])
            if number % 25 == 0:
                # A screen that has just come has no size until it is laid out.
                await until(pilot, lambda: len(lines(app)) == size[1], " ".join(pressed[-20:]))
        await pilot.pause(0.3)
    after = transcripts(sample_state)
    kept = b"".join(after.values())
    for path, data in before.items():
        for line in data.splitlines():
            assert line in kept, (path, pressed[-20:])


async def test_two_quick_presses_close_one_screen_and_run_one_command(tmp_path: Path) -> None:
    ran: list[str] = []
    async with running(tmp_path) as (app, pilot):
        app.search_commands([("One", lambda: ran.append("one"), "")])
        await until(pilot, lambda: any(one.option_count for one in app.screen.query(CommandList)))
        await pilot.press("down")
        for _ in range(3):
            app.simulate_key("enter")
        await until(pilot, lambda: bool(ran) and len(app.screen_stack) == 1, "it ran")
        await pilot.pause(0.3)
        assert ran == ["one"]
        assert len(app.screen_stack) == 1
        for closing in ("escape", "enter"):
            app.show_problems()
            await until(pilot, lambda: isinstance(app.screen, Problems), "the problems")
            front = app.screen
            for _ in range(3):
                app.simulate_key(closing)
            if closing == "escape":
                await until(pilot, lambda: front not in app.screen_stack, "closed")  # noqa: B023
            await pilot.pause(0.2)
            assert app.is_running


async def test_an_undo_that_takes_rows_and_scroll_bar_away(tmp_path: Path) -> None:
    async with running(tmp_path, TINY) as (app, pilot):
        composer = screen(app).composer
        composer.focus()
        for _ in range(3):
            composer.insert("many\nlines\n" * 9)
            await pilot.pause()
            composer.action_delete_to_start_of_line()
            while composer.text:
                composer.action_undo()
                await pilot.pause()


async def test_page_keys_in_a_list_of_commands_that_is_empty(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("ctrl+p")
        for key in ("x", "q", "pagedown", "pageup", "down", "enter", "escape", "escape"):
            app.simulate_key(key)
        await pilot.pause(0.3)
        assert app.is_running


async def test_a_list_of_commands_that_is_being_closed_may_still_be_told_it_is_busy(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("ctrl+p")
        front = app.screen
        assert isinstance(front, Commands)
        await front.query("LoadingIndicator, CommandList").remove()
        front._show_busy = not front._show_busy
        front._list_visible = not front._list_visible
        await pilot.pause(0.1)
        assert app.is_running
