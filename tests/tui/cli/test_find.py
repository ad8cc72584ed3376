from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tui.cli.conftest import Run, message

FORMAT = "tenant-{tenant_id}-{channel}:{server_id}:{channel_id}:{user_id}"


def config(tmp_path: Path, **session: Any) -> None:
    path = tmp_path / "state" / "branchline.json5"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {"agents": {"defaults": {"model": "offline/echo"}}, "session": session}
    path.write_text(json.dumps(text), "utf-8")


def keys(ran: Any) -> dict[str, str]:
    return {row["key"]: row.get("matchedBy") for row in ran.json}


def find(branchline: Run, channel: str, user: str) -> dict[str, str]:
    return keys(branchline("sessions", "find", "--channel", channel, "--user", user, "--json"))


def test_people_are_found_by_what_they_sent_wherever_it_went(
    branchline: Run, tmp_path: Path
) -> None:
    config(tmp_path, dmScope="per-channel-peer")
    for args in (
        ("--channel", "telegram", "--peer", "dm:111"),
        ("--channel", "telegram", "--peer", "group:g1", "--sender", "111"),
        ("--channel", "telegram", "--peer", "dm:222"),
        ("--channel", "discord", "--peer", "dm:111"),
    ):
        assert branchline("send", "hello there", *args).code == 0
    found = find(branchline, "Telegram", "111")
    assert found == {
        "agent:main:telegram:dm:111": "origin",
        "agent:main:telegram:group:g1": "origin",
    }
    group = ("--channel", "telegram", "--peer", "group:g1", "--sender", "222")
    assert branchline("send", "me too", *group).code == 0
    assert find(branchline, "telegram", "222")["agent:main:telegram:group:g1"] == "message"
    assert find(branchline, "telegram", "333") == {}


def test_keys_and_links_name_people_too(
    branchline: Run, write_session: Callable[..., Path], tmp_path: Path
) -> None:
    config(tmp_path, dmScope="per-peer", identityLinks={"alice": ["telegram:111", "discord:9"]})
    write_session("agent:main:dm:alice", [message("a", None, "user", "x")], "s-1")
    write_session("agent:main:telegram:dm:555:thread:7", [message("a", None, "user", "x")], "s-2")
    assert find(branchline, "telegram", "111") == {"agent:main:dm:alice": "link"}
    assert find(branchline, "discord", "9") == {"agent:main:dm:alice": "link"}
    assert find(branchline, "telegram", "555") == {"agent:main:telegram:dm:555:thread:7": "key"}
    told = branchline("sessions", "find", "--channel", "x", "--user", "y")
    assert (told.code, told.out) == (0, "") and "no session" in told.err


def test_tenants_are_told_apart_by_origin_and_by_key(
    branchline: Run, write_session: Callable[..., Path], tmp_path: Path
) -> None:
    config(tmp_path, keyFormat=FORMAT)
    rest = "telegram:none:none:7"
    for tenant in ("4", "42"):
        key = f"agent:main:tenant-{tenant}-{rest}"
        write_session(key, [message("a", None, "user", "x")], f"s-{tenant}")
    write_session("agent:main:main", [message("a", None, "user", "x")], "s-main")
    listed = keys(branchline("sessions", "list", "--tenant", "42", "--json"))
    assert set(listed) == {f"agent:main:tenant-42-{rest}"}
    assert set(keys(branchline("sessions", "list", "--tenant", "4", "--json"))) == {
        f"agent:main:tenant-4-{rest}"
    }
    assert "tenant 7" in branchline("sessions", "list", "--tenant", "7").out
    found = find(branchline, "telegram", "7")
    assert set(found.values()) == {"key"} and len(found) == 2


def test_the_origin_decides_about_the_tenant(branchline: Run, tmp_path: Path) -> None:
    config(tmp_path, keyFormat=FORMAT)
    line = {"channel": "telegram", "peer": {"kind": "dm", "id": "7"}, "tenantId": "42-telegram"}
    folder = tmp_path / "state/agents/main/sessions"
    folder.mkdir(parents=True)
    head = {
        "type": "session", "version": 3, "id": "s", "timestamp": "2026-01-01T00:00:00.000Z",
        "cwd": "", "sessionKey": "agent:main:tenant-42-telegram-telegram:none:none:7",
        "origin": line,
    }  # fmt: skip
    body = json.dumps(head) + "\n" + json.dumps(message("a", None, "user", "x")) + "\n"
    (folder / "s.jsonl").write_text(body, "utf-8")
    assert keys(branchline("sessions", "list", "--tenant", "42", "--json")) == {}
    assert len(branchline("sessions", "list", "--tenant", "42-telegram", "--json").json) == 1
