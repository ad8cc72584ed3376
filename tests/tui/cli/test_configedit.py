from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.cli.conftest import Run

TEXT = """{
  // who shares what
  session: { dmScope: 'main' }, // for now
  models: { providers: { x: { apiKey: "${X_KEY}", baseUrl: "http://127.0.0.1:9/v1" } } },
}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "branchline.json5"
    path.parent.mkdir(mode=0o700)
    path.write_text(TEXT)
    path.chmod(0o600)
    return path


def test_a_value_is_set_with_its_diff_and_only_it_changes(branchline: Run, config: Path) -> None:
    ran = branchline("config", "set", "session.dmScope", "per-peer")
    assert ran.code == 0, ran.err
    assert "-  session: { dmScope: 'main' }, // for now" in ran.out
    assert "+  session: { dmScope: 'per-peer' }, // for now" in ran.out
    assert "written, revision 2" in ran.out
    assert config.read_text() == TEXT.replace("'main'", "'per-peer'")
    assert config.stat().st_mode & 0o777 == 0o600
    assert branchline("config", "get", "session.dmScope").out == "per-peer\n"


def test_a_dry_run_shows_the_diff_and_writes_nothing(branchline: Run, config: Path) -> None:
    ran = branchline("config", "set", "session.dmScope", "'per-peer'", "--dry-run", "--json")
    assert ran.code == 0
    assert (ran.json["changed"], ran.json["written"], ran.json["revision"]) == (True, False, None)
    assert "+  session: { dmScope: 'per-peer' }" in ran.json["diff"]
    assert config.read_text() == TEXT
    assert branchline("config", "revisions", "--json").json == []


def test_json5_values_make_what_is_missing(branchline: Run, config: Path) -> None:
    binding = "{agentId: 'main', match: {channel: 'telegram', accountId: '*'}}"
    assert branchline("config", "set", "bindings[0]", binding).code == 0
    assert branchline("config", "set", "history.dm.maxMessages", "7").code == 0
    assert branchline("config", "get", "bindings", "--json").json["value"] == [
        {"agentId": "main", "match": {"channel": "telegram", "accountId": "*"}}
    ]
    found = branchline("config", "get", "history.dm.maxMessages", "--json").json
    assert (found["value"], found["source"], found["line"]) == (7, "file", 6)
    assert "// who shares what" in config.read_text()
    route = branchline("route", "--channel", "telegram", "--peer", "dm:a", "--json")
    assert route.json["matchedBy"] == "binding.channel"


def test_what_is_not_set_has_its_default_and_what_is_none_is_an_error(
    branchline: Run, config: Path
) -> None:
    found = branchline("config", "get", "compaction.threshold", "--json").json
    assert (found["value"], found["source"], found["line"]) == (0.85, "default", None)
    for path in ("compaction.treshold", "no.such", "session.dmScope.deeper", "agents[0]"):
        ran = branchline("config", "get", path)
        assert ran.code == 1 and "nothing is set there" in ran.err, path
    assert branchline("config", "get", "a..b").code == 1


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("session.dmScope", "everybody", "dmScope"),
        ("session.dmScop", "main", "session.dmScop"),
        ("session", "{dmScope: ", "no JSON5 value"),
        ("session.dmScope.deeper", "1", "holds no keys"),
        ("bindings[3]", "{}", "begins at"),
    ],
)
def test_what_would_break_the_config_is_refused(
    branchline: Run, config: Path, path: str, value: str, why: str
) -> None:
    ran = branchline("config", "set", path, value)
    assert ran.code == 1 and why in ran.err
    assert config.read_text() == TEXT


def test_a_broken_config_can_be_mended_by_a_command(branchline: Run, config: Path) -> None:
    config.write_text("{ session: { dmScope: 'x', dmScop: 'y' } } // mine\n")
    assert branchline("config", "unset", "session.dmScop").code == 0
    assert branchline("config", "set", "session.dmScope", "main").code == 0
    assert config.read_text() == "{ session: { dmScope: 'main' } } // mine\n"
    config.write_text("{ session: ")
    assert "line 1, column" in branchline("config", "set", "session.dmScope", "main").err


def test_revisions_are_listed_and_any_comes_back(branchline: Run, config: Path) -> None:
    branchline("config", "set", "session.dmScope", "per-peer")
    branchline("config", "unset", "session.dmScope")
    found = branchline("config", "revisions", "--json").json
    assert [(one["revision"], one["reason"], one["inForce"]) for one in found] == [
        (3, "remove session.dmScope", True),
        (2, 'set session.dmScope to "per-peer"', False),
        (1, "as found in the file", False),
    ]
    assert "in force" in branchline("config", "revisions").out
    assert branchline("config", "rollback", "1", "--dry-run").code == 0
    assert config.read_text() != TEXT
    ran = branchline("config", "rollback", "1")
    assert ran.code == 0 and "written, revision 4" in ran.out
    assert config.read_text() == TEXT
    ran = branchline("config", "rollback", "77")
    assert ran.code == 1 and "no revision 77" in ran.err


def test_without_a_file_the_first_one_is_written_with_the_value(
    branchline: Run, tmp_path: Path
) -> None:
    ran = branchline("config", "set", "session.dmScope", "per-peer")
    assert ran.code == 0, ran.err
    path = tmp_path / "state" / "branchline.json5"
    assert path.stat().st_mode & 0o777 == 0o600
    assert 'dmScope: "per-peer"' in path.read_text() and "// Who answers" in path.read_text()
    assert branchline("config", "check").code == 0


def test_keys_do_not_show(branchline: Run, config: Path) -> None:
    path = "models.providers.x.apiKey"
    assert branchline("config", "get", path).out == "${X_KEY}\n"
    ran = branchline("config", "set", path, "a-secret-of-mine-123")
    assert ran.code == 0
    told = ran.out + ran.err + branchline("config", "get", "models").out
    told += branchline("config", "get", path, "--json").out
    told += branchline("config", "revisions").out
    assert "a-secret-of-mine" not in told
    assert "a-secret-of-mine-123" in config.read_text()


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(
    branchline: Run, config: Path
) -> None:
    ran = branchline("config", "get", "session.dmscop")
    assert ran.code == 1
    assert "Did you mean session.dmScope?" in ran.err
    assert "config schema" in branchline("config", "get", "nothing.like.it").err
