"""Leaving in the same breath as the last deed: all that was asked for is done first."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from engine.engine import Engine
from engine.routing.envelope import Envelope, Peer, Sender
from tests.pty import Terminal
from tests.tui.driving import running, say, screen, shows, until
from tests.tui.shown import text
from tests.tui.test_outbox import FullDisk
from tests.tui.trees import KEY, orders, said, write
from tui import app as app_module
from tui.app import BranchlineApp
from tui.screens.simulator import SimulatorScreen
from tui.screens.tree import TreeScreen
from tui.widgets.dialogs.ask import Ask
from tui.widgets.dialogs.compaction import CompactionDialog
from tui.widgets.dialogs.fork import ForkDialog
from tui.widgets.dialogs.models import ModelPicker
from tui.widgets.dialogs.pairings import PairingRequests
from tui.widgets.dialogs.write import WriteDialog

QUIT = "\x11"
MAIN = "agent:main:main"
WRITING = 0.3
"""Seconds that what was asked for takes to begin; who leaves before that has lost it."""


def test_a_message_sent_right_before_the_end_is_on_disk(tmp_path: Path) -> None:
    with Terminal(state=tmp_path) as terminal:
        terminal.wait_for("New here?")
        terminal.press(f"feed the cat\r{QUIT}")
        assert terminal.end() == 0
    with Terminal(state=tmp_path) as terminal:
        # It stands nowhere twice.
        terminal.wait_for(lambda shown: "┃ feed the cat" in shown and "Enter sends" in shown)


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


# what was asked for on the screens


def late(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Make something begin late, so that the app is asked to end before it is done; it has the
    time that it needs on a busy machine."""
    monkeypatch.setattr(app_module, "PATIENCE", 60.0)
    do = getattr(owner, name)

    async def begin(*args: Any, **options: Any) -> Any:
        await asyncio.sleep(WRITING)
        return await do(*args, **options)

    monkeypatch.setattr(owner, name, begin)


async def ended(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: not pilot.app._running, "the app has ended")


async def on(pilot: Pilot[None], kind: type[object]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind), kind.__name__)


async def tree(app: BranchlineApp, pilot: Pilot[None], at: str) -> TreeScreen:
    """The tree of the session that stands on disk, the cursor on an entry."""
    screen(app).open_session(KEY)
    await until(pilot, lambda: screen(app).chat.ref == KEY, "the session")
    await pilot.press("f3")
    await on(pilot, TreeScreen)
    found = app.screen
    assert isinstance(found, TreeScreen)
    await until(pilot, lambda: found.forest is not None, "its tree")
    found.list.go_to(at)
    return found


async def words_of(engine: Engine, key: str) -> list[str]:
    """What people said in a session, on its path."""
    page = await engine.history(key)
    return [entry.text for entry in page.entries if entry.role == "user"]


@pytest.mark.parametrize("what", ["rename", "label", "archive"])
async def test_what_becomes_of_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        screen(app).open_session(KEY)
        await until(pilot, lambda: screen(app).chat.ref == KEY, "the session")
        late(monkeypatch, app.engine.keeping, what)
        await pilot.press("escape", {"rename": "r", "label": "L", "archive": "A"}[what])
        if what != "archive":
            await on(pilot, Ask)
            await pilot.press(*"vip", "enter")
        await pilot.press("ctrl+q")
        await ended(pilot)
        found = {info.kind: info for info in await app.engine.sessions()}
    if what == "archive":
        assert list(found) == ["archived"]
    elif what == "label":
        assert "vip" in found["session"].labels
    else:
        assert found["session"].label == "vip"


async def test_a_compaction_that_was_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [*orders(), said("z0", "y", "user", "words " * 400)])
    async with running(tmp_path) as (app, pilot):
        late(monkeypatch, app.engine.compaction, "accept")
        dialog = CompactionDialog(KEY, "z0")
        await app.push_screen(dialog)
        await until(pilot, lambda: dialog.state == "shown", "the summary")
        await pilot.press("enter", "ctrl+q")
        await ended(pilot)
        found = await app.engine.tree(KEY)
        assert found.nearest(found.leaf, "compaction") not in (None, "c1")


