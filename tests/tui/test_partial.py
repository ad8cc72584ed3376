from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui.driving import SMALL, WIDE, running, until
from tests.tui.glass import Glass
from tests.tui.test_monkey import TYPED, WAYS, bindings
from tui.app import BranchlineApp
from tui.widgets.partial import PartialCompositor

SEEDS = range(int(os.environ.get("BRANCHLINE_TEST_SEEDS", "1")))


class Lines(Widget):
    """Says in each line how often it was changed."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 10; }"

    def __init__(self, name: str):
        super().__init__(id=name)
        self.changed = [0] * 10
        self.asked: list[int] = []

    def change(self, first: int, last: int) -> None:
        for place in range(first, last):
            self.changed[place] += 1
        self.refresh(Region(0, first, self.size.width, last - first))

    def render_line(self, y: int) -> Strip:
        return Strip(Content(f"{self.id} {y} {self.changed[y]}").render_segments())

    def render_lines(self, crop: Region) -> list[Strip]:
        self.asked += crop.line_range
        return super().render_lines(crop)


class Two(Screen[None]):
    CSS = "Two { layout: horizontal; }"

    def __init__(self) -> None:
        super().__init__()
        self._compositor = PartialCompositor()

    def compose(self) -> ComposeResult:
        yield Lines("left")
        yield Lines("right")


class TwoApp(App[None]):
    def get_default_screen(self) -> Screen[None]:
        return Two()


async def test_only_what_changed_is_asked_for_its_lines() -> None:
    app = TwoApp()
    async with app.run_test(size=(40, 12)) as pilot:
        left, right = app.screen.query(Lines)
        await until(pilot, lambda: bool(left.asked and right.asked), "a frame")
        await pilot.pause(0.2)
        for each in (left, right):
            each.asked.clear()
        left.change(3, 5)
        await until(pilot, lambda: bool(left.asked), "the next")
        assert left.asked == [3, 4]
        assert right.asked == []


class Covered(Two):
    CSS = """
    Covered { layers: below above; }
    #left { layer: below; width: 20; }
    #right { layer: above; width: 10; height: 4; offset: 4 2; }
    """


async def test_what_is_covered_is_not_asked_for() -> None:
    app = TwoApp()
    async with app.run_test(size=(40, 12)) as pilot:
        await app.push_screen(Covered())
        await pilot.pause()
        left, right = app.screen.query(Lines)
        glass = Glass(app)
        app.screen.refresh()
        await settled(pilot, glass, [])
        for each in (left, right):
            each.asked.clear()
        right.refresh()
        await pilot.pause()
        assert right.asked == [0, 1, 2, 3]
        assert left.asked == []
        left.change(1, 4)
        await settled(pilot, glass, [])
        assert left.asked[:3] == [1, 2, 3]


async def test_what_is_painted_in_parts_is_what_would_be_painted_whole() -> None:
    app = TwoApp()
    async with app.run_test(size=(40, 12)) as pilot:
        glass, chance = Glass(app), random.Random(3)
        app.screen.refresh()
        for _ in range(30):
            for each in app.screen.query(Lines):
                first = chance.randrange(10)
                each.change(first, chance.randint(first + 1, 10))
            await settled(pilot, glass, [])


async def somebody_writes(app: BranchlineApp, number: int) -> None:
    """A message of one of three people, answered."""
    name = f"p{number % 3}"
    envelope = Envelope(
        "telegram", f"note {number}", peer=Peer("dm", name), sender=Sender(name, name.title())
    )
    await (await app.engine.submit(envelope)).result()


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_the_terminal_shows_what_the_app_does(
    sample_state: Path, size: tuple[int, int], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDITOR", "VISUAL", "PAGER"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setattr(BranchlineApp, "action_quit", lambda self: None)
    chance = random.Random(f"painted {seed} {size}")
    pressed: list[str] = []
    async with running(sample_state, size, paced=False) as (app, pilot):
        app.animation_level = "none"
        glass = Glass(app)
        app.screen.refresh()
        for number in range(60):
            pool = chance.choice([bindings(app), bindings(app), TYPED, WAYS])
            pressed.append(chance.choice(pool or WAYS))
            app.simulate_key(pressed[-1])
            if number % 10 == 5:
                await somebody_writes(app, number)
            if number % 6 == 5:
                await pilot.press("f2" if number == 59 else "shift")  # and all before has arrived
                await settled(pilot, glass, pressed)


async def settled(pilot: Pilot[None], glass: Glass, pressed: list[str]) -> None:
    """Wait until the terminal shows what the app does."""
    await pilot.pause()
    try:
        await until(pilot, lambda: glass.rows == glass.wanted, "the same")
    except AssertionError:
        pairs = enumerate(zip(glass.rows, glass.wanted, strict=True))
        told = [
            f"{y:3} {''.join(part.text for part in row)}\n    {''.join(part.text for part in want)}"
            for y, (row, want) in pairs
            if row != want
        ]
        raise AssertionError("\n".join([*pressed[-12:], *told])) from None
