"""The bridge: engine events → one worker → one Textual Signal, at most twenty times a second.

A stream of tokens never becomes a stream of Textual messages: deltas of a turn are merged, and
what came in 50 ms goes out as one batch.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.signal import Signal

from engine.events import Event, ReplyDelta
from tui.tracker import Tracker

if TYPE_CHECKING:
    from engine.engine import Engine

__all__ = ["PERIOD", "Batch", "Bridge", "Merger"]

PERIOD = 0.05
"""Seconds between two batches, at least."""

Batch = tuple[Event, ...]


class Merger:
    """Collects events; deltas of one turn with nothing of their session between become one."""

    def __init__(self) -> None:
        self._events: list[Event | None] = []
        self._open: dict[str, tuple[int, list[ReplyDelta]]] = {}

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event) -> None:
        if isinstance(event, ReplyDelta):
            found = self._open.get(event.session_key)
            if found is not None and found[1][0].turn_id == event.turn_id:
                found[1].append(event)
                return
            self._close(event.session_key)
            self._open[event.session_key] = (len(self._events), [event])
            self._events.append(None)
            return
        key = getattr(event, "session_key", None)
        if key is not None:
            self._close(key)
        self._events.append(event)

    def _close(self, key: str) -> None:
        if found := self._open.pop(key, None):
            place, deltas = found
            self._events[place] = _joined(deltas)

    def drain(self) -> Batch:
        """Everything so far, in order; afterwards there is nothing."""
        for key in list(self._open):
            self._close(key)
        batch = tuple(event for event in self._events if event is not None)
        self._events = []
        return batch


def _joined(deltas: list[ReplyDelta]) -> ReplyDelta:
    first = deltas[0]
    if len(deltas) == 1:
        return first
    return ReplyDelta(
        first.session_key,
        first.turn_id,
        "".join(delta.text for delta in deltas),
        "".join(delta.thinking for delta in deltas),
    )


class Bridge:
    """Hears the engine for as long as the app runs, keeps the tracker, tells the screens."""

    def __init__(self, app: App[Any], engine: Engine):
        self.tracker = Tracker()
        self.signal: Signal[Batch] = Signal(app, "engine-events")
        self._engine = engine
        self._merger = Merger()
        self._last = 0.0
        self._due: asyncio.TimerHandle | None = None

    def load(self) -> None:
        """Read the engine's list of sessions."""
        self.tracker.load(self._engine.sessions())

    async def run(self) -> None:
        """Hear events until cancelled."""
        async with self._engine.subscribe() as events:
            async for event in events:
                self._merger.add(event)
                if self._due is None:
                    self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        wait = max(0.0, self._last + PERIOD - loop.time())
        self._due = loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._due = None
        self._last = asyncio.get_running_loop().time()
        batch = self._merger.drain()
        if self.tracker.take(batch):
            self.load()
        self.signal.publish(batch)
