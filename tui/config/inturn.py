"""What a person does to a draft of the config, one thing after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.dom import DOMNode

from engine.errors import BranchlineError
from tui.home import home_of
from tui.later import later

__all__ = ["InTurn"]


class InTurn:
    """Keys pressed quickly are carried out in their order.

    Args:
        node: whose workers do it.
        look: draws anew after each deed, while `lock` is held.

    Attributes:
        lock: held while something is done.
    """

    def __init__(self, node: DOMNode, look: Callable[[], Awaitable[None]]):
        self._node = node
        self._look = look
        self._undone = 0
        self.lock = asyncio.Lock()

    @property
    def at_rest(self) -> bool:
        """Whether all that was begun is done, and drawn."""
        return not self._undone and not self.lock.locked()

    def act(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something after what is being done, then look anew; errors of the engine are told."""

        async def run() -> None:
            try:
                async with self.lock:
                    try:
                        await work()
                    except BranchlineError as error:
                        home_of(self._node).fail(error)
                    await self._look()
            finally:
                self._undone -= 1

        self._undone += 1
        later(self._node, run, group="act", exclusive=False)
