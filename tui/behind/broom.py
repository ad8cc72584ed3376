"""When garbage is looked for: while nobody waits.

Python looks through everything it holds when much was made anew: 50 to 110 ms with a tree of
100,000 entries open, in the midst of keys, because painting makes much. Small garbage is taken out
as ever, in a millisecond; the large round waits for a rest.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

__all__ = ["Broom"]

SMALL = (700, 10)
"""When the two small rounds come: Python's own numbers."""

LAST = 100
"""Small rounds after which Python makes its large one, rest or not."""

ENOUGH, MANY = 10, 40
"""Small rounds after which a large one is worth it, and after which it waits for keys only: what
streams may go on for hours."""

AFTER_KEY, AFTER_FRAME = 1.0, 0.2
"""Seconds of rest after a key, and after a frame, before a large round."""

LONG_REST = 30.0
"""Seconds without a key before everything is looked through again, also what stayed before."""

PATIENCE = 30
"""Large rounds after which everything is looked through at any rest: a long one may not come."""


class Broom:
    """Takes garbage out at rests.

    What a large round leaves is set aside, so that the next looks only through what is new; at a
    long rest everything is looked through again, for what was in use then may be garbage since.

    Args:
        working: whether something is going on that is seen, as a reply that is written.
        now: the time in seconds.
    """

    def __init__(
        self, working: Callable[[], bool] = lambda: False, *, now: Callable[[], float] | None = None
    ):
        self._working = working
        self._now = now or time.monotonic
        self._key = self._frame = self._now()
        self._rounds = 0
        self._before: tuple[int, int, int] | None = None

    def take_over(self) -> None:
        """From now on the large round waits for a rest."""
        self._before = gc.get_threshold()
        gc.set_threshold(*SMALL, LAST)

    def give_back(self) -> None:
        """As it was before, with nothing set aside."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            self._before = None
            gc.unfreeze()

    def key_came(self) -> None:
        self._key = self._now()

    def frame_came(self) -> None:
        self._frame = self._now()

    def look(self) -> str:
        """Take garbage out if it is time to; "large", "whole" or, when nothing was done, ""."""
        now, made = self._now(), gc.get_count()[2]
        still = now - self._frame >= AFTER_FRAME or made >= MANY
        if now - self._key < AFTER_KEY or not still:
            return ""
        if self._rounds and self._is_time_for_all(now):
            return self._sweep_all()
        if made < ENOUGH:
            return ""
        gc.collect()
        gc.freeze()
        self._rounds += 1
        return "large"

    def _is_time_for_all(self, now: float) -> bool:
        if self._rounds >= PATIENCE:
            return True
        return now - self._key >= LONG_REST and not self._working()

    def _sweep_all(self) -> str:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._rounds = 0
        return "whole"
