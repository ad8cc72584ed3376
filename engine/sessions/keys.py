"""The two things the store must know of session keys; making and parsing them is routing's."""

from __future__ import annotations

__all__ = ["agent_of", "canonical_key"]

_NO_KIND = frozenset({"group", "channel", "dm", "direct", "thread", "topic", "subagent", "fork"})


def canonical_key(key: str) -> str:
    """A key in our spelling: lower case, and `dm` where the reference says `direct` (SPEC §1)."""
    parts = key.strip().lower().split(":")
    if parts[0] == "agent":
        # agent:<id>[:<channel>[:<account>]]:direct:<peer>
        for place in (2, 3, 4):
            if len(parts) <= place + 1 or any(part in _NO_KIND for part in parts[2:place]):
                break
            if parts[place] == "direct":
                parts[place] = "dm"
                break
    return ":".join(parts)


def agent_of(key: str) -> str | None:
    """The agent id in a key, or None when it is not of the form `agent:<id>:…`."""
    parts = key.split(":", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "agent" and parts[1] else None
