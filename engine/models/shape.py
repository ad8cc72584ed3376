"""A conversation made fit for the wire, the same way for every API.

What the APIs refuse, and what is done about it (WIRE §§1–2): consecutive messages of one role are
joined; the first and the last message are the user's; empty texts go; every tool call is answered
directly after it, in its order, one that was interrupted by "interrupted"; a result without its
call becomes plain text; ids and names of tools get the characters allowed, each id used once;
pictures and tools that the model cannot take become words.

Everything is a pure function of the request, so equal conversations give equal bytes and the
provider's cache holds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2s

from engine.models.jsontext import arguments_text
from engine.models.protocol import (
    Block,
    ChatMessage,
    Image,
    ModelInfo,
    ModelRequest,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from engine.text import safe_line
from engine.values import replace

__all__ = ["INTERRUPTED", "MISTRAL_ID", "TOOL_ID", "plain_text", "prepare", "tools_for"]

INTERRUPTED = "interrupted"
"""The answer that a tool call gets which never had one (SPEC §10)."""

BEFORE = "[The conversation began earlier.]"
GO_ON = "[Go on.]"
MISTRAL_ID = re.compile(r"[a-zA-Z0-9]{9}")
"""Mistral takes no other tool ids."""

TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_ID = re.compile(r"[^a-zA-Z0-9_-]")


def prepare(
    request: ModelRequest,
    info: ModelInfo,
    *,
    ids: re.Pattern[str] = TOOL_ID,
    keep: Callable[[Thinking], bool] = lambda thinking: False,
) -> tuple[ChatMessage, ...]:
    """The messages of a request as any API takes them: user, assistant, user, … user.

    Args:
        ids: what a tool id must match.
        keep: which reasoning goes back to the model.
    """
    messages: Iterable[ChatMessage] = _named(request.messages)
    if "image" not in info.input:
        messages = (_each(message, _without_image) for message in messages)
    if not tools_for(request, info):
        messages = (_each(message, _without_tool) for message in messages)
    filled = (_nonempty(message, keep) for message in messages)
    joined = _joined([message for message in filled if message.content])
    return tuple(_paired(_framed(joined), ids))


def tools_for(request: ModelRequest, info: ModelInfo) -> tuple[ToolSpec, ...]:
    """The tools that are offered, their names with allowed characters only."""
    if not info.tools:
        return ()
    return tuple(replace(tool, name=_name(tool.name)) for tool in request.tools)


def plain_text(blocks: Iterable[Block]) -> str:
    """The texts of a message as one string."""
    return "\n\n".join(block.text for block in blocks if isinstance(block, Text))


def _named(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    """With several people in the room, each message says whose it is."""
    people = {message.name for message in messages if message.role == "user" and message.name}
    for message in messages:
        if len(people) < 2 or message.role != "user" or not message.name:
            yield message
            continue
        who = safe_line(message.name, limit=80).replace("[", "(").replace("]", ")")
        yield replace(message, content=_signed(message.content, f"[{who}] "))


def _signed(content: tuple[Block, ...], prefix: str) -> tuple[Block, ...]:
    for index, block in enumerate(content):
        if isinstance(block, Text):
            return (*content[:index], Text(prefix + block.text), *content[index + 1 :])
    return content


def _each(message: ChatMessage, change: Callable[[Block], Block]) -> ChatMessage:
    return replace(message, content=tuple(change(block) for block in message.content))


def _without_image(block: Block) -> Block:
    if isinstance(block, Image):
        return Text(f"[a picture ({safe_line(block.mime_type)}) that this model cannot see]")
    return block


def _without_tool(block: Block) -> Block:
    if isinstance(block, ToolCall):
        return Text(f"[called {block.name} with {arguments_text(block.arguments)}]")
    return _as_text(block) if isinstance(block, ToolResult) else block


def _as_text(result: ToolResult) -> Text:
    return Text(f"[{result.name or 'a tool'} answered] {result.text}")


def _nonempty(message: ChatMessage, keep: Callable[[Thinking], bool]) -> ChatMessage:
    def worth(block: Block) -> bool:
        if isinstance(block, Thinking):
            return message.role == "assistant" and keep(block)
        return bool(block.text.strip()) if isinstance(block, Text) else True

    return replace(message, content=tuple(block for block in message.content if worth(block)))


def _joined(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    joined: list[ChatMessage] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            content = joined[-1].content + message.content
            ids = joined[-1].entry_ids + message.entry_ids
            joined[-1] = replace(joined[-1], content=content, entry_ids=ids)
        else:
            joined.append(message)
    return joined


def _framed(messages: list[ChatMessage]) -> list[ChatMessage]:
    """A user message first and last: prefilled answers and bare beginnings are refused."""
    if not messages or messages[0].role != "user":
        messages = [ChatMessage("user", (Text(BEFORE),)), *messages]
    if messages[-1].role != "user":
        unanswered = any(isinstance(block, ToolCall) for block in messages[-1].content)
        tail: tuple[Block, ...] = () if unanswered else (Text(GO_ON),)
        messages = [*messages, ChatMessage("user", tail)]
    return messages


def _paired(messages: list[ChatMessage], ids: re.Pattern[str]) -> Iterator[ChatMessage]:
    """Every call with its result in the message after it, under an id used once."""
    used: set[str] = set()
    open_calls: list[tuple[str, ToolCall]] = []
    for message in messages:
        if message.role == "user":
            yield replace(message, content=_answers(message.content, open_calls))
            open_calls = []
            continue
        content: list[Block] = []
        for block in message.content:
            if isinstance(block, ToolCall):
                fresh = replace(block, id=_fresh_id(block.id, used, ids), name=_name(block.name))
                open_calls.append((block.id, fresh))
                block = fresh
            if not isinstance(block, ToolResult):
                content.append(block)
        yield replace(message, content=tuple(content))


def _answers(
    content: tuple[Block, ...], calls: Sequence[tuple[str, ToolCall]]
) -> tuple[Block, ...]:
    """Results first, in the order of the calls; what nobody asked for as text."""
    given: dict[str, deque[ToolResult]] = {}
    rest: list[Block] = []
    wanted = [old for old, _ in calls]
    for block in content:
        if isinstance(block, ToolResult) and wanted.count(block.call_id) > len(
            given.get(block.call_id, ())
        ):
            given.setdefault(block.call_id, deque()).append(block)
        else:
            rest.append(_as_text(block) if isinstance(block, ToolResult) else block)
    results: list[Block] = []
    for old, call in calls:
        if given.get(old):
            results.append(replace(given[old].popleft(), call_id=call.id, name=call.name))
        else:
            results.append(ToolResult(call.id, call.name, INTERRUPTED, is_error=True))
    return (*results, *rest)


def _fresh_id(old: str, used: set[str], ids: re.Pattern[str]) -> str:
    """`old` where it is allowed and new, else one made from it, always the same."""
    fresh, turn = old, 0
    while fresh in used or not ids.fullmatch(fresh):
        digest = blake2s(f"{turn}:{old}".encode("utf-8", "replace"), digest_size=16).hexdigest()
        fresh = digest[:9] if ids is MISTRAL_ID else f"call_{digest[:16]}"
        turn += 1
    used.add(fresh)
    return fresh


def _name(name: str) -> str:
    return _NOT_ID.sub("_", name)[:64] or "tool"
