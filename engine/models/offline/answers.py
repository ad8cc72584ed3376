"""What the offline model replies: quotes from the window, in sentences of its own few words."""

from __future__ import annotations

import re

from engine.models.offline.talk import Statement, Talk
from engine.models.offline.words import content_words, cut, sentences
from engine.models.protocol import ToolResult

__all__ = ["NOTE", "PHRASES", "answer"]

NOTE = "(offline model: no language model is connected)"
"""Said once in a window, on the first reply."""

PHRASES = {
    "you": "You",
    "somebody": "Somebody unnamed",
    "last": "The last thing said before this, by {who}: {quote}",
    "first": "The first thing said in my window, by {who}: {quote}",
    "nothing_before": "Nothing was said before this in my window.",
    "count": "My window holds {messages} from {people}, this one included.",
    "message": "1 message",
    "messages": "{n} messages",
    "person": "1 person",
    "people": "{n} people",
    "summary_too": "It also holds a summary of what came before.",
    "said": "{who} said: {quote}",
    "summary": "The summary of what came before says: {quote}",
    "new": "This is the first I hear of it. {who} said: {quote}",
    "silence": "Nobody has said anything yet in my window.",
    "result": "{tool} says:\n{text}",
    "failed": "{tool} failed: {text}",
    "empty": "(nothing)",
}
"""Every word of the model's own; all others in a reply are quoted from the request."""

_QUOTE = 400
_RESULT = 4000
_LAST = re.compile(
    r"\b(last|previous|latest)\s+(message|thing|text|statement)\b"
    r"|\bwhat\s+(did|have)\s+\w+\s+(say|said|write|written)\s+(last|before)\b"
    r"|\bwhat\s+(did|have)\s+\w+\s+just\s+(say|said|write|written)\b"
    r"|\bwhat\s+was\s+(just\s+said|said\s+last|said\s+before)\b"
)
_FIRST = re.compile(
    r"\b(first|earliest|oldest)\s+(message|thing|text|statement)\b"
    r"|\bwhat\s+(did|have)\s+\w+\s+(say|said|write|written)\s+(at\s+)?first\b"
    r"|\bwhat\s+was\s+said\s+first\b"
    r"|\bwho\s+(spoke|wrote)\s+first\b"
)
_COUNT = re.compile(
    r"\bhow\s+(much|many)\b.*\b(know|messages?|window)\b"
    r"|\bhow\s+many\s+(people|persons)\b.*\b(here|talk|talking|conversation|said|written|spoke)\b"
    r"|\bwhat\s+do\s+you\s+know\W*$"
)
_ASKS = re.compile(
    r"^\W*(who|what|when|where|which|why|how|is|are|do|does|did|can|could)\b|[?？؟]\W*$"
)
_WANTS = re.compile(
    r"^\W*(please\b\W*)?(repeat|quote|show|give|tell)\b"
    r"|^\W*(the\s+)?(last|previous|first)\s+\w+\W*$"
)
_LONGEST_QUESTION = 2000


def answer(talk: Talk) -> str:
    """The reply to a request, without the note."""
    if talk.results:
        return "\n\n".join(_tell(result) for result in talk.results)
    if talk.question is None:
        return PHRASES["silence"]
    asked = " ".join(talk.question.text.casefold().split())[:_LONGEST_QUESTION]
    if asks(asked) or _WANTS.search(asked):
        if _COUNT.search(asked):
            return _count(talk)
        if _LAST.search(asked):
            return _quote_of("last", talk.said[-1:], talk)
        if _FIRST.search(asked):
            return _quote_of("first", talk.said[:1], talk)
    best = _closest(talk)
    if best is None:
        return _fill("new", talk.question, talk)
    return _fill("summary" if best.summary else "said", best, talk)


def asks(text: str) -> bool:
    """Whether a text only asks: each of its sentences is a question."""
    parts = sentences(text.casefold()[-_LONGEST_QUESTION:])
    return bool(parts) and all(_ASKS.search(part) for part in parts)


def _tell(result: ToolResult) -> str:
    text = cut(result.text, _RESULT) or PHRASES["empty"]
    return PHRASES["failed" if result.is_error else "result"].format(tool=result.name, text=text)


def _count(talk: Talk) -> str:
    said = [*talk.said, *([talk.question] if talk.question else [])]
    people = len({one.speaker for one in said})
    told = PHRASES["count"].format(
        messages=PHRASES["message" if len(said) == 1 else "messages"].format(n=len(said)),
        people=PHRASES["person" if people == 1 else "people"].format(n=people),
    )
    if any(one.summary for one in talk.statements):
        return f"{told} {PHRASES['summary_too']}"
    return told


def _quote_of(phrase: str, found: tuple[Statement, ...], talk: Talk) -> str:
    return _fill(phrase, found[0], talk) if found else PHRASES["nothing_before"]


def _fill(phrase: str, one: Statement, talk: Talk) -> str:
    quote = f"“{_excerpt(one.text, talk)}”"
    who = _who(one, talk)
    if phrase in ("last", "first"):
        who = who[:1].lower() + who[1:] if not one.speaker else who
    return PHRASES[phrase].format(who=who, quote=quote)


def _who(one: Statement, talk: Talk) -> str:
    """Who said it, seen by the person who asks. A window without any names is one person's."""
    if one.speaker:
        return one.speaker
    named = talk.question is not None and talk.question.speaker
    return PHRASES["somebody" if named else "you"]


def _excerpt(text: str, talk: Talk) -> str:
    """The text, or of a long one the sentence that is closest to the question."""
    if len(text) <= _QUOTE or talk.question is None or text == talk.question.text:
        return cut(text, _QUOTE)
    wanted = content_words(talk.question.text)
    parts = sentences(text)
    return cut(max(parts, key=lambda part: len(wanted & content_words(part))), _QUOTE)


def _closest(talk: Talk) -> Statement | None:
    """The earlier statement that shares most words with the question; of equals the newest.

    Earlier questions count only when no statement shares a word, and only if they add something.
    """
    if talk.question is None:
        return None
    wanted = content_words(talk.question.text)
    best: Statement | None = None
    best_score = (0, 0)
    for one in talk.statements:
        shared = len(wanted & one.words)
        question = not one.summary and asks(one.text)
        if not shared or (question and content_words(one.text) <= wanted):
            continue
        score = (0, shared) if question else (shared, 0)
        if score >= best_score:
            best, best_score = one, score
    return best
