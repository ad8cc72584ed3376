"""The loss report: what stood in the folded part of a conversation and not in its summary.

Found by patterns, without a model: names, numbers, ids, paths and addresses, questions. It errs
towards naming too much; a person reads it beside the summary and decides (SPEC §8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from engine.context.shape import sender_name
from engine.context.window import WindowMessage

__all__ = ["Loss", "facts_in", "loss"]

MOST = 200
"""Most findings listed of each sort."""

_SCANNED = 500_000
"""Characters looked at in all; what is beyond is said to be unread."""

_PATH = re.compile(
    r"(?:https?://|(?<!\w)~?/|\.{1,2}/)[\w.~%+@:/?&=#-]*[\w/]"
    r"|\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"
    r"|\b[\w-]{1,64}(?:/[\w-]{1,64})*/[\w-]{0,64}[.\d][\w.-]{0,64}(?<!\.)|\b[\w-]{2,64}\.[A-Za-z]{1,4}\b"
)
_ID = re.compile(
    r"#\d+\b|\b[A-Z]{1,10}-\d+\b|\b(?=[\w-]{0,40}\d)(?=[\w-]{0,40}[A-Za-z])[A-Za-z0-9][\w-]{2,80}\b"
)
_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_NAME = re.compile(r"(?<=[^.!?:\n] )[A-Z][^\W\d_]{1,40}(?:[’'-][^\W\d_]{1,40}){0,3}")
_BULLET = re.compile(r"(?m)^[ \t>]*(?:[-*+•–]|\d{1,3}[.)])[ \t]+")
"""What a line of a list begins with; the word after it is not capital because it is a name."""
_CAPS = re.compile(r"\b[A-Z]{2,}\b")
_SENTENCE = re.compile(r"[^.!?。！？؟\n]+[.!?。！？؟]*")
_WORD = re.compile(r"\w{3,}")
_QUESTION = ("?", "？", "؟")
_LONGEST = 240
_SMALL = frozenset({"OK", "The", "This", "That", "And", "But", "You", "We", "They", "It", "If"})


class Loss(Struct, frozen=True):
    """What a summary lacks, each in the order of its first appearance. Texts are untrusted.

    Attributes:
        questions: asked and not found again; whether they were answered a person must judge.
        unread: characters that were not looked at, there being too many.
    """

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    unread: int = 0

    @property
    def count(self) -> int:
        found = (self.names, self.numbers, self.ids, self.paths, self.questions)
        return sum(len(sort) for sort in found)


def facts_in(text: str) -> Loss:
    """Everything in a text that a summary of it should keep."""
    paths = _found(_PATH, text)
    rest = _PATH.sub(" ", text)
    ids = _found(_ID, rest)
    rest = _ID.sub(" ", rest)
    numbers = _found(_NUMBER, rest)
    rest = _BULLET.sub("", rest)
    names = [*_found(_NAME, rest), *_found(_CAPS, rest)]
    return Loss(
        tuple(dict.fromkeys(name for name in names if name not in _SMALL)),
        tuple(numbers),
        tuple(ids),
        tuple(paths),
        tuple(dict.fromkeys(_questions(text))),
    )


def loss(folded: Sequence[WindowMessage], summary: str) -> Loss:
    """What of the folded messages is not in the summary.

    Args:
        folded: everything the summary stands for, an earlier summary too.
        summary: as it will be stored.
    """
    text, unread = _text(folded)
    facts = facts_in(text)
    speakers = [name for one in folded if one.role == "user" and (name := sender_name(one.data))]
    names = dict.fromkeys([*speakers, *facts.names])
    low = summary.casefold()
    words = frozenset(_WORD.findall(low))
    digits = frozenset(map(_plain, _NUMBER.findall(summary)))
    return Loss(
        _lacking(names, lambda name: name.casefold() in low),
        _lacking(facts.numbers, lambda number: _plain(number) in digits),
        _lacking(facts.ids, lambda name: name.casefold() in low),
        _lacking(facts.paths, lambda path: path.casefold() in low),
        _lacking(facts.questions, lambda question: _asked(question, words)),
        unread,
    )


def _text(messages: Sequence[WindowMessage]) -> tuple[str, int]:
    pieces, room, unread = [], _SCANNED, 0
    for message in messages:
        piece = message.text
        pieces.append(piece[:room])
        unread += max(0, len(piece) - room)
        room = max(0, room - len(piece))
    return "\n".join(pieces), unread


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return list(dict.fromkeys(match.group() for match in pattern.finditer(text)))


def _questions(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text):
        sentence = match.group().strip()
        if sentence.endswith(_QUESTION) and _WORD.search(sentence):
            yield sentence[-_LONGEST:]


def _lacking(found: Iterable[str], kept: Callable[[str], bool]) -> tuple[str, ...]:
    lacking = []
    for one in found:
        if not kept(one):
            lacking.append(one)
            if len(lacking) == MOST:
                break
    return tuple(lacking)


def _plain(number: str) -> str:
    """A number without what separates its thousands: 1,200 is 1200."""
    return re.sub(r"[,'’](?=\d{3}(?!\d))", "", number)


def _asked(question: str, words: frozenset[str]) -> bool:
    """Whether the summary speaks of a question: it has most of its words."""
    own = set(_WORD.findall(question.casefold()))
    return len(own & words) * 3 >= len(own) * 2
