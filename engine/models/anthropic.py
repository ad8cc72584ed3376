"""Anthropic Messages, and servers that speak it (WIRE §1).

No sampling parameters are sent: newer API versions refuse them. No beta headers are sent at all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from engine.models.answer import ToolParts, counted, silent_overflow, tool_blocks
from engine.models.endpoint import Endpoint
from engine.models.jsontext import Surrogates, as_list, as_map, as_text, dumps, loads
from engine.models.protocol import (
    Block,
    ChatMessage,
    Done,
    Image,
    ModelInfo,
    ModelRequest,
    StopReason,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from engine.models.shape import prepare, tools_for
from engine.models.sse import SseParser
from engine.models.wire import converse, cut_short, garbled, in_stream, is_filler

__all__ = ["AnthropicDecoder", "AnthropicProvider", "build_body", "build_headers"]

HOME = "api.anthropic.com"
VERSION = "2026-10-21"
VERSION_ELSEWHERE = "2023-06-01"
"""Other servers were written against the older version."""

CACHE = {"type": "ephemeral"}

_OLD_THINKING = re.compile(r"claude-(?:3-7|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:-\d{8})?$)")
"""Models that take a budget of reasoning tokens; later ones take an effort."""

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}
_STOPS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "toolUse",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class AnthropicProvider:
    """Models behind an Anthropic Messages endpoint."""

    def __init__(self, endpoint: Endpoint, info: ModelInfo):
        self._endpoint = endpoint
        self._info = info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """As protocol.Provider."""
        body = build_body(request, self._endpoint, self._info)
        decoder = AnthropicDecoder(self._endpoint, request)
        headers = build_headers(self._endpoint)
        call = converse(self._endpoint, "/v1/messages", body, headers, decoder)
        async with aclosing(call) as events:
            async for event in events:
                yield event


def build_headers(endpoint: Endpoint) -> dict[str, str]:
    """The API's own headers, with the key."""
    home = VERSION if endpoint.host == HOME else VERSION_ELSEWHERE
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": endpoint.anthropic_version or home,
    }
    if endpoint.key is not None:
        if endpoint.bearer:
            headers["authorization"] = f"Bearer {endpoint.key.reveal()}"
        else:
            headers["x-api-key"] = endpoint.key.reveal()
    return headers


def build_body(request: ModelRequest, endpoint: Endpoint, info: ModelInfo) -> dict[str, Any]:
    """The request's body. Tools, system and messages stand in the order in which they are cached,
    and each carries a cache mark on its last block."""
    limit = request.max_tokens or info.max_tokens
    body: dict[str, Any] = {"model": request.model, "max_tokens": limit, "stream": True}
    tools: list[dict[str, Any]] = [
        {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
        for tool in tools_for(request, info)
    ]
    if tools:
        tools[-1]["cache_control"] = CACHE
        body["tools"] = tools
    if request.system.strip():
        body["system"] = [{"type": "text", "text": request.system, "cache_control": CACHE}]
    prepared = prepare(request, info, keep=lambda thinking: bool(thinking.signature))
    messages = [_message(message) for message in prepared]
    messages[-1]["content"][-1]["cache_control"] = CACHE
    body["messages"] = messages
    body |= _thinking(request, info, limit)
    return body | dict(endpoint.extra_body) | dict(request.extra)


def _thinking(request: ModelRequest, info: ModelInfo, limit: int) -> dict[str, Any]:
    level = request.thinking
    if level == "off" or level not in {*_BUDGETS, *_EFFORTS}:
        return {}
    if not _OLD_THINKING.search(info.model):
        return {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": _EFFORTS[level]},
        }
    budget = min(_BUDGETS.get(level, 16384), limit - 1024)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= 1024 else {}


def _message(message: ChatMessage) -> dict[str, Any]:
    return {"role": message.role, "content": [_block(block) for block in message.content]}


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, ToolCall):
        arguments = dict(block.arguments)
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
    if isinstance(block, Image):
        source = {"type": "base64", "media_type": block.mime_type, "data": block.data}
        return {"type": "image", "source": source}
    if isinstance(block, Thinking):
        if block.redacted:
            return {"type": "redacted_thinking", "data": block.signature}
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    return _result(block)


def _result(block: ToolResult) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.call_id}
    if block.text.strip():
        result["content"] = block.text
    if block.is_error:
        result["is_error"] = True
    return result


@dataclass
class _Part:
    """A content block being received."""

    kind: str
    tool: ToolParts | None = None
    words: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    joiner: Surrogates = field(default_factory=Surrogates)


