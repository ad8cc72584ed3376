"""What came of messages that were delivered in a scenario, and who saw whose words."""

from __future__ import annotations

from msgspec import Struct

from engine.errors import LeakRefused
from engine.models.protocol import ModelRequest, Text, ToolResult
from engine.scenario.values import Expectation, Message
from engine.turns.order import TurnResult

__all__ = ["Leak", "Said", "newest_of", "outcome_of", "text_of"]


class Said(Struct, frozen=True):
    """A message that was delivered, and what came of it. `requests`: the texts of the model
    requests that answered it and got through the door. `lost`: it could not be stored."""

    message: Message
    expect: Expectation
    outcome: str
    agent: str
    key: str
    matched_by: str
    reply: str
    requests: tuple[str, ...] = ()
    lost: bool = False


class Leak(Struct, frozen=True):
    """A user who was answered, or would have been, with another user's words in the request.

    Attributes:
        rule: the setting that shares them, or that nothing does (then it was `blocked`).
        words: what the author said, in order.
    """

    reader: str
    author: str
    session: str
    rule: str
    blocked: bool
    words: tuple[str, ...]


def outcome_of(result: TurnResult) -> str:
    """How a message fared, in the words of `expect.outcome`."""
    if result.duplicate:
        return "duplicate"
    if isinstance(result.error, LeakRefused):
        return "refused"
    if result.error is not None:
        return "error"
    if result.admission is not None:
        return "blocked" if result.admission.outcome == "refused" else result.admission.outcome
    return "command" if result.command else "answered"


def newest_of(request: ModelRequest) -> str | None:
    """The entry of the newest message of a person."""
    for message in reversed(request.messages):
        if message.role == "user" and message.entry_ids:
            return message.entry_ids[-1]
    return None


def text_of(request: ModelRequest) -> str:
    """All that a request shows the model."""
    parts = [request.system]
    for message in request.messages:
        parts += [block.text for block in message.content if isinstance(block, Text | ToolResult)]
    return "\n".join(parts)
