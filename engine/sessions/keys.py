"""The two things the store must know of session keys; making and parsing them is routing's.

The rooms may not import each other, so `canonical_key` stands in engine.routing.keys, too; a
property test holds the two equal.
"""

from __future__ import annotations

__all__ = ["agent_of", "canonical_key"]

# White space as ECMAScript has it, which is how the reference trims keys.
_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_FAMILIES = frozenset({"subagent", "chat", "cron", "acp", "hook", "dashboard"})
_ENDS = frozenset({"group", "channel", "dm", "thread", "topic", "fork"})


def canonical_key(key: str) -> str:
    """A key in our spelling: lower case, and `dm` where the reference says `direct` (SPEC §1)."""
    lower = key.strip(_SPACE).lower()
    parts = lower.split(":")
    if parts[0] != "agent" or len(parts) < 4 or parts[2] in _FAMILIES:
        return lower
    # agent:<id>[:<channel>[:<account>]]:direct:<peer>
    for place in range(2, min(5, len(parts) - 1)):
        if parts[place] in _ENDS:
            break
        if parts[place] == "direct":
            parts[place] = "dm"
            break
    return ":".join(parts)


def agent_of(key: str) -> str | None:
    """The agent id in a key, or None when it is not of the form `agent:<id>:…`."""
    parts = key.split(":", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "agent" and parts[1] else None
