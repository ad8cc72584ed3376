"""`session.keyFormat`: a template for the part of a key after `agent:<id>:` (SPEC §3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ABSENT", "PLACEHOLDERS", "KeyFormat"]

ABSENT = "none"
"""What stands for a fact that a message does not have."""

PLACEHOLDERS = (
    "tenant_id",
    "channel",
    "account_id",
    "server_id",
    "guild_id",
    "team_id",
    "channel_id",
    "peer_kind",
    "peer_id",
    "user_id",
    "thread_id",
)
"""Names that a template may hold in braces, in this spelling or in camelCase.

`server_id` is the guild, else the team. `channel_id` is the group or channel, `none` in a dm.
`user_id` is the person: who sent the message, in a dm the peer; identityLinks apply to it.
"""

_NAME = re.compile(r"\{([A-Za-z_]+)\}")
_HUMP = re.compile(r"(?<=[a-z])([A-Z])")


def _snake(name: str) -> str:
    return _HUMP.sub(r"_\1", name).lower()


class KeyFormat:
    """A template, read once. Braces around a name that is no placeholder stay as they are."""

    __slots__ = ("names", "parts", "unknown")

    def __init__(self, template: str):
        self.parts: list[tuple[str, str | None]] = []
        place = 0
        unknown = []
        for found in _NAME.finditer(template):
            name = _snake(found[1])
            if name not in PLACEHOLDERS:
                unknown.append(found[1])
                continue
            self.parts.append((template[place : found.start()], name))
            place = found.end()
        self.parts.append((template[place:], None))
        """The template in pieces: literal text and the placeholder after it."""
        self.names = frozenset(name for _, name in self.parts if name)
        """The placeholders used."""
        self.unknown = tuple(unknown)
        """Names in braces that mean nothing."""

    def fill(self, facts: Mapping[str, str]) -> str:
        """The key's part, lower-cased. Colons and percent signs in values are escaped, so that
        values cannot imitate the template's own separators."""
        out = []
        for text, name in self.parts:
            out.append(text)
            if name:
                value = facts.get(name) or ABSENT
                out.append(value.replace("%", "%25").replace(":", "%3a"))
        return "".join(out).strip().lower() or ABSENT
