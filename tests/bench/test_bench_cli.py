from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
SESSIONS, ROUNDS = 1000, 7


def milliseconds(*args: str) -> float:
    """The best of several runs of a process, start to end."""
    # As installed: compiled modules are kept, output is buffered.
    odd = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    environ = {name: value for name, value in os.environ.items() if name not in odd}
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *args],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env=environ,
        )
        best = min(best, time.perf_counter() - start)
    return best * 1000


def write_sessions(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(SESSIONS):
        name = f"{number:08x}-0000-4000-8000-000000000000"
        head = {
            "type": "session",
            "version": 3,
            "id": name,
            "timestamp": "2026-01-01T00:00:00.000Z",
            "cwd": "/w",
            "sessionKey": f"agent:main:telegram:dm:{number}",
        }
        lines = [head]
        for turn in range(10):
            lines.append(
                {
                    "type": "message",
                    "id": f"{turn:08x}",
                    "parentId": f"{turn - 1:08x}" if turn else None,
                    "timestamp": "2026-01-01T00:00:00.000Z",
                    "message": {
                        "role": "assistant" if turn % 2 else "user",
                        "content": [{"type": "text", "text": "some words " * 10}],
                        "timestamp": 1_767_225_600_000 + turn,
                    },
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")


def test_the_command_line_starts_quickly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    write_sessions(state / "agents" / "main" / "sessions")
    base = milliseconds("-c", "pass")
    commands = {
        "--version": ("--version",),
        "--help": ("--help",),
        f"sessions list ({SESSIONS:,})": ("sessions", "list"),
        f"sessions list --json ({SESSIONS:,})": ("sessions", "list", "--json"),
    }
    taken = {
        name: milliseconds("-m", "tui", "--state-dir", str(state), *args)
        if args != ("--version",)
        else milliseconds("-m", "tui", *args)
        for name, args in commands.items()
    }
    listed = subprocess.run(
        [sys.executable, "-m", "tui", "--state-dir", str(state), "sessions", "list", "--json"],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert len(json.loads(listed.stdout)) == SESSIONS
    with capsys.disabled():
        for name, time_taken in taken.items():
            print(
                f"\n{name}: {time_taken:.0f} ms, {time_taken / base:.1f} × `python -c pass`", end=""
            )
    assert taken["--version"] < taken[f"sessions list ({SESSIONS:,})"]
