"""How full the sessions in view are: looked up in the background, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable

from engine.engine import Engine
from engine.errors import BranchlineError
from tui.people.naming import is_stored
from tui.tracker import Tracker

__all__ = ["LARGE", "look_up", "threshold"]

LARGE = 20_000
"""Sessions with more messages than this are looked at only when they are opened."""

PAUSE = 0.01
"""Seconds between two sessions, for whatever the person does meanwhile."""


def threshold(engine: Engine) -> float:
    """The share of a window at which compaction is due; more than all where it is off."""
    compaction = engine.config.compaction
    return compaction.threshold if compaction.enabled else 1.1


async def look_up(
    engine: Engine, tracker: Tracker, refs: Iterable[Hashable], learned: Callable[[str], None]
) -> None:
    """Learn how full sessions are that are not known yet, and tell of each.

    A session that cannot be read keeps no bar; opening it says why.
    """
    for ref in refs:
        info = tracker.infos.get(str(ref))
        if info is None or info.ref in tracker.fills or is_stored(info):
            continue
        if not 0 < info.messages <= LARGE:
            continue
        try:
            tracker.remember(await engine.view(info.ref), threshold(engine))
        except BranchlineError:
            continue
        learned(info.ref)
        await asyncio.sleep(PAUSE)
