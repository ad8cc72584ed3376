from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


def run_branchline(
    *args: str, stdin: str | bytes = "", env: dict[str, str] | None = None, cwd: Path | None = None
) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "tui", *args],
        input=stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        cwd=cwd or ROOT,
        timeout=110,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


@pytest.fixture
def branchline() -> Run:
    return run_branchline


@pytest.fixture
def write_session(tmp_path: Path) -> Callable[..., Path]:
    """Writes a v3 transcript into the state dir of the test."""

    def write(key: str, entries: Sequence[dict[str, Any]], session_id: str = "s-1") -> Path:
        folder = tmp_path / "state" / "agents" / "main" / "sessions"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{session_id}.jsonl"
        head = {
            "type": "session",
            "version": 3,
            "id": session_id,
            "timestamp": "2026-01-01T00:00:00.000Z",
            "cwd": "/w",
            "sessionKey": key,
        }
        path.write_text("".join(json.dumps(line) + "\n" for line in (head, *entries)), "utf-8")
        return path

    return write


def message(entry_id: str, parent: str | None, role: str, text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": entry_id,
        "parentId": parent,
        "timestamp": "2026-01-01T00:00:01.000Z",
        "message": {
            "role": role,
            "content": [{"type": "text", "text": text}],
            "timestamp": 1_767_225_601_000,
        },
    }


@pytest.fixture
def talk(write_session: Callable[..., Path]) -> Path:
    """A session with two branches, the second one being the leaf's."""
    return write_session(
        "agent:main:telegram:dm:alice",
        [
            message("a", None, "user", "hello"),
            message("b", "a", "assistant", "hi there"),
            message("c", "b", "user", "left"),
            message("d", "b", "user", "right"),
            {
                "type": "label", "id": "l", "parentId": "d", "targetId": "d",
                "timestamp": "2026-01-01T00:00:02.000Z", "label": "the turn",
            },
        ],
        "0a1b2c3d-0000-4000-8000-000000000001",
    )  # fmt: skip
