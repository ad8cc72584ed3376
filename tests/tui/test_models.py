from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from engine.agents.modelchange import ModelChange
from engine.errors import SessionBusy
from engine.turns.order import Order
from tests.corpus import HOSTILE, raw_controls
from tests.tui.driving import SMALL, TINY, WIDE, running, say, screen, seed, shows, until
from tests.tui.shown import lines, text
from tui.app import BranchlineApp
from tui.commands.modelchoice import choose_model, undo_models
from tui.config.settings import Setting, change_setting
from tui.widgets.dialogs.models import ModelPicker
from tui.widgets.dialogs.modelswitch import ModelSwitch
from tui.widgets.rowlist import RowList

ALICE, BOB = (f"agent:main:telegram:dm:{name}" for name in ("alice", "bob"))
HOME = "agent:main:main"
SMALLER = "offline/echo-2k"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_model_of_its_own_is_seen_wherever_the_session_is(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE)
        await shows(pilot, "from config · offline")
        await say(pilot, f"/model {SMALLER}")
        await shows(pilot, "▲ echo-2k override", f"model ▲ {SMALLER}", "from session override")
        await shows(pilot, "config offline/echo · offline", "Alice · Telegram DM · ▲ echo-2k")
        await say(pilot, "/model default")
        await shows(pilot, "from config · offline")
        await until(pilot, lambda: "▲ echo-2k" not in text(app), "the mark goes")


async def test_for_the_next_message_only(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state, SMALL, paced=False) as (app, pilot):
        home = screen(app)
        home.open_session(ALICE)
        await until(pilot, lambda: home.chat.ref == ALICE)
        home.chat.next_models[ALICE] = SMALLER
        home.draw()
        await say(pilot, "/status")
        await shows(pilot, "offline/echo (config)", "next message only: offline/echo-2k")
        await say(pilot, "who are you")
        await shows(pilot, "echo-2k")
        await until(pilot, lambda: ALICE not in home.chat.next_models)
        await until(pilot, lambda: "next message only" not in text(app), "it is used up")
        await until(pilot, lambda: not app.bridge.tracker.live)
        assert (await app.engine.view(ALICE)).model.ref == "offline/echo"
        [info] = await app.engine.sessions()
        assert (info.model, info.override) == (SMALLER, None)
        home.chat.next_models[ALICE] = SMALLER
        await app.keep_memory()
    async with running(state, SMALL) as (app, pilot):
        assert screen(app).chat.next_models == {ALICE: SMALLER}


CONFIG = """{
  // who answers
  agents: {defaults: {model: "offline/echo"}, list: [
    {id: "main", default: true},
    {id: "ops", model: {primary: "tiny", fallbacks: ["offline/echo"]}}, // keep the fallback
  ]},
  models: {aliases: {tiny: "offline/echo-2k", big: "anthropic/claude-opus-5-5"}},
  session: {dmScope: "per-channel-peer"},
}"""


@asynccontextmanager
async def opened(
    state: Path, size: tuple[int, int] = WIDE, *, paced: bool = False
) -> AsyncIterator[tuple[BranchlineApp, Pilot[None]]]:
    """Alice's session open, Bob's beside it, and the list in focus on Alice's."""
    state.mkdir(parents=True, exist_ok=True)
    (state / "branchline.json5").write_text(CONFIG)
    await seed(state, {"alice": ["hello"], "bob": ["good day"]})
    async with running(state, size, paced=paced) as (app, pilot):
        home = screen(app)
        home.open_session(ALICE)
        await until(pilot, lambda: home.chat.ref == ALICE and home.chat.view is not None)
        yield app, pilot


async def picker(pilot: Pilot[None]) -> ModelPicker:
    await until(pilot, lambda: isinstance(pilot.app.screen, ModelPicker), "the picker")
    found = pilot.app.screen
    assert isinstance(found, ModelPicker)
    await pilot.pause()
    return found


