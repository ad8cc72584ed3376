"""Strangers who wait for approval: what the app knows of them, and what it does about them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from engine.errors import BranchlineError

if TYPE_CHECKING:
    from engine.agents.pairing_book import PairingBook
    from engine.routing.pairing import Approval, Request

__all__ = ["PairingDesk", "now_ms"]


def now_ms() -> int:
    """The time, in ms since 1970."""
    return time.time_ns() // 1_000_000


class PairingDesk:
    """Reads and changes the pairings, beside the loop.

    Attributes:
        waiting: who waits, oldest first, as of the last look.
        problem: why the pairings cannot be read; "" when they can.
    """

    def __init__(self, book: PairingBook):
        self._book = book
        self.waiting: tuple[Request, ...] = ()
        self.problem = ""
        self._looks = self._known = 0

    async def look(self) -> bool:
        """Read the requests again; True when something else is known than before."""
        before = self.waiting, self.problem
        self._looks = number = self._looks + 1
        try:
            pairings = await asyncio.to_thread(self._book.read)
            found = pairings.pending(now_ms()), ""
        except BranchlineError as error:
            found = (), str(error)
        if number > self._known:  # else a later look was quicker
            self._known = number
            self.waiting, self.problem = found
        return before != (self.waiting, self.problem)

    async def approve(self, code: str) -> Approval | None:
        """Let in the sender with a code. None: the code ran out, or was dealt with elsewhere.

        Raises:
            BranchlineError: the pairings cannot be read or written.
        """

        def approve() -> Approval | None:
            return self._book.change(lambda pairings: pairings.approve(code, now=now_ms()))

        made = await asyncio.to_thread(approve)
        await self.look()
        return made

    async def reject(self, code: str) -> Request | None:
        """Drop the request with a code; its sender may ask again. None, and errors: as above."""

        def reject() -> Request | None:
            return self._book.change(lambda pairings: pairings.reject(code, now=now_ms()))

        dropped = await asyncio.to_thread(reject)
        await self.look()
        return dropped
