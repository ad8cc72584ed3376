"""The door to time. Everything that needs the hour, a pause or a fresh id takes a Clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "iso", "parse_iso"]


class Clock(Protocol):
    """Wall time in milliseconds since 1970 (UTC), a monotonic reading in seconds, and sleep."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import anyio  # 40 ms: only what waits pays for it

        await anyio.sleep(seconds)


class ManualClock:
    """A clock that stands still until told otherwise; `sleep` advances it and yields once."""

    def __init__(self, start: int = 1_767_225_600_000):
        self._now = start
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * 1000)
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        import anyio.lowlevel

        await anyio.lowlevel.checkpoint()


def iso(milliseconds: int) -> str:
    """`2026-01-01T00:00:00.000Z`, the form in which transcripts write time."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def parse_iso(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO time, or None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
