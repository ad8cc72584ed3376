from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from engine.scenario.play import Outcome, run_scenario
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.shipped import find_scenario, shipped_scenarios
from engine.scenario.stage import merged

USERS = """users: {
  alice: {channel: "telegram", peer: "dm:1", name: "Alice"},
  bob: {channel: "telegram", peer: "dm:2", name: "Bob"},
}"""
APART = 'config: {session: {dmScope: "per-channel-peer"}}'


async def play(steps: str, head: str = APART, **options: Any) -> Outcome:
    scenario = read_scenario(f"{{{USERS}, {head},\nsteps: [{steps}]}}", Path("x"))
    return await run_scenario(scenario, **options)


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
async def test_a_shipped_scenario_passes_whatever_its_seed(name: str) -> None:
    for seed in (None, 2, 3):
        outcome = await run_scenario(load_scenario(find_scenario(name)), seed=seed)
        assert outcome.failures == ()
        assert outcome.passed
        said = [said for step in outcome.steps for said in step.said]
        assert any(said.expect != type(said.expect)() for said in said), "it expects something"


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
async def test_a_scenario_reads_the_same_each_time(name: str) -> None:
    scenario = load_scenario(find_scenario(name))
    first, second = [json.dumps((await run_scenario(scenario)).to_json()) for _ in range(2)]
    assert first == second


async def test_the_password_leak_under_main_fails_and_says_who_saw_what() -> None:
    scenario = load_scenario(find_scenario("password-leak"))
    outcome = await run_scenario(scenario, scope="main")
    assert not outcome.passed
    assert {failure.step for failure in outcome.failures} == {0, 2}
    expected = await run_scenario(scenario, scope="main", expect_leak=True)
    assert expected.passed
    assert expected.failures == ()
    assert len(expected.broken) == len(outcome.failures)
    assert [(leak.reader, leak.author, leak.words, leak.rule) for leak in expected.leaks] == [
        ("bob", "alice", ("Remember: my password is tulip-42.",), "shared by dmScope main"),
        ("alice", "bob", ("What is the password?",), "shared by dmScope main"),
    ]


async def test_an_expected_leak_that_does_not_come_is_a_failure() -> None:
    outcome = await run_scenario(load_scenario(find_scenario("password-leak")), expect_leak=True)
    assert not outcome.passed
    assert outcome.to_json()["failures"] == [
        {"step": 0, "expected": "somebody sees another's words", "got": "nobody does"}
    ]


@pytest.mark.parametrize(
    ("expect", "expected", "got"),
    [
        ('agent: "helper"', "agent helper", "main"),
        ('key: "agent:main:main"', "session key agent:main:main", "agent:main:telegram:dm:2"),
        ('matchedBy: "binding.peer"', "matched by binding.peer", "default"),
        ('outcome: "refused"', "outcome refused", "answered"),
        ('sameSession: "a"', "the session of a", "agent:main:telegram:dm:2"),
        ('otherSession: "b"', "another session than b's", "agent:main:telegram:dm:2"),
        ('reply: {contains: "tulip"}', "the reply contains “tulip”", "ask"),
        ('reply: {never: "bob"}', "the reply never contains “bob”", "Bob said"),
        ('reply: {matches: "^x"}', "the reply matches ^x", "Bob said"),
        ('request: {contains: "tulip"}', "the request contains “tulip”", "main"),
        ('request: {never: "I ASK"}', "the request never contains “I ASK”", "I ask"),
    ],
)
async def test_each_expectation_can_fail(expect: str, expected: str, got: str) -> None:
    steps = """{as: "alice", say: "tulip", id: "a"}, {as: "bob", say: "I ask", id: "b"},
               {as: "bob", say: "I ask what?", expect: {%s}}"""
    outcome = await play(steps % expect)
    assert not outcome.passed
    failure = outcome.failures[0]
    assert (failure.step, expected in failure.expected, got in failure.got) == (3, True, True)


async def test_a_message_without_a_request_cannot_meet_expectations_about_it() -> None:
    outcome = await play('{as: "bob", say: "/help", expect: {request: {contains: "x"}}}')
    assert outcome.failures[0].got == "none: command"


