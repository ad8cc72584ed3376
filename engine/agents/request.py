"""A request in the making: the model, the limits, the prompt, the window (SPEC §§7, 10).

Replies, summaries and notes are all made from what this module prepares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import EllipsisType
from typing import Any, TypeVar

from engine.agents.lanes import Lanes
from engine.agents.order import Order
from engine.agents.pool import LiveSession, SessionPool
from engine.agents.redelivery import Deliveries
from engine.agents.workspace import load_prompt
from engine.clock import Clock
from engine.context.limits import Limits, limits_for
from engine.context.shape import to_chat
from engine.context.tokens import estimate_request, estimate_text
from engine.context.window import Window, WindowSettings, build_window
from engine.disk import Disk
from engine.events import Event
from engine.models.protocol import ModelInfo, ModelRequest
from engine.routing.envelope import OPERATOR_CHANNEL
from engine.routing.keys import chat_type, parse_key

__all__ = ["SAFETY", "Kitchen", "Prepared", "choose_model", "in_thread", "limits_of", "prepare"]

T = TypeVar("T")

SAFETY = 64
"""Tokens left free beside the answer, for what the estimate does not see."""


@dataclass(frozen=True, slots=True)
class Kitchen:
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent, with the window it came from. `estimate`: its tokens."""

    request: ModelRequest
    window: Window
    info: ModelInfo
    fallbacks: tuple[str, ...]
    estimate: int


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run what touches the disk off the loop."""
    from anyio.to_thread import run_sync

    return await run_sync(function, *args)


def choose_model(order: Order, session: LiveSession | None) -> tuple[str, tuple[str, ...], str]:
    """(reference, fallbacks, source): this turn's model, else the session's, else the config's.

    What a person chose is strict: it has no fallbacks (PROVIDERS: an explicit choice is never
    replaced silently).

    Raises:
        ModelNotFound: the reference leads nowhere.
    """
    registry = order.setup.registry
    if order.model is not None:
        return registry.resolve(order.model), (), "turn"
    override = session.override if session is not None else None
    if override is not None:
        return registry.resolve(override), (), "session"
    choice = registry.default_choice(order.agent_id)
    return choice.ref, choice.fallbacks, "config"


def limits_of(order: Order, room: int) -> Limits:
    """The history limits of the order's session, never more than `room` tokens."""
    key = order.session_key
    conversation = parse_key(key).conversation
    channel, peer = order.envelope.channel, order.envelope.peer
    if conversation is not None and channel == OPERATOR_CHANNEL:
        channel = conversation.channel
    limits = limits_for(
        order.setup.config, chat_type(key), channel, peer.id if peer is not None else None
    )
    if 0 < limits.max_tokens <= room:
        return limits
    return replace(limits, max_tokens=max(1, room), name="the model's window")


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
    prompt = load_prompt(
        kitchen.disk,
        kitchen.workspace(order),
        name=order.agent_id,
        for_operator=order.principal.is_operator
        and chat_type(order.session_key) in ("main", "chat"),
        knowledge=kitchen.knowledge if order.setup.config.session.isolation == "partial" else None,
    )
    answer_room = min(info.max_tokens, max(256, info.context_window // 4))
    room = info.context_window - answer_room - estimate_text(prompt.text) - SAFETY
    settings = WindowSettings(limits_of(order, room), calibration=session.calibration(info.ref))
    tree = session.transcript.tree
    window = build_window(tree, tree.leaf if leaf is ... else leaf, settings)
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
    return Prepared(request, window, info, fallbacks, estimate_request(request))
