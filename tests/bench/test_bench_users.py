"""Many people write 10 messages each, all at once, to one process with the offline model: 1,000
with BRANCHLINE_BENCH_USERS=1000 (two minutes), fewer where nothing is said."""

from __future__ import annotations

import gc
import json
import os
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import Disk, Engine
from tests.engine.conftest import dm

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

USERS = int(os.environ.get("BRANCHLINE_BENCH_USERS", "200"))
MESSAGES = 10
PARTS = 4
MARK = re.compile(r"u(\d+)m(\d+)\b")


class Bounded(Disk):
    """Counts open files; syncs nothing, so that the engine's own work is what is measured."""

    def __init__(self) -> None:
        self.open_now = self.most = 0

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        fd = super().open(path, flags, mode)
        self.open_now += 1
        self.most = max(self.most, self.open_now)
        return fd

    def close(self, fd: int) -> None:
        super().close(fd)
        self.open_now -= 1

    def fsync(self, fd: int) -> None:
        pass


def resident() -> float:
    """Memory of this process in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def one_person(engine: Engine, user: int) -> None:
    """Ten messages without waiting, then all the answers."""
    receipts = [
        await engine.submit(dm(f"{user}", f"u{user}m{n} is my mark", message_id=f"{n}"))
        for n in range(MESSAGES)
    ]
    for receipt in receipts:
        result = await receipt.result()
        assert result.error is None
        assert {found[0] for found in MARK.findall(result.text)} == {str(user)}


def told(state: Path) -> dict[str, list[dict[str, Any]]]:
    """The messages of every transcript by session key."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in (state / "agents/main/sessions").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found[lines[0]["sessionKey"]] += [line for line in lines[1:] if line["type"] == "message"]
    return found


async def test_many_people_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, disk = tmp_path / "state", Bounded()
    paces, sizes = [], []
    state.mkdir()
    (state / "branchline.json5").write_text('{session: {dmScope: "per-channel-peer"}}')
    async with Engine.open(state, environ={}, disk=disk, paced=False) as engine:
        begun = time.perf_counter()
        for part in range(PARTS):
            start = time.perf_counter()
            async with anyio.create_task_group() as people:
                for user in range(USERS * part // PARTS, USERS * (part + 1) // PARTS):
                    people.start_soon(one_person, engine, user)
            paces.append(USERS * MESSAGES / PARTS / (time.perf_counter() - start))
            sizes.append(resident())
        seconds = time.perf_counter() - begun
        listed = await engine.sessions()
        assert engine.leaks.sightings() == ()
    turns = USERS * MESSAGES
    with capsys.disabled():
        print(f"\n{turns:,} turns of {USERS:,} people: {turns / seconds:.0f} turns/s", end="")
        print(f" (by quarters {', '.join(f'{pace:.0f}' for pace in paces)})", end="")
        print(f", {disk.most} files open at most", end="")
        print(f", memory by quarters {', '.join(f'{size:.0f}' for size in sizes)} MB", end="")
    assert len(listed) == USERS
    check(told(state))
    assert disk.most < 200
    assert sizes[-1] - sizes[1] < 40, "what is kept per person must not grow with what they say"


def check(sessions: dict[str, list[dict[str, Any]]]) -> None:
    """Nothing lost, nothing out of order, nothing in another's session."""
    assert len(sessions) == USERS
    for user in range(USERS):
        messages = sessions[f"agent:main:telegram:dm:{user}"]
        asked = [m["message"]["content"][0]["text"] for m in messages[0::2]]
        assert asked == [f"u{user}m{n} is my mark" for n in range(MESSAGES)]
        assert [m["message"]["role"] for m in messages] == ["user", "assistant"] * MESSAGES
        parents = [m["parentId"] for m in messages]
        assert parents == [None, *(m["id"] for m in messages[:-1])]
        marks = MARK.findall(json.dumps(messages))
        assert {found[0] for found in marks} == {str(user)}
