from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.command import Command, CommandList, DiscoveryHit, Hit, Hits, Provider
from textual.pilot import Pilot
from textual.widgets import Input, LoadingIndicator

from engine.engine import Engine
from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui import trees
from tests.tui.driving import running, screen, seed, shows, until
from tests.tui.shown import text
from tui import modes
from tui.app import BranchlineApp
from tui.config.settings import settings_of
from tui.screens.tree import TreeScreen
from tui.widgets.dialogs.dialog import Commands
from tui.widgets.dialogs.help import HelpDialog
from tui.widgets.dialogs.identity import IdentityDialog


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def found(app: BranchlineApp) -> list[str]:
    """The titles that are offered, in their order."""
    options = [one for each in app.screen.query(CommandList) for one in each.options]
    return [str(option.hit.text) for option in options if isinstance(option, Command)]


async def ask(pilot: Pilot[None], words: str, wanted: str) -> None:
    """Open the palette, look for something, and wait until it is offered."""
    app = pilot.app
    assert isinstance(app, BranchlineApp)
    await pilot.press("ctrl+p")
    await until(pilot, lambda: bool(app.screen.query(CommandList)))
    app.screen.query_one(Input).value = words
    await until(
        pilot, lambda: any(wanted in title for title in found(app)), f"{wanted} among the commands"
    )


def searched(app: BranchlineApp) -> bool:
    """Whether all that was asked is answered: what comes later begins the list anew."""
    group = Commands._GATHER_COMMANDS_GROUP
    return all(worker.is_finished for worker in app.workers if worker.group == group)


async def choose(pilot: Pilot[None], words: str, wanted: str, *, whole: bool = True) -> None:
    """Take what is wanted when all (`whole`) is there."""
    await ask(pilot, words, wanted)
    app = pilot.app
    assert isinstance(app, BranchlineApp)
    before: list[str] = []
    while before != found(app) or not before or (whole and not searched(app)):
        before = found(app)
        await pilot.pause(0.3)
    place = next(place for place, title in enumerate(before) if wanted in title)
    app.screen.query_one(CommandList).highlighted = place
    await pilot.press("enter")


@pytest.mark.parametrize("mode", [mode.name for mode in modes.MODES])
async def test_a_session_is_opened_from_every_screen(state: Path, mode: str) -> None:
    await seed(state, {"alice": ["hello"], "bob": ["hi"]})
    async with running(state) as (app, pilot):
        await app.switch_mode(mode)
        await pilot.pause(0.2)
        await choose(pilot, "open bob", "Open Bob")
        await until(pilot, lambda: app.current_mode == "sessions")
        await shows(pilot, "Bob · Telegram DM", "hi")


@pytest.mark.parametrize("mode", [mode.name for mode in modes.MODES])
async def test_before_anything_is_typed_places_and_deeds_are_listed(state: Path, mode: str) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await app.switch_mode(mode)
        await pilot.pause(0.2)
        await ask(pilot, "", "Undo config change")
        titles = found(app)
        assert titles[0].startswith("Open ")
        others = [one.title for one in modes.MODES if one.name != mode]
        assert [f"Go to {title}" for title in others] == [t for t in titles if t[:5] == "Go to"]
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query(CommandList))


