"""What a scenario file holds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

__all__ = [
    "Expectation",
    "Message",
    "Scenario",
    "Step",
    "StepKind",
    "Texts",
    "User",
]

StepKind = Literal[
    "say",
    "atOnce",
    "reorder",
    "drop",
    "redeliver",
    "wait",
    "clock",
    "config",
    "undo",
    "restart",
    "approve",
    "reject",
]


class Texts(Struct, frozen=True):
    """What a text must hold, must not hold, and must match."""

    contains: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    matches: str | None = None


class Expectation(Struct, frozen=True):
    """What must hold for a message; None and () are not looked at."""

    agent: str | None = None
    key: str | None = None
    matched_by: str | None = None
    outcome: str | None = None
    same_session: tuple[str, ...] = ()
    other_session: tuple[str, ...] = ()
    reply: Texts | None = None
    request: Texts | None = None


class Message(Struct, frozen=True):
    """Something that a user says. `facts` is an envelope in JSON, ready to be read; `via` names
    the identity that says it."""

    id: str
    user: str
    text: str
    facts: Mapping[str, Any]
    expect: Expectation = Expectation()
    via: str = ""


class User(Struct, frozen=True):
    """A person and their identities: name → facts of an envelope."""

    name: str
    identities: Mapping[str, Mapping[str, Any]]


class Step(Struct, frozen=True):
    """One step.

    Attributes:
        messages: of say, atOnce, reorder, drop; of config those said `during` it.
        value: seconds of wait, ms since 1970 of clock, the patch of config, the message id of
            redeliver, the user of approve and reject.
        line: where it stands in the file.
    """

    kind: StepKind
    messages: tuple[Message, ...] = ()
    value: Any = None
    times: int = 1
    expect: Expectation = Expectation()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. `clock` in ms since 1970; `exposed`: the (reader, author) pairs that must
    come out exactly, None where that is left open."""

    name: str
    about: str
    seed: int
    clock: int
    config: Mapping[str, Any]
    users: Mapping[str, User]
    steps: tuple[Step, ...]
    exposed: frozenset[tuple[str, str]] | None = None
    problems: tuple[Any, ...] = field(default=(), compare=False)