class AnthropicDecoder:
    """Reads a Messages stream. Pure: bytes in, events out.

    Named events; unknown ones and unknown blocks are passed over. Usage is cumulative, the last
    number of each kind counts. A stream without `message_stop` (and without a stop reason) was
    cut. `event: error` may come although the status was 200.
    """

    def __init__(self, endpoint: Endpoint, request: ModelRequest):
        self._endpoint = endpoint
        self._request = request
        self._sse = SseParser()
        self._parts: dict[int, _Part] = {}
        self._tools: list[ToolParts] = []
        self._usage: dict[str, int] = {}
        self._stop = ""
        self._id = ""
        self._model = ""
        self._over = False

    @property
    def text(self) -> str:
        return "".join(
            word
            for _, part in sorted(self._parts.items())
            if part.kind == "text"
            for word in part.words
        )

    @property
    def settled(self) -> bool:
        return bool(self._stop)

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Events that these bytes complete.

        Raises:
            ModelError: the stream told an error or is no JSON.
        """
        return [event for each in self._sse.feed(data) for event in self._event(each.data)]

    def finish(self) -> list[StreamEvent]:
        """The stream has ended.

        Raises:
            ModelError: before the model had said that it was done.
        """
        events = [event for each in self._sse.finish() for event in self._event(each.data, True)]
        if not self._over:
            if not self._stop:
                raise cut_short(self._endpoint)
            events += self._end()
        return events

    def _event(self, data: str, last: bool = False) -> Iterator[StreamEvent]:
        if self._over or is_filler(data):
            return
        payload = loads(data)
        if not isinstance(payload, Mapping):
            if last:
                raise cut_short(self._endpoint)
            raise garbled(self._endpoint)
        kind = payload.get("type")
        if kind == "error" or (kind is None and payload.get("error")):
            raise in_stream(payload, self._endpoint)
        if kind == "message":
            yield from self._complete(payload)
        elif kind == "message_start":
            self._message(as_map(payload.get("message")))
        elif kind == "content_block_start":
            yield from self._start(payload)
        elif kind == "content_block_delta":
            yield from self._delta(payload)
        elif kind == "message_delta":
            self._stop = as_text(as_map(payload.get("delta")).get("stop_reason")) or self._stop
            self._count(payload.get("usage"))
        elif kind == "message_stop":
            yield from self._end()

    def _message(self, message: Mapping[str, Any]) -> None:
        self._id = as_text(message.get("id")) or self._id
        self._model = as_text(message.get("model")) or self._model
        self._stop = as_text(message.get("stop_reason")) or self._stop
        self._count(message.get("usage"))

    def _complete(self, message: Mapping[str, Any]) -> Iterator[StreamEvent]:
        """A server that does not stream sends one whole message."""
        self._message(message)
        for index, block in enumerate(as_list(message.get("content"))):
            yield from self._start({"index": index, "content_block": block})
        self._stop = self._stop or "end_turn"
        yield from self._end()

    def _count(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            self._usage |= {key: n for key, n in usage.items() if isinstance(n, int)}

    def _start(self, payload: Mapping[str, Any]) -> Iterator[StreamEvent]:
        block = as_map(payload.get("content_block"))
        index = payload.get("index")
        part = _Part(as_text(block.get("type")))
        self._parts[index if isinstance(index, int) else len(self._parts)] = part
        if part.kind == "tool_use":
            name, given = as_text(block.get("name")), block.get("input")
            part.tool = ToolParts(len(self._tools), as_text(block.get("id")), name)
            self._tools.append(part.tool)
            yield part.tool.grow(dumps(given).decode("utf-8") if given else "")
        elif part.kind == "redacted_thinking":
            part.signature.append(as_text(block.get("data")))
        else:
            part.signature.append(as_text(block.get("signature")))
            yield from self._words(part, as_text(block.get(part.kind)))

    def _delta(self, payload: Mapping[str, Any]) -> Iterator[StreamEvent]:
        delta = as_map(payload.get("delta"))
        index = payload.get("index")
        part = self._parts.get(index) if isinstance(index, int) else None
        if part is None:
            return
        kind = delta.get("type")
        if kind == "input_json_delta" and part.tool is not None:
            if piece := as_text(delta.get("partial_json")):
                yield part.tool.grow(piece)
        elif kind == "signature_delta":
            part.signature.append(as_text(delta.get("signature")))
        elif kind == f"{part.kind}_delta":
            yield from self._words(part, as_text(delta.get(part.kind)))

    def _words(self, part: _Part, text: str) -> Iterator[StreamEvent]:
        text = part.joiner.feed(text)
        if not text:
            return
        part.words.append(text)
        if part.kind == "text":
            yield TextDelta(text)
        elif part.kind == "thinking":
            yield ThinkingDelta(text)

    def _end(self) -> Iterator[StreamEvent]:
        self._over = True
        stop = _STOPS.get(self._stop, "stop")
        content = self._content(cut=stop == "length")
        usage = _usage(self._usage)
        if self._stop == "model_context_window_exceeded" and not content:
            raise in_stream({"error": {"type": self._stop}}, self._endpoint)
        if error := silent_overflow(self._request, usage, stop, content):
            raise error
        yield Done(content, stop, usage, self._id, self._model)

    def _content(self, *, cut: bool) -> tuple[Block, ...]:
        blocks: list[Block] = []
        for _, part in sorted(self._parts.items()):
            words, signature = "".join(part.words), "".join(part.signature)
            if part.tool is not None:
                blocks += tool_blocks([part.tool], cut=cut)
            elif part.kind == "text" and words.strip():
                blocks.append(Text(words))
            elif part.kind == "thinking" and (words.strip() or signature):
                blocks.append(Thinking(words, signature))
            elif part.kind == "redacted_thinking":
                blocks.append(Thinking("", signature, redacted=True))
        return tuple(blocks)


def _usage(counts: Mapping[str, int]) -> Usage | None:
    return counted(
        prompt=counts.get("input_tokens", 0),
        output=counts.get("output_tokens", 0),
        cache_read=counts.get("cache_read_input_tokens", 0),
        cache_write=counts.get("cache_creation_input_tokens", 0),
    )
