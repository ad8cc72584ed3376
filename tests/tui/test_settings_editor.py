from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from engine.config.load import load_text
from tests.corpus import HOSTILE, raw_controls
from tests.tui.driving import SMALL, running, seed, shows, until
from tests.tui.shown import lines, text
from tests.tui.test_palette import choose
from tui.app import BranchlineApp
from tui.behind.configrows import trail
from tui.config.draftsheet import AGENTS, DraftSheet
from tui.config.editor import open_editor
from tui.config.settingplaces import places_of
from tui.config.settings import settings_of
from tui.screens.routing import RoutingScreen
from tui.widgets.dialogs.box import Pick
from tui.widgets.dialogs.entryform import EntryForm
from tui.widgets.dialogs.models import ModelPicker
from tui.widgets.dialogs.write import WriteDialog

CONFIG = """\
// mine
{
  agents: {
    defaults: { model: "offline/echo" }, // the usual
    list: [
      { id: "main", name: "Maxi" }, // first
      // for work
      { id: "ops" },
    ],
  },
  bindings: [
    { agentId: "ops", match: { channel: "slack" } }, // work
  ],
  channels: {
    telegram: { dmPolicy: "allowlist", allowFrom: ["alice", "bob"] }, // family
    /* work */ slack: { dmPolicy: "open", allowFrom: ["*"] },
  },
  models: {
    aliases: { e: "offline/echo" }, // short
    providers: { openai: { apiKey: "sk-verysecretkey123456" } },
  },
  env: { MY_TOKEN: "topsecretvalue" },
}
"""

SIZES = [(120, 40), SMALL, (60, 20)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    file = folder / "branchline.json5"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return folder


def file_of(app: BranchlineApp) -> str:
    return app.engine.config_path.read_text("utf-8")


async def edit(pilot: Pilot[None], *path: str | int) -> DraftSheet:
    app = pilot.app
    assert isinstance(app, BranchlineApp)
    open_editor(app, path)
    return await sheet(pilot)


async def sheet(pilot: Pilot[None]) -> DraftSheet:
    """The editor in front, at rest."""
    await until(pilot, lambda: at_rest(pilot), "the editor in front")
    found = pilot.app.screen
    assert isinstance(found, DraftSheet)
    return found


def at_rest(pilot: Pilot[None]) -> bool:
    front = pilot.app.screen
    return isinstance(front, DraftSheet) and front.is_mounted and front.at_rest


async def form(pilot: Pilot[None], *answers: str) -> EntryForm:
    """The form in front, its text fields filled in."""
    await until(pilot, lambda: ready(pilot), "a form in front")
    found = pilot.app.screen
    assert isinstance(found, EntryForm)
    for field, answer in zip(found.query(Input), answers, strict=False):
        field.value = answer
    return found


def ready(pilot: Pilot[None]) -> bool:
    front = pilot.app.screen
    return isinstance(front, EntryForm) and front.focused is not None


async def go(pilot: Pilot[None], *names: str) -> None:
    """Put the cursor on an entry and go in, name after name; the last one is only pointed at."""
    for number, name in enumerate(names):
        found = await sheet(pilot)
        entry = next(one for one in found.rows.entries if one.name == name)
        found.table.go_to(entry.path)
        if number < len(names) - 1:
            await pilot.press("enter")
            await until(pilot, lambda found=found, entry=entry: found.path == entry.path)


async def write(pilot: Pilot[None]) -> None:
    """Show the difference and write it."""
    await sheet(pilot)
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, WriteDialog), "the difference")
    await pilot.press("enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, WriteDialog | DraftSheet))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_list_of_people_grows_shrinks_and_changes_its_order(
    state: Path, size: tuple[int, int]
) -> None:
    async with running(state, size) as (app, pilot):
        found = await edit(pilot, "channels", "telegram", "allowFrom")
        await shows(pilot, "alice", "bob", "Senders allowed")
        await pilot.press("a")
        await form(pilot, "carol")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 3)
        assert [one.shown for one in found.rows.entries] == ["alice", "carol", "bob"]
        await sheet(pilot)
        await pilot.press("J")
        await until(pilot, lambda: [one.shown for one in found.rows.entries][2] == "carol")
        await go(pilot, "1")
        await pilot.press("d")
        await until(pilot, lambda: len(found.rows) == 2)
        await go(pilot, "1")
        await pilot.press("enter")
        await form(pilot, "bobby")
        await pilot.press("enter")
        await until(pilot, lambda: found.rows.entries[0].shown == "bobby")
        assert app.engine.config.channels["telegram"].allow_from == ("alice", "bob")
        await write(pilot)
        assert file_of(app) == CONFIG.replace('["alice", "bob"]', '["bobby", "carol"]')
        assert app.engine.config.channels["telegram"].allow_from == ("bobby", "carol")


