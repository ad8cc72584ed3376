"""A window as a model request's messages, and as the JSON that scripts read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.context.window import Window, WindowMessage
from engine.models.protocol import (
    Block,
    ChatMessage,
    Image,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

__all__ = [
    "BRANCH_INTRO",
    "EARLIER",
    "INTERRUPTED",
    "STOPPED",
    "SUMMARY_INTRO",
    "sender_name",
    "to_chat",
    "window_json",
]

SUMMARY_INTRO = "Summary of the earlier part of this conversation, which is no longer shown:"
"""Stands before a compaction's summary, so that the model does not take it for a message."""

BRANCH_INTRO = "Summary of a side branch of this conversation, which was left again:"
EARLIER = "[Earlier messages of this conversation are not shown.]"
INTERRUPTED = "interrupted: the tool did not finish, and there is no result"
STOPPED = {
    "aborted": "[The person stopped this reply here.]",
    "error": "[This reply broke off here.]",
}
_LONE_RESULT = "Result of an earlier call of the tool {name}:"
_NAME_LENGTH = 64


def to_chat(window: Window) -> tuple[ChatMessage, ...]:
    """The messages of a model request.

    Every tool call is answered in the very next message, by its result or as interrupted
    (SPEC §10); results without a call become plain text; replies that were stopped keep their
    words and are marked, empty ones are left out; the first message is a user's.

    Who wrote a user message is in `ChatMessage.name`; the adapters show it to the model where
    several people write.
    """
    chat: list[ChatMessage] = []
    for messages in _rounds(window.messages):
        chat.extend(_round(messages))
    if chat and chat[0].role == "assistant":
        chat.insert(0, ChatMessage("user", (Text(EARLIER),)))
    return tuple(chat)


def _rounds(messages: Sequence[WindowMessage]) -> Iterator[list[WindowMessage]]:
    """Stretches that begin with an assistant message (the first may not)."""
    current: list[WindowMessage] = []
    for message in messages:
        if message.role == "assistant" and current:
            yield current
            current = []
        current.append(message)
    if current:
        yield current


def _round(messages: list[WindowMessage]) -> Iterator[ChatMessage]:
    """An assistant message, its results right behind it, then what people said."""
    reply = _assistant(messages[0]) if messages[0].role == "assistant" else None
    answered: set[int] = set()
    if reply is not None:
        yield reply
        calls = [block for block in reply.content if isinstance(block, ToolCall)]
        if calls:
            yield _results(calls, messages, answered)
    for index, message in enumerate(messages):
        if message.role != "assistant" and index not in answered:
            shaped = _user(message)
            if shaped is not None:
                yield shaped


def _assistant(message: WindowMessage) -> ChatMessage | None:
    """A reply, or None when nothing of it can be sent."""
    stop = message.message.get("stopReason")
    mark = STOPPED.get(stop) if isinstance(stop, str) else None
    blocks = [block for raw in _raw_blocks(message.content) if (block := _block(raw))]
    if mark is not None:
        # What was being thought when the stream broke has no valid signature.
        blocks = [block for block in blocks if not isinstance(block, Thinking)]
    if not any(not isinstance(block, Thinking) for block in blocks):
        return None
    if mark is not None and any(isinstance(block, Text) for block in blocks):
        last = max(i for i, block in enumerate(blocks) if isinstance(block, Text))
        blocks.insert(last + 1, Text(mark))
    return ChatMessage("assistant", tuple(blocks), entry_ids=(message.entry_id,))


def _results(
    calls: list[ToolCall], messages: list[WindowMessage], answered: set[int]
) -> ChatMessage:
    """One message with the result of every call, in the order of the calls."""
    results: list[Block] = []
    images: list[Block] = []
    ids: list[str] = []
    for call in calls:
        index = next(
            (
                i
                for i, message in enumerate(messages)
                if message.tool_call_id == call.id and i not in answered
            ),
            None,
        )
        if index is None:
            results.append(ToolResult(call.id, call.name, INTERRUPTED, is_error=True))
            continue
        answered.add(index)
        found = messages[index]
        failed = found.message.get("isError") is True
        results.append(ToolResult(call.id, call.name, found.text, is_error=failed))
        images += [block for block in _people_blocks(found) if isinstance(block, Image)]
        ids.append(found.entry_id)
    return ChatMessage("user", (*results, *images), entry_ids=tuple(ids))


