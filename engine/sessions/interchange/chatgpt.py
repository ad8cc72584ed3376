"""ChatGPT's data export: `conversations.json`, a list of conversations.

Each has a `mapping` from node id to `{message, parent, children}` and a `current_node`. Edited
questions and regenerated answers are siblings there, and so they are here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.sessions.interchange.foreign import Conversation, Line, Said, moment_of, text_of

__all__ = ["is_chatgpt", "read_chatgpt"]

_KEPT = ("status", "end_turn", "weight", "recipient", "channel", "update_time", "metadata")


def is_chatgpt(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("mapping"), dict)


def read_chatgpt(data: Mapping[str, Any]) -> Conversation:
    """One conversation of the export."""
    name = text_of(data.get("conversation_id")) or text_of(data.get("id"))
    made = Conversation("chatgpt", name, text_of(data.get("title")))
    made.created = moment_of(data.get("create_time")) or 0
    made.leaf = text_of(data.get("current_node")) or None
    model = text_of(data.get("default_model_slug"))
    mapping = data["mapping"]
    calls: dict[str, tuple[str, str]] = {}
    for node_id, node in mapping.items():
        if isinstance(node, dict):
            parent = text_of(node.get("parent")) or None
            made.said.append(_said(str(node_id), parent, node.get("message"), model, calls))
    _answer(made, calls)
    images = sum(_images(node) for node in mapping.values())
    if images:
        made.odd.append(f"{images:,} images and files are not in the export's texts")
    if not name:
        made.odd.append("the conversation has no id")
    return made


def _said(
    node_id: str,
    parent: str | None,
    message: object,
    model: str,
    calls: dict[str, tuple[str, str]],
) -> Said:
    if not isinstance(message, dict):
        return Said(node_id, parent)
    author = message.get("author")
    author = author if isinstance(author, dict) else {}
    text, thought = _words(message.get("content"))
    details = message.get("metadata")
    details = details if isinstance(details, dict) else {}
    lines: tuple[Line, ...] = ()
    match author.get("role"):
        case "user" if text:
            content = [{"type": "text", "text": text}]
            lines = ({"type": "message", "message": {"role": "user", "content": content}},)
        case "assistant" if text or thought:
            used = text_of(details.get("model_slug")) or model
            called = text_of(message.get("recipient"))
            if called not in ("", "all"):
                calls[node_id] = (f"call-{node_id}", called)
            lines = (_reply(text, thought, used, calls.get(node_id)),)
        case "tool" | "system" if text:
            lines = (_note(text_of(author.get("name")) or str(author["role"]), text),)
    fields = {name: message[name] for name in _KEPT if message.get(name) not in (None, {}, "")}
    return Said(node_id, parent, lines, moment_of(message.get("create_time")), fields)


def _reply(text: str, thought: str, model: str, call: tuple[str, str] | None) -> Line:
    content: list[dict[str, Any]] = []
    if thought:
        content.append({"type": "thinking", "thinking": thought})
    if call is not None:
        given = {"input": text}
        content.append({"type": "toolCall", "id": call[0], "name": call[1], "arguments": given})
    elif text:
        content.append({"type": "text", "text": text})
    reason = "stop" if call is None else "toolUse"
    head = {"role": "assistant", "provider": "openai", "model": model, "stopReason": reason}
    return {"type": "message", "message": {**head, "content": content}}


def _note(name: str, text: str) -> Line:
    """What a tool or the system said, where no call asks for it."""
    kind = f"chatgpt.{name}"
    return {"type": "custom_message", "customType": kind, "content": text, "display": True}


def _answer(made: Conversation, calls: Mapping[str, tuple[str, str]]) -> None:
    """Make what a tool said directly after its call the call's result."""
    answered: set[str] = set()
    for place, one in enumerate(made.said):
        call = calls.get(one.parent or "")
        if call is None or not one.lines or one.lines[0]["type"] != "custom_message":
            continue
        if one.parent in answered:
            continue
        answered.add(one.parent or "")
        body = {
            "role": "toolResult",
            "toolCallId": call[0],
            "toolName": call[1],
            "content": [{"type": "text", "text": one.lines[0]["content"]}],
            "isError": False,
        }
        line: Line = {"type": "message", "message": body}
        made.said[place] = Said(one.id, one.parent, (line,), one.time, one.fields)


def _words(content: object) -> tuple[str, str]:
    """The words and the thoughts of a content of any `content_type`."""
    if not isinstance(content, dict):
        return text_of(content), ""
    if content.get("content_type") == "thoughts":
        thoughts = content.get("thoughts")
        listed = thoughts if isinstance(thoughts, list) else []
        found = [
            "\n".join(filter(None, (text_of(one.get("summary")), text_of(one.get("content")))))
            for one in listed
            if isinstance(one, dict)
        ]
        return "", "\n\n".join(found)
    if content.get("content_type") == "reasoning_recap":
        return "", text_of(content.get("content"))
    parts = content.get("parts")
    if isinstance(parts, list):
        return "\n".join(filter(None, map(_part, parts))), ""
    for name in ("text", "result", "content", "user_instructions", "user_profile"):
        if text := text_of(content.get(name)):
            return text, ""
    return "", ""


def _part(part: object) -> str:
    if not isinstance(part, dict):
        return text_of(part)
    if text := text_of(part.get("text")):
        return text
    if pointer := text_of(part.get("asset_pointer")):
        return f"[{text_of(part.get('content_type')) or 'file'}: {pointer}]"
    return json.dumps(part, ensure_ascii=False)[:2000]


def _images(node: object) -> int:
    message = node.get("message") if isinstance(node, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    parts = content.get("parts") if isinstance(content, dict) else None
    listed = parts if isinstance(parts, list) else []
    return sum(isinstance(part, dict) and "asset_pointer" in part for part in listed)
