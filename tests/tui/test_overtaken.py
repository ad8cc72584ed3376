"""What is read or done beside the loop, and overtaken by what the person does meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from engine.config.edit import set_value
from engine.errors import StoreError
from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui.driving import SMALL, TINY, running, screen, seed, until
from tests.tui.trees import KEY, orders, said, write
from tui.app import BranchlineApp
from tui.config.configwork import offer
from tui.screens.routing import RoutingScreen
from tui.screens.simulator import SimulatorScreen
from tui.screens.tree import TreeScreen
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation
from tui.widgets.dialogs.compaction import CompactionDialog
from tui.widgets.dialogs.help import HelpDialog
from tui.widgets.dialogs.write import WriteDialog

BOB = "agent:main:telegram:dm:bob"
PAUSE = 0.3


def slow(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, only: str = "") -> None:
    """Make a reading take its time; with `only`, that of one session."""
    read = getattr(owner, name)

    async def slowly(*args: Any, **options: Any) -> Any:
        found = await read(*args, **options)
        if not only or only in args:
            await asyncio.sleep(PAUSE)
        return found

    monkeypatch.setattr(owner, name, slowly)


def held(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, **only: Any
) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold the first call with these options back after it has read; (it has, it may go on)."""
    read, has_read, may_go = getattr(owner, name), asyncio.Event(), asyncio.Event()

    async def late(*args: Any, **options: Any) -> Any:
        found = await read(*args, **options)
        if not has_read.is_set() and only.items() <= options.items():
            has_read.set()
            await may_go.wait()
        return found

    monkeypatch.setattr(owner, name, late)
    return has_read, may_go


def shown(app: BranchlineApp) -> str:
    """The words of the open conversation."""
    views = screen(app).query_one(Conversation)._in_order()
    return " ".join(view.shown.body for view in views)


# the Sessions screen


async def test_a_message_goes_to_the_session_it_was_written_in_whatever_is_opened_next(
    tmp_path: Path,
) -> None:
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        here, home = screen(app), screen(app).chat.ref
        here.composer.set_draft("only for me")
        # both messages wait when the screen comes to them: keys of one burst
        here.post_message(Composer.Submitted("only for me"))
        here.call_later(here.open_session, BOB)
        await until(pilot, lambda: here.chat.ref == BOB, "the other session")
        tracker = app.bridge.tracker
        await until(
            pilot, lambda: home in tracker.infos and tracker.infos[home].messages == 2, "the answer"
        )
        page = await app.engine.history(home)
        assert [entry.text for entry in page.entries if entry.role == "user"] == ["only for me"]
        others = await app.engine.history(BOB)
        assert "only for me" not in [entry.text for entry in others.entries]
        assert here.composer.draft == ""


async def test_going_on_in_a_session_overtakes_another_that_is_still_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, orders())
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        here = screen(app)
        here.open_session(KEY)
        await until(pilot, lambda: "Use a generator" in shown(app), "the first session")
        slow(monkeypatch, app.engine, "history", BOB)
        here.open_session(BOB)
        await pilot.pause()
        here.take_up(KEY, "words for Alice")
        await pilot.pause(2 * PAUSE)
        assert here.chat.ref == here.outbox.ref == KEY
        assert here.composer.draft == "words for Alice"
        assert "Use a generator" in shown(app)


async def test_a_session_whose_showing_was_cut_short_is_whole_when_the_next_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, orders())
    async with running(tmp_path) as (app, pilot):
        here, view, filling = screen(app), app.engine.view, asyncio.Event()
        fill = here.conversation.show

        async def refuse(ref: str) -> Any:
            if ref == BOB:
                raise StoreError("the disk is gone")
            return await view(ref)

        async def begin(*args: Any, **options: Any) -> None:
            filling.set()
            await asyncio.sleep(PAUSE)
            await fill(*args, **options)

        monkeypatch.setattr(app.engine, "view", refuse)
        monkeypatch.setattr(here.conversation, "show", begin)
        here.open_session(KEY)
        await filling.wait()
        here.open_session(BOB)
        await until(pilot, lambda: here.outbox.ref == KEY, "the way back")
        await until(pilot, lambda: "Use a generator" in shown(app), "all of it")
        assert here.sessions.current_session == KEY


