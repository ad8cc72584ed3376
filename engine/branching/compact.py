"""Compaction carried out: the summary is asked for, previewed or written; every attempt leaves a
stored outcome (SPEC §8).

What is folded is decided by engine.context.compaction, before any model is asked.
"""

from __future__ import annotations

from msgspec import Struct

from engine.branching.scribe import CompactionFailed, write_summary
from engine.context.compaction import (
    BY_HAND,
    Fold,
    Nothing,
    Outcome,
    Trigger,
    compaction_fields,
    due,
    outcome_fields,
    plan_fold,
    standstill,
)
from engine.context.loss import Loss, loss
from engine.context.tokens import estimate_message
from engine.context.window import WindowSettings
from engine.errors import BranchlineError, Problem, SessionBusy, SessionError
from engine.events import (
    CompactionEnded,
    CompactionStarted,
    EntryAppended,
    Noticed,
)
from engine.sessions.journal import Plan, apply
from engine.sessions.navigate import compacted
from engine.sessions.transcript import fresh_id
from engine.sessions.tree import Tree
from engine.turns.order import Order
from engine.turns.pool import LiveSession
from engine.turns.request import Kitchen, Prepared, in_thread, prepare
from engine.values import replace

__all__ = [
    "CompactionFailed",
    "CompactionPreview",
    "CompactionResult",
    "accept",
    "compact",
    "compact_when_due",
    "preview",
]

_CHOICES = (
    "fold by hand with /compact and what to keep in mind, choose a model with a larger window "
    "with /model, go on from an earlier place in the tree, or begin afresh with /new"
)


class CompactionPreview(Struct, frozen=True):
    """A compaction that could be written: what folds, the summary, what it lacks.

    Attributes:
        summary: untrusted, written by a model.
        before: tokens of the next request as things are.
        after: the same with this summary.
        loss: what stands in the folded part and not in the summary.
        model: that wrote the summary.
    """

    session_key: str
    fold: Fold
    summary: str
    before: int
    after: int
    loss: Loss
    model: str
    trigger: Trigger
    focus: str = ""

    @property
    def folded(self) -> int:
        """Messages that fold."""
        return self.fold.count

    @property
    def kept(self) -> int:
        """Messages that stay as they are."""
        return len(self.fold.kept)


class CompactionResult(Struct, frozen=True):
    """How a compaction ended. `entry_id` is the stored outcome's: the compaction, or the note of
    an attempt that folded nothing, with its `reason`."""

    outcome: Outcome
    entry_id: str | None
    summary: str = ""
    before: int = 0
    after: int = 0
    folded: int = 0
    kept: int = 0
    missing: Loss | None = None
    reason: str = ""


async def preview(
    order: Order,
    session: LiveSession,
    kitchen: Kitchen,
    *,
    trigger: Trigger = "command",
    focus: str = "",
    keep_from: str | None = None,
    prepared: Prepared | None = None,
) -> CompactionPreview:
    """Plan a compaction and have its summary written; nothing is stored.

    Args:
        focus: what the summary should keep above all.
        keep_from: everything from this entry on stays, instead of what the budget keeps.
        prepared: the request that is too large, if there is one.

    Raises:
        CompactionFailed: there is nothing to fold, nothing to gain, or it was stopped
            (`session.compacting.cancel()`).
        SessionBusy: the session is being compacted already.
        ModelError: no model could write the summary.
    """
    import anyio

    if session.compacting is not None:
        raise SessionBusy(
            "this session is being compacted already", remedy="Try again when that has ended"
        )
    with anyio.CancelScope() as scope:
        session.compacting = scope
        try:
            return await _preview(order, session, kitchen, trigger, focus, keep_from, prepared)
        finally:
            session.compacting = None
    raise CompactionFailed("stopped by the person: nothing was folded", stopped=True)


