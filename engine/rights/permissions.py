"""Who may use which commands and tools: one function decides and names its rule (SPEC §4).

The operator at the terminal is admin. Everybody else has the profile that `permissions.assign`
gives them, else `permissions.default`. Assignments are found as bindings are: the most specific
tier wins, within it the first listed; people come before groups of people, these before the
tiers of bindings. What is not plainly allowed is not allowed: an unknown profile allows nothing,
and an assignment whose match says nothing, or leaves open on which channel, holds for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from engine.config.schema import Assign, AssignMatch, Binding, Config, Match, Profile
from engine.errors import Problem
from engine.routing.access import is_operator, normalize_sender, sender_id
from engine.routing.bindings import TIERS, Facts, MatchedBy, Rule, compile_rule
from engine.routing.envelope import Envelope
from engine.routing.identity import IdentityLinks
from engine.routing.ids import token, trim
from engine.routing.patterns import matches
from engine.routing.router import facts_of

__all__ = [
    "USER_COMMANDS",
    "Grant",
    "Permission",
    "PermissionTable",
    "Principal",
    "decide",
    "may_call",
    "may_use",
]

USER_COMMANDS = frozenset({"new", "help", "status"})
"""Commands of the default profile `user` (SPEC §4)."""

BUILT_IN = {
    "admin": Profile(commands=("*",), tools=("*",)),
    "user": Profile(commands=tuple(sorted(USER_COMMANDS))),
}
"""Profiles that are there unless the config gives its own."""

Kind = Literal["command", "tool"]


class Grant(Struct, frozen=True):
    """What a person has been given, and by which rule (`permissions.assign[2]`)."""

    profile: str
    commands: tuple[str, ...]
    tools: tuple[str, ...]
    rule: str


_ADMIN = Grant("admin", ("*",), ("*",), "the operator at the terminal is admin")
_USER = Grant("user", BUILT_IN["user"].commands, (), "permissions.default")


@dataclass(frozen=True, slots=True)
class Principal:
    """For whom something is done: the operator, or a person on a channel.

    `id` is unique among principals: `operator`, or `channel:account:peer`. `grant` comes from
    `PermissionTable.grant`; without one a person has the profile `user` of the SPEC's default.
    """

    id: str
    name: str = ""
    grant: Grant | None = field(default=None, compare=False, repr=False)

    @property
    def is_operator(self) -> bool:
        return self.id == "operator"


class Permission(Struct, frozen=True):
    """The decision and the rule it comes from."""

    allowed: bool
    rule: str


def decide(principal: Principal, kind: Kind, name: str) -> Permission:
    """Whether a person may use a slash command (named without its slash) or a tool."""
    if principal.is_operator:
        return Permission(True, _ADMIN.rule)
    grant = principal.grant or _USER
    allowed = _listed(grant.commands if kind == "command" else grant.tools, name)
    what = f"/{name}" if kind == "command" else f"the tool {name}"
    verb = "allows" if allowed else "does not allow"
    return Permission(allowed, f"profile {grant.profile} {verb} {what} ({grant.rule})")


def may_use(principal: Principal, command: str) -> Permission:
    """Whether `principal` may run the slash command named (without its slash)."""
    return decide(principal, "command", command)


def may_call(principal: Principal, tool: str) -> Permission:
    """Whether a tool may be called on behalf of `principal`."""
    return decide(principal, "tool", tool)


def _listed(patterns: Iterable[str], name: str) -> bool:
    wanted = token(name)
    return any(matches(tuple(token(one).removeprefix("/").split("*")), wanted) for one in patterns)


Tier = Literal["people", "groups", MatchedBy]
_ORDER: tuple[Tier, ...] = ("people", "groups", *TIERS)
_RANK: dict[Tier, int] = {tier: rank for rank, tier in enumerate(_ORDER)}


class _Compiled(Struct, frozen=True):
    """An assignment: who (people, members of groups; None where the match does not ask) and
    where (None: on any channel)."""

    order: int
    profile: str
    people: tuple[str, ...] | None
    members: tuple[str, ...] | None
    rule: Rule | None

    def tier(self, facts: Facts, names: frozenset[str]) -> Tier | None:
        """The tier in which this holds for a message; None when it does not."""
        for asked in (self.people, self.members):
            if asked is not None and names.isdisjoint(asked):
                return None
        tier, failed = self.rule.place(facts) if self.rule else (TIERS[-1], None)
        if failed is not None:
            return None
        if self.people is not None:
            return "people"
        return tier if self.members is None else "groups"


class PermissionTable:
    """The permissions of one config, compiled once."""

    __slots__ = ("_assigned", "_default", "_links", "_profiles", "problems")

    def __init__(self, config: Config):
        given = config.permissions
        self._links = IdentityLinks(config.session.identity_links)
        self._profiles = BUILT_IN | given.profiles
        self._default = given.default
        found: list[Problem] = []
        self._assigned = tuple(
            compiled
            for order, assign in enumerate(given.assign)
            if (compiled := _compile(order, assign, given.groups, found))
        )
        named = [(f"assign[{order}].profile", a.profile) for order, a in enumerate(given.assign)]
        found += [
            Problem(
                f'there is no profile "{profile}": it allows nothing',
                path=f"permissions.{place}",
                hint="profiles: " + ", ".join(sorted(self._profiles)),
            )
            for place, profile in [*named, ("default", given.default)]
            if profile not in self._profiles
        ]
        self.problems = tuple(found)
        """Assignments that hold for nobody, profiles and groups that are not there."""

    def grant(self, envelope: Envelope) -> Grant:
        """What the sender of a message has been given."""
        if is_operator(envelope):
            return _ADMIN
        facts, names = facts_of(envelope), self._names(envelope)
        holding = [
            (_RANK[tier], one.order, one.profile)
            for one in self._assigned
            if (tier := one.tier(facts, names)) is not None
        ]
        if not holding:
            return self._granted(self._default, "permissions.default")
        _, order, profile = min(holding)
        return self._granted(profile, f"permissions.assign[{order}]")

    def _granted(self, name: str, rule: str) -> Grant:
        profile = self._profiles.get(name, Profile())
        return Grant(name, profile.commands, profile.tools, rule)

    def _names(self, envelope: Envelope) -> frozenset[str]:
        """What the sender may be called in a list of people: `channel:id`, and a linked person's
        name. Never a bare id, which could be somebody else's on another channel."""
        sender = sender_id(envelope)
        scoped = _scoped(envelope.channel, sender)
        person = self._links.person(envelope.channel, sender)
        return frozenset(name for name in (scoped, token(person or "")) if name)


