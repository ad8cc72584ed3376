from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock, SystemClock
from engine.errors import SessionBusy
from engine.sessions.lock import holder_of
from engine.sessions.records import SessionRecord
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, new_transcript, texts, user

ROOT = Path(__file__).parents[3]

HAMMER = """
import sys, time
from pathlib import Path
from engine.errors import SessionBusy
from engine.sessions.transcript import Transcript
path, who, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
transcript = Transcript.open(path)
for number in range(count):
    body = {"type": "message", "message": {"role": "user", "content": f"{who}.{number}"}}
    while True:
        try:
            entry = transcript.append(body, sync=False)
            break
        except SessionBusy:
            time.sleep(0.0005)
    print(entry.id, entry.parent_id, body["message"]["content"], flush=True)
"""

HOLD = """
import sys, time
from pathlib import Path
from engine.sessions.transcript import Transcript
transcript = Transcript.open(Path(sys.argv[1]))
with transcript.hold():
    print("held", flush=True)
    time.sleep(60)
"""

CREATE = """
import sys
from pathlib import Path
from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.store import Store
store = Store(Disk(), Path(sys.argv[1]), SystemClock())
sys.stdin.readline()
for number in range(10):
    print(store.create(f"agent:main:telegram:dm:{number}", "main").path.name, flush=True)
"""

NAME = """
import sys, time
from pathlib import Path
from engine.clock import SystemClock
from engine.disk import Disk
from engine.errors import SessionBusy
from engine.sessions.store import Store
store = Store(Disk(), Path(sys.argv[1]), SystemClock())
who, keys = sys.argv[2], sys.argv[3:]
sys.stdin.readline()
for number in range(20):
    for key in keys:
        while True:
            try:
                store.set_label(key, f"{who} {number}")
                break
            except SessionBusy:
                time.sleep(0.001)
        print(key, number, flush=True)
"""

