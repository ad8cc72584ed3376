from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.routing.envelope import Envelope
from engine.routing.read import read_envelope
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.shipped import find_scenario, shipped_scenarios
from engine.scenario.values import Expectation, Message, Scenario, Step, Texts, User
from engine.scenario.write import scenario_text
from engine.values import replace

SPOKEN = ("say", "atOnce", "reorder", "drop")
"""Steps that are their messages."""


def plain(scenario: Scenario) -> Any:
    """A scenario without lines, its facts as envelopes: what must survive being written."""

    def message(one: Message) -> tuple[Any, ...]:
        envelope: Envelope = read_envelope(one.facts)
        return one.id, one.user, one.via, envelope, one.text, one.expect

    steps = [
        (
            step.kind,
            [message(one) for one in step.messages],
            None if step.kind in SPOKEN else step.value,
            step.times,
            step.expect,
        )
        for step in scenario.steps
    ]
    users = {
        name: {via: read_envelope(facts) for via, facts in user.identities.items()}
        for name, user in scenario.users.items()
    }
    kept = replace(scenario, steps=(), users={})
    return kept, users, steps


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_a_shipped_scenario_reads_the_same_once_written(name: str) -> None:
    scenario = load_scenario(find_scenario(name))
    written = scenario_text(scenario, "about\nthis")
    assert written.startswith("// about\n// this\n{\n")
    assert plain(read_scenario(written, Path("x"))) == plain(scenario)


words = st.text(st.characters(exclude_categories=()), min_size=1, max_size=12)
ids = st.text("abc:-_ \t.#'\"\\\u202e\x1b王🜁", min_size=1, max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
texts = st.builds(
    Texts,
    st.lists(words, max_size=2).map(tuple),
    st.lists(words, max_size=2).map(tuple),
    st.none() | st.just("^a.*b$"),
)
optional = st.none() | words


@st.composite
def facts(draw: st.DrawFn, name: str, channel: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(("dm", "group", "channel")))
    peer = draw(ids)
    made: dict[str, Any] = {"channel": channel, "peer": {"kind": kind, "id": peer}}
    made["sender"] = {"id": peer if kind == "dm" and draw(st.booleans()) else draw(ids)}
    made["sender"]["name"] = name
    for field in ("accountId", "threadId", "guildId", "teamId", "tenantId"):
        if draw(st.booleans()):
            made[field] = draw(ids)
    if draw(st.booleans()):
        made["memberRoleIds"] = draw(st.lists(ids, min_size=1, max_size=2))
    return made


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    names = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    users = {}
    for name in names:
        channels = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
        shown = draw(words)
        users[name] = User(name, {one: draw(facts(shown, one)) for one in channels})
    count = 0

    def message() -> Message:
        nonlocal count
        count += 1
        user = users[draw(st.sampled_from(names))]
        via = draw(st.sampled_from(sorted(user.identities)))
        own = {"guildId": draw(ids)} if draw(st.booleans()) else {}
        own |= {"mentionsAgent": True} if draw(st.booleans()) else {}
        text = draw(words)
        known = [f"m{number}" for number in range(1, count)]
        expect = Expectation(
            agent=draw(optional),
            key=draw(optional),
            outcome=draw(st.none() | st.just("answered")),
            same_session=tuple(known[:2]),
            reply=draw(st.none() | texts),
        )
        name = f"m{count}" if draw(st.booleans()) or known else f"#{count}"
        name = f"m{count}" if count < 9 else name
        facts = {**user.identities[via], **own, "text": text, "messageId": name}
        return Message(name, user.name, text, facts, expect, via)

    def step() -> Step:
        kind = draw(
            st.sampled_from(
                ("say", "atOnce", "reorder", "drop", "wait", "clock", "config", "undo", "restart")
            )
        )
        match kind:
            case "say" | "drop":
                return Step(kind, (message(),))
            case "atOnce" | "reorder":
                return Step(kind, (message(), message()))
            case "wait":
                return Step("wait", value=draw(st.sampled_from((0.0, 1.5, 90.0, 5400.0, 86400.0))))
            case "clock":
                return Step("clock", value=draw(st.integers(1, 4_000_000_000_000)))
            case "config":
                during = (message(),) if draw(st.booleans()) else ()
                return Step("config", during, draw(st.dictionaries(words, json_values, max_size=3)))
        return Step(kind, value=True)

    steps = [step() for _ in range(draw(st.integers(0, 4)))]
    if count:
        steps.append(Step("redeliver", value="m1", times=draw(st.integers(1, 3))))
    return Scenario(
        draw(words),
        draw(st.just("") | words),
        draw(st.integers(0, 99)),
        draw(st.integers(1, 4_000_000_000_000)),
        draw(st.dictionaries(words, json_values, max_size=3)),
        users,
        tuple(steps),
        draw(st.none() | st.just(frozenset({(names[0], names[-1])}))),
    )


@given(scenarios())
def test_any_scenario_reads_the_same_once_written(scenario: Scenario) -> None:
    assert plain(read_scenario(scenario_text(scenario), Path("x"))) == plain(scenario)
