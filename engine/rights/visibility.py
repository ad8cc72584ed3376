"""Which sessions an agent's session tools may see (SPEC §10, `tools.sessions.visibility`).

The rules, and the sentences that say which one refused, are for whoever keeps the log: the agent
itself is told the same for "not allowed" as for "not found". Reference: OpenClaw 2026.4.15.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.routing.ids import token, trim
from engine.routing.keys import agent_of, canonical_key

__all__ = [
    "Action",
    "AgentPolicy",
    "Sight",
    "Visibility",
    "agent_policy",
    "may_see",
    "visibility_of",
]

Visibility = Literal["self", "tree", "agent", "all"]
Action = Literal["list", "history", "send", "status"]

_SCOPES: dict[str, Visibility] = {"self": "self", "tree": "tree", "agent": "agent", "all": "all"}
_TALK: dict[Action, tuple[str, str]] = {
    "list": ("listing", "visibility"),
    "history": ("history", "access"),
    "send": ("messaging", "sends"),
    "status": ("status", "access"),
}
"""What an action between agents is called, and what enabling it allows."""


def _tool_settings(tools: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    found = (tools or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def visibility_of(tools: Mapping[str, Any] | None) -> Visibility:
    """The setting of a config's `tools`, in any case; anything unknown is `tree`."""
    value = _tool_settings(tools, "sessions").get("visibility")
    return _SCOPES.get(token(value), "tree") if isinstance(value, str) else "tree"


class AgentPolicy(Struct, frozen=True):
    """Whether one agent may reach another's sessions.

    Attributes:
        enabled: `tools.agentToAgent.enabled`.
        allow: patterns over agent ids: `*` stands for any characters, and a pattern that holds
            one ignores case; others are compared as they are. None at all lets every agent in.
    """

    enabled: bool = False
    allow: tuple[str, ...] = ()

    def allows(self, requester: str, target: str) -> bool:
        """Whether `requester` may reach `target`: its own always, others' when both are listed."""
        if requester == target:
            return True
        return self.enabled and self._lists(requester) and self._lists(target)

    def _lists(self, agent: str) -> bool:
        return not self.allow or any(_fits(pattern, agent) for pattern in self.allow)


def _fits(pattern: str, agent: str) -> bool:
    if "*" not in pattern:
        return bool(pattern) and pattern == agent
    first, *middle, last = pattern.lower().split("*")
    name, at = agent.lower(), len(first)
    end = len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def agent_policy(tools: Mapping[str, Any] | None) -> AgentPolicy:
    """`tools.agentToAgent` of a config; anything but `enabled: true` is off."""
    found = _tool_settings(tools, "agentToAgent")
    allow = found.get("allow")
    patterns = allow if isinstance(allow, list | tuple) else ()
    return AgentPolicy(
        found.get("enabled") is True,
        tuple("" if one is None else trim(str(one)) for one in patterns),
    )


class Sight(Struct, frozen=True):
    """The decision, and when it is a refusal the setting that refused."""

    allowed: bool
    error: str | None = None


def may_see(
    action: Action,
    requester: str,
    target: str,
    visibility: Visibility,
    policy: AgentPolicy,
    spawned: Collection[str] = (),
) -> Sight:
    """Judge one use of a session tool.

    Args:
        action: what the tool would do.
        requester: key of the session that asks, in either spelling.
        target: key of the session that is asked for; one that names no agent is `main`'s.
        visibility: see `visibility_of`.
        policy: see `agent_policy`; counts between agents only.
        spawned: keys of the sessions that the requester has spawned; they count under `tree`.
    """
    asking, asked = agent_of(requester), agent_of(target)
    if asking != asked:
        return _across(action, asking, asked, visibility, policy)
    own = canonical_key(requester) == canonical_key(target)
    if own or visibility in ("agent", "all"):
        return Sight(True)
    if visibility == "tree":
        wanted = canonical_key(target)
        if any(canonical_key(key) == wanted for key in spawned):
            return Sight(True)
    scope = "session" if visibility == "self" else "session tree"
    return Sight(
        False,
        f"Session {action} visibility is restricted to the current {scope} "
        f"(tools.sessions.visibility={visibility}).",
    )


def _across(
    action: Action, asking: str, asked: str, visibility: Visibility, policy: AgentPolicy
) -> Sight:
    name, gain = _TALK[action]
    if visibility != "all":
        return Sight(
            False,
            f"Session {action} visibility is restricted. "
            "Set tools.sessions.visibility=all to allow cross-agent access.",
        )
    if not policy.enabled:
        return Sight(
            False,
            f"Agent-to-agent {name} is disabled. "
            f"Set tools.agentToAgent.enabled=true to allow cross-agent {gain}.",
        )
    if not policy.allows(asking, asked):
        return Sight(False, f"Agent-to-agent {name} denied by tools.agentToAgent.allow.")
    return Sight(True)
