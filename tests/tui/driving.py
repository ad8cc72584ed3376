"""Driving the app with the real engine and the offline model."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from engine.clock import Clock
from engine.disk import Disk
from engine.engine import Engine
from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui.shown import lines, text
from tui.app import BranchlineApp
from tui.screens.sessions import SessionsScreen

WIDE, SMALL, TINY = (120, 40), (80, 24), (50, 15)


class Hand(Pilot[None]):
    """Presses keys and waits until they have arrived: the app holds back those that come while
    one before them leads elsewhere."""

    async def press(self, *keys: str) -> None:
        await super().press(*keys)
        await self.rest()

    async def rest(self) -> None:
        """Wait until no key is held back."""
        app = self.app
        assert isinstance(app, BranchlineApp)
        while app._key_order.holds and app.is_running:
            await self.pause(0.01)


@asynccontextmanager
async def running(
    state_dir: Path,
    size: tuple[int, int] = WIDE,
    disk: Disk | None = None,
    *,
    paced: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[tuple[BranchlineApp, Pilot[None]]]:
    """The app on an open engine, with its first session shown."""
    async with Engine.open(state_dir, environ={}, disk=disk, paced=paced, clock=clock) as engine:
        app = BranchlineApp(engine)
        async with app.run_test(size=size, notifications=True):
            pilot = Hand(app)
            await until(pilot, lambda: screen(app).chat.ref != "" and app.is_running)
            await pilot.pause()
            yield app, pilot
            await pilot.rest()  # Textual ends an app in a test without looking at its keys
            if app.is_running:
                await pilot.pause()


def screen(app: BranchlineApp) -> SessionsScreen:
    found = app.screen_stack[0]
    assert isinstance(found, SessionsScreen)
    return found


async def until(pilot: Pilot[None], holds: Callable[[], bool], what: str = "") -> None:
    """Wait until something holds; after half a minute it never will."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if holds():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"never happened: {what}\n{text(pilot.app)}")


async def shows(pilot: Pilot[None], *told: str) -> None:
    """Wait until the screen shows all of it (white space folded)."""
    await until(pilot, lambda: all(each in folded(pilot) for each in told), f"showing {told}")


PANES = (
    "#bar, SessionList, Conversation, Composer, Inspector, Notices, "
    "HelpDialog > *, Ask > *, Problems > *"
)


def folded(pilot: Pilot[None]) -> str:
    """What the panes show, one after the other, borders and white space left out."""
    rows = lines(pilot.app)
    found = [" ".join(rows)]
    for pane in pilot.app.screen.query(PANES):
        x, y, width, height = pane.region
        found += [row[max(0, x) : x + width].strip("│┃|▌ ") for row in rows[max(0, y) : y + height]]
    return " ".join(" ".join(found).split())


async def say(pilot: Pilot[None], words: str) -> None:
    """Write into the composer and send."""
    app = pilot.app
    assert isinstance(app, BranchlineApp)
    composer = screen(app).composer
    composer.focus()
    composer.set_draft(words)
    await pilot.pause()
    composer.menu.close()
    await pilot.press("enter")


async def seed(state_dir: Path, people: dict[str, list[str]]) -> None:
    """Sessions of people on Telegram, answered by the offline model."""
    async with Engine.open(state_dir, environ={}) as engine:
        for name, said in people.items():
            for words in said:
                envelope = Envelope(
                    "telegram", words, peer=Peer("dm", name), sender=Sender(name, name.title())
                )
                receipt = await engine.submit(envelope)
                assert (await receipt.result()).error is None
