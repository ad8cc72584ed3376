from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from engine import Disk, Engine
from engine.clock import SystemClock
from engine.sessions.store import Store
from tests.engine.conftest import said

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

TURNS = 200


class NoSync(Disk):
    """A disk that does not wait: what is left is our own work."""

    def fsync(self, fd: int) -> None:
        pass


def two_appends(state: Path) -> float:
    """Median seconds of the two bare appends that a turn cannot do without."""
    store = Store(NoSync(), state, SystemClock())
    transcript = store.writable(store.create("agent:main:chat:bare", "main"))
    body = {"type": "message", "message": {"role": "user", "content": "hello " * 10}}
    times = []
    for _ in range(TURNS):
        start = time.perf_counter()
        transcript.append(body)
        transcript.append(body)
        times.append(time.perf_counter() - start)
    transcript.close()
    return statistics.median(times)


async def test_a_turn_costs_little_beside_the_model_and_the_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = two_appends(tmp_path / "bare")
    async with Engine.open(tmp_path / "state", environ={}, disk=NoSync(), paced=False) as engine:
        times, works = [], []
        for number in range(TURNS):
            start, work = time.perf_counter(), time.process_time()
            await (await engine.submit(said(f"message {number} " + "word " * 8))).result()
            times.append(time.perf_counter() - start)
            works.append(time.process_time() - work)
    early, late = statistics.median(works[10:60]), statistics.median(works[-50:])
    turn = statistics.median(times)
    with capsys.disabled():
        print(
            f"\na turn with the offline model: {turn * 1000:.2f} ms, "
            f"{turn / bare:.1f} x its two appends ({bare * 1000:.2f} ms); "
            f"work of the last 50 turns / first 50: {late / early:.2f}"
        )
    # The window grows to history.dm's 100 messages and no further; so must the cost.
    assert late < 12 * early
