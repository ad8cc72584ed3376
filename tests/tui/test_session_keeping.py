from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.config.edit import set_value
from engine.engine import Engine
from engine.routing.envelope import Envelope, Peer
from engine.text import safe_line
from tests.tui.driving import SMALL, running, say, screen, seed, shows, until
from tui.app import BranchlineApp
from tui.memory import save_memory
from tui.widgets.sessions.sessionlist import SessionList

ALICE = "agent:main:telegram:dm:alice"
BOB = "agent:main:telegram:dm:bob"


async def at(app: object, pilot: object, key: str) -> None:
    screen(app).open_session(key)  # type: ignore[arg-type]
    await until(pilot, lambda: screen(app).chat.ref == key)  # type: ignore[arg-type]
    await pilot.press("escape")  # type: ignore[attr-defined]


@pytest.fixture
async def two(tmp_path: Path) -> Path:
    await seed(tmp_path, {"alice": ["my code is tulip"], "bob": ["hello from bob"]})
    return tmp_path


async def test_a_name_and_labels_are_kept_on_disk(two: Path) -> None:
    async with running(two) as (app, pilot):
        await at(app, pilot, ALICE)
        await pilot.press("r")
        await pilot.pause()
        await pilot.press(*"vip", "enter")
        await shows(pilot, "vip · Telegram DM")
        await pilot.press("escape", "L")
        await pilot.pause()
        await pilot.press(*"escalated, slow", "enter")
        info = app.bridge.tracker.infos
        await until(pilot, lambda: info is not None and len(screen_labels(app)) == 2)
    async with Engine.open(two, environ={}) as engine:
        found = {info.key: info for info in await engine.sessions()}
        assert found[ALICE].label == "vip"
        assert found[ALICE].labels[1:] == ("escalated", "slow")


def screen_labels(app: object) -> tuple[str, ...]:
    return screen(app).tracker.infos[ALICE].labels[1:]  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "word"), [("A", "archived"), ("D", "in the trash")])
async def test_what_is_put_away_comes_back_whole(two: Path, key: str, word: str) -> None:
    async with running(two) as (app, pilot):
        await at(app, pilot, ALICE)
        await pilot.press(key)
        if key == "D":
            await shows(pilot, "To the trash")
            await pilot.press("enter")
        await shows(pilot, f"{word}. U brings it back")
        await until(pilot, lambda: screen(app).chat.ref == "agent:main:main")
        assert ALICE not in app.bridge.tracker.infos
        await pilot.press("escape", "U")
        await until(pilot, lambda: screen(app).chat.ref == ALICE)
        await shows(pilot, "my code is tulip", "goes on")


async def test_earlier_conversations_of_a_key_open_to_be_read(two: Path) -> None:
    async with Engine.open(two, environ={}) as engine:
        await engine.keeping.archive(ALICE)
    await seed(two, {"alice": ["a fresh start"]})
    async with running(two) as (app, pilot):
        await at(app, pilot, ALICE)
        await pilot.press("E")
        await shows(pilot, "Earlier ones", "archived by hand")
        await pilot.press("enter")
        await shows(pilot, "my code is tulip")
        assert screen(app).chat.kept


async def test_the_operator_writes_as_a_person_and_as_themselves_again(two: Path) -> None:
    async with running(two) as (app, pilot):
        await at(app, pilot, ALICE)
        await pilot.press("a")
        await shows(pilot, "Write as", "Yourself", "Alice")
        await pilot.press("down", "enter")
        await shows(pilot, "as Alice · telegram dm alice")
        await say(pilot, "what is my code?")
        await until(pilot, lambda: len(screen(app).conversation.query("MessageView")) >= 4)
        page = await app.engine.history(ALICE)
        said = [each for each in page.entries if each.text == "what is my code?"]
        assert said[0].data["origin"]["sender"]["id"] == "alice"
        await pilot.press("escape", "a")
        await shows(pilot, "Yourself")
        await pilot.press("up", "enter")
        await until(pilot, lambda: screen(app).chat.speakers == {})


