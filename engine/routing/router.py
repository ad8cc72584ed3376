"""The router: from an envelope to an agent and a session key, with the reasons (SPEC §§2, 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from engine.config.schema import Agents, Config
from engine.errors import Problem
from engine.routing.bindings import (
    TIERS,
    BindingIndex,
    Facts,
    Failure,
    MatchedBy,
    PeerFacts,
    Rule,
    Tier,
    TraceStep,
    peer_class,
)
from engine.routing.envelope import Envelope, Peer
from engine.routing.identity import IdentityLinks
from engine.routing.ids import DEFAULT_AGENT, normalize_account_id, normalize_agent_id, token, trim
from engine.routing.keyformat import PLACEHOLDERS, KeyFormat
from engine.routing.keys import MAIN_KEY, UNKNOWN, peer_key, thread_keys
from engine.routing.patterns import Pattern, base_keys, compile_patterns

__all__ = ["AgentTable", "Route", "Router", "facts_of"]


class AgentTable:
    """The agents of a config by normalised id (reference: OpenClaw 2026.4.15).

    With no agent listed every id stands for itself. With some listed, an id that is not among
    them means the default agent: the one marked so, else the first, else `main`.
    """

    __slots__ = ("default", "known")

    def __init__(self, agents: Agents):
        listed = agents.list
        chosen = next((agent for agent in listed if agent.default), listed[0] if listed else None)
        self.default = normalize_agent_id(chosen.id if chosen else DEFAULT_AGENT)
        self.known = frozenset(normalize_agent_id(agent.id) for agent in listed if trim(agent.id))

    def resolve(self, agent_id: str) -> str:
        """The agent that an id in the config leads to."""
        if not trim(agent_id):
            return self.default
        found = normalize_agent_id(agent_id)
        return found if not self.known or found in self.known else self.default

    def knows(self, agent_id: str) -> bool:
        """Whether an id leads to an agent of its own."""
        found = normalize_agent_id(agent_id)
        return bool(trim(agent_id)) and (not self.known or found in self.known)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message goes and why.

    Attributes:
        agent_id: who answers.
        account_id: the channel's account, normalised.
        session_key: the conversation.
        main_session_key: the agent's main session.
        matched_by: the tier that decided.
        rule: what decided, by its place in the config: `bindings[3]`, `routing["a:*"]`, `default`.
    """

    agent_id: str
    account_id: str
    session_key: str
    main_session_key: str
    matched_by: MatchedBy
    rule: str = field(compare=False)
    _explain: Callable[[], tuple[TraceStep, ...]] = field(compare=False, repr=False)

    @property
    def trace(self) -> tuple[TraceStep, ...]:
        """Every binding looked at, in config order, then routing patterns, then the default.

        Worked out on access, from the same compiled rules that decided; costs time in proportion
        to the number of bindings.
        """
        return self._explain()


