"""Bindings, compiled: which rule claims a message (SPEC §2; reference: OpenClaw 2026.4.15).

A rule belongs to one tier, that of its most specific field; the most specific tier wins, within
it the rule listed first. A rule with several fields needs all of them. `Rule.failure` alone
decides whether a rule holds; the index only spares it rules that cannot, so that 1,000 bindings
cost what 10 cost, and the trace asks it about every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from msgspec import Struct

from engine.config.schema import Binding, Match, PeerMatch
from engine.routing.ids import chat_kind, normalize_account_id, token, trim

__all__ = ["TIERS", "BindingIndex", "Facts", "Failure", "MatchedBy", "Rule", "Tier", "TraceStep"]

MatchedBy = Literal[
    "binding.peer",
    "binding.peer.parent",
    "binding.peer.wildcard",
    "binding.guild+roles",
    "binding.guild",
    "binding.team",
    "binding.account",
    "binding.channel",
    "default",
]
Tier = Literal[MatchedBy, "routing"]
"""A tier as the trace names it; `routing` is a pattern of the config's `routing` map."""

TIERS: tuple[MatchedBy, ...] = get_args(MatchedBy)
"""Most specific first; tier 1 of SPEC §2 is `TIERS[0]`."""

PeerClass = Literal["dm", "room"]
"""Kinds that match each other: `group` and `channel` are rooms."""


class PeerFacts(NamedTuple):
    """A peer with its id trimmed; the id may be empty."""

    cls: PeerClass
    id: str
    kind: Literal["dm", "group", "channel"]


class Facts(NamedTuple):
    """An envelope as bindings look at it: everything normalised once."""

    channel: str
    account: str
    peer: PeerFacts | None
    parent: PeerFacts | None
    guild: str
    team: str
    roles: frozenset[str]


class Failure(Struct, frozen=True):
    """The first field of a binding that did not hold: its name, what was wanted, what was there."""

    field: str
    wanted: str
    got: str


class TraceStep(Struct, frozen=True):
    """One rule that was looked at.

    Attributes:
        rule: where it stands in the config, `bindings[3]`; `default` for the default agent.
        agent_id: the agent it would choose.
        tier: where it stands among the others; for a peer's binding that matched the parent,
            `binding.peer.parent`.
        won: whether it decided.
        failed: the first field that did not hold; None for the winner, and for a rule that
            holds too but comes after the winner.
    """

    rule: str
    agent_id: str
    tier: Tier
    won: bool
    failed: Failure | None


def peer_class(kind: Literal["dm", "group", "channel"]) -> PeerClass:
    return "dm" if kind == "dm" else "room"


class Rule(Struct, frozen=True):
    """A compiled binding.

    `peer` is how its peer field reads: `none` given, `one` id, `any` id of a kind, or `never`
    (an empty id or an unknown kind, which no message has). `account` None means any.
    """

    order: int
    name: str
    agent_id: str
    tier: MatchedBy
    channel: str
    account: str | None
    peer: Literal["none", "one", "any", "never"]
    peer_cls: PeerClass | None
    peer_kind: str
    peer_id: str
    guild: str
    team: str
    roles: tuple[str, ...]

    def failure(self, facts: Facts, peer: PeerFacts | None) -> Failure | None:
        """The first field that does not hold, seen with `peer` (or the parent) as the peer."""
        if not self.channel or self.channel != facts.channel:
            return Failure("channel", self.channel, facts.channel)
        if self.account is not None and self.account != facts.account:
            return Failure("accountId", self.account, facts.account)
        if self.peer != "none" and (failed := self._peer_failure(peer)):
            return failed
        if self.guild and self.guild != facts.guild:
            return Failure("guildId", self.guild, facts.guild)
        if self.team and self.team != facts.team:
            return Failure("teamId", self.team, facts.team)
        if self.roles and facts.roles.isdisjoint(self.roles):
            return Failure("roles", " | ".join(self.roles), " ".join(sorted(facts.roles)))
        return None

    def _peer_failure(self, peer: PeerFacts | None) -> Failure | None:
        if peer is None:
            return Failure("peer", f"{self.peer_kind}:{self.peer_id}", "")
        if self.peer_cls != peer.cls:
            return Failure("peer.kind", self.peer_kind, peer.kind)
        if self.peer == "never" or (self.peer == "one" and self.peer_id != peer.id):
            return Failure("peer.id", self.peer_id, peer.id)
        return None

    def place(self, facts: Facts) -> tuple[MatchedBy, Failure | None]:
        """The tier in which this rule is to be seen for a message, and how it fails there."""
        failed = self.failure(facts, facts.peer)
        if failed is None or self.peer != "one" or facts.parent is None or not facts.parent.id:
            return self.tier, failed
        inherited = self.failure(facts, facts.parent)
        if inherited is None or not inherited.field.startswith("peer"):
            return "binding.peer.parent", inherited
        return self.tier, failed


