from __future__ import annotations

import json
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
from engine.sessions.store import Store
from engine.sessions.tree import Tree
from tests.engine.conftest import Open, answer, said

ROOT = Path(__file__).parents[2]
MAIN = "agent:main:main"
KEYS = [MAIN, "agent:main:chat:work"]
KILLS = int(os.environ.get("BRANCHLINE_TEST_KILLS", "40" if os.environ.get("CI") else "25"))


def start(state: Path, name: str, count: int, *keys: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.engine.sender", str(state), name, str(count), *keys]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> Iterator[tuple[str, str, str]]:
    """(key, entry id, text) of every message the process said was stored."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            parts = line.split()
            if len(parts) == 3:
                yield parts[0], parts[1], parts[2]


def tree_of(state: Path, key: str) -> Tree:
    return Store(Disk(), state, SystemClock()).open(key).tree


def said_in(tree: Tree) -> dict[str, str]:
    """Entry id → words of every user message."""
    users = (node.id for node in tree.nodes.values() if node.role == "user")
    return {entry_id: tree.entry(entry_id).text for entry_id in users}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.timeout(300)
def test_two_processes_hammering_one_session_lose_and_cross_nothing(state: Path) -> None:
    one, two = start(state, "one", 40, MAIN), start(state, "two", 40, MAIN)
    stored = [*acknowledged(one), *acknowledged(two)]
    assert one.wait() == two.wait() == 0
    tree = tree_of(state, MAIN)
    assert len(stored) == 80
    assert {entry_id: text for _, entry_id, text in stored} == said_in(tree)
    for name in ("one", "two"):
        order = [text for text in said_in(tree).values() if text.startswith(name)]
        assert order == [f"{name}-{number}" for number in range(40)]
    # One straight line: nobody's words stand between a question and its answer.
    path = tree.path(tree.leaf)
    assert len(path) == len(tree.nodes) == 160
    for question, reply in zip(path[::2], path[1::2], strict=True):
        assert (question.role, reply.role) == ("user", "assistant")
        assert reply.parent_id == question.id
    assert tree.problems == []


@pytest.mark.timeout(600)
def test_kill_at_any_moment_costs_nothing_that_was_acknowledged(
    state: Path, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(4711)
    known: dict[str, dict[str, str]] = {key: {} for key in KEYS}
    earlier: dict[Path, bytes] = {}
    for life in range(KILLS + 30):
        if life >= KILLS and sum(map(len, known.values())) > KILLS / 2:
            break  # on a slow machine it takes more lives until enough was stored
        process = start(state, f"life{life}", 10_000, *KEYS)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.12 if life < KILLS else 3))
        process.send_signal(signal.SIGKILL)
        for key, entry_id, text in acknowledged(process):
            known[key][entry_id] = text
        process.wait()
        for path, before in earlier.items():
            after = path.read_bytes()
            whole = before[: before.rfind(b"\n") + 1]
            assert after.startswith(whole), "an earlier line changed"
        earlier = {path: path.read_bytes() for path in state.glob("agents/main/sessions/*.jsonl")}
    total = 0
    for key, stored in known.items():
        if not stored:
            continue
        tree = tree_of(state, key)
        found = said_in(tree)
        assert stored.items() <= found.items(), "an acknowledged message is gone"
        assert all(text.startswith("life") for text in found.values())
        assert tree.problems == []
        total += len(stored)
    assert total > KILLS / 2


async def test_after_a_kill_the_next_start_goes_on_and_a_second_changes_nothing(
    state: Path, open_engine: Open
) -> None:
    for life in range(3):
        process = start(state, f"life{life}", 10_000, MAIN)
        assert process.stdout is not None
        for _ in range(4 + life):
            process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
    async with open_engine(state_dir=state) as engine:
        assert await answer(engine, said("still here"))
        before = [(info.key, info.messages) for info in await engine.sessions()]
    files = {
        path.name: path.read_bytes()
        for path in state.glob("agents/main/sessions/*")
        if path.suffix == ".jsonl" or "torn" in path.name
    }
    async with open_engine(state_dir=state) as engine:
        assert [(info.key, info.messages) for info in await engine.sessions()] == before
    for name, content in files.items():
        assert (state / "agents/main/sessions" / name).read_bytes() == content
    assert not list(state.rglob("*.tmp"))
    assert not list(state.rglob("*.lock"))


def test_a_process_waits_for_another_and_says_for_whom(state: Path) -> None:
    seed = start(state, "seed", 1, MAIN)
    assert len([*acknowledged(seed)]) == 1
    assert seed.wait() == 0
    store = Store(Disk(), state, SystemClock())
    transcript = store.writable(MAIN)
    with transcript.hold():
        command = [sys.executable, "-m", "tui", "--state-dir", str(state), "send", "hello"]
        waiting = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        assert str(os.getpid()) in waiting.stderr.readline()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert out.strip()
    transcript.close()


def test_a_session_that_stays_busy_is_a_clear_error_naming_the_holder(state: Path) -> None:
    seed = start(state, "seed", 1, MAIN)
    assert len([*acknowledged(seed)]) == 1
    assert seed.wait() == 0
    config = state / "branchline.json5"
    config.write_text("{ session: { lockTimeoutSeconds: 0.2 } }")
    transcript = Store(Disk(), state, SystemClock()).writable(MAIN)
    before = transcript.path.read_bytes()
    with transcript.hold():
        command = [sys.executable, "-m", "tui", "--state-dir", str(state), "send", "hello"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert str(os.getpid()) in done.stderr
    assert transcript.path.read_bytes() == before
    assert json.loads(before.splitlines()[-1])
    transcript.close()
