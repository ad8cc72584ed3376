"""How full the sessions in view are: looked up in the background, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable

from engine.engine import Engine
from engine.errors import BranchlineError
from tui.people.naming import is_stored
from tui.tracker import Tracker

__all__ = ["LARGE", "due", "look_up", "threshold"]

LARGE = 20_000
"""Sessions with more messages than this are looked at only when they are opened."""

PAUSE = 0.01
"""Seconds between two sessions, for whatever the person does meanwhile."""


def threshold(engine: Engine) -> float:
    """The share of a window at which compaction is due; more than all where it is off."""
    compaction = engine.config.compaction
    return compaction.threshold if compaction.enabled else 1.1


def due(tracker: Tracker, ref: str) -> bool:
    """Whether it is worth a look how full a session is. The open one tells by itself."""
    info = tracker.infos.get(ref)
    if info is None or is_stored(info) or not 0 < info.messages <= LARGE:
        return False
    if ref == tracker.open_key and ref in tracker.fills:
        return False
    return not tracker.is_filled(ref)


async def look_up(
    engine: Engine, tracker: Tracker, refs: Iterable[Hashable], learned: Callable[[str], None]
) -> None:
    """Learn how full sessions are of which that is not known, or was before something came, and
    tell of each.

    A session that cannot be read keeps no bar; opening it says why.
    """
    for ref in refs:
        name = str(ref)
        if not due(tracker, name):
            continue
        basis = tracker.basis(name)  # of now: what comes while it is read is not in it
        try:
            tracker.remember(await engine.view(name), threshold(engine), basis)
        except BranchlineError:
            continue
        learned(name)
        await asyncio.sleep(PAUSE)
