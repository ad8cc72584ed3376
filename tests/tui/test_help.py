from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.tui.driving import SMALL, TINY, WIDE, running, shows, until
from tests.tui.shown import lines, text
from tui import modes
from tui.commands.keyhelp import HOW, flowing
from tui.widgets.dialogs.ask import Ask
from tui.widgets.dialogs.help import HelpDialog


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY, (20, 8)])
async def test_help_is_drawn_at_every_size_and_closed_by_the_key_that_opened_it(
    state: Path, size: tuple[int, int]
) -> None:
    async with running(state, size) as (app, pilot):
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await pilot.pause()
        assert {cell_len(line) for line in lines(app)} == {size[0]}
        await pilot.press("f1")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_help_names_keys_as_people_do_and_says_more_where_there_is_more(state: Path) -> None:
    async with running(state, (100, 70)) as (app, pilot):
        await pilot.press("f1")
        await shows(pilot, "Shift+⏎ Alt+⏎ New line", "^G Editor $VISUAL or $EDITOR")
        await shows(pilot, "F3 Tree", "Tab Next pane", "^O Jump A letter over each pane")
        assert text(app).index("COMPOSER") < text(app).index("SESSIONS SCREEN")
        assert text(app).index("EVERYWHERE") < text(app).index("EDITING TEXT")


async def test_how_it_works_is_one_key_away_and_among_the_commands(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("f1", "h")
        await shows(pilot, "How Branchline works", "Nothing is destroyed", "h the keys here")
        await pilot.press("h", "escape")
        app.show_how()
        await shows(pilot, "Two states.")


async def test_a_dialog_has_its_own_help(state: Path) -> None:
    async with running(state) as (app, pilot):
        app.push_screen(Ask("Name", hint="", check=lambda text: None))
        await pilot.pause()
        await pilot.press("f1")
        await shows(pilot, "Esc Cancel")
        assert "Compact" not in text(app.screen.app).split("EDITING")[0]
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_any_other_key_ends_jump_mode_where_it_began(state: Path) -> None:
    async with running(state) as (app, pilot):
        here = app.screen.focused
        for key in ("escape", "ctrl+o", "m", "f8"):
            await pilot.press("ctrl+o")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 1, key)
            assert app.screen.focused is here


async def test_a_click_on_a_letter_jumps_too(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("ctrl+o")
        await pilot.pause()
        row = next(index for index, line in enumerate(lines(app)) if " a Sessions" in line)
        await pilot.click(offset=(lines(app)[row].index(" a "), row))
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.screen.focused is app.screen.query_one("#sessions")


def test_the_text_on_how_it_works_names_only_keys_that_there_are() -> None:
    keys = {mode.key.upper() for mode in modes.MODES} | {"F1"}
    named = {word.strip("*().,") for word in flowing(HOW).split() if word.startswith("**F")}
    assert named <= keys


@pytest.mark.parametrize(
    ("mode", "size", "name", "pane"),
    [
        ("sessions", (80, 24), "Inspector", "Inspector"),
        ("sessions", (50, 15), "Sessions", "SessionList"),
        ("tree", (50, 15), "Preview", "Preview"),
        ("routing", (50, 15), "dmScope", "ScopePane"),
        ("routing", (80, 24), "Config", "ConfigPane"),
    ],
)
async def test_jump_mode_opens_panes_that_are_hidden(
    state: Path, mode: str, size: tuple[int, int], name: str, pane: str
) -> None:
    async with running(state, size) as (app, pilot):
        await app.switch_mode(mode)
        await until(pilot, lambda: app.current_mode == mode and app.screen.focused is not None)
        await pilot.pause(0.4)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: bool(re.search(rf" \w {name} ", text(app))), name)
        found = re.search(rf" (\w) {name} ", text(app))
        assert found is not None
        await pilot.press(found[1])

        def there() -> bool:
            focused = app.screen.focused
            return focused is not None and type(focused).__name__ == pane and focused.is_on_screen

        await until(pilot, there, f"the focus in {pane}")
        assert app.screen.query(pane).first().region.area
