"""Keys reach the screen or dialog that the key before them led to.

Textual hands a key to the pane in focus and takes the next one at once. So what is typed right
after a key that leads elsewhere would go to the screen that is left, or be lost while the
other is made. Such a key is seen through first; those after it wait, in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, TextArea
from textual.worker import Worker

from tui.later import until_done

__all__ = ["KeyOrder"]

_MOVES = (
    *("cursor_", "scroll", "page", "step(", "move(", "turn(", "edge(", "hit(", "lane(", "fold"),
    *("app.focus_", "screen.try_scope("),
)
"""What only moves about starts with; it is pressed often, and leads nowhere else."""

PATIENCE = 3.0
"""Seconds that keys wait for a screen at most."""

QUESTION = 0.5
"""Seconds that they wait at most for a question which the key before them may lead to."""


class KeyOrder:
    """Holds keys back while one before them is seen through.

    Args:
        app: whose keys they are.
        hand_on: does with a key what Textual does.
    """

    def __init__(self, app: App[Any], hand_on: Callable[[Key], Awaitable[None]]):
        self._app = app
        self._hand_on = hand_on
        self._waiting: deque[Key] = deque()
        self._task: asyncio.Task[None] | None = None
        self._passing = False

    @property
    def holds(self) -> bool:
        """Whether there are keys that were not handed on yet."""
        return self._passing or bool(self._waiting)

    async def take(self, key: Key) -> None:
        """Hand a key on now, or when those before it are through."""
        if self._task is not None:
            self._waiting.append(key)
            return
        leads = self._leads(key)
        target = self._target()
        await self._hand_on(key)
        if leads:
            self._task = asyncio.create_task(self._see_through(target))

    async def see_through(self) -> None:
        """Wait until the key handed on last has done all it does, or asks a question."""
        await self._settled(self._target())

    def _leads(self, key: Key) -> bool:
        """Whether it may lead to another screen, dialog or pane, where it is pressed."""
        focused = self._app.focused
        field = focused if isinstance(focused, (Input, TextArea)) else None
        if key.is_printable and field is not None:
            return False
        if isinstance(self._app.screen, ModalScreen):
            return not key.is_printable  # it may close the dialog
        active = self._app.screen.active_bindings.get(key.key)
        if active is None or active.node is field:
            return False
        return not active.binding.action.startswith(_MOVES)

    @property
    def _stands(self) -> bool:
        """Whether the app goes on; it may end while keys wait."""
        return self._app.is_running and bool(self._app.screen_stack)

    def _asked(self, _: Worker[Any]) -> bool:
        """A dialog takes keys, whatever else goes on."""
        return bool(self._app.screen_stack) and isinstance(self._app.screen, ModalScreen)

    def _target(self) -> DOMNode:
        return self._app.focused or self._app.screen

    async def _see_through(self, target: DOMNode) -> None:
        try:
            await self._settled(target)
            while self._waiting and self._stands:
                key, target = self._waiting.popleft(), self._target()
                self._passing, done = True, asyncio.Event()
                self._app.call_next(self._pass_on, key, done)
                await _or_late(done)
                self._passing = False
                await self._settled(target)
        finally:
            self._task, self._passing = None, False

    async def _pass_on(self, key: Key, done: asyncio.Event) -> None:
        if self._stands:
            await self._hand_on(key)  # else the app ended while it waited
        done.set()

    async def _settled(self, target: DOMNode) -> None:
        """Until a key that was handed to `target` has done all it does, and the screen that is in
        front then has its focus."""
        app = self._app
        for node in target.ancestors_with_self:
            await _reached(node.call_later)
        end = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < end and self._stands:
            screen = app.screen
            await _reached(screen.call_after_refresh)
            at_rest = screen.focused is not None or not screen.focus_chain
            if self._stands and screen is app.screen and screen.is_mounted and at_rest:
                await until_done(app, self._asked, lambda: False, QUESTION)
                if self._stands and screen is app.screen:
                    return
            await asyncio.sleep(0.01)


async def _reached(call: Callable[[Callable[[], object]], object]) -> None:
    """Wait until a queue has come to where it is now; one that is closed has."""
    here = asyncio.Event()
    if call(here.set):
        await _or_late(here)


async def _or_late(event: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(event.wait(), PATIENCE)
    except TimeoutError:
        return
