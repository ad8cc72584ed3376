"""The rules that end sessions, carried out: before a turn, and on a schedule (SPEC §11)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from msgspec import Struct

from engine.agents.turn import Kitchen, in_thread
from engine.config.schema import Session
from engine.errors import Problem, SessionBusy, SessionError
from engine.events import Noticed, SessionChanged, SessionRenewed
from engine.lifecycle.expiry import Over, Where, expires, over, too_old, where_of
from engine.lifecycle.guard import ClockGuard
from engine.lifecycle.retention import Kept, Plan, Rules, Step, plan_prune, rules_of
from engine.sessions.records import SessionRecord
from engine.sessions.shelf import erase, put_aside
from engine.text import safe_line
from engine.turns.order import Order, Setup
from engine.turns.redelivery import delivered_in, delivery_of

__all__ = ["Done", "Lifetime", "alone"]

REMEMBERED = 4096
"""Sessions of which it is remembered when they were last in use."""

FIRST_SECONDS = 10.0
SWEEP_SECONDS = 300.0
"""Before the first round of the schedule, and between two."""


class Done(Struct, frozen=True):
    """What became of a plan: steps that were carried out, and what stays with the reason."""

    steps: tuple[Step, ...] = ()
    kept: tuple[Kept, ...] = ()


@asynccontextmanager
async def alone(
    kitchen: Kitchen, record: SessionRecord, *, of_key: bool = False
) -> AsyncIterator[None]:
    """Keep turns of a session out; afterwards it is looked for anew, and everybody is told.

    Args:
        of_key: keep them out of the session that holds the record's key, too, when the record is
            one that is over.

    Raises:
        SessionBusy: one is running or waiting, or a summary is being written.
    """
    lanes, pool, path = kitchen.lanes, kitchen.pool, str(record.path)
    key = record.key if of_key or record.kind == "session" else path
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
            for name in {key, path}:
                await in_thread(pool.drop, name)
    kitchen.publish(SessionChanged(record.key))


def _where(order: Order, record: SessionRecord) -> Where:
    """Where a message comes from; the operator's goes where the session's own people are."""
    if order.principal.is_operator:
        return where_of(record)
    envelope = order.envelope
    is_group = envelope.peer is not None and envelope.peer.kind != "dm"
    return Where(envelope.channel, is_group, bool(envelope.thread_id))


def _is_as_it_was(record: SessionRecord) -> bool:
    """Whether nothing was written into a session since its record was made."""
    try:
        return record.path.stat().st_size == record.size
    except OSError:
        return False


class Lifetime:
    """Ends what the config's rules say is over.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
        state_dir: where the heartbeat is kept.

    Attributes:
        guard: whether the clock can be believed.
        looked_at: the key of the session that a person looks at, set by a screen; the schedule
            leaves it alone. "" for none.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup], state_dir: Path):
        self._kitchen = kitchen
        self._setup = setup
        self.looked_at = ""
        self._told: Problem | None = None
        self._heard: OrderedDict[str, int] = OrderedDict()
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
        key, passes = order.session_key, self.guard.passes(self._ending)
        last, live = self._hear(order, now), self._kitchen.pool.peek(key)
        if live is not None and over(session, key, last, now, _where(order, live.record)) is None:
            return None  # it was in use so short a time ago that its file need not be asked
        record = self._kitchen.pool.store.get(key)
        if record is None or record.messages == 0:
            return None
        why = over(session, record.key, record.used, now, _where(order, record))
        if why is None or self._redelivered(order):
            return None
        del self._heard[key]  # until it was really heard of
        return (record, why) if passes else None

    def _hear(self, order: Order, now: int) -> int:
        """Remember when a session was in use; when it was before, as far as is known here."""
        before = self._heard.pop(order.session_key, 0)
        before = before if before <= now else 0  # the clock went back: it tells nothing
        self._heard[order.session_key] = min(now, order.envelope.timestamp)
        while len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)
        return before

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

    async def plan(self, rules: Rules | None = None) -> Plan:
        """What retention would do now; nothing is touched.

        Args:
            rules: instead of those of the config.

        Raises:
            StoreError: the state dir cannot be read.
        """
        return await in_thread(self._plan, rules or self._rules(), self._kitchen.clock.now())

    def _plan(self, rules: Rules, now: int) -> Plan:
        records = self._kitchen.pool.store.list()
        return plan_prune(records, rules, now, in_use=self._in_use())

    def _in_use(self) -> set[str]:
        """Keys of the sessions that are open before somebody's eyes, or being answered."""
        pool, lanes = self._kitchen.pool, self._kitchen.lanes
        held = {live.key for live in pool.open_sessions if live.users or live.compacting}
        return {*held, *lanes.busy, self.looked_at}

    def _rules(self) -> Rules:
        return rules_of(self._setup().config.session.maintenance)

    async def doubt(self, rules: Rules | None = None) -> Problem | None:
        """What a person must decide before rules are carried out; None for nothing.

        Args:
            rules: of retention, instead of those of the config.
        """
        await in_thread(self.guard.passes, partial(self._ending, rules=rules))
        self._tell_held()
        return self.guard.held

    async def carry_out(self, plan: Plan) -> Done:
        """Do what a plan says: the trash first, with a tombstone that names the rule. What
        changed since the plan was made, is in use by now or cannot be written stays."""
        done: list[Step] = []
        kept: list[Kept] = []
        for step in plan.steps:
            try:
                if await self._take(step):
                    done.append(step)
                else:
                    kept.append(Kept(step.record, "it changed meanwhile", step.rule))
            except SessionError as error:
                kept.append(Kept(step.record, str(error), step.rule))
        return Done(tuple(done), tuple(kept))

    async def _take(self, step: Step) -> bool:
        record, store = step.record, self._kitchen.pool.store
        if not await in_thread(_is_as_it_was, record):
            return False
        told = {"reason": step.reason, "rule": step.rule}
        if step.action == "erase":
            await in_thread(partial(erase, store, record, **told))
            self._kitchen.publish(SessionChanged(record.key))
            return True
        async with alone(self._kitchen, record):
            await in_thread(partial(put_aside, store, record, "deleted", **told))
        return True

    async def sweep(self) -> Done:
        """One round of the schedule: archive what `session.ttlDays` ends, then retention. Nothing
        ends while the clock is in doubt."""
        session, rules = self._setup().config.session, self._rules()
        if not rules and session.ttl_days <= 0:
            return Done()
        if await self.doubt() is not None:
            return Done()
        await self._archive_old(session)
        return await self.carry_out(await self.plan()) if rules else Done()

    async def _archive_old(self, session: Session) -> None:
        """Archive the sessions that `session.ttlDays` ends and nobody has open."""
        if session.ttl_days <= 0:
            return
        store, now = self._kitchen.pool.store, self._kitchen.clock.now()
        for record in await in_thread(store.list):
            if record.kind != "session" or record.state == "missing" or not record.messages:
                continue
            if record.key in self._in_use():
                continue
            why = too_old(session, record.used, now)
            if why is not None and await in_thread(_is_as_it_was, record):
                told = {"reason": why.reason, "rule": why.rule}
                with suppress(SessionError):  # busy, or gone: the next round looks again
                    async with alone(self._kitchen, record):
                        await in_thread(partial(put_aside, store, record, "archived", **told))

    async def watch(self) -> None:
        """Carry the rules out now and then, until cancelled."""
        import anyio

        pause = FIRST_SECONDS
        while True:
            # Real time, not the clock's: a clock that stands still must not keep us busy.
            await anyio.sleep(pause)
            pause = SWEEP_SECONDS
            try:
                await self.sweep()
            except SessionError as error:
                self._kitchen.publish(Noticed(Problem(str(error), severity="warning")))

    def _ending(self, moment: int, rules: Rules | None = None) -> int:
        """How many sessions would be over at a moment, or go to the trash."""
        session, records = self._setup().config.session, self._kitchen.pool.store.list()
        ending = {
            str(record.path)
            for record in records
            if record.kind == "session" and record.messages
            if over(session, record.key, record.used, moment, where_of(record)) is not None
        }
        ending |= {
            str(step.record.path) for step in self._plan(rules or self._rules(), moment).steps
        }
        return len(ending)

    def _newest(self) -> int:
        """The latest time at which something is known to have happened."""
        now = self._kitchen.clock.now()
        moments = (record.used for record in self._kitchen.pool.store.list())
        return max((moment for moment in moments if moment <= now), default=0)
