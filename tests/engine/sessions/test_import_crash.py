from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.errors import BranchlineError
from engine.sessions.interchange.importing import import_path
from engine.sessions.store import Store
from tests.engine.sessions.support import FaultyDisk, Killed, QuickDisk

TALKS = [
    {
        "uuid": f"talk-{number}",
        "name": f"Talk {number}",
        "chat_messages": [
            {"uuid": "1", "sender": "human", "text": f"question {number}"},
            {"uuid": "2", "sender": "assistant", "text": f"answer {number}"},
        ],
    }
    for number in range(3)
]


@pytest.mark.parametrize("fault", ["kill", "enospc", "short"])
def test_an_import_that_breaks_off_anywhere_is_finished_by_the_next(
    tmp_path: Path, fault: str
) -> None:
    source = tmp_path / "conversations.json"
    source.write_text(json.dumps(TALKS), "utf-8")
    at, hit = 0, True
    while hit:
        at += 1
        state = tmp_path / f"state-{at}"
        disk = FaultyDisk(at, fault)
        with contextlib.suppress(Killed, BranchlineError):
            import_path(Store(disk, state, ManualClock()), source, "main")
        hit = disk.hit
        disk.bury()
        store = Store(QuickDisk(), state, ManualClock())
        report = import_path(store, source, "main")
        assert {one.state for one in report.sessions} <= {"new", "present"}
        records = store.list()
        assert sorted(record.key for record in records) == [
            f"agent:main:chat:import-claude-talk-{number}" for number in range(3)
        ]
        assert {record.kind for record in records} == {"session"}
        assert all(record.messages == 2 and not record.problems for record in records)
        again = import_path(store, source, "main")
        assert [one.state for one in again.sessions] == ["present"] * 3
    assert at > 20