async def _preview(
    order: Order,
    session: LiveSession,
    kitchen: Kitchen,
    trigger: Trigger,
    focus: str,
    keep_from: str | None,
    prepared: Prepared | None,
) -> CompactionPreview:
    ready = prepared
    if ready is None:
        ready = await in_thread(prepare, order, session, kitchen)
    fold = await in_thread(_plan, session, ready, trigger, keep_from)
    if isinstance(fold, Nothing):
        raise CompactionFailed(fold.reason, gainless=True, remedy=fold.remedy)
    before = ready.weight
    kitchen.publish(CompactionStarted(order.session_key, trigger, before, fold.count))
    summary, model = await write_summary(order, kitchen, ready, fold, focus)
    after = _after(ready, fold, summary, session)
    if after >= before:
        raise CompactionFailed(
            f"the summary would weigh as much as what it replaces ({before:,} → {after:,} tokens)",
            gainless=True,
            remedy=f"To fold more, {BY_HAND}; or make compaction.summaryMaxTokens smaller",
        )
    lacking = await in_thread(loss, fold.gone, summary)
    return CompactionPreview(
        order.session_key, fold, summary, before, after, lacking, model, trigger, focus
    )


def _plan(
    session: LiveSession, ready: Prepared, trigger: Trigger, keep_from: str | None
) -> Fold | Nothing:
    budget = ready.budget
    if trigger == "overflow":
        # The window is smaller than was thought: keep half of what would have been kept.
        budget = replace(budget, keep_tokens=min(budget.keep_tokens, ready.estimate // 4))
    tree = session.transcript.tree
    settings = WindowSettings(calibration=session.calibration(ready.info.ref))
    return plan_fold(tree, tree.leaf, budget, settings, keep_from=keep_from)


def _after(ready: Prepared, fold: Fold, summary: str, session: LiveSession) -> int:
    """The next request's tokens with this summary: estimated as before, and no higher than the
    reported usage says that estimates are."""
    message = {"role": "compactionSummary", "summary": summary}
    weight = session.calibration(ready.info.ref).apply(estimate_message(message))
    estimate = ready.prompt_tokens + weight + fold.tokens_kept
    guessed = ready.prompt_tokens + fold.tokens_folded + fold.tokens_kept
    return max(1, round(estimate * min(1.0, ready.weight / max(1, guessed))))


async def accept(
    session: LiveSession, kitchen: Kitchen, shown: CompactionPreview, summary: str | None = None
) -> CompactionResult:
    """Write a compaction that was previewed, with the summary as it was or as it was edited.

    What was said on the same branch since then stays as it is, behind what is kept.

    Raises:
        CompactionFailed: the conversation went elsewhere or was compacted meanwhile, or the
            edited summary is empty or too long to gain anything.
        SessionBusy, StoreError: it could not be written; nothing changed.
    """
    text = (summary if summary is not None else shown.summary).strip()
    if not text:
        raise CompactionFailed("the summary is empty", remedy="Write one, or cancel")
    edited = text != shown.summary
    after, lacking = shown.after, shown.loss
    if edited:
        size = [estimate_message({"role": "user", "content": one}) for one in (text, shown.summary)]
        after = max(1, after + size[0] - size[1])
        lacking = await in_thread(loss, shown.fold.gone, text)
        if after >= shown.before:
            raise CompactionFailed(
                f"this summary weighs as much as what it replaces ({shown.before:,} → {after:,} "
                "tokens)",
                gainless=True,
                remedy="Make it shorter",
            )
    fields = compaction_fields(
        shown.fold,
        text,
        before=shown.before,
        after=after,
        trigger=shown.trigger,
        model=shown.model,
        focus=shown.focus,
        edited=edited,
    )
    _, entries = await in_thread(
        apply, session.transcript, lambda tree: _still_fits(tree, shown, fields)
    )
    for entry in entries:
        kitchen.publish(EntryAppended(session.key, entry))
    kitchen.pool.spoil(session.key)
    done = CompactionResult(
        "done", entries[0].id, text, shown.before, after, shown.folded, shown.kept, lacking
    )
    _tell(kitchen, session.key, done)
    return done


def _still_fits(tree: Tree, shown: CompactionPreview, fields: dict[str, object]) -> Plan:
    fold = shown.fold
    on_path = any(node.id == fold.leaf for node in tree.up(tree.leaf))
    same = tree.nearest(tree.leaf, "compaction") == tree.nearest(fold.leaf, "compaction")
    if not on_path or not same:
        raise CompactionFailed(
            "the conversation has moved on since this summary was written",
            remedy="Ask for a new one",
        )
    return compacted(tree, fields, fresh_id)


def _tell(kitchen: Kitchen, key: str, result: CompactionResult) -> None:
    kitchen.publish(
        CompactionEnded(
            key,
            result.outcome,
            result.entry_id,
            result.before,
            result.after,
            result.folded,
            result.kept,
            result.reason,
        )
    )


async def compact(
    order: Order,
    session: LiveSession,
    kitchen: Kitchen,
    *,
    trigger: Trigger = "command",
    focus: str = "",
    keep_from: str | None = None,
    prepared: Prepared | None = None,
) -> CompactionResult:
    """Compact a session: `preview` and `accept` in one, with a stored outcome in any case.

    A failure does not raise: it is in the result, and in the session's file, and so is that it
    was stopped.

    Raises:
        SessionBusy: the session is being compacted already, or held elsewhere.
        StoreError: not even the outcome could be written.
    """
    import anyio

    tokens = 0
    try:
        if prepared is None:
            prepared = await in_thread(prepare, order, session, kitchen)
        tokens = prepared.weight
        shown = await preview(
            order,
            session,
            kitchen,
            trigger=trigger,
            focus=focus,
            keep_from=keep_from,
            prepared=prepared,
        )
        return await accept(session, kitchen, shown)
    except SessionError:
        raise
    except BranchlineError as error:
        stopped = isinstance(error, CompactionFailed) and error.stopped
        outcome: Outcome = "cancelled" if stopped else "failed"
        return await in_thread(_note, session, kitchen, outcome, trigger, tokens, error)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            stop = CompactionFailed("its turn was stopped", stopped=True)
            await in_thread(_note, session, kitchen, "cancelled", trigger, tokens, stop)
        raise


def _note(
    session: LiveSession,
    kitchen: Kitchen,
    outcome: Outcome,
    trigger: Trigger,
    tokens: int,
    error: BranchlineError,
) -> CompactionResult:
    """Store an attempt that folded nothing. Called in a thread."""
    import anyio.from_thread

    gainless = isinstance(error, CompactionFailed) and error.gainless

    def lines(tree: Tree) -> list[dict[str, object]]:
        return [
            outcome_fields(
                tree,
                tree.leaf,
                outcome,
                error.message if gainless else str(error),
                trigger=trigger,
                tokens=tokens,
                gainless=gainless,
            )
        ]

    (entry,) = session.transcript.append_all(lines)
    result = CompactionResult(outcome, entry.id, before=tokens, after=tokens, reason=str(error))

    def tell() -> None:
        kitchen.publish(EntryAppended(session.key, entry))
        _tell(kitchen, session.key, result)
        tree = session.transcript.tree
        reason = standstill(tree, tree.leaf, tokens)
        if reason is not None and trigger != "command":
            text = f"this session does not compact by itself any more: {reason}"
            kitchen.publish(Noticed(Problem(text, "warning", hint=_CHOICES), session.key))

    anyio.from_thread.run_sync(tell)
    return result


async def compact_when_due(
    order: Order, session: LiveSession, kitchen: Kitchen, prepared: Prepared
) -> Prepared:
    """Before a turn: compact when the session weighs too much, and prepare anew; else what was
    prepared. A session that gained nothing twice is left as it is, with its history cut."""
    if not order.setup.config.compaction.enabled or not due(prepared.weight, prepared.budget):
        return prepared
    tree = session.transcript.tree
    still = standstill(tree, tree.leaf, prepared.weight)
    if session.compacting is not None or still is not None:
        return prepared
    result = await compact(order, session, kitchen, trigger="threshold", prepared=prepared)
    if result.outcome != "done":
        return prepared
    return await in_thread(prepare, order, session, kitchen)
