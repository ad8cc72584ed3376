"""How long a key takes until its frame is drawn, and how much work that is."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen

__all__ = ["Frame", "frame", "frames", "line", "spread"]

Frame = tuple[float, float]
"""Milliseconds from a key's action until its frame is drawn: by the clock on the wall, and those
in which this thread worked, whatever else the machine did."""


async def frame(app: App[Any], act: Callable[[], object], on: type | None = None) -> Frame:
    """Do something and wait for its frame, or for the first of a screen of the type `on`."""
    drawn, display = asyncio.Event(), app._display
    found = [0.0, 0.0]

    def seen(screen: Screen[Any], update: Any) -> None:
        display(screen, update)
        if not drawn.is_set() and (on is None or isinstance(screen, on)):
            found[:] = time.perf_counter(), time.thread_time()
            drawn.set()

    app._display = seen  # type: ignore[method-assign]
    start, work = time.perf_counter(), time.thread_time()
    act()
    await asyncio.wait_for(drawn.wait(), 30)
    app._display = display  # type: ignore[method-assign]
    return (found[0] - start) * 1000, (found[1] - work) * 1000


async def frames(app: App[Any], move: Callable[[int], object], count: int = 100) -> list[Frame]:
    """Frames of keys that follow as fast as they are drawn, now a row on, now a page."""
    found = []
    for number in range(count):
        await asyncio.sleep(0.001)
        step = 17 if number % 10 == 0 else 1
        found.append(await frame(app, lambda step=step: move(step)))
    return found


def spread(found: list[Frame], of: int = 0) -> tuple[float, float]:
    """(median, 95th percentile) of the time, or (`of` 1) of the work."""
    told = [each[of] for each in found]
    return statistics.median(told), statistics.quantiles(told, n=20)[-1]


def line(name: str, found: list[Frame]) -> str:
    """Time and work of frames in a line."""
    time_, work = spread(found), spread(found, 1)
    return (
        f"{name:36} p50 {time_[0]:5.1f}  p95 {time_[1]:5.1f} ms"
        f"   work p50 {work[0]:5.1f}  p95 {work[1]:5.1f} ms"
    )
