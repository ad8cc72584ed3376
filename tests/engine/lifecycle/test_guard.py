from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.disk import Disk
from engine.lifecycle.expiry import DAY
from engine.lifecycle.guard import AT_ONCE, ClockGuard

SECONDS = DAY // 1000


class Watched:
    """A guard whose clock and whose number of ending sessions are set by hand."""

    def __init__(self, folder: Path, *, newest: int = 0):
        self.folder, self.clock, self.newest = folder, ManualClock(), newest
        self.many, self.asked = 0, 0
        self.guard = self.start()

    def start(self) -> ClockGuard:
        return ClockGuard(Disk(), self.clock, self.folder, lambda: self.newest)

    def ending(self, moment: int) -> int:
        self.asked += 1
        return self.many if moment == self.clock.now() else 0

    def passes(self) -> bool:
        return self.guard.passes(self.ending)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_in_quiet_times_nobody_counts_anything(watched: Watched) -> None:
    watched.many = 99
    for _ in range(50):
        assert watched.passes()
        watched.clock.advance(0.99 * SECONDS)
    assert watched.asked == 0 and watched.guard.held is None


def test_a_jump_is_held_until_it_is_confirmed(watched: Watched) -> None:
    assert watched.passes()
    watched.clock.advance(30 * SECONDS)
    watched.many = AT_ONCE + 1
    assert not watched.passes() and not watched.passes()
    held = watched.guard.held
    assert held is not None and "30 days" in held.message and "4 sessions" in held.message
    watched.many = 0
    assert not watched.passes(), "what was asked once is not forgotten"
    watched.guard = watched.start()
    assert not watched.passes() and watched.guard.held is not None
    watched.guard.confirm()
    assert watched.guard.held is None and watched.passes()
    watched.guard = watched.start()
    assert watched.passes()


def test_few_sessions_are_not_asked_about(watched: Watched) -> None:
    assert watched.passes()
    watched.clock.advance(30 * SECONDS)
    watched.many = AT_ONCE
    assert watched.passes() and watched.guard.held is None


def test_a_clock_that_goes_back_ends_the_hold(watched: Watched) -> None:
    assert watched.passes()
    watched.clock.advance(400 * SECONDS)
    watched.many = 50
    assert not watched.passes()
    watched.clock.advance(-399.5 * SECONDS)
    assert watched.passes() and watched.guard.held is None
    watched.guard = watched.start()
    watched.clock.advance(0.9 * SECONDS)
    assert watched.passes()


def test_the_beat_is_remembered_over_a_start_and_else_the_newest_message_counts(
    tmp_path: Path,
) -> None:
    one = Watched(tmp_path)
    assert one.passes()
    one.clock.advance(2 * SECONDS)
    one.many, one.newest = 50, one.clock.now()
    one.guard = one.start()
    assert not one.passes(), "messages of the jumped time vouch for nothing"
    (tmp_path / "heartbeat.json").write_text("}")
    one.guard = one.start()
    assert one.passes()
    (tmp_path / "heartbeat.json").unlink()
    one.newest = one.clock.now() - 2 * DAY
    one.guard = one.start()
    assert not one.passes()


def test_a_disk_that_takes_nothing_ends_nothing_by_mistake(tmp_path: Path) -> None:
    one = Watched(tmp_path / "gone")
    assert one.passes()
    one.clock.advance(30 * SECONDS)
    one.many = 50
    assert not one.passes() and not one.passes()
    one.guard.confirm()
    assert one.passes()


def test_what_a_killed_program_left_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / ".heartbeat.json.7.7.tmp"
    left.write_text("{")
    assert Watched(tmp_path).passes()
    assert [path.name for path in tmp_path.iterdir()] == ["heartbeat.json"]
