from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.driving import SMALL, WIDE, running, shows, until
from tests.tui.shown import lines, text
from tui.app import BranchlineApp
from tui.screens.simulator import SimulatorScreen
from tui.widgets.dialogs.box import Choices
from tui.widgets.dialogs.scope import ScopeDialog
from tui.widgets.dialogs.write import WriteDialog
from tui.widgets.lines import Banner

LEAKY = """{
  // everybody writes to the same bot
  session: {
    dmScope: "main",  // the reference's default
  },
}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


async def simulator(app: BranchlineApp, pilot: Pilot[None]) -> SimulatorScreen:
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(app.screen, SimulatorScreen), "the screen")
    screen = app.screen
    assert isinstance(screen, SimulatorScreen)
    await until(pilot, lambda: bool(screen.people) and bool(screen.in_view), "people")
    await pilot.pause()
    return screen


def talk(screen: SimulatorScreen, place: int) -> str:
    """What stands in the conversation of a lane in view."""
    found = []
    for view in screen.in_view[place].conversation._in_order():
        found += [row.plain.strip() for row in view.rows(view.size.width or 80)]
    return " ".join(" ".join(found).split())


async def answered(pilot: Pilot[None], screen: SimulatorScreen, place: int, told: str) -> None:
    await until(pilot, lambda: told in talk(screen, place), told)


async def speak(pilot: Pilot[None], screen: SimulatorScreen, place: int, words: str) -> None:
    screen.go_to_lane(place, write=True)
    await pilot.pause()
    lane = screen.in_view[place - screen.first]
    lane.composer.set_draft(words)
    lane.composer.menu.close()
    await pilot.press("enter")


def matrix(pilot: Pilot[None]) -> str:
    panel = pilot.app.screen.query_one("#matrix")
    x, y, width, height = panel.region
    return "\n".join(row[x : x + width] for row in lines(pilot.app)[y : y + height])


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_two_people_under_main_share_a_memory_until_the_scope_is_changed_here(
    state: Path, size: tuple[int, int]
) -> None:
    file = state / "branchline.json5"
    file.write_text(LEAKY)
    async with running(state, size) as (app, pilot):
        screen = await simulator(app, pilot)
        await speak(pilot, screen, 0, "my password is tulip")
        await answered(pilot, screen, 0, "first I hear of it")
        await speak(pilot, screen, 1, "what was the last message?")
        await answered(pilot, screen, 1, "before this, by Alice: “my password is tulip”")
        await shows(pilot, "Bob")
        await until(pilot, lambda: "Bob" in matrix(pilot) and "Alice" in matrix(pilot), "verdict")
        assert "✘" in matrix(pilot)
        await until(pilot, lambda: bool(screen.query_one("#leak", Banner).variants), "the banner")
        assert "SHARED MEMORY: Bob" in text(app)
        assert "2 people → 1 session" in text(app)

        await pilot.press("escape", "p")
        await until(pilot, lambda: isinstance(app.screen, ScopeDialog), "the preview")
        app.screen.query_one(Choices).chosen = 2
        await shows(pilot, "nobody's words become visible to anybody else")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.session.dm_scope == "per-channel-peer", "it")
        await until(pilot, lambda: "2 people → 2 sessions" in text(app), "two sessions")
        await speak(pilot, screen, 1, "what was the last message?")
        await answered(pilot, screen, 1, "Nothing was said before this")
        await until(pilot, lambda: "✘" not in verdict_line(pilot), "the verdict")
        assert "tulip" not in talk(screen, 1)
        assert not screen.query_one("#leak", Banner).variants
        assert "SHARED MEMORY" not in text(app)
    assert file.read_text() == LEAKY.replace('"main"', '"per-channel-peer"')


def verdict_line(pilot: Pilot[None]) -> str:
    found = [row for row in matrix(pilot).splitlines() if "no lane saw" in row or "answered" in row]
    return found[-1] if found else "✘"
