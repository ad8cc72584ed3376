"""The bindings of a config as a person reads them: what they match, their use, what is amiss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from engine.config.document import dotted
from engine.config.schema import Binding, Match
from engine.errors import Problem
from engine.routing.bindings import TIERS, Rule, Tier
from engine.routing.envelope import Envelope, Peer
from engine.routing.ids import chat_kind, token, trim
from engine.routing.lint import Lint, lint_config
from engine.routing.patterns import Pattern
from engine.routing.usage import NEVER, Seen, Use, use_by_rule
from engine.text import safe_line
from engine.turns.order import Setup

__all__ = ["BindingRow", "Study", "example_of", "match_words", "study", "tier_name"]


_TIERS: dict[Tier, str] = {
    "binding.peer": "peer",
    "binding.peer.parent": "parent",
    "binding.peer.wildcard": "any peer",
    "binding.guild+roles": "gld+roles",
    "binding.guild": "guild",
    "binding.team": "team",
    "binding.account": "account",
    "binding.channel": "channel",
    "routing": "pattern",
    "default": "default",
}


def tier_name(tier: Tier) -> str:
    """A tier in one or two short words."""
    return _TIERS[tier]


class BindingRow(Struct, frozen=True):
    """One rule.

    Attributes:
        key: where it stands in the config, as routes and traces name it: `bindings[3]`.
        index: its place in the file's `bindings`; None for what is written elsewhere.
        place: what to look for in the file, as a dotted path.
        tier: by which it wins.
        match: what it asks for, safe.
        agent: who answers, safe.
        use: the messages that it decided.
        problems: what lint and the config's check say of it.
        example: a message that lint shows, else one that it asks for.
    """

    key: str
    index: int | None
    place: str
    tier: Tier
    match: str
    agent: str
    use: Use
    problems: tuple[Problem, ...]
    example: Envelope


class Study(Struct, frozen=True):
    """What the Routing screen shows of a config: its rules, most specific first, and what lint
    says that is of no single rule."""

    rows: tuple[BindingRow, ...]
    general: tuple[Problem, ...]

    def at(self, key: object) -> BindingRow | None:
        return next((row for row in self.rows if row.key == key), None)


def study(setup: Setup, seen: Seen, names: Mapping[Envelope, str] | None = None) -> Study:
    """Look at a config. Costs about what linting it costs.

    Args:
        names: what the senders of some of the messages called themselves.
    """
    uses = use_by_rule(setup.router, seen)
    lints = lint_config(setup.config)
    found = [Lint("file", problem) for problem in setup.snapshot.problems]
    told = _Told([*found, *lints], uses)
    people = _people(names or {})
    config, router = setup.config, setup.router
    rules = sorted(router.rules, key=lambda rule: (TIERS.index(rule.tier), rule.order))
    rows = [_of_rule(rule, config.bindings[rule.order], told, people) for rule in rules]
    rows += [_of_pattern(pattern, told) for pattern in router.patterns]
    rows.append(told.row("default", None, "agents", "default", "all else", router.agents.default))
    return Study(tuple(rows), tuple(told.rest()))


class _Told:
    """What lint says, given out to the rules that it is about."""

    def __init__(self, lints: list[Lint], uses: dict[str, Use]):
        self._lints = lints
        self._uses = uses
        self._given: set[int] = set()

    def row(
        self,
        key: str,
        index: int | None,
        place: str,
        tier: Tier,
        match: str,
        agent: str,
        example: Envelope | None = None,
    ) -> BindingRow:
        own = [] if key == "default" else list(self._about(place))
        shown = next((lint.examples[0] for lint in own if lint.examples), example)
        return BindingRow(
            key,
            index,
            place,
            tier,
            match,
            safe_line(agent, limit=64),
            self._uses.get(key, NEVER),
            tuple(dict.fromkeys(lint.problem for lint in own)),
            shown or Envelope("terminal"),
        )

    def _about(self, place: str) -> Iterator[Lint]:
        for number, lint in enumerate(self._lints):
            path = lint.problem.path or ""
            if path == place or (path.startswith(place) and path[len(place)] in ".["):
                self._given.add(number)
                yield lint

    def rest(self) -> Iterator[Problem]:
        for number, lint in enumerate(self._lints):
            if number not in self._given:
                yield lint.problem


_People = Mapping[tuple[str, str], str]
"""What those who write directly are called, by channel and id."""


def _people(names: Mapping[Envelope, str]) -> _People:
    direct = ((one, name) for one, name in names.items() if one.peer and one.peer.kind == "dm")
    return {(token(one.channel), trim(one.peer.id)): name for one, name in direct if one.peer}


def _of_rule(rule: Rule, binding: Binding, told: _Told, people: _People) -> BindingRow:
    head, _, name = (binding.comment or "").partition("from agents.")
    elsewhere = bool(name) and not head
    place = dotted(("agents", name)) if elsewhere else rule.name
    index = None if elsewhere else rule.order
    asked, example = binding.match, example_of(binding.match)
    direct = asked.peer is not None and chat_kind(asked.peer.kind) == "dm"
    peer = trim(str(asked.peer.id)) if direct and asked.peer else ""
    match = match_words(asked, people.get((token(asked.channel), peer), ""))
    written = binding.agent_id.strip()
    agent = written if written.lower() == rule.agent_id else f"{written} → {rule.agent_id}"
    return told.row(rule.name, index, place, rule.tier, match, agent, example)


def _of_pattern(pattern: Pattern, told: _Told) -> BindingRow:
    place = dotted(("routing", pattern.text))
    match = safe_line(pattern.text, limit=120)
    return told.row(pattern.name, None, place, "routing", match, pattern.agent_id)


def match_words(match: Match, called: str = "") -> str:
    """What a binding asks for: `telegram · dm · alice`, `discord · guild 742 · roles staff`.

    Args:
        called: the name of its peer, to stand before the id: `telegram · dm · Alice (111)`.
    """
    words = [match.channel or "no channel"]
    account = str(match.account_id or "").strip()
    if account == "*":
        words.append("any account")
    elif account and account != "default":
        words.append(f"account {account}")
    if match.peer is not None:
        kind = chat_kind(match.peer.kind) or match.peer.kind
        peer_id = str(match.peer.id)
        named = f"{safe_line(called, limit=30)} ({peer_id})"
        other = called and called.casefold() != peer_id.casefold()
        words += [kind, "anybody" if peer_id == "*" else named if other else peer_id]
    for name, value in (("guild", match.guild_id), ("team", match.team_id)):
        if value is not None:
            words.append(f"{name} {value}")
    if match.roles:
        words.append(f"roles {' | '.join(map(str, match.roles))}")
    return " · ".join(safe_line(word, limit=60) for word in words)


def example_of(match: Match) -> Envelope:
    """A message that has just what a binding asks for."""
    account = str(match.account_id or "").strip()
    kind = chat_kind(match.peer.kind) if match.peer is not None else "dm"
    peer_id = str(match.peer.id) if match.peer is not None else "*"
    roles = (str(match.roles[0]),) if match.roles else ()
    return Envelope(
        match.channel,
        account_id=account if account not in ("", "*") else "default",
        peer=Peer(kind or "dm", "someone" if peer_id == "*" else peer_id),
        guild_id=str(match.guild_id) if match.guild_id is not None else None,
        team_id=str(match.team_id) if match.team_id is not None else None,
        member_role_ids=roles,
    )
