"""The app's start and its keys, measured as ratios; the numbers are printed with `-s`."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest
from textual.screen import Screen

from tests.pty import end_child
from tests.tui.driving import running, screen, until
from tui.app import BranchlineApp
from tui.widgets.sessions.sessionlist import SessionList

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static('READY')
Empty().run()
"""
ROOT = Path(__file__).resolve().parent.parent.parent


def make_sessions(state_dir: Path, count: int) -> None:
    """Transcripts without an index, as files; the first start makes the index of them."""
    folder = state_dir / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    for number in range(count):
        name = f"{number:08x}-0000-4000-8000-000000000000"
        head = {
            "type": "session",
            "version": 3,
            "id": name,
            "timestamp": "2026-01-01T00:00:00.000Z",
        }
        head |= {"cwd": "/w", "sessionKey": f"agent:main:telegram:dm:{number}"}
        lines = [head, *(message(turn) for turn in range(10))]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)


def message(turn: int) -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"{turn:08x}",
        "parentId": f"{turn - 1:08x}" if turn else None,
        "timestamp": "2026-01-01T00:00:00.000Z",
        "message": {
            "role": "assistant" if turn % 2 else "user",
            "content": [{"type": "text", "text": "some words " * 10}],
        },
    }


def first_frame(command: list[str], sign: str, environ: dict[str, str]) -> float:
    """Seconds from the start of a process until `sign` is on its terminal."""
    start = time.perf_counter()
    child = pexpect.spawn(
        command[0],
        command[1:],
        env=environ,
        cwd=str(ROOT),
        dimensions=(40, 120),
        encoding="utf-8",
        timeout=60,
    )
    try:
        child.expect_exact(sign)
        return time.perf_counter() - start
    finally:
        end_child(child)


def test_first_frame_with_a_thousand_sessions_against_an_empty_app(tmp_path: Path) -> None:
    state = tmp_path / "state"
    make_sessions(state, 1000)
    odd = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    environ = {name: value for name, value in os.environ.items() if name not in odd}
    environ |= {"TERM": "xterm-256color", "BRANCHLINE_STATE_DIR": str(state)}
    app = [sys.executable, "-m", "tui"]
    empty = [sys.executable, "-c", EMPTY]
    first_frame(app, "Sessions 1000", environ)  # makes index, config and compiled modules
    rounds = [
        (first_frame(empty, "READY", environ), first_frame(app, "Sessions 1000", environ))
        for _ in range(5)
    ]
    base = statistics.median(first for first, _ in rounds)
    ours = statistics.median(second for _, second in rounds)
    print(
        f"\nfirst frame: empty app {base:.3f} s, 1,000 sessions {ours:.3f} s = {ours / base:.2f} x"
    )
    assert ours < 4 * base


async def test_a_key_in_the_list_costs_the_same_with_ten_and_a_thousand_sessions(
    tmp_path: Path,
) -> None:
    costs = {count: await cost_of_a_key(tmp_path / str(count), count) for count in (10, 1000)}
    few, many = costs[10] * 1000, costs[1000] * 1000
    print(f"\nwork of a key to paint: {few:.1f} ms at 10 sessions, {many:.1f} ms at 1,000")
    assert costs[1000] < 5 * costs[10]


async def cost_of_a_key(state: Path, count: int) -> float:
    make_sessions(state, count)
    async with running(state) as (app, pilot):
        sessions = screen(app).sessions
        sessions.focus()
        await until(pilot, lambda: len(sessions.rows) >= count, "the list")
        sessions.action_edge(-1)
        await pilot.pause(0.5)
        return statistics.median([await time_of(sessions, app, step) for step in (1, -1) * 10])


async def time_of(sessions: SessionList, app: BranchlineApp, step: int) -> float:
    """Seconds of this thread's work from moving the cursor until the app hands the change to the
    terminal."""
    painted = asyncio.Event()
    display = app._display

    def noted(screen: Screen[Any], update: Any) -> None:
        display(screen, update)
        painted.set()

    app._display = noted  # type: ignore[method-assign]
    start = time.thread_time()
    sessions.action_move(step)
    await painted.wait()
    app._display = display  # type: ignore[method-assign]
    return time.thread_time() - start
