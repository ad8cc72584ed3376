"""Channels in the config: who may write, in which groups, and how much of it is remembered."""

from __future__ import annotations

from typing import Literal, TypedDict

from engine.config.base import Count, Id, Value

__all__ = ["Account", "Channel", "DmLimits", "Group"]


class Group(TypedDict, total=False):
    requireMention: bool
    """Whether the agent answers only when addressed. Default: true."""
    enabled: bool
    """Whether this group is served. Default: true."""
    allowFrom: list[Id]
    """Senders allowed in this group, also where groupPolicy is open. Default: groupAllowFrom."""
    historyLimit: Count
    """User turns kept in the window for this group."""


class DmLimits(TypedDict, total=False):
    historyLimit: Count
    """User turns kept in the window for this person."""


class Account(Value, frozen=True):
    dm_policy: Literal["pairing", "allowlist", "open", "disabled"] | None = None
    """Who may write a direct message to this account. Default: the channel's."""
    allow_from: tuple[Id, ...] | None = None
    """Senders allowed by allowlist. Default: the channel's."""
    group_policy: Literal["allowlist", "open", "disabled"] | None = None
    """Which groups this account serves. Default: the channel's."""
    group_allow_from: tuple[Id, ...] | None = None
    """Senders allowed in groups. Default: the channel's."""
    groups: dict[str, Group] | None = None
    """Per group id (`*` for all). Default: the channel's; the two are not mixed."""
    enabled: bool | None = None
    """Whether the account is served. Default: the channel's."""
    name: str | None = None
    """Name shown to people."""


class Channel(Value, frozen=True):
    dm_policy: Literal["pairing", "allowlist", "open", "disabled"] = "pairing"
    """Who may write a direct message. pairing: who is listed or was approved; a stranger gets a
    code. open without `*` in allowFrom: who is listed."""
    allow_from: tuple[Id, ...] = ()
    """Senders allowed by allowlist; `*` for everybody (needed by open)."""
    group_policy: Literal["allowlist", "open", "disabled"] = "allowlist"
    """Who is heard in groups. allowlist: who is listed; open: everybody."""
    group_allow_from: tuple[Id, ...] = ()
    """Senders allowed in groups; approval by pairing does not count there. Default: allowFrom."""
    groups: dict[str, Group] = {}
    """Per group id (`*` for all): requireMention and so on. If any is given, groups that are
    not (and no `*`) are not served."""
    identify: tuple[str, ...] = ("id", "username", "anon")
    """Fields tried in order to identify a sender."""
    history_limit: Count | None = None
    """User turns kept in the window for groups of this channel."""
    dm_history_limit: Count | None = None
    """User turns kept in the window for direct messages of this channel."""
    dms: dict[str, DmLimits] = {}
    """Per peer id: {historyLimit}."""
    accounts: dict[str, Account] = {}
    """Accounts of this channel, each with settings that win over the channel's."""
    enabled: bool = True
    """Whether the channel is served."""
