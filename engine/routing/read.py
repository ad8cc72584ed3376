"""Envelopes from JSON: camelCase or snake_case, every bad field named by its path (SPEC §1)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from engine.errors import EnvelopeError
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.ids import chat_kind, trim

__all__ = ["MAX_TEXT", "parse_peer", "read_envelope"]

MAX_TEXT = 1 << 20
"""Most bytes of a message's text, as UTF-8 (SPEC §15)."""

_FIELDS = (
    "channel",
    "text",
    "account_id",
    "peer",
    "parent_peer",
    "thread_id",
    "guild_id",
    "team_id",
    "member_role_ids",
    "tenant_id",
    "sender",
    "message_id",
    "attachments",
    "mentions_agent",
    "timestamp",
)
_NAMES = {name: name for name in _FIELDS} | {
    re.sub(r"_(.)", lambda found: found[1].upper(), name): name for name in _FIELDS
}


def _bad(path: str, wanted: str, value: object) -> EnvelopeError:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    got = "nothing" if value is None else kinds.get(type(value), "a number")
    return EnvelopeError(f"needs {wanted}, not {got}", path=path)


def _id(value: object, path: str) -> str:
    """A string or number as an id; a number as JavaScript prints it, which is what channels do."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(path, "a string or a number", value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    return str(value)


def _optional_id(value: object, path: str) -> str | None:
    return None if value is None else _id(value, path)


def _ids(value: object, path: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _bad(path, "a list of ids", value)
    return tuple(_id(item, f"{path}[{place}]") for place, item in enumerate(value))


def _object(value: object, path: str, wanted: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _bad(path, wanted, value)
    return value


def parse_peer(text: str, path: str = "peer") -> Peer:
    """A peer written as `kind:id`, e.g. `dm:alice`; the id may hold colons.

    Raises:
        EnvelopeError: there is no colon, or the kind is unknown.
    """
    word, colon, peer_id = text.partition(":")
    kind = chat_kind(word)
    if not colon or kind is None:
        raise EnvelopeError(
            f'"{text}" is no peer', path=path, remedy="Write dm:ID, group:ID or channel:ID"
        )
    return Peer(kind, peer_id)


def _peer(value: object, path: str) -> Peer | None:
    if value is None:
        return None
    if isinstance(value, str):
        return parse_peer(value, path)
    found = _object(value, path, "an object {kind, id}")
    word = found.get("kind")
    if not isinstance(word, str):
        raise _bad(f"{path}.kind", "dm, group or channel", word)
    kind = chat_kind(word)
    if kind is None:
        raise EnvelopeError(
            f'"{word}" is no kind of peer', path=f"{path}.kind", remedy="Use dm, group or channel"
        )
    return Peer(kind, _optional_id(found.get("id"), f"{path}.id") or "")


def _sender(value: object, path: str) -> Sender | None:
    if value is None:
        return None
    if isinstance(value, str):
        return Sender(value)
    found = _object(value, path, "an object {id, name}")
    name = found.get("name")
    if name is not None and not isinstance(name, str):
        raise _bad(f"{path}.name", "a string", name)
    return Sender(_id(found.get("id"), f"{path}.id"), name or "")


def _text(value: object, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(path, "a string", value)
    if len(value) > MAX_TEXT or len(value.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise EnvelopeError(
            f"is longer than {MAX_TEXT:,} bytes",
            path=path,
            remedy="Send it in parts, or as a file in the workspace",
        )
    return value


def _flag(value: object, path: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise _bad(path, "true or false", value)
    return bool(value)


def _time(value: object, path: str) -> int:
    """Milliseconds since 1970, from a number or an ISO 8601 string."""
    from datetime import UTC, datetime

    if value is None:
        return 0
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(trim(value))
            return round(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise EnvelopeError(f'"{value}" is no ISO 8601 time', path=path) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(path, "milliseconds since 1970", value)
    return int(value)


def _channel(value: object) -> str:
    if not isinstance(value, str):
        raise _bad("channel", "a string", value)
    return value


def _collect(obj: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, object]]:
    """The known fields by our names, and the others as they are."""
    known: dict[str, Any] = {}
    extra: dict[str, object] = {}
    for name, value in obj.items():
        field = _NAMES.get(name)
        if field is None:
            extra[name] = value
        elif field in known and known[field] != value:
            raise EnvelopeError("is given twice, with different values", path=name)
        else:
            known[field] = value
    return known, extra


def read_envelope(obj: object) -> Envelope:
    """An envelope from a decoded JSON object.

    Names may be camelCase or snake_case; ids may be numbers; a peer may be `"dm:alice"`; null is
    as good as absent. Unknown fields are kept in `extra`.

    Raises:
        EnvelopeError: a field cannot be used; `path` names it (`peer.kind`).
    """
    given, extra = _collect(_object(obj, "envelope", "an object"))
    return Envelope(
        channel=_channel(given.get("channel")),
        text=_text(given.get("text"), "text"),
        account_id=_optional_id(given.get("account_id"), "accountId") or "default",
        peer=_peer(given.get("peer"), "peer"),
        parent_peer=_peer(given.get("parent_peer"), "parentPeer"),
        thread_id=_optional_id(given.get("thread_id"), "threadId"),
        guild_id=_optional_id(given.get("guild_id"), "guildId"),
        team_id=_optional_id(given.get("team_id"), "teamId"),
        member_role_ids=_ids(given.get("member_role_ids"), "memberRoleIds"),
        tenant_id=_optional_id(given.get("tenant_id"), "tenantId"),
        sender=_sender(given.get("sender"), "sender"),
        message_id=_optional_id(given.get("message_id"), "messageId"),
        attachments=_ids(given.get("attachments"), "attachments"),
        mentions_agent=_flag(given.get("mentions_agent"), "mentionsAgent"),
        timestamp=_time(given.get("timestamp"), "timestamp"),
        extra=extra,
    )