class Router:
    """Routes messages by one config snapshot. A pure function of it: no clock, no disk.

    The main session's key ends in `main` whatever `session.mainKey` says: the reference ignores
    the setting, with a warning, and the recorded case shows it.
    """

    __slots__ = ("_format", "_index", "_links", "_patterns", "_scope", "agents", "problems")

    def __init__(self, config: Config):
        self.agents = AgentTable(config.agents)
        self._index = BindingIndex(config.bindings, self.agents.resolve)
        self._patterns = compile_patterns(config.routing, self.agents.resolve)
        self._links = IdentityLinks(config.session.identity_links)
        self._scope = config.session.dm_scope
        template = config.session.key_format
        self._format = KeyFormat(template) if template and template.strip() else None
        self.problems = tuple(_problems(config.session.main_key, self._format))
        """Settings that do nothing: names in keyFormat that mean nothing, a mainKey. Unknown
        agents are told by the config's check, which knows their lines."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The compiled bindings that route, in config order."""
        return self._index.rules

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The entries of `routing`, in config order."""
        return self._patterns

    def route(self, envelope: Envelope) -> Route:
        """Decide which agent answers a message and in which session.

        Args:
            envelope: the facts; ids as the channel gave them.

        Returns:
            The route; the same for the same config and envelope.
        """
        facts = facts_of(envelope)
        rule, agent, matched_by = self._decide(facts)
        return Route(
            agent,
            facts.account,
            self._session_key(agent, envelope, facts),
            f"agent:{agent}:{MAIN_KEY}",
            matched_by,
            rule,
            partial(self._trace, facts),
        )

    def _decide(self, facts: Facts) -> tuple[str, str, MatchedBy]:
        """(rule, agent, tier)"""
        found = self._index.find(facts)
        if found:
            return found[0].name, found[0].agent_id, found[1]
        if self._patterns:
            keys = base_keys(facts)
            for pattern in self._patterns:
                if pattern.failure(keys) is None:
                    return pattern.name, pattern.agent_id, "binding.channel"
        return "default", self.agents.default, "default"

    def _trace(self, facts: Facts) -> tuple[TraceStep, ...]:
        seen: list[tuple[str, str, Tier, Failure | None]] = [
            (rule.name, rule.agent_id, tier, failed)
            for rule, tier, failed in self._index.place(facts)
        ]
        keys = base_keys(facts)
        seen += [
            (pattern.name, pattern.agent_id, "routing", pattern.failure(keys))
            for pattern in self._patterns
        ]
        seen.append(("default", self.agents.default, "default", None))
        holding = [place for place, step in enumerate(seen) if step[3] is None]
        winner = min(holding, key=lambda place: (_RANK[seen[place][2]], place))
        return tuple(
            TraceStep(name, agent, tier, place == winner, failed)
            for place, (name, agent, tier, failed) in enumerate(seen)
        )

    def _session_key(self, agent: str, envelope: Envelope, facts: Facts) -> str:
        peer = facts.peer
        thread = trim(envelope.thread_id) if envelope.thread_id else ""
        if self._format and peer:
            base = f"agent:{agent}:{self._fill(self._format, envelope, facts, peer)}"
            if "thread_id" in self._format.names:
                return base
        else:
            base = peer_key(
                agent,
                facts.channel,
                peer.kind if peer else "dm",
                (peer.id or UNKNOWN) if peer else None,
                account_id=facts.account,
                dm_scope=self._scope,
                links=self._links,
            )
        if not thread or _own_peer(facts, thread):
            return base
        word: Literal["thread", "topic"] = "topic" if facts.channel == "telegram" else "thread"
        return thread_keys(base, thread, word=word).session_key

    def _fill(self, template: KeyFormat, envelope: Envelope, facts: Facts, peer: PeerFacts) -> str:
        sender = trim(envelope.sender.id) if envelope.sender else ""
        user = sender or (peer.id if peer.kind == "dm" else "")
        return template.fill(
            {
                "tenant_id": trim(envelope.tenant_id or ""),
                "channel": facts.channel,
                "account_id": facts.account,
                "server_id": facts.guild or facts.team,
                "guild_id": facts.guild,
                "team_id": facts.team,
                "channel_id": "" if peer.kind == "dm" else peer.id,
                "peer_kind": peer.kind,
                "peer_id": peer.id or UNKNOWN,
                "user_id": self._links.person(facts.channel, user) or user,
                "thread_id": trim(envelope.thread_id or ""),
            }
        )


_RANK: dict[Tier, float] = {tier: rank for rank, tier in enumerate(TIERS)}
_RANK["routing"] = _RANK["default"] - 0.5


def _peer_facts(peer: Peer | None) -> PeerFacts | None:
    return PeerFacts(peer_class(peer.kind), trim(peer.id), peer.kind) if peer else None


def facts_of(envelope: Envelope) -> Facts:
    """An envelope as bindings look at it."""
    roles = envelope.member_role_ids
    return Facts(
        token(envelope.channel),
        normalize_account_id(envelope.account_id),
        _peer_facts(envelope.peer),
        _peer_facts(envelope.parent_peer),
        trim(envelope.guild_id) if envelope.guild_id else "",
        trim(envelope.team_id) if envelope.team_id else "",
        frozenset(map(trim, roles)) if roles else frozenset(),
    )


def _own_peer(facts: Facts, thread: str) -> bool:
    """Whether the peer is the thread itself, so that its id must not be added again.

    A Discord thread is a channel of its own with a parent; elsewhere a channel may hand over an
    id that has the topic in it already (`-100:topic:42`).
    """
    peer, parent = facts.peer, facts.parent
    if peer is None:
        return False
    if facts.channel == "discord" and (peer.id == thread or (parent and parent.id != peer.id)):
        return True
    return peer.id.lower().endswith((f":topic:{thread.lower()}", f":thread:{thread.lower()}"))


def _problems(main_key: str, template: KeyFormat | None) -> list[Problem]:
    found = [
        Problem(
            f'"{{{name}}}" in keyFormat means nothing and is kept as it is',
            severity="warning",
            path="session.keyFormat",
            hint="known names: " + ", ".join(PLACEHOLDERS),
        )
        for name in (template.unknown if template else ())
    ]
    if token(main_key) not in ("", MAIN_KEY):
        found.append(
            Problem(
                f'mainKey is not used: main sessions are always called "{MAIN_KEY}"',
                severity="warning",
                path="session.mainKey",
                hint="take it out",
            )
        )
    return found
