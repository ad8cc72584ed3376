"""Extractive summaries: the sentences that carry names, numbers and open questions."""

from __future__ import annotations

import re

from engine.context.tokens import estimate_text
from engine.models.offline.answers import NOTE, asks
from engine.models.offline.talk import Talk
from engine.models.offline.words import content_words, cut, sentences

__all__ = ["summarise"]

SUMMARY_TOKENS = 1024
"""Most tokens of a summary when the request says nothing."""

_NUMBER = re.compile(r"\d")
_PLACE = re.compile(r"[\w.~-]*/[\w./~-]+|\b\w+\.\w{1,5}\b|[\w.+-]+@[\w.-]+")
_NAME = re.compile(r"(?<=[^.!?\s]\s)[A-Z][\w'’-]+|\b[A-Z]{2,}\b")
_KEEP = re.compile(r"\b(remember|important|must|never|always|decided|agreed|promised|password)\b")
_LONGEST = 600


def _worth(line: str, position: float) -> float:
    """How much of a line must not be lost; of equals the later one wins."""
    body = line.partition(": ")[2] or line
    return (
        3.0 * bool(_NUMBER.search(body))
        + 2.0 * bool(_PLACE.search(body))
        + 2.0 * bool(_NAME.search(body))
        + 2.0 * asks(body)
        + 2.0 * bool(_KEEP.search(body.casefold()))
        + min(len(content_words(body)), 10) / 10
        + position
    )


def _lines(talk: Talk) -> list[str]:
    """Every sentence a person said and every line of earlier summaries, each once."""
    said = [*talk.statements, *([talk.question] if talk.question else [])]
    lines: dict[str, None] = {}
    for one in said:
        for part in sentences(one.text):
            part = cut(part.removeprefix("- "), _LONGEST)
            if part and part != NOTE:
                lines[f"{one.speaker}: {part}" if one.speaker else part] = None
    return list(lines)


def summarise(talk: Talk, max_tokens: int | None) -> str:
    """A summary in the words of the request: whole if it fits, else its weightiest lines, in the
    order in which they were said.

    Args:
        max_tokens: most tokens by the common estimator; None for SUMMARY_TOKENS.
    """
    room = max_tokens if max_tokens is not None else SUMMARY_TOKENS
    lines = [f"- {line}" for line in _lines(talk)]
    ranked = sorted(
        range(len(lines)), key=lambda i: (_worth(lines[i][2:], i / len(lines)), i), reverse=True
    )
    chosen: list[int] = []
    for index in ranked:
        cost = estimate_text(lines[index]) + 1
        if cost <= room:
            chosen.append(index)
            room -= cost
    return "\n".join(lines[index] for index in sorted(chosen))
