from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tui.cli.conftest import Run

Cases = Callable[[str], list[dict[str, Any]]]


def test_every_recorded_case_in_one_call(branchline: Run, cases: Cases) -> None:
    rows = cases("routing")
    lines = [json.dumps({"config": row["config"], "input": row["input"]}) for row in rows]
    ran = branchline("route", stdin="\n".join(lines))
    assert (ran.code, ran.err) == (0, "")
    wrong = [
        (row["name"], got)
        for row, got in zip(rows, ran.lines, strict=True)
        if got != row["expected"]
    ]
    assert not wrong


def test_lines_use_the_config_file_and_either_spelling(branchline: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.json5"
    config.write_text(
        """{
          // two agents
          agents: {list: [{id: "main"}, {id: "work"}]},
          session: {dmScope: "per-channel-peer"},
          bindings: [{agentId: "work", match: {channel: "slack", teamId: "T1", accountId: "*"}}],
        }"""
    )
    ran = branchline(
        "route",
        "--config",
        str(config),
        stdin='{"channel":"slack","team_id":"T1","peer":{"kind":"dm","id":"U1"}}\n\n'
        '{"channel":"slack","teamId":"T2","peer":{"kind":"direct","id":"U1"}}\n',
    )
    assert ran.code == 0
    assert [(line["agentId"], line["sessionKey"]) for line in ran.lines] == [
        ("work", "agent:work:slack:dm:u1"),
        ("main", "agent:main:slack:dm:u1"),
    ]


def test_a_bad_line_is_answered_on_its_line(branchline: Run) -> None:
    lines = [
        b'{"channel": "x"}',
        b"not json",
        b'{"channel": "x", "peer": {"kind": "user", "id": 1}}',
        b'{"config": [], "input": {"channel": "x"}}',
        b'{"config": {}, "input": {"channel": 5}}',
        b'"\xff"',
        b"[" * 100_000,
        b'{"channel": "y"}',
    ]
    ran = branchline("route", stdin=b"\n".join(lines))
    assert ran.code == 1
    assert [line.get("error", {}).get("path") for line in ran.lines] == [
        None, "line", "peer.kind", "config", "channel", "line", "line", None,
    ]  # fmt: skip
    assert all(line["error"]["message"] for line in ran.lines if "error" in line)


def test_explain_names_every_binding(branchline: Run) -> None:
    bindings = [
        {"agentId": "a", "match": {"channel": "x", "peer": {"kind": "dm", "id": "1"}}},
        {"agentId": "b", "match": {"channel": "x"}},
    ]
    line = {"config": {"bindings": bindings}, "input": {"channel": "x", "peer": "dm:2"}}
    ran = branchline("route", "--explain", stdin=json.dumps(line))
    (found,) = ran.lines
    assert found["trace"] == [
        {
            "rule": "bindings[0]",
            "agentId": "a",
            "tier": "binding.peer",
            "won": False,
            "failed": {"field": "peer.id", "wanted": "1", "got": "2"},
        },
        {
            "rule": "bindings[1]",
            "agentId": "b",
            "tier": "binding.account",
            "won": True,
            "failed": None,
        },
        {"rule": "default", "agentId": "main", "tier": "default", "won": False, "failed": None},
    ]


def test_flags_for_one_message(branchline: Run) -> None:
    args = ("route", "--channel", "Telegram", "--peer", "group:-100", "--thread", "7")
    assert branchline(*args, "--json").json == {
        "agentId": "main",
        "accountId": "default",
        "sessionKey": "agent:main:telegram:group:-100:topic:7",
        "mainSessionKey": "agent:main:main",
        "matchedBy": "default",
    }
    told = branchline(*args, "--explain").out
    assert "agent:main:telegram:group:-100:topic:7" in told and "decides" in told


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--peer", "dm:1"), 2, "--channel"),
        (("--channel", "x", "--peer", "alice"), 1, "dm:ID"),
        (("--channel", "x", "--config", "/nowhere/c.json5"), 1, "/nowhere/c.json5"),
        (("--chanel", "x"), 2, "--channel"),
    ],
)
def test_wrong_flags(branchline: Run, args: tuple[str, ...], code: int, words: str) -> None:
    ran = branchline("route", *args)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err and "Traceback" not in ran.err


def test_an_unknown_agent_in_the_config_is_told_once(branchline: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.json5"
    config.write_text(
        '{agents: {list: [{id: "main"}]}, '
        'bindings: [{agentId: "ghost", match: {channel: "x", accountId: "*"}}]}'
    )
    ran = branchline("route", "--config", str(config), stdin='{"channel": "x"}\n' * 3)
    assert [line["agentId"] for line in ran.lines] == ["main"] * 3
    assert ran.err.count("ghost") == 1


def test_hostile_ids_reach_no_terminal_raw(branchline: Run) -> None:
    peer = "\x1b]0;pwned\x07\x9b31m\u202e\u200b\x7f"
    line = json.dumps({"channel": "x\x1b[2J", "peer": {"kind": "group", "id": peer}})
    ran = branchline("route", stdin=line)
    assert ran.lines[0]["sessionKey"] == f"agent:main:x\x1b[2j:group:{peer.lower()}"
    shown = branchline("route", "--channel", "x\x1b[2J", "--peer", f"group:{peer}", "--explain").out
    for raw in (ran.out, shown):
        assert not set(raw) & set("\x1b\x07\x9b\u202e\u200b\x7f")


def test_half_characters_survive(branchline: Run) -> None:
    ran = branchline("route", stdin='{"channel": "x", "peer": {"kind": "group", "id": "\\ud800"}}')
    assert ran.code == 0
    assert ran.lines[0]["sessionKey"] == "agent:main:x:group:\ud800"