async def test_a_person_with_two_conversations_is_asked_which(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with Engine.open(state, environ={}) as engine:
        there = Envelope("whatsapp", "hey", peer=Peer("dm", "a"), sender=Sender("a", "Alice"))
        await (await engine.submit(there)).result()
        text_of = (state / "branchline.json5").read_text()
    linked = text_of.replace(
        'session: {', 'session: { identityLinks: { alice: ["telegram:alice", "whatsapp:a"] },', 1
    )  # fmt: skip
    assert linked != text_of
    (state / "branchline.json5").write_text(linked)
    async with running(state) as (app, pilot):
        await choose(pilot, "person", "Person Alice")
        await until(pilot, lambda: "Alice · Whatsapp DM" in found(app))
        assert sorted(found(app)) == ["Alice · Telegram DM", "Alice · Whatsapp DM"]
        app.screen.query_one(CommandList).highlighted = 0
        await pilot.press("enter")
        await until(pilot, lambda: screen(app).chat.ref == "agent:main:whatsapp:dm:a")


async def test_a_known_person_is_simulated_by_name(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await choose(pilot, "simulate alice", "Simulate as Alice")
        await until(pilot, lambda: isinstance(app.screen, IdentityDialog), "who it is")
        assert app.current_mode == "simulator"
        told = [one.value for one in app.screen.query(Input)]
        assert "alice" in told and "Alice" in told


async def test_labels_and_tips_of_the_open_session_lead_into_its_tree(state: Path) -> None:
    trees.write(state, trees.orders())
    async with running(state) as (app, pilot):
        screen(app).open_session(trees.KEY)
        await until(pilot, lambda: screen(app).chat.view is not None)
        await choose(pilot, "label csv", "Label csv")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        tree = app.screen
        assert isinstance(tree, TreeScreen)
        await until(pilot, lambda: tree.entry_here == "q", "the cursor on the label")
        await choose(pilot, "tip cannot", "I cannot see it")
        await until(pilot, lambda: tree.entry_here == "w2", "the cursor on the other tip")


async def test_what_is_slow_to_read_does_not_hold_up_the_rest(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):

        async def never(ref: str) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(app.engine, "tree", never)
        await choose(pilot, "open alice", "Open Alice", whole=False)
        await shows(pilot, "Alice · Telegram DM")


async def test_a_setting_is_shown_with_its_source_and_written_with_its_comments_kept(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        before = (state / "branchline.json5").read_text()
        await ask(pilot, "dm maxMessages", "Setting history.dm.maxMessages: 100")
        await pilot.press("escape")
        await choose(pilot, "dm maxMessages", "Setting history.dm.maxMessages")
        await until(pilot, lambda: bool(app.screen.query("Ask Input")))
        app.screen.query_one(Input).value = "many"
        await shows(pilot, "write a whole number")
        app.screen.query_one(Input).value = "40"
        await pilot.press("enter")
        await shows(pilot, "+ history: { dm: { maxMessages: 40 } }")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.history.dm.max_messages == 40)
        after = (state / "branchline.json5").read_text()
        assert [line for line in before.splitlines() if line not in after.splitlines()] == []
        setting = {one.path: one for one in settings_of(app.engine.setup.snapshot)}
        assert setting["history.dm.maxMessages"].written
        assert not setting["history.dm.maxTokens"].written


async def test_a_setting_with_few_values_is_picked_and_an_empty_one_is_taken_out(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        await choose(pilot, "glyphs", "Setting ui.glyphs: unicode")
        await shows(pilot, "in force, the default")
        await pilot.press("up", "enter")
        await shows(pilot, 'glyphs: "ascii"')
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.ui.glyphs == "ascii")
        await choose(pilot, "mainKey", "Setting session.mainKey")
        await until(pilot, lambda: bool(app.screen.query("Ask Input")))
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert app.engine.config.session.main_key == "main"


async def test_what_has_a_key_is_done_by_name_also_while_writing(state: Path) -> None:
    async with running(state) as (app, pilot):
        assert screen(app).focused is screen(app).composer
        await choose(pilot, "inspector", "Inspector")
        await until(pilot, lambda: "Inspector" not in text(app))
        screen(app).composer.focus()
        await choose(pilot, "zoom", "Zoom")
        await until(pilot, lambda: "Sessions 0" not in text(app))
        assert screen(app).focused is screen(app).conversation


async def test_a_slash_command_is_run_or_put_into_the_composer_from_every_screen(
    state: Path,
) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await app.switch_mode("tree")
        await choose(pilot, "/label", "/label")
        await until(pilot, lambda: app.current_mode == "sessions")
        await until(pilot, lambda: screen(app).composer.draft == "/label ")
        screen(app).composer.set_draft("")
        await choose(pilot, "/status", "/status")
        await shows(pilot, "nothing said yet")


async def test_help_and_the_palette_itself_are_reached_from_a_dialog(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("escape", "n")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))


async def test_names_of_strangers_are_text_in_the_palette(state: Path) -> None:
    async with Engine.open(state, environ={}) as engine:
        name = "[b]Eve[/b] [@click=app.quit]x[/]\x1b[31m"
        there = Envelope("telegram", "hey", peer=Peer("dm", "e"), sender=Sender("e", name))
        await (await engine.submit(there)).result()
    async with running(state) as (app, pilot):
        await ask(pilot, "person", "Person [b]Eve[/b]")
        await shows(pilot, "Person [b]Eve[/b] [@click=app.quit]x[/]")
        assert "\x1b" not in text(app)


async def test_another_screen_at_once_after_the_palette_breaks_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        app.action_command_palette()
        await app.switch_mode("tree")
        await pilot.pause()
        assert app.current_mode == "tree" and app.is_running
        await app.switch_mode("sessions")
        await pilot.press(*"quit")
        await shows(pilot, "Quit")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


class Endless(Provider):
    """Finds two things and goes on looking."""

    async def discover(self) -> Hits:
        for name in ("One", "Two"):
            yield DiscoveryHit(name, lambda: None)
            await asyncio.sleep(Commands._RESULT_BATCH_TIME * 1.2)  # then the list is drawn
        await asyncio.Event().wait()

    async def search(self, query: str) -> Hits:
        async for hit in self.discover():
            yield Hit(1, hit.prompt, hit.command)


async def test_a_search_that_takes_long_is_given_up(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        palette = Commands(providers=[Endless])
        app.push_screen(palette)
        await until(pilot, lambda: bool(palette.query("LoadingIndicator.--visible")), "busy")
        app.simulate_key("escape")
        while palette.query(LoadingIndicator):
            await asyncio.sleep(0)
        palette._show_busy = not palette._show_busy  # as a timer does that is late
        await until(pilot, lambda: not palette.is_attached, "closed")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog), "the app goes on")
