"""The one stream of events: everybody who subscribes hears all of them, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.events import Event

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectSendStream

__all__ = ["Hub"]


class Hub:
    """Hands events to subscribers. `publish` never waits and must run on the loop's thread."""

    def __init__(self) -> None:
        self._listeners: set[MemoryObjectSendStream[Event]] = set()

    def publish(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener.send_nowait(event)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Hear every event from now on, for as long as the `async with` lasts.

        Events wait in memory until they are taken: who subscribes has to listen.
        """
        import math

        import anyio

        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._listeners.add(send)
        try:
            async with send, receive:
                yield receive
        finally:
            self._listeners.discard(send)
