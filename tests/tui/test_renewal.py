from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import SystemClock
from tests.tui.driving import running, say, screen, seed, shows, until
from tests.tui.shown import text
from tui.app import BranchlineApp

MAIN = "agent:main:main"
HOUR = 3_600_000


class Shifted(SystemClock):
    """The machine's clock, so many milliseconds ahead."""

    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture
def state(tmp_path: Path) -> Path:
    config = "{ session: { reset: { idleMinutes: 60 } } }"
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state/branchline.json5").write_text(config)
    return tmp_path / "state"


def kept(app: BranchlineApp) -> list[str]:
    infos = app.bridge.tracker.infos.values()
    return [info.key for info in infos if info.kind == "archived"]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_session_that_was_over_begins_anew_before_the_persons_eyes(
    state: Path, size: tuple[int, int]
) -> None:
    clock = Shifted()
    async with running(state, size, clock=clock) as (app, pilot):
        await say(pilot, "remember the number 42")
        await shows(pilot, "This is the first")
        clock.ahead = 2 * HOUR
        await say(pilot, "are you there?")
        told = "A fresh start (nothing was said for more than 1 hour, by session.reset)"
        await shows(pilot, told, "The 2 messages before are kept", "┃ are you there?")
        await shows(pilot, "This is the first")
        assert "┃ remember" not in text(app)
        [old] = await app.engine.keeping.generations(MAIN)
        screen(app).open_session(old.ref)
        await shows(pilot, "┃ remember the number 42")
        assert "A fresh start" not in text(app)


async def test_a_clock_that_jumped_is_asked_about_and_confirmed(state: Path) -> None:
    config = '{ session: { dmScope: "per-peer", ttlDays: 7 } }'
    (state / "branchline.json5").write_text(config)
    await seed(state, {name: ["hello"] for name in ("ann", "ben", "cleo", "dan", "eve", "flo")})
    clock = Shifted()
    async with running(state, clock=clock) as (app, pilot):
        rules = app.engine.keeping.rules
        screen(app).open_session("agent:main:dm:ann")
        await shows(pilot, "┃ hello")
        await rules.sweep()
        clock.ahead = 90 * 24 * HOUR
        await rules.sweep()
        await shows(pilot, "6 sessions would end at once")
        await pilot.press("ctrl+p")
        await pilot.press(*"clock is right")
        await shows(pilot, "The clock is right")
        await pilot.press("enter", "enter")
        await shows(pilot, "ends from now on")
        assert not app.engine.problems
        await rules.sweep()
        await until(pilot, lambda: len(kept(app)) == 5, "all but the open one are archived")