REWRITE = """
import sys
from pathlib import Path
from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.store import Store
store = Store(Disk(), Path(sys.argv[1]), SystemClock())
index = Path(sys.argv[1]) / "agents/main/sessions/sessions.json"
print("ready", flush=True)
number = 0
while True:
    number += 1
    if number % 3 == 0:
        index.unlink(missing_ok=True)
    directory = store.directory("main")
    directory.note(directory.records())
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_several_processes_on_one_session_lose_and_cross_nothing(tmp_path: Path) -> None:
    path = new_transcript(tmp_path / "s.jsonl", "first").path
    others = [start(HAMMER, path, who, 60) for who in "abc"]
    acked = [line.split() for other in others for line in other.communicate()[0].splitlines()]
    assert [other.returncode for other in others] == [0, 0, 0]
    found = Transcript.open(path)
    assert found.unreadable == () and found.problems == []
    said = texts(found)[1:]
    for who in "abc":
        assert [text for text in said if text.startswith(who)] == [f"{who}.{n}" for n in range(60)]
    assert {name: found.tree.entry(name).text for name, _, _ in acked} == {
        name: text for name, _, text in acked
    }
    # Each was appended under what was last when it was written: one chain, no branches.
    assert len(found.tree.path(found.tree.leaf)) == 181
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines[1:]] == list(found.tree.nodes)


def test_a_writer_killed_at_any_moment_loses_nothing_it_had_acknowledged(tmp_path: Path) -> None:
    path = new_transcript(tmp_path / "s.jsonl", "first").path
    chance = random.Random(3)
    acked: list[str] = []
    for turn in range(40):
        before = path.read_bytes()
        writer = start(HAMMER, path, turn, 100_000)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 40)):
            acked.append(writer.stdout.readline().split()[2])
        time.sleep(chance.random() / 500)
        writer.send_signal(signal.SIGKILL)
        rest = [line.split() for line in writer.communicate()[0].splitlines()]
        acked += [parts[2] for parts in rest if len(parts) == 3]
        assert path.read_bytes().startswith(before)
        found = Transcript.open(path, disk=QuickDisk())
        assert set(acked) <= set(texts(found))
        found.append(user(f"after {turn}"))
        acked.append(f"after {turn}")
    final = Transcript.open(path)
    assert final.unreadable == ()
    assert len(texts(final)) == len(set(texts(final)))


def test_a_held_session_says_who_holds_it_and_is_free_at_once_after_kill(tmp_path: Path) -> None:
    path = new_transcript(tmp_path / "s.jsonl", "first").path
    transcript = Transcript.open(path, disk=QuickDisk())
    holder = start(HOLD, path)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    named = holder_of(QuickDisk(), path)
    assert named is not None and named.pid == holder.pid
    with pytest.raises(SessionBusy, match=f"process {holder.pid} since 20") as caught:
        transcript.append(user("x"))
    assert caught.value.pid == holder.pid
    assert texts(Transcript.open(path)) == ["first"]
    holder.kill()
    holder.communicate()
    assert transcript.append(user("x")).parent_id is not None
    assert not (tmp_path / "s.jsonl.lock").exists()


async def test_waiting_ends_when_the_other_lets_go_and_tells_of_it_once(tmp_path: Path) -> None:
    path = new_transcript(tmp_path / "s.jsonl", "first").path
    transcript = Transcript.open(path, disk=QuickDisk(), clock=SystemClock())
    holder = start(HOLD, path)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    told: list[int | None] = []

    def hear(busy: SessionBusy) -> None:
        told.append(busy.pid)
        holder.kill()

    async with transcript.holding(30, told=hear):
        transcript.append(user("x"))
    assert told == [holder.pid]
    holder.communicate()


async def test_waiting_gives_up_after_its_time(tmp_path: Path) -> None:
    path = new_transcript(tmp_path / "s.jsonl", "first").path
    one = Transcript.open(path, disk=QuickDisk())
    clock = ManualClock()
    two = Transcript.open(path, disk=QuickDisk(), clock=clock)
    with one.hold():
        before = clock.monotonic()
        with pytest.raises(SessionBusy, match=str(os.getpid())):
            async with two.holding(1.0):
                pass
        assert clock.monotonic() - before >= 1.0
    async with two.holding(0):
        two.append(user("x"))


def test_processes_that_make_the_same_sessions_make_each_once(tmp_path: Path) -> None:
    others = [start(CREATE, tmp_path) for _ in range(3)]
    outputs = [other.communicate("go\n")[0].split() for other in others]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(set(outputs[0])) == 10
    found = Store(QuickDisk(), tmp_path, ManualClock()).list()
    assert sorted(record.path.name for record in found) == sorted(outputs[0])


def test_names_given_while_another_process_rewrites_the_index_are_all_there(
    tmp_path: Path,
) -> None:
    store = Store(QuickDisk(), tmp_path, ManualClock())
    keys = [f"agent:main:telegram:dm:{name}" for name in ("a", "b", "both")]
    for key in keys:
        store.create(key, "main", origin={"channel": "telegram"})
    namers = [start(NAME, tmp_path, "one", keys[0], keys[2])]
    namers.append(start(NAME, tmp_path, "two", keys[1], keys[2]))
    rewriter = start(REWRITE, tmp_path)
    assert rewriter.stdout is not None and rewriter.stdout.readline() == "ready\n"
    for namer in namers:
        assert namer.stdin is not None
        namer.stdin.write("go\n")
        namer.stdin.flush()
    acked = [namer.communicate()[0].splitlines() for namer in namers]
    assert rewriter.poll() is None, "it broke off"
    rewriter.kill()
    rewriter.communicate()
    assert [namer.returncode for namer in namers] == [0, 0]
    assert [len(told) for told in acked] == [40, 40]
    found = {record.key: record for record in store.list()}
    assert sorted(found) == sorted(keys) and store.problems == ()
    assert (found[keys[0]].label, found[keys[1]].label) == ("one 19", "two 19")
    for key in keys:
        told = store.open(found[key])
        names = [one.data["name"] for one in map(told.tree.entry, told.tree.nodes)]
        told.close()
        assert len(names) == (40 if key == keys[2] else 20), "a name is lost"
        assert found[key].label == names[-1], "an older name came over a newer one"
        assert found[key].origin == {"channel": "telegram"}


def test_the_name_in_the_index_is_the_last_one_in_the_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(QuickDisk(), tmp_path, ManualClock())
    key = "agent:main:telegram:dm:a"
    store.create(key, "main")
    note = store.note

    def overtaken(*args: Any, **fields: Any) -> SessionRecord:
        monkeypatch.setattr(store, "note", note)
        store.set_label(key, "newer")
        return note(*args, **fields)

    monkeypatch.setattr(store, "note", overtaken)
    store.set_label(key, "older")
    assert [record.label for record in store.list()] == ["newer"]
    assert store.set_label(key, "").label is None
    assert [record.label for record in store.list()] == [None]
