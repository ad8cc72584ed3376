from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tui.cli.conftest import Run

BROKEN = """{
  session: {dmScope: "per-chanel-peer"},
  agents: {list: [{id: "main"}]},
  bindings: [{agentId: "ghost", match: {channel: "x"}}],
  sesion: {},
}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_check_reports_every_problem_with_its_line(branchline: Run, state: Path) -> None:
    file = write(state / "branchline.json5", BROKEN)
    ran = branchline("config", "check", "--json")
    assert ran.code == 1 and not ran.json["ok"]
    problems = ran.json["problems"]
    assert [set(problem) for problem in problems] == [
        {"file", "line", "column", "path", "severity", "message", "hint"}
    ] * len(problems)
    at = {problem["line"]: problem for problem in problems}
    assert at[2]["path"] == "session.dmScope" and "per-channel-peer" in at[2]["hint"]
    assert at[5]["severity"] == "error" and "session" in at[5]["hint"]
    assert {problem["file"] for problem in problems} == {str(file)}
    told = branchline("config", "check")
    assert told.code == 1 and f"{file}:2:" in told.out


def test_check_of_a_good_file_and_of_none(branchline: Run, state: Path, tmp_path: Path) -> None:
    assert branchline("config", "check", "--json").json == {"ok": True, "problems": []}
    assert "no config yet" in branchline("config", "check").out
    good = write(tmp_path / "other.json5", "{session: {dmScope: 'per-peer'}}")
    ran = branchline("config", "check", str(good), "--json")
    assert (ran.code, ran.json) == (0, {"ok": True, "problems": []})
    gone = branchline("config", "check", str(tmp_path / "gone.json5"))
    assert gone.code == 1 and "gone.json5" in gone.out


def test_a_broken_config_stops_what_needs_it_with_every_problem(
    branchline: Run, state: Path
) -> None:
    write(state / "branchline.json5", BROKEN)
    for args in (["agents", "list"], ["models", "list"], ["route", "--channel", "x"]):
        ran = branchline(*args)
        assert (ran.code, ran.out) == (1, "")
        assert "session.dmScope" in ran.err and "sesion" in ran.err


def test_schema_prints_the_fields(branchline: Run) -> None:
    text = branchline("config", "schema", "session").out
    assert "session.dmScope" in text and "models" not in text.split("\n")[0]
    assert branchline("config", "schema", "--json").json["type"] == "object"
    assert branchline("config", "schema", "nothing").code == 2


def test_agents_with_their_bindings(branchline: Run, state: Path) -> None:
    write(
        state / "branchline.json5",
        """{
          agents: {list: [{id: "main"}, {id: "work", name: "Worker", model: "offline/echo-2k"}]},
          bindings: [{agentId: "work", match: {channel: "slack", peer: {kind: "dm", id: "U1"}}}],
        }""",
    )
    rows = branchline("agents", "list", "--bindings", "--json").json
    assert [(row["id"], row["default"], row["model"]) for row in rows] == [
        ("main", True, "offline/echo"),
        ("work", False, "offline/echo-2k"),
    ]
    assert rows[1]["bindings"] == [
        {"rule": "bindings[0]", "match": "slack, account default, peer dm:U1"}
    ]
    assert "bindings" not in branchline("agents", "list", "--json").json[0]
    assert "bindings[0]: slack" in branchline("agents", "list", "--bindings").out


def test_without_a_config_there_is_one_agent(branchline: Run) -> None:
    (row,) = branchline("agents", "list", "--json").json
    assert (row["id"], row["default"], row["model"]) == ("main", True, "offline/echo")


def test_agents_that_only_bindings_name_are_listed(branchline: Run, state: Path) -> None:
    write(state / "branchline.json5", '{bindings: [{agentId: "Any One", match: {channel: "x"}}]}')
    rows = branchline("agents", "list", "--json").json
    assert [row["id"] for row in rows] == ["main", "any-one"]


def test_models_and_probe(branchline: Run) -> None:
    rows = branchline("models", "list", "--json").json
    (default,) = [row for row in rows if row["default"]]
    assert default["ref"] == "offline/echo" and default["ready"]
    ran = branchline("models", "probe", "offline/echo", "--json")
    assert ran.code == 0 and ran.json[0]["reachable"] and ran.json[0]["error"] is None
    unknown = branchline("models", "probe", "offlin/echo")
    assert unknown.code == 1 and "offline/echo" in unknown.err


def test_a_key_never_shows(branchline: Run, state: Path) -> None:
    write(
        state / "branchline.json5",
        '{models: {providers: {acme: {api: "openai-completions", '
        'baseUrl: "http://127.0.0.1:9/v1", apiKey: "sk-verysecret1234", models: [{id: "m"}]}}}, '
        'agents: {defaults: {model: "acme/m"}}}',
    )
    for args in (
        ["models", "list"], ["models", "probe"], ["agents", "list"], ["doctor"],
        ["config", "check"],
    ):  # fmt: skip
        for form in ([], ["--json"]):
            ran = branchline(*args, *form)
            assert "verysecret" not in ran.out + ran.err
    ran = branchline("models", "probe")
    assert ran.code == 1 and "127.0.0.1" in ran.err


def test_doctor_finds_nothing_and_something(branchline: Run, state: Path, talk: Path) -> None:
    for path in (state, *state.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    ran = branchline("doctor", "--json")
    assert (ran.code, ran.json["problems"]) == (0, [])
    assert ran.json["sessions"] == 1
    assert ran.json["models"][0]["ref"] == "offline/echo"
    with talk.open("ab") as file:
        file.write(b"garbage\n")
    write(state / "branchline.json5", BROKEN)
    os.chmod(state, 0o755)
    bad = branchline("doctor", "--no-network", "--json")
    told = " ".join(problem["message"] for problem in bad.json["problems"])
    assert bad.code == 1
    assert "unreadable" in told and "others on this machine" in told and "sesion" in told
    assert "sesion" in branchline("doctor").out
