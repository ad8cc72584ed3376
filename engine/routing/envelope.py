"""What a channel hands over: facts about one message, nothing decided yet (SPEC §1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

__all__ = ["OPERATOR_CHANNEL", "Envelope", "Peer", "PeerKind", "Sender"]

PeerKind = Literal["dm", "group", "channel"]
"""`direct` is read as `dm` everywhere; we write `dm`."""

OPERATOR_CHANNEL = "terminal"
"""The channel on which the person at the terminal speaks, without a peer."""


class Peer(Struct, frozen=True):
    """The other end of a conversation: a person, a group or a channel room."""

    kind: PeerKind
    id: str


class Sender(Struct, frozen=True):
    """Who wrote the message. In a dm usually the peer itself."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One incoming message. Ids are as the channel gave them; keys are made by the engine only.

    `timestamp` is milliseconds since 1970. An empty `account_id` means `"default"`.
    """

    channel: str
    text: str = ""
    account_id: str = "default"
    peer: Peer | None = None
    parent_peer: Peer | None = None
    thread_id: str | None = None
    guild_id: str | None = None
    team_id: str | None = None
    member_role_ids: tuple[str, ...] = ()
    tenant_id: str | None = None
    sender: Sender | None = None
    message_id: str | None = None
    attachments: tuple[str, ...] = ()
    mentions_agent: bool = False
    timestamp: int = 0
    extra: dict[str, object] = field(default_factory=dict, hash=False)
