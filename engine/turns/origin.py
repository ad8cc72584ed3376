"""Where a message came from, as its entry keeps it: enough to route it again later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import EnvelopeError, Problem
from engine.rights.permissions import Principal
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.read import read_envelope
from engine.sessions.tree import Tree
from engine.text import safe_line
from engine.turns.order import Order

__all__ = ["envelope_of", "origin_of", "principal_of", "shared_memory"]

LOOKED_AT = 200
"""Entries of the path looked at for other people's messages."""


def origin_of(envelope: Envelope) -> dict[str, Any]:
    """The envelope without its text, as JSON (`read_envelope` reads it back)."""
    origin: dict[str, Any] = {"channel": envelope.channel, "accountId": envelope.account_id}
    if envelope.peer is not None:
        origin["peer"] = {"kind": envelope.peer.kind, "id": envelope.peer.id}
    if envelope.parent_peer is not None:
        origin["parentPeer"] = {"kind": envelope.parent_peer.kind, "id": envelope.parent_peer.id}
    if envelope.sender is not None:
        origin["sender"] = {"id": envelope.sender.id, "name": envelope.sender.name}
    optional = {
        "threadId": envelope.thread_id,
        "guildId": envelope.guild_id,
        "teamId": envelope.team_id,
        "memberRoleIds": list(envelope.member_role_ids),
        "tenantId": envelope.tenant_id,
        "messageId": envelope.message_id,
    }
    return origin | {name: value for name, value in optional.items() if value}


def envelope_of(origin: Mapping[str, Any] | None) -> Envelope | None:
    """The envelope of a kept origin, or None when it is not one of ours."""
    if not origin or "channel" not in origin:
        return None
    try:
        return read_envelope(dict(origin))
    except EnvelopeError:
        return None


def principal_of(envelope: Envelope) -> Principal:
    """Who speaks: the operator at the terminal, else a person on a channel."""
    if envelope.channel == OPERATOR_CHANNEL and envelope.peer is None:
        return Principal("operator", "operator")
    sender, peer = envelope.sender, envelope.peer
    person = sender.id if sender is not None else peer.id if peer is not None else "unknown"
    name = sender.name if sender is not None and sender.name else person
    return Principal(f"{envelope.channel}:{envelope.account_id}:{person}", name)


def shared_memory(tree: Tree, order: Order) -> list[Problem]:
    """A warning when direct messages of several people share this session (SPEC §3: under
    dmScope `main` a second sender is made visible at once)."""
    config = order.setup.config.session
    peer = order.envelope.peer
    if config.dm_scope != "main" or peer is None or peer.kind != "dm":
        return []
    people: dict[str, str] = {}
    for node, _ in zip(tree.up(tree.leaf), range(LOOKED_AT), strict=False):
        if node.role == "user" and (other := envelope_of(tree.entry(node.id).data.get("origin"))):
            who = principal_of(other)
            people.setdefault(who.id, who.name)
    people.pop("operator", None)
    if len(people) < 2:
        return []
    names = ", ".join(sorted(safe_line(name, limit=40) for name in people.values()))
    return [
        Problem(
            f"{names} share one memory: each can be answered with the other's words",
            severity="warning",
            path="session.dmScope",
            hint='dmScope is "main"; "per-channel-peer" gives everybody a session of their own',
        )
    ]