async def test_a_decision_on_who_is_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = {"channels": {"telegram": {"dmPolicy": "pairing"}}}
    (tmp_path / "branchline.json5").write_text(json.dumps(guarded))
    async with running(tmp_path) as (app, pilot):
        stranger = Envelope("telegram", "hi", peer=Peer("dm", "mal"), sender=Sender("mal", "Mal"))
        await (await app.engine.submit(stranger)).result()
        await shows(pilot, "! 1 asks to be let in")
        late(monkeypatch, app.pairings, "approve")
        await pilot.press("escape", "P")
        await on(pilot, PairingRequests)
        await shows(pilot, "Pairing requests 1")
        await pilot.press("a", "ctrl+q")
        await ended(pilot)
        assert [one.sender_id for one in app.engine.pairing.read().approvals] == ["mal"]


async def test_a_model_written_into_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases = {"models": {"aliases": {"tiny": "offline/echo-2k"}}}
    (tmp_path / "branchline.json5").write_text(json.dumps(aliases))
    async with running(tmp_path) as (app, pilot):
        late(monkeypatch, app.engine.settings, "write")
        await pilot.press("ctrl+l")
        await on(pilot, ModelPicker)
        await pilot.press(*"tiny", "ctrl+g")
        await on(pilot, WriteDialog)
        await pilot.press("enter", "ctrl+q")
        await ended(pilot)
        assert (tmp_path / "branchline.json5").read_text().count("offline/echo-2k") == 2


@pytest.mark.parametrize("what", ["edit", "fork"])
async def test_what_the_fork_dialog_was_told_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        await tree(app, pilot, "y")
        late(monkeypatch, app.engine.branches, what)
        await pilot.press("e" if what == "edit" else "f")
        await on(pilot, ForkDialog)
        if what == "edit":
            app.screen.query_one(TextArea).load_text("in other words")
        else:
            await pilot.press("up")
        await pilot.press("enter", "ctrl+q")
        await ended(pilot)
        if what == "edit":
            assert (await words_of(app.engine, KEY))[-1] == "in other words"
            assert KEY not in app.memory.drafts
        else:
            keys = [info.key for info in await app.engine.sessions()]
            assert any(key.startswith(f"{KEY}:fork:") for key in keys)


async def test_an_edit_that_is_not_sent_yet_is_a_draft(tmp_path: Path) -> None:
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        await tree(app, pilot, "y")
        await pilot.press("e")
        await on(pilot, ForkDialog)
        await app.keep_memory()
        assert KEY not in app.memory.drafts  # these words are in the tree
        app.screen.query_one(TextArea).load_text("half of it in other")
        await pilot.press("ctrl+q")
        await ended(pilot)
        assert app.memory.drafts == {KEY: "half of it in other"}


async def test_an_edit_that_cannot_be_stored_stands_in_the_composer(tmp_path: Path) -> None:
    write(tmp_path, orders())
    disk = FullDisk()
    disk.may_tell.set()
    async with running(tmp_path, disk=disk) as (app, pilot):
        await tree(app, pilot, "y")
        await pilot.press("e")
        await on(pilot, ForkDialog)
        app.screen.query_one(TextArea).load_text("in other words")
        disk.full = True
        await pilot.press("enter")
        await shows(pilot, "No space left")
        await until(pilot, lambda: screen(app).composer.draft == "in other words", "its words")
        assert screen(app).chat.ref == KEY


async def test_an_open_question_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "PATIENCE", 600.0)
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        await tree(app, pilot, "y")
        await pilot.press("f")
        await on(pilot, ForkDialog)
        await pilot.press("f1", "ctrl+q")  # with help over it
        await ended(pilot)


