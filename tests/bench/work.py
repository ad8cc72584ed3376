"""How much work something is, whatever else the machine does meanwhile."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

__all__ = ["best", "bests"]


def bests(*works: Callable[[], object], rounds: int = 5) -> list[float]:
    """Seconds of this thread's work for each, the least of several rounds.

    The rounds are taken in turn: a machine that is slower for a while is so for all of them. What
    a work returns is kept until it is measured.
    """
    found = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            gc.collect()
            start = time.thread_time()
            kept = work()
            found[place] = min(found[place], time.thread_time() - start)
            del kept
    return found


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """Seconds of this thread's work, the least of several rounds."""
    return bests(work, rounds=rounds)[0]
