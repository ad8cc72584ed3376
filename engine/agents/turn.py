"""A turn: the user's entry on disk → window → model → the reply's entry (SPEC §10).

The session is held against other processes from the first entry to the last, so that nobody's
words come between a question and its answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from engine.branching.compact import compact, compact_when_due
from engine.branching.flush import flush_when_due
from engine.context.compaction import standstill
from engine.errors import BranchlineError, ModelError, SessionBusy
from engine.events import (
    EntryAppended,
    Noticed,
    ReplyDelta,
    TurnEnded,
    TurnRetrying,
    TurnStarted,
    TurnSwitched,
    TurnWaiting,
)
from engine.models.protocol import (
    Retrying,
    Switched,
    TextDelta,
    ThinkingDelta,
)
from engine.routing.envelope import Envelope
from engine.sessions.entries import Entry
from engine.sessions.journal import apply
from engine.sessions.navigate import move_leaf
from engine.sessions.transcript import fresh_id
from engine.turns.order import Admission, Order, Receipt, TurnResult
from engine.turns.origin import origin_of
from engine.turns.pool import LiveSession, Running
from engine.turns.redelivery import delivered_in, delivery_of
from engine.turns.reply import Answer, ask, reply_fields
from engine.turns.request import Kitchen, Prepared, choose_model, in_thread, limits_of, prepare

__all__ = [
    "Kitchen",
    "Prepared",
    "choose_model",
    "end_duplicate",
    "in_thread",
    "limits_of",
    "prepare",
    "run_turn",
]


def user_fields(envelope: Envelope) -> dict[str, Any]:
    """The entry of an incoming message. `origin` keeps the envelope, so that routing can be
    replayed later; readers of plain v3 pass over it."""
    return {
        "type": "message",
        "message": {
            "role": "user",
            "content": [{"type": "text", "text": envelope.text}],
            "timestamp": envelope.timestamp,
        },
        "origin": origin_of(envelope),
    }


async def run_turn(
    receipt: Receipt,
    kitchen: Kitchen,
    renew: Callable[[Order], Awaitable[None]],
    admission: Admission | None = None,
) -> None:
    """Carry out an order. Its outcome is in the receipt and told as TurnEnded, also a failure.

    Cancelling `receipt.scope` ends it at any moment: what had arrived is kept.

    Args:
        receipt: of the order.
        kitchen: what turns work with.
        renew: called first in the session's lane; one that is over begins anew.
        admission: what the gate said, for a message that is kept as context and not answered.
    """
    order = receipt.order
    answer = Answer("")
    try:
        with receipt.scope:
            async with kitchen.lanes.turn(order.session_key):
                await renew(order)
                if not kitchen.pool.is_ready(order.session_key):
                    await in_thread(kitchen.pool.make, order)
                with kitchen.pool.using(order.session_key, write=True) as session:
                    await _converse(receipt, session, kitchen, answer, admission)
    except BranchlineError as error:
        answer.error, answer.stop_reason = error, "error"
    finally:
        _end(receipt, kitchen, answer, None)  # where there is no reply to end with


async def _converse(
    receipt: Receipt,
    session: LiveSession,
    kitchen: Kitchen,
    answer: Answer,
    admission: Admission | None,
) -> None:
    """Both halves of a turn, with the session held against other processes."""
    order = receipt.order

    def told(busy: SessionBusy) -> None:
        kitchen.publish(TurnWaiting(order.session_key, order.turn_id, busy.pid))

    patience = order.setup.config.session.lock_timeout_seconds
    async with session.transcript.holding(patience, told=told):
        # What others wrote was taken in with the lock: this only hands it over.
        for entry in session.transcript.refresh():
            session.deliveries = None
            kitchen.publish(EntryAppended(order.session_key, entry, foreign=True))
        if await _delivered(order, session, kitchen):
            end_duplicate(receipt, kitchen)
            return
        try:
            entry, fresh = await in_thread(_begin, order, session)
        except BranchlineError:
            session.deliveries = None  # not taken in: it may be delivered again
            raise
        kitchen.deliveries.note(order.envelope)
        receipt.store(session.transcript.id, entry.id)
        for one in fresh:
            kitchen.publish(EntryAppended(order.session_key, one))
        for problem in session.news(order):
            kitchen.publish(Noticed(problem, order.session_key))
        if admission is None:
            await _answer(receipt, session, kitchen, answer)
            return
    kitchen.pool.spoil(order.session_key)
    end_unanswered(receipt, kitchen, TurnResult(None, "", "", None, "stop", admission=admission))


def _begin(order: Order, session: LiveSession) -> tuple[Entry, list[Entry]]:
    """The message that is to be answered, on disk, and what was written for it."""
    place, transcript = order.place, session.transcript
    fresh: list[Entry] = []
    if place is not None:
        _, fresh = apply(
            transcript,
            lambda tree: move_leaf(tree, place.target, fresh_id, what=place.what),
        )
        if place.again and place.target is not None:
            return transcript.tree.entry(place.target), fresh
    entry = transcript.append(user_fields(order.envelope))
    return entry, [*fresh, entry]


async def _delivered(order: Order, session: LiveSession, kitchen: Kitchen) -> bool:
    """Whether the channel delivered this message before; one that is said again on purpose, at
    another place of the tree, was not."""
    delivery = delivery_of(order.envelope)
    if delivery is None or order.place is not None:
        return False
    if session.deliveries is None:
        session.deliveries = await in_thread(delivered_in, session.transcript.tree)
    if delivery in session.deliveries or kitchen.deliveries.seen(order.envelope):
        return True
    session.deliveries.add(delivery)
    return False


def end_unanswered(receipt: Receipt, kitchen: Kitchen, result: TurnResult) -> None:
    """End a turn in which no model was asked."""
    order = receipt.order
    kitchen.publish(TurnEnded(order.session_key, order.turn_id, None, "stop", ""))
    receipt.finish(result)


def end_duplicate(receipt: Receipt, kitchen: Kitchen) -> None:
    """End the turn of a message that was taken in before: nothing is stored or answered."""
    end_unanswered(receipt, kitchen, TurnResult(None, "", "", None, "stop", duplicate=True))


async def _answer(receipt: Receipt, session: LiveSession, kitchen: Kitchen, answer: Answer) -> None:
    """Ask the model and keep what it says, however it ends."""
    import anyio

    order = receipt.order
    prepared = await _ready(order, session, kitchen)
    answer.ref, answer.started = prepared.info.ref, kitchen.clock.now()
    session.running = Running(order.turn_id, answer)
    kitchen.publish(
        TurnStarted(order.session_key, order.turn_id, receipt.entry_id or "", answer.ref)
    )
    seconds = order.setup.config.agents.defaults.timeout_seconds
    try:
        with anyio.move_on_after(seconds) as limit:
            await _ask(order, kitchen, answer, prepared)
            if _overflowed(answer) and order.setup.config.compaction.enabled:
                prepared = await _fold_and_ask(order, session, kitchen, answer, prepared)
        if limit.cancelled_caught:
            answer.stop_reason = "error"
            answer.error = ModelError(
                f"the turn took longer than {seconds} seconds",
                kind="timeout",
                remedy="Raise agents.defaults.timeoutSeconds if the model needs longer",
            )
    finally:
        session.running = None
        # Also when the person said stop or the engine is being closed.
        with anyio.CancelScope(shield=True):
            entry = await in_thread(_keep, order, session, kitchen, answer, prepared)
        kitchen.publish(EntryAppended(order.session_key, entry))
        _end(receipt, kitchen, answer, entry.id)


async def _ready(order: Order, session: LiveSession, kitchen: Kitchen) -> Prepared:
    """The request, after the notes and the compaction that are due before it."""
    prepared = await in_thread(prepare, order, session, kitchen)
    await flush_when_due(order, session, kitchen, prepared)
    return await compact_when_due(order, session, kitchen, prepared)


async def _ask(order: Order, kitchen: Kitchen, answer: Answer, prepared: Prepared) -> None:
    await ask(
        answer,
        order.setup.door,
        prepared.request,
        fallbacks=prepared.fallbacks,
        heard=_teller(order, kitchen),
    )


def _overflowed(answer: Answer) -> bool:
    """Whether the request was refused as too large, before anything was shown."""
    error = answer.error
    return isinstance(error, ModelError) and error.kind == "overflow" and not answer.text


async def _fold_and_ask(
    order: Order, session: LiveSession, kitchen: Kitchen, answer: Answer, prepared: Prepared
) -> Prepared:
    """After an overflow: compact, and ask the same model once more (SPEC §8)."""
    tree = session.transcript.tree
    still = standstill(tree, tree.leaf, prepared.weight)
    if session.compacting is not None or still is not None:
        return prepared
    result = await compact(order, session, kitchen, trigger="overflow", prepared=prepared)
    if result.outcome != "done":
        return prepared
    prepared = await in_thread(prepare, order, session, kitchen)
    answer.begin_again()
    await _ask(order, kitchen, answer, prepared)
    return prepared


def _keep(
    order: Order, session: LiveSession, kitchen: Kitchen, answer: Answer, prepared: Prepared
) -> Entry:
    """Write the reply's entry, whatever became of the reply."""
    registry = order.setup.registry
    info = prepared.info if answer.ref == prepared.info.ref else registry.info(answer.ref)
    message = reply_fields(answer, info, registry.cost(info.ref))
    entry = session.transcript.append({"type": "message", "message": message})
    if answer.usage is not None and not answer.switches:
        session.learn(info.ref, prepared.estimate, answer.usage)
    kitchen.pool.spoil(order.session_key)
    return entry


