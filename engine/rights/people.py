"""Which sessions a person, or a tenant, has a part in: by key, by origin, by what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal

from msgspec import Struct

from engine.config.schema import Config
from engine.errors import BranchlineError
from engine.routing.identity import IdentityLinks
from engine.routing.ids import token
from engine.routing.keyformat import KeyFormat
from engine.routing.keys import canonical_key, peer_of, split_key
from engine.sessions.lines import decode_line
from engine.sessions.records import SessionRecord
from engine.sessions.search import raw_lines
from engine.sessions.store import Store

__all__ = ["Found", "How", "find_user", "in_tenant"]

How = Literal["origin", "key", "link", "message"]
"""`origin`: the session began with a message of theirs; `key`: it names them; `link`: it names
the person that identityLinks make of them; `message`: they said something in it."""

_PART = r"(?::(?:thread|topic|fork):.*)?"


class Found(Struct, frozen=True):
    """A session that a person has a part in, and how that is known."""

    record: SessionRecord
    how: How


def find_user(
    store: Store, records: Sequence[SessionRecord], config: Config, channel: str, user: str
) -> Iterator[Found]:
    """The sessions that a user of a channel has a part in, in the order given.

    Sessions that cannot be read are judged by key and origin alone.

    Args:
        records: as Store.list gives them.
        channel, user: as a channel names them; case does not matter.
    """
    links = IdentityLinks(config.session.identity_links)
    person = token(links.person(channel, user) or "")
    channel, user = token(channel), token(user)
    template = config.session.key_format
    pattern = None
    if template:
        names = {"channel": channel, "user_id": person or user}
        pattern = _pattern(KeyFormat(template), names)
    for record in records:
        how = _by_name(record, channel, user, person, pattern)
        if how is None and _spoke(store, record, channel, user):
            how = "message"
        if how is not None:
            yield Found(record, how)


def _by_name(
    record: SessionRecord, channel: str, user: str, person: str, pattern: re.Pattern[str] | None
) -> How | None:
    if _is_from(record.origin, channel, user):
        return "origin"
    peer = peer_of(record.key)
    if peer is not None and peer.kind == "dm" and peer.channel in ("", channel):
        if peer.id == user:
            return "key"
        if person and peer.id == person:
            return "link"
    if pattern is not None and _fits(pattern, record.key):
        return "link" if person else "key"
    return None


def _is_from(origin: Mapping[str, Any] | None, channel: str, user: str) -> bool:
    """Whether an origin names this user: as the sender, else as the peer of a direct message."""
    if origin is None or token(str(origin.get("channel", ""))) != channel:
        return False
    sender, peer = origin.get("sender"), origin.get("peer")
    who = sender.get("id") if isinstance(sender, dict) else None
    if who is None and isinstance(peer, dict) and peer.get("kind") in ("dm", "direct"):
        who = peer.get("id")
    return isinstance(who, str) and token(who) == user


def _spoke(store: Store, record: SessionRecord, channel: str, user: str) -> bool:
    """Whether any message of a session, on any branch, is this user's."""
    if record.state == "missing":
        return False
    try:
        with closing(store.open(record)) as transcript:
            for line in raw_lines(transcript, b'"origin"'):
                data = decode_line(line) or {}
                origin = data.get("origin")
                if isinstance(origin, dict) and _is_from(origin, channel, user):
                    return True
    except BranchlineError:
        return False
    return False


def _pattern(template: KeyFormat, known: Mapping[str, str]) -> re.Pattern[str]:
    """Keys that a template makes of some known facts; colons in facts stand escaped in keys."""
    parts = []
    for text, name in template.parts:
        parts.append(re.escape(text.lower()))
        if name is not None:
            value = known.get(name)
            escaped = (value or "").replace("%", "%25").replace(":", "%3a")
            parts.append("[^:]*" if value is None else re.escape(escaped))
    return re.compile("".join(parts) + _PART, re.DOTALL)


def _fits(pattern: re.Pattern[str], key: str) -> bool:
    found = split_key(canonical_key(key))
    return found is not None and pattern.fullmatch(found[1]) is not None


def in_tenant(record: SessionRecord, config: Config, tenant: str) -> bool:
    """Whether a session is a tenant's: its origin says so, else its key, by `session.keyFormat`."""
    wanted = token(tenant)
    origin = record.origin
    if origin is not None and "channel" in origin and token(str(origin["channel"])) != "terminal":
        return token(str(origin.get("tenantId") or "")) == wanted
    template = KeyFormat(config.session.key_format or "")
    if "tenant_id" not in template.names:
        return False
    return _fits(_pattern(template, {"tenant_id": wanted}), record.key)