async def test_a_map_gets_an_entry_another_name_and_loses_one(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "models", "aliases")
        await pilot.press("a")
        await form(pilot, "fast", "offline/lorem")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 2)
        await go(pilot, "e")
        await pilot.press("r")
        await form(pilot, "echo")
        await pilot.press("enter")
        await until(pilot, lambda: found.rows.entries[0].name == "echo")
        assert found.entry is not None and found.entry.name == "echo"
        await write(pilot)
        assert dict(app.engine.config.models.aliases) == {
            "echo": "offline/echo",
            "fast": "offline/lorem",
        }
        assert "// short" in file_of(app)
        found = await edit(pilot, "models", "aliases")
        await go(pilot, "echo")
        await pilot.press("d")
        await until(pilot, lambda: len(found.rows) == 1)
        await write(pilot)
        assert dict(app.engine.config.models.aliases) == {"fast": "offline/lorem"}


async def test_what_is_wrong_is_said_under_its_field_and_nothing_is_taken(state: Path) -> None:
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, "session", "resetByType")
        await pilot.press("a")
        asked = await form(pilot, "daily")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is found and bool(len(found.rows)))
        await go(pilot, "direct", "atHour")
        await pilot.press("enter")
        asked = await form(pilot, "25")
        await shows(pilot, "session.resetByType.direct.atHour: expected a whole number from 0")
        await pilot.press("enter")
        await form(pilot, "many")
        await shows(pilot, "write a whole number")
        assert app.screen is asked or isinstance(app.screen, EntryForm)
        await form(pilot, "5")
        await until(pilot, lambda: "write a whole number" not in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is found)
        await write(pilot)
        by_type = app.engine.config.session.reset_by_type
        assert by_type is not None and by_type["direct"].at_hour == 5


async def test_a_model_in_short_gets_fallbacks_by_the_picker(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "agents", "defaults")
        await go(pilot, "model", "primary")
        await shows(pilot, "primary", "offline/echo", "fallbacks")
        await go(pilot, "fallbacks")
        await pilot.press("enter")
        await until(pilot, lambda: found.path[-1] == "fallbacks" and found.at_rest)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ModelPicker) and bool(app.focused))
        app.screen.query_one(Input).value = "ollama/zq9"
        await shows(pilot, "as you typed it")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is found and len(found.rows) == 1)
        await write(pilot)
        model = app.engine.config.agents.defaults.model
        assert model is not None
        assert (model.primary, model.fallbacks) == ("offline/echo", ("ollama/zq9",))
        assert "// the usual" in file_of(app)


async def test_secrets_are_never_shown_and_can_be_replaced(state: Path) -> None:
    async with running(state) as (app, pilot):
        await edit(pilot, "models", "providers")
        await shows(pilot, "openai", "apiKey: set, and not shown")
        found = await sheet(pilot)
        await go(pilot, "openai", "apiKey")
        await pilot.press("e")
        await shows(pilot, "a secret is not shown")
        await pilot.press("enter")
        await form(pilot, "sk-anothersecret98765")
        await pilot.pause()
        assert "anothersecret" not in text(app) and "verysecret" not in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is found and found.draft.changes)
        await sheet(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog))
        await shows(pilot, "apiKey")
        assert "anothersecret" not in text(app) and "verysecret" not in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "sk-anothersecret98765" in file_of(app))
        found = await edit(pilot, "env")
        await shows(pilot, "MY_TOKEN", "set, and not shown")
        assert "topsecret" not in text(app)


