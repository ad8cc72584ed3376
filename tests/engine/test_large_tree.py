from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SystemClock, iso
from engine.disk import Disk
from engine.sessions.store import Store
from tests.engine.conftest import Open, answer, said

KEY = "agent:main:main"
NODES, FORKS = 10_000, 300
START = 1_767_225_600_000


def message(number: int, parent: str | None) -> dict[str, Any]:
    role = "user" if number % 2 == 0 else "assistant"
    content = [{"type": "text", "text": f"{role} says thing {number}"}]
    body: dict[str, Any] = {"role": role, "content": content, "timestamp": START + number}
    if role == "assistant":
        body |= {"provider": "offline", "model": "echo", "stopReason": "stop"}
    return {
        "type": "message",
        "id": f"{number:08x}",
        "parentId": parent,
        "timestamp": iso(START + number),
        "message": body,
    }


def fold(number: int, parent: str, kept: str) -> dict[str, Any]:
    return {
        "type": "compaction",
        "id": f"c{number:07x}",
        "parentId": parent,
        "timestamp": iso(START + number),
        "summary": f"all before {number}",
        "firstKeptEntryId": kept,
        "tokensBefore": 9000,
    }


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A session of 10,000 messages with 300 forks and, on its trunk, two compactions."""
    chance = random.Random(11)
    forks = {2 * n for n in chance.sample(range(50, NODES // 2 - 50), FORKS)}
    entries: list[dict[str, Any]] = []
    trunk: list[str] = []
    parent: str | None = None
    for number in range(NODES):
        if number in forks:
            side = message(NODES + number, trunk[max(0, len(trunk) - chance.randrange(1, 40) * 2)])
            entries.append(side)
        entry = message(number, parent)
        entries.append(entry)
        parent = entry["id"]
        trunk.append(entry["id"])
        if number in (3999, 7999):
            entries.append(fold(number, entry["id"], trunk[-6]))
            parent = entries[-1]["id"]
    state = tmp_path / "state"
    Store(Disk(), state, SystemClock()).create(KEY, "main", entries=entries)
    return state


def path_of(engine: Any) -> Path:
    found: Path = engine._pool.store.resolve(KEY).path
    return found


async def test_fork_behind_two_compactions_and_nothing_is_lost(
    large: Path, open_engine: Open
) -> None:
    behind, tip = f"{1001:08x}", f"{NODES - 1:08x}"
    async with open_engine(state_dir=large) as engine:
        tree = await engine.tree(KEY)
        assert len(tree.nodes) == NODES + FORKS + 2
        assert tree.leaf == tip
        [hit] = await engine.search(KEY, '"says thing 1001"')
        assert hit.entry_id == behind
        before = await engine.window(KEY, behind)
        assert before.messages[-1].text == "assistant says thing 1001"
        assert not any(one.role == "compactionSummary" for one in before.messages)
        moved = await engine.branches.move(KEY, behind)
        assert moved.leaf == behind
        await answer(engine, said("which thing was said?"))
        forked = await engine.branches.fork(KEY, behind)
        assert await answer(engine, said("here as well"), session_key=forked.session_key)
    async with open_engine(state_dir=large) as engine:
        tree = await engine.tree(KEY)
        page = await engine.history(KEY, limit=3)
        texts = [entry.text for entry in page.entries]
        assert texts[:2] == ["assistant says thing 1001", "which thing was said?"]
        assert tip in tree.nodes
        assert tree.children(tip) == (), "the old tip is still there, and still a tip"
        # A reader of plain v3 takes the last line for the leaf: it lands on the same branch.
        last = json.loads(path_of(engine).read_text("utf-8").splitlines()[-1])
        plain = [node.id for node in tree.path(last["id"])]
        assert [node.id for node in tree.path(tree.leaf)] == [
            name for name in plain if tree.nodes[name].type == "message"
        ]
        page = await engine.history(forked.session_key, limit=3)
        assert [entry.text for entry in page.entries][:2] == [
            "assistant says thing 1001",
            "here as well",
        ]
