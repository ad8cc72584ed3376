"""The offline model as a provider: it streams like any other, from the request alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

from engine.context.tokens import estimate_request, estimate_text
from engine.errors import ModelError
from engine.models.offline.answers import NOTE, answer
from engine.models.offline.summary import summarise
from engine.models.offline.talk import Talk, read_talk
from engine.models.protocol import (
    Block,
    Done,
    ModelRequest,
    StopReason,
    StreamEvent,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    Usage,
)

__all__ = ["NO_REPLY", "OfflineProvider"]

Sleep = Callable[[float], Awaitable[None]]

NO_REPLY = "NO_REPLY"
"""The answer to a memory flush that has nothing to write (SPEC §8)."""

_WINDOW = 32_000
_SIZE = re.compile(r"-(\d+)k$")
_PAUSE = 0.012
_LONGEST_STREAM = 0.8
_PIECE = re.compile(r"\s*\S{1,12}")
_LIST = re.compile(r"^\W*(please\s+)?(list|show)\s+(me\s+)?((all|the|my|your|our)\s+)*sessions\W*$")
_REMEMBER = re.compile(
    r"^\W*(please\s+)?(remember|note)\b\W*(?P<what>.+)", re.DOTALL | re.IGNORECASE
)
_NOTERS = ("memory_write", "memory_append", "memory_add", "memory_save", "remember")


class OfflineProvider:
    """Answers without any model. Deterministic: the same request gives the same events.

    Args:
        sleep: passes the time between two pieces of a reply, so that streaming can be seen;
            a test gives one that returns at once. Default: anyio.sleep.
    """

    def __init__(self, *, sleep: Sleep | None = None):
        self._sleep = sleep

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """Answer a request piece by piece.

        Raises:
            ModelError: kind `overflow` when the request is larger than the model's window.
        """
        size, window = estimate_request(request), _window(request)
        if size > window:
            raise ModelError(
                f"prompt is too long: {size} tokens > {window} maximum", kind="overflow", status=400
            )
        talk = read_talk(request)
        call = _tool_call(request, talk)
        if call is not None:
            yield ToolCallDelta(0, call.id, call.name, json.dumps(dict(call.arguments)))
            cost = estimate_text(call.name) + estimate_text(json.dumps(dict(call.arguments)))
            yield _done(request, (call,), "toolUse", Usage(input=size, output=cost))
            return
        text, stop = _within(_text(request, talk), request.max_tokens)
        pieces = list(_pieces(text))
        pause = min(_PAUSE, _LONGEST_STREAM / max(1, len(pieces)))
        for piece in pieces:
            await self._rest(pause)
            yield TextDelta(piece)
        content = (Text(text),) if text else ()
        yield _done(request, content, stop, Usage(input=size, output=estimate_text(text)))

    async def _rest(self, seconds: float) -> None:
        if self._sleep is None:
            import anyio

            self._sleep = anyio.sleep
        await self._sleep(seconds)


def _done(
    request: ModelRequest, content: tuple[Block, ...], stop: StopReason, usage: Usage
) -> Done:
    return Done(content, stop, usage, model=request.model)


def _window(request: ModelRequest) -> int:
    """Tokens the model holds: what the request says, else what its name says (`echo-2k`)."""
    if request.context_window is not None:
        return request.context_window
    size = _SIZE.search(request.model)
    return int(size.group(1)) * 1000 if size else _WINDOW


def _text(request: ModelRequest, talk: Talk) -> str:
    if request.purpose == "summary":
        return summarise(talk, request.max_tokens)
    if request.purpose == "flush":
        return NO_REPLY
    if request.purpose == "probe":
        return NOTE
    reply = answer(talk)
    return reply if any(NOTE in earlier for earlier in talk.replies) else f"{NOTE}\n\n{reply}"


def _within(text: str, max_tokens: int | None) -> tuple[str, StopReason]:
    """The text, cut where it would be longer than the request allows."""
    if max_tokens is None or estimate_text(text) <= max_tokens:
        return text, "stop"
    kept, size = [], 0
    for piece in _pieces(text):
        size += estimate_text(piece)
        if size > max_tokens:
            break
        kept.append(piece)
    return "".join(kept), "length"


def _pieces(text: str) -> Iterator[str]:
    """The text in small pieces: words with the blanks before them, long ones in parts."""
    end = 0
    for match in _PIECE.finditer(text):
        end = match.end()
        yield match.group()
    if end < len(text):
        yield text[end:]


def _tool_call(request: ModelRequest, talk: Talk) -> ToolCall | None:
    """The call that the newest message plainly asks for, if the request offers such a tool and
    nothing has answered yet."""
    if talk.results or talk.question is None or request.purpose not in ("reply", "subagent"):
        return None
    text = talk.question.text
    call_id = f"call_offline_{talk.calls + 1}"
    tools = {tool.name: tool for tool in request.tools}
    if "sessions_list" in tools and _LIST.search(text.casefold()):
        return ToolCall(call_id, "sessions_list", {})
    found = _REMEMBER.search(text)
    if found is None:
        return None
    noter = next((tools[name] for name in _NOTERS if name in tools), None)
    if noter is not None:
        return ToolCall(call_id, noter.name, {_field(noter): found["what"].strip()})
    if "write" in tools:
        note = found["what"].strip()
        name = hashlib.sha256(note.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        # A file of its own per note: `write` replaces what a file held before.
        return ToolCall(call_id, "write", {"path": f"memory/{name}.md", "content": note + "\n"})
    return None


def _field(tool: ToolSpec) -> str:
    """The parameter of a note-taking tool that takes the text."""
    schema: Any = tool.parameters.get("properties")
    names = list(schema) if isinstance(schema, dict) else []
    known = ("text", "content", "note", "fact", "memory")
    return next((name for name in known if name in names), names[0] if names else "text")
