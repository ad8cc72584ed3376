"""The rules that end sessions, carried out: before a turn, and on a schedule (SPEC §11)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from engine.agents.turn import Kitchen, in_thread
from engine.errors import Problem, SessionBusy
from engine.events import Noticed, SessionChanged, SessionRenewed
from engine.lifecycle.expiry import Over, Where, expires, over, where_of
from engine.lifecycle.guard import ClockGuard
from engine.sessions.records import SessionRecord
from engine.text import safe_line
from engine.turns.order import Order, Setup
from engine.turns.redelivery import delivered_in, delivery_of

__all__ = ["Lifetime", "alone"]


@asynccontextmanager
async def alone(kitchen: Kitchen, key: str, ref: str) -> AsyncIterator[None]:
    """Keep turns of a session out; afterwards it is looked for anew.

    Raises:
        SessionBusy: one is running or waiting, or a summary is being written.
    """
    lanes, pool = kitchen.lanes, kitchen.pool
    live = pool.peek(key)
    if lanes.inside(key) or (live is not None and live.compacting is not None):
        raise SessionBusy(
            f"{safe_line(key, limit=120)} is being answered",
            remedy="Wait for the answer, or stop it",
        )
    async with lanes.turn(key):
        try:
            yield
        finally:
            for name in {key, ref}:
                await in_thread(pool.drop, name)
    kitchen.publish(SessionChanged(key))


def _where(order: Order, record: SessionRecord) -> Where:
    """Where a message comes from; the operator's goes where the session's own people are."""
    if order.principal.is_operator:
        return where_of(record)
    envelope = order.envelope
    is_group = envelope.peer is not None and envelope.peer.kind != "dm"
    return Where(envelope.channel, is_group, bool(envelope.thread_id))


class Lifetime:
    """Ends what the config's rules say is over.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
        state_dir: where the heartbeat is kept.

    Attributes:
        guard: whether the clock can be believed.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup], state_dir: Path):
        self._kitchen = kitchen
        self._setup = setup
        self._told: Problem | None = None
        self.guard = ClockGuard(kitchen.disk, kitchen.clock, state_dir, self._newest)

    async def renew_when_over(self, order: Order) -> None:
        """Before a turn, in its lane: when the session is over, put it aside and begin a cold one
        under the same key. Announced, never silent.

        Raises:
            StoreError: it is over and could not be put aside; nothing was begun.
        """
        if order.place is not None or not expires(order.setup.config.session):
            return
        found = await in_thread(self._judge, order)
        self._tell_held(order.session_key)
        if found is None:
            return
        old, why = found
        try:
            aside = await in_thread(self._kitchen.pool.renew, old.key, why.reason, why.rule)
        except SessionBusy:
            return  # somebody writes in it at this moment: it goes on
        self._kitchen.publish(
            SessionRenewed(old.key, why.reason, why.rule, str(aside.path), aside.messages)
        )
        self._kitchen.publish(SessionChanged(old.key))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What a person must decide before anything ends."""
        return (self.guard.held,) if self.guard.held is not None else ()

    async def confirm_clock(self) -> None:
        """A person says that the clock is right: what it ends, ends."""
        await in_thread(self.guard.confirm)
        self._tell_held()
        self._kitchen.publish(SessionChanged(""))

    def _judge(self, order: Order) -> tuple[SessionRecord, Over] | None:
        """The order's session and why it is over; None where it goes on."""
        session, now = order.setup.config.session, self._kitchen.clock.now()
        passes = self.guard.passes(self._ending)
        record = self._kitchen.pool.store.get(order.session_key)
        if record is None or record.messages == 0:
            return None
        why = over(session, record.key, record.used, now, _where(order, record))
        if why is None or self._redelivered(order):
            return None
        return (record, why) if passes else None

    def _redelivered(self, order: Order) -> bool:
        """Whether the channel delivers again what the old conversation took in."""
        delivery = delivery_of(order.envelope)
        if delivery is None:
            return False
        if self._kitchen.deliveries.seen(order.envelope):
            return True
        with self._kitchen.pool.using(order.session_key) as live:
            return delivery in delivered_in(live.transcript.tree)

    def _tell_held(self, key: str | None = None) -> None:
        """Ask the person, once, whether the clock is right."""
        if self.guard.held is not None and self.guard.held != self._told:
            self._kitchen.publish(Noticed(self.guard.held, key))
        self._told = self.guard.held

    def _ending(self, moment: int) -> int:
        """How many sessions would be over at a moment."""
        session = self._setup().config.session
        return sum(
            over(session, record.key, record.used, moment, where_of(record)) is not None
            for record in self._kitchen.pool.store.list()
            if record.kind == "session" and record.messages
        )

    def _newest(self) -> int:
        """The latest time at which something is known to have happened."""
        now = self._kitchen.clock.now()
        moments = (record.used for record in self._kitchen.pool.store.list())
        return max((moment for moment in moments if moment <= now), default=0)
