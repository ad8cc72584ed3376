"""Where compaction cuts a path: what is folded, what stays, and which turn is cut in two.

The rules are the reference's (the session manager that OpenClaw 2026.4.15 embeds): from the
newest entry back until the tokens to keep are reached, then to the next place where a cut may
stand; settings just before the cut stay with it; a turn that is cut in two has its beginning
summarised apart. Ours: no cut separates a tool call from its result, whatever stands between.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["Cut", "Part", "cut_at", "cut_places", "find_cut"]

_NOTES = frozenset({"branch_summary", "custom_message"})
"""Types of entries that read as a person's message without being one."""

_BEGINNERS = frozenset({"user", "bashExecution", "custom", "branchSummary"})
"""Roles with which a turn begins."""


class Part(Struct, frozen=True):
    """An entry of a path as compaction sees it.

    Attributes:
        id: of the entry.
        type: of the entry.
        role: of its message; None for what gives none.
        tokens: what the message weighs; 0 for none.
        calls: ids of the tool calls it makes.
        answers: the call it answers.
    """

    id: str
    type: str
    role: str | None = None
    tokens: int = 0
    calls: tuple[str, ...] = ()
    answers: str | None = None

    @property
    def starts_turn(self) -> bool:
        return self.role in _BEGINNERS


class Cut(Struct, frozen=True):
    """Indexes into the path.

    Attributes:
        first: the first entry that stays.
        turn: where the turn begins that the cut goes through; None when it goes through none.
    """

    first: int
    turn: int | None = None

    @property
    def folded_to(self) -> int:
        """Where the whole turns end: what is between here and `first` is the cut turn's start."""
        return self.first if self.turn is None else self.turn


def cut_places(parts: Sequence[Part], start: int, end: int) -> list[int]:
    """Where a cut may stand between `start` and `end`: before any message but a tool's result,
    and not between a tool call and its result."""
    last_answer = {
        part.answers: index
        for index, part in enumerate(parts[start:end], start)
        if part.answers is not None
    }
    places: list[int] = []
    open_until = -1
    for index in range(start, end):
        part = parts[index]
        if part.role is not None and part.role != "toolResult" and index > open_until:
            places.append(index)
        for call in part.calls:
            open_until = max(open_until, last_answer.get(call, -1))
    return places


def find_cut(
    parts: Sequence[Part], start: int, end: int, keep_tokens: int, *, count_notes: bool = True
) -> Cut:
    """The cut that keeps about `keep_tokens` of the newest messages.

    Args:
        parts: a path, oldest first.
        start: the first entry that may be folded.
        end: behind the last entry.
        keep_tokens: how much stays, counted from the end; the entry that reaches it stays too,
            unless no cut may stand before it.
        count_notes: whether branch summaries and custom messages are messages like others, as in
            later versions of the reference (pi 1.5.2): they count, empty messages do not, and
            where only a tool's result reaches the tokens to keep, the cut is the last possible.
            OpenClaw 2026.4.15 passes over them.
    """
    places = cut_places(parts, start, end)
    if not places:
        return Cut(start)
    first, kept = places[0], 0
    for index in range(end - 1, start - 1, -1):
        part = parts[index]
        if part.role is None or (part.type in _NOTES and not count_notes):
            continue
        if count_notes and not part.tokens:
            continue
        kept += part.tokens
        if kept >= keep_tokens:
            last = places[-1] if count_notes else first
            first = next((place for place in places if place >= index), last)
            break
    return cut_at(parts, start, first, pass_notes=not count_notes)


def cut_at(parts: Sequence[Part], start: int, place: int, *, pass_notes: bool = False) -> Cut:
    """The cut before `place`, with settings just before it kept, and the turn it goes through.

    Args:
        pass_notes: keep branch summaries and custom messages just before it, too, as OpenClaw
            2026.4.15 does.
    """
    first = place
    while first > start and _passed(parts[first - 1], pass_notes=pass_notes):
        first -= 1
    if parts[first].starts_turn and not (pass_notes and parts[first].role == "bashExecution"):
        return Cut(first)
    turn = next((index for index in range(first, start - 1, -1) if parts[index].starts_turn), None)
    return Cut(first, turn)


def _passed(part: Part, *, pass_notes: bool) -> bool:
    """Whether what stands just before a cut stays with what comes after it."""
    if part.type == "compaction":
        return False
    return part.role is None or (pass_notes and part.type in _NOTES)
