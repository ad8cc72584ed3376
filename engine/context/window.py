"""The window: what the model sees of a session, with a decision for every entry (SPEC §7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Problem

__all__ = ["Decision", "Window", "WindowMessage"]


@dataclass(frozen=True, slots=True)
class WindowMessage:
    """One message the model gets.

    `role` as in transcripts: user, assistant, toolResult, custom, compactionSummary,
    branchSummary. `content` is the transcript's (a string or blocks).
    """

    role: str
    content: Any
    entry_id: str
    tokens: int
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Decision:
    """Why an entry is in the window or not. `tokens` is what it costs when in."""

    entry_id: str
    type: str
    included: bool
    tokens: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """What `build_window` returns. `tokens` counts the messages (not the system prompt)."""

    leaf: str | None
    messages: tuple[WindowMessage, ...]
    decisions: Sequence[Decision]
    tokens: int
    model: tuple[str, str] | None
    thinking_level: str
    problems: tuple[Problem, ...] = ()
