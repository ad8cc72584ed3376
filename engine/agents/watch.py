"""What goes on beside the turns: taking in what other processes write (entries of open sessions,
changes of the list), and bringing the index up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.agents.turn import in_thread
from engine.config.watch import stopping
from engine.errors import Problem, StoreError
from engine.events import EntryAppended, Event, Noticed, SessionChanged
from engine.sessions.records import was_put_aside
from engine.turns.pool import SessionPool

__all__ = ["settle_now_and_then", "together", "watch_sessions"]

SETTLE_SECONDS = 1.0
"""How long the index may lag behind the transcripts."""

QUIET_MS = 50
"""How long changes are gathered before they are looked at."""


async def watch_sessions(pool: SessionPool, folder: Path, publish: Callable[[Event], None]) -> None:
    """Tell of every change below `folder` (`agents/`) until cancelled.

    Entries that others wrote into an open session come as EntryAppended(foreign=True); any other
    change as SessionChanged with the session's key, or "" where only the list can tell.
    """
    from watchfiles import awatch

    async with stopping() as stop:
        watch = awatch(folder, debounce=200, step=QUIET_MS, recursive=True, stop_event=stop)
        async for changes in watch:
            await _take_in(pool, sorted({path for _, path in changes}), publish)


async def _take_in(pool: SessionPool, paths: list[str], publish: Callable[[Event], None]) -> None:
    open_now = {str(live.transcript.path): live for live in pool.open_sessions}
    listed = False
    for path in paths:
        live = open_now.get(path)
        if live is None:
            listed = listed or path.endswith(".jsonl")
            continue
        try:
            entries = await in_thread(live.transcript.refresh)
        except StoreError as error:
            pool.drop(live.key)
            if not await in_thread(was_put_aside, live.transcript.path):
                publish(Noticed(Problem(str(error)), live.key))
            publish(SessionChanged(live.key))
            continue
        for entry in entries:
            publish(EntryAppended(live.key, entry, foreign=True))
        if entries:
            live.deliveries = None
            pool.spoil(live.key)
            publish(SessionChanged(live.key))
    if listed:
        publish(SessionChanged(""))


async def together(*watches: Awaitable[None]) -> None:
    """Watch several things until cancelled."""
    import anyio

    async def one(watch: Awaitable[None]) -> None:
        await watch

    async with anyio.create_task_group() as tasks:
        for watch in watches:
            tasks.start_soon(one, watch)


async def settle_now_and_then(pool: SessionPool) -> None:
    """Write what changed into the index, until cancelled."""
    import anyio

    while True:
        # Real time, not the clock's: a clock that stands still must not keep us busy.
        await anyio.sleep(SETTLE_SECONDS)
        await in_thread(pool.settle)
