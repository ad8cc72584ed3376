from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

ROUNDS = 50
"""Turns of the loop that a key or a message on its way through the app needs at most."""


@pytest.fixture(autouse=True, scope="session")
def patient_pilot() -> Iterator[None]:
    """Textual's pilot takes the app for idle when it uses no processor. On a busy machine it gets
    none while it has much to do; so the pilot waits for turns of the loop as well."""
    import textual.app
    import textual.pilot
    from textual._wait import wait_for_idle

    async def waited(*times: float) -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        await wait_for_idle(*times)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textual.app, "wait_for_idle", waited)
        patch.setattr(textual.pilot, "wait_for_idle", waited)
        yield


@pytest.fixture
async def slow_model() -> AsyncIterator[str]:
    """A config whose model is a server here that says some words, then one now and then, for
    ever: however slow the machine, what was asked stays in sight."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        try:
            for number in range(1, 2000):
                choice = {"index": 0, "delta": {"content": f"word{number} "}}
                writer.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
                await writer.drain()
                await asyncio.sleep(0.02 if number < 60 else 1)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = {
        "api": "openai-completions",
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "apiKey": None,
        "models": [{"id": "story", "contextWindow": 32000}],
    }
    config = {
        "agents": {"defaults": {"model": "slow/story"}},
        "models": {"providers": {"slow": provider}},
    }
    yield json.dumps(config)
    server.close()
