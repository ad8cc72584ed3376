from __future__ import annotations

import json
import random
import time
from functools import partial
from pathlib import Path

import pytest

from engine.sessions.interchange.export import export_session
from engine.sessions.search import search_tree
from engine.sessions.transcript import Transcript
from tests.bench.work import best

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

COUNT = 100_000
WORDS = [
    "train",
    "north",
    "leaves",
    "nine",
    "soup",
    "better",
    "expected",
    "budget",
    "Berlin",
    "Straße",
    "漢字",
    "compile",
    "error",
]


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100,000 messages of varied words with 300 forks, three of them with a rare word."""
    chance = random.Random(1)
    path = tmp_path_factory.mktemp("bench") / "forked.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type":"session","version":3,"id":"b","timestamp":"","cwd":""}\n')
        for number in range(COUNT):
            text = " ".join(chance.choices(WORDS, k=chance.randint(10, 80)))
            parent = number - 1 if number % 333 or not number else chance.randrange(number)
            line = {
                "type": "message",
                "id": f"{number:08x}",
                "parentId": f"{parent:08x}" if number else None,
                "timestamp": "2026-01-01T00:00:00.000Z",
                "message": {
                    "role": "assistant" if number % 2 else "user",
                    "content": [
                        {"type": "text", "text": text + " haystack" * (number % 40_000 == 7)}
                    ],
                },
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def test_searching_beside_reading_every_entry(forked: Path) -> None:
    transcript = Transcript.open(forked)
    tree = transcript.tree

    def plainly() -> int:
        return sum("haystack" in tree.entry(name).text.casefold() for name in tree.nodes)

    found_plainly: list[int] = []
    plain = best(lambda: found_plainly.append(plainly()), rounds=1)
    assert found_plainly == [3]
    print(f"\nevery entry of {COUNT:,} read and looked at: {plain:.2f} s")
    for query in ("haystack", '"soup better"', "berlin budget", "漢字", "message", "re:hay.tack"):
        found = len(search_tree(transcript, query))
        took = best(partial(search_tree, transcript, query), rounds=3)
        print(f"{query:<16} {found:>6,} hits  {took:.3f} s  {plain / took:5.1f}× quicker")
    assert best(partial(search_tree, transcript, "haystack"), rounds=3) < plain


def test_exporting(forked: Path) -> None:
    transcript = Transcript.open(forked)
    for how in ("jsonl", "md", "html"):
        start = time.perf_counter()
        size = sum(map(len, export_session(transcript, how, leaf=None, branches=True)))  # type: ignore[arg-type]
        print(f"\n{how:<6} {size / 1e6:6.1f} MB  {time.perf_counter() - start:.2f} s")
