from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import Command, CommandList
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.driving import running, screen, seed, shows, until
from tests.tui.shown import text
from tui import modes
from tui.app import BranchlineApp
from tui.screens.tree import TreeScreen


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def offered(app: BranchlineApp) -> list[str]:
    options = [one for each in app.screen.query(CommandList) for one in each.options]
    return [str(one.hit.text) for one in options if isinstance(one, Command)]


async def find(pilot: Pilot[None], words: str) -> BranchlineApp:
    app = pilot.app
    assert isinstance(app, BranchlineApp)
    await pilot.press("ctrl+f")
    await until(pilot, lambda: bool(app.screen.query(CommandList)), "the search")
    app.screen.query_one(Input).value = words
    return app


@pytest.mark.parametrize("mode", [mode.name for mode in modes.MODES])
async def test_what_was_once_said_is_found_from_every_screen_and_led_to(
    state: Path, mode: str
) -> None:
    await seed(state, {"alice": ["the tulips are in the shed", "thanks"], "bob": ["hi"]})
    async with running(state) as (app, pilot):
        await app.switch_mode(mode)
        await pilot.pause(0.2)
        await find(pilot, "tulips SHED")
        await until(pilot, lambda: bool(offered(app)), "a hit")
        assert "Alice · Telegram DM" in text(app)
        await pilot.pause(0.3)
        place = offered(app).index("the tulips are in the shed")
        app.screen.query_one(CommandList).highlighted = place
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen), "the tree")
        tree = app.screen
        assert isinstance(tree, TreeScreen)
        await until(pilot, lambda: tree.forest is not None and tree.entry_here is not None)
        await shows(pilot, "the tulips are in the shed")
        found = await app.engine.search(tree.ref, "tulips shed")
        await until(pilot, lambda: tree.entry_here == found[0].entry_id, "the entry")
        await pilot.press("escape")
        await until(pilot, lambda: screen(app).chat.ref == tree.ref, "its chat")


async def test_what_was_put_away_is_found_and_says_so_and_the_trash_is_not(state: Path) -> None:
    await seed(state, {"alice": ["the tulips"], "bob": ["tulips, too"]})
    async with running(state) as (app, pilot):
        await app.engine.keeping.archive("agent:main:telegram:dm:alice")
        await app.engine.keeping.delete("agent:main:telegram:dm:bob")
        await find(pilot, "tulips")
        await shows(pilot, "the tulips", "archived")
        assert "too" not in text(app)


async def test_a_pattern_that_is_none_is_told_and_a_lone_letter_is_not_looked_for(
    state: Path,
) -> None:
    await seed(state, {"alice": ["the tulips"]})
    async with running(state) as (app, pilot):
        await find(pilot, "re:(")
        await shows(pilot, "Write it in another way")
        app.screen.query_one(Input).value = "t"
        await shows(pilot, "No matches found")


async def test_words_of_strangers_are_text_in_the_list(state: Path) -> None:
    await seed(state, {"alice": ["[red]tulips[/red] \x1b[31mhere"]})
    async with running(state) as (app, pilot):
        await find(pilot, "tulips")
        await shows(pilot, "[red]tulips[/red]")
        assert "\x1b[31m" not in text(app)


async def test_the_search_of_a_tree_that_finds_nothing_says_where_to_look(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        await pilot.press("slash", *"xyz", "enter")
        await shows(pilot, "nothing here holds xyz; ^F looks in all sessions")
