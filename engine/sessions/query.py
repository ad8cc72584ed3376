"""Search queries, and which of several sessions fit one.

The grammar and the ranking follow the reference (pi's session list): words that are matched
loosely (their letters in order), `"phrases"`, or `re:` and a regular expression. Each part of a
query must fit one of the fields of a session: its id, name, directory or everything said in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "NameFilter",
    "Query",
    "SessionText",
    "Sort",
    "Token",
    "filter_sessions",
    "fuzzy_score",
    "match_session",
    "parse_query",
]

Sort = Literal["threaded", "recent", "relevance"]
NameFilter = Literal["all", "named"]

_NEAR = 0.1
"""What one character further back in a field costs; lower scores are better."""

_BREAKS = frozenset("-_./:")
_SWAPPED = re.compile(r"([a-z]+)([0-9]+)|([0-9]+)([a-z]+)")
_GAP = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a query: `fuzzy` for a word, `phrase` for what stood in quotes."""

    kind: Literal["fuzzy", "phrase"]
    value: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query, read. With an `error` it fits nothing."""

    mode: Literal["tokens", "regex"]
    tokens: tuple[Token, ...] = ()
    pattern: re.Pattern[str] | None = None
    error: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for, which fits everything."""
        return self.mode == "tokens" and not self.tokens


@dataclass(frozen=True, slots=True)
class SessionText:
    """A session as a list of sessions searches it. `modified` in ms since 1970."""

    id: str
    name: str | None = None
    cwd: str = ""
    text: str = ""
    modified: int = 0


def parse_query(text: str) -> Query:
    """Read a query; never fails, a pattern that cannot be used is its `error`."""
    text = text.strip()
    if text.startswith("re:"):
        return _pattern_query(text[3:].strip())
    if text.count('"') % 2:
        # An unclosed quote is a character like others.
        return Query("tokens", tuple(Token("fuzzy", word) for word in text.split()))
    tokens: list[Token] = []
    for index, part in enumerate(text.split('"')):
        if index % 2 == 0:
            tokens += [Token("fuzzy", word) for word in part.split()]
        elif part.strip():
            tokens.append(Token("phrase", part.strip()))
    return Query("tokens", tuple(tokens))


def _pattern_query(source: str) -> Query:
    if not source:
        return Query("regex", error="the pattern is empty")
    problem = _too_slow(source)
    if problem is not None:
        return Query("regex", error=problem)
    try:
        return Query("regex", pattern=re.compile(_translate(source), re.IGNORECASE))
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        return Query("regex", error=f"the pattern cannot be used: {error}")


def _too_slow(source: str) -> str | None:
    """Why a pattern is refused: one that repeats what repeats can run for ever on short texts."""
    inside: list[bool] = []
    plain = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", source, flags=re.DOTALL)
    for place, char in enumerate(plain):
        if char == "(":
            inside.append(False)
        elif char == ")":
            repeats = inside.pop() if inside else False
            again = _endless(plain, place + 1)
            if repeats and again:
                return (
                    "a group that repeats must hold no repetition or choice: it could run for ever"
                )
            if inside:
                inside[-1] = inside[-1] or repeats or again
        elif inside and (char == "|" or _endless(plain, place)):
            inside[-1] = True
    return None


def _endless(source: str, place: int) -> bool:
    """Whether a quantifier without a small limit stands there."""
    return re.match(r"[*+]|\{\d*,\d*\}|\{\d{2,}\}", source[place : place + 24]) is not None


_CLASSES = frozenset("bBdDsSwWnrtfv")


def _translate(source: str) -> str:
    """A JavaScript pattern, which is what the reference reads, in Python's spelling."""
    out: list[str] = []
    place, in_set = 0, False
    while place < len(source):
        char = source[place]
        if char == "\\" and place + 1 < len(source):
            taken, length = _escape(source[place:])
            out.append(taken)
            place += length
            continue
        if in_set:
            in_set = char != "]"
            out.append(f"\\{char}" if char in "[&~|" else char)
        elif char == "[":
            in_set = True
            out.append(char)
        elif char == "$":
            out.append(r"\Z")
        elif source.startswith("(?<", place) and source[place + 3 : place + 4] not in ("=", "!"):
            out.append("(?P<")
            place += 2
        elif char in "*+?}" and source[place + 1 : place + 2] == "+":
            raise ValueError("nothing to repeat")
        else:
            out.append(char)
        place += 1
    return "".join(out)