async def test_what_was_changed_is_undone_and_not_thrown_away_unasked(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "channels")
        await go(pilot, "telegram", "dmPolicy")
        await pilot.press("enter")
        await form(pilot)
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: found.draft.changes and app.screen is found)
        await sheet(pilot)
        await pilot.press("u")
        await until(pilot, lambda: not found.draft.changes and found.at_rest)
        await pilot.press("enter")
        await form(pilot)
        await pilot.press("up", "enter")
        await until(pilot, lambda: found.draft.changes and app.screen is found)
        await sheet(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: found.path == ("channels",) and found.at_rest)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("escape")
        await sheet(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("down", "enter")
        await until(pilot, lambda: not isinstance(app.screen, Pick | DraftSheet))
        assert file_of(app) == CONFIG


async def test_in_memory_it_is_in_force_and_the_file_stays(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "keymap")
        await pilot.press("a")
        await form(pilot, "sessions.new", "f9")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 1 and app.screen is found)
        await sheet(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.engine.config.keymap.get("sessions.new") == "f9")
        assert file_of(app) == CONFIG
        await until(pilot, lambda: app.screen is not found)


async def test_the_file_changes_underneath_and_both_changes_are_in_it(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "channels", "telegram", "allowFrom")
        await go(pilot, "1")
        await pilot.press("d")
        await until(pilot, lambda: len(found.rows) == 1)
        other = CONFIG.replace("Maxi", "Maximilian").replace("// family", "// friends")
        app.engine.config_path.write_text(other)
        await write(pilot)
        assert file_of(app) == other.replace('["alice", "bob"]', '["bob"]')


async def test_a_file_that_cannot_be_read_is_not_edited(state: Path) -> None:
    async with running(state) as (app, pilot):
        app.engine.config_path.write_text(CONFIG + "}")
        open_editor(app)
        await shows(pilot, "cannot be read as it is now", "Mend the file first")
        assert not isinstance(app.screen, DraftSheet)


async def test_people_are_linked_by_a_name_and_some_ids(state: Path) -> None:
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, "session", "identityLinks")
        await pilot.press("a")
        await form(pilot, "alice", "telegram:alice, slack:U1")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 1 and app.screen is found)
        await sheet(pilot)
        await pilot.press("a")
        await form(pilot, "alice", "irc:al")
        await shows(pilot, "there is one of that name already")
        await pilot.press("escape")
        await write(pilot)
        links = app.engine.config.session.identity_links
        assert dict(links) == {"alice": ("telegram:alice", "slack:U1")}


async def test_a_whole_value_is_changed_as_text(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, "channels", "slack")
        await go(pilot, "allowFrom")
        await pilot.press("e")
        await form(pilot, "['*'")
        await shows(pilot, "this is no JSON5 value")
        await form(pilot, "['*', 12]")
        await pilot.press("enter")
        await until(pilot, lambda: found.draft.changes and app.screen is found)
        await write(pilot)
        assert file_of(app) == CONFIG.replace('["*"]', '["*", 12]')
        assert app.engine.config.channels["slack"].allow_from == ("*", "12")


async def test_what_cannot_be_done_here_says_why(state: Path) -> None:
    async with running(state) as (app, pilot):
        await edit(pilot, "ui")
        for key, told in (
            ("a", "every key there may be is here already"),
            ("d", "the file says nothing of theme"),
            ("r", "no name of its own"),
            ("J", "the order of these decides nothing"),
            ("u", "nothing was changed here"),
            ("w", "nothing is changed here"),
        ):
            await pilot.press(key)
            await shows(pilot, told)
            await sheet(pilot)
        assert file_of(app) == CONFIG


