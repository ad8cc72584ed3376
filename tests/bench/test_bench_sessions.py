from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript, make_header
from tests.bench.work import bests

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

COUNT = 100_000
SESSIONS = 1_000
WORDS = "the train to the north leaves at nine and the soup was better than expected "
ROOT = Path(__file__).parents[2]


def lines(count: int) -> Iterator[dict[str, Any]]:
    yield {"type": "session", "version": 3, "id": "bench", "timestamp": "", "cwd": "/"}
    usage = {"input": 1200, "output": 80, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 1280}
    for number in range(count):
        message: dict[str, Any] = {"role": "user", "content": WORDS, "timestamp": number}
        if number % 2:
            content = [{"type": "text", "text": WORDS * 2}]
            message = {"role": "assistant", "content": content, "provider": "p", "model": "m"}
            message |= {"usage": usage, "stopReason": "stop", "timestamp": number}
        yield {
            "type": "message",
            "id": f"{number:08x}",
            "parentId": f"{number - 1:08x}" if number else None,
            "timestamp": "2026-01-01T00:00:00.000Z",
            "message": message,
        }


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "large.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines(COUNT))
    return path


def opened(path: Path) -> int:
    transcript = Transcript.open(path)
    count = len(transcript.tree.nodes)
    transcript.close()
    return count


def test_opening_a_large_transcript_against_decoding_its_lines(large: Path) -> None:
    decode = msgspec.json.Decoder().decode

    def read() -> int:
        return sum(1 for line in large.read_bytes().splitlines() if decode(line))

    plain, ours = bests(read, lambda: opened(large))
    assert opened(large) == COUNT
    print(f"open {COUNT:,} entries / decode its lines: {ours / plain:.2f} (aim 1.50)")
    assert ours / plain < 4


def test_peak_memory_of_a_large_transcript_against_its_size(large: Path) -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("there is no /proc/self/status here")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from engine.sessions.transcript import Transcript\n"
        "def peak():\n"
        "    text = Path('/proc/self/status').read_text()\n"
        "    return int(text.split('VmHWM:')[1].split()[0]) * 1024\n"
        "before = peak()\n"
        "transcript = Transcript.open(Path(sys.argv[1]))\n"
        "print(peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(large)], cwd=ROOT, capture_output=True, text=True
    )
    used, size = int(run.stdout), large.stat().st_size
    per = used / COUNT
    print(f"peak memory / file size: {used / size:.2f} ({per:.0f} bytes an entry)")
    assert 0 < used < 3 * size


def test_opening_grows_with_the_file_and_not_faster(large: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.jsonl"
    small.write_bytes(b"".join(large.read_bytes().splitlines(keepends=True)[: COUNT // 10 + 1]))
    much, little = bests(lambda: opened(large), lambda: opened(small))
    ratio = much / little
    print(f"open {COUNT:,} / open {COUNT // 10:,}: {ratio:.1f} (linear: 10)")
    assert ratio < 30


def test_listing_many_sessions_against_reading_their_directory(tmp_path: Path) -> None:
    class Quick(Disk):
        def fsync(self, fd: int) -> None:
            """What is measured is the list, not this disk."""

    store = Store(Quick(), tmp_path, SystemClock())
    folder = tmp_path / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    index = {}
    for number in range(SESSIONS):
        key, name = f"agent:main:telegram:dm:peer{number}", f"{number:08x}-0000"
        header = make_header(name, SystemClock(), sessionKey=key)
        body = [{**line, "type": "message"} for line in list(lines(6))[1:]]
        text = "".join(json.dumps(line) + "\n" for line in (header, *body))
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
        index[key] = {"sessionId": name, "updatedAt": number}
    (folder / "sessions.json").write_text(json.dumps(index), "utf-8")
    assert len(store.list()) == SESSIONS
    scan, listing, first = bests(
        lambda: Disk().files(folder),
        store.list,
        lambda: store.get("agent:main:telegram:dm:peer500"),
    )
    print(f"list {SESSIONS:,} sessions / scan their directory: {listing / scan:.1f}")
    print(f"find one of them by key / list them all: {first / listing:.2f}")
    assert listing / scan < 40
    assert first < listing


def test_an_append_without_sync_against_a_plain_write(tmp_path: Path) -> None:
    transcript = Transcript.create(tmp_path / "s.jsonl", make_header("s", SystemClock()))
    body = {"type": "message", "message": {"role": "user", "content": WORDS}}
    plain = (tmp_path / "plain").open("ab", buffering=0)
    line = json.dumps(body).encode() + b"\n"

    def append() -> None:
        for _ in range(200):
            transcript.append(body, sync=False)

    def append_held() -> None:
        with transcript.hold():
            append()

    def write() -> None:
        for _ in range(200):
            plain.write(line)

    bare, held, single = bests(write, append_held, append)
    plain.close()
    print(f"append in a turn / bare write: {held / bare:.1f} ({held / 200 * 1e6:.0f} µs)")
    print(f"append with its own lock / bare write: {single / bare:.1f}")
    assert held < single
