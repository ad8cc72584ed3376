"""Which messages came, counted: the recorded ones once, in a thread, and those that come since.

The Routing screen asks at every look how often each binding decided; so the count is kept, by
what routing looks at, and a look costs the number of distinct senders and places.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from engine.errors import StoreError
from engine.events import EntryAppended, Event
from engine.routing.envelope import Envelope
from engine.routing.usage import Seen, Tally
from engine.sessions.store import Store
from engine.turns.recorded import Recorded, by_name, recorded_messages, recorded_of
from engine.turns.request import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["UseBook"]

BREATH = 0.0005
"""Seconds that the reading thread rests after each hundred messages, for the loop's sake."""


class UseBook:
    """Counts messages for as long as `keep` runs.

    Args:
        store: makes a store of its own, to be read in a thread.
        subscribe: hears the engine's events.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        subscribe: Callable[[], AbstractAsyncContextManager[AsyncIterator[Event]]],
    ):
        self._store = store
        self._subscribe = subscribe
        self._tally = Tally()
        self._since: list[Recorded] | None = None
        self.ready = False
        self.version = 0
        """Moves with every message that is counted."""

    @property
    def whole(self) -> bool:
        """False once some sorts of messages were too many to be kept."""
        return self._tally.whole

    def seen(self) -> Seen:
        """What was counted so far."""
        return self._tally.seen()

    def names(self) -> dict[Envelope, str]:
        """What their senders called themselves last. It is not made safe."""
        return self._tally.names()

    async def keep(self, told: Callable[[], None] = lambda: None) -> None:
        """Count until cancelled; `told` is called once the recorded messages are in.

        Messages that come while those are read are held back, so that none counts twice.

        Raises:
            StoreError: the sessions cannot be listed.
        """
        import anyio

        self.ready, self._since = False, []
        async with self._subscribe() as events, anyio.create_task_group() as tasks:
            tasks.start_soon(self._hear, events)
            try:
                tally, known = await in_thread(self._read)
            except StoreError:
                tasks.cancel_scope.cancel()
                raise
            late, self._since = self._since, None
            for message in late:
                if (message.entry_id, message.when) not in known:
                    tally.add(message.envelope, message.when)
            self._tally, self.ready = tally, True
            self.version += 1
            told()

    async def _hear(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if not isinstance(event, EntryAppended) or by_name(event.session_key):
                continue
            message = recorded_of(event.entry)
            if message is None:
                continue
            if self._since is not None:
                self._since.append(message)
            else:
                self._tally.add(message.envelope, message.when)
                self.version += 1

    def _read(self) -> tuple[Tally, set[tuple[str, int]]]:
        """The count, and which messages are in it. Copies count once."""
        tally, known = Tally(), set[tuple[str, int]]()
        for message in recorded_messages(self._store()):
            mark = message.entry_id, message.when
            if mark not in known:
                known.add(mark)
                tally.add(message.envelope, message.when)
                if len(known) % 100 == 0:
                    time.sleep(BREATH)
        return tally, known
