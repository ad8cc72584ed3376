"""Ids of agents, accounts, channels and peers, brought to one form (SPEC §2, §3).

The rules are those of OpenClaw 2026.4.15. White space is what ECMAScript calls so: a no-break
space and a byte order mark are trimmed, the separators U+001C to U+001F are not.
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = [
    "DEFAULT_ACCOUNT",
    "DEFAULT_AGENT",
    "MAX_ID",
    "chat_kind",
    "is_valid_agent_id",
    "normalize_account_id",
    "normalize_agent_id",
    "optional_account_id",
    "token",
    "trim",
]

DEFAULT_AGENT = "main"
"""The agent when the config lists none."""

DEFAULT_ACCOUNT = "default"
"""The account of a channel that has only one."""

MAX_ID = 64
"""Most characters of an agent or account id."""

_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FOREIGN = re.compile(r"[^a-z0-9_-]+")
# The reference keeps its accounts in JavaScript objects and refuses the names that are special
# there; such an account is the default one.
_REFUSED = frozenset({"__proto__", "prototype", "constructor"})

_KINDS: dict[str, Literal["dm", "group", "channel"]] = {
    "dm": "dm",
    "direct": "dm",
    "group": "group",
    "channel": "channel",
}


def trim(value: str) -> str:
    """`value` without the white space around it."""
    return value.strip(_SPACE)


def token(value: str) -> str:
    """A channel name or link as it is compared: trimmed and lower-cased."""
    return value.strip(_SPACE).lower()


def chat_kind(value: str) -> Literal["dm", "group", "channel"] | None:
    """The kind of peer a word means (`direct` is `dm`), None for any other word."""
    return _KINDS.get(value) or _KINDS.get(token(value))


def is_valid_agent_id(value: str | None) -> bool:
    """Whether an id can stand as it is: a letter or digit, then `[a-z0-9_-]`, 64 at most."""
    return _VALID.fullmatch(trim(value or "")) is not None


def _slug(value: str) -> str:
    # Dashes are taken from the ends before the cut, as in the reference, so that a long id may
    # still end in one.
    if _VALID.fullmatch(value):
        return value.lower()
    return _FOREIGN.sub("-", value.lower()).strip("-")[:MAX_ID]


def normalize_agent_id(value: str | None) -> str:
    """The agent id that a word means: lower case, foreign characters as dashes, else `main`."""
    return _slug(trim(value or "")) or DEFAULT_AGENT


def optional_account_id(value: str | None) -> str | None:
    """The account id that a word means, None when it means none."""
    found = _slug(trim(value or ""))
    return found if found and found not in _REFUSED else None


def normalize_account_id(value: str | None) -> str:
    """The account id that a word means, else `default`."""
    return optional_account_id(value) or DEFAULT_ACCOUNT
