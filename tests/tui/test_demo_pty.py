from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.pty import Terminal

pytestmark = pytest.mark.pty


def demos(folder: Path) -> list[Path]:
    return list(folder.glob("branchline-demo-*"))


def test_a_demo_is_removed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Terminal("--demo", state=tmp_path / "mine") as terminal:
        terminal.wait_for("lisbon · your chat")
        assert len(demos(tmp_path)) == 1
        terminal.press("\x11")
        assert terminal.end() == 0
        assert b"The demo's files are removed." in terminal.raw
    assert demos(tmp_path) == []
    assert not (tmp_path / "mine").exists()


def test_a_demo_whose_terminal_goes_away_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Terminal("--demo", state=tmp_path / "mine") as terminal:
        terminal.wait_for("lisbon · your chat")
        os.kill(terminal.pid, signal.SIGHUP)
        assert terminal.end() == 0
    assert demos(tmp_path) == []


def test_a_demo_with_a_place_of_its_own_stays_there(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    with Terminal("--demo", "--state-dir", str(place), state=tmp_path / "mine") as terminal:
        terminal.wait_for("lisbon · your chat")
        terminal.press("feed the cat\r")
        terminal.wait_for("┃ feed the cat")
        terminal.press("\x11")
        assert terminal.end() == 0
    with Terminal("--state-dir", str(place), state=tmp_path / "mine") as terminal:
        terminal.wait_for("┃ feed the cat")


def test_from_ones_own_state_one_can_go_to_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Terminal(state=tmp_path / "mine") as terminal:
        terminal.wait_for("New here?")
        terminal.press("\x10")
        terminal.wait_for("Search for")
        terminal.press("in the demo")
        terminal.wait_for(lambda shown: "Look around in the demo" in shown and "Go to" not in shown)
        terminal.press("\r")
        terminal.wait_for("Tour 0 of")
        terminal.press("\x11")
        assert terminal.end() == 0
    assert demos(tmp_path) == []
