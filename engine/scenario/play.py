"""Playing a whole scenario: what was expected, what came, and how it is told."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.config.schema import DmScope
from engine.scenario.stage import Stage
from engine.scenario.told import Leak, Said
from engine.scenario.values import Expectation, Scenario, Step, Texts

__all__ = [
    "Failure",
    "Outcome",
    "Played",
    "judge",
    "judged",
    "run_scenario",
    "wrongly_exposed",
]

_LOOKED_AT = 20_000
"""Characters of a text that a regular expression is tried on."""

_QUOTED = 200


class Failure(Struct, frozen=True):
    """An expectation that did not hold. `step` counts from 1; 0: the scenario as a whole.

    `about_leak`: it says that somebody must not see or share something."""

    step: int
    expected: str
    got: str
    about_leak: bool = False


class Played(Struct, frozen=True):
    """A step as it was played."""

    step: int
    kind: str
    line: int
    said: tuple[Said, ...]
    failures: tuple[Failure, ...]


class Outcome(Struct, frozen=True):
    """A scenario as it was played. With `expect_leak` it passes when somebody saw another's words:
    what then fails only because of that is in `broken`, not in `failures`."""

    scenario: Scenario
    passed: bool
    steps: tuple[Played, ...]
    failures: tuple[Failure, ...]
    leaks: tuple[Leak, ...]
    broken: tuple[Failure, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shape of `simulate --json` (SPEC §13)."""
        return {
            "scenario": self.scenario.name,
            "passed": self.passed,
            "steps": [_step_json(one) for one in self.steps],
            "failures": [_failure_json(one) for one in self.failures],
            "leaks": [
                {
                    "reader": leak.reader,
                    "author": leak.author,
                    "session": leak.session,
                    "rule": leak.rule,
                    "blocked": leak.blocked,
                    "words": list(leak.words),
                }
                for leak in self.leaks
            ],
            "broken": [_failure_json(one) for one in self.broken],
        }

    def to_junit(self) -> str:
        """One test suite: a case for each step, and one for the whole."""
        from xml.etree.ElementTree import Element, SubElement, tostring

        failed = len({failure.step for failure in self.failures})
        suite = Element("testsuite", name=_xml(self.scenario.name), failures=str(failed))
        names = {one.step: f"step {one.step}: {one.kind}" for one in self.steps}
        names[0] = "the scenario as a whole"
        suite.set("tests", str(len(names)))
        for step in sorted(names):
            case = SubElement(suite, "testcase", name=_xml(names[step]))
            case.set("classname", _xml(self.scenario.name))
            for one in self.failures:
                if one.step == step:
                    failure = SubElement(case, "failure", message=_xml(one.expected))
                    failure.text = _xml(f"expected: {one.expected}\ngot: {one.got}")
        return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, "unicode") + "\n"


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def _failure_json(one: Failure) -> dict[str, Any]:
    return {"step": one.step, "expected": one.expected, "got": one.got}


def _step_json(one: Played) -> dict[str, Any]:
    said = [
        {
            "as": said.message.user,
            "id": said.message.id,
            "text": said.message.text,
            "outcome": said.outcome,
            "agentId": said.agent,
            "sessionKey": said.key,
            "matchedBy": said.matched_by,
            "reply": said.reply,
        }
        for said in one.said
    ]
    failed = [_failure_json(failure) for failure in one.failures]
    return {"step": one.step, "kind": one.kind, "line": one.line, "said": said, "failures": failed}


