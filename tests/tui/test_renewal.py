from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import SystemClock
from tests.tui.driving import running, say, screen, shows
from tests.tui.shown import text

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
