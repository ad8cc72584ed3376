"""The bars in the session list: how full sessions are that nobody has open."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.engine import Engine
from engine.events import ConfigChanged, EntryAppended, SessionChanged
from engine.routing.envelope import Envelope, Peer, Sender
from engine.values import replace
from tests.tui.chat import message
from tests.tui.driving import running, seed, until
from tests.tui.made import info
from tui.app import BranchlineApp
from tui.behind.fills import LARGE, due
from tui.tracker import Tracker
from tui.widgets.gauge import Fill

BOB = "agent:main:telegram:dm:bob"
OTHER = "agent:main:other"
MANY = "many words " * 2000


def bobs(words: str) -> Envelope:
    return Envelope("telegram", words, peer=Peer("dm", "bob"), sender=Sender("bob", "Bob"))


def part(app: BranchlineApp) -> float:
    fill = app.bridge.tracker.fills.get(BOB)
    return fill.part if fill is not None else 0.0


async def test_a_bar_grows_with_a_session_that_is_not_open(tmp_path: Path) -> None:
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path, paced=False) as (app, pilot):
        await until(pilot, lambda: part(app) > 0, "it is known")
        before = part(app)
        await (await app.engine.submit(bobs(MANY))).result()
        await until(pilot, lambda: part(app) > 5 * before, "it grew")


async def test_a_bar_grows_when_another_program_writes(tmp_path: Path) -> None:
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        await until(pilot, lambda: part(app) > 0, "it is known")
        before = part(app)
        async with Engine.open(tmp_path, environ={}, paced=False) as other:
            await (await other.submit(bobs(MANY))).result()
        await until(pilot, lambda: part(app) > 5 * before, "it grew")


async def test_a_bar_is_of_the_window_of_the_model_in_force(tmp_path: Path) -> None:
    await seed(tmp_path, {"bob": ["hello"]})
    async with running(tmp_path) as (app, pilot):
        await until(pilot, lambda: part(app) > 0, "it is known")
        before = part(app)
        await app.engine.models.choose(BOB, "offline/echo-2k")
        await until(pilot, lambda: part(app) > 5 * before, "of a small window")
        grown = part(app)
        await app.engine.apply_config("{compaction: {threshold: 0.5}}")
        await until(
            pilot, lambda: app.bridge.tracker.fills[BOB].threshold == 0.5, "the threshold as it is"
        )
        assert part(app) == grown


def known() -> Tracker:
    """A tracker that knows one session, and how full it is."""
    tracker = Tracker()
    tracker.load([info(BOB)])
    tracker.fills[BOB] = Fill(10, 100)
    tracker._filled[BOB] = tracker.basis(BOB)
    return tracker


def test_what_came_makes_a_look_due_and_nothing_else_does() -> None:
    tracker = known()
    assert not due(tracker, BOB)
    tracker.take([SessionChanged(OTHER)])
    tracker.load([info(BOB), info(OTHER)])
    assert not due(tracker, BOB) and due(tracker, OTHER)


@pytest.mark.parametrize(
    "event",
    [SessionChanged(BOB), EntryAppended(BOB, message("m", "user", "hi")), ConfigChanged(2)],
)
def test_each_of_these_makes_a_look_due(event: SessionChanged | EntryAppended) -> None:
    tracker = known()
    tracker.take([event])
    assert due(tracker, BOB)


def test_a_list_that_says_otherwise_makes_a_look_due() -> None:
    for change in ({"messages": 5}, {"last_active": 1}, {"override": "offline/echo-2k"}):
        tracker = known()
        tracker.load([replace(info(BOB), **change)])  # type: ignore[arg-type]
        assert due(tracker, BOB)


def test_some_are_never_looked_at() -> None:
    tracker = known()
    tracker.take([SessionChanged(BOB)])
    tracker.opened(BOB)  # the open one tells by itself
    assert not due(tracker, BOB)
    tracker.opened(OTHER)
    for one in (info(BOB, kind="reset"), info(BOB, messages=0), info(BOB, messages=LARGE + 1)):
        tracker.load([one])
        assert not due(tracker, BOB)
