"""A call from end to end: send the body, feed the answer to a decoder, tell its events.

Decoders are pure: bytes in, events out, no waiting. So every one of them can be shown a recorded
stream cut at every byte.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from engine.errors import ModelError
from engine.models.endpoint import Endpoint
from engine.models.failures import classify, remedy_for
from engine.models.http import Reply, open_reply
from engine.models.jsontext import dumps, loads
from engine.models.protocol import Done, StreamEvent

__all__ = ["Decoder", "converse", "cut_short", "garbled", "in_stream", "is_filler"]


class Decoder(Protocol):
    """Turns the bytes of one answer into events; the last event of all is a Done.

    `text` is what has been said so far, for an answer that breaks off. `settled`: the model has
    said why it stopped, so that a connection lost after that costs nothing.
    """

    @property
    def text(self) -> str: ...

    @property
    def settled(self) -> bool: ...

    def feed(self, data: bytes) -> list[StreamEvent]: ...

    def finish(self) -> list[StreamEvent]: ...


async def converse(
    endpoint: Endpoint,
    path: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    decoder: Decoder,
) -> AsyncGenerator[StreamEvent, None]:
    """Send one request and tell its answer; the connection is closed before the Done.

    Raises:
        ModelError: classified, with the text that had arrived in `partial`.
    """
    last: list[StreamEvent] = []
    try:
        try:
            async with (
                open_reply(endpoint, "POST", path, headers=headers, body=dumps(body)) as reply,
                aclosing(_events(reply, decoder, endpoint)) as events,
            ):
                async for event in events:
                    if isinstance(event, Done):
                        last = [event]
                        break
                    yield event
        except ModelError as error:
            if error.kind not in {"connection", "timeout"} or not decoder.settled:
                raise
        for event in last or decoder.finish():
            yield event
    except ModelError as error:
        error.partial = decoder.text
        raise


async def _events(
    reply: Reply, decoder: Decoder, endpoint: Endpoint
) -> AsyncGenerator[StreamEvent, None]:
    if reply.content_type == "text/html":
        raise ModelError(
            f"{endpoint.provider} ({endpoint.host}) answered with a web page",
            kind="invalid",
            remedy="Check the provider's baseUrl",
        )
    async with aclosing(_slices(reply, endpoint)) as slices:
        async for data in slices:
            for event in decoder.feed(data):
                yield event


async def _slices(reply: Reply, endpoint: Endpoint) -> AsyncGenerator[bytes, None]:
    """The body; one JSON document in place of a stream is made a stream of one event."""
    if reply.content_type == "application/json" and endpoint.api != "ollama":
        document = loads((await reply.read(16 * 1024 * 1024)).decode("utf-8", "replace"))
        yield b"data: " + dumps(document) + b"\n\n"
        return
    async with aclosing(reply.chunks()) as chunks:
        async for chunk in chunks:
            yield chunk


def is_filler(data: str) -> bool:
    """Whether an event says nothing: an empty one that keeps the line open, or `[DONE]`."""
    return not data.strip() or data.startswith("[DONE]")


def cut_short(endpoint: Endpoint) -> ModelError:
    """The error for a stream that ended before the model had said that it was done."""
    return ModelError(
        f"the answer of {endpoint.provider} broke off",
        kind="connection",
        remedy="What had arrived is kept; ask again for the whole",
    )


def garbled(endpoint: Endpoint) -> ModelError:
    """The error for a stream in which something is no JSON."""
    return ModelError(
        f"{endpoint.provider} sent something that is not JSON",
        kind="server",
        remedy=remedy_for("server", endpoint),
    )


def in_stream(payload: Any, endpoint: Endpoint) -> ModelError:
    """An error told inside a stream that began with status 200."""
    body = payload if isinstance(payload, Mapping) else str(payload)
    return classify(None, body, {}, endpoint)
