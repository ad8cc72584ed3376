"""Models as a person chooses them: what is in force and why, what another would mean, the change of
one session or of many, and its undoing (SPEC §9)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from types import EllipsisType
from typing import Any, Literal

from msgspec import Struct

from engine.agents.modelchange import ModelChange, change_model
from engine.agents.turn import Kitchen, in_thread, prepare
from engine.agents.views import ModelInForce
from engine.branching.fork import order_of
from engine.context.compaction import Fold, due, plan_fold, standstill
from engine.context.limits import Limits
from engine.context.window import WindowSettings
from engine.errors import BranchlineError, ModelError, SessionNotFound
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.keys import agent_of
from engine.turns.choice import Layers, layers_of, stack
from engine.turns.intake import make_order
from engine.turns.order import Order, Setup
from engine.turns.pool import LiveSession
from engine.turns.request import SAFETY, Prepared
from engine.values import replace

__all__ = ["ManyChanged", "ModelRoom", "Outlook", "Verdict"]

Verdict = Literal["fits", "compacts", "cut", "over", "unusable"]
"""What becomes of a session's next request: sent as it is; after a compaction; without its oldest
messages; not at all, being too large; not at all, because the model cannot be asked."""


class Outlook(Struct, frozen=True):
    """What another model would mean for a session. Tokens are of its next request as things are.

    Attributes:
        now, then: what says which model answers, before and after.
        window_now, window_then: tokens that the models hold; 0 where that is not known.
        tokens: with the new model, before anything is folded or left out.
        limit: compaction is due above it.
        wanting: variables, one of which must be set before the model can be asked.
        reason: the verdict, for people.
    """

    session_key: str
    now: Layers
    then: Layers
    window_now: int
    window_then: int
    tokens: int
    limit: int
    verdict: Verdict
    reason: str
    wanting: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would be different."""
        return self.now != self.then


class ManyChanged(Struct, frozen=True):
    """What a change of several sessions did, and what it could not do."""

    changes: tuple[ModelChange, ...]
    failures: tuple[tuple[str, BranchlineError], ...] = ()

    @property
    def made(self) -> tuple[ModelChange, ...]:
        """Changes that changed something."""
        return tuple(one for one in self.changes if one.done and one.before != one.after)


