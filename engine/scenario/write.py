"""From a Scenario to the text of a file that `read_scenario` reads back to the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.clock import iso
from engine.routing.envelope import Envelope, Peer
from engine.routing.read import read_envelope
from engine.scenario.values import Expectation, Message, Scenario, Step, Texts, User

__all__ = ["scenario_text"]

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ROOM = 88
"""Columns up to which a value stays on one line."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def scenario_text(scenario: Scenario, comment: str = "") -> str:
    """The scenario as JSON5, laid out for reading.

    Args:
        comment: lines that stand above it.
    """
    parts: dict[str, Any] = {"name": scenario.name}
    if scenario.about:
        parts["about"] = scenario.about
    parts |= {"seed": scenario.seed, "clock": iso(scenario.clock), "config": scenario.config}
    parts["users"] = {name: _user(user) for name, user in scenario.users.items()}
    parts["steps"] = list(_steps(scenario))
    if scenario.exposed is not None:
        parts["expect"] = {"exposed": [list(pair) for pair in sorted(scenario.exposed)]}
    head = "".join(f"// {line}".rstrip() + "\n" for line in comment.splitlines())
    return f"{head}{dumped(parts, open_to=1)}\n"


# facts


def _peer(peer: Peer | None) -> str | None:
    return f"{peer.kind}:{peer.id}" if peer is not None else None


def _facts(envelope: Envelope) -> dict[str, Any]:
    """What an envelope says, in the names of a scenario; what it does not say is left out."""
    account = envelope.account_id if envelope.account_id != "default" else None
    found = {
        "channel": envelope.channel,
        "account": account,
        "peer": _peer(envelope.peer),
        "parent": _peer(envelope.parent_peer),
        "thread": envelope.thread_id,
        "guild": envelope.guild_id,
        "team": envelope.team_id,
        "roles": list(envelope.member_role_ids) or None,
        "tenant": envelope.tenant_id,
        "sender": envelope.sender.id if envelope.sender is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _identity(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An identity; in a direct message the peer tells who writes."""
    found = _facts(read_envelope(facts))
    peer = str(found.get("peer", ""))
    if peer.startswith("dm:") and found.get("sender") == peer.removeprefix("dm:"):
        del found["sender"]
    return found


def _shown(user: User) -> str:
    """The name that a user goes by, as the identities have it."""
    for facts in user.identities.values():
        sender = read_envelope(facts).sender
        if sender is not None and sender.name:
            return sender.name
    return user.name


def _user(user: User) -> dict[str, Any]:
    shown = _shown(user)
    name = {"name": shown} if shown != user.name else {}
    known = {via: _identity(facts) for via, facts in user.identities.items()}
    only = next(iter(known)) if len(known) == 1 else None
    if only is not None and known[only]["channel"] == only:
        return {**name, **known[only]}
    placed = {
        via: {key: value for key, value in facts.items() if key != "channel" or value != via}
        for via, facts in known.items()
    }
    return {**name, "on": placed}


# steps


def _steps(scenario: Scenario) -> Iterator[dict[str, Any]]:
    count = 0
    for step in scenario.steps:
        said = []
        for message in step.messages:
            count += 1
            said.append(_message(message, scenario.users[message.user], f"#{count}"))
        yield _step(step, said)


def _step(step: Step, said: list[dict[str, Any]]) -> dict[str, Any]:
    match step.kind:
        case "say":
            return said[0]
        case "atOnce" | "reorder":
            return {step.kind: said}
        case "drop":
            return {"drop": said[0]}
        case "redeliver":
            times = {"times": step.times} if step.times != 1 else {}
            return {"redeliver": step.value, **times, **_expect(step.expect)}
        case "wait":
            return {"wait": _span(step.value)}
        case "clock":
            return {"clock": iso(step.value)}
        case "config":
            return {"config": step.value, **({"during": said[0]} if said else {})}
        case "undo" | "restart":
            return {step.kind: True}
    return {step.kind: step.value}


def _message(message: Message, user: User, unnamed: str) -> dict[str, Any]:
    identity = read_envelope(user.identities[message.via])
    here, usual = _facts(read_envelope(message.facts)), _facts(identity)
    own = {name: value for name, value in here.items() if usual.get(name) != value}
    first = next(iter(user.identities))
    return {
        "as": message.user,
        **({"via": message.via} if message.via != first else {}),
        **own,
        **({"mention": True} if message.facts.get("mentionsAgent") else {}),
        "say": message.text,
        **({"id": message.id} if message.id != unnamed else {}),
        **_expect(message.expect),
    }


def _span(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:f}".rstrip("0").rstrip(".") + "s"


def _expect(expect: Expectation) -> dict[str, Any]:
    found = {
        "agent": expect.agent,
        "key": expect.key,
        "matchedBy": expect.matched_by,
        "outcome": expect.outcome,
        "sameSession": _short(expect.same_session),
        "otherSession": _short(expect.other_session),
        "reply": _texts(expect.reply),
        "request": _texts(expect.request),
    }
    given = {name: value for name, value in found.items() if value is not None}
    return {"expect": given} if given else {}


def _texts(texts: Texts | None) -> dict[str, Any] | None:
    if texts is None:
        return None
    found = {
        "contains": _short(texts.contains),
        "never": _short(texts.never),
        "matches": texts.matches,
    }
    return {name: value for name, value in found.items() if value is not None}


def _short(values: tuple[str, ...]) -> str | list[str] | None:
    return list(values) if len(values) > 1 else values[0] if values else None


# JSON5


def dumped(value: Any, indent: int = 0, *, open_to: int = 0) -> str:
    """A value as JSON5: on one line where it fits, and always open above level `open_to`."""
    flat = _flat(value)
    if indent >= open_to and len(flat) + 2 * indent <= _ROOM:
        return flat
    if isinstance(value, Mapping) and value:
        rows = [
            f"{_name(name)}: {dumped(inner, indent + 1, open_to=open_to)}"
            for name, inner in value.items()
        ]
        return _block("{", rows, "}", indent)
    if isinstance(value, list | tuple) and value:
        rows = [dumped(inner, indent + 1, open_to=open_to) for inner in value]
        return _block("[", rows, "]", indent)
    return flat


def _block(start: str, rows: Iterable[str], end: str, indent: int) -> str:
    room = "  " * (indent + 1)
    return start + "\n" + "".join(f"{room}{row},\n" for row in rows) + "  " * indent + end


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_name(name)}: {_flat(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _name(name: object) -> str:
    text = str(name)
    return text if _PLAIN.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    """A string; what is not plainly to be seen is written as an escape."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if _seen(one) else _escaped(one) for one in quoted)


def _seen(char: str) -> bool:
    return char.isprintable() or ord(char) > 0xFFFF


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}"
