"""Reading a Chat Completions stream, with the habits of all the servers that send one (WIRE §2).

Usage may come on any chunk, with or without choices; `[DONE]` may be missing; tool calls may lack
their index or id, repeat both on every piece, come whole in one chunk, carry their arguments as an
object; reasoning has four names; an error may come after a 200; `finish_reason` may say `stop`
although tools were called.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.models.answer import Answer, ToolParts, counted, silent_overflow
from engine.models.endpoint import Endpoint
from engine.models.jsontext import as_list, as_map, as_text, dumps, loads, parse_arguments
from engine.models.protocol import Done, ModelRequest, StopReason, StreamEvent, Usage
from engine.models.sse import SseParser
from engine.models.wire import cut_short, garbled, in_stream, is_filler

__all__ = ["OpenAIDecoder", "new_call_id"]

_STOPS: dict[str, StopReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "refusal",
}


def new_call_id() -> str:
    """An id for a tool call to which the server gave none."""
    return f"call_{uuid.uuid4().hex[:24]}"


class OpenAIDecoder:
    """Bytes in, events out.

    Args:
        new_id: makes ids for tool calls without one.
    """

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
        self._sse = SseParser()
        self._answer = Answer()
        self._slots: dict[int, ToolParts] = {}
        self._usage: Usage | None = None
        self._stop = ""
        self._id = ""
        self._model = ""
        self._over = False

    @property
    def text(self) -> str:
        return self._answer.text

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
        if self._over:
            return
        if data.startswith("[DONE]"):
            yield from self._end()
        if is_filler(data):
            return
        chunk = loads(data)
        if not isinstance(chunk, Mapping):
            raise cut_short(self._endpoint) if last else garbled(self._endpoint)
        if chunk.get("error") or chunk.get("object") == "error":
            raise in_stream(chunk, self._endpoint)
        self._id = as_text(chunk.get("id")) or self._id
        self._model = as_text(chunk.get("model")) or self._model
        self._count(chunk.get("usage"))
        for choice in as_list(chunk.get("choices")):
            if isinstance(choice, Mapping) and choice.get("index") in (0, None):
                yield from self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[StreamEvent]:
        self._count(choice.get("usage"))
        if choice.get("error"):
            raise in_stream(choice, self._endpoint)
        # A server that does not stream puts the whole `message` where a piece is expected.
        delta = as_map(choice.get("delta") or choice.get("message"))
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if text := as_text(thought) or _details(delta.get("reasoning_details")):
            yield from self._answer.think(text)
        if text := _words(delta.get("content")) or as_text(delta.get("refusal")):
            yield from self._answer.say(text)
        for position, call in enumerate(as_list(delta.get("tool_calls"))):
            if isinstance(call, Mapping):
                yield from self._tool(call, position)
        self._stop = as_text(choice.get("finish_reason")) or self._stop

    def _tool(self, call: Mapping[str, Any], position: int) -> Iterator[StreamEvent]:
        function = as_map(call.get("function"))
        index = call.get("index")
        key = index if isinstance(index, int) else position
        name, call_id = as_text(function.get("name")), as_text(call.get("id"))
        slot = self._slots.get(key)
        if slot is None or _is_another(slot, call_id, name):
            slot = ToolParts(len(self._answer.calls), call_id or self._new_id(), name)
            self._answer.calls.append(slot)
            self._slots[key] = slot
        slot.name = slot.name or name
        arguments = function.get("arguments")
        piece = as_text(arguments)
        if isinstance(arguments, Mapping):
            piece = dumps(dict(arguments)).decode("utf-8")
        if piece or not slot.told:
            yield slot.grow(piece)

    def _count(self, usage: Any) -> None:
        if not isinstance(usage, Mapping) or not usage:
            return
        details = as_map(usage.get("prompt_tokens_details"))
        read = _number(details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens"))
        wrote = _number(details.get("cache_write_tokens"))
        prompt = _number(usage.get("prompt_tokens"))
        output = _number(usage.get("completion_tokens"))
        found = counted(
            prompt=prompt - read - wrote, output=output, cache_read=read, cache_write=wrote
        )
        self._usage = found or self._usage

    def _end(self) -> Iterator[StreamEvent]:
        self._over = True
        yield from self._answer.finish()
        if self._stop == "error":
            raise in_stream({"message": "the model stopped with an error"}, self._endpoint)
        stop = _STOPS.get(self._stop, "stop")
        content = self._answer.content(cut=stop == "length")
        if self._answer.calls and stop == "stop":
            stop = "toolUse"
        if error := silent_overflow(self._request, self._usage, stop, content):
            raise error
        yield Done(content, stop, self._usage, self._id, self._model)


def _is_another(slot: ToolParts, call_id: str, name: str) -> bool:
    """Whether a piece under a known index begins a further call.

    Gemini's endpoint numbers parallel calls all 0, with ids of their own; others send neither
    index nor id, but only whole calls. Pieces of one call repeat its id or have none.
    """
    if not name:
        return False
    if call_id:
        return call_id != slot.id
    return bool(slot.text.strip()) and parse_arguments(slot.text)[1]


def _words(content: Any) -> str:
    """`content` as text: a string, or (Mistral) a list of parts."""
    if isinstance(content, list):
        return "".join(as_text(as_map(part).get("text")) for part in content)
    return as_text(content)


def _details(details: Any) -> str:
    """OpenRouter's `reasoning_details`: texts and summaries, in order."""
    parts = (as_map(each) for each in as_list(details))
    return "".join(as_text(part.get("text")) or as_text(part.get("summary")) for part in parts)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