class ModelRoom:
    """The models of sessions.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup]):
        self._kitchen = kitchen
        self._setup = setup

    async def layers(self, ref: str, turn: str | None = None) -> Layers:
        """Which model answers in a session, and what else was said; also of one that has no entry
        yet.

        Args:
            turn: a model for the next turn only.

        Raises:
            StoreError: the session cannot be read.
        """
        return await in_thread(self._layers, ref, turn)

    def _layers(self, ref: str, turn: str | None) -> Layers:
        setup = self._setup()
        try:
            with self._kitchen.pool.using(ref) as live:
                order = order_of(live, setup, self._kitchen.clock.now())
                return layers_of(replace(order, model=turn), live)
        except SessionNotFound:
            return stack(setup.registry, agent_of(ref) or "", turn=turn)

    async def in_force(self, ref: str) -> ModelInForce:
        """The model that a session answers with; `none` where that cannot be used.

        Raises:
            StoreError: the session cannot be read.
        """
        layers = await self.layers(ref)
        try:
            info = self._setup().registry.info(layers.chosen())
        except ModelError as error:
            return ModelInForce("none", "unusable", 0, error.message)
        chosen = layers.in_force
        return ModelInForce(info.ref, chosen.name, info.context_window, chosen.place)

    async def outlook(self, ref: str, model: str | None) -> Outlook:
        """What a session's next request would be with another model of its own; None: with the
        config's. Nothing is changed.

        Raises:
            ModelNotFound: nothing goes by that name.
            SessionNotFound, StoreError: the session cannot be read.
        """
        return await in_thread(self._outlook, ref, model)

    def _outlook(self, ref: str, model: str | None) -> Outlook:
        setup = self._setup()
        chosen = None if model is None else setup.registry.resolve(model)
        with self._kitchen.pool.using(ref) as live:
            order = order_of(live, setup, self._kitchen.clock.now())
            now = layers_of(order, live)
            then = stack(setup.registry, order.agent_id, session=chosen)
            base = Outlook(live.record.key, now, then, _window(setup, now), 0, 0, 0, "unusable", "")
            try:
                # As a choice for the turn: it wins over the one that it is to replace.
                prepared = prepare(replace(order, model=then.chosen()), live, self._kitchen)
                wanting = setup.registry.wanting(then.chosen())
            except ModelError as error:
                return replace(base, reason=error.message)
            verdict, reason = _judge(order, live, prepared)
            if wanting:
                verdict, reason = "unusable", f"{' or '.join(wanting)} is not set"
            return replace(
                base,
                window_then=prepared.info.context_window,
                tokens=prepared.weight,
                limit=prepared.budget.limit,
                verdict=verdict,
                reason=reason,
                wanting=wanting,
            )

    async def choose(self, session_key: str, model: str | None) -> ModelChange:
        """Set a session's own model, or go back to the config's with None. It waits for the answer
        that is being written.

        Raises:
            ModelNotFound, ModelError: there is no such model.
            SessionNotFound: it is no key.
            SessionBusy, StoreError: it could not be stored.
        """
        return await self._change(self._order(session_key), model)

    async def choose_for(self, session_keys: Sequence[str], model: str | None) -> ManyChanged:
        """As `choose`, for several sessions at once; one that fails keeps none of the others.

        Raises:
            ModelNotFound, ModelError: there is no such model; nothing was changed.
        """
        if model is not None:
            self._setup().registry.info(model)
        return await self._each(session_keys, lambda key: self.choose(key, model))

    async def undo(self, changed: ManyChanged) -> ManyChanged:
        """Take a change back, except where another model was chosen since."""
        former = {one.session_key: one for one in changed.made}

        async def back(key: str) -> ModelChange:
            one = former[key]
            return await self._change(self._order(key), one.before, only_if=one.after)

        return await self._each(tuple(former), back)

    async def _each(
        self, keys: Sequence[str], change: Callable[[str], Coroutine[Any, Any, ModelChange]]
    ) -> ManyChanged:
        """All at once: one that is being answered holds nobody up."""
        import anyio

        done: dict[str, ModelChange] = {}
        failed: dict[str, BranchlineError] = {}

        async def one(key: str) -> None:
            try:
                done[key] = await change(key)
            except BranchlineError as error:
                failed[key] = error

        wanted = tuple(dict.fromkeys(keys))
        async with anyio.create_task_group() as tasks:
            for key in wanted:
                tasks.start_soon(one, key)
        return ManyChanged(
            tuple(done[key] for key in wanted if key in done),
            tuple((key, failed[key]) for key in wanted if key in failed),
        )

    async def _change(
        self, order: Order, model: str | None, *, only_if: str | EllipsisType | None = ...
    ) -> ModelChange:
        async with self._kitchen.lanes.turn(order.session_key):
            return await change_model(self._kitchen, order, model, only_if=only_if)

    def _order(self, session_key: str) -> Order:
        now = self._kitchen.clock.now()
        envelope = Envelope(OPERATOR_CHANNEL)
        return make_order(self._setup(), envelope, now=now, session_key=session_key)


def _window(setup: Setup, layers: Layers) -> int:
    try:
        return setup.registry.info(layers.chosen()).context_window
    except ModelError:
        return 0


def _judge(order: Order, live: LiveSession, prepared: Prepared) -> tuple[Verdict, str]:
    """What becomes of the next request, by the same rules as a turn."""
    room = prepared.info.context_window - SAFETY
    least = prepared.estimate
    config, tree = order.setup.config.compaction, live.transcript.tree
    is_due = due(prepared.weight, prepared.budget)
    if is_due and config.enabled and standstill(tree, tree.leaf, prepared.weight) is None:
        settings = WindowSettings(Limits(), calibration=live.calibration(prepared.info.ref))
        plan = plan_fold(tree, tree.leaf, prepared.budget, settings)
        if isinstance(plan, Fold):
            budget = prepared.budget
            least = prepared.prompt_tokens + plan.tokens_kept + budget.summary_tokens
            if least <= room:
                noun = "message" if plan.count == 1 else "messages"
                return "compacts", f"would be compacted ({plan.count:,} {noun})"
    if least > room:
        return "over", f"does not fit: {least:,} tokens at least"
    if prepared.left_out:
        return "cut", f"does not fit: {prepared.left_out:,} oldest left out"
    return "fits", f"fits: {prepared.weight:,} tokens"
