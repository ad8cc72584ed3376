from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError, Problem
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.shipped import find_scenario, shipped_scenarios
from engine.scenario.values import Scenario

USERS = 'users: {alice: {channel: "telegram", peer: "dm:1", name: "Alice"}}'


def read(body: str, head: str = USERS) -> Scenario:
    return read_scenario(f"{{{head},\nsteps: [\n{body}\n]}}", Path("x.scenario.json5"))


def problems(body: str, head: str = USERS) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        read(body, head)
    return caught.value.problems


def test_a_message_becomes_an_envelope_of_its_user() -> None:
    step = read('{as: "alice", say: "hi", id: "m", thread: 7, mention: true}').steps[0]
    assert step.kind == "say"
    assert step.messages[0].facts == {
        "channel": "telegram",
        "peer": "dm:1",
        "sender": {"id": "1", "name": "Alice"},
        "threadId": 7,
        "mentionsAgent": True,
        "text": "hi",
        "messageId": "m",
    }


def test_in_a_group_a_user_stays_who_they_are() -> None:
    facts = read('{as: "alice", peer: "group:-5", say: "hi"}').steps[0].messages[0].facts
    assert (facts["peer"], facts["sender"]["id"]) == ("group:-5", "1")


def test_a_user_on_several_channels_speaks_via_one_of_them() -> None:
    users = 'users: {bob: {on: {telegram: {peer: "dm:1"}, work: {channel: "slack"}}}}'
    said = read('{as: "bob", say: "x"},\n{as: "bob", via: "work", say: "y"}', users).steps
    assert [step.messages[0].facts["channel"] for step in said] == ["telegram", "slack"]


def test_spans_and_times() -> None:
    steps = read('{wait: "1.5h"}, {clock: "2026-02-01T00:00:00Z"}').steps
    assert [step.value for step in steps] == [5400.0, 1_769_904_000_000]


@pytest.mark.parametrize(
    ("body", "line", "column", "message", "hint"),
    [
        ('{as: "alcie", say: "x"}', 3, 6, "there is no user alcie", "did you mean 'alice'?"),
        ('{as: "alice", sya: "x"}', 3, 1, "a step has one of", "did you mean 'say'?"),
        ('{as: "alice", say: 7}', 3, 20, "expected text, found 7", None),
        ('{as: "alice", say: "x", thred: 1}', 3, 25, "unknown key `thred`", "'thread'"),
        ('{wait: "soon"}', 3, 8, "expected a span of time", "90m"),
        ('{clock: "noon"}', 3, 9, "expected an ISO 8601 time", "2026"),
        ('\n{restart: false}', 4, 11, "expected true, found false", None),
        ('{redeliver: "m9"}', 3, 13, "no earlier message is called m9", None),
        ('{as: "alice", say: "x", via: "irc"}', 3, 30, "alice is not on irc", "telegram"),
        (
            '{as: "alice", say: "x", expect: {reply: {matches: "("}}}',
            3, 51, "no regular expression", None,
        ),
        (
            '{as: "alice", say: "x", expect: {outcome: "awnsered"}}',
            3, 43, "expected one of", "'answered'",
        ),
        (
            '{as: "alice", say: "x", expect: {sameSession: "m0"}}',
            3, 47, "no earlier message is called m0", None,
        ),
        (
            '{as: "alice", say: "x", id: "a"}, {as: "alice", say: "x", id: "a"}',
            3, 63, "there is a message a already", None,
        ),
        ('{as: "alice", say: "x", peer: "dog:1"}', 3, 1, "is no peer", None),
        ('{as: "alice" say: "x"}', 3, 14, "", None),
    ],
)  # fmt: skip
def test_every_problem_has_its_place(
    body: str, line: int, column: int, message: str, hint: str | None
) -> None:
    found = problems(body)
    assert (found[0].line, found[0].column, found[0].file) == (line, column, "x.scenario.json5")
    assert message in found[0].message
    assert hint is None or hint in str(found[0].hint)


def test_all_problems_are_told_at_once() -> None:
    found = problems('{as: "bob", say: "x"},\n{wait: "x"},\n{nap: true}')
    assert [problem.line for problem in found] == [3, 4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected an object"),
        ("{", ""),
        ("{users: {}}", "`steps` is missing"),
        ('{users: {a: {peer: "dm:1", pear: 1}}, steps: []}', "unknown key `pear`"),
        ('{users: {}, steps: [], expect: {exposed: [["a"]]}}', "expected a pair"),
        ('{users: {}, steps: [], config: "none.json5"}', "cannot read none.json5"),
    ],
)
def test_what_is_no_scenario_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_scenario(text, Path("x"))
    assert message in str(caught.value)


def test_a_config_may_be_a_file_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "c.json5").write_text('{session: {dmScope: "per-peer"}}')
    path = tmp_path / "some.scenario.json5"
    path.write_text(f'{{{USERS}, config: "c.json5", steps: []}}')
    found = load_scenario(path)
    assert (found.name, found.config) == ("some", {"session": {"dmScope": "per-peer"}})


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the scenario"):
        load_scenario(tmp_path / "none.scenario.json5")
    with pytest.raises(ConfigError, match="did you mean 'password-leak'"):
        find_scenario("password-leek")


def test_those_the_task_names_are_shipped() -> None:
    assert len(shipped_scenarios()) >= 8
    assert set(shipped_scenarios()) >= {
        "password-leak", "three-channels", "group-mention", "forum-topics", "second-tenant",
        "pairing", "scope-switch", "redelivery", "compaction",
    }  # fmt: skip