async def test_what_a_removal_would_break_is_refused_with_its_remedy(state: Path) -> None:
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await go(pilot, "ops", "id")
        await pilot.press("d")
        await shows(pilot, "agents.list[1]: `id` is missing")
        assert not found.draft.changes and file_of(app) == CONFIG


async def test_every_place_is_among_the_commands(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = {trail(one.path) for one in places_of(app.engine.setup.snapshot)}
        assert {
            *("agents.list", "bindings", "channels", "keymap", "models.aliases", "routing"),
            *("channels.telegram.allowFrom", "channels.slack.dmPolicy", "env", "permissions"),
            *("session.identityLinks", "messages.groupChat.mentionPatterns", "models.providers"),
        } <= found
        assert not found & {one.path for one in settings_of(app.engine.setup.snapshot)}
        await choose(pilot, "setting telegram allowFrom", "Setting channels.telegram.allowFrom")
        opened = await sheet(pilot)
        assert opened.path == ("channels", "telegram", "allowFrom")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not opened)
        await choose(pilot, "setting slack dmPolicy", "Setting channels.slack.dmPolicy")
        opened = await sheet(pilot)
        assert opened.entry is not None and opened.entry.name == "dmPolicy"


async def test_rules_that_stand_elsewhere_lead_to_their_settings(state: Path) -> None:
    file = state / "branchline.json5"
    file.write_text(CONFIG.replace("  bindings", '  routing: { "telegram:*": "ops" },\n  bindings'))
    async with running(state) as (app, pilot):
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RoutingScreen))
        routing = app.screen
        assert isinstance(routing, RoutingScreen)
        await until(pilot, lambda: bool(routing.study.rows) and routing.at_rest)
        for tier, path in (("default", AGENTS), ("routing", ("routing",))):
            row = next(one for one in routing.study.rows if tier in (one.key, one.tier))
            routing.table.focus()
            routing.table.go_to(row.key)
            await pilot.press("enter")
            opened = await sheet(pilot)
            assert opened.path == path
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is routing)


@pytest.mark.parametrize("size", [(120, 40), (50, 15)], ids=["120x40", "50x15"])
async def test_whatever_is_pressed_the_editor_goes_on_and_the_file_can_be_used(
    state: Path, size: tuple[int, int]
) -> None:
    chance = random.Random(str(size))
    keys = [*"adreJKDuxjkh1", "enter", "enter", "escape", "tab", "space", "down", "up", "backspace"]
    async with running(state, size, paced=False) as (app, pilot):
        for number in range(int(os.environ.get("BRANCHLINE_TEST_KEYS", "150"))):
            if number % 20 == 0 and not isinstance(app.screen, ModalScreen):
                open_editor(app)
            app.simulate_key(chance.choice(keys) if number % 20 else "enter")
            if number % 3 == 0:
                await pilot.pause()
            if number % 25 == 0:
                await until(pilot, lambda: len(lines(app)) == size[1], "a whole screen")
            assert app.is_running
        await pilot.pause()
        assert load_text(file_of(app), {}).config is not None


# agents


async def test_an_agent_is_added_and_made_the_default(state: Path) -> None:
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await shows(pilot, "main", "Maxi", "default agent", "ops", "1 rule")
        await pilot.press("a")
        await form(pilot, "Bad Id")
        await shows(pilot, "cannot be an agent id", '"bad-id")')
        await form(pilot, "sales", "Sales", "offline/echo")
        await until(pilot, lambda: "cannot be an agent id" not in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 3 and app.screen is found)
        await sheet(pilot)
        assert found.entry is not None and found.entry.name == "sales"
        await pilot.press("D")
        await until(pilot, lambda: found.rows.entries[2].source == "default agent")
        await write(pilot)
        table = app.engine.setup.router.agents
        assert (table.default, table.known) == ("sales", {"main", "ops", "sales"})
        assert '{ id: "sales", name: "Sales", model: "offline/echo", default: true }' in (
            file_of(app)
        )
        assert [line for line in CONFIG.splitlines() if line not in file_of(app)] == []