async def test_archiving_does_not_lead_away_from_what_was_opened_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, orders())
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        here = screen(app)
        here.open_session(KEY)
        await until(pilot, lambda: here.chat.ref == KEY, "the session")
        slow(monkeypatch, app.engine, "history", BOB)
        slow(monkeypatch, app.engine, "view", BOB)
        archive = app.engine.keeping.archive

        async def meanwhile(ref: str) -> Any:
            done = await archive(ref)
            here.open_session(BOB)
            return done

        monkeypatch.setattr(app.engine.keeping, "archive", meanwhile)
        await pilot.press("escape", "A")
        await until(pilot, lambda: KEY not in app.bridge.tracker.infos, "the archive")
        await pilot.pause(3 * PAUSE)
        assert here.chat.ref == here.outbox.ref == BOB


def long_talk() -> list[dict[str, Any]]:
    """A hundred messages in a row."""
    names = [None, *(f"m{number}" for number in range(100))]
    roles = ("user", "assistant")
    return [
        said(f"m{number}", names[number], roles[number % 2], f"line {number}.")
        for number in range(100)
    ]


def loaded(app: BranchlineApp) -> list[str]:
    """The messages that the column has in memory, mounted or not."""
    return [item.key for item in screen(app).conversation._log.items]


def names(start: int, stop: int) -> list[str]:
    return [f"m{number}" for number in range(start, stop)]


async def test_an_older_page_does_not_come_upon_another_beginning_of_the_same_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, long_talk())
    async with running(tmp_path) as (app, pilot):
        here = screen(app)
        here.open_session(KEY)
        await until(pilot, lambda: loaded(app) == names(80, 100), "the end of it")
        here.conversation.post_message(here.conversation.OlderWanted("m79"))
        await until(pilot, lambda: loaded(app) == names(60, 100), "a page more")
        has_read, may_go = held(monkeypatch, app.engine, "history", before="m59")
        older = asyncio.create_task(here.chat.older("m59"))
        await has_read.wait()
        here.open_session(KEY)  # as when the leaf came back to it: it begins anew
        await until(pilot, lambda: loaded(app) == names(80, 100), "the end again")
        may_go.set()
        await older
        assert loaded(app) == names(80, 100)
        await here.chat.older("m79")
        assert loaded(app) == names(60, 100)


async def test_an_older_page_asked_for_twice_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, long_talk())
    async with running(tmp_path) as (app, pilot):
        here = screen(app)
        here.open_session(KEY)
        await until(pilot, lambda: loaded(app) == names(80, 100), "the end of it")
        has_read, may_go = held(monkeypatch, app.engine, "history", before="m79")
        late = asyncio.create_task(here.chat.older("m79"))
        await has_read.wait()
        await here.chat.older("m79")
        await here.chat.older("m59")
        may_go.set()
        await late
        assert loaded(app) == names(40, 100)
        assert here.conversation.begins_after("m39")


async def test_an_older_page_that_cannot_be_read_any_more_is_no_error_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, long_talk())
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        here = screen(app)
        here.open_session(KEY)
        await until(pilot, lambda: loaded(app) == names(80, 100), "the end of it")
        read, asked, may_go = app.engine.history, asyncio.Event(), asyncio.Event()

        async def refuse(ref: str, **options: Any) -> Any:
            if options.get("before") == "m79":
                asked.set()
                await may_go.wait()
                raise StoreError("it is gone")
            return await read(ref, **options)

        monkeypatch.setattr(app.engine, "history", refuse)
        older = asyncio.create_task(here.chat.older("m79"))
        await asked.wait()
        here.open_session(BOB)
        await until(pilot, lambda: here.chat.ref == BOB and len(loaded(app)) == 2, "the other one")
        may_go.set()
        await older
        with pytest.raises(StoreError):
            here.open_session(KEY)
            await until(pilot, lambda: loaded(app) == names(80, 100), "back")
            await here.chat.older("m79")


