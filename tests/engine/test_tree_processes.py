from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.journal import last_step, marks_of
from engine.sessions.store import Store
from engine.sessions.tree import Tree
from tests.engine.conftest import Open, answer, said

ROOT = Path(__file__).parents[2]
MAIN = "agent:main:main"
KILLS = int(os.environ.get("BRANCHLINE_TEST_KILLS", "40" if os.environ.get("CI") else "15"))
DEEDS = {"say", "move", "label", "graft", "fork", "undo"}


def start(state: Path, name: str, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.engine.brancher", str(state), name, str(seed)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def until_ready(process: subprocess.Popen[str]) -> list[tuple[str, str, str]]:
    """What it stored before it was ready."""
    assert process.stdout is not None
    found: list[tuple[str, str, str]] = []
    for line in process.stdout:
        if line == "ready\n":
            return found
        found += told(line)
    raise AssertionError("the process ended early")


def told(line: str) -> Iterator[tuple[str, str, str]]:
    parts = line.split()
    if len(parts) == 3 and line.endswith("\n"):
        yield parts[0], parts[1], parts[2]


def tree_of(state: Path, key: str) -> Tree:
    return Store(Disk(), state, SystemClock()).open(key).tree


def plain(tree: Tree) -> list[str]:
    """What a reader of plain v3 sees: the path to the last line."""
    kinds = ("message", "compaction", "branch_summary")
    return [n.id for n in tree.path(next(reversed(tree.nodes))) if n.type in kinds]


def ours(tree: Tree) -> list[str]:
    kinds = ("message", "compaction", "branch_summary")
    return [n.id for n in tree.path(tree.leaf) if n.type in kinds]


@pytest.mark.timeout(600)
async def test_kill_at_any_moment_of_branching_costs_nothing_that_was_acknowledged(
    state_dir: Path, open_engine: Open
) -> None:
    chance = random.Random(815)
    stored: set[str] = set()
    forks: dict[str, str] = {}
    kinds: set[str] = set()
    earlier: dict[Path, bytes] = {}
    for life in range(KILLS + 30):
        if life >= KILLS and kinds >= DEEDS:
            break  # on a slow machine it takes more lives until each was done
        process = start(state_dir, f"life{life}", life)
        lines = until_ready(process)
        time.sleep(chance.uniform(0, 0.35 if life < KILLS else 3))
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        with process.stdout as rest:
            for line in rest:
                lines += told(line)
        process.wait()
        for key, kind, name in lines:
            kinds.add(kind)
            if kind == "fork":
                forks[key] = name
            else:
                stored.add(name)
        for path, before in earlier.items():
            whole = before[: before.rfind(b"\n") + 1]
            assert path.read_bytes().startswith(whole), "an earlier line changed"
        earlier = {one: one.read_bytes() for one in state_dir.glob("agents/main/sessions/*.jsonl")}
        tree = tree_of(state_dir, MAIN)
        assert stored <= tree.nodes.keys(), "something acknowledged is gone"
        check(tree)
    assert kinds >= DEEDS
    await second_starts_change_nothing(state_dir, open_engine, forks)


def check(tree: Tree) -> None:
    """What must hold of a tree at whatever moment its writer died."""
    # The last record may be torn; nothing else may be wrong.
    assert [problem for problem in tree.problems if "not whole" not in str(problem)] == []
    marks_of(tree)
    last_step(tree)
    assert plain(tree) == ours(tree)
    for node in tree.nodes.values():
        parent = tree.nodes.get(node.parent_id or "")
        if node.type == "message" and parent is not None:
            assert parent.type in ("message", "compaction", "branch_summary")


async def second_starts_change_nothing(
    state: Path, open_engine: Open, forks: dict[str, str]
) -> None:
    async with open_engine(state_dir=state) as engine:
        infos = {info.key: info.session_id for info in await engine.sessions()}
        assert forks.items() <= infos.items(), "a fork that was made is gone"
        for key in forks:
            await engine.window(key)
        assert await answer(engine, said("still here"))
    files = {path: path.read_bytes() for path in state.rglob("*.jsonl")}
    leaf = tree_of(state, MAIN).leaf
    async with open_engine(state_dir=state) as engine:
        assert {info.key: info.session_id for info in await engine.sessions()} == infos
        assert (await engine.view(MAIN)).leaf == leaf
    assert {path: path.read_bytes() for path in state.rglob("*.jsonl")} == files
    (state / "agents/main/sessions/sessions.json").unlink()
    async with open_engine(state_dir=state) as engine:
        assert {info.key: info.session_id for info in await engine.sessions()} == infos
    assert not list(state.rglob("*.tmp"))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"