def _scoped(channel: str, sender: str) -> str:
    """`channel:id` with both in the form in which they are compared; "" for nobody."""
    found = normalize_sender(channel, sender)
    return f"{token(channel)}:{found}" if found else ""


def _compile(
    order: int, assign: Assign, groups: dict[str, tuple[str | int, ...]], found: list[Problem]
) -> _Compiled | None:
    match, place = assign.match, f"permissions.assign[{order}].match"
    if wrong := _void(match):
        found.append(Problem(f"{wrong[0]}: it holds for nobody", path=place, hint=wrong[1]))
        return None
    members: list[str] = []
    for name in match.groups:
        if name not in groups:
            message = f'there is no group of people "{name}"'
            found.append(Problem(message, path=f"{place}.groups"))
        members += map(str, groups.get(name, ()))
    return _Compiled(
        order,
        assign.profile,
        _people(map(str, match.people), match.channel) if match.people else None,
        _people(members, match.channel) if match.groups else None,
        _rule(match, order),
    )


def _void(match: AssignMatch) -> tuple[str, str] | None:
    """Why a match holds for nobody, with a hint."""
    where = (match.account_id, match.peer, match.guild_id, match.team_id, match.roles or None)
    if trim(match.channel or ""):
        return None
    if any(one is not None for one in where):
        return "the match names no channel for its ids", "ids mean something on one channel only"
    if not match.people and not match.groups:
        return "the match is empty", "permissions.default is for everybody else"
    return None


def _rule(match: AssignMatch, order: int) -> Rule | None:
    """The part of a match that reads as a binding's; None for people on any channel."""
    if match.channel is None or not trim(match.channel):
        return None
    binding = Match(
        channel=match.channel,
        account_id=match.account_id,
        peer=match.peer,
        guild_id=match.guild_id,
        team_id=match.team_id,
        roles=match.roles,
    )
    return compile_rule(Binding(agent_id="", match=binding), order, "")


def _people(entries: Iterable[str], channel: str | None) -> tuple[str, ...]:
    """Entries as `_names` spells them; with a channel a bare entry is an id there as well."""
    names: list[str] = []
    for entry in entries:
        head, colon, rest = trim(entry).partition(":")
        if colon:
            names.append(_scoped(head, rest))
            continue
        names.append(token(entry))
        if channel is not None:
            names.append(_scoped(channel, entry))
    return tuple(name for name in names if name)