def compile_rule(binding: Binding, order: int, agent_id: str) -> Rule:
    """Normalise a binding. `agent_id` is the agent that its own resolves to."""
    match = binding.match
    account = trim(_text(match.account_id))
    state, kind, peer_id = _peer(match.peer)
    rule_kind = chat_kind(kind)
    guild, team = trim(_text(match.guild_id)), trim(_text(match.team_id))
    roles = tuple(trim(_text(role)) for role in match.roles)
    return Rule(
        order=order,
        name=f"bindings[{order}]",
        agent_id=agent_id,
        tier=_tier(state, match, guild, team, account),
        channel=token(match.channel),
        account=None if account == "*" else normalize_account_id(account),
        peer=state,
        peer_cls=peer_class(rule_kind) if rule_kind else None,
        peer_kind=rule_kind or kind,
        peer_id=peer_id,
        guild=guild,
        team=team,
        roles=roles,
    )


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _peer(peer: PeerMatch | None) -> tuple[Literal["none", "one", "any", "never"], str, str]:
    if peer is None:
        return "none", "", ""
    peer_id = trim(_text(peer.id))
    if not peer_id or chat_kind(peer.kind) is None:
        return "never", peer.kind, peer_id
    return "any" if peer_id == "*" else "one", peer.kind, peer_id


def _tier(state: str, match: Match, guild: str, team: str, account: str) -> MatchedBy:
    if state == "one":
        return "binding.peer"
    if state == "any":
        return "binding.peer.wildcard"
    if guild:
        return "binding.guild+roles" if match.roles else "binding.guild"
    if team:
        return "binding.team"
    return "binding.channel" if account == "*" else "binding.account"


Slot = tuple[str, ...]


class Shape(NamedTuple):
    """Which fields a rule asks for. Rules of one shape are told apart by their values alone."""

    account: bool
    peer: Literal["none", "one", "any"]
    guild: bool
    team: bool
    roles: bool

    def slots(
        self, account: str, peer: PeerFacts | None, guild: str, team: str, roles: Iterable[str]
    ) -> list[Slot]:
        """Where rules of this shape with these values are kept: one slot, or one per role."""
        cls = peer.cls if peer and self.peer != "none" else ""
        slot = (
            account if self.account else "*",
            cls,
            peer.id if peer and self.peer == "one" else "",
            guild if self.guild else "",
            team if self.team else "",
        )
        return [(*slot, role) for role in roles] if self.roles else [slot]


class _Table:
    """The rules of one channel: for each tier its shapes, for each shape its slots."""

    __slots__ = ("tiers",)

    def __init__(self) -> None:
        self.tiers: dict[MatchedBy, dict[Shape, dict[Slot, list[Rule]]]] = {}

    def add(self, rule: Rule) -> None:
        if rule.peer == "never":
            return
        shape = Shape(
            rule.account is not None,
            rule.peer,
            bool(rule.guild),
            bool(rule.team),
            bool(rule.roles),
        )
        kind = chat_kind(rule.peer_kind) or "dm"
        peer = PeerFacts(peer_class(kind), rule.peer_id, kind)
        held = self.tiers.setdefault(rule.tier, {}).setdefault(shape, {})
        for slot in shape.slots(rule.account or "", peer, rule.guild, rule.team, rule.roles):
            held.setdefault(slot, []).append(rule)

    def first(self, tier: MatchedBy, facts: Facts, peer: PeerFacts | None) -> Rule | None:
        """The earliest rule of a tier that holds for a message."""
        best: Rule | None = None
        for shape, held in self.tiers.get(tier, _NO_SHAPES).items():
            for slot in shape.slots(facts.account, peer, facts.guild, facts.team, facts.roles):
                for rule in held.get(slot, ()):
                    if best and best.order < rule.order:
                        break
                    if rule.failure(facts, peer) is None:
                        best = rule
                        break
        return best


_NO_SHAPES: dict[Shape, dict[Slot, list[Rule]]] = {}


class BindingIndex:
    """All bindings of a config, by channel, tier and shape. Built once, never changed."""

    __slots__ = ("_channels", "rules")

    def __init__(self, bindings: Iterable[Binding], resolve: Callable[[str], str]):
        """Compile `bindings`; `resolve` turns an agent id as written into an agent's."""
        self.rules = tuple(
            compile_rule(binding, order, resolve(binding.agent_id))
            for order, binding in enumerate(bindings)
            if binding.type == "route"
        )
        self._channels: dict[str, _Table] = {}
        for rule in self.rules:
            if rule.channel:
                self._channels.setdefault(rule.channel, _Table()).add(rule)

    def find(self, facts: Facts) -> tuple[Rule, MatchedBy] | None:
        """The rule that claims a message and the tier it won in; None leaves it to others."""
        table = self._channels.get(facts.channel)
        if table is None:
            return None
        peer, parent = facts.peer, facts.parent
        if peer and (rule := table.first("binding.peer", facts, peer)):
            return rule, "binding.peer"
        if parent and parent.id and (rule := table.first("binding.peer", facts, parent)):
            return rule, "binding.peer.parent"
        for tier in _BELOW_PEER:
            if tier in table.tiers and (rule := table.first(tier, facts, peer)):
                return rule, tier
        return None

    def place(self, facts: Facts) -> Iterator[tuple[Rule, MatchedBy, Failure | None]]:
        """Every rule with its tier for this message and the field that fails it."""
        for rule in self.rules:
            tier, failed = rule.place(facts)
            yield rule, tier, failed


_BELOW_PEER = TIERS[2:-1]