# the Simulator


async def lanes(app: BranchlineApp, pilot: Pilot[None]) -> SimulatorScreen:
    """Alice and Bob side by side, the composer of Alice in focus."""
    await pilot.press("f4")
    await on(pilot, SimulatorScreen)
    found = app.screen
    assert isinstance(found, SimulatorScreen)
    await until(pilot, lambda: len(found.in_view) == 2, "two lanes")
    await until(pilot, lambda: found.focused is found.in_view[0].composer, "the first composer")
    return found


def drafts_of_lanes(app: BranchlineApp) -> list[str]:
    return [one["draft"] for one in app.memory.lanes]


async def test_a_message_of_a_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (app, pilot):
        here = await lanes(app, pilot)
        key = here._key(here.people[0])
        late(monkeypatch, app.engine, "submit")
        await pilot.press(*"hi", "enter", "ctrl+q")
        await ended(pilot)
        assert await words_of(app.engine, key) == ["hi"]
        assert drafts_of_lanes(app) == ["", ""]


async def test_what_a_lane_holds_back_or_waits_with_is_a_draft(
    tmp_path: Path, slow_model: str
) -> None:
    (tmp_path / "branchline.json5").write_text(slow_model)
    async with running(tmp_path) as (app, pilot):
        here = await lanes(app, pilot)
        await pilot.press(*"hi", "enter")
        await until(pilot, lambda: len(app.bridge.tracker.live) == 1, "the answer begins")
        await pilot.press(*"you", "enter")
        await until(pilot, lambda: len(here.house.live.unsaid) == 1, "it waits for its turn")
        await pilot.press("escape", "h", "o", *"there", "enter", *"too")
        await until(pilot, lambda: len(here.held) == 1, "it is held back")
        await pilot.press("ctrl+q")
        await ended(pilot)
        assert drafts_of_lanes(app) == ["you\nthere\ntoo", ""]


async def test_what_is_held_back_stays_written_when_a_scenario_is_opened(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        here = await lanes(app, pilot)
        await pilot.press("escape", "h", "o", *"there", "enter")
        await until(pilot, lambda: len(here.held) == 1, "it is held back")
        from engine.scenario.shipped import shipped_scenarios

        here.open_scenario(next(iter(shipped_scenarios().values())))
        await until(pilot, lambda: here.house.stage is not None and not here.held, "the scenario")
        here.action_live()
        await until(pilot, lambda: here.house.stage is None and len(here.in_view) == 2, "back")
        await until(pilot, lambda: here.in_view[0].composer.draft == "there", "the words")


async def test_a_lane_gets_back_what_the_disk_did_not_take(tmp_path: Path) -> None:
    disk = FullDisk()
    disk.may_tell.set()
    async with running(tmp_path, disk=disk) as (app, pilot):
        here = await lanes(app, pilot)
        await pilot.press(*"hi", "enter")
        await until(pilot, lambda: "2 msgs" in text(app), "the answer")
        await until(pilot, lambda: not app.bridge.tracker.live, "the end of it")
        disk.full = True
        await pilot.press(*"lost?", "enter")
        await shows(pilot, "not sent:")
        assert here.in_view[0].composer.draft == "lost?"


async def test_an_edit_that_waits_for_its_turn_is_a_draft(tmp_path: Path, slow_model: str) -> None:
    (tmp_path / "branchline.json5").write_text(slow_model)
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        await tree(app, pilot, "y")
        await app.engine.submit(Envelope("terminal", "and?"), session_key=KEY)
        await until(pilot, lambda: KEY in app.bridge.tracker.live, "the answer begins")
        await pilot.press("e")
        await on(pilot, ForkDialog)
        app.screen.query_one(TextArea).load_text("in other words")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine._kitchen.lanes.inside(KEY) == 2, "it waits")
        await pilot.press("ctrl+q")
        await ended(pilot)
        assert app.memory.drafts == {KEY: "in other words"}
