"""What is read or done beside the loop, and overtaken by what the person does meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from tests.tui.driving import running, screen, seed, until
from tests.tui.trees import KEY, orders, write
from tui.app import BranchlineApp
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation

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