def _end(receipt: Receipt, kitchen: Kitchen, answer: Answer, reply_id: str | None) -> None:
    if receipt.finished:
        return
    order = receipt.order
    result = TurnResult(
        reply_id, answer.text, answer.ref, answer.usage, answer.stop_reason, answer.error
    )
    kitchen.publish(
        TurnEnded(
            order.session_key,
            order.turn_id,
            reply_id,
            answer.stop_reason,
            answer.ref,
            answer.usage,
            answer.error,
        )
    )
    receipt.finish(result)


def _teller(
    order: Order, kitchen: Kitchen
) -> Callable[[TextDelta | ThinkingDelta | Retrying | Switched], None]:
    key, turn = order.session_key, order.turn_id

    def tell(event: TextDelta | ThinkingDelta | Retrying | Switched) -> None:
        match event:
            case TextDelta(text):
                kitchen.publish(ReplyDelta(key, turn, text=text))
            case ThinkingDelta(text):
                kitchen.publish(ReplyDelta(key, turn, thinking=text))
            case Retrying(reason, seconds, _):
                kitchen.publish(TurnRetrying(key, turn, reason, seconds))
            case Switched(from_ref, to_ref, reason):
                kitchen.publish(TurnSwitched(key, turn, from_ref, to_ref, reason))

    return tell
