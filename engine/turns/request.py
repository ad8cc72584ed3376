"""A request in the making: the model, the limits, the prompt, the window (SPEC §§7, 10).

Replies, summaries and notes are all made from what this module prepares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import EllipsisType
from typing import Any, TypeVar

from msgspec import Struct

from engine.clock import Clock
from engine.context.compaction import Budget, budget_for
from engine.context.limits import Limits, limits_for
from engine.context.memory import Scope
from engine.context.shape import to_chat
from engine.context.tokens import estimate_request, estimate_text
from engine.context.window import Window, WindowSettings, build_window
from engine.disk import Disk
from engine.events import Event
from engine.models.protocol import ModelInfo, ModelRequest
from engine.routing.envelope import OPERATOR_CHANNEL
from engine.routing.keys import chat_type, parse_key
from engine.turns.choice import layers_of
from engine.turns.lanes import Lanes
from engine.turns.order import Order
from engine.turns.pool import LiveSession, SessionPool
from engine.turns.redelivery import Deliveries
from engine.turns.workspace import Notes, SystemPrompt, load_prompt
from engine.values import replace

__all__ = [
    "SAFETY",
    "Kitchen",
    "Prepared",
    "choose_model",
    "in_thread",
    "limits_of",
    "notes_scope",
    "prepare",
]

T = TypeVar("T")

SAFETY = 64
"""Tokens left free beside the answer, for what the estimate does not see."""

MEASURED = 4
"""How many times a model's window is looked at to measure a session."""

NOTES_LIMIT = 8000
"""Characters of notes in a system prompt."""


class Kitchen(Struct, frozen=True):
    """What turns work with; one for the whole engine.

    Attributes:
        workspace: gives an agent's folder.
        knowledge: what sessions may share under `session.isolation: "partial"`; only ever read.
        deliveries: which messages were taken in.
    """

    pool: SessionPool
    lanes: Lanes
    disk: Disk
    clock: Clock
    publish: Callable[[Event], None]
    workspace: Callable[[Order], Path]
    knowledge: Path
    deliveries: Deliveries


class Prepared(Struct, frozen=True):
    """A request ready to be sent, with the window it came from.

    Attributes:
        estimate: its tokens, by the plain estimator.
        weight: its tokens as compaction is judged by them: before anything was left out because
            the model's window is too small.
        prompt_tokens: of the system prompt.
        budget: what the session may weigh with this model.
        left_out: messages that are not sent because the model's window is too small.
    """

    request: ModelRequest
    window: Window
    info: ModelInfo
    fallbacks: tuple[str, ...]
    estimate: int
    weight: int
    prompt_tokens: int
    budget: Budget
    left_out: int = 0


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run what touches the disk off the loop."""
    from anyio.to_thread import run_sync

    return await run_sync(function, *args)


def choose_model(order: Order, session: LiveSession | None) -> tuple[str, tuple[str, ...], str]:
    """(reference, fallbacks, source): this turn's model, else the session's, else the config's
    (see engine.turns.choice).

    Raises:
        ModelNotFound: the reference leads nowhere.
    """
    layers = layers_of(order, session)
    return layers.chosen(), layers.fallbacks, layers.in_force.name


def limits_of(order: Order, room: int) -> Limits:
    """The history limits of the order's session, never more than `room` tokens."""
    limits = _configured(order)
    if 0 < limits.max_tokens <= room:
        return limits
    return replace(limits, max_tokens=max(1, room), name="the model's window")


def _configured(order: Order) -> Limits:
    """The history limits as the config has them."""
    key = order.session_key
    conversation = parse_key(key).conversation
    channel, peer = order.envelope.channel, order.envelope.peer
    if conversation is not None and channel == OPERATOR_CHANNEL:
        channel = conversation.channel
    return limits_for(
        order.setup.config, chat_type(key), channel, peer.id if peer is not None else None
    )


def notes_scope(order: Order) -> Scope:
    """Whose notes the order's turn may read and write (SPEC §8: never another person's)."""
    if chat_type(order.session_key) not in ("main", "chat"):
        return Scope(order.session_key)
    if order.principal.is_operator:
        return Scope()
    return Scope(order.session_key, order.principal.id)


def _prompt(order: Order, kitchen: Kitchen, window: int) -> SystemPrompt:
    workspace, scope = kitchen.workspace(order), notes_scope(order)
    partial = order.setup.config.session.isolation == "partial"
    return load_prompt(
        kitchen.disk,
        workspace,
        name=order.agent_id,
        for_operator=order.principal.is_operator
        and chat_type(order.session_key) in ("main", "chat"),
        knowledge=kitchen.knowledge if partial else None,
        notes=Notes(workspace / scope.folder, min(NOTES_LIMIT, window // 4)),
    )


def prepare(
    order: Order,
    session: LiveSession,
    kitchen: Kitchen,
    leaf: str | EllipsisType | None = ...,
) -> Prepared:
    """Build the request of a turn from what is on disk. Reads files; changes nothing.

    Args:
        leaf: where the turn would go on, when that is not the session's own leaf.

    Raises:
        ModelNotFound, ModelError: the model cannot be used.
    """
    ref, fallbacks, _ = choose_model(order, session)
    info = order.setup.registry.info(ref)
    prompt = _prompt(order, kitchen, info.context_window)
    prompt_tokens = estimate_text(prompt.text)
    config = order.setup.config.compaction
    budget = budget_for(config, info.context_window, prompt_tokens)
    answer_room = min(info.max_tokens, max(256, info.context_window // 4))
    # A session that compacts by itself may fill its window up to the limit; one that does not
    # has its history cut where the answer needs the room.
    free = info.context_window - budget.limit - SAFETY
    least = min(answer_room, max(256, free)) if config.enabled else answer_room
    room = info.context_window - least - prompt_tokens - SAFETY
    tree = session.transcript.tree
    place = tree.leaf if isinstance(leaf, EllipsisType) else leaf
    whole, window = _windows(order, session, info, room, place)
    request = ModelRequest(
        model=info.model,
        messages=to_chat(window),
        system=prompt.text,
        max_tokens=answer_room,
        context_window=info.context_window,
        thinking=window.thinking_level if info.reasoning else "off",
        session_key=order.session_key,
        principal=order.principal.id,
    )
    estimate = estimate_request(request)
    left = info.context_window - estimate - SAFETY
    request = replace(request, max_tokens=min(answer_room, max(least, left)))
    # Usage reported of a request whose history was cut says nothing of the whole.
    said = sum(message.tokens for message in whole.messages)
    weight = whole.tokens if whole is window else said + prompt_tokens
    return Prepared(
        request,
        window,
        info,
        fallbacks,
        estimate,
        max(weight, estimate),
        prompt_tokens,
        budget,
        len(whole.messages) - len(window.messages),
    )


def _windows(
    order: Order, session: LiveSession, info: ModelInfo, room: int, leaf: str | None
) -> tuple[Window, Window]:
    """The window as the config alone has it, by which compaction is judged, and the one that is
    sent: the same, unless the model's window is too small for it."""
    tree, calibration = session.transcript.tree, session.calibration(info.ref)
    limits = _configured(order)
    # More than this need not be known to see that it is too much.
    most = MEASURED * info.context_window
    if not 0 < limits.max_tokens <= most:
        limits = replace(limits, max_tokens=most, name="the model's window")
    whole = build_window(tree, leaf, WindowSettings(limits, calibration=calibration))
    if sum(message.tokens for message in whole.messages) <= room:
        return whole, whole
    capped = WindowSettings(limits_of(order, room), calibration=calibration)
    return whole, build_window(tree, leaf, capped)