def _escape(rest: str) -> tuple[str, int]:
    """An escape at the beginning of `rest` in Python's spelling, and its length there."""
    name = re.match(r"\\k<(\w+)>", rest)
    if name:
        return f"(?P={name[1]})", name.end()
    code = re.match(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})", rest)
    if code:
        return code[0], code.end()
    char = rest[1]
    if char.isascii() and char.isalpha() and char not in _CLASSES:
        return char, 2
    return rest[:2], 2


def fuzzy_score(wanted: str, text: str) -> float | None:
    """How well the letters of `wanted` are found in order in `text`; lower is better, None: not.

    Letters that follow each other and beginnings of words are better, gaps and later places
    worse (reference: pi's fuzzy matching). `v2` is also looked for as `2v`.
    """
    wanted, text = wanted.lower(), text.lower()
    score = _in_order(wanted, text)
    if score is not None:
        return score
    parts = _SWAPPED.fullmatch(wanted)
    if parts is None:
        return None
    first, second = (parts[1], parts[2]) if parts[1] else (parts[3], parts[4])
    score = _in_order(second + first, text)
    return None if score is None else score + 5


def _in_order(wanted: str, text: str) -> float | None:
    score, last, run = 0.0, -1, 0
    for char in wanted:
        place = text.find(char, last + 1)
        if place < 0:
            return None
        if place == last + 1:
            run += 1
            score -= 5 * run
        else:
            run = 0
            score += 2 * (place - last - 1) if last >= 0 else 0
        if place == 0 or text[place - 1] in _BREAKS or text[place - 1].isspace():
            score -= 10
        score += place * _NEAR
        last = place
    return score + (len(text) - len(wanted)) * 0.5 if wanted else 0.0


def match_session(session: SessionText, query: Query) -> float | None:
    """How well a session fits; lower is better, None: not at all."""
    if query.error is not None:
        return None
    fields = (session.id, session.name or "", session.text, session.cwd)
    if query.pattern is not None:
        return _best([_at(query.pattern.search(field)) for field in fields])
    total = 0.0
    folded: tuple[str, ...] = ()
    for token in query.tokens:
        if token.kind == "phrase":
            folded = folded or tuple(_fold(field) for field in fields)
            words = _fold(token.value)
            found = _best([_place(field.find(words)) for field in folded])
        else:
            found = _best([fuzzy_score(token.value, field) for field in fields])
        if found is None:
            return None
        total += found
    return total


def _best(scores: Iterable[float | None]) -> float | None:
    return min((score for score in scores if score is not None), default=None)


def _at(found: re.Match[str] | None) -> float | None:
    return found.start() * _NEAR if found else None


def _place(place: int) -> float | None:
    return place * _NEAR if place >= 0 else None


def _fold(text: str) -> str:
    return _GAP.sub(" ", text.lower()).strip()


def filter_sessions(
    sessions: Sequence[SessionText],
    query: str,
    *,
    sort: Sort = "recent",
    names: NameFilter = "all",
) -> list[SessionText]:
    """The sessions that fit a query.

    Args:
        sessions: in the order in which they are listed.
        query: see the module.
        sort: `relevance` puts the best first (of equals the newest); else the order stays.
        names: `named` leaves out sessions without a name.
    """
    kept = [one for one in sessions if names == "all" or (one.name or "").strip()]
    parsed = parse_query(query)
    if parsed.empty:
        return kept
    scored = [(score, one) for one in kept if (score := match_session(one, parsed)) is not None]
    if sort == "relevance":
        scored.sort(key=lambda pair: (pair[0], -pair[1].modified))
    return [one for _, one in scored]
