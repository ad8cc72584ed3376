from __future__ import annotations

import json
from pathlib import Path

from tests.corpus import HOSTILE, raw_controls
from tests.tui.cli.conftest import Run


def export_of(tmp_path: Path, title: str = "Trip", words: str = "hi") -> Path:
    talk = {
        "uuid": "f00d",
        "name": title,
        "created_at": "2026-02-01T00:00:00Z",
        "chat_messages": [
            {"uuid": "1", "sender": "human", "text": words, "created_at": "2026-02-01T00:00:00Z"}
        ],
    }
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([talk, {"odd": 1}]), "utf-8")
    return path


def test_import_reports_and_importing_again_says_so(branchline: Run, tmp_path: Path) -> None:
    path = export_of(tmp_path)
    ran = branchline("sessions", "import", str(path), "--json")
    shape = ran.json
    session_id = shape["sessions"][0]["sessionId"]
    assert ran.code == 1 and shape["agentId"] == "main"
    assert (shape["imported"], shape["present"], shape["refused"]) == (1, 0, 1)
    assert shape["sessions"][0] == {
        "state": "new",
        "source": "conversations.json",
        "format": "claude",
        "originalId": "f00d",
        "title": "Trip",
        "key": "agent:main:chat:import-claude-f00d",
        "sessionId": session_id,
        "messages": 1,
        "entries": 4,
        "roots": 1,
        "remarks": [],
    }
    again = branchline("sessions", "import", str(path), "--json").json
    assert (again["imported"], again["present"]) == (0, 1)
    told = branchline("sessions", "import", str(path))
    assert "1 here already" in told.out and "no conversation of a known form" in told.err
    assert branchline("sessions", "list", "--json").json[0]["label"] == "Trip"
    sent = branchline("send", "and on", "--session", "Trip", "--json")
    assert sent.code == 0 and sent.json["sessionId"] == session_id


def test_a_dry_run_makes_nothing(branchline: Run, tmp_path: Path, sample_state: Path) -> None:
    target = tmp_path / "fresh"
    state = ("--state-dir", str(target))
    ran = branchline(*state, "sessions", "import", str(sample_state), "--dry-run")
    assert ran.code == 0 and "would be taken in" in ran.out
    assert not target.exists()


def test_a_state_dir_comes_in(branchline: Run, tmp_path: Path, sample_state: Path) -> None:
    state = ("--state-dir", str(tmp_path / "fresh"))
    assert branchline(*state, "sessions", "import", str(sample_state)).code == 0
    rows = branchline(*state, "sessions", "list", "--json").json
    assert rows and all(row["key"].startswith("agent:main:chat:import-pi-") for row in rows)


def test_what_cannot_be_imported_is_a_problem(branchline: Run, tmp_path: Path) -> None:
    assert branchline("sessions", "import", str(tmp_path / "nowhere")).code == 1
    config = tmp_path / "c.json5"
    config.write_text('{agents: {list: [{id: "work"}]}}', "utf-8")
    path = str(export_of(tmp_path))
    ran = branchline("--config", str(config), "sessions", "import", path, "--agent", "home")
    assert ran.code == 1 and "Known: work" in ran.err
    ran = branchline("--config", str(config), "sessions", "import", path, "--json")
    assert ran.json["agentId"] == "work"


def test_hostile_names_are_told_safely(branchline: Run, tmp_path: Path) -> None:
    talks = [
        {
            "uuid": text[:500],
            "name": text[:3000],
            "chat_messages": [{"sender": "human", "text": text}],
        }
        for text in HOSTILE.values()
    ]
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([*talks, {"odd": "\x1b[2J"}]), "utf-8")
    for more in ((), ("--json",)):
        ran = branchline("sessions", "import", str(path), *more)
        assert raw_controls(ran.out) == set() and raw_controls(ran.err) == set()
        assert "Traceback" not in ran.err
    assert ran.json["present"] == len(HOSTILE)


def test_what_cannot_be_taken_in_is_told_with_where_to_look(
    branchline: Run, tmp_path: Path
) -> None:
    ran = branchline("sessions", "import", str(tmp_path / "gone.json"))
    assert ran.code == 1
    assert "gone.json: there is nothing to import" in ran.err and "Check the path" in ran.err
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    ran = branchline("sessions", "import", str(other))
    assert ran.code == 1
    assert "`branchline sessions import --help` lists what can be taken in" in ran.err
