"""Compaction as a person works with it: ask for it, look at it first, accept, stop (SPEC §8)."""

from __future__ import annotations

from collections.abc import Callable

from engine.branching.compact import (
    CompactionPreview,
    CompactionResult,
    accept,
    compact,
    preview,
)
from engine.branching.fork import order_of
from engine.branching.scribe import CompactionFailed
from engine.errors import BranchlineError, SessionError
from engine.events import CompactionEnded, EntryAppended, SessionChanged
from engine.routing.keys import canonical_key
from engine.turns.order import Order, Setup
from engine.turns.pool import LiveSession
from engine.turns.request import Kitchen, in_thread
from engine.values import replace

__all__ = ["CompactionRoom"]


class CompactionRoom:
    """Compactions that somebody asks for; those before a turn are the turn's own business.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup]):
        self._kitchen = kitchen
        self._setup = setup

    async def compact(
        self,
        session_key: str,
        focus: str = "",
        *,
        keep_from: str | None = None,
        order: Order | None = None,
    ) -> CompactionResult:
        """Fold the older part of a session into a summary, now. Waits for its turn.

        A failure does not raise: the result says so, and the session keeps it.

        Args:
            focus: what the summary should keep above all.
            keep_from: everything from this entry on stays ("compact to here").
            order: who asks; else it is as if the session's own people did.

        Raises:
            SessionNotFound, SessionBusy, StoreError: the session cannot be used.
        """
        key = canonical_key(session_key)
        async with self._kitchen.lanes.turn(key):
            with self._kitchen.pool.using(key, write=True) as live:
                patience = self._setup().config.session.lock_timeout_seconds
                async with live.transcript.holding(patience):
                    await self._take_in(live)
                    result = await compact(
                        order or self._order(live),
                        live,
                        self._kitchen,
                        focus=focus,
                        keep_from=keep_from,
                    )
        self._kitchen.publish(SessionChanged(key))
        return result

    async def preview(
        self, session_key: str, focus: str = "", *, keep_from: str | None = None
    ) -> CompactionPreview:
        """Have the summary written and nothing stored; see `accept`. Progress is told as events.

        Raises:
            CompactionFailed: there is nothing to fold, nothing to gain, or it was stopped.
            ModelError: no model could write the summary.
            SessionBusy: the session is being compacted already.
        """
        key = canonical_key(session_key)
        try:
            with self._kitchen.pool.using(key) as live:
                shown = await preview(
                    self._order(live), live, self._kitchen, focus=focus, keep_from=keep_from
                )
        except BranchlineError as error:
            stopped = isinstance(error, CompactionFailed) and error.stopped
            outcome = "cancelled" if stopped else "failed"
            if not isinstance(error, SessionError):
                self._kitchen.publish(CompactionEnded(key, outcome, None, 0, 0, reason=str(error)))
            raise
        told = CompactionEnded(
            key, "preview", None, shown.before, shown.after, shown.folded, shown.kept
        )
        self._kitchen.publish(told)
        return replace(shown, session_key=key)

    async def accept(
        self, shown: CompactionPreview, summary: str | None = None
    ) -> CompactionResult:
        """Write a compaction that was previewed, with its summary or an edited one.

        Raises:
            CompactionFailed: the conversation went elsewhere or was compacted meanwhile.
            SessionBusy, StoreError: it could not be written; nothing changed.
        """
        key = shown.session_key
        async with self._kitchen.lanes.turn(key):
            with self._kitchen.pool.using(key, write=True) as live:
                patience = self._setup().config.session.lock_timeout_seconds
                async with live.transcript.holding(patience):
                    await self._take_in(live)
                    result = await accept(live, self._kitchen, shown, summary)
        self._kitchen.publish(SessionChanged(key))
        return result

    def cancel(self, session_key: str) -> bool:
        """Stop the summary that is being written in a session; False when there is none. A turn
        that was waiting for it goes on without."""
        live = self._kitchen.pool.peek(canonical_key(session_key))
        if live is None or live.compacting is None:
            return False
        live.compacting.cancel()
        return True

    def running(self, session_key: str) -> bool:
        """Whether a summary of the session is being written."""
        live = self._kitchen.pool.peek(canonical_key(session_key))
        return live is not None and live.compacting is not None

    def _order(self, live: LiveSession) -> Order:
        return order_of(live, self._setup(), self._kitchen.clock.now())

    async def _take_in(self, live: LiveSession) -> None:
        for entry in await in_thread(live.transcript.refresh):
            self._kitchen.publish(EntryAppended(live.key, entry, foreign=True))