# the Simulator screen


async def simulator(app: BranchlineApp, pilot: Pilot[None], people: int) -> SimulatorScreen:
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(app.screen, SimulatorScreen), "the screen")
    found = app.screen
    assert isinstance(found, SimulatorScreen)
    await until(pilot, lambda: len(found.people) == people and bool(found.in_view), "people")
    await until(pilot, lambda: "I am" in talk(found, 0), "what they said")
    return found


def talk(found: SimulatorScreen, place: int) -> str:
    return " ".join(view.shown.body for view in found.in_view[place].conversation._in_order())


def whose(found: SimulatorScreen) -> list[str]:
    return [lane.person.name for lane in found.in_view if lane.person is not None]


async def test_what_is_said_in_a_lane_out_of_view_is_there_when_it_comes_back(
    tmp_path: Path,
) -> None:
    await seed(tmp_path, {name: [f"I am {name}"] for name in ("ann", "ben", "cy")})
    async with running(tmp_path) as (app, pilot):
        here = await simulator(app, pilot, 3)
        assert whose(here) == ["Cy", "Ben", "Ann"]
        await pilot.press("escape", "z")
        await until(pilot, lambda: whose(here) == ["Cy"], "one alone")
        ben = Envelope("telegram", "while away", peer=Peer("dm", "ben"), sender=Sender("ben"))
        receipt = await app.engine.submit(ben)
        await until(
            pilot, lambda: app.bridge.tracker.infos[receipt.session_key].messages == 4, "it"
        )
        await pilot.press("z")
        await until(pilot, lambda: len(here.in_view) == 3, "all again")
        await until(pilot, lambda: "while away" in talk(here, 1), "what was said")


async def test_a_draft_goes_with_its_person_from_lane_to_lane(tmp_path: Path) -> None:
    await seed(tmp_path, {name: [f"I am {name}"] for name in ("ann", "ben", "cy", "dot")})
    async with running(tmp_path) as (app, pilot):
        here = await simulator(app, pilot, 4)
        here.go_to_lane(2, write=True)
        await pilot.press(*"half", "escape", "z")
        await until(pilot, lambda: whose(here) == ["Ben"], "one alone")
        assert here.in_view[0].composer.draft == "half"
        await pilot.press("o", *"way", "escape", "z")
        await until(pilot, lambda: len(here.in_view) == 4, "all again")
        drafts = [lane.composer.draft for lane in here.in_view]
        assert drafts == ["", "", "halfway", ""]
        here.go_to_lane(0)
        await pilot.press("x")
        await until(pilot, lambda: whose(here) == ["Cy", "Ben", "Ann"], "one less")
        assert [lane.composer.draft for lane in here.in_view] == ["", "halfway", ""]


async def test_words_are_said_by_whom_they_were_written_as_however_fast_one_goes_on(
    tmp_path: Path,
) -> None:
    await seed(tmp_path, {name: [f"I am {name}"] for name in ("ann", "ben", "cy")})
    async with running(tmp_path, SMALL) as (app, pilot):
        here = await simulator(app, pilot, 3)
        here.go_to_lane(1, write=True)
        await pilot.pause()
        for key in ("h", "i", "enter", "tab", "m", "e"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: len(here.house.troupe.recorder) == 1, "it was said")
        [step] = here.house.troupe.recorded("x").steps
        assert [(one.user, one.text) for one in step.messages] == [("ben", "hi")]
        await until(pilot, lambda: here.in_view[-1].composer.draft == "me", "the next words")
        await pilot.press("shift+tab")
        await until(pilot, lambda: "Ben" in whose(here), "the lane before")
        assert here.in_view[whose(here).index("Ben")].composer.draft == ""


