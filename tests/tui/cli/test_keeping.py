from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.store import Store
from engine.sessions.tombs import read_tombs
from tests.corpus import raw_controls
from tests.tui.cli.conftest import Run, message

KEY = "agent:main:telegram:dm:alice"
BOB = "agent:main:telegram:dm:bob"
ID = "0a1b2c3d-0000-4000-8000-000000000001"


def states(branchline: Run, *more: str) -> dict[str, str]:
    rows = branchline("sessions", "list", "--json", *more).json
    return {row["key"].rpartition(":")[2]: row["state"] for row in rows}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def bob(talk: Path, write_session: Callable[..., Path]) -> Path:
    """A second person beside Alice."""
    return write_session(BOB, [message("a", None, "user", "hi")], "bbbbbbbb-1")


def test_archived_listed_and_brought_back_by_key(branchline: Run, bob: Path) -> None:
    ran = branchline("sessions", "archive", KEY, "--json")
    assert ran.code == 0, ran.err
    [done] = ran.json["done"]
    assert (done["sessionKey"], done["sessionId"], done["kind"]) == (KEY, ID, "archived")
    assert (done["reason"], done["messages"], ran.json["refused"]) == ("archived by hand", 4, [])
    assert Path(done["file"]).exists()
    assert states(branchline) == {"alice": "archived", "bob": "active"}
    assert states(branchline, "--archived") == {"alice": "archived"}
    gone = branchline("sessions", "show", KEY)
    assert gone.code == 1 and "sessions restore" in gone.err
    shown = branchline("sessions", "history", done["file"], "--json").json
    assert shown["entries"][0]["text"] == "hello"
    back = branchline("sessions", "restore", KEY, "--json")
    assert back.json == {"sessionKey": KEY, "sessionId": ID}
    assert states(branchline) == {"alice": "active", "bob": "active"}


def test_restore_takes_the_latest_and_the_trash_last(branchline: Run, talk: Path) -> None:
    assert "restored" not in branchline("sessions", "restore", KEY).out
    assert branchline("sessions", "restore", KEY).code == 1
    branchline("sessions", "delete", KEY)
    branchline("send", "again", "--session", KEY)
    branchline("sessions", "archive", KEY)
    restored = branchline("sessions", "restore", KEY)
    assert "2 messages" in restored.out
    restored = branchline("sessions", "restore", KEY)
    assert "4 messages" in restored.out, "the trash, where there is nothing else"
    shown = branchline("sessions", "show", KEY, "--json").json
    [one] = shown["generations"]
    assert (one["kind"], one["messages"]) == ("archived", 2)
    assert one["reason"] == "an earlier conversation was restored"
    assert "before" in branchline("sessions", "show", KEY).out


def test_delete_goes_to_the_trash_and_leaves_a_tombstone(
    branchline: Run, bob: Path, state: Path
) -> None:
    ran = branchline("sessions", "delete", "--filter", "agent:main:telegram:*", "--dry-run")
    assert ran.out.count("would go to the trash") == 2
    assert states(branchline) == {"alice": "active", "bob": "active"}
    ran = branchline("sessions", "delete", "--filter", "*:BOB", "--json")
    assert [one["sessionKey"] for one in ran.json["done"]] == [BOB]
    assert states(branchline) == {"alice": "active", "bob": "deleted"}
    assert states(branchline, "--label", "trash") == {"bob": "deleted"}
    [tomb] = read_tombs(Disk(), state / "agents/main/tombstones.jsonl")
    assert (tomb.key, tomb.rule) == (BOB, "by hand")


def test_what_is_busy_is_refused_and_the_others_are_done(
    branchline: Run, bob: Path, state: Path
) -> None:
    held = Store(Disk(), state, SystemClock()).open(KEY)
    with held.hold():
        ran = branchline("sessions", "archive", KEY, BOB, "--json")
    held.close()
    assert ran.code == 1
    assert str(os.getpid()) in ran.err and "Wait for it to finish" in ran.err
    assert [one["sessionKey"] for one in ran.json["done"]] == [BOB]
    assert [one["sessionKey"] for one in ran.json["refused"]] == [KEY]
    assert states(branchline) == {"alice": "active", "bob": "archived"}


