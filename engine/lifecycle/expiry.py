"""Whether a session is over at a moment, and why; what a list calls it (SPEC §11).

One function decides: a message that comes in, the schedule and the guard against a clock that
jumped ask the same one.
"""

from __future__ import annotations

from datetime import tzinfo

from msgspec import Struct

from engine.config.schema import Session
from engine.lifecycle.freshness import freshness, next_reset, policy_for, reset_type
from engine.routing.keys import parse_key
from engine.sessions.records import ENDED, SessionRecord

__all__ = [
    "DAY",
    "OWN_LABELS",
    "Ending",
    "Over",
    "Where",
    "ending",
    "expires",
    "label_of",
    "over",
    "span",
    "too_old",
    "where_of",
]

OWN_LABELS = frozenset({"active", "idle", "archived", "trash", "missing"})
"""What sessions are by themselves; nobody gives them these labels."""

HOUR = 3_600_000
DAY = 24 * HOUR
"""Milliseconds."""


class Where(Struct, frozen=True):
    """What is known of where a session's messages come from.

    Attributes:
        channel: "" for the operator's own.
        is_group: the message came in a group or channel; None: the key tells.
        is_thread: it came in a thread or topic.
    """

    channel: str = ""
    is_group: bool = False
    is_thread: bool = False


class Over(Struct, frozen=True):
    """Why a session is over: for people, and the place in the config that decided."""

    reason: str
    rule: str


class Ending(Struct, frozen=True):
    """When silence will end a session: a message that comes later begins a new one.

    Attributes:
        at: in ms since 1970; None: no rule ends it.
        told: the rule in words.
        rule: the place in the config that decides; "" for the default.
    """

    at: int | None
    told: str
    rule: str


def expires(session: Session) -> bool:
    """Whether any rule of the config ends sessions at all."""
    parts = (session.reset, session.reset_by_type, session.reset_by_channel, session.idle_minutes)
    return session.ttl_days > 0 or any(part is not None and part != {} for part in parts)


def where_of(record: SessionRecord) -> Where:
    """Where a session's messages come from, by what was kept of its first one and by its key."""
    origin = record.origin or {}
    channel = origin.get("channel")
    conversation = parse_key(record.key).conversation
    known = conversation.channel if conversation is not None else ""
    name = channel if isinstance(channel, str) else known
    return Where(name, is_thread=bool(origin.get("threadId")))


def over(
    session: Session,
    key: str,
    used: int,
    now: int,
    where: Where,
    zone: tzinfo | None = None,
) -> Over | None:
    """Whether a session's next message begins a new conversation; None while it goes on.

    Args:
        session: the config's.
        key: the session's.
        used: when it was last of use, in ms since 1970.
        now: likewise.
        where: of the message, or of the session.
        zone: whose hours count; None: the machine's.
    """
    kind = reset_type(key, is_group=where.is_group, is_thread=where.is_thread)
    policy = policy_for(session, kind, where.channel)
    found = freshness(policy, used, now, zone)
    if found.reason == "daily":
        return Over(f"a new day began at {policy.at_hour:02d}:00", policy.rule)
    if found.reason == "idle":
        silent = span((policy.idle_minutes or 0) * 60_000)
        return Over(f"nothing was said for more than {silent}", policy.rule)
    return too_old(session, used, now)


def ending(
    session: Session, key: str, used: int, where: Where, zone: tzinfo | None = None
) -> Ending:
    """By which rule a session will end, and when, if nothing more is said; the earliest where
    several would. See `over`, which decides when the time has come."""
    kind = reset_type(key, is_group=where.is_group, is_thread=where.is_thread)
    policy = policy_for(session, kind, where.channel)
    found: list[Ending] = []
    if policy.mode == "daily":
        at = next_reset(used, policy.at_hour, zone)
        found.append(Ending(at, f"daily at {policy.at_hour:02d}:00", policy.rule))
    if policy.mode != "none" and policy.idle_minutes:
        silent = policy.idle_minutes * 60_000
        found.append(Ending(round(used + silent), f"after {span(silent)} of silence", policy.rule))
    if session.ttl_days > 0:
        longest = session.ttl_days * DAY
        told = f"after {span(longest)} of silence"
        found.append(Ending(round(used + longest), told, "session.ttlDays"))
    known = [one for one in found if one.at is not None]
    never = Ending(None, "not by itself", policy.rule)
    return min(known, key=lambda one: one.at or 0, default=never)


def too_old(session: Session, used: int, now: int) -> Over | None:
    """Whether `session.ttlDays` ends a session; see `over`."""
    longest = session.ttl_days * DAY
    if 0 < longest < now - used:
        return Over(f"nothing was said for more than {span(longest)}", "session.ttlDays")
    return None


def label_of(record: SessionRecord, session: Session, now: int) -> str:
    """The label that a session has by itself: `active`, `idle` after `session.timeoutHours` of
    silence, `archived`, or what else it is (`checkpoint`, `missing` …)."""
    if record.kind in ENDED:
        return "trash" if record.kind == "deleted" else "archived"
    if record.kind not in ("session", "file"):
        return record.kind
    if record.state == "missing":
        return "missing"
    silent = now - record.used
    return "idle" if 0 < session.timeout_hours * HOUR < silent else "active"


def span(milliseconds: float) -> str:
    """A time for people, in its largest whole unit."""
    if milliseconds < 60_000:
        return "a moment"
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", 60_000)):
        count = milliseconds / size
        if count >= 1 and count == int(count):
            return f"{int(count):,} {unit}" + ("s" if count > 1 else "")
    return f"{milliseconds / 60_000:,.1f} minutes"
