"""Typing in one lane while four stream, measured as ratios; the numbers are printed with `-s`."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.cast import persona
from tests.tui.driving import running, until
from tui.app import BranchlineApp
from tui.screens.simulator import SimulatorScreen
from tui.widgets.simulator.lane import Lane

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

NAMES = ("alice", "bob", "carol", "dave")
KEYS = 60


@pytest.fixture
async def story() -> AsyncIterator[str]:
    """A config whose model is a server here that says fifty words a second."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        start = time.perf_counter()
        try:
            for number in range(1, 50_000):
                choice = {"index": 0, "delta": {"content": f"word{number} "}}
                writer.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
                await writer.drain()
                await asyncio.sleep(max(0.0, start + number * 0.02 - time.perf_counter()))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = {
        "api": "openai-completions",
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "apiKey": None,
        "models": [{"id": "story", "contextWindow": 32000}],
    }
    yield json.dumps(
        {
            "agents": {"defaults": {"model": "slow/story"}},
            "models": {"providers": {"slow": provider}},
            "session": {"dmScope": "per-channel-peer"},
        }
    )
    server.close()


@asynccontextmanager
async def stage(state: Path, config: str) -> AsyncIterator[tuple[SimulatorScreen, Pilot[None]]]:
    """Four lanes of four people, on a model that says a word every 20 ms."""
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text(config)
    async with running(state, (120, 40)) as (app, pilot):
        app.animation_level = "none"
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, SimulatorScreen), "the screen")
        screen = app.screen
        assert isinstance(screen, SimulatorScreen)
        await until(pilot, lambda: len(screen.people) == 2, "two people")
        for name in NAMES[2:]:
            peer = Envelope("telegram", peer=Peer("dm", name), sender=Sender(name, name.title()))
            screen.house.troupe.add(persona(peer, screen.people))
        screen.go_to_lane(0, write=True)
        await until(pilot, lambda: len(screen.in_view) == 4, "four lanes")
        await pilot.pause(0.5)
        yield screen, pilot


async def cost_of_keys(app: BranchlineApp, lane: Lane) -> list[float]:
    """Seconds from a key until the app hands the text with it to the terminal, key by key."""
    painted = asyncio.Event()
    display, wanted = app._display, 0

    def noted(screen: Screen[Any], update: Any) -> None:
        display(screen, update)
        if len(lane.composer.text) >= wanted:
            painted.set()

    app._display = noted  # type: ignore[method-assign]
    costs = []
    for _ in range(KEYS):
        wanted = len(lane.composer.text) + 1
        painted.clear()
        start = time.perf_counter()
        app.post_message(events.Key("a", "a"))
        await asyncio.wait_for(painted.wait(), 60)
        costs.append(time.perf_counter() - start)
        await asyncio.sleep(0.03)
    app._display = display  # type: ignore[method-assign]
    return costs


async def worst_stall(done: asyncio.Event) -> float:
    """The worst lateness of a short sleep until `done`."""
    worst = 0.0
    while not done.is_set():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        worst = max(worst, time.perf_counter() - start - 0.005)
    return worst


async def measured(app: BranchlineApp, lane: Lane) -> tuple[list[float], float]:
    done = asyncio.Event()
    watch = asyncio.ensure_future(worst_stall(done))
    costs = await cost_of_keys(app, lane)
    done.set()
    return costs, await watch


def told(name: str, costs: list[float], stall: float) -> str:
    ordered = sorted(costs)
    p50, p95 = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
    keys = f"key to paint p50 {p50 * 1e3:.1f}, p95 {p95 * 1e3:.1f} ms"
    return f"{name}: {keys}, worst stall {stall * 1e3:.0f} ms"


async def test_typing_in_a_lane_while_four_stream(tmp_path: Path, story: str) -> None:
    async with stage(tmp_path / "state", story) as (screen, pilot):
        app = pilot.app
        assert isinstance(app, BranchlineApp)
        lane = screen.in_view[0]
        calm, calm_stall = await measured(app, lane)
        lane.composer.set_draft("")
        for person in screen.people:
            screen.speak(person, "tell me a long story")
        tracker = screen.house.tracker
        await until(pilot, lambda: len(tracker.live) == 4, "four turns")
        await until(pilot, lambda: all(turn.text for turn in tracker.live.values()), "words")
        busy, stall = await measured(app, lane)
        words = sum(len("".join(turn.text).split()) for turn in tracker.live.values())
        assert len(tracker.live) == 4, "all of them still stream"
        print(f"\n{told('at rest', calm, calm_stall)}\n{told('four lanes', busy, stall)}")
        print(f"{words} words came in four lanes meanwhile")
        assert statistics.median(busy) < 20 * statistics.median(calm)
        for person in screen.people:
            await screen.house.engine.cancel(screen.house.troupe.route(person).session_key)
        await until(pilot, lambda: not tracker.live, "all stopped")
