from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import HOSTILE, raw_controls
from tests.tui.cli.conftest import Run, message

KEY = "agent:main:telegram:dm:alice"
ID = "0a1b2c3d-0000-4000-8000-000000000001"


def test_list_has_the_agreed_shape(branchline: Run, talk: Path) -> None:
    assert branchline("sessions", "list", "--json").json == [
        {
            "key": KEY,
            "sessionId": ID,
            "agentId": "main",
            "label": None,
            "messages": 4,
            "created": 1_767_225_600_000,
            "lastActive": 1_767_225_601_000,
            "model": None,
            "override": None,
            "state": "active",
            "labels": [],
            "problems": [],
        }
    ]
    told = branchline("sessions", "list")
    assert KEY in told.out and told.err == ""


def test_a_list_shows_what_was_chosen_for_a_session(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    data = {"model": "offline/echo-2k", "source": "user"}
    note = {"type": "custom", "id": "m", "parentId": None, "customType": "branchline.model"}
    write_session(KEY, [{**note, "timestamp": "2026-01-01T00:00:00.000Z", "data": data}])
    assert branchline("sessions", "list", "--json").json[0]["override"] == "offline/echo-2k"
    assert "offline/echo-2k (override)" in branchline("sessions", "list").out
    assert "offline/echo-2k" in branchline("sessions", "show", KEY).out


def test_an_empty_state_dir_lists_nothing(branchline: Run, tmp_path: Path) -> None:
    assert branchline("sessions", "list", "--json").json == []
    ran = branchline("sessions", "list")
    assert (ran.code, ran.err) == (0, "") and "no sessions" in ran.out
    assert not (tmp_path / "state").exists()


def test_a_real_state_dir_is_listed_with_its_leftovers(branchline: Run, sample_state: Path) -> None:
    rows = branchline("--state-dir", str(sample_state), "sessions", "list", "--json").json
    files = [
        path.name
        for path in (sample_state / "agents/main/sessions").iterdir()
        if ".jsonl" in path.name
    ]
    assert len(rows) == len(files)
    assert sum(row["state"] == "checkpoint" for row in rows) == sum(
        ".checkpoint." in name for name in files
    )
    assert sum(row["state"] == "reset" for row in rows) == sum(".reset." in name for name in files)


def test_every_file_of_a_real_state_dir_can_be_read(branchline: Run, sample_state: Path) -> None:
    where = sample_state / "agents/main/sessions"
    before = {path.name: path.read_bytes() for path in where.iterdir()}
    for name in before:
        if ".jsonl" not in name:
            continue
        for command in ("window", "history", "tree", "show"):
            ran = branchline("sessions", command, str(where / name), "--json")
            assert ran.code == 0, (command, name, ran.err)
            assert ran.json
    after = {name: (where / name).read_bytes() for name in before}
    assert after == before


@pytest.mark.parametrize(
    "ref",
    [KEY, "AGENT:main:Telegram:direct:ALICE", ID, ID[:8]],
    ids=["key", "other spelling", "id", "prefix"],
)
def test_a_session_is_found_by(branchline: Run, talk: Path, ref: str) -> None:
    ran = branchline("sessions", "show", ref, "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["key"], ran.json["leaf"]) == (KEY, "l")


def test_a_session_is_found_by_path_label_and_bare_file_name(
    branchline: Run, write_session: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_session(
        "agent:main:chat:plans",
        [
            message("a", None, "user", "hi"),
            {"type": "session_info", "id": "i", "parentId": "a", "name": "Summer",
             "timestamp": "2026-01-01T00:00:02.000Z"},
        ],
    )  # fmt: skip
    copy = tmp_path / "copy.txt"
    copy.write_bytes(path.read_bytes())
    for ref in ("summer", str(path), str(copy)):
        assert branchline("sessions", "history", ref, "--json").json["entries"][0]["text"] == "hi"
    import os

    done = branchline(
        "sessions", "history", "copy.txt", env={"PYTHONPATH": os.getcwd()}, cwd=tmp_path
    )
    assert "hi" in done.out


def test_an_unknown_session_is_one_clear_message(branchline: Run, talk: Path) -> None:
    for command in ("show", "history", "tree", "window"):
        ran = branchline("sessions", command, "agent:main:telegram:dm:alicia", "--json")
        assert (ran.code, ran.out) == (1, "")
        assert KEY in ran.err and ran.err.count("\n") == 1


def test_window_of_the_leaf_and_of_another_branch(branchline: Run, talk: Path) -> None:
    found = branchline("sessions", "window", KEY, "--json").json
    assert set(found) == {
        "leaf", "model", "thinkingLevel", "tokens", "messages", "decisions", "problems",
    }  # fmt: skip
    assert [(row["role"], row["text"], row["entryId"]) for row in found["messages"]] == [
        ("user", "hello", "a"),
        ("assistant", "hi there", "b"),
        ("user", "right", "d"),
    ]
    assert [(row["entryId"], row["included"]) for row in found["decisions"]] == [
        ("a", True),
        ("b", True),
        ("d", True),
        ("l", False),
    ]
    assert all(row["reason"] and row["type"] for row in found["decisions"])
    left = branchline("sessions", "window", KEY, "--leaf", "c", "--json").json
    assert [row["entryId"] for row in left["messages"]] == ["a", "b", "c"]
    nothing = branchline("sessions", "window", KEY, "--leaf", "null", "--json").json
    assert (nothing["leaf"], nothing["messages"]) == (None, [])


def test_a_session_has_the_configs_limits_and_a_file_only_when_asked(
    branchline: Run, talk: Path, tmp_path: Path
) -> None:
    config = tmp_path / "state" / "branchline.json5"
    config.write_text("{channels: {telegram: {dms: {alice: {historyLimit: 1}}}}}")

    def messages(*args: str) -> list[str]:
        found = branchline("sessions", "window", *args, "--json").json["messages"]
        return [row["entryId"] for row in found]

    assert messages(KEY) == ["d"]
    assert messages(str(talk)) == ["a", "b", "d"]
    assert messages(str(talk), "--config", str(config)) == ["d"]


def test_tool_calls_and_results_are_in_the_window(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    call = {"type": "toolCall", "id": "t1", "name": "read", "arguments": {"path": "x"}}
    asks = message("b", "a", "assistant", "")
    asks["message"]["content"] = [call]
    tells = message("c", "b", "toolResult", "42")
    tells["message"]["toolCallId"] = "t1"
    path = write_session("agent:main:main", [message("a", None, "user", "q"), asks, tells])
    rows = branchline("sessions", "window", str(path), "--json").json["messages"]
    assert rows[1]["toolCalls"] == ["t1"]
    assert rows[2] == {"role": "toolResult", "text": "42", "entryId": "c", "toolCallId": "t1"}
    assert "read" in branchline("sessions", "history", str(path)).out


def test_recorded_contexts_come_out_of_window(
    branchline: Run, cases: Callable[[str], list[dict[str, Any]]], tmp_path: Path
) -> None:
    rows = [case for case in cases("tree") if case["group"] == "context"]
    assert rows
    for number, case in enumerate(rows):
        entries, leaf = case["input"]["entries"], case["input"]["leaf"]
        path = tmp_path / f"{number}.jsonl"
        head = {"type": "session", "version": 3, "id": "x", "timestamp": "", "cwd": ""}
        path.write_text("".join(json.dumps(line) + "\n" for line in (head, *entries)))
        chosen = [] if leaf == "__default__" else ["--leaf", "null" if leaf is None else leaf]
        ran = branchline("sessions", "window", str(path), *chosen, "--json")
        assert ran.code == 0, (case["id"], ran.err)
        found, expected = ran.json, case["expected"]
        got = [{name: row[name] for name in row if name != "entryId"} for row in found["messages"]]
        assert got == expected["messages"], case["id"]
        assert found["model"] == expected["model"], case["id"]
        assert found["thinkingLevel"] == expected["thinkingLevel"], case["id"]


def test_tree_has_the_agreed_shape(branchline: Run, talk: Path) -> None:
    found = branchline("sessions", "tree", KEY, "--json").json
    assert found["header"]["sessionKey"] == KEY
    assert found["leaf"] == "l" and found["problems"] == []
    assert [
        (row["id"], row["parentId"], row["depth"], row["onPath"]) for row in found["nodes"]
    ] == [
        ("a", None, 0, True),
        ("b", "a", 1, True),
        ("c", "b", 2, False),
        ("d", "b", 2, True),
        ("l", "d", 3, True),
    ]
    assert found["nodes"][3] == {
        "id": "d", "parentId": "b", "type": "message", "role": "user", "text": "right",
        "label": "the turn", "onPath": True, "depth": 2,
    }  # fmt: skip
    told = branchline("sessions", "tree", KEY).out
    assert "○ c user" in told and "◉ d user [the turn]" in told


def test_damage_is_told_and_the_rest_is_read(branchline: Run, talk: Path) -> None:
    with talk.open("ab") as file:
        file.write(b"\x00\xff garbage\n")
        file.write(json.dumps(message("e", "gone", "user", "orphan")).encode() + b"\n")
        file.write(b'{"type": "mess')
    found = branchline("sessions", "tree", KEY, "--json").json
    assert [row["id"] for row in found["nodes"]] == ["a", "b", "c", "d", "l", "e"]
    told = " ".join(problem["message"] for problem in found["problems"])
    assert "unreadable" in told and "gone" in told and "not whole" in told
    assert branchline("sessions", "history", KEY).err.count("warning") == 3


def test_history_stops_where_asked(branchline: Run, talk: Path) -> None:
    found = branchline("sessions", "history", KEY, "--leaf", "c", "--limit", "2", "--json").json
    assert [row["id"] for row in found["entries"]] == ["b", "c"]
    assert (found["leaf"], found["sessionId"]) == ("c", ID)
    ran = branchline("sessions", "history", KEY, "--leaf", "zz")
    assert ran.code == 1 and "zz" in ran.err


@pytest.fixture
def hostile(write_session: Callable[..., Path]) -> Path:
    """A session whose every text, name, role, id and type is from the corpus."""
    lines: list[dict[str, Any]] = []
    parent = None
    for number, text in enumerate(HOSTILE.values()):
        entry = message(
            f"{number}{text[:20]}", parent, text[:30] if number % 7 == 3 else "user", text
        )
        lines += [
            entry,
            {"type": "label", "id": f"l{number}", "parentId": entry["id"], "timestamp": text[:99],
             "targetId": entry["id"], "label": text},
        ]  # fmt: skip
        parent = entry["id"]
    odd = {"type": HOSTILE["osc clipboard"], "id": "odd", "parentId": parent, "timestamp": ""}
    name = {"type": "session_info", "id": "n", "parentId": "odd", "timestamp": "",
            "name": HOSTILE["csi clear"] + HOSTILE["bidi override"]}  # fmt: skip
    key = "agent:main:x:dm:" + HOSTILE["c1 osc"] + HOSTILE["zero width"]
    return write_session(key, [*lines, odd, name])


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("command", ["list", "show", "history", "tree", "window"])
def test_hostile_text_reaches_no_terminal_raw(
    branchline: Run, hostile: Path, command: str, form: tuple[str, ...]
) -> None:
    which = () if command == "list" else ("s-1",)
    ran = branchline("sessions", command, *which, *form)
    assert ran.code == 0, ran.err
    assert raw_controls(ran.out) == set() == raw_controls(ran.err)
    if form and command == "list":
        label = HOSTILE["csi clear"] + HOSTILE["bidi override"]
        assert ran.json[0]["label"] == label
    if form and command in ("history", "tree"):
        rows = ran.json["entries" if command == "history" else "nodes"]
        texts = {row["text"] for row in rows}
        assert {text for text in HOSTILE.values() if "\ud800" not in text} <= texts


def test_hostile_names_in_arguments(branchline: Run, hostile: Path) -> None:
    for text in HOSTILE.values():
        if len(text) < 1000 and "\x00" not in text and "\ud800" not in text:
            ran = branchline("sessions", "show", text)
            assert ran.code == 1 and raw_controls(ran.out + ran.err) == set()


def test_a_session_goes_by_the_name_that_lists_and_the_app_show(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    write_session("agent:main:chat:plans", [message("m1", None, "user", "to Rome")], "s-1")
    write_session("agent:main:telegram:dm:plans2", [message("m1", None, "user", "no")], "s-2")
    assert "to Rome" in branchline("sessions", "history", "plans").out
    assert "to Rome" in branchline("sessions", "history", "chat:Plans").out
    ran = branchline("sessions", "history", "lans")
    assert (ran.code, ran.out) == (1, "")


def test_a_name_that_two_sessions_go_by_is_refused_with_both_keys(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    for number, channel in enumerate(("telegram", "discord")):
        key = f"agent:main:{channel}:dm:bob"
        write_session(key, [message("m1", None, "user", "hi")], f"s-{number}")
    ran = branchline("sessions", "history", "bob")
    assert ran.code == 1
    assert "fits 2 sessions" in ran.err and "discord:dm:bob" in ran.err


def test_an_entry_of_a_program_is_drawn_with_its_sort(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    own = {"type": "custom", "id": "c1", "parentId": "m1", "customType": "their.mark"}
    write_session("agent:main:main", [message("m1", None, "user", "hi"), own])
    assert "c1 custom  their.mark" in branchline("sessions", "tree", "main", "--all").out


def test_a_tree_leaves_out_what_the_app_leaves_out_and_says_so(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    note = {"id": "s1", "parentId": "m1", "type": "custom", "customType": "openclaw.status"}
    model = {"id": "s2", "parentId": "s1", "type": "model_change", "provider": "x", "modelId": "y"}
    tool = message("m3", "m2", "toolResult", "42 rows")
    lines = [
        message("m1", None, "user", "hi"), note, model, message("m2", "s2", "assistant", "hello"),
        tool, message("m4", "m3", "user", "on"), message("m5", "m3", "user", "or this"),
    ]  # fmt: skip
    write_session("agent:main:main", lines)
    told = branchline("sessions", "tree", "main").out.splitlines()
    assert told == [
        "● m1 user  hi",
        "● m2 assistant  hello",
        "  ◉ m5 user  or this",
        "  ○ m4 user  on",
        "(3 entries are left out: tool results, bookkeeping, what is hidden. "
        "--all shows everything)",
    ]
    told = branchline("sessions", "tree", "main", "--all").out.splitlines()
    assert [line.split()[1] for line in told] == ["m1", "s1", "s2", "m2", "m3", "m5", "m4"]
    assert "left out" not in told[-1]
