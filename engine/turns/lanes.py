"""Lanes: one turn at a time per session, first in first out; sessions run side by side up to a
common limit (SPEC §10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio

__all__ = ["Lanes"]


class _Lane:
    """The queue of one session: its lock (fair, so first in first out) and who is in it."""

    def __init__(self, lock: anyio.Lock):
        self.lock = lock
        self.inside = 0


class Lanes:
    """All lanes of an engine. A lane exists only while somebody is in it."""

    def __init__(self, max_concurrent: float):
        import anyio

        self._lanes: dict[str, _Lane] = {}
        self._limit = anyio.CapacityLimiter(max_concurrent)

    def inside(self, session_key: str) -> int:
        """Turns running or waiting in a session."""
        lane = self._lanes.get(session_key)
        return lane.inside if lane else 0

    @property
    def busy(self) -> tuple[str, ...]:
        """Keys of the sessions in which a turn runs or waits."""
        return tuple(self._lanes)

    @property
    def waiting(self) -> int:
        """Turns that wait for another one of their session."""
        return sum(lane.inside - 1 for lane in self._lanes.values())

    def resize(self, max_concurrent: int) -> None:
        """Take a new common limit; running turns go on."""
        self._limit.total_tokens = max_concurrent

    @asynccontextmanager
    async def turn(self, session_key: str) -> AsyncIterator[None]:
        """Hold the session's lane. Those who call first come first."""
        import anyio

        lane = self._lanes.get(session_key)
        if lane is None:
            lane = self._lanes[session_key] = _Lane(anyio.Lock())
        lane.inside += 1
        try:
            async with lane.lock, self._limit:
                yield
        finally:
            lane.inside -= 1
            if lane.inside == 0:
                del self._lanes[session_key]
