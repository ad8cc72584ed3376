"""Whether a session is still fresh, or is over and the next message starts a new one (SPEC §11).

The rules are those of OpenClaw 2026.4.15. Ours: a mode `none`, which is the default, and no
expiry at a time that no calendar knows.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Literal

from msgspec import Struct

from engine.config.schema import Reset, Session
from engine.routing.ids import token
from engine.routing.keys import parse_key

__all__ = [
    "Freshness",
    "Mode",
    "ResetPolicy",
    "ResetType",
    "freshness",
    "next_reset",
    "policy_for",
    "reset_type",
]

Mode = Literal["none", "daily", "idle"]
ResetType = Literal["dm", "group", "thread"]

_ROOMS = (":group:", ":channel:")
_AT_HOUR = 4
_MINUTE = 60_000


def reset_type(key: str, *, is_group: bool = False, is_thread: bool = False) -> ResetType:
    """As what a session expires: by what is known of its message, else by its key.

    A forum topic counts as a thread only where the channel says so: its key alone is a group's.
    """
    if is_thread or parse_key(key).thread_id is not None:
        return "thread"
    lower = token(key)
    return "group" if is_group or any(mark in lower for mark in _ROOMS) else "dm"


class ResetPolicy(Struct, frozen=True):
    """When a session is over.

    Attributes:
        mode: none: never; daily: at `at_hour`; idle: by silence alone.
        at_hour: hour of the day, 0 to 23.
        idle_minutes: silence that ends a session, in daily mode too; 0 or None: no silence does.
        rule: the place in the config that the mode comes from; "" for the default.
    """

    mode: Mode
    at_hour: int = _AT_HOUR
    idle_minutes: int | None = None
    rule: str = ""


def policy_for(
    session: Session, kind: ResetType, channel: str = "", *, default: Mode = "none"
) -> ResetPolicy:
    """The policy that a session is under.

    A channel's own reset stands alone. Else each field is looked for in resetByType, then in
    reset; idleMinutes beside them is the older way to write it.

    Args:
        session: the config's.
        kind: see `reset_type`.
        channel: of the message; the keys of resetByChannel are lower-case names.
        default: the mode where the config says nothing. With `none`, a reset that gives hours or
            minutes alone means the mode that they belong to; the reference's default is `daily`.
    """
    name = token(channel)
    own = session.reset_by_channel.get(name) if name else None
    if own is not None:
        return _policy([(own, f"session.resetByChannel.{name}")], None, default)
    found: list[tuple[Reset, str]] = []
    by_type = session.reset_by_type or {}
    for word in ("direct", "dm") if kind == "dm" else (kind,):
        if word in by_type:
            found.append((by_type[word], f"session.resetByType.{word}"))
            break
    if session.reset is not None:
        found.append((session.reset, "session.reset"))
    legacy = session.idle_minutes
    if legacy is not None and not found and session.reset_by_type is None:
        return ResetPolicy("idle", _AT_HOUR, legacy, "session.idleMinutes")
    return _policy(found, legacy, default)


def _policy(found: list[tuple[Reset, str]], legacy: int | None, default: Mode) -> ResetPolicy:
    named = ((one.mode, rule) for one, rule in found if one.mode is not None)
    hours = (one.at_hour for one, _ in found if one.at_hour is not None)
    idles = (one.idle_minutes for one, _ in found if one.idle_minutes is not None)
    hour, idle = next(hours, None), next(idles, legacy)
    mode, rule = next(named, (None, found[0][1] if found else ""))
    if mode is None:
        mode = default
        if default == "none" and hour is not None:
            mode = "daily"
        elif default == "none" and idle is not None:
            mode = "idle"
    if mode == "idle" and idle is None:
        idle = 0
    return ResetPolicy(mode, _AT_HOUR if hour is None else hour, idle, rule)


class Freshness(Struct, frozen=True):
    """Whether a session goes on.

    Attributes:
        fresh: whether the next message belongs to it.
        daily_reset_at: the latest daily reset, in ms since 1970; None when there is none.
        idle_expires_at: when silence ends it, likewise.
        reason: `daily` or `idle` when it is over (daily first), else "".
    """

    fresh: bool
    daily_reset_at: int | None = None
    idle_expires_at: int | None = None
    reason: Literal["", "daily", "idle"] = ""


def freshness(
    policy: ResetPolicy, updated_at: int, now: int, zone: tzinfo | None = None
) -> Freshness:
    """Judge a session by the time of its last message.

    Args:
        updated_at: in ms since 1970.
        now: likewise.
        zone: whose hours count; None: the machine's.

    Returns:
        Stale when its last message came before the latest daily reset, or when the silence is
        longer than allowed. At the very moment of either it is fresh.
    """
    if policy.mode == "none":
        return Freshness(True)
    daily = _daily_reset(now, policy.at_hour, zone) if policy.mode == "daily" else None
    idle = updated_at + policy.idle_minutes * _MINUTE if policy.idle_minutes else None
    reason: Literal["", "daily", "idle"] = ""
    if daily is not None and updated_at < daily:
        reason = "daily"
    elif idle is not None and now > idle:
        reason = "idle"
    return Freshness(not reason, daily, idle, reason)


def next_reset(after: int, hour: int, zone: tzinfo | None) -> int | None:
    """The first moment after `after` at which a clock on the wall will show `hour`, in ms since
    1970; None for a time that no calendar knows."""
    at = _daily_reset(after, hour, zone)
    if at is None:
        return None
    try:
        day = datetime.fromtimestamp(at // 1000, zone) + timedelta(days=1)
        return round(day.replace(hour=hour, fold=0).timestamp() * 1000)
    except (OverflowError, ValueError, OSError):
        return None


def _daily_reset(now: int, hour: int, zone: tzinfo | None) -> int | None:
    """The latest moment, at or before `now`, at which a clock on the wall showed `hour`."""
    try:
        today = datetime.fromtimestamp(now // 1000, zone)
        at = today.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
        if now < at.timestamp() * 1000:
            at -= timedelta(days=1)
        return round(at.timestamp() * 1000)
    except (OverflowError, ValueError, OSError):
        return None
