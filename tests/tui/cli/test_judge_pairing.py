from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.cli.conftest import Run

TALK = [("telegram", "alice", "my password is secret123"), ("telegram", "bob", "hello there")]


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "state" / "branchline.json5"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def talk(branchline: Run) -> None:
    for channel, who, text in TALK:
        done = branchline("send", "--channel", channel, "--peer", f"dm:{who}", text)
        assert done.code == 0, done.err


def test_preview_names_who_would_see_whose_words_and_changes_nothing(
    branchline: Run, config: Callable[[str], Path]
) -> None:
    path = config('{ session: { dmScope: "per-channel-peer" } }')
    talk(branchline)
    before = path.read_bytes()
    done = branchline("config", "preview", "--scope", "main")
    assert done.code == 0
    assert "MERGE  agent:main:main" in done.out
    assert "telegram:bob would see 1 message of telegram:alice" in done.out
    told = "2 messages: 1 merge, 0 splits, 0 moves, 0 kept; 2 exposures"
    assert told in done.out, "one of a thing is no things"
    found = branchline("config", "preview", "--scope", "per-peer", "--json").json
    assert found["exposes"] == []
    assert len(found["moves"]) == 2
    assert path.read_bytes() == before


def test_preview_compares_with_another_file_too(
    branchline: Run, config: Callable[[str], Path], tmp_path: Path
) -> None:
    config('{ session: { dmScope: "per-channel-peer" } }')
    talk(branchline)
    other = tmp_path / "other.json5"
    other.write_text('{ session: { dmScope: "main" } }')
    assert branchline("config", "preview", str(other), "--json").json["exposed"] == 2
    assert branchline("config", "preview").code == 2
    assert branchline("config", "preview", "--scope", "everybody").code == 2


def test_lint_shows_a_binding_that_never_wins_with_a_message(
    branchline: Run, config: Callable[[str], Path]
) -> None:
    config(
        """{ agents: { list: [{ id: "main" }, { id: "ops" }] }, bindings: [
        { agentId: "ops", match: { channel: "telegram", accountId: "*" } },
        { agentId: "main", match: { channel: "telegram", accountId: "*" } } ],
        session: { dmScope: "per-channel-peer" } }"""
    )
    done = branchline("config", "lint")
    assert done.code == 1
    assert "branchline.json5:3:" in done.out
    assert "bindings[1]" in done.out
    assert "for example telegram" in done.out
    [finding] = branchline("config", "lint", "--json").json["findings"]
    route = branchline("route", stdin=json.dumps(finding["examples"][0])).lines[0]
    assert route["agentId"] == "ops"


def test_lint_of_a_sound_config_finds_nothing(
    branchline: Run, config: Callable[[str], Path]
) -> None:
    config('{ session: { dmScope: "per-channel-peer" } }')
    done = branchline("config", "lint")
    assert (done.code, done.out.strip()) == (0, "nothing found")


def test_lint_knows_who_met_in_one_session(branchline: Run, config: Callable[[str], Path]) -> None:
    config('{ session: { dmScope: "main" } }')
    talk(branchline)
    done = branchline("config", "lint")
    assert done.code == 1
    assert "2 people share the session agent:main:main" in done.out


def test_a_stranger_is_approved_from_the_command_line(
    branchline: Run, config: Callable[[str], Path]
) -> None:
    config('{ channels: { telegram: { dmPolicy: "pairing" } } }')
    hello = ("send", "--channel", "telegram", "--peer", "dm:eve", "--json", "hello")
    first = branchline(*hello)
    assert first.json["admission"]["outcome"] == "pairing"
    assert first.json["sessionId"] is None
    [waiting] = branchline("pairing", "list", "--json").json["waiting"]
    assert waiting["code"] in first.json["text"]
    assert branchline("pairing", "approve", "WRONG123").code == 1
    assert branchline("pairing", "approve", waiting["code"].lower()).code == 0
    assert "admission" not in branchline(*hello).json
    assert branchline("pairing", "revoke", "telegram", "eve").code == 0
    assert branchline("pairing", "revoke", "telegram", "eve").code == 1
    assert branchline(*hello).json["admission"]["outcome"] == "pairing"
    [again] = branchline("pairing", "list", "--json").json["waiting"]
    assert branchline("pairing", "reject", again["code"]).code == 0
    assert branchline("pairing", "list").out.strip() == "nobody asked to be let in"


def test_send_says_why_nothing_was_answered(branchline: Run, config: Callable[[str], Path]) -> None:
    config('{ channels: { telegram: { dmPolicy: "disabled" } } }')
    done = branchline("send", "--channel", "telegram", "--peer", "dm:eve", "hello")
    assert (done.code, done.out) == (0, "")
    assert "nothing stored" in done.err
    assert "channels.telegram.dmPolicy" in done.err