async def test_an_agent_goes_with_a_warning_of_what_names_it(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await shows(pilot, "1 session")
        await pilot.press("d")
        await shows(pilot, "Remove agent main", "1 session stays", "goes to ops")
        await pilot.press("escape")
        await go(pilot, "ops")
        await pilot.press("d")
        await shows(pilot, "Named by bindings[0]", "It has no sessions", "goes to")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 1 and app.screen is found)
        await write(pilot)
        assert [one.id for one in app.engine.config.agents.list] == ["main"]
        assert app.engine.config.bindings == ()
        assert "// work" in file_of(app) and "// for work" in file_of(app)


async def test_another_id_takes_its_bindings_along(state: Path) -> None:
    async with running(state) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await go(pilot, "ops")
        await pilot.press("r")
        await form(pilot, "work")
        await pilot.press("enter")
        await until(pilot, lambda: found.rows.entries[-1].name == "work")
        await write(pilot)
        assert file_of(app) == CONFIG.replace('"ops"', '"work"')


async def test_the_id_itself_takes_its_bindings_along_too(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await go(pilot, "ops", "id")
        await pilot.press("enter")
        await form(pilot, "main")
        await shows(pilot, "there is an agent main already")
        await form(pilot, "work")
        await until(pilot, lambda: "already" not in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: found.rows.entries[0].shown == "work")
        await write(pilot)
        assert file_of(app) == CONFIG.replace('"ops"', '"work"')


async def test_agents_by_name_are_among_them(state: Path) -> None:
    file = state / "branchline.json5"
    file.write_text('{ agents: { shop: { channels: ["irc"], name: "Shop" } } } // end')
    async with running(state) as (app, pilot):
        found = await edit(pilot, *AGENTS)
        await shows(pilot, "shop", "Shop", "default agent")
        await pilot.press("a")
        await form(pilot, "ops")
        await pilot.press("enter")
        await until(pilot, lambda: len(found.rows) == 2 and app.screen is found)
        await go(pilot, "shop", "channels")
        await pilot.press("r")
        await shows(pilot, "no name of its own")
        await pilot.press("escape")
        await until(pilot, lambda: found.path == AGENTS and found.at_rest)
        assert found.entry is not None and found.entry.name == "shop"
        await write(pilot)
        table = app.engine.setup.router.agents
        assert (table.default, table.known) == ("shop", {"ops", "shop"})
        assert file_of(app).endswith("// end")


async def test_names_and_values_of_strangers_are_drawn_harmlessly(state: Path) -> None:
    nasty = [one for one in HOSTILE.values() if 0 < len(one) < 400 and not one.isprintable()]
    nasty = [one for one in nasty if not any("\ud800" <= char <= "\udfff" for char in one)]
    nasty.append("[@click=app.quit]x[/]")
    config = {
        "agents": {"list": [{"id": "main", "name": one} for one in nasty[:1]]},
        "models": {"aliases": {one: one for one in nasty}},
        "session": {"identityLinks": {one: [one, one] for one in nasty}},
    }
    (state / "branchline.json5").write_text(json.dumps(config))
    async with running(state, SMALL) as (app, pilot):
        found = await edit(pilot, "session", "identityLinks")
        for at, one in enumerate(nasty):
            assert not raw_controls(text(app))
            found.table.go_to(("session", "identityLinks", one))
            await pilot.press("enter")
            await until(pilot, lambda one=one: found.path[-1] == one and found.at_rest)
            assert not raw_controls(text(app))
            if at in (0, len(nasty) - 1):
                await pilot.press("enter")
                await form(pilot)
                assert not raw_controls(text(app))
                await pilot.press("escape")
                await sheet(pilot)
                await pilot.press("d")
                await until(pilot, lambda: len(found.rows) == 1 and found.at_rest)
            await pilot.press("escape")
            await until(pilot, lambda: len(found.path) == 2 and found.at_rest)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await shows(pilot, "Not written yet")
        assert not raw_controls(text(app))
