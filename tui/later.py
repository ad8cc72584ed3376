"""Starting workers by what they do, not by coroutines: those of an app that is left at once would
never be awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.dom import DOMNode

__all__ = ["later"]


def later(
    node: DOMNode, work: Callable[[], Awaitable[None]], *, group: str, exclusive: bool = True
) -> None:
    """Do something in a worker of `node`; an exclusive one ends those of its group before it."""
    task: Any = work  # Textual's own type leaves nothing for mypy to infer a result from
    node.run_worker(task, group=group, exclusive=exclusive)