async def run_scenario(
    scenario: Scenario,
    *,
    scope: DmScope | None = None,
    seed: int | None = None,
    expect_leak: bool = False,
    state_dir: Path | None = None,
) -> Outcome:
    """Play a scenario from its first step to its last, whatever fails on the way.

    Args:
        scope: `session.dmScope` to begin with, instead of the scenario's own.
        seed: instead of the scenario's own.
        expect_leak: pass if and only if somebody saw another's words.
        state_dir: an empty folder that is kept; by default one that is removed afterwards.

    Raises:
        ConfigError: a config of the scenario cannot be used.
        StoreError: the state dir cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="branchline-") as temporary:
        folder = state_dir or Path(temporary) / "state"
        async with Stage.open(scenario, folder, seed=seed, scope=scope) as stage:
            steps = []
            for number, step in enumerate(scenario.steps, 1):
                said = await stage.play(step)
                steps.append(judged(number, step, said, stage))
            return _outcome(scenario, tuple(steps), stage.leaks(), expect_leak)


def judged(number: int, step: Step, said: tuple[Said, ...], stage: Stage) -> Played:
    """A step that was played, with what did not hold."""
    failures = [failure for one in said for failure in judge(number, one, stage)]
    return Played(number, step.kind, step.line, said, tuple(failures))


def _outcome(
    scenario: Scenario, steps: tuple[Played, ...], leaks: tuple[Leak, ...], expect_leak: bool
) -> Outcome:
    failures = [failure for one in steps for failure in one.failures]
    failures += wrongly_exposed(scenario, leaks)
    broken: list[Failure] = []
    if expect_leak:
        broken = [failure for failure in failures if failure.about_leak]
        failures = [failure for failure in failures if not failure.about_leak]
        if not any(not leak.blocked for leak in leaks):
            failures.append(Failure(0, "somebody sees another's words", "nobody does"))
    return Outcome(scenario, not failures, steps, tuple(failures), leaks, tuple(broken))


def wrongly_exposed(scenario: Scenario, leaks: tuple[Leak, ...]) -> tuple[Failure, ...]:
    """Whether other words than expected were seen in the end."""
    if scenario.exposed is None:
        return ()
    seen = frozenset((leak.reader, leak.author) for leak in leaks if not leak.blocked)
    if seen == scenario.exposed:
        return ()
    return (
        Failure(0, f"words exposed: {_pairs(scenario.exposed)}", _pairs(seen), about_leak=True),
    )


def _pairs(pairs: frozenset[tuple[str, str]]) -> str:
    return "; ".join(f"{reader} sees {author}'s" for reader, author in sorted(pairs)) or "none"


def judge(number: int, said: Said, stage: Stage) -> Iterator[Failure]:
    """What of a message's expectations did not hold."""
    expect = said.expect
    yield from _plain(number, said, expect)
    for other in expect.same_session:
        if stage.key_of(other) != said.key:
            yield Failure(
                number, f"the session of {other}: {stage.key_of(other)}", said.key, about_leak=True
            )
    for other in expect.other_session:
        if stage.key_of(other) == said.key:
            yield Failure(number, f"another session than {other}'s", said.key, about_leak=True)
    if expect.reply is not None:
        yield from _texts(number, "the reply", expect.reply, said.reply)
    if expect.request is not None:
        text = "\n".join(said.requests)
        if not said.requests and (expect.request.contains or expect.request.matches):
            yield Failure(number, "a request to the model", f"none: {said.outcome}")
        else:
            yield from _texts(number, "the request", expect.request, text)


def _plain(number: int, said: Said, expect: Expectation) -> Iterator[Failure]:
    wanted = (
        ("agent", expect.agent, said.agent),
        ("session key", expect.key, said.key),
        ("matched by", expect.matched_by, said.matched_by),
        ("outcome", expect.outcome, said.outcome),
    )
    for name, value, got in wanted:
        if value is not None and value != got:
            # A key or outcome may differ because people share a session who should not.
            shared = name in ("session key", "outcome")
            yield Failure(number, f"{name} {value}", got or "none", about_leak=shared)


def _line(text: str) -> str:
    return " ".join(text.split())


def _texts(number: int, what: str, wanted: Texts, text: str) -> Iterator[Failure]:
    folded = text.casefold()
    quoted = _line(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
    for one in wanted.contains:
        if one.casefold() not in folded:
            yield Failure(number, f"{what} contains “{one}”", quoted, about_leak=True)
    for one in wanted.never:
        if (at := folded.find(one.casefold())) >= 0:
            around = _line(text[max(0, at - 60) : at + len(one) + 60])
            yield Failure(number, f"{what} never contains “{one}”", around, about_leak=True)
    if wanted.matches and not re.search(wanted.matches, text[:_LOOKED_AT], re.IGNORECASE):
        yield Failure(number, f"{what} matches {wanted.matches}", quoted, about_leak=True)
