from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.context.limits import Limits
from engine.context.window import UNLIMITED, Window, WindowSettings, build_window
from engine.sessions.transcript import Transcript
from tests.bench.work import bests

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

SMALL, LARGE = 1_000, 100_000
KEPT = 40
ROUNDS = 15
WORDS = "the train to the north leaves at nine and the soup was better than expected "


def lines(count: int, *, compaction: bool) -> Iterator[dict[str, Any]]:
    yield {"type": "session", "version": 3, "id": "bench", "timestamp": "", "cwd": "/"}
    parent: str | None = None
    for number in range(count):
        name = f"{number:08x}"
        line = {"id": name, "parentId": parent, "timestamp": "2026-01-01T00:00:00.000Z"}
        if compaction and number == count - KEPT // 2:
            first = f"{count - KEPT:08x}"
            line |= {"type": "compaction", "summary": WORDS * 20, "firstKeptEntryId": first}
        elif number % 2:
            content = [{"type": "text", "text": WORDS * 4}]
            message = {"role": "assistant", "content": content, "provider": "p", "model": "m"}
            line |= {"type": "message", "message": message}
        else:
            line |= {"type": "message", "message": {"role": "user", "content": WORDS}}
        yield line
        parent = name


def transcript(folder: Path, count: int, *, compaction: bool) -> Transcript:
    path = folder / f"{count}-{compaction}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines(count, compaction=compaction))
    return Transcript.open(path)


def window_of(found: Transcript, settings: WindowSettings = UNLIMITED) -> Callable[[], Window]:
    return lambda: build_window(found.tree, found.tree.leaf, settings)


def test_a_window_costs_the_same_however_much_was_folded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = transcript(tmp_path, SMALL, compaction=True)
    large = transcript(tmp_path, LARGE, compaction=True)
    few, many = window_of(small), window_of(large)
    assert len(few().messages) == len(many().messages) == KEPT
    base, full = (seconds * 1000 for seconds in bests(few, many, rounds=3 * ROUNDS))
    start = time.perf_counter()
    decisions = len(many().decisions)
    explained = (time.perf_counter() - start) * 1000
    with capsys.disabled():
        print(
            f"\nwindow of {KEPT} messages: {full:.2f} ms of {LARGE:,} entries, {base:.2f} ms of "
            f"{SMALL:,}, ratio {full / base:.2f}; {decisions:,} decisions told in "
            f"{explained:.0f} ms when asked",
            end="",
        )
    small.close()
    large.close()
    assert full <= 3 * base  # 1.0 where nothing else runs


def test_a_history_limit_bounds_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = transcript(tmp_path, LARGE // 4, compaction=False)
    few, many = window_of(large, WindowSettings(Limits(max_messages=100))), window_of(large)
    limited, everything = (seconds * 1000 for seconds in bests(few, many, rounds=ROUNDS))
    with capsys.disabled():
        print(
            f"\nwindow of 100 of {LARGE // 4:,} uncompacted entries: {limited:.1f} ms, of all "
            f"{everything:.0f} ms, ratio {limited / everything:.3f}",
            end="",
        )
    large.close()
    assert limited <= 0.5 * everything