async def test_a_session_begins_for_an_agent_or_as_a_person(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as (app, pilot):
        await pilot.press("escape", "N")
        await shows(pilot, "New session", "As a person")
        await pilot.press("down", "enter")
        await shows(pilot, "New session as a person")
        await pilot.press(*"Dora", "enter")
        await until(pilot, lambda: screen(app).chat.ref == "agent:main:telegram:dm:dora")
        await say(pilot, "hello there")
        await until(pilot, lambda: "agent:main:telegram:dm:dora" in app.bridge.tracker.infos)


async def test_an_archived_row_of_the_list_is_the_one_that_comes_back(two: Path) -> None:
    async with Engine.open(two, environ={}) as engine:
        made = await engine.keeping.archive(ALICE)
    await seed(two, {"alice": ["a fresh start"]})
    async with running(two) as (app, pilot):
        rows = screen(app).sessions
        rows.focus()
        rows.filter("is:archived")
        assert rows.current == made.ref
        await pilot.press("A")
        await until(pilot, lambda: screen(app).chat.ref == ALICE)
        await shows(pilot, "my code is tulip")


async def test_what_came_while_the_app_was_away_is_unread_until_it_is_looked_at(two: Path) -> None:
    async with running(two) as (app, pilot):
        screen(app).leave()
        save_memory(two, app.memory)
    await seed(two, {"bob": ["are you there?"]})
    for round_ in (1, 2):
        async with running(two) as (app, pilot):
            assert app.bridge.tracker.unread == {BOB}, round_
            screen(app).leave()
            save_memory(two, app.memory)
    async with running(two) as (app, pilot):
        await at(app, pilot, BOB)
        assert app.bridge.tracker.unread == set()
        screen(app).leave()
        save_memory(two, app.memory)
    async with running(two) as (app, pilot):
        assert app.bridge.tracker.unread == set()


async def test_a_reply_that_another_program_wrote_is_unread(two: Path) -> None:
    async with running(two) as (app, pilot):
        await at(app, pilot, ALICE)
        await seed(two, {"bob": ["from a script"]})
        await until(pilot, lambda: BOB in app.bridge.tracker.unread)


async def listed(app: BranchlineApp, pilot: Pilot[None]) -> SessionList:
    rows = screen(app).sessions
    await pilot.press("escape")
    rows.focus()
    await pilot.pause()
    return rows


async def test_a_look_into_sessions_opens_nothing_and_calls_nothing_read(two: Path) -> None:
    async with running(two, SMALL) as (app, pilot):
        rows = await listed(app, pilot)
        app.bridge.tracker.unread.add(BOB)
        here = screen(app).chat.ref
        rows.go_to(ALICE)
        await pilot.press("space")
        await shows(pilot, "Alice · Telegram DM", "my code is tulip", "idle · 2 messages")
        places = [rows.rows.index_of(key) or 0 for key in (ALICE, BOB)]
        await pilot.press("j" if places[0] < places[1] else "k")
        await shows(pilot, "Bob · Telegram DM", "hello from bob")
        await seed(two, {"bob": ["and one more thing"]})
        await shows(pilot, "and one more thing")
        assert screen(app).chat.ref == here and BOB in app.bridge.tracker.unread
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert rows.current == BOB
        await pilot.press("space", "enter")
        await until(pilot, lambda: screen(app).chat.ref == BOB)
        assert BOB not in app.bridge.tracker.unread and screen(app).composer.has_focus


async def test_space_on_a_row_with_others_below_unfolds_what_its_key_held_before(two: Path) -> None:
    async with Engine.open(two, environ={}) as engine:
        made = await engine.keeping.archive(ALICE)
    await seed(two, {"alice": ["a fresh start"]})
    async with running(two) as (app, pilot):
        rows = await listed(app, pilot)
        assert rows.rows.index_of(made.ref) is None
        await shows(pilot, "1 earlier")
        rows.go_to(("earlier", ALICE))
        await pilot.press("space", "j")
        assert rows.current == made.ref
        await pilot.press("enter")
        await shows(pilot, "my code is tulip")
        assert screen(app).chat.kept


async def test_what_is_done_in_the_list_is_done_with_all_that_are_marked(two: Path) -> None:
    async with running(two) as (app, pilot):
        rows, infos = await listed(app, pilot), app.bridge.tracker
        rows.go_to(("agent", "main"))
        await pilot.press("M")
        await shows(pilot, "2 of 2 marked")
        await pilot.press("L")
        await shows(pilot, "Labels of 2 sessions")
        await pilot.press(*"slow", "enter")
        await until(pilot, lambda: all("slow" in infos.infos[key].labels for key in (ALICE, BOB)))
        rows.focus()
        await pilot.press("A")
        await shows(pilot, "Archive 2 sessions")
        await pilot.press("enter")
        await shows(pilot, "archived. U brings all 2 back")
        await until(pilot, lambda: not infos.runs(ALICE) and not infos.runs(BOB))
        assert rows.marked_refs() == ()
        await pilot.press("escape", "U")
        await until(pilot, lambda: infos.runs(ALICE) and infos.runs(BOB))
        rows.focus()
        rows.go_to(ALICE)
        await pilot.press("M", "escape")
        assert rows.marked_refs() == () and rows.has_focus


async def test_read_and_unread_again_without_opening(two: Path) -> None:
    async with running(two) as (app, pilot):
        rows, tracker = await listed(app, pilot), app.bridge.tracker
        tracker.unread.update((ALICE, BOB))
        rows.go_to(("agent", "main"))
        await pilot.press("M", "R")
        assert tracker.unread == set()
        await pilot.press("escape")
        rows.go_to(BOB)
        await pilot.press("R")
        assert tracker.unread == {BOB}
        await shows(pilot, "new · hello from bob")


async def test_a_session_that_began_while_the_app_was_closed_is_unread(two: Path) -> None:
    async with running(two) as (app, _):
        screen(app).leave()
        save_memory(two, app.memory)
    await seed(two, {"carol": ["hello, I am new"]})
    async with running(two) as (app, _):
        assert app.bridge.tracker.unread == {"agent:main:telegram:dm:carol"}


async def test_a_turn_that_failed_needs_the_person_also_after_a_restart(two: Path) -> None:
    async with running(two) as (app, pilot):
        tracker = app.bridge.tracker
        envelope = Envelope("telegram", "are you there?", peer=Peer("dm", "bob"))
        model = "anthropic/claude-opus-4-5"  # for which there is no key
        result = await (await app.engine.submit(envelope, model=model)).result()
        assert result.error is not None
        await until(pilot, lambda: BOB in tracker.needs)
        await until(pilot, lambda: tracker.infos[BOB].heard > 2)
        screen(app).leave()
        save_memory(two, app.memory)
    async with running(two) as (app, pilot):
        assert list(app.bridge.tracker.needs) == [BOB]
        await shows(pilot, "needs you · " + safe_line(result.error.message)[:6])
        await at(app, pilot, BOB)
        screen(app).leave()
        save_memory(two, app.memory)
    async with running(two) as (app, pilot):
        assert not app.bridge.tracker.needs and not app.bridge.tracker.unread


async def test_the_inspector_tells_labels_what_was_before_and_when_it_ends(two: Path) -> None:
    async with Engine.open(two, environ={}) as engine:
        await engine.keeping.archive(ALICE)
        edit = set_value(await engine.settings.text(), ("session", "reset", "mode"), "daily")
        await engine.settings.write(edit, "a fresh start each day")
    await seed(two, {"alice": ["a fresh start"]})
    async with running(two, (140, 50)) as (app, pilot):
        await at(app, pilot, ALICE)
        await app.engine.keeping.label(ALICE, ("escalated",))
        await shows(pilot, "labels escalated", "earlier 1 conversation (E)", "04:00 daily at 04:00")
        await shows(pilot, "session.reset")


async def test_on_a_folded_row_there_is_nothing_to_act_on(two: Path) -> None:
    async with running(two) as (app, pilot):
        rows = await listed(app, pilot)
        rows.go_to(("agent", "main"))
        await pilot.press("space")
        for key in "rLADE":
            await pilot.press(key)
            await shows(pilot, "No session here")
            app.clear_notifications()
        assert len(app.screen_stack) == 1 and app.bridge.tracker.size == 2
