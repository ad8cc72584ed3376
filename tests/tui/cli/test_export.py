from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus import HOSTILE, raw_controls
from tests.tui.cli.conftest import Run, message

KEY = "agent:main:telegram:dm:alice"


def test_markdown_of_the_path_goes_to_stdout(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "export", KEY)
    assert (ran.code, ran.err) == (0, "")
    assert "> right\n" in ran.out and "> left\n" not in ran.out
    assert "> left\n" in branchline("sessions", "export", KEY, "--branches").out


def test_the_form_follows_the_files_ending(branchline: Run, talk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.html"
    ran = branchline("sessions", "export", KEY, "-o", str(target), "--json")
    assert ran.json == {
        "key": KEY,
        "sessionId": "0a1b2c3d-0000-4000-8000-000000000001",
        "file": str(target),
        "format": "html",
        "bytes": target.stat().st_size,
        "leaf": "l",
        "branches": True,
        "problems": [],
    }
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_replaced_only_by_force(
    branchline: Run, talk: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.md"
    target.write_text("mine", "utf-8")
    ran = branchline("sessions", "export", KEY, "-o", str(target))
    assert ran.code == 1 and "--force" in ran.err and target.read_text("utf-8") == "mine"
    assert branchline("sessions", "export", KEY, "-o", str(target), "--force").code == 0
    assert "> right" in target.read_text("utf-8")
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_jsonl_is_the_transcript_itself(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "export", KEY, "--format", "jsonl")
    assert ran.out.encode() == talk.read_bytes()


def test_jsonl_of_a_leaf_is_its_path(branchline: Run, talk: Path, tmp_path: Path) -> None:
    target = tmp_path / "c.jsonl"
    branchline("sessions", "export", KEY, "--leaf", "c", "-o", str(target))
    window = branchline("sessions", "window", str(target), "--json").json
    assert [one["text"] for one in window["messages"]] == ["hello", "hi there", "left"]


def test_wrong_usage_and_unknown_entries(branchline: Run, talk: Path) -> None:
    assert branchline("sessions", "export", KEY, "--json").code == 2
    ran = branchline("sessions", "export", KEY, "--leaf", "nope")
    assert ran.code == 1 and "nope" in ran.err
    assert branchline("sessions", "export", KEY, "-o", "/nowhere/at/all.md").code == 1


@pytest.mark.parametrize("how", ["md", "html"])
def test_hostile_text_is_exported_safely(
    branchline: Run, write_session: Callable[..., Path], how: str
) -> None:
    texts = enumerate(HOSTILE.values())
    write_session("agent:main:main", [message(f"e{n}", None, "user", t[:9000]) for n, t in texts])
    ran = branchline("sessions", "export", "agent:main:main", "--format", how, "--branches")
    assert ran.code == 0 and raw_controls(ran.out) == set()
