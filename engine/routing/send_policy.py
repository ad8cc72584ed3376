"""Whether an answer may be sent to a session's conversation (SPEC §4, `session.sendPolicy`).

Rules are looked at in order. One that denies ends the search; one that allows is remembered, and
a later denial still wins over it. With nothing matched the policy's default holds. What a session
was told for itself wins over all rules (reference: OpenClaw 2026.4.15).
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from engine.config.schema import SendMatch, SendPolicy
from engine.routing.ids import chat_kind, token
from engine.routing.keys import canonical_key

__all__ = ["SendDecision", "SessionFacts", "may_send"]

Kind = Literal["dm", "group", "channel"]

_ROOMS = ("group", "channel")
_OLD_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"[0-9]+(?:-[0-9]+)*@g\.us"), "group"),
    (re.compile(r"whatsapp:.+@g\.us"), "group"),
    (re.compile(r"discord:(?:[^:]+:)?guild-[^:]+:channel-[^:]+"), "channel"),
)
"""Keys of early versions of the reference, which name no kind."""


class SessionFacts(Struct, frozen=True):
    """What is known of a session beside its key; empty where nothing is.

    Attributes:
        channel: where its last message came from.
        last_channel: where its last answer went; counts when `channel` is empty.
        chat_type: dm (direct), group or channel.
        override: `allow` or `deny` as set for this session; anything else counts as not set.
    """

    channel: str = ""
    last_channel: str = ""
    chat_type: str = ""
    override: str = ""


class SendDecision(Struct, frozen=True):
    """The decision and the rule it comes from, as a path in the config."""

    allowed: bool
    rule: str


def may_send(
    policy: SendPolicy | None,
    session_key: str,
    *,
    channel: str = "",
    chat_type: str = "",
    session: SessionFacts | None = None,
) -> SendDecision:
    """Decide whether an answer may go out.

    Args:
        policy: `session.sendPolicy`; None allows everything.
        session_key: in either spelling (`dm` or `direct`).
        channel: of the message being answered; else the session's, else the key's.
        chat_type: likewise.
        session: what the index holds of the session.
    """
    known = session or SessionFacts()
    override = token(known.override)
    if override in ("allow", "deny"):
        return SendDecision(override == "allow", "set for this session")
    if policy is None:
        return SendDecision(True, "no session.sendPolicy")
    target = _Target(
        token(channel)
        or token(known.channel)
        or token(known.last_channel)
        or _channel(session_key),
        chat_kind(chat_type or known.chat_type) or _kind(session_key),
        _spellings(session_key),
    )
    allowing: int | None = None
    for order, rule in enumerate(policy.rules):
        if target.matches(rule.match):
            if rule.action == "deny":
                return SendDecision(False, f"session.sendPolicy.rules[{order}]")
            allowing = order if allowing is None else allowing
    if allowing is not None:
        return SendDecision(True, f"session.sendPolicy.rules[{allowing}]")
    return SendDecision(policy.default == "allow", "session.sendPolicy.default")


class _Target(Struct, frozen=True):
    channel: str
    kind: Kind | None
    keys: tuple[str, ...]

    def matches(self, match: SendMatch) -> bool:
        """Whether all fields that a rule gives hold; blank ones are not given."""
        wanted = token(match.channel or "")
        if wanted and wanted != self.channel:
            return False
        if match.chat_type is not None and chat_kind(match.chat_type) != self.kind:
            return False
        prefix, raw = token(match.key_prefix or ""), token(match.raw_key_prefix or "")
        bare = tuple(_without_agent(key) for key in self.keys)
        if prefix and not any(key.startswith(prefix) for key in (*self.keys, *bare)):
            return False
        return not raw or any(key.startswith(raw) for key in self.keys)


def _spellings(session_key: str) -> tuple[str, ...]:
    """The key as given, as we write it, and as the reference does, so that a prefix copied from
    either fits."""
    given, ours = token(session_key), canonical_key(session_key)
    parts = ours.split(":")
    # Only the word in the kind's place differs between the spellings: 3rd, 4th or 5th part.
    place = next((at for at in range(2, min(5, len(parts))) if parts[at] == "dm"), None)
    theirs = ours
    if place is not None and parts[0] == "agent":
        theirs = ":".join([*parts[:place], "direct", *parts[place + 1 :]])
    return tuple(dict.fromkeys((given, ours, theirs)))


def _without_agent(key: str) -> str:
    parts = [part for part in key.split(":") if part]
    return ":".join(parts[2:]) if len(parts) >= 3 and parts[0] == "agent" else key


def _parts(session_key: str) -> list[str]:
    return [part for part in _without_agent(token(session_key)).split(":") if part]


def _channel(session_key: str) -> str:
    """The channel that a group's or channel's key names; other keys name none for this purpose."""
    parts = _parts(session_key)
    return parts[0] if len(parts) >= 3 and parts[1] in _ROOMS else ""


def _kind(session_key: str) -> Kind | None:
    parts = _parts(session_key)
    if "group" in parts:
        return "group"
    if "channel" in parts:
        return "channel"
    if "dm" in parts or "direct" in parts:
        return "dm"
    key = _without_agent(token(session_key))
    return next((kind for pattern, kind in _OLD_KINDS if pattern.fullmatch(key)), None)