def _user(message: WindowMessage) -> ChatMessage | None:
    """Anything that is not the model's own words, as a user message."""
    blocks = _people_blocks(message)
    name = sender_name(message.data) if message.role == "user" else ""
    intro = _intro(message)
    if intro:
        words = "".join(block.text for block in blocks if isinstance(block, Text))
        pictures = [block for block in blocks if isinstance(block, Image)]
        blocks = [Text(f"{intro}\n\n{words}"), *pictures]
    if not blocks:
        return None
    return ChatMessage("user", tuple(blocks), name, (message.entry_id,))


def _intro(message: WindowMessage) -> str:
    match message.role:
        case "compactionSummary":
            return SUMMARY_INTRO
        case "branchSummary":
            return BRANCH_INTRO
        case "toolResult":
            return _LONE_RESULT.format(name=_one_line(message.message.get("toolName")) or "?")
    return ""


def _people_blocks(message: WindowMessage) -> list[Block]:
    """Text and pictures of a message that is not the model's."""
    if message.role == "bashExecution":
        return [Text(_ran(message.message))]
    blocks = (_block(raw) for raw in _raw_blocks(message.content))
    return [block for block in blocks if isinstance(block, Text | Image)]


def _ran(message: Mapping[str, Any]) -> str:
    """What the model reads of a command that the person ran in the shell."""
    lines = [f"I ran this command: {message.get('command') or ''}"]
    output = message.get("output")
    lines.append(f"Its output:\n{output}" if output else "It printed nothing.")
    code = message.get("exitCode")
    if message.get("cancelled") is True:
        lines.append("I stopped it before it ended.")
    elif isinstance(code, int) and code:
        lines.append(f"It ended with exit code {code}.")
    if message.get("truncated") is True:
        lines.append("The output is cut.")
    return "\n".join(lines)


def _raw_blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict)]


def _block(raw: Mapping[str, Any]) -> Block | None:
    """A block of a transcript; None for an empty, damaged or unknown one."""
    match raw.get("type"):
        case "text" if isinstance(raw.get("text"), str) and raw["text"]:
            return Text(raw["text"])
        case "image" if isinstance(raw.get("data"), str):
            return Image(raw["data"], str(raw.get("mimeType") or "image/png"))
        case "thinking" if isinstance(raw.get("thinking"), str):
            signature = raw.get("thinkingSignature")
            redacted = raw.get("redacted") is True
            return Thinking(
                raw["thinking"], signature if isinstance(signature, str) else "", redacted
            )
        case "toolCall" if isinstance(raw.get("id"), str) and isinstance(raw.get("name"), str):
            arguments = raw.get("arguments")
            return ToolCall(
                raw["id"], raw["name"], arguments if isinstance(arguments, dict) else {}
            )
    return None


def sender_name(entry: Mapping[str, Any]) -> str:
    """The name of the person who wrote an entry (`origin.sender.name`), on one line; "" when the
    entry does not say."""
    origin = entry.get("origin")
    sender = origin.get("sender") if isinstance(origin, dict) else None
    return _one_line(sender.get("name")) if isinstance(sender, dict) else ""


def _one_line(value: object) -> str:
    """A name that cannot pass for a message of its own: no line breaks, not long."""
    return " ".join(value.split())[:_NAME_LENGTH].strip() if isinstance(value, str) else ""


def window_json(window: Window) -> dict[str, Any]:
    """The shape of `sessions window --json` (SPEC §13)."""
    return {
        "leaf": window.leaf,
        "model": _model_json(window),
        "thinkingLevel": window.thinking_level,
        "tokens": window.tokens,
        "messages": [_message_json(message) for message in window.messages],
        "decisions": [
            {
                "entryId": decision.entry_id,
                "type": decision.type,
                "included": decision.included,
                "tokens": decision.tokens,
                "reason": decision.reason,
            }
            for decision in window.decisions
        ],
        "problems": [
            {"severity": problem.severity, "message": problem.message, "hint": problem.hint}
            for problem in window.problems
        ],
    }


def _model_json(window: Window) -> dict[str, str] | None:
    if window.model is None:
        return None
    return {"provider": window.model[0], "modelId": window.model[1]}


def _message_json(message: WindowMessage) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "role": message.role,
        "text": message.text,
        "entryId": message.entry_id,
    }
    if message.tool_calls:
        shown["toolCalls"] = [call.get("id") for call in message.tool_calls]
    if message.tool_call_id is not None:
        shown["toolCallId"] = message.tool_call_id
    return shown
