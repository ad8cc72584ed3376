from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.records import ENDED, SessionRecord
from engine.sessions.store import Store
from engine.sessions.tombs import read_tombs
from tests.engine.conftest import Open, answer, said
from tests.engine.keeper import KEYS

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("BRANCHLINE_TEST_KILLS", "40" if os.environ.get("CI") else "15"))
DEEDS = {"archive", "restore", "delete", "new", "label", "prune", "erase"}


def live(state: Path, life: int, seconds: float) -> list[tuple[str, str]]:
    """Let a process work for a while, kill it, and say what it had acknowledged."""
    command = [sys.executable, "-m", "tests.engine.keeper", str(state), f"life{life}", str(life)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as told:
        assert told.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines = [line.split() for line in told if line.endswith("\n")]
    process.wait()
    return [(line[0], line[1]) for line in lines]


def store_of(state: Path) -> Store:
    return Store(Disk(), state, SystemClock())


def words(store: Store, record: SessionRecord) -> set[str]:
    transcript = store.open(record)
    try:
        entries = [transcript.tree.entry(name) for name in transcript.tree.nodes]
        return {entry.text for entry in entries if entry.role == "user"}
    finally:
        transcript.close()


def facts(store: Store) -> list[tuple[str, str, str, tuple[str, ...], int]]:
    return [(r.key, r.kind, r.path.name, r.labels, r.ended) for r in store.list()]


@pytest.mark.timeout(600)
async def test_kill_at_any_moment_of_putting_aside_costs_nothing_that_was_acknowledged(
    tmp_path: Path, open_engine: Open
) -> None:
    state = tmp_path / "state"
    chance = random.Random(815)
    stored: set[str] = set()
    erased: set[str] = set()
    lost: set[str] = set()
    did: Counter[str] = Counter()
    earlier: dict[str, bytes] = {}
    held: dict[str, set[str]] = {}
    for life in range(KILLS + 30):
        if life >= KILLS and did.keys() >= DEEDS:
            break  # on a slow machine it takes more lives until each was done
        for what, text in live(state, life, chance.uniform(0, 0.5 if life < KILLS else 3)):
            stored |= {text} if what == "said" else set()
            erased |= {text} if what == "erasing" else set()
            did[text] += what == "did"
        store = store_of(state)
        records = store.list()
        assert {record.key for record in records} <= set(KEYS)
        assert all(record.kind == "session" or record.kind in ENDED for record in records)
        current = Counter(record.key for record in records if record.kind == "session")
        assert max(current.values(), default=0) <= 1, "two sessions of one key"
        now = {record.session_id: words(store, record) for record in records}
        lost |= {text for name in erased - now.keys() for text in held.get(name, set())}
        held |= now
        assert set(held) - set(now) <= erased, "a transcript is gone that nobody erased"
        found = {text for said_ in now.values() for text in said_}
        # What was said between the last look and the erasing went with its session.
        missing = stored - found - lost
        assert not missing or erased - set(held), f"acknowledged and gone: {missing}"
        lost |= missing
        check_bytes(store, records, earlier)
        check_without_index(state)
    assert did.keys() >= DEEDS
    tombs = read_tombs(Disk(), state / "agents/main/tombstones.jsonl")
    assert {tomb.session_id for tomb in tombs if tomb.action == "erase"} >= erased - {
        record.session_id for record in store_of(state).list()
    }
    await the_next_start_goes_on(state, open_engine)


def check_bytes(store: Store, records: list[SessionRecord], earlier: dict[str, bytes]) -> None:
    """Nothing that was written whole has changed, whatever its file is called by now."""
    for record in records:
        data = record.path.read_bytes()
        before = earlier.get(record.session_id, b"")
        assert data.startswith(before[: before.rfind(b"\n") + 1]), "an earlier line changed"
        earlier[record.session_id] = data


def check_without_index(state: Path) -> None:
    """The index can be deleted at any time: what is over stays over, and why."""
    listed = facts(store_of(state))
    for name in ("sessions.json", "sessions.cache.json"):
        (state / "agents/main/sessions" / name).unlink(missing_ok=True)
    assert facts(store_of(state)) == listed
    assert facts(store_of(state)) == listed


async def the_next_start_goes_on(state: Path, open_engine: Open) -> None:
    async with open_engine(state_dir=state) as engine:
        for key in KEYS:
            assert await answer(engine, said("still here"), session_key=key)
            for one in await engine.keeping.generations(key, trash=True):
                await engine.history(one.ref)
                await engine.keeping.restore(one.ref)
                break
    assert not list(state.rglob("*.tmp"))
    assert not list(state.rglob("*.lock"))
