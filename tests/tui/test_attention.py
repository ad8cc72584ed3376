from __future__ import annotations

import io
from pathlib import Path

import pytest
from textual import events
from textual.driver import Driver
from textual.pilot import Pilot

from engine.errors import ModelError
from engine.events import LeakFound, TurnEnded
from tests.tui.driving import running, say, screen, seed, shows, until
from tests.tui.made import info
from tui.app import BranchlineApp
from tui.look.terminal import TITLE_LIMIT, titled
from tui.people.attention import QUIET, title_for, waiting_for
from tui.tracker import Tracker

ALICE = "agent:main:telegram:dm:alice"
LEAK = LeakFound(ALICE, "bob", "alice", "none", blocked=True)


def test_whatever_needs_the_person_counts_and_a_new_reason_is_something_new() -> None:
    tracker = Tracker()
    tracker.needs["a"] = "no key"
    first = waiting_for(tracker, ("code1",))
    tracker.take([LEAK])
    tracker.needs["a"] = "in use by process 7"
    second = waiting_for(tracker, ("code1",))
    assert len(first) == 2 and len(second) == 3 and len(second - first) == 2


def test_the_title_says_who_needs_you_where_you_are_and_what_it_is() -> None:
    tracker = Tracker()
    assert title_for(tracker, 0) == "Branchline"
    tracker.open_key = ALICE
    assert title_for(tracker, 0) == "alice · Branchline"
    tracker.load([info(ALICE, "Alice")])
    assert title_for(tracker, 1) == "1 needs you · Alice · Telegram DM · Branchline"
    assert title_for(tracker, 2).startswith("2 need you · ")


class Plain(Driver):
    """A terminal of text."""

    def __init__(self) -> None:
        self.out = io.StringIO()

    def write(self, data: str) -> None:
        self.out.write(data)

    def start_application_mode(self) -> None:
        self.write("<")

    def stop_application_mode(self) -> None:
        self.write(">")

    def disable_input(self) -> None: ...


def test_a_title_is_kept_set_and_given_back_each_time_the_terminal_is_left() -> None:
    driver = titled(Plain)()  # type: ignore[call-arg]
    driver.set_title("one")  # type: ignore[attr-defined]
    driver.start_application_mode()
    driver.set_title("two")  # type: ignore[attr-defined]
    driver.set_title("two")  # type: ignore[attr-defined]
    driver.stop_application_mode()
    driver.start_application_mode()
    driver.stop_application_mode()
    keep, back = "\x1b[22;2t", "\x1b]2;\x07\x1b[23;2t"
    assert driver.out.getvalue() == (  # type: ignore[attr-defined]
        f"<{keep}\x1b]2;one\x07\x1b]2;two\x07{back}><{keep}\x1b]2;two\x07{back}>"
    )


def test_no_title_carries_what_a_terminal_would_act_on() -> None:
    driver = titled(Plain)()  # type: ignore[call-arg]
    driver.start_application_mode()
    driver.set_title("a\x07\x1b]0;b\x9c\u202e" + "x" * 1000)  # type: ignore[attr-defined]
    sent = driver.out.getvalue().split("\x1b]2;")[1]  # type: ignore[attr-defined]
    assert sent.endswith("\x07") and len(sent) <= TITLE_LIMIT + 2
    assert all(char.isprintable() for char in sent[:-1])


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    await seed(path, {"alice": ["hello"]})
    return path


def ringing(app: BranchlineApp, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    rung: list[int] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append(1))
    return rung


async def settle(pilot: Pilot[None]) -> None:
    await pilot.pause(0.3)


async def test_the_bell_rings_once_for_what_is_new_and_not_again_for_what_is_known(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(state) as (app, pilot):
        await settle(pilot)
        rung = ringing(app, monkeypatch)
        error = ModelError("no key", kind="auth")
        for key in (ALICE, "agent:main:telegram:dm:bob"):
            app.engine._hub.publish(TurnEnded(key, key, None, "error", "x/y", None, error))
        await settle(pilot)
        assert rung == [1], "once, however many"
        app.bridge.tell_again()
        await settle(pilot)
        assert rung == [1]
        await pilot.pause(QUIET)
        app.engine._hub.publish(LEAK)
        await settle(pilot)
        assert rung == [1, 1]


async def test_nothing_rings_where_the_config_says_so(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(state) as (app, pilot):
        rung = ringing(app, monkeypatch)
        await app.engine.apply_config("{ui: {bell: false}}")
        app.engine._hub.publish(LEAK)
        await settle(pilot)
        assert app.bridge.tracker.leaks and rung == []


async def test_the_reply_rings_only_when_nobody_looks(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(state) as (app, pilot):
        await settle(pilot)
        rung = ringing(app, monkeypatch)
        await say(pilot, "hello")
        await shows(pilot, "This is the first")
        await until(pilot, lambda: not app.bridge.tracker.live)
        await settle(pilot)
        assert rung == []
        app.post_message(events.AppBlur())
        await until(pilot, lambda: not app.app_focus)
        screen(app).run_worker(screen(app).outbox.send("and again", screen(app).chat.ref))
        await until(pilot, lambda: rung == [1], "it rings")


async def test_nothing_moves_by_itself_where_less_motion_is_asked_for(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(state) as (app, pilot):
        app._animations = app.animation_level = "full"
        screen(app).composer.blur()
        screen(app).composer.focus()
        await pilot.pause()
        assert screen(app).composer.cursor_blink
        await app.engine.apply_config('{ui: {motion: "reduced"}}')
        await until(pilot, lambda: app.animation_level == "none")
        await pilot.press("escape", "o")
        assert not screen(app).composer.cursor_blink
        screen(app).composer.busy = True
        assert screen(app).composer._throbber is None
        await app.engine.undo_config()
        await until(pilot, lambda: app.animation_level == "full")
