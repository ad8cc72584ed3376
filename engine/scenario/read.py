"""From a scenario file to a Scenario; the format is described in engine.scenario."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.clock import parse_iso
from engine.config.document import MAX_BYTES, read_document
from engine.config.findings import resemble
from engine.config.scan import KeyPath
from engine.disk import Disk, read_file
from engine.errors import ConfigError, EnvelopeError, Problem
from engine.routing.read import read_envelope
from engine.scenario.shapes import Faults, check
from engine.scenario.values import Expectation, Message, Scenario, Step, StepKind, Texts, User

__all__ = ["START", "load_scenario", "read_scenario"]

START = 1_767_258_000_000
"""2026-01-01T09:00:00Z, where the clock stands unless the file says otherwise."""

_ENDING = ".scenario.json5"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_FACTS: dict[str, Any] = {
    "channel?": "text",
    "account?": "id",
    "peer?": "peer",
    "parent?": "peer",
    "thread?": "id",
    "guild?": "id",
    "team?": "id",
    "roles?": ["id"],
    "tenant?": "id",
    "sender?": "id",
}
_TEXTS = {"contains?": "texts", "never?": "texts", "matches?": "text"}
_EXPECT = {
    "agent?": "text",
    "key?": "text",
    "matchedBy?": "text",
    "outcome?": "text",
    "sameSession?": "texts",
    "otherSession?": "texts",
    "reply?": _TEXTS,
    "request?": _TEXTS,
}
_SAY = {
    "as": "text",
    "say": "text",
    "via?": "text",
    "id?": "text",
    "mention?": "flag",
    "expect?": _EXPECT,
    **_FACTS,
}
_STEPS: dict[StepKind, dict[str, Any]] = {
    "say": _SAY,
    "atOnce": {"atOnce": [_SAY]},
    "reorder": {"reorder": [_SAY]},
    "drop": {"drop": _SAY},
    "redeliver": {"redeliver": "text", "times?": "whole", "expect?": _EXPECT},
    "wait": {"wait": "text"},
    "clock": {"clock": "text"},
    "config": {"config": "object", "during?": _SAY},
    "undo": {"undo": "yes"},
    "restart": {"restart": "yes"},
    "approve": {"approve": "text"},
    "reject": {"reject": "text"},
}
_TOP = {
    "name?": "text",
    "about?": "text",
    "seed?": "whole",
    "clock?": "text",
    "config?": "source",
    "users": "object",
    "steps": ["object"],
    "expect?": {"exposed?": [["text"]]},
}
OUTCOMES = (
    "answered",
    "context",
    "command",
    "duplicate",
    "pairing",
    "blocked",
    "refused",
    "error",
)
_ENVELOPE = {
    "account": "accountId",
    "parent": "parentPeer",
    "thread": "threadId",
    "guild": "guildId",
    "team": "teamId",
    "roles": "memberRoleIds",
    "tenant": "tenantId",
    "mention": "mentionsAgent",
}


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ConfigError: it cannot be read or used; carries every problem with its line.
    """
    try:
        text = read_file(Disk(), path, limit=MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        problem = Problem(f"cannot read the scenario: {reason}", file=str(path))
        raise ConfigError((problem,)) from error
    return read_scenario(text, path)


def read_scenario(text: str, path: Path) -> Scenario:
    """Read the text of a scenario. `path` is named in problems, and a config's path starts there.

    Raises:
        ConfigError: it cannot be used; carries every problem with its line.
    """
    document = read_document(text)
    faults = Faults(document, str(path))
    for fault in document.faults:
        line, column = document.at(fault.offset)
        faults.found.append(
            Problem(fault.message, "error", str(path), line, column, hint=fault.hint)
        )
    made = None
    if document.readable and check(document.value, _TOP, (), faults):
        made = _Reader(document.value, path, faults).scenario()
    if made is None or faults.found:
        raise ConfigError(tuple(faults.found), remedy="`branchline simulate --help` shows the form")
    return made


class _Reader:
    """Reads one file; faults are noted and reading goes on, so that one run finds them all."""

    def __init__(self, raw: Mapping[str, Any], path: Path, faults: Faults):
        self._raw = raw
        self._path = path
        self._faults = faults
        self._users: dict[str, User] = {}
        self._ids: set[str] = set()

    def scenario(self) -> Scenario:
        raw = self._raw
        for name, value in raw["users"].items():
            self._user(str(name), value)
        steps = [self._step(n, value) for n, value in enumerate(raw["steps"])]
        return Scenario(
            name=raw.get("name") or self._path.name.removesuffix(_ENDING),
            about=raw.get("about", ""),
            seed=raw.get("seed", 1),
            clock=self._time(raw["clock"], ("clock",)) if "clock" in raw else START,
            config=self._config(raw.get("config", {})),
            users=self._users,
            steps=tuple(step for step in steps if step is not None),
            exposed=self._exposed(raw.get("expect", {}).get("exposed")),
        )

    def _config(self, source: Any) -> Mapping[str, Any]:
        if isinstance(source, dict):
            return source
        path = self._path.parent / source
        try:
            document = read_document(read_file(Disk(), path, limit=MAX_BYTES).decode("utf-8"))
        except (OSError, UnicodeDecodeError):
            self._faults.add(("config",), f"cannot read {source}")
            return {}
        if not document.readable or not isinstance(document.value, dict):
            self._faults.add(("config",), f"{source} is no config")
            return {}
        return document.value

    def _user(self, name: str, value: Any) -> None:
        here: KeyPath = ("users", name)
        several = isinstance(value, dict) and "on" in value
        shape = {"name?": "text", "on": "object"} if several else {"name?": "text", **_FACTS}
        identities: dict[str, Mapping[str, Any]] = {}
        if check(value, shape, here, self._faults):
            shown = value.get("name", name)
            given = value["on"] if several else {value.get("channel", "terminal"): value}
            for label, facts in given.items():
                place = (*here, "on", label) if several else here
                if not several or check(facts, _FACTS, place, self._faults):
                    identities[label] = _facts({"channel": label, **facts}, shown)
        self._users[name] = User(name, identities)

    def _step(self, number: int, raw: Mapping[str, Any]) -> Step | None:
        here: KeyPath = ("steps", number)
        kind = next((kind for kind in _STEPS if kind in raw), None)
        if kind is None:
            words = ", ".join(_STEPS)
            near = next((found for key in raw if (found := resemble(str(key), _STEPS))), None)
            hint = f"did you mean '{near}'?" if near else None
            self._faults.add(here, f"a step has one of {words}", hint)
            return None
        if not check(raw, _STEPS[kind], here, self._faults):
            return None
        return Step(
            kind,
            self._messages(kind, raw, here),
            self._value(kind, raw, (*here, kind)),
            max(1, raw.get("times", 1)),
            self._expect(raw["expect"], (*here, "expect"))
            if kind == "redeliver" and "expect" in raw
            else Expectation(),
            self._faults.line(here),
        )

    def _messages(
        self, kind: StepKind, raw: Mapping[str, Any], here: KeyPath
    ) -> tuple[Message, ...]:
        if kind == "say":
            said = [(raw, here)]
        elif kind in ("atOnce", "reorder"):
            said = [(one, (*here, kind, n)) for n, one in enumerate(raw[kind])]
        else:
            said = [(raw[name], (*here, name)) for name in ("drop", "during") if name in raw]
        made = (self._message(one, place) for one, place in said)
        return tuple(message for message in made if message is not None)

    def _message(self, raw: Mapping[str, Any], here: KeyPath) -> Message | None:
        user = self._known_user(raw["as"], (*here, "as"))
        if user is None or not user.identities:
            return None
        via = raw.get("via", next(iter(user.identities)))
        if via not in user.identities:
            known = ", ".join(user.identities)
            self._faults.add((*here, "via"), f"{user.name} is not on {via}", f"known: {known}")
            return None
        name = raw.get("id") or f"#{len(self._ids) + 1}"
        if name in self._ids:
            self._faults.add((*here, "id"), f"there is a message {name} already")
        self._ids.add(name)
        own = {key: raw[key] for key in raw if f"{key}?" in _FACTS or key == "mention"}
        facts = {**user.identities[via], **_facts(own), "text": raw["say"], "messageId": name}
        try:
            read_envelope(facts)
        except EnvelopeError as error:
            self._faults.add(here, str(error))
        expect = self._expect(raw.get("expect", {}), (*here, "expect"))
        return Message(name, user.name, raw["say"], facts, expect, via)

    def _known_user(self, name: str, here: KeyPath) -> User | None:
        found = self._users.get(name)
        if found is None:
            near = resemble(name, self._users)
            hint = f"did you mean '{near}'?" if near else "known: " + ", ".join(self._users)
            self._faults.add(here, f"there is no user {name}", hint)
        return found

    def _value(self, kind: StepKind, raw: Mapping[str, Any], here: KeyPath) -> Any:
        value = raw.get(kind)
        match kind:
            case "wait":
                return self._span(str(value), here)
            case "clock":
                return self._time(str(value), here)
            case "redeliver":
                self._known_id(str(value), here)
            case "approve" | "reject":
                self._known_user(str(value), here)
        return value

    def _known_id(self, name: str, here: KeyPath) -> None:
        if name not in self._ids:
            near = resemble(name, self._ids)
            self._faults.add(
                here, f"no earlier message is called {name}", near and f"did you mean '{near}'?"
            )

    def _expect(self, raw: Mapping[str, Any], here: KeyPath) -> Expectation:
        outcome = raw.get("outcome")
        if outcome is not None and outcome not in OUTCOMES:
            near = resemble(outcome, OUTCOMES)
            hint = f"did you mean '{near}'?" if near else None
            self._faults.add((*here, "outcome"), "expected one of " + ", ".join(OUTCOMES), hint)
        for name in ("sameSession", "otherSession"):
            for one in _list(raw.get(name)):
                self._known_id(one, (*here, name))
        return Expectation(
            raw.get("agent"),
            raw.get("key"),
            raw.get("matchedBy"),
            outcome,
            _list(raw.get("sameSession")),
            _list(raw.get("otherSession")),
            self._texts(raw, "reply", here),
            self._texts(raw, "request", here),
        )

    def _texts(self, raw: Mapping[str, Any], name: str, here: KeyPath) -> Texts | None:
        found = raw.get(name)
        if found is None:
            return None
        pattern = found.get("matches")
        try:
            re.compile(pattern or "")
        except re.error as error:
            self._faults.add((*here, name, "matches"), f"no regular expression: {error}")
        return Texts(_list(found.get("contains")), _list(found.get("never")), pattern)

    def _span(self, text: str, here: KeyPath) -> float:
        found = _SPAN.fullmatch(text.strip())
        if found is None:
            self._faults.add(here, "expected a span of time", "such as 30s, 90m, 2h or 1d")
            return 0.0
        return float(found[1]) * _SECONDS[found[2]]

    def _time(self, text: str, here: KeyPath) -> int:
        found = parse_iso(text)
        if found is None:
            self._faults.add(here, "expected an ISO 8601 time", "such as 2026-01-01T09:00:00Z")
        return found or START

    def _exposed(self, raw: list[list[str]] | None) -> frozenset[tuple[str, str]] | None:
        if raw is None:
            return None
        pairs = set()
        for n, pair in enumerate(raw):
            here: KeyPath = ("expect", "exposed", n)
            if len(pair) != 2:
                self._faults.add(here, "expected a pair: [reader, author]")
                continue
            for place, name in enumerate(pair):
                self._known_user(name, (*here, place))
            pairs.add((pair[0], pair[1]))
        return frozenset(pairs)


def _list(value: str | list[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _facts(raw: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """Facts in the names of an envelope. In a direct message its peer is who speaks."""
    facts = {_ENVELOPE.get(key, key): value for key, value in raw.items() if key != "name"}
    sender = facts.pop("sender", None)
    peer = facts.get("peer")
    if sender is None and name is not None and str(peer).startswith(("dm:", "direct:")):
        sender = str(peer).partition(":")[2]
    if sender is not None:
        facts["sender"] = {"id": sender, "name": name or ""}
    return facts
