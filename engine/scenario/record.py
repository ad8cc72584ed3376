"""Keeping what was done by hand, as a scenario that does it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.config.schema import Config
from engine.scenario.cast import Persona, facts_of
from engine.scenario.told import Leak, Said
from engine.scenario.values import Expectation, Message, Scenario, Step, User
from engine.values import replace

__all__ = ["BY_HAND", "Recorder", "patch_between", "routing_part"]

BY_HAND = "hand-"
"""How the ids of messages begin that no scenario gave."""

_PARTS = ("session", "bindings", "routing", "channels", "permissions")
_OF_AGENT = ("id", "default", "name", "groupChat")


class Recorder:
    """Steps in the order in which they were begun.

    Args:
        config: what was in force at the start, as an object.
        clock: the time at the start, ms since 1970.
        seed: what was shuffled is shuffled by it.
        users: those of the scenario that is being played.
        outcomes: whether outcomes and exposures will come out alike, as they do from an empty
            state dir; else only keys are expected.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        clock: int,
        seed: int,
        users: Mapping[str, User] | None = None,
        *,
        outcomes: bool = True,
    ):
        self._config = config
        self._clock = clock
        self._seed = seed
        self._users = dict(users or {})
        self._outcomes = outcomes
        self._steps: list[Step] = []
        self._heard: dict[str, Said] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def note(self, step: Step) -> None:
        """A step begins."""
        self._steps.append(step)

    def heard(self, said: Iterable[Said]) -> None:
        """What came of messages; it is expected when they are said again."""
        for one in said:
            self._heard.setdefault(one.message.id, one)

    def scenario(
        self,
        name: str,
        people: Iterable[Persona],
        leaks: Iterable[Leak] = (),
        *,
        about: str = "",
    ) -> Scenario:
        """All of it as a scenario. Messages by hand are named by their number.

        Args:
            people: everybody who spoke.
            leaks: who saw whose words.
        """
        users = _users(self._users, people)
        names: dict[str, str] = {}
        for step in self._steps:
            for message in step.messages:
                by_hand = message.id.startswith(BY_HAND)
                names[message.id] = f"#{len(names) + 1}" if by_hand else message.id
        steps = tuple(self._step(step, users, names) for step in self._steps)
        exposed = frozenset((one.reader, one.author) for one in leaks if not one.blocked)
        known = all({*pair} <= users.keys() for pair in exposed)
        return Scenario(
            name,
            about,
            self._seed,
            self._clock,
            self._config,
            users,
            steps,
            exposed if self._outcomes and known else None,
        )

    def _step(self, step: Step, users: Mapping[str, User], names: Mapping[str, str]) -> Step:
        said = tuple(self._message(one, users, names, step) for one in step.messages)
        value = names.get(step.value, step.value) if step.kind == "redeliver" else step.value
        return replace(step, messages=said, value=value, line=0)

    def _message(
        self, message: Message, users: Mapping[str, User], names: Mapping[str, str], step: Step
    ) -> Message:
        name = names[message.id]
        expect = self._expect(message, step)
        facts = {**message.facts, "messageId": name}
        via = message.via or next(iter(users[message.user].identities))
        return replace(message, id=name, facts=facts, expect=expect, via=via)

    def _expect(self, message: Message, step: Step) -> Expectation:
        """What a scenario says of a message stays; of one by hand, what came of it."""
        said = self._heard.get(message.id)
        if said is None or step.kind == "drop" or not message.id.startswith(BY_HAND):
            return message.expect
        return Expectation(key=said.key, outcome=said.outcome if self._outcomes else None)


def _users(known: Mapping[str, User], people: Iterable[Persona]) -> dict[str, User]:
    """The users of a scenario, and whoever came by hand."""
    users = dict(known)
    for one in people:
        user = users.get(one.user, User(one.user, {}))
        if one.via not in user.identities:
            identities = {**user.identities, one.via: facts_of(one.envelope)}
            users[one.user] = User(one.user, identities)
    return users


def routing_part(config: Config) -> dict[str, Any]:
    """What of a config decides where messages go and who may write, as an object. Models, keys
    and folders stay out of it: a recording is answered by the offline model."""
    raw: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    kept = {name: raw[name] for name in _PARTS if name in raw}
    agents = raw.get("agents", {})
    if listed := agents.get("list"):
        kept["agents"] = {
            "list": [{name: one[name] for name in _OF_AGENT if name in one} for one in listed]
        }
    if spoken := raw.get("messages"):
        kept["messages"] = spoken
    return kept


def patch_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What turns `old` into `new` when it is merged in (RFC 7386): None takes away."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := patch_between(before, value):
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch
