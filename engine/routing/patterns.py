"""The config's `routing` map: patterns over base keys, tried before the default agent (SPEC §2).

A message has two base keys, lower-cased, and a pattern may match either:

- `channel:server:peer`, the server being the guild, else the team, else the account:
  `slack:t09abc:c1`, `telegram:default:4711`;
- `channel:kind:peer` as it stands in session keys: `slack:channel:c1`, `telegram:dm:4711`.

`*` stands for any characters, colons included. A message without a peer has the peer `main`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from engine.routing.bindings import Facts, Failure
from engine.routing.ids import token
from engine.routing.keys import MAIN_KEY, UNKNOWN

__all__ = ["Pattern", "base_keys", "compile_patterns", "matches"]


class Pattern(Struct, frozen=True):
    """One entry of the map; `parts` is the text between its stars, lower-cased."""

    name: str
    agent_id: str
    text: str
    parts: tuple[str, ...]

    def failure(self, keys: tuple[str, ...]) -> Failure | None:
        """None when one of a message's base keys fits."""
        if any(matches(self.parts, key) for key in keys):
            return None
        return Failure("baseKey", self.text, keys[0])


def compile_patterns(
    routing: Mapping[str, str], resolve: Callable[[str], str]
) -> tuple[Pattern, ...]:
    """The map's patterns in config order."""
    return tuple(
        Pattern(f'routing["{text}"]', resolve(agent), text, tuple(token(text).split("*")))
        for text, agent in routing.items()
    )


def base_keys(facts: Facts) -> tuple[str, str]:
    """The keys that patterns are held against."""
    channel = facts.channel or UNKNOWN
    server = facts.guild or facts.team or facts.account
    peer = facts.peer
    if peer is None:
        return f"{channel}:{server}:{MAIN_KEY}".lower(), f"{channel}:{MAIN_KEY}"
    name = peer.id or UNKNOWN
    return f"{channel}:{server}:{name}".lower(), f"{channel}:{peer.kind}:{name}".lower()


def matches(parts: tuple[str, ...], key: str) -> bool:
    """Whether `parts`, with anything between them, make up `key`. Linear in the key's length."""
    if len(parts) == 1:
        return key == parts[0]
    head, tail = parts[0], parts[-1]
    end = len(key) - len(tail)
    if end < len(head) or not key.startswith(head) or not key.endswith(tail):
        return False
    place = len(head)
    for part in parts[1:-1]:
        found = key.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
