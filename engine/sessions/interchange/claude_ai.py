"""Claude's data export: `conversations.json`, a list of conversations with `chat_messages`.

Messages name their parent in `parent_message_uuid`; exports that leave it out are a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.sessions.interchange.blocks import assistant_lines
from engine.sessions.interchange.foreign import Conversation, Line, Said, moment_of, text_of

__all__ = ["is_claude_ai", "read_claude_ai"]

_ROOT = "00000000-0000-4000-8000-000000000000"
"""What the first message names as its parent."""

_KEPT = ("updated_at", "index", "truncated", "input_mode", "stop_reason")


def is_claude_ai(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("chat_messages"), list)


def read_claude_ai(data: Mapping[str, Any]) -> Conversation:
    """One conversation of the export."""
    made = Conversation("claude", text_of(data.get("uuid")), text_of(data.get("name")))
    made.created = moment_of(data.get("created_at")) or 0
    made.leaf = text_of(data.get("current_leaf_message_uuid")) or None
    if summary := text_of(data.get("summary")):
        made.about["summary"] = summary
    messages = [one for one in data["chat_messages"] if isinstance(one, dict)]
    linked = any("parent_message_uuid" in one for one in messages)
    names: dict[str, str] = {}
    previous: str | None = None
    files = 0
    for number, message in enumerate(messages):
        name = text_of(message.get("uuid")) or f"message-{number}"
        parent = text_of(message.get("parent_message_uuid")) if linked else previous
        lines = _lines(message, text_of(data.get("model")), names, name[:8])
        made.said.append(
            Said(
                name,
                parent if parent and parent != _ROOT else None,
                lines,
                moment_of(message.get("created_at")),
                {key: message[key] for key in _KEPT if message.get(key) not in (None, False, "")},
            )
        )
        files += _without_text(message)
        previous = name
    if files:
        made.odd.append(f"{files:,} files are named in the export but not in it")
    return made


def _lines(
    message: Mapping[str, Any], model: str, names: dict[str, str], seed: str
) -> tuple[Line, ...]:
    blocks = message.get("content")
    if not isinstance(blocks, list) or not blocks:
        blocks = [{"type": "text", "text": text_of(message.get("text"))}]
    if message.get("sender") == "assistant":
        head = {"provider": "anthropic", "model": model, "stopReason": "stop"}
        return assistant_lines(blocks, head, names, seed)
    words = [text_of(block.get("text")) for block in blocks if isinstance(block, dict)]
    words = [word for word in words if word] or [text_of(message.get("text"))]
    words += _attached(message)
    content = [{"type": "text", "text": word} for word in words if word]
    if not content:
        return ()
    return ({"type": "message", "message": {"role": "user", "content": content}},)


def _listed(message: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = message.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _attached(message: Mapping[str, Any]) -> list[str]:
    """Attachments as text, each under its name."""
    texts = []
    for one in _listed(message, "attachments"):
        name = text_of(one.get("file_name")) or "attachment"
        texts.append(f"\n\n[{name}]\n{text_of(one.get('extracted_content'))}")
    texts += [
        f"\n\n[file: {text_of(one.get('file_name')) or 'unnamed'}]"
        for one in _listed(message, "files")
    ]
    return texts


def _without_text(message: Mapping[str, Any]) -> int:
    empty = [one for one in _listed(message, "attachments") if not one.get("extracted_content")]
    return len(_listed(message, "files")) + len(empty)
