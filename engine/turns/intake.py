"""Taking a message in: checked, stamped, routed; the order that a turn then carries out."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from engine.config.schema import Channel, Config
from engine.errors import InputRefused, SessionNotFound
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope, Peer, Sender
from engine.routing.keys import agent_of, canonical_key, split_key
from engine.text import safe_line
from engine.turns.order import Order, Setup
from engine.turns.origin import principal_of
from engine.values import replace

__all__ = ["MESSAGE_LIMIT", "check_place", "check_text", "identified", "make_order", "workspace_of"]

MESSAGE_LIMIT = 1 << 20
"""Bytes of a message that comes in (SPEC §15)."""


def check_text(text: str) -> None:
    """Refuse what is no message.

    Raises:
        InputRefused: empty or too large.
    """
    if not text.strip():
        raise InputRefused("the message is empty")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MESSAGE_LIMIT:
        raise InputRefused(
            f"the message has {size:,} bytes; {MESSAGE_LIMIT:,} are the most",
            remedy="Send it in parts, or put it into a file of the workspace",
        )


def check_place(order: Order) -> None:
    """Refuse a message that somebody but the operator sends past routing: a person writes where
    routing leads them, and nowhere else.

    Raises:
        InputRefused: the order's session is not where its sender belongs.
    """
    if order.route is not None or order.principal.is_operator:
        return
    own = order.setup.router.route(order.envelope).session_key
    if own != order.session_key:
        who = safe_line(order.principal.name, limit=60)
        raise InputRefused(
            f"{who} belongs to {safe_line(own, limit=200)}, "
            f"not to {safe_line(order.session_key, limit=200)}",
            remedy="Only the operator may write into any session",
        )


def identified(envelope: Envelope, config: Config) -> Envelope:
    """The envelope with a sender, for channels that have no user ids (SPEC §1).

    `channels.<id>.identify` names what is tried in order: the id, the user name, else a stable
    `anon_…` id made of the facts that the channel gave. Without it all anonymous people of a
    channel would be one person, `unknown`, and share a memory.
    """
    peer, sender = envelope.peer, envelope.sender
    known = sender.id if sender is not None else peer.id if peer and peer.kind == "dm" else ""
    if peer is None or envelope.channel == OPERATOR_CHANNEL or known.strip():
        return envelope
    channel = config.channels.get(envelope.channel.strip().lower()) or Channel()
    name = sender.name if sender is not None else ""
    found = {
        "username": str(envelope.extra.get("username") or name).strip(),
        "anon": _anonymous(envelope),
    }
    person = next((found[field] for field in channel.identify if found.get(field)), "")
    if not person:
        return envelope
    if peer.kind == "dm" and not peer.id.strip():
        peer = Peer("dm", person)
    return replace(envelope, peer=peer, sender=Sender(person, name or person))


def _anonymous(envelope: Envelope) -> str:
    """The same id for the same facts."""
    facts = [envelope.channel, envelope.account_id, envelope.thread_id or ""]
    facts += [f"{name}={value}" for name, value in sorted(envelope.extra.items())]
    return "anon_" + hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:12]


def make_order(
    setup: Setup,
    envelope: Envelope,
    *,
    now: int,
    session_key: str | None = None,
    model: str | None = None,
) -> Order:
    """Route a message, or send it where its sender says.

    Args:
        now: ms since 1970, for envelopes without a time.
        session_key: where it goes instead of where it would be routed.
        model: a model for this turn only.

    Raises:
        SessionNotFound: `session_key` is no key.
    """
    envelope = identified(envelope, setup.config)
    route = None if session_key is not None else setup.router.route(envelope)
    key = route.session_key if route else canonical_key(session_key or "")
    if route is None and split_key(key) is None:
        raise SessionNotFound(
            f"{safe_line(key, limit=120)!r} is no session key",
            remedy="Keys begin with agent:<agent id>:; `branchline sessions list` shows them",
        )
    return Order(
        turn_id=uuid.uuid4().hex,
        envelope=envelope if envelope.timestamp else replace(envelope, timestamp=now),
        session_key=key,
        agent_id=route.agent_id if route else agent_of(key),
        principal=replace(principal_of(envelope), grant=setup.permissions.grant(envelope)),
        setup=setup,
        route=route,
        model=model,
    )


def workspace_of(config: Config, state_dir: Path, agent_id: str) -> Path:
    """An agent's folder: its own, else the defaults', else one below the state dir."""
    own = next((one.workspace for one in config.agents.list if one.id == agent_id), None)
    named = own or config.agents.defaults.workspace
    if named:
        return Path(named).expanduser()
    return state_dir / ("workspace" if agent_id == "main" else f"workspace-{agent_id}")
