"""Whom the config speaks of: bindings match messages, permissions match people."""

from __future__ import annotations

from typing import Literal

from engine.config.base import Id, Value

__all__ = ["Assign", "AssignMatch", "Binding", "Match", "PeerMatch", "Permissions", "Profile"]


class PeerMatch(Value, frozen=True):
    kind: Literal["dm", "direct", "group", "channel"]
    """dm (or direct), group or channel."""
    id: Id
    """Peer id as the channel gives it; `*` for any of this kind."""


class Match(Value, frozen=True):
    channel: str
    """Channel name; there is no wildcard."""
    account_id: Id | None = None
    """Account of the channel; `*` for any. Default: only the account `default`."""
    peer: PeerMatch | None = None
    """One conversation."""
    guild_id: Id | None = None
    """Discord server."""
    team_id: Id | None = None
    """Slack workspace."""
    roles: tuple[Id, ...] = ()
    """Member roles, any of which is enough; needs guildId to win tier 4."""


class Binding(Value, frozen=True):
    agent_id: str
    """Agent that gets matching messages."""
    match: Match
    """Fields of which all must hold."""
    type: str = "route"
    """Only `route` bindings route; other types are kept and ignored."""
    comment: str | None = None
    """A note for people; routing does not look at it."""


class Profile(Value, frozen=True):
    commands: tuple[str, ...] = ()
    """Slash commands, without the slash; `*` stands for any characters."""
    tools: tuple[str, ...] = ()
    """Tools; `*` stands for any characters."""


class AssignMatch(Value, frozen=True):
    channel: str | None = None
    """Channel name; needed beside accountId, peer, guildId, teamId and roles. Default: any, on
    all accounts."""
    account_id: Id | None = None
    """Account of the channel; `*` for any. Default: as in bindings, `default` only."""
    peer: PeerMatch | None = None
    """One conversation: everybody in it."""
    guild_id: Id | None = None
    """Discord server."""
    team_id: Id | None = None
    """Slack workspace."""
    roles: tuple[Id, ...] = ()
    """Member roles, any of which is enough."""
    people: tuple[Id, ...] = ()
    """Senders, any of which is enough: a name of session.identityLinks, `channel:id`, or with a
    channel given a bare id."""
    groups: tuple[str, ...] = ()
    """Names of permissions.groups, any of which is enough."""


class Assign(Value, frozen=True):
    match: AssignMatch
    """Fields of which all must hold, as in a binding. An empty one holds for nobody."""
    profile: str
    """Name of the profile that these people get."""
    comment: str | None = None
    """A note for people; nothing depends on it."""


class Permissions(Value, frozen=True):
    profiles: dict[str, Profile] = {}
    """Name → what it allows. Always there unless given: admin (everything) and user (new, help,
    status; no tools)."""
    groups: dict[str, tuple[Id, ...]] = {}
    """Group of people → its members, written as in `people`."""
    assign: tuple[Assign, ...] = ()
    """Who has which profile. People count before groups of people, these before the tiers of
    bindings; within a tier the first in order."""
    default: str = "user"
    """Profile of everybody else. The operator at the terminal is always admin."""
