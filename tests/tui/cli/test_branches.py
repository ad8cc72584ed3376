from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.tui.cli.conftest import Run, message

KEY = "agent:main:telegram:dm:alice"


def test_fork_has_the_agreed_shape_and_copies_the_path(branchline: Run, talk: Path) -> None:
    shape = branchline("sessions", "fork", KEY, "c", "--name", "left side", "--json").json
    assert shape["sessionKey"].startswith(f"{KEY}:fork:")
    assert (shape["parentKey"], shape["parentSession"], shape["leaf"]) == (KEY, str(talk), "c")
    assert shape["tokens"] > 0
    window = branchline("sessions", "window", shape["sessionKey"], "--json").json
    assert [one["text"] for one in window["messages"]] == ["hello", "hi there", "left"]
    shown = branchline("sessions", "show", shape["sessionId"], "--json").json
    assert shown["label"] == "left side" and shown["lineage"]["parentEntry"] == "c"


def test_a_fork_can_be_looked_at_first(branchline: Run, talk: Path) -> None:
    before = talk.read_bytes()
    shape = branchline("sessions", "fork", KEY, "--preview", "--json").json
    assert (shape["sessionKey"], shape["entries"]) == (None, 4) and shape["tokens"] > 0
    assert talk.read_bytes() == before
    assert len(branchline("sessions", "list", "--json").json) == 1


def test_forks_of_what_is_not_there(branchline: Run, talk: Path) -> None:
    for args in ((KEY, "nope"), ("nobody",)):
        ran = branchline("sessions", "fork", *args)
        assert ran.code == 1 and ran.err.startswith("branchline: ")


def test_leftovers_can_be_forked(branchline: Run, sample_state: Path) -> None:
    state = ("--state-dir", str(sample_state))
    reset = next((sample_state / "agents/main/sessions").glob("*.reset.*"))
    shape = branchline(*state, "sessions", "fork", str(reset), "--json").json
    assert shape["parentSession"] == str(reset)


def test_labels_for_sessions_and_entries(branchline: Run, talk: Path) -> None:
    assert branchline("sessions", "label", KEY, "Trip", "--json").json == {
        "sessionKey": KEY,
        "sessionId": "0a1b2c3d-0000-4000-8000-000000000001",
        "entryId": None,
        "label": "Trip",
    }
    assert branchline("sessions", "list", "--json").json[0]["label"] == "Trip"
    assert branchline("sessions", "label", "Trip", "start", "--node", "a").code == 0
    nodes = branchline("sessions", "tree", KEY, "--json").json["nodes"]
    assert {node["id"]: node.get("label") for node in nodes}["a"] == "start"
    assert branchline("sessions", "label", KEY, "", "--node", "a").code == 0
    nodes = branchline("sessions", "tree", KEY, "--json").json["nodes"]
    assert {node["id"]: node.get("label") for node in nodes}["a"] is None
    assert branchline("sessions", "label", KEY, "x", "--node", "nope").code == 1


def test_what_is_not_in_use_is_not_labelled(branchline: Run, sample_state: Path) -> None:
    reset = next((sample_state / "agents/main/sessions").glob("*.reset.*"))
    ran = branchline("--state-dir", str(sample_state), "sessions", "label", str(reset), "x")
    assert ran.code == 1 and "Fork it first" in ran.err


def long_talk(write_session: Callable[..., Path]) -> Path:
    entries = []
    parent = None
    for number in range(60):
        role = "assistant" if number % 2 else "user"
        words = f"note {number}: Marta moved budget {number}00 to Oslo. " * 12
        entries.append(message(f"m{number}", parent, role, words))
        parent = f"m{number}"
    return write_session("agent:main:main", entries)


def config(tmp_path: Path) -> None:
    text = {
        "agents": {
            "defaults": {
                "model": "offline/echo",
                "compaction": {"preserveRecent": 4, "keepRecentTokens": 500},
            }
        }
    }
    (tmp_path / "state" / "branchline.json5").write_text(json.dumps(text), "utf-8")


def test_compact_shows_and_writes(
    branchline: Run, write_session: Callable[..., Path], tmp_path: Path
) -> None:
    path = long_talk(write_session)
    config(tmp_path)
    before = path.read_bytes()
    shown = branchline("sessions", "compact", "agent:main:main", "--preview", "--json")
    assert shown.code == 0, shown.err
    assert shown.json["outcome"] == "preview" and path.read_bytes() == before
    assert shown.json["tokensAfter"] < shown.json["tokensBefore"]
    ran = branchline("sessions", "compact", "agent:main:main", "--focus", "budget", "--json")
    shape = ran.json
    assert (ran.code, shape["outcome"]) == (0, "done") and shape["folded"] + shape["kept"] == 60
    assert set(shape["missing"]) == {"names", "numbers", "ids", "paths", "questions"}
    nodes = branchline("sessions", "tree", "agent:main:main", "--json").json["nodes"]
    assert {node["id"]: node["type"] for node in nodes}[shape["entryId"]] == "compaction"
    assert path.read_bytes().startswith(before)


def test_nothing_to_fold_is_a_problem_with_its_reason(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "compact", KEY, "--json")
    assert (ran.code, ran.json["outcome"]) == (1, "failed") and ran.json["reason"]
    assert branchline("sessions", "compact", KEY, "--preview").code == 1


def test_a_preview_that_comes_to_nothing_has_the_shape_of_one_that_fails(
    branchline: Run,
) -> None:
    assert branchline("send", "hi").code == 0
    done = branchline("sessions", "compact", "agent:main:main", "--preview", "--json")
    assert done.code == 1
    assert done.json["outcome"] == "failed"
    assert done.json["tokensBefore"] == done.json["tokensAfter"] > 0
    assert done.json["reason"]
