"""OpenAI Chat Completions, and the many servers that speak it more or less (WIRE §2)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from hashlib import blake2s
from typing import Any

from engine.errors import ModelError
from engine.models.endpoint import Endpoint
from engine.models.jsontext import arguments_text
from engine.models.openai_stream import OpenAIDecoder
from engine.models.protocol import (
    ChatMessage,
    Image,
    ModelInfo,
    ModelRequest,
    StreamEvent,
    Text,
    ToolCall,
    ToolResult,
)
from engine.models.shape import MISTRAL_ID, TOOL_ID, plain_text, prepare, tools_for
from engine.models.wire import converse

__all__ = ["OpenAIProvider", "build_body", "build_headers"]

HOME = "api.openai.com"
_EFFORTS = frozenset({"minimal", "low", "medium", "high", "xhigh"})


class OpenAIProvider:
    """Models behind a Chat Completions endpoint.

    Some old servers refuse `stream_options`; the first refusal is met by asking once more without,
    and remembered.
    """

    def __init__(self, endpoint: Endpoint, info: ModelInfo):
        self._endpoint = endpoint
        self._info = info
        self._ask_usage = endpoint.stream_usage

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """As protocol.Provider."""
        try:
            async with aclosing(self._once(request, self._ask_usage)) as events:
                async for event in events:
                    yield event
            return
        except ModelError as error:
            refused = error.kind == "invalid" and error.status in {400, 422}
            if not (refused and self._ask_usage) or self._endpoint.host == HOME:
                raise
        async with aclosing(self._once(request, False)) as events:
            async for event in events:
                self._ask_usage = False
                yield event

    async def _once(
        self, request: ModelRequest, ask_usage: bool
    ) -> AsyncGenerator[StreamEvent, None]:
        body = build_body(request, self._endpoint, self._info, ask_usage=ask_usage)
        decoder = OpenAIDecoder(self._endpoint, request)
        headers = build_headers(self._endpoint)
        call = converse(self._endpoint, "/chat/completions", body, headers, decoder)
        async with aclosing(call) as events:
            async for event in events:
                yield event


def build_headers(endpoint: Endpoint) -> dict[str, str]:
    """The API's own headers, with the key."""
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key.reveal()}"
    return headers


def build_body(
    request: ModelRequest, endpoint: Endpoint, info: ModelInfo, *, ask_usage: bool = True
) -> dict[str, Any]:
    """The request's body. What only OpenAI itself understands goes to OpenAI only."""
    home = endpoint.host == HOME
    body: dict[str, Any] = {"model": request.model, "stream": True}
    if ask_usage:
        body["stream_options"] = {"include_usage": True}
    field = "max_completion_tokens" if home else "max_tokens"
    body[endpoint.max_tokens_field or field] = request.max_tokens or info.max_tokens
    if home and request.session_key:
        digest = blake2s(request.session_key.encode("utf-8", "replace"), digest_size=16)
        body["prompt_cache_key"] = digest.hexdigest()
    if request.thinking in _EFFORTS and (home or info.reasoning):
        body["reasoning_effort"] = request.thinking
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
    body["messages"] = _messages(request, endpoint, info)
    return body | dict(endpoint.extra_body) | dict(request.extra)


def _messages(request: ModelRequest, endpoint: Endpoint, info: ModelInfo) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system.strip():
        messages.append({"role": "system", "content": request.system})
    for message in prepare(request, info, ids=_ids(endpoint)):
        if message.role == "assistant":
            messages.append(_assistant(message, endpoint))
        else:
            messages += _user(message)
    return messages


def _ids(endpoint: Endpoint) -> re.Pattern[str]:
    mistral = endpoint.provider == "mistral" or endpoint.host.endswith("mistral.ai")
    return MISTRAL_ID if mistral else TOOL_ID


def _assistant(message: ChatMessage, endpoint: Endpoint) -> dict[str, Any]:
    text = plain_text(message.content)
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": block.name, "arguments": arguments_text(block.arguments)},
        }
        for block in message.content
        if isinstance(block, ToolCall)
    ]
    if not calls:
        return {"role": "assistant", "content": text}
    # OpenAI documents null; templates elsewhere print it as the word "None".
    content = text or (None if endpoint.host == HOME else "")
    return {"role": "assistant", "content": content, "tool_calls": calls}


def _user(message: ChatMessage) -> Iterator[dict[str, Any]]:
    """Tool results as messages of their own, directly after their call, then what was said."""
    rest = []
    for block in message.content:
        if isinstance(block, ToolResult):
            yield {"role": "tool", "tool_call_id": block.call_id, "content": _result_text(block)}
        else:
            rest.append(block)
    if any(isinstance(block, Image) for block in rest):
        yield {"role": "user", "content": [part for block in rest for part in _part(block)]}
    elif rest:
        yield {"role": "user", "content": plain_text(rest)}


def _result_text(result: ToolResult) -> str:
    if result.is_error and not result.text.lower().startswith("error"):
        return f"Error: {result.text}"
    return result.text


def _part(block: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(block, Text):
        yield {"type": "text", "text": block.text}
    elif isinstance(block, Image):
        url = f"data:{block.mime_type};base64,{block.data}"
        yield {"type": "image_url", "image_url": {"url": url}}
