from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.context.memory import FLUSH, Scope, notes_path
from engine.models.protocol import ModelRequest
from tests.engine.conftest import Open, answer, dm, said
from tests.engine.models.support import raw_server

MAIN = "agent:main:main"
ALICE = "agent:main:telegram:dm:alice"


def spoken(text: str) -> list[bytes | float | None]:
    """A whole streamed answer of a Chat Completions server."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    events = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return [head + events + b"data: [DONE]\n\n"]


def config(url: str) -> str:
    model = {"id": "m", "contextWindow": 2000, "maxTokens": 300}
    local = {"baseUrl": url, "api": "openai-completions", "models": [model]}
    return json.dumps(
        {
            "models": {"providers": {"local": local}},
            "agents": {"defaults": {"model": "local/m"}},
            "session": {"dmScope": "per-channel-peer"},
        }
    )


@asynccontextmanager
async def speaking(
    open_engine: Open, text: str, scope: str = "per-channel-peer", **options: Any
) -> AsyncIterator[Engine]:
    """An engine whose one model, behind real HTTP, always says the same."""
    async with raw_server(spoken(text)) as server:
        told = config(server.url).replace("per-channel-peer", scope)
        async with open_engine(told, **options) as engine:
            yield engine


def flushes(engine: Engine, key: str) -> list[dict[str, Any]]:
    tree = engine._pool.store.open(key).tree
    found = (tree.entry(name).data for name in tree.nodes)
    return [one["data"] for one in found if one.get("customType") == FLUSH]


async def fill(engine: Engine, make: Any, count: int = 30) -> None:
    for n in range(count):
        await answer(engine, make(f"Line {n}: " + "some words to fill the window " * 6))


async def test_what_is_noted_is_filed_for_its_person_and_read_by_nobody_else(
    open_engine: Open, tmp_path: Path
) -> None:
    sent: list[ModelRequest] = []
    async with speaking(open_engine, "- Alice likes tea", checks=(sent.append,)) as engine:
        await fill(engine, lambda text: dm("alice", text))
        first = flushes(engine, ALICE)[0]
        assert first["outcome"] == "noted"
        folder = tmp_path / "state/workspace"
        (file,) = (folder / Scope(ALICE).folder).iterdir()
        assert str(file.relative_to(folder)) == first["file"]
        assert "- Alice likes tea" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        texts = [one.text for one in (await engine.window(ALICE)).messages]
        assert not any("note from the program" in text for text in texts)
        sent.clear()
        await answer(engine, dm("alice", "hi"))
        await answer(engine, dm("bob", "hi"))
        await answer(engine, said("hi"))
    alice, bob, operator = (one.system for one in sent if one.purpose == "reply")
    assert "Alice likes tea" in alice
    assert "tea" not in bob + operator


async def test_a_model_with_nothing_to_note_writes_no_file(
    open_engine: Open, tmp_path: Path
) -> None:
    async with speaking(open_engine, "NO_REPLY") as engine:
        await fill(engine, said)
        assert {one["outcome"] for one in flushes(engine, MAIN)} == {"nothing"}
        assert not (tmp_path / "state/workspace/memory").exists()


async def test_notes_that_cannot_be_written_cost_only_the_notes(
    open_engine: Open, tmp_path: Path
) -> None:
    workspace = tmp_path / "state/workspace"
    workspace.mkdir(parents=True)
    (workspace / "memory").write_text("a file stands where the folder belongs")
    async with speaking(open_engine, "- Bob owes 7 euros") as engine:
        await fill(engine, said)
        assert "failed" in {one["outcome"] for one in flushes(engine, MAIN)}
        assert await answer(engine, said("still there?"))


async def test_a_session_that_several_people_share_is_not_noted(open_engine: Open) -> None:
    async with speaking(open_engine, "- a secret", "main") as engine:
        await answer(engine, dm("alice", "hello"))
        await fill(engine, said)
        assert flushes(engine, MAIN) == []
        assert (await engine.view(MAIN)).compactions > 0


@pytest.mark.parametrize("day", ["2026-01-01", "2026-12-31"])
def test_a_day_has_one_file(day: str) -> None:
    assert notes_path(Scope(), day) == f"memory/{day}.md"
