"""Starting workers by what they do, not by coroutines: those of an app that is left at once would
never be awaited. And waiting, before the app ends, for what a person has asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.worker import Worker

__all__ = ["ASKED_FOR", "later", "until_done"]

ASKED_FOR = frozenset({"act", "decide", "dialog", "keeping", "model", "step", "taken"})
"""The groups of workers that write what a person asked for. They may ask them something first, and
write after the answer."""

POLL = 0.01


def later(
    node: DOMNode, work: Callable[[], Awaitable[None]], *, group: str, exclusive: bool = True
) -> None:
    """Do something in a worker of `node`; an exclusive one ends those of its group before it.

    A person may close a dialog while it is worked for: what then finds its widgets gone is over,
    not an error.
    """

    async def until_gone() -> None:
        try:
            await work()
        except NoMatches:
            if node.display and node.is_attached:
                raise

    task: Any = until_gone  # Textual's own type leaves nothing for mypy to infer a result from
    node.run_worker(task, group=group, exclusive=exclusive)


async def until_done(
    app: App[Any],
    asks: Callable[[Worker[Any]], bool],
    underway: Callable[[], bool],
    patience: float,
) -> None:
    """Wait for what a person asked for before now, or until it asks them something.

    Args:
        asks: whether a worker waits for the person.
        underway: whether something is on its way that is no worker of `ASKED_FOR`.
        patience: seconds at most.
    """
    end = asyncio.get_running_loop().time() + patience
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(POLL)  # first of all: what was begun just now is not known yet
        works = (one for one in app.workers if one.group in ASKED_FOR and not one.is_finished)
        if all(asks(one) for one in works) and not underway():
            return
