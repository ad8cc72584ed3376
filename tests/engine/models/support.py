"""What the tests of the models room share: endpoints, streams and a raw server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from engine.config.schema import Provider as ProviderConfig
from engine.models.anthropic import AnthropicDecoder, AnthropicProvider
from engine.models.closing import closing
from engine.models.endpoint import Endpoint, make_endpoint
from engine.models.ollama import OllamaDecoder, OllamaProvider
from engine.models.openai import OpenAIProvider
from engine.models.openai_stream import OpenAIDecoder
from engine.models.protocol import (
    ChatMessage,
    Done,
    ModelInfo,
    ModelRequest,
    Provider,
    StreamEvent,
    Text,
    TextDelta,
)
from engine.models.wire import Decoder

APIS = ("anthropic-messages", "openai-completions", "ollama")
PROVIDERS: dict[str, Callable[[Endpoint, ModelInfo], Provider]] = {
    "anthropic-messages": AnthropicProvider,
    "openai-completions": OpenAIProvider,
    "ollama": OllamaProvider,
}


def endpoint(
    api: str = "openai-completions", url: str = "http://127.0.0.1:9", **config: Any
) -> Endpoint:
    """An endpoint of a provider called `local`."""
    return make_endpoint("local", ProviderConfig(api=api, base_url=url, **config), {})


def info(api: str = "openai-completions", **changes: Any) -> ModelInfo:
    given: dict[str, Any] = {
        "ref": "local/m",
        "provider": "local",
        "model": "m",
        "api": api,
        "context_window": 32_000,
        "max_tokens": 1000,
    }
    return ModelInfo(**(given | changes))


def provider(api: str, url: str, **config: Any) -> Provider:
    return PROVIDERS[api](endpoint(api, url, **config), info(api))


def user(text: str, name: str = "") -> ChatMessage:
    return ChatMessage("user", (Text(text),), name)


def ask(text: str = "hello", **changes: Any) -> ModelRequest:
    return ModelRequest(**({"model": "m", "messages": (user(text),)} | changes))


def decoder(api: str, request: ModelRequest | None = None) -> Decoder:
    """A decoder whose made-up ids are counted, so that runs can be compared."""
    request = request or ask()
    if api == "anthropic-messages":
        return AnthropicDecoder(endpoint(api), request)
    count = iter(range(1000))
    if api == "ollama":
        return OllamaDecoder(endpoint(api), request, new_id=lambda: f"new{next(count)}")
    return OpenAIDecoder(endpoint(api), request, new_id=lambda: f"new{next(count)}")


def decode(
    api: str, slices: Iterable[bytes], request: ModelRequest | None = None
) -> list[StreamEvent]:
    """All events of a stream that arrives in these slices and ends."""
    reader = decoder(api, request)
    events = [event for data in slices for event in reader.feed(data)]
    return events + reader.finish()


def done(events: list[StreamEvent]) -> Done:
    """The last event, which must be the only Done."""
    assert [isinstance(event, Done) for event in events].count(True) == 1
    last = events[-1]
    assert isinstance(last, Done)
    return last


def said(events: Iterable[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def collect(asked: Provider, request: ModelRequest | None = None) -> list[StreamEvent]:
    async with closing(asked.stream(request or ask())) as events:
        return [event async for event in events]


class RawServer:
    """A real server on loopback that answers each connection with bytes recorded before.

    A reply is a list of steps: bytes are sent, a number is a pause in seconds, None waits until
    the client goes away. `gone` tells that a client closed its connection.
    """

    def __init__(self, replies: list[list[bytes | float | None]]):
        self.replies = replies
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (
                    int(line[15:])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            self.requests.append(head + await reader.readexactly(size))
            steps = self.replies[min(len(self.requests), len(self.replies)) - 1]
            for step in steps:
                await self.step(step, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()

    async def step(
        self, step: bytes | float | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step is None:
            await reader.read()
            self.gone.set()
        else:
            await asyncio.sleep(step)


@asynccontextmanager
async def raw_server(*replies: list[bytes | float | None]) -> AsyncIterator[RawServer]:
    raw = RawServer(list(replies))
    server = await asyncio.start_server(raw.answer, "127.0.0.1", 0)
    async with server:
        raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield raw


def head(status: str = "200 OK", *headers: str, kind: str = "text/event-stream") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()
