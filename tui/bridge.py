"""The bridge: engine events → one worker → the screens, at most twenty times a second.

A stream of tokens never becomes a stream of Textual messages: deltas of a turn are merged, and
what came in 50 ms goes out as one batch. The tracker takes a batch in and the listeners hear it
in one step, so whoever reads the tracker between two batches sees exactly what was told so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import BranchlineError, Problem
from engine.events import Event, ReplyDelta
from tui.tracker import Tracker

if TYPE_CHECKING:
    from engine.engine import Engine

__all__ = ["PERIOD", "Batch", "Bridge", "Listener", "Merger"]

PERIOD = 0.05
"""Seconds between two batches, at least."""

CROWD = 3
"""Turns at a time from which a batch brings the words of half of them only, in turn: whoever writes
in one of four lanes must not wait until all four are painted at once."""

LIST_PERIOD = 0.25
"""Seconds between two readings of the list of sessions, at least: it costs more, the more there
are, and says little that the events do not."""

Batch = tuple[Event, ...]
Listener = Callable[[Batch], None]


class Merger:
    """Collects events; deltas of one turn with nothing of their session between become one."""

    def __init__(self) -> None:
        self._events: list[Event | None] = []
        self._open: dict[str, tuple[int, list[ReplyDelta]]] = {}

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

    def drain(self, *, half: bool = False) -> Batch:
        """Everything so far, each session's in order; afterwards there is nothing.

        With `half`, of the words that nothing of their session follows only those of every second
        session, those first that have waited; the others are kept for the next time.
        """
        keys = list(self._open)
        for key in keys[: (len(keys) + 1) // 2] if half else keys:
            self._close(key)
        batch = tuple(event for event in self._events if event is not None)
        kept = [(key, deltas) for key, (_, deltas) in self._open.items()]
        self._open = {key: (place, deltas) for place, (key, deltas) in enumerate(kept)}
        self._events = [None] * len(kept)
        return batch

    @property
    def holds(self) -> bool:
        """Whether something is kept for the next time."""
        return bool(self._events)


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
    """Hears the engine for as long as the app runs, keeps the tracker, tells the screens.

    A list that cannot be read leaves the one before and is told as a notice. Its three coroutines
    are workers of the app: `hear` collects, `tell` hands on, `list_sessions` reads the list again
    when it changed. An error in a listener ends the app, as any other.
    """

    def __init__(self, engine: Engine):
        self.tracker = Tracker()
        self._engine = engine
        self._merger = Merger()
        self._listeners: list[Listener] = []
        self._news = asyncio.Event()
        self._stale = asyncio.Event()
        self._told: Problem | None = None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hear every batch from now on; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def load(self) -> None:
        """Read the engine's list of sessions."""
        try:
            infos = await self._engine.sessions()
        except BranchlineError as error:
            problem = Problem(str(error))
            if problem != self._told:
                self._engine.notice(problem)
            self._told = problem
            return
        self._told = None
        self.tracker.load(infos)

    async def hear(self) -> None:
        """Collect events until cancelled."""
        async with self._engine.subscribe() as events:
            async for event in events:
                self._merger.add(event)
                self._news.set()

    async def tell(self) -> None:
        """Hand batches on until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            batch = self._merger.drain(half=self.tracker.busy >= CROWD)
            if self.tracker.take(batch):
                self._stale.set()
            self._publish(batch)
            await asyncio.sleep(PERIOD)
            if self._merger.holds:
                self._news.set()

    async def list_sessions(self) -> None:
        """Read the list again whenever it changed, until cancelled; an empty batch tells of it."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            await self.load()
            self._publish(())
            await asyncio.sleep(LIST_PERIOD)

    def tell_again(self) -> None:
        """Have the screens look again at what no event tells of."""
        self._publish(())

    def _publish(self, batch: Batch) -> None:
        for listener in tuple(self._listeners):
            listener(batch)
