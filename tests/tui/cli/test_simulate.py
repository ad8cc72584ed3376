from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.scenario.shipped import shipped_scenarios
from tests.tui.cli.conftest import Run


def test_the_leak_is_found_and_named(branchline: Run) -> None:
    done = branchline("simulate", "password-leak", "--scope", "main", "--expect-leak", "--json")
    assert done.code == 0
    assert done.json["passed"] is True
    assert done.json["failures"] == []
    first = done.json["leaks"][0]
    assert (first["reader"], first["author"]) == ("bob", "alice")
    assert first["words"] == ["Remember: my password is tulip-42."]
    assert first["rule"] == "shared by dmScope main"


def test_a_leak_that_was_expected_is_told_as_such(branchline: Run) -> None:
    done = branchline("simulate", "password-leak", "--scope", "main", "--expect-leak")
    assert done.out.rstrip().endswith("password-leak: passed\nwords were exposed, as expected")


def test_under_main_the_scenario_fails_with_exit_code_1(branchline: Run) -> None:
    done = branchline("simulate", "password-leak", "--scope", "main")
    assert done.code == 1
    assert "never contains “tulip-42”" in done.out
    assert "password-leak: failed" in done.out


def test_as_it_stands_it_passes(branchline: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = branchline("simulate", "password-leak", "--json", "--junit", str(report))
    assert done.code == 0
    assert [step["kind"] for step in done.json["steps"]] == ["say"] * 3
    assert done.json["leaks"] == []
    assert ElementTree.parse(report).getroot().get("failures") == "0"


def test_the_list_names_all_that_come_along(branchline: Run) -> None:
    done = branchline("simulate", "--list", "--json")
    assert done.code == 0
    assert [row["name"] for row in done.json] == list(shipped_scenarios())
    assert branchline("simulate", "--list").out.count("\n") == len(shipped_scenarios()) + 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "name a SCENARIO"),
        (("nonsense",), 1, "there is no such scenario"),
        (("pairing", "--scope", "mine"), 2, "--scope"),
    ],
)
def test_wrong_usage_is_told(
    branchline: Run, args: tuple[str, ...], code: int, message: str
) -> None:
    done = branchline("simulate", *args)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_problems_of_a_file_are_told_with_their_lines(branchline: Run, tmp_path: Path) -> None:
    path = tmp_path / "my.scenario.json5"
    path.write_text(
        '{\n users: {a: {channel: "x", peer: "dm:1"}},\n steps: [{as: "b", say: "\\u202e"}]}'
    )
    done = branchline("simulate", str(path))
    assert done.code == 1
    assert f"{path}:3:15" in done.err


def test_a_file_of_ones_own_is_played_and_its_state_kept(branchline: Run, tmp_path: Path) -> None:
    path = tmp_path / "my.scenario.json5"
    path.write_text(
        '{users: {a: {channel: "x", peer: "dm:1"}}, steps: [{as: "a", say: "\\u001b[2J"}]}'
    )
    kept = tmp_path / "kept"
    done = branchline("simulate", str(path), "--keep", str(kept))
    assert done.code == 0
    assert "\x1b" not in done.out
    assert list(kept.glob("agents/main/sessions/*.jsonl"))
    assert branchline("simulate", str(path), "--keep", str(kept)).code == 2


def test_ones_own_scenarios_go_by_their_names(branchline: Run, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "scenarios"
    folder.mkdir(parents=True, mode=0o700)
    text = (
        '{about: "mine", users: {a: {channel: "x", peer: "dm:1"}}, steps: [{as: "a", say: "hi"}]}'
    )
    (folder / "mine.scenario.json5").write_text(text)
    state = ("--state-dir", str(tmp_path / "state"))
    assert branchline("simulate", "mine", *state).code == 0
    listed = branchline("simulate", "--list", "--json", *state).json
    assert ("mine", "mine") in [(one["name"], one["about"]) for one in listed]
    assert branchline("simulate", "min", *state).code == 1
