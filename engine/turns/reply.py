"""One answer of a model: from the stream of events to the entry that keeps it.

Whatever had arrived when a stream broke or a person said stop is kept and marked, never thrown
away (SPEC §9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BranchlineError, ModelError
from engine.models.door import ModelDoor
from engine.models.protocol import (
    Block,
    Done,
    Image,
    ModelInfo,
    ModelRequest,
    Retrying,
    StopReason,
    Switched,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    Usage,
)

__all__ = ["Answer", "Heard", "ask", "reply_fields"]

Heard = Callable[[TextDelta | ThinkingDelta | Retrying | Switched], None]
"""Told of what a person may want to see while the answer comes."""


@dataclass(slots=True)
class Answer:
    """An answer as it grows. `ref` is the model that gives it, after any switch; `started` when it
    was asked, in ms since 1970."""

    ref: str
    started: int = 0
    text: str = ""
    thinking: str = ""
    content: tuple[Block, ...] | None = None
    stop_reason: StopReason = "aborted"
    usage: Usage | None = None
    response_id: str = ""
    error: BranchlineError | None = None
    switches: list[Switched] = field(default_factory=list)

    def begin_again(self) -> None:
        """Forget a failed try, before the same model is asked once more."""
        self.text = self.thinking = self.response_id = ""
        self.content = self.usage = self.error = None
        self.stop_reason = "aborted"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The whole content, or of a broken answer what had arrived."""
        if self.content is not None:
            return self.content
        thinking = (Thinking(self.thinking),) if self.thinking else ()
        return (*thinking, Text(self.text)) if self.text else thinking


def _take(answer: Answer, event: object, heard: Heard) -> None:
    match event:
        case TextDelta(text):
            answer.text += text
            heard(event)
        case ThinkingDelta(text):
            answer.thinking += text
            heard(event)
        case Retrying():
            heard(event)
        case Switched(to_ref=ref):
            answer.ref = ref
            answer.switches.append(event)
            heard(event)
        case Done():
            answer.content = event.content
            answer.stop_reason = event.stop_reason
            answer.usage = event.usage
            answer.response_id = event.response_id


async def ask(
    answer: Answer,
    door: ModelDoor,
    request: ModelRequest,
    *,
    fallbacks: Iterable[str] = (),
    heard: Heard,
) -> None:
    """Ask a model and fill in `answer` as it comes.

    A model's failure does not raise: it is in `answer.error`, with what had arrived. Cancelling
    leaves `answer` as it was at that moment, marked aborted.
    """
    try:
        async with aclosing(door.stream(request, answer.ref, fallbacks=fallbacks)) as events:
            async for event in events:
                _take(answer, event, heard)
    except ModelError as error:
        answer.error = error
        answer.stop_reason = "aborted" if error.kind == "cancelled" else "error"
        if len(error.partial) > len(answer.text):
            answer.text = error.partial


def _block(block: Block) -> dict[str, Any]:
    """A content block as transcripts write it."""
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(data, mime_type):
            return {"type": "image", "data": data, "mimeType": mime_type}
        case Thinking(text, signature, redacted):
            fields: dict[str, Any] = {"type": "thinking", "thinking": text}
            if signature:
                fields["thinkingSignature"] = signature
            return fields | ({"redacted": True} if redacted else {})
        case ToolCall(call_id, name, arguments):
            return {"type": "toolCall", "id": call_id, "name": name, "arguments": dict(arguments)}
        case ToolResult():
            raise ValueError("a model's answer holds no tool result")


def _usage(usage: Usage | None, spec_cost: Any) -> dict[str, Any]:
    """Token counts as transcripts write them; cost in dollars from prices per million tokens."""
    used = usage or Usage()
    counts = {
        "input": used.input,
        "output": used.output,
        "cacheRead": used.cache_read,
        "cacheWrite": used.cache_write,
    }
    prices = spec_cost if isinstance(spec_cost, dict) else {}
    cost = {
        name: count * price / 1_000_000 if isinstance(price := prices.get(name), int | float) else 0
        for name, count in counts.items()
    }
    return {**counts, "totalTokens": used.total, "cost": {**cost, "total": sum(cost.values())}}


def reply_fields(answer: Answer, info: ModelInfo, cost: Any = None) -> dict[str, Any]:
    """The `message` object of the entry that keeps an answer (format v3 of pi and OpenClaw).

    Its `timestamp` is when the model was asked, as in the reference; the entry's own is the end.

    Args:
        answer: whole or broken.
        info: of the model that answered.
        cost: prices of the model per million tokens, if known.
    """
    message: dict[str, Any] = {
        "role": "assistant",
        "content": [_block(block) for block in answer.blocks],
        "api": info.api,
        "provider": info.provider,
        "model": info.model,
        "usage": _usage(answer.usage, cost),
        "stopReason": answer.stop_reason,
        "timestamp": answer.started,
    }
    if answer.response_id:
        message["responseId"] = answer.response_id
    if answer.error is not None:
        message["errorMessage"] = str(answer.error)
    return message