@pytest.mark.parametrize(
    "args",
    [
        ("archive",),
        ("delete", KEY, "--filter", "*"),
        ("label",),
        ("label", KEY),
        ("label", KEY, "x", "--add", "y"),
        ("label", KEY, "x", "--filter", "*"),
        ("prune", "--disk-budget", "lots"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    branchline: Run, talk: Path, args: tuple[str, ...]
) -> None:
    ran = branchline("sessions", *args)
    assert (ran.code, ran.out) == (2, "") and ran.err.count("\n") == 1
    assert talk.exists()


def test_unknown_sessions_are_a_clear_error(branchline: Run, talk: Path) -> None:
    for command in ("archive", "delete", "restore", "clear"):
        ran = branchline("sessions", command, "agent:main:telegram:dm:alicia", "--json")
        assert (ran.code, ran.out) == (1, ""), command
        assert ran.err.count("\n") == 1


def test_clear_empties_the_context_and_keeps_the_tree(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "clear", KEY, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["sessionId"] == ID and "context is empty" in ran.json["text"]
    assert branchline("sessions", "window", KEY, "--json").json["messages"] == []
    assert len(branchline("sessions", "tree", KEY, "--json").json["nodes"]) > 4


def test_labels_sort_sessions(branchline: Run, bob: Path) -> None:
    ran = branchline("sessions", "label", KEY, "--add", "escalated", "--add", "vip", "--json")
    assert [one["labels"] for one in ran.json["done"]] == [["escalated", "vip"]]
    rows = branchline("sessions", "list", "--label", "Escalated", "--json").json
    assert [(row["key"], row["labels"]) for row in rows] == [(KEY, ["escalated", "vip"])]
    assert "active, escalated, vip" in branchline("sessions", "list").out
    branchline("sessions", "label", "--filter", "*", "--with-label", "vip", "--remove", "vip")
    branchline("sessions", "label", "--filter", "*bob", "--add", "waits")
    labels = {r["key"]: r["labels"] for r in branchline("sessions", "list", "--json").json}
    assert labels == {KEY: ["escalated"], BOB: ["waits"]}
    refused = branchline("sessions", "label", KEY, "--add", "idle")
    assert refused.code == 1 and "by themselves" in refused.err
    branchline("sessions", "label", KEY, "Alice of Sales")
    assert set(states(branchline, "--label", "alice of sales")) == {"alice"}


def test_idle_is_told_by_the_config(
    branchline: Run, talk: Path, state: Path, write_session: Callable[..., Path]
) -> None:
    (state / "branchline.json5").write_text("{ session: { timeoutHours: 24 } }")
    branchline("send", "hello", "--session", BOB)
    assert states(branchline) == {"alice": "idle", "bob": "active"}
    assert states(branchline, "--label", "idle") == {"alice": "idle"}
    (state / "branchline.json5").write_text("{ session: ")
    assert states(branchline) == {"alice": "active", "bob": "active"}


def test_prune_plans_and_does_what_it_planned(branchline: Run, bob: Path, state: Path) -> None:
    branchline("sessions", "label", KEY, "--add", "escalated")
    branchline("send", "hello")
    before = states(branchline)
    planned = branchline("sessions", "prune", "--older-than", "30", "--dry-run", "--json").json
    assert planned["dryRun"] is True and states(branchline) == before
    [step] = planned["steps"]
    assert (step["sessionKey"], step["action"]) == (BOB, "trash")
    assert step["reason"] == "unused for more than 30 days"
    [kept] = planned["kept"]
    assert (kept["sessionKey"], kept["reason"]) == (KEY, "labelled escalated")
    ran = branchline("sessions", "prune", "--older-than", "30")
    assert ran.code == 0, ran.err
    assert "1 went to the trash, 0 erased" in ran.out
    assert f"kept {KEY}: labelled escalated" in ran.out
    assert states(branchline) == {"alice": "active", "bob": "deleted", "main": "active"}
    [tomb] = read_tombs(Disk(), state / "agents/main/tombstones.jsonl")
    assert tomb.rule == "by hand: pruneAfterDays"


def test_prune_follows_the_config_and_says_when_there_is_nothing_to_follow(
    branchline: Run, bob: Path, state: Path
) -> None:
    ran = branchline("sessions", "prune", "--json")
    assert (ran.code, ran.json["steps"]) == (0, []) and "no rule asks" in ran.err
    maintenance = "{ session: { maintenance: { maxSessions: 1 } } }"
    (state / "branchline.json5").write_text(maintenance)
    ran = branchline("sessions", "prune", "--json")
    assert [one["rule"] for one in ran.json["steps"]] == ["session.maintenance.maxSessions"]
    (state / "branchline.json5").write_text('{ session: { maintenance: { diskBudget: "x" } } }')
    ran = branchline("sessions", "prune")
    assert ran.code == 1 and "no size" in ran.err and "diskBudget" in ran.err


def test_prune_asks_whether_a_clock_that_jumped_is_right(
    branchline: Run, write_session: Callable[..., Path], state: Path
) -> None:
    for number in range(5):
        key = f"agent:main:telegram:dm:p{number}"
        write_session(key, [message("a", None, "user", "hi")], f"aaaaaaa{number}-1")
    (state / "branchline.json5").write_text("{ session: { maintenance: { pruneAfterDays: 30 } } }")
    (state / "heartbeat.json").write_text(json.dumps({"at": 1_767_225_700_000}))
    planned = branchline("sessions", "prune", "--dry-run", "--json").json
    assert len(planned["steps"]) == 5
    ran = branchline("sessions", "prune")
    assert ran.code == 1
    assert "5 sessions would end at once" in ran.err and "--clock-is-right" in ran.err
    assert set(states(branchline).values()) == {"active"}
    ran = branchline("sessions", "prune", "--clock-is-right")
    assert ran.code == 0, ran.err
    assert set(states(branchline).values()) == {"deleted"}


def test_a_reset_is_announced_by_send(branchline: Run, talk: Path, state: Path) -> None:
    config = '{ session: { reset: { mode: "idle", idleMinutes: 60 } } }'
    (state / "branchline.json5").write_text(config)
    ran = branchline("send", "anybody there?", "--session", KEY)
    assert ran.code == 0 and "right" not in ran.out
    assert "a fresh start, nothing was said for more than 1 hour" in ran.err
    assert "the 4 messages so far are archived" in ran.err
    shown = branchline("sessions", "show", KEY, "--json").json
    assert [(one["rule"], one["messages"]) for one in shown["generations"]] == [
        ("session.reset", 4)
    ]


def test_hostile_names_come_out_safe(branchline: Run, write_session: Callable[..., Path]) -> None:
    key = "agent:main:chat:\x1b]0;x\x07"
    write_session(key, [message("a", None, "user", "hi")])
    for args in (
        ("label", key, "--add", "\x1b[2Jred"),
        ("archive", key),
        ("list",),
        ("restore", key),
        ("prune", "--older-than", "1", "--dry-run"),
        ("delete", key),
    ):
        ran = branchline("sessions", *args)
        assert not raw_controls(ran.out + ran.err), args
