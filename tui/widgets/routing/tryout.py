"""Trying a message without sending it: what a form says, and what would become of it.

The route is the engine's own, made by the router in force (or the draft's): nothing is explained
twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct

from engine.context.limits import limits_for
from engine.errors import ModelError
from engine.routing.access import Access, judge
from engine.routing.envelope import Envelope, Peer, PeerKind, Sender
from engine.routing.router import Route
from engine.text import safe_line
from engine.turns.order import Setup
from tui.look.cells import count
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.routing.tracelines import Row, route_rows

__all__ = ["FIELDS", "KINDS", "Outcome", "envelope_from", "fields_of", "outcome_rows", "try_out"]

KINDS: tuple[PeerKind, ...] = ("dm", "group", "channel")

FIELDS = ("channel", "account", "peer", "from", "thread", "parent", "guild", "team", "roles")
"""What can be filled in, beside the kind."""


class Outcome(Struct, frozen=True):
    """What would become of a message.

    Attributes:
        route: where it goes and why.
        seconds: how long routing took.
        access: whether its sender may write.
        model: who would answer, "" for nobody, and `model_from` where that is said.
        history: how much of the past would be looked at.
    """

    envelope: Envelope
    route: Route
    seconds: float
    access: Access
    model: str
    model_from: str
    history: str


def envelope_from(fields: Mapping[str, str], kind: PeerKind) -> Envelope | None:
    """The message that a form describes; None without a channel. Without a sender of its own a
    direct message is from its peer."""
    given = {name: value.strip() for name, value in fields.items()}
    if not given.get("channel"):
        return None
    peer, sender = given.get("peer", ""), given.get("from", "")
    if not sender and kind == "dm":
        sender = peer
    parent = given.get("parent", "")
    return Envelope(
        given["channel"],
        account_id=given.get("account") or "default",
        peer=Peer(kind, peer) if peer else None,
        parent_peer=Peer("group" if kind == "group" else "channel", parent) if parent else None,
        thread_id=given.get("thread") or None,
        guild_id=given.get("guild") or None,
        team_id=given.get("team") or None,
        member_role_ids=tuple(given.get("roles", "").replace(",", " ").split()),
        sender=Sender(sender) if sender else None,
    )


def fields_of(envelope: Envelope) -> tuple[dict[str, str], PeerKind]:
    """(what a form shows of a message, its kind)."""
    peer, sender = envelope.peer, envelope.sender
    own = sender is not None and (peer is None or peer.kind != "dm" or sender.id != peer.id)
    found = {
        "channel": envelope.channel,
        "account": "" if envelope.account_id == "default" else envelope.account_id,
        "peer": peer.id if peer is not None else "",
        "from": sender.id if sender is not None and own else "",
        "thread": envelope.thread_id or "",
        "parent": envelope.parent_peer.id if envelope.parent_peer is not None else "",
        "guild": envelope.guild_id or "",
        "team": envelope.team_id or "",
        "roles": " ".join(envelope.member_role_ids),
    }
    return found, peer.kind if peer is not None else "dm"


def try_out(setup: Setup, envelope: Envelope) -> Outcome:
    """Route a message, and say what else would hold for it."""
    start = time.perf_counter()
    route = setup.router.route(envelope)
    seconds = time.perf_counter() - start
    try:
        choice = setup.registry.default_choice(route.agent_id)
        model, source = choice.ref, choice.source
    except ModelError as error:
        model, source = "", error.message
    access = judge(setup.config, envelope)
    return Outcome(envelope, route, seconds, access, model, source, _history(setup, envelope))


def _history(setup: Setup, envelope: Envelope) -> str:
    peer = envelope.peer
    kind = peer.kind if peer is not None else "dm"
    limits = limits_for(setup.config, kind, envelope.channel, peer.id if peer else None)
    parts = [
        f"{limits.max_messages:,} messages" if limits.max_messages else "all messages",
        f"{count(limits.max_tokens)} tokens" if limits.max_tokens else "",
        f"{limits.turns:,} turns" if limits.turns else "",
    ]
    return f"{' / '.join(part for part in parts if part)}  ({safe_line(limits.name, limit=60)})"


def outcome_rows(outcome: Outcome, glyphs: Glyphs, *, session: str | None) -> list[Row]:
    """Where the message lands and what holds there, then the trace tier by tier.

    Args:
        session: the model that its session used last, "" for none; None when it is not there.
    """
    route, access = outcome.route, outcome.access
    agent, key = safe_line(route.agent_id, limit=64), safe_line(route.session_key, limit=160)
    state = "would be made" if session is None else "exists"
    source = safe_line(outcome.model_from, limit=120)
    model = safe_line(outcome.model, limit=80) or "none can be used"
    if session and session != outcome.model:
        source += f"; this session used {safe_line(session, limit=60)}"
    allowed = access.decision == "allow"
    rule = f", {safe_line(access.rule, limit=80)}" if access.rule else ""
    told = f"{_VERDICTS[access.decision]}: {safe_line(access.reason, limit=120)}{rule}"
    rows: list[Row] = [
        (glyphs.arrow, f"agent    {agent}", "$text-success bold"),
        ("", f"session  {key}  ({state})", "bold"),
        ("", f"model    {model}  ({source})", MUTED),
        ("", f"history  {outcome.history}", MUTED),
        (
            glyphs.yes if allowed else glyphs.no,
            f"access   {told}",
            MUTED if allowed else "$text-warning",
        ),
        ("", "", ""),
        *route_rows(route, glyphs)[:-1],
        ("", f"{outcome.seconds * 1000:.2f} ms, nothing was sent", MUTED),
    ]
    return rows


_VERDICTS = {"allow": "may write", "pairing": "is asked to pair first", "block": "is blocked"}
