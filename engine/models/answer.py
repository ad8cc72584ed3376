"""An answer as it grows, for the APIs that send text, reasoning and tool calls side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.errors import ModelError
from engine.models.jsontext import Surrogates, parse_arguments
from engine.models.protocol import (
    Block,
    ModelRequest,
    StopReason,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

__all__ = ["Answer", "ThinkSplitter", "ToolParts", "counted", "silent_overflow", "tool_blocks"]

_OPEN, _CLOSE = "<think>", "</think>"
FULL = 0.99
"""Part of the window from which an empty answer that hit its limit means: nothing more fits."""


class ThinkSplitter:
    """Tells reasoning written as `<think>…</think>` from the answer after it.

    Only at the very start of an answer; further on the tag is something the model talks about.
    Tags may come in pieces.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """What these words add to the reasoning and to the answer."""
        thought = ""
        if self._state == "start":
            text = self._start(text)
        if self._state == "think":
            thought, text = self._think(text)
        if self._state == "gap":
            text = text.lstrip()
            self._state = "text" if text else "gap"
        return (thought, text) if self._state != "start" else ("", "")

    def finish(self) -> tuple[str, str]:
        """What was held back in case it became a tag."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "think" else ("", held)

    def _start(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        bare = text.lstrip()
        if bare.startswith(_OPEN):
            self._state = "think"
            return bare[len(_OPEN) :]
        if _OPEN.startswith(bare):
            self._held = text
            return ""
        self._state = "text"
        return text

    def _think(self, text: str) -> tuple[str, str]:
        text = self._held + text
        self._held = ""
        thought, close, rest = text.partition(_CLOSE)
        if close:
            self._state = "gap"
            return thought, rest
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        if keep:
            text, self._held = text[:-keep], text[-keep:]
        return text, ""


@dataclass
class ToolParts:
    """A tool call being received."""

    index: int
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    joiner: Surrogates = field(default_factory=Surrogates)
    told: bool = False

    @property
    def text(self) -> str:
        return "".join(self.arguments)

    def grow(self, piece: str) -> ToolCallDelta:
        """Add a piece of the arguments; id and name are told with the first one only."""
        piece = self.joiner.feed(piece)
        self.arguments.append(piece)
        head = ("", "") if self.told else (self.id, self.name)
        self.told = True
        return ToolCallDelta(self.index, *head, piece)


class Answer:
    """Collects what a stream brings and tells it as events.

    Args:
        inline: whether reasoning may stand in the text as `<think>…</think>`.
    """

    def __init__(self, *, inline: bool = True):
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._split = ThinkSplitter() if inline else None
        self._text_joiner = Surrogates()
        self._thinking_joiner = Surrogates()
        self.calls: list[ToolParts] = []

    @property
    def text(self) -> str:
        return "".join(self._text)

    def say(self, text: str) -> Iterator[StreamEvent]:
        """More of the answer's text, reasoning inside it told apart."""
        joined = self._text_joiner.feed(text)
        yield from self._add(*self._split.feed(joined) if self._split else ("", joined))

    def think(self, text: str) -> Iterator[StreamEvent]:
        """More of the reasoning."""
        yield from self._add(self._thinking_joiner.feed(text), "")

    def finish(self) -> list[StreamEvent]:
        """What was held back until now."""
        events = [
            *self.say(self._text_joiner.finish()),
            *self.think(self._thinking_joiner.finish()),
        ]
        if self._split:
            events += self._add(*self._split.finish())
        return events

    def content(self, *, cut: bool) -> tuple[Block, ...]:
        """The blocks: reasoning, text, tool calls.

        Args:
            cut: the answer hit its limit, so that a call without whole arguments is dropped.
        """
        blocks: list[Block] = []
        thought = "".join(self._thinking)
        if thought.strip():
            blocks.append(Thinking(thought))
        if self.text.strip():
            blocks.append(Text(self.text))
        return (*blocks, *tool_blocks(self.calls, cut=cut))

    def _add(self, thought: str, text: str) -> Iterator[StreamEvent]:
        if thought:
            self._thinking.append(thought)
            yield ThinkingDelta(thought)
        if text:
            self._text.append(text)
            yield TextDelta(text)


def tool_blocks(calls: list[ToolParts], *, cut: bool) -> Iterator[ToolCall]:
    """The calls with their arguments read; see `Answer.content` for `cut`."""
    for call in calls:
        arguments, good = parse_arguments(call.text)
        if not cut or (good and call.text.strip()):
            yield ToolCall(call.id, call.name, arguments)


def counted(
    *, prompt: int = 0, output: int = 0, cache_read: int = 0, cache_write: int = 0
) -> Usage | None:
    """Token counts, or None when all are zero: a server that does not count says 0."""
    usage = Usage(max(0, prompt), output, cache_read, cache_write)
    return usage if usage.total > 0 else None


def silent_overflow(
    request: ModelRequest, usage: Usage | None, stop: StopReason, content: tuple[Block, ...]
) -> ModelError | None:
    """An error for an answer that is empty because the input filled the window (WIRE §6)."""
    window = request.context_window
    if stop != "length" or content or usage is None or not window:
        return None
    if usage.output > 0 or usage.total < window * FULL:
        return None
    return ModelError(
        f"the conversation ({usage.total:,} tokens) fills the model's window ({window:,})",
        kind="overflow",
        remedy="Fold the conversation with /compact, or choose a model with a larger window",
    )
