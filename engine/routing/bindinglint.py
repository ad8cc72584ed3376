"""Bindings and routing patterns that never decide, each with a message that shows it.

Whether a binding can win is decided exactly. A message that has just what the binding asks for,
new values where it leaves things open, and none of the rest, fulfils fewer other bindings than any
other message that the binding matches; so if another one claims that message, it or a stronger
one claims them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine.config.scan import KeyPath
from engine.config.schema import Channel, Config
from engine.routing.bindings import BindingIndex, Rule
from engine.routing.envelope import Envelope, Peer
from engine.routing.ids import normalize_account_id, token
from engine.routing.lintfound import Found
from engine.routing.patterns import Pattern, base_keys, compile_patterns, matches
from engine.routing.router import AgentTable, Router, facts_of
from engine.values import replace

__all__ = ["lint_bindings", "lint_patterns"]


def _fresh(word: str, taken: set[str]) -> str:
    """A word that none of `taken` is."""
    while word in taken:
        word += "x"
    return word


class _Bindings:
    """Compiled bindings, and messages that are made to fulfil as few of them as possible."""

    def __init__(self, config: Config):
        self.index = BindingIndex(config.bindings, AgentTable(config.agents).resolve)
        rules = self.index.rules
        self.account = _fresh("another", {rule.account or "" for rule in rules})
        self.peer = _fresh("someone", {rule.peer_id for rule in rules})

    def messages(self, rule: Rule, account: str | None = None) -> list[Envelope]:
        """The weakest messages that a rule matches, one for each of its roles.

        `account` is for rules that take any; else one that no rule names is used.
        """
        peer = None
        if rule.peer != "none":
            kind: Literal["dm", "group"] = "dm" if rule.peer_cls == "dm" else "group"
            peer = Peer(kind, self.peer if rule.peer == "any" else rule.peer_id)
        base = Envelope(
            rule.channel,
            account_id=rule.account or account or self.account,
            peer=peer,
            guild_id=rule.guild or None,
            team_id=rule.team or None,
        )
        return [replace(base, member_role_ids=(role,)) for role in rule.roles] or [base]

    def winner(self, envelope: Envelope) -> Rule | None:
        found = self.index.find(facts_of(envelope))
        return found[0] if found else None

    def losses(self, rule: Rule, account: str | None = None) -> list[tuple[Envelope, Rule | None]]:
        """Messages of a rule with who claims them, empty if the rule itself claims one."""
        claimed = [(one, self.winner(one)) for one in self.messages(rule, account)]
        return [] if any(winner is rule for _, winner in claimed) else claimed


def _place(config: Config, order: int) -> KeyPath:
    """Where a binding stands in the file; an agent by name stands for bindings of its own."""
    head, _, name = (config.bindings[order].comment or "").partition("from agents.")
    return ("agents", name) if name and not head else ("bindings", order)


def lint_bindings(config: Config) -> Iterator[Found]:
    """Bindings that never decide, and accounts that are not there."""
    all_ = _Bindings(config)
    for rule in all_.index.rules:
        path = _place(config, rule.order)
        if rule.peer == "never" or not rule.channel:
            example = all_.messages(rule)[0]
            wrong = "its peer has no id" if rule.channel else "it names no channel"
            winner = all_.winner(example)
            yield Found(
                "binding_unreachable",
                path,
                f"no message matches this binding: {wrong}",
                "write the id, or * for any" if rule.channel else "give a channel",
                (example,),
                winner.name if winner else "default",
            )
        elif losses := all_.losses(rule):
            yield _shadowed(rule, path, losses)
        else:
            yield from _accounts(config, all_, rule, path)


def _asks(rule: Rule) -> tuple[object, ...]:
    """What a rule asks for, whatever its place and agent."""
    same = (rule.channel, rule.account, rule.peer, rule.peer_cls, rule.peer_id, rule.guild)
    return (*same, rule.team, frozenset(rule.roles))


def _shadowed(rule: Rule, path: KeyPath, losses: list[tuple[Envelope, Rule | None]]) -> Found:
    winners = {winner.name: winner for _, winner in losses if winner}
    example, first = losses[0]
    assert first is not None  # `rule` itself matches the example, so somebody claims it
    twin = next((one for one in winners.values() if _asks(one) == _asks(rule)), None)
    same = {one.agent_id for one in winners.values()} == {rule.agent_id}
    effect = "the same agent" if same else f"agent {first.agent_id}"
    if twin:
        message = f"never decides: {twin.name} asks for exactly the same ({effect})"
    else:
        names = ", ".join(sorted(winners, key=lambda name: winners[name].order))
        message = f"never decides: every message it matches goes to {names} ({effect})"
    return Found(
        "binding_duplicate" if twin else "binding_shadowed",
        path,
        message,
        "remove it, or move it up" if twin or first.tier == rule.tier else "remove it",
        (example,),
        first.name,
    )


def _channel(config: Config, name: str) -> Channel | None:
    return next((value for key, value in config.channels.items() if token(key) == name), None)


def _accounts(config: Config, all_: _Bindings, rule: Rule, path: KeyPath) -> Iterator[Found]:
    """What the accounts that the config names for a channel mean for a binding that could win."""
    channel = _channel(config, rule.channel)
    if channel is None:
        return
    known = {normalize_account_id(name) for name in channel.accounts} or {"default"}
    if rule.account is not None:
        if channel.accounts and rule.account not in known | {"default"}:
            yield Found(
                "account_unknown",
                (*path, "match", "accountId") if path[0] == "bindings" else path,
                f'{rule.channel} has no account "{rule.account}"',
                "accounts: " + ", ".join(sorted(known)),
                (all_.messages(rule)[0],),
                rule.name,
            )
        return
    losses = [all_.losses(rule, account) for account in sorted(known)]
    if all(losses):
        example, winner = losses[0][0]
        yield Found(
            "binding_unreachable",
            path,
            f"can never win: every account of {rule.channel} ({', '.join(sorted(known))}) is"
            " claimed by other bindings",
            "it decides only for accounts that the config does not name",
            (example,),
            winner.name if winner else "default",
        )


_STAND_IN = "\x01"
"""A character that no pattern holds: what matches it takes anything in its place."""


def lint_patterns(config: Config) -> Iterator[Found]:
    """Entries of `routing` that an earlier one covers."""
    router = Router(config)
    patterns = compile_patterns(config.routing, router.agents.resolve)
    for at, pattern in enumerate(patterns):
        broadest = _STAND_IN.join(pattern.parts)
        first = next((one for one in patterns[:at] if matches(one.parts, broadest)), None)
        if first is None:
            continue
        for example in _pattern_messages(pattern):
            winner = next(step for step in router.route(example).trace if step.won)
            if winner.tier == "routing":
                yield Found(
                    "pattern_shadowed",
                    ("routing", pattern.text),
                    f"never decides: {first.name} comes first and has every message it matches",
                    "put the more exact pattern first",
                    (example,),
                    winner.rule,
                )
                break


def _pattern_messages(pattern: Pattern) -> Iterator[Envelope]:
    """Messages that a pattern matches."""
    channel, _, rest = "x".join(pattern.parts).partition(":")
    second, _, third = rest.partition(":")
    kinds: dict[str, Literal["dm", "group", "channel"]] = {
        "dm": "dm",
        "group": "group",
        "channel": "channel",
    }
    if second in kinds:
        yield from _if_matched(pattern, Envelope(channel, peer=Peer(kinds[second], third or "x")))
    peer = Peer("channel", third or "x")
    yield from _if_matched(pattern, Envelope(channel, guild_id=second or None, peer=peer))


def _if_matched(pattern: Pattern, envelope: Envelope) -> Iterator[Envelope]:
    if pattern.failure(base_keys(facts_of(envelope))) is None:
        yield envelope
