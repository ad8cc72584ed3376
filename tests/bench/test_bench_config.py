from __future__ import annotations

import json
from functools import partial

import json5
import pytest

from engine.config.document import read_document
from engine.config.load import load_text
from tests.bench.work import best, bests

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


def commented_config(size: int) -> str:
    """A config with comments, bare keys and trailing commas, of about `size` characters."""
    parts = [
        "{\n  // agents\n  agents: { list: [{ id: 'main', default: true }] },\n  bindings: [\n"
    ]
    length = len(parts[0])
    index = 0
    while length < size:
        line = (
            f"    // the room of customer {index}\n"
            f'    {{ agentId: "main", match: {{ channel: "telegram", accountId: "*",'
            f' peer: {{ kind: "group", id: "-100{index}" }} }} }},\n'
        )
        parts.append(line)
        length += len(line)
        index += 1
    return "".join(parts) + "  ],\n}\n"


def test_loading_a_commented_config_against_json5_loads() -> None:
    text = commented_config(13_000)
    assert load_text(text, {}).problems == ()
    package = best(lambda: json5.loads(text), 3)
    whole = best(lambda: load_text(text, {}))
    reading = best(lambda: read_document(text))
    print(f"\n{len(text):,} characters: json5.loads {package * 1e3:.1f} ms")
    print(f"reading {reading * 1e3:.2f} ms = {reading / package:.3f} of it")
    print(f"loading with all checks {whole * 1e3:.2f} ms = {whole / package:.3f} of it")
    assert whole < package


def test_strict_json_against_the_scanner() -> None:
    value = read_document(commented_config(13_000)).value
    text = json.dumps(value, indent=1)
    strict = best(lambda: read_document(text))
    plain = best(lambda: json.loads(text))
    scanned = best(lambda: read_document(text + " // not strict"))
    print(
        f"\nstrict JSON: {strict / plain:.1f} × json.loads, {strict / scanned:.3f} of the scanner"
    )
    assert strict < scanned


def test_loading_grows_with_the_size_and_no_faster() -> None:
    texts = commented_config(50_000), commented_config(400_000)
    small, large = bests(*(partial(load_text, text, {}) for text in texts), rounds=3)
    print(f"\n8 × the text takes {large / small:.1f} × the time")
    assert large / small < 24