async def override(app: BranchlineApp, key: str) -> str | None:
    return next(info.override for info in await app.engine.sessions() if info.ref == key)


async def test_a_model_is_found_by_its_alias_and_chosen_for_the_session(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        shown = text(app)
        assert "→ config" in shown and "agents.defaults.model" in shown
        assert "needs OPENAI_API_KEY" in shown and "offline/echo-2k tiny" in shown
        await pilot.press(*"tiny", "enter")
        await shows(pilot, "▲ echo-2k override", "config offline/echo · agents")
        assert await override(app, ALICE) == SMALLER
        await pilot.press("ctrl+l")
        await picker(pilot)
        assert "▲ offline/echo-2k" in text(app) and "in force: chosen for this session" in text(app)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "▲ echo-2k" not in text(app), "the mark goes")
        assert await override(app, ALICE) is None


async def test_letters_and_enter_in_one_burst_choose_what_was_typed(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        for key in (*"tiny", "enter"):
            app.simulate_key(key)
        await shows(pilot, "▲ echo-2k override")


async def test_a_model_for_the_next_message_is_chosen_and_used_up(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        await pilot.press(*"tiny", "ctrl+n")
        await shows(pilot, "next message only: offline/echo-2k", "next ▲ offline/echo-2k")
        await pilot.press("ctrl+l")
        await picker(pilot)
        assert "in force: chosen for this turn only" in text(app)
        await pilot.press("escape")
        await say(pilot, "and who are you")
        await until(pilot, lambda: app.next_models == {}, "it is used up")
        await until(pilot, lambda: "next message only" not in text(app))
        assert await override(app, ALICE) is None
        tree = await app.engine.tree(ALICE)
        models = [tree.entry(node.id).message.get("model") for node in tree.nodes.values()]
        assert [one for one in models if one] == ["echo", "echo-2k"]


async def test_a_model_without_its_key_is_told_of_before_it_is_taken(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        await pilot.press(*"big", "enter")
        await shows(pilot, "ANTHROPIC_API_KEY", "could not answer")
        assert isinstance(app.screen, ModelPicker)
        await pilot.press("enter")
        await shows(pilot, "▲ claude-opus-5-5")
        assert await override(app, ALICE) == "anthropic/claude-opus-5-5"


async def test_a_model_that_is_not_listed_is_written_out(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        await pilot.press(*"ollama/qwen3:4b")
        await shows(pilot, "ollama/qwen3:4b", "as you typed it")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ModelPicker))
        await until(pilot, lambda: app.model_change is not None)
        assert await override(app, ALICE) == "ollama/qwen3:4b"


async def test_letters_act_in_the_list_and_slash_goes_back_to_the_field(state: Path) -> None:
    async with opened(state, SMALL) as (app, pilot):
        await pilot.press("ctrl+l")
        asked = await picker(pilot)
        await pilot.press("tab")
        assert isinstance(app.focused, RowList)
        await pilot.press("slash", *"tiny", "tab", "n")
        await until(pilot, lambda: app.next_models == {ALICE: SMALLER})
        assert asked not in app.screen_stack


async def test_a_click_chooses_as_enter_does(state: Path) -> None:
    async with opened(state) as (_, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        await pilot.press(*"tiny")
        await pilot.pause()
        await pilot.click(RowList, offset=(5, 0))
        await shows(pilot, "▲ echo-2k override")


async def test_the_key_in_the_list_is_for_the_session_under_the_cursor(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("escape")
        screen(app).sessions.focus()
        screen(app).sessions.go_to(BOB)
        await pilot.press("m")
        await picker(pilot)
        assert "Model of Bob" in text(app)
        await pilot.press(*"tiny", "enter")
        await until(pilot, lambda: app.model_change is not None)
        assert await override(app, BOB) == SMALLER
        assert await override(app, ALICE) is None


async def test_the_key_in_the_list_is_for_all_that_are_marked(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("escape")
        screen(app).sessions.focus()
        screen(app).sessions.go_to(BOB)
        await pilot.press("M")
        screen(app).sessions.go_to(ALICE)
        await pilot.press("M", "m")
        await picker(pilot)
        assert "Model of 2 sessions" in text(app)
        await pilot.press("escape")
        screen(app).sessions.clear_marks()
        await pilot.press("home", "m")
        await picker(pilot)
        assert "Model of 2 sessions" in text(app)  # those of the agent


async def test_the_config_is_written_as_shown_and_keeps_what_is_beside(state: Path) -> None:
    ops = "agent:ops:main"
    async with opened(state) as (app, pilot):
        choose_model(app, ops)
        await picker(pilot)
        shown = text(app)
        assert "agents.list[1].model" in shown and "then offline/echo" in shown
        await pilot.press(*"big", "ctrl+g", "ctrl+g")
        await shows(pilot, "anthropic/claude-opus-5-5", "Model of ops")
        await pilot.press("enter")
        path = state / "branchline.json5"
        written = CONFIG.replace('primary: "tiny"', 'primary: "anthropic/claude-opus-5-5"')
        await until(pilot, lambda: path.read_text() == written, "it is written")
        assert (await app.engine.models.layers(ops)).in_force.ref == "anthropic/claude-opus-5-5"
        await app.engine.undo_config()
        assert path.read_text() == CONFIG


async def test_several_sessions_change_with_a_preview_and_one_undo(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await app.engine.models.choose(BOB, "offline/echo-4k")
        choose_model(app, ALICE, BOB)
        await picker(pilot)
        await pilot.press(*"tiny", "enter")
        await until(pilot, lambda: isinstance(app.screen, ModelSwitch), "the preview")
        await until(
            pilot, lambda: "2 sessions change: all of them fit" in text(app), "it was looked at"
        )
        shown = text(app)
        assert "offline/echo → ▲ offline/echo-2k" in shown and "32k → 2k" in shown
        assert "▲ offline/echo-4k → ▲ offline/echo-2k" in shown and "4k → 2k" in shown
        assert await override(app, ALICE) is None
        await pilot.press("enter")
        await shows(pilot, "2 sessions → offline/echo-2k")
        assert await override(app, ALICE) == await override(app, BOB) == SMALLER
        undo_models(app)
        await shows(pilot, "2 sessions as before")
        assert await override(app, ALICE) is None
        assert await override(app, BOB) == "offline/echo-4k"
        undo_models(app)
        await shows(pilot, "no model was changed since the app was started; nothing to take back")


async def test_what_could_not_be_taken_back_is_tried_again(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(state) as (app, pilot):
        room = app.engine.models
        app.model_change = await room.choose_for((ALICE, BOB), SMALLER)
        change = room._change

        async def refuse(order: Order, model: str | None, **options: Any) -> ModelChange:
            if order.session_key == BOB:
                raise SessionBusy("another program is writing it")
            return await change(order, model, **options)

        with monkeypatch.context() as busy:
            busy.setattr(room, "_change", refuse)
            undo_models(app)
            await shows(pilot, "1 session as before", "another program")
        assert (await override(app, ALICE), await override(app, BOB)) == (None, SMALLER)
        app.clear_notifications()
        undo_models(app)
        await until(pilot, lambda: app.model_change is None, "the rest is taken up")
        await shows(pilot, "1 session as before")
        assert await override(app, BOB) is None


async def test_the_preview_tells_what_would_not_fit_and_leaves_out(state: Path) -> None:
    long = "forty crates leave the northern harbour on Tuesday at nine " * 9
    await seed(state, {"alice": [f"{number} {long}" for number in range(9)]})
    async with opened(state, SMALL) as (app, pilot):
        choose_model(app, ALICE, BOB)
        await picker(pilot)
        await pilot.press(*"tiny", "enter")
        await until(pilot, lambda: isinstance(app.screen, ModelSwitch), "the preview")
        await until(pilot, lambda: "1 would be compacted" in text(app), "it was looked at")
        assert "would be compacted (" in text(app)
        assert "2 sessions change: 1 fits, 1 would be compacted" in text(app)
        switch = app.screen
        switch.query_one(RowList).go_to(ALICE)
        await pilot.press("space")
        await shows(pilot, "1 session changes: its next message fits")
        assert "[ ] Alice" in text(app) and "left out" in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.model_change is not None)
        assert await override(app, BOB) == SMALLER
        assert await override(app, ALICE) is None


async def test_the_palette_offers_several_by_agent(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.press(*"several sessions")
        await shows(pilot, "Model of several sessions…")
        await pilot.press("down", "enter")
        await shows(pilot, "Of main", "2 sessions")
        await pilot.press("enter")
        await picker(pilot)
        assert "Model of 2 sessions" in text(app)


async def test_a_reply_again_by_another_model(state: Path) -> None:
    async with opened(state) as (app, pilot):
        await pilot.press("escape")
        await until(pilot, lambda: screen(app).conversation.current is not None, "the cursor")
        await pilot.press("R")
        await picker(pilot)
        assert "answer again" in text(app) and "^R" not in text(app)
        await pilot.press(*"tiny", "enter")
        await shows(pilot, "main ▸ echo-2k")
        assert await override(app, ALICE) is None
        await until(pilot, lambda: not app.bridge.tracker.live)
        await pilot.press("j", "f")
        await shows(pilot, "other model…")
        await pilot.press("down", "down", "enter")
        await picker(pilot)
        await pilot.press(*"tiny", "enter")

        async def replies() -> list[str]:
            nodes = (await app.engine.tree(ALICE)).nodes.values()
            return [node.id for node in nodes if node.role == "assistant"]

        for _ in range(100):
            if len(await replies()) == 3:
                break
            await pilot.pause(0.05)
        assert len(await replies()) == 3


async def test_what_is_put_away_takes_no_model(state: Path) -> None:
    async with opened(state) as (app, pilot):
        kept = await app.engine.keeping.archive(BOB)
        await app.bridge.load()
        choose_model(app, kept.ref)
        await shows(pilot, "kept as it was and takes no messages; f forks it")
        choose_model(app, kept.ref, ALICE)
        await picker(pilot)
        assert "Model of Alice" in text(app)


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY])
async def test_names_from_a_config_are_drawn_harmlessly(state: Path, size: tuple[int, int]) -> None:
    evil = HOSTILE["csi clear"] + "[bold]x[/bold]"
    state.mkdir(parents=True)
    models = [{"id": f"m{evil}", "contextWindow": 1000}, {"id": "漢字" * 40}]
    provider = {"baseUrl": "http://127.0.0.1:9/v1", "apiKey": None, "models": models}
    config = {"models": {"providers": {"local": provider}, "aliases": {evil: f"local/m{evil}"}}}
    (state / "branchline.json5").write_text(json.dumps(config))
    async with running(state, size) as (app, pilot):
        await pilot.press("ctrl+l")
        await picker(pilot)
        assert "[bold]x[/bold]" in text(app) or size == TINY
        assert raw_controls(text(app)) == set()
        assert {cell_len(line) for line in lines(app)} == {size[0]}


async def test_a_setting_that_is_a_model_is_asked_for_by_the_same_list(state: Path) -> None:
    async with opened(state) as (app, pilot):
        change_setting(app, Setting("compaction.model", "text", None, False, ""))
        await picker(pilot)
        assert "Enter write to config · ^R the default" in text(app)
        await pilot.press(*"tiny", "enter")
        await shows(pilot, "compaction", "Enter do it")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.compaction.model == SMALLER, "in force")
        setting = Setting("compaction.model", "text", SMALLER, True, "")
        change_setting(app, setting)
        await picker(pilot)
        await pilot.press("ctrl+r")
        await shows(pilot, "Enter do it")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.compaction.model is None, "the default")