async def test_exposures_must_come_out_exactly() -> None:
    head = 'config: {session: {dmScope: "main"}}, expect: {exposed: [["bob", "alice"]]}'
    one_way = '{as: "alice", say: "x"}, {as: "bob", say: "y"}'
    assert (await play(one_way, head)).passed
    both = await play(one_way + ', {as: "alice", say: "z"}', head)
    assert both.failures[0].got == "alice sees bob's; bob sees alice's"


async def test_a_config_change_during_a_turn_holds_from_the_next_one_on() -> None:
    outcome = await play(
        """{config: {session: {dmScope: "main"}}, during:
              {as: "alice", say: "x", expect: {key: "agent:main:telegram:dm:1"}}},
           {as: "alice", say: "y", expect: {key: "agent:main:main"}},
           {restart: true},
           {as: "alice", say: "z", expect: {key: "agent:main:main"}},
           {undo: true},
           {as: "alice", say: "z", expect: {key: "agent:main:telegram:dm:1"}}"""
    )
    assert outcome.failures == ()


async def test_the_clock_is_the_scenarios(tmp_path: Path) -> None:
    await play(
        '{as: "alice", say: "x"}, {wait: "2d"}, {as: "alice", say: "y"}',
        APART + ', clock: "2030-01-01T00:00:00Z"',
        state_dir=tmp_path / "kept",
    )
    path = next((tmp_path / "kept/agents/main/sessions").glob("*-*.jsonl"))
    stamps = [json.loads(line)["timestamp"][:10] for line in path.read_text().splitlines()]
    assert stamps == ["2030-01-01"] * 3 + ["2030-01-03"] * 2


async def test_a_leak_stopped_at_the_door_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.routing import router

    monkeypatch.setattr(router, "peer_key", lambda *_, **__: "agent:main:telegram:dm:all")
    outcome = await play(
        """{as: "alice", say: "tulip"},
           {as: "bob", say: "what?", expect: {outcome: "refused", request: {never: "tulip"}}}"""
    )
    assert outcome.passed
    assert [(leak.reader, leak.author, leak.blocked) for leak in outcome.leaks] == [
        ("bob", "alice", True)
    ]


async def test_junit_names_each_step_and_its_failures() -> None:
    outcome = await play('{as: "alice", say: "\\u0001", expect: {key: "k\\u0000\\ud800"}}')
    suite = ElementTree.fromstring(outcome.to_junit().encode())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed = suite.findall("testcase/failure")
    assert len(failed) == 1
    assert "agent:main:telegram:dm:1" in (failed[0].text or "")


def test_a_patch_is_merged_object_by_object() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    patch = {"a": {"b": None, "e": {"f": 1}}, "d": [2]}
    assert merged(base, patch) == {"a": {"c": 2, "e": {"f": 1}}, "d": [2]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


FIVE = """users: {a: {channel: "telegram", peer: "dm:1"}, b: {channel: "telegram", peer: "dm:2"},
  c: {channel: "telegram", peer: "dm:3"}, d: {channel: "telegram", peer: "dm:4"},
  e: {channel: "telegram", peer: "dm:5"}}"""
WEEK = """config: {session: {dmScope: "per-channel-peer",
  reset: {mode: "idle", idleMinutes: 10080}}}"""


@pytest.mark.parametrize(
    ("passing", "expect"),
    [('wait: "30d"', "never"), ('clock: "2026-02-15T09:00:00Z"', "contains")],
)
async def test_time_that_passes_ends_sessions_and_a_jump_of_the_clock_does_not(
    passing: str, expect: str
) -> None:
    said = ", ".join(f'{{as: "{name}", say: "the word is {name}-tulip"}}' for name in "abcde")
    again = f'{{as: "a", say: "which word?", expect: {{request: {{{expect}: ["a-tulip"]}}}}}}'
    text = f"{{{FIVE}, {WEEK}, steps: [{said}, {{{passing}}}, {again}]}}"
    outcome = await run_scenario(read_scenario(text, Path("x")))
    assert outcome.failures == ()
