"""How long a key takes until its frame is drawn."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from textual.app import App

__all__ = ["frames", "spread"]


async def frames(app: App[Any], move: Callable[[int], object], count: int = 100) -> list[float]:
    """Milliseconds from a key's action until its frame is drawn, now a row on, now a page."""
    drawn: list[float] = []
    display = app._display

    def seen(*args: Any) -> None:
        display(*args)
        drawn.append(time.perf_counter())

    app._display = seen  # type: ignore[method-assign]
    found = []
    for number in range(count):
        await asyncio.sleep(0.001)
        drawn.clear()
        start = time.perf_counter()
        move(17 if number % 10 == 0 else 1)
        while not drawn:
            await asyncio.sleep(0)
        found.append((drawn[0] - start) * 1000)
    app._display = display  # type: ignore[method-assign]
    return found


def spread(found: list[float]) -> tuple[float, float]:
    """(median, 95th percentile)."""
    return statistics.median(found), statistics.quantiles(found, n=20)[-1]
