"""Search queries, and which of several sessions fit one.

The grammar and the ranking follow the reference (pi's session list): words, in names and
directories also matched loosely (their letters in order), `"phrases"`, or `re:` and a regular
expression. Each part of a query must fit one of the fields of a session: its id, name, directory
or everything said in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

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

_TURNED, _WHOLE = 5, 100
"""What it costs when letters and digits change places, and what it gains to be the whole text."""

_IN_TEXT, _SCATTERED = 1e6, 2e6
"""Where a fit outside the name begins, and one of scattered letters: no score comes near."""

_BREAKS = frozenset("-_./:")
_SWAPPED = re.compile(r"([a-z]+)([0-9]+)|([0-9]+)([a-z]+)")
_GAP = re.compile(r"\s+")


class Token(Struct, frozen=True):
    """A part of a query: `fuzzy` for a word, `phrase` for what stood in quotes."""

    kind: Literal["fuzzy", "phrase"]
    value: str


class Query(Struct, frozen=True):
    """A query, read. With an `error` it fits nothing."""

    mode: Literal["tokens", "regex"]
    tokens: tuple[Token, ...] = ()
    pattern: re.Pattern[str] | None = None
    error: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for, which fits everything."""
        return self.mode == "tokens" and not self.tokens


class SessionText(Struct, frozen=True):
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
    worse, the whole text best (reference: pi's fuzzy matching). `v2` is also looked for as `2v`.
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
    return None if score is None else score + _TURNED


def _in_order(wanted: str, text: str) -> float | None:
    """The best score of the earliest letters in order and of every place with all in a row."""
    if not wanted:
        return 0.0
    places: list[int] = []
    place = -1
    for char in wanted:
        place = text.find(char, place + 1)
        if place < 0:
            return None
        places.append(place)
    score = _score(text, places)
    place = text.find(wanted)
    while place >= 0:
        score = min(score, _score(text, range(place, place + len(wanted))))
        place = text.find(wanted, place + 1)
    return score - _WHOLE if wanted == text else score


def _score(text: str, places: Iterable[int]) -> float:
    score, last, run = 0.0, -1, 0
    for place in places:
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
    return score


def match_session(session: SessionText, query: Query) -> float | None:
    """How well a session fits; lower is better, None: not at all.

    What is found in the name counts more than what is found in the id, the text or the directory,
    and that more than letters in order, which are looked for in the name and the directory only
    (reference: pi 1.5.2).
    """
    if query.error is not None:
        return None
    if query.pattern is not None:
        return _by_pattern(session, query.pattern)
    total = 0.0
    for token in query.tokens:
        if token.kind == "phrase":
            found = _literal(_fold(token.value), session, _fold)
        else:
            found = _literal(token.value.lower(), session, str.lower)
            if found is None:
                found = _loose(token.value, session)
        if found is None:
            return None
        total += found
    return total


def _by_pattern(session: SessionText, pattern: re.Pattern[str]) -> float | None:
    if session.name and pattern.search(session.name):
        return 0.0
    rest = (session.id, session.text, session.cwd)
    return _IN_TEXT if any(pattern.search(field) for field in rest) else None


def _literal(wanted: str, session: SessionText, fold: Callable[[str], str]) -> float | None:
    """A word or phrase as it stands in one of the fields."""
    name = fold(session.name or "")
    if wanted in name:
        return fuzzy_score(wanted, name)
    rest = (session.id.lower(), fold(session.text), fold(session.cwd))
    return _IN_TEXT if any(wanted in field for field in rest) else None


def _loose(wanted: str, session: SessionText) -> float | None:
    scores = (fuzzy_score(wanted, field) for field in (session.name or "", session.cwd))
    best = min((score for score in scores if score is not None), default=None)
    return None if best is None else _SCATTERED + best


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
        sort: `recent` keeps the order; else, where something is asked for, the best comes first,
            of equals the newest.
        names: `named` leaves out sessions without a name.
    """
    kept = [one for one in sessions if names == "all" or (one.name or "").strip()]
    if not query.strip():
        return kept
    parsed = parse_query(query)
    scored = [(score, one) for one in kept if (score := match_session(one, parsed)) is not None]
    if sort != "recent":
        scored.sort(key=lambda pair: (pair[0], -pair[1].modified))
    return [one for _, one in scored]
