"""A request as the offline model reads it: who said what, and what the tools answered."""

from __future__ import annotations

from msgspec import Struct

from engine.context.shape import BRANCH_INTRO, EARLIER, SUMMARY_INTRO
from engine.context.summary import SUMMARISE
from engine.models.offline.words import content_words, sentences
from engine.models.protocol import ChatMessage, ModelRequest, Text, ToolCall, ToolResult

__all__ = ["Statement", "Talk", "read_talk"]

_INTROS = (SUMMARY_INTRO, BRANCH_INTRO)


class Statement(Struct, frozen=True):
    """Something in the window. `speaker` is a name, "" for a person unnamed; `summary` marks a
    line of a summary, which nobody said in these words."""

    text: str
    speaker: str = ""
    summary: bool = False

    @property
    def words(self) -> frozenset[str]:
        return content_words(f"{self.speaker} {self.text}")


class Talk(Struct, frozen=True):
    """The request, read.

    Attributes:
        statements: what people said, and lines of summaries, oldest first, the question not
            among them.
        question: the newest thing a person said; None when there is none.
        results: tool results that came after it, still to be told.
        replies: what models answered before.
        calls: how many tool calls the window holds.
    """

    statements: tuple[Statement, ...]
    question: Statement | None
    results: tuple[ToolResult, ...]
    replies: tuple[str, ...]
    calls: int

    @property
    def said(self) -> tuple[Statement, ...]:
        """What people said before the question."""
        return tuple(found for found in self.statements if not found.summary)


def read_talk(request: ModelRequest) -> Talk:
    """Read the messages of a request, and nothing else of it."""
    statements: list[Statement] = []
    replies: list[str] = []
    results: list[ToolResult] = []
    calls = 0
    for message in request.messages:
        text = "\n".join(block.text for block in message.content if isinstance(block, Text))
        calls += sum(isinstance(block, ToolCall) for block in message.content)
        found = [block for block in message.content if isinstance(block, ToolResult)]
        if message.role == "assistant":
            replies.append(text)
            results = []
        elif found:
            results += found
        elif text and text != EARLIER and not text.startswith(SUMMARISE):
            spoken = _statements(message, text)
            results = [] if any(not one.summary for one in spoken) else results
            statements += spoken
    question = next((one for one in reversed(statements) if not one.summary), None)
    earlier = [one for one in statements if one is not question]
    return Talk(tuple(earlier), question, tuple(results), tuple(replies), calls)


def _statements(message: ChatMessage, text: str) -> list[Statement]:
    for intro in _INTROS:
        if text.startswith(intro):
            return [Statement(line, summary=True) for line in sentences(text[len(intro) :])]
    prefix = f"{message.name}: "
    if message.name and text.startswith(prefix):
        text = text[len(prefix) :]
    return [Statement(text.strip(), message.name)] if text.strip() else []