async def test_a_lane_shows_nothing_of_whom_it_belonged_to_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(tmp_path, {name: [f"I am {name}", "and more"] for name in ("ann", "ben")})
    async with running(tmp_path, TINY) as (app, pilot):
        here = await simulator(app, pilot, 2)
        key = here.house.troupe.route(here.people[0]).session_key
        first = (await app.engine.history(key)).entries[1].id
        slow(monkeypatch, app.engine, "history", key)
        await app.engine.branches.leave(key, first)  # the lane reads all of it again
        await pilot.pause(PAUSE / 3)
        here.go_to_lane(1, write=False)
        await until(pilot, lambda: "I am ann" in talk(here, 0), "the other one")
        await pilot.pause(3 * PAUSE)
        assert "I am ann" in talk(here, 0)
        assert "I am ben" not in talk(here, 0)


async def test_what_is_refused_comes_back_to_whoever_said_it_out_of_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(tmp_path, {name: [f"I am {name}"] for name in ("ann", "ben")})
    async with running(tmp_path, TINY) as (app, pilot):
        here = await simulator(app, pilot, 2)

        async def refuse(*args: Any, **options: Any) -> None:
            await asyncio.sleep(PAUSE)
            raise StoreError("the disk is full")

        monkeypatch.setattr(app.engine, "submit", refuse)
        here.go_to_lane(0, write=True)
        await pilot.press(*"important", "enter", "tab")
        await until(pilot, lambda: whose(here) == ["Ann"], "the other one")
        await pilot.pause(2 * PAUSE)
        await pilot.press("shift+tab")
        await until(pilot, lambda: whose(here) == ["Ben"], "back")
        assert here.in_view[0].composer.draft == "important"


# the Tree screen


async def tree(app: BranchlineApp, pilot: Pilot[None]) -> TreeScreen:
    screen(app).open_session(KEY)
    await until(pilot, lambda: screen(app).chat.ref == KEY, "the session")
    await pilot.press("f3")
    await until(pilot, lambda: isinstance(app.screen, TreeScreen), "the screen")
    found = app.screen
    assert isinstance(found, TreeScreen)
    await until(pilot, lambda: found.forest is not None, "its tree")
    return found


async def test_what_was_looked_for_in_one_tree_is_not_found_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, orders())
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        here = await tree(app, pilot)
        view = here.view
        slow(monkeypatch, app.engine, "search")
        await pilot.press("slash", *"order", "enter")
        here.open(BOB)
        await pilot.pause(2 * PAUSE)
        assert here.hits == () and here.view == view


# config and dialogs


async def test_what_follows_from_a_config_is_told_while_messages_keep_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RoutingScreen), "the screen")
        here = app.screen
        assert isinstance(here, RoutingScreen)
        await until(pilot, lambda: here.draft is not None and here.at_rest, "the draft")
        slow(monkeypatch, app.engine.settings, "text")
        looked = here.study
        for _ in range(15):
            here.refresh_all()
            await pilot.pause(PAUSE / 4)
        assert here.study is not looked


async def test_a_change_in_memory_takes_nothing_back_that_came_while_it_was_shown(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as (app, pilot):
        room = app.engine.settings
        edit = set_value(await room.text(), ("session", "dmScope"), "per-peer")
        work = app.run_worker(offer(app, edit, "Change", where="memory"))
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the dialog")
        file = app.engine.config_path
        assert file is not None
        file.write_text(set_value(await room.text(), ("ui", "glyphs"), "ascii").text)
        await until(pilot, lambda: app.engine.config.ui.glyphs == "ascii", "the edit")
        await pilot.press("enter")
        await until(pilot, lambda: work.is_finished, "the end")
        assert app.engine.config.ui.glyphs == "ascii"
        assert work.result is None


async def test_a_summary_kept_while_help_is_open_ends_its_dialog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [*orders(), said("z0", "y", "user", "words " * 400)])
    async with running(tmp_path) as (app, pilot):
        slow(monkeypatch, app.engine.compaction, "accept")
        dialog = CompactionDialog(KEY, "z0")
        await app.push_screen(dialog)
        await until(pilot, lambda: dialog.state == "shown", "the summary")
        await pilot.press("enter", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog), "help")
        await pilot.pause(2 * PAUSE)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen(app), "the conversation")
