"""What there is to read in an entry: its words, and what stands beside them.

Used by search and by export, so that what can be found is what is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from engine.sessions.entries import content_text

__all__ = ["Piece", "Where", "pieces"]

Where = Literal[
    "text", "thinking", "call", "result", "summary", "label", "name", "command", "output", "image"
]
"""What a piece is. `call`: a tool call, its title the tool; `image`: only its description."""


class Piece(NamedTuple):
    """A stretch of an entry's text, untrusted and unchanged."""

    where: Where
    text: str
    title: str = ""


def pieces(data: Mapping[str, Any]) -> Iterator[Piece]:
    """The readable pieces of a decoded line, in order; none for what only notes something."""
    match data.get("type"):
        case "message":
            message = data.get("message")
            yield from _message(message if isinstance(message, dict) else {})
        case "compaction" | "branch_summary":
            yield from _some("summary", data.get("summary"))
        case "custom_message":
            yield from _blocks("text", data.get("content"))
        case "label":
            yield from _some("label", data.get("label"))
        case "session_info":
            yield from _some("name", data.get("name"))


def _some(where: Where, text: object, title: str = "") -> Iterator[Piece]:
    if isinstance(text, str) and text:
        yield Piece(where, text, title)


def _message(message: Mapping[str, Any]) -> Iterator[Piece]:
    match message.get("role"):
        case "toolResult":
            name = message.get("toolName")
            title = name if isinstance(name, str) else ""
            yield from _blocks("result", message.get("content"), title)
        case "bashExecution":
            yield from _some("command", message.get("command"))
            yield from _some("output", message.get("output"))
        case _:
            yield from _blocks("text", message.get("content"))


def _blocks(where: Where, content: object, title: str = "") -> Iterator[Piece]:
    """A content's pieces. Text that stands in several blocks is one piece, as it is one text."""
    yield from _some(where, content_text(content), title)
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        match block.get("type"):
            case "thinking":
                yield from _some("thinking", block.get("thinking"))
            case "toolCall":
                name = block.get("name")
                given = json.dumps(block.get("arguments"), ensure_ascii=False, default=str)
                yield Piece("call", given, name if isinstance(name, str) else "")
            case "image":
                kind = block.get("mimeType")
                yield Piece("image", kind if isinstance(kind, str) else "image")
