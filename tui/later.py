"""Starting workers by what they do, not by coroutines: those of an app that is left at once would
never be awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.css.query import NoMatches
from textual.dom import DOMNode

__all__ = ["later"]


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
