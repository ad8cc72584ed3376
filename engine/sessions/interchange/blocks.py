"""Messages in the shape of Anthropic's API (content blocks), as v3 entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.sessions.interchange.foreign import Line, text_of

__all__ = ["assistant_lines", "plain_text", "user_lines"]


def plain_text(content: object) -> str:
    """The words of a content: a string, or blocks with text."""
    if isinstance(content, str):
        return content
    found = []
    for block in content if isinstance(content, list) else ():
        if isinstance(block, str):
            found.append(block)
        elif isinstance(block, dict):
            found.append(text_of(block.get("text")) or _marker(block))
    return "\n".join(part for part in found if part)


def _marker(block: Mapping[str, Any]) -> str:
    """What stands for a block without text."""
    kind = text_of(block.get("type")) or "content"
    return "" if kind in ("text", "thinking") else f"[{kind}]"


def user_lines(content: object, names: Mapping[str, str]) -> tuple[Line, ...]:
    """A person's message: results of tools first, each an entry of its own, then the words.

    Args:
        content: a string or blocks.
        names: which tool each call id called.
    """
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    lines: list[Line] = []
    rest: list[dict[str, Any]] = []
    for block in blocks:
        if isinstance(block, dict) and block.get("type") == "tool_result":
            lines.append(result_line(block, names))
        else:
            rest += _spoken(block)
    if rest:
        lines.append({"type": "message", "message": {"role": "user", "content": rest}})
    return tuple(lines)


def result_line(block: Mapping[str, Any], names: Mapping[str, str], call: str = "") -> Line:
    """The entry of a tool's result."""
    call = call or text_of(block.get("tool_use_id"))
    return {
        "type": "message",
        "message": {
            "role": "toolResult",
            "toolCallId": call,
            "toolName": names.get(call) or text_of(block.get("name")) or "tool",
            "content": [{"type": "text", "text": plain_text(block.get("content"))}],
            "isError": block.get("is_error") is True,
        },
    }


def _spoken(block: object) -> Iterator[dict[str, Any]]:
    if isinstance(block, str):
        block = {"type": "text", "text": block}
    if not isinstance(block, dict):
        return
    source = block.get("source")
    if block.get("type") == "image" and isinstance(source, dict) and source.get("data"):
        kind = text_of(source.get("media_type")) or "image/png"
        yield {"type": "image", "data": text_of(source["data"]), "mimeType": kind}
        return
    text = text_of(block.get("text")) or _marker(block)
    if text:
        yield {"type": "text", "text": text}


def assistant_lines(
    content: object, head: Mapping[str, Any], names: dict[str, str], seed: str
) -> tuple[Line, ...]:
    """A model's message. Results within it end an entry, and what follows them begins another.

    Args:
        content: a string or blocks.
        head: `provider`, `model`, `usage`, `stopReason` … of the message.
        names: taken along: which tool each call id called.
        seed: for ids of calls that have none.
    """
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    lines: list[Line] = []
    said: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for block in blocks:
        if not isinstance(block, dict):
            continue
        if block.get("type") in ("tool_result", "web_search_tool_result"):
            lines += _message(said, head)
            said = []
            call = text_of(block.get("tool_use_id"))
            call = call if call in names else (open_calls.pop(0) if open_calls else call)
            lines.append(result_line(block, names, call))
        else:
            for part in _answered(block, f"{seed}-{len(names)}"):
                if part["type"] == "toolCall":
                    names[part["id"]] = part["name"]
                    open_calls.append(part["id"])
                said.append(part)
    return (*lines, *_message(said, head))


def _message(said: list[dict[str, Any]], head: Mapping[str, Any]) -> list[Line]:
    if not said:
        return []
    return [{"type": "message", "message": {"role": "assistant", "content": said, **head}}]


def _answered(block: Mapping[str, Any], seed: str) -> Iterator[dict[str, Any]]:
    match block.get("type"):
        case "thinking":
            part = {"type": "thinking", "thinking": text_of(block.get("thinking"))}
            if signature := text_of(block.get("signature")):
                part["thinkingSignature"] = signature
            yield part
        case "tool_use" | "server_tool_use":
            given = block.get("input")
            yield {
                "type": "toolCall",
                "id": text_of(block.get("id")) or f"call-{seed}",
                "name": text_of(block.get("name")) or "tool",
                "arguments": given if isinstance(given, dict) else {"input": given},
            }
        case "redacted_thinking":
            return
        case _:
            yield from _spoken(block)
