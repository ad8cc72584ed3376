from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.disk import Disk
from engine.errors import Problem
from engine.lifecycle.expiry import DAY
from engine.lifecycle.guard import ClockGuard, clock_problem
from tui.cli.surprises import surprises

NOW = 1_700_000_000_000


def told(state: Path, now: int = NOW) -> list[Problem]:
    return list(surprises(state, state / "branchline.json5", (), now))


def test_a_quiet_state_dir_has_none(tmp_path: Path) -> None:
    assert told(tmp_path) == []
    assert told(tmp_path / "none") == []


def test_sessions_that_a_jumped_clock_holds_back_are_told(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    ClockGuard(Disk(), clock, tmp_path, lambda: NOW).passes(lambda _: 0)
    later = NOW + 40 * DAY
    guard = ClockGuard(Disk(), ManualClock(later), tmp_path, lambda: NOW)
    assert not guard.passes(lambda moment: 9 if moment > NOW + DAY else 0)
    before = (tmp_path / "heartbeat.json").read_bytes()
    (one,) = told(tmp_path, later)
    assert one == guard.held and "9 sessions would end" in one.message
    assert (tmp_path / "heartbeat.json").read_bytes() == before


def test_a_clock_behind_what_was_stored_is_told(tmp_path: Path) -> None:
    one = clock_problem(Disk(), tmp_path, NOW, NOW + 400 * DAY)
    assert one is not None and "400 days on" in one.message
    assert clock_problem(Disk(), tmp_path, NOW, NOW + DAY) is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pairings.json", "{", "no JSON"),
        ("app.json", "[]", "what the app remembers"),
        ("openclaw.json", "{}", "branchline.json5 is"),
        ("agents/main/sessions/a.jsonl.torn.2026", "x", "1 torn end was cut off"),
    ],
)
def test_what_nobody_expects_is_told(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / "branchline.json5").write_text("{}")
    (tmp_path / "app.json").write_text(json.dumps({"drafts": {}}))
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (one,) = told(tmp_path)
    assert words in one.message and one.file == str(path)


def test_a_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "main").symlink_to(tmp_path)
    assert [one.message for one in told(tmp_path)] == ["a link stands here and is not followed"]
