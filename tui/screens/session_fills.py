"""How full the sessions in view are: looked up when a person rests, and again when that changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial

from textual import getters, on
from textual.timer import Timer

from tui.behind.fills import due, look_up
from tui.later import later
from tui.screens.cockpit import CockpitScreen
from tui.widgets.rowlist import RowList
from tui.widgets.sessions.sessionlist import SessionList

__all__ = ["SessionFills"]

REST = 0.1
"""Seconds the cursor rests in the list before it is looked up how full the sessions in view are."""

RENEW = 1.0
"""Seconds from news of a session to another look at it: more of them may come."""


class SessionFills(CockpitScreen):
    """The part of the Sessions screen that keeps the bars in the list true."""

    sessions = getters.query_one(SessionList)
    _rest: Timer | None = None

    def filled(self, ref: str) -> None:
        """Told of each session that was looked up."""
        raise NotImplementedError

    @on(RowList.Highlighted)
    def _moved(self) -> None:
        """Nothing is read between the keys of a person who goes down the list."""
        self.workers.cancel_group(self, "fills")
        self._look_in(REST)

    def renew_fills(self) -> None:
        """After news: look again soon, where a bar in view is out of date."""
        waits = self._rest is not None
        if not waits and any(due(self.tracker, str(ref)) for ref in self.sessions.in_view):
            self._look_in(RENEW)

    def _look_in(self, seconds: float) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(seconds, self.look_up_fills)

    def look_up_fills(self) -> None:
        """Look up what is in view and not known."""
        if self._rest is not None:
            self._rest.stop()
            self._rest = None
        later(self, partial(self._fill, self.sessions.in_view), group="fills")

    async def _fill(self, refs: Iterable[Hashable]) -> None:
        await look_up(self.engine, self.tracker, refs, self.filled)
