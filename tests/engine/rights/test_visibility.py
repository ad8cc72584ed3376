from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config
from engine.rights.visibility import (
    Action,
    AgentPolicy,
    Visibility,
    agent_policy,
    may_see,
    visibility_of,
)

Cases = Callable[[str], list[dict[str, Any]]]
SCOPES: list[Visibility] = ["self", "tree", "agent", "all"]
ACTIONS: list[Action] = ["list", "history", "send", "status"]


def tools(case: dict[str, Any]) -> dict[str, Any] | None:
    return msgspec.convert(case["config"], Config).tools


def rows(cases: Cases, op: str) -> list[dict[str, Any]]:
    return [case for case in cases("rules") if case["op"] == op]


def test_every_recorded_pair_of_agents(cases: Cases) -> None:
    found = rows(cases, "a2a")
    assert len(found) == 16
    for case in found:
        allowed = agent_policy(tools(case)).allows(case["input"]["from"], case["input"]["to"])
        assert {"allowed": allowed} == case["expected"], case["name"]


def test_every_recorded_look(cases: Cases) -> None:
    found = rows(cases, "visibility")
    assert len(found) == 20
    for case in found:
        asked = case["input"]
        sight = may_see(
            asked["action"],
            asked["requester"],
            asked["target"],
            asked["visibility"],
            agent_policy(tools(case)),
        )
        assert {"allowed": sight.allowed, "error": sight.error} == case["expected"], case["name"]


@pytest.mark.parametrize("action", ACTIONS)
def test_tree_is_the_session_and_what_it_spawned(action: Action) -> None:
    me, child = "agent:main:telegram:dm:1", "agent:main:subagent:x"

    def allowed(target: str) -> bool:
        return may_see(action, me, target, "tree", AgentPolicy(), [child]).allowed

    assert allowed(me) and allowed(child) and allowed("AGENT:main:telegram:direct:1")
    assert not allowed("agent:main:main")
    assert not allowed("agent:ops:subagent:x")


def test_a_child_of_another_agent_is_not_in_the_tree() -> None:
    child = "agent:ops:subagent:x"
    sight = may_see("send", "agent:main:main", child, "tree", AgentPolicy(True), [child])
    assert not sight.allowed


@given(
    scope=st.sampled_from(SCOPES),
    action=st.sampled_from(ACTIONS),
    enabled=st.booleans(),
    keys=st.tuples(
        st.sampled_from(["agent:main:main", "agent:main:x:dm:1", "agent:ops:main", "main"]),
        st.sampled_from(["agent:main:main", "agent:main:x:dm:1", "agent:ops:main", "main"]),
    ),
)
def test_a_wider_setting_never_hides_what_a_narrower_one_shows(
    scope: Visibility, action: Action, enabled: bool, keys: tuple[str, str]
) -> None:
    policy = AgentPolicy(enabled)
    narrow = may_see(action, *keys, scope, policy)
    wider = SCOPES[SCOPES.index(scope) + 1 :]
    assert not narrow.allowed or all(may_see(action, *keys, one, policy).allowed for one in wider)
    assert (narrow.error is None) == narrow.allowed


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (None, "tree"),
        ({}, "tree"),
        ({"sessions": []}, "tree"),
        ({"sessions": {"visibility": " ALL "}}, "all"),
        ({"sessions": {"visibility": "every"}}, "tree"),
        ({"sessions": {"visibility": 1}}, "tree"),
        ({"sessions": {"visibility": "self"}}, "self"),
    ],
)
def test_the_setting_as_written(given_: dict[str, Any] | None, expected: str) -> None:
    assert visibility_of(given_) == expected


@pytest.mark.parametrize(
    ("allow", "fits"),
    [
        ([], True),
        (["*"], True),
        ([""], False),
        ([None], False),
        (["CO*", "main"], True),
        (["CODER", "main"], False),
        ([" coder ", "main"], True),
        (["c.der", "main"], False),
        (["c**r", "main"], True),
        (["c*de*r", "m*"], True),
        (["coder*", "main"], True),
        (["cod*der", "main"], False),
        (["c*x*r", "main"], False),
        ("coder", True),
    ],
)
def test_patterns(allow: Any, fits: bool) -> None:
    policy = agent_policy({"agentToAgent": {"enabled": True, "allow": allow}})
    assert policy.allows("main", "coder") == fits


@pytest.mark.parametrize("enabled", [1, "true", None, False])
def test_nothing_but_true_enables(enabled: object) -> None:
    policy = agent_policy({"agentToAgent": {"enabled": enabled}})
    assert not policy.allows("a", "b")
    assert policy.allows("a", "a")


def test_a_pattern_of_many_stars_answers_at_once() -> None:
    policy = AgentPolicy(True, ("a*" * 30 + "b", "*" * 10_000 + "z"))
    assert not policy.allows("a" * 64, "a" * 63)
