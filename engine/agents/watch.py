"""Taking in what other processes write: entries of open sessions, and changes of the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.agents.pool import SessionPool
from engine.agents.turn import in_thread
from engine.errors import Problem, StoreError
from engine.events import EntryAppended, Event, Noticed, SessionChanged

__all__ = ["watch_sessions"]

QUIET_MS = 50
"""How long changes are gathered before they are looked at."""


async def watch_sessions(pool: SessionPool, folder: Path, publish: Callable[[Event], None]) -> None:
    """Tell of every change below `folder` (`agents/`) until cancelled.

    Entries that others wrote into an open session come as EntryAppended(foreign=True); any other
    change as SessionChanged with the session's key, or "" where only the list can tell.
    """
    from watchfiles import awatch

    async for changes in awatch(folder, debounce=200, step=QUIET_MS, recursive=True):
        open_now = {str(live.transcript.path): live for live in pool.open_sessions}
        listed = False
        for path in sorted({path for _, path in changes}):
            live = open_now.get(path)
            if live is None:
                listed = listed or path.endswith(".jsonl")
                continue
            try:
                entries = await in_thread(live.transcript.refresh)
            except StoreError as error:
                pool.drop(live.key)
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
