"""Ollama's own API (WIRE §3): preferred to its OpenAI imitation because `num_ctx` can be set.

Without it Ollama drops the oldest part of a longer prompt and says nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from engine.models.answer import Answer, ToolParts, counted, silent_overflow
from engine.models.endpoint import Endpoint
from engine.models.jsontext import as_list, as_map, as_text, dumps, loads
from engine.models.openai_stream import new_call_id
from engine.models.protocol import (
    ChatMessage,
    Done,
    Image,
    ModelInfo,
    ModelRequest,
    StopReason,
    StreamEvent,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from engine.models.shape import plain_text, prepare, tools_for
from engine.models.sse import LineSplitter
from engine.models.wire import converse, cut_short, garbled, in_stream

__all__ = ["OllamaDecoder", "OllamaProvider", "build_body", "build_headers"]

_LEVELS = frozenset({"low", "medium", "high"})


class OllamaProvider:
    """Models of an Ollama server."""

    def __init__(self, endpoint: Endpoint, info: ModelInfo):
        self._endpoint = endpoint
        self._info = info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """As protocol.Provider."""
        body = build_body(request, self._endpoint, self._info)
        decoder = OllamaDecoder(self._endpoint, request)
        headers = build_headers(self._endpoint)
        call = converse(self._endpoint, "/api/chat", body, headers, decoder)
        async with aclosing(call) as events:
            async for event in events:
                yield event


def build_headers(endpoint: Endpoint) -> dict[str, str]:
    """The API's own headers, with the key where there is one (Ollama's cloud)."""
    headers = {"content-type": "application/json"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key.reveal()}"
    return headers


def build_body(request: ModelRequest, endpoint: Endpoint, info: ModelInfo) -> dict[str, Any]:
    """The request's body, always with the window it was cut for."""
    options: dict[str, Any] = {"num_ctx": request.context_window or info.context_window}
    options["num_predict"] = request.max_tokens or info.max_tokens
    extra = dict(endpoint.extra_body) | dict(request.extra)
    options |= as_map(extra.pop("options", None))
    body: dict[str, Any] = {"model": request.model, "stream": True, "options": options}
    if request.thinking != "off" and info.reasoning:
        body["think"] = request.thinking if request.thinking in _LEVELS else True
    if tools := tools_for(request, info):
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in tools
        ]
    messages: list[dict[str, Any]] = []
    if request.system.strip():
        messages.append({"role": "system", "content": request.system})
    prepared = prepare(request, info, keep=lambda thinking: not thinking.signature)
    messages += [each for message in prepared for each in _message(message)]
    return body | {"messages": messages} | extra


def _message(message: ChatMessage) -> Iterator[dict[str, Any]]:
    if message.role == "assistant":
        yield _assistant(message)
        return
    for block in message.content:
        if isinstance(block, ToolResult):
            yield {"role": "tool", "tool_name": block.name, "content": block.text}
    if any(isinstance(block, (Text, Image)) for block in message.content):
        said: dict[str, Any] = {"role": "user", "content": plain_text(message.content)}
        images = [block.data for block in message.content if isinstance(block, Image)]
        yield said | {"images": images} if images else said


def _assistant(message: ChatMessage) -> dict[str, Any]:
    """Reasoning goes back only beside a tool call, where the model must go on from it."""
    said: dict[str, Any] = {"role": "assistant", "content": plain_text(message.content)}
    calls = [block for block in message.content if isinstance(block, ToolCall)]
    if calls:
        thought = "".join(block.text for block in message.content if isinstance(block, Thinking))
        said |= {"thinking": thought} if thought else {}
        said["tool_calls"] = [
            {"function": {"name": call.name, "arguments": dict(call.arguments)}} for call in calls
        ]
    return said


class OllamaDecoder:
    """Reads Ollama's NDJSON. Pure: bytes in, events out. The last object says `done: true`."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: ModelRequest,
        *,
        new_id: Callable[[], str] = new_call_id,
    ):
        self._endpoint = endpoint
        self._request = request
        self._new_id = new_id
        self._lines = LineSplitter(bare_cr=False)
        self._answer = Answer()
        self._model = ""
        self._over = False

    @property
    def text(self) -> str:
        return self._answer.text

    @property
    def settled(self) -> bool:
        return self._over

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Events that these bytes complete.

        Raises:
            ModelError: the stream told an error or is no JSON.
        """
        return [event for line in self._lines.feed(data) for event in self._line(line)]

    def finish(self) -> list[StreamEvent]:
        """The stream has ended.

        Raises:
            ModelError: before the model had said that it was done.
        """
        rest = self._lines.finish()
        events = list(self._line(rest, last=True)) if rest is not None else []
        if not self._over:
            raise cut_short(self._endpoint)
        return events

    def _line(self, line: bytes, *, last: bool = False) -> Iterator[StreamEvent]:
        if self._over or not line.strip():
            return
        payload = loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
        if not isinstance(payload, Mapping):
            raise cut_short(self._endpoint) if last else garbled(self._endpoint)
        if payload.get("error"):
            raise in_stream(payload, self._endpoint)
        self._model = as_text(payload.get("model")) or self._model
        message = as_map(payload.get("message"))
        yield from self._answer.think(as_text(message.get("thinking")))
        yield from self._answer.say(as_text(message.get("content")))
        for call in as_list(message.get("tool_calls")):
            yield self._tool(as_map(call))
        if payload.get("done"):
            yield from self._end(payload)

    def _tool(self, call: Mapping[str, Any]) -> StreamEvent:
        function = as_map(call.get("function"))
        given = function.get("arguments")
        text = given if isinstance(given, str) else dumps(dict(as_map(given))).decode("utf-8")
        parts = ToolParts(
            len(self._answer.calls),
            as_text(call.get("id")) or self._new_id(),
            as_text(function.get("name")),
        )
        self._answer.calls.append(parts)
        return parts.grow(text)

    def _end(self, payload: Mapping[str, Any]) -> Iterator[StreamEvent]:
        self._over = True
        yield from self._answer.finish()
        stop: StopReason = "length" if payload.get("done_reason") == "length" else "stop"
        content = self._answer.content(cut=stop == "length")
        if self._answer.calls and stop == "stop":
            stop = "toolUse"
        usage = _usage(payload)
        if error := silent_overflow(self._request, usage, stop, content):
            raise error
        yield Done(content, stop, usage, "", self._model)


def _usage(payload: Mapping[str, Any]) -> Usage | None:
    """Counts of the last object; `prompt_eval_count` is missing when the prompt was cached."""
    read, wrote = payload.get("prompt_eval_count"), payload.get("eval_count")
    return counted(
        prompt=read if isinstance(read, int) else 0, output=wrote if isinstance(wrote, int) else 0
    )
