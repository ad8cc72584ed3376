"""Changing the model that a person chose for a session: one note in its transcript."""

from __future__ import annotations

from types import EllipsisType

from msgspec import Struct

from engine.agents.turn import Kitchen, in_thread
from engine.events import SessionChanged
from engine.sessions.overrides import override_note
from engine.turns.order import Order
from engine.turns.pool import LiveSession

__all__ = ["ModelChange", "change_model"]


class ModelChange(Struct, frozen=True):
    """What became of a session's own model. None: the config's.

    Attributes:
        done: whether it is now as was asked for; else somebody chose another meanwhile.
    """

    session_key: str
    before: str | None
    after: str | None
    done: bool = True


async def change_model(
    kitchen: Kitchen,
    order: Order,
    model: str | None,
    *,
    only_if: str | EllipsisType | None = ...,
) -> ModelChange:
    """Set the model of the order's session, or go back to the config's. For the session's lane.

    What is so already is not written again, and going back makes no session that is not there.

    Args:
        model: a reference or an alias; what is stored is the reference.
        only_if: change it only where this is what was chosen before.

    Raises:
        ModelNotFound, ModelError: there is no such model.
        SessionBusy, StoreError: it could not be stored.
    """
    key, pool = order.session_key, kitchen.pool
    ref = None if model is None else order.setup.registry.info(model).ref
    if ref is None and not await in_thread(pool.has, key):
        return ModelChange(key, None, None)
    await in_thread(pool.make, order)
    patience = order.setup.config.session.lock_timeout_seconds
    with pool.using(key, write=True) as live:
        async with live.transcript.holding(patience):
            before = live.override
            if only_if is not ... and before != only_if:
                return ModelChange(key, before, before, done=False)
            if before != ref:
                await in_thread(_note, live, ref)
    if before != ref:
        kitchen.publish(SessionChanged(key))
    return ModelChange(key, before, ref)


def _note(live: LiveSession, ref: str | None) -> None:
    live.transcript.append(override_note(ref))
