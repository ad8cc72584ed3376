"""Patterns over chat text, matched in time linear in the text whatever the pattern.

The common part of regular expressions: characters, `.`, `[…]`, `\\d \\w \\s` and their opposites,
`\\b \\B ^ $`, groups, `|`, `* + ? {m,n}` (lazy or not, which does not matter to whether something
matches). Case never matters. What cannot be matched in one pass (look-around, back-references)
is refused with a reason. The text is walked once with the set of places in the pattern that are
still possible (Thompson 1968), so no pattern runs away on any text; a pattern's size is bounded.
"""

from __future__ import annotations

import unicodedata
from typing import TypeVar

from engine.routing.patterncode import MAX_PATTERN, MAX_PROGRAM, PatternError, compile_pattern
from engine.routing.patterncode import is_word as _is_word

__all__ = ["MAX_PATTERN", "MAX_PROGRAM", "MAX_TEXT", "PatternError", "WordPattern", "clean"]

MAX_TEXT = 16_384
"""Characters of a text that are looked at."""

_REMEMBERED = 2000
"""Steps from one set of places to the next that are kept for reuse."""

Key = TypeVar("Key")
Held = TypeVar("Held")


def _seen(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def clean(text: str) -> str:
    """Text as patterns see it: lower case, without characters that are not seen."""
    return _seen(text[:MAX_TEXT]).lower()


def _unspaced(char: str) -> bool:
    """Letters of scripts that put no space between words; a word may begin beside any."""
    return unicodedata.category(char) == "Lo" and unicodedata.east_asian_width(char) in "WF"


Places = tuple[int, ...]
Edges = tuple[bool, bool, bool, bool]
"""What is at one place of a text: its start; its end; a word's edge; a letter of a script
without spaces beside it."""


class WordPattern:
    """A compiled pattern. Equal work for equal text: nothing that is remembered changes answers.

    Attributes:
        source: the pattern as written.
    """

    __slots__ = ("_code", "_follow", "_settle", "source")

    def __init__(self, source: str):
        """Compile.

        Raises:
            PatternError: it is too large, malformed, or needs what is not supported.
        """
        self.source = source
        self._code = compile_pattern(_seen(source))
        self._settle: dict[tuple[Places, Edges], tuple[Places, bool]] = {}
        self._follow: dict[tuple[Places, str], Places] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern is anywhere in the first MAX_TEXT characters of `text`."""
        return self.walk(clean(text))[0]

    def walk(self, text: str) -> tuple[bool, int]:
        """Search in cleaned text; also the number of steps of the pattern that were taken."""
        places: Places = ()
        before, steps = "", 0
        for char in (*text, ""):
            open_, found, cost = self._closure(tuple(sorted({0, *places})), _edges(before, char))
            steps += cost
            if found:
                return True, steps
            places, cost = self._advance(open_, char)
            steps += cost
            before = char
        return False, steps

    def _closure(self, places: Places, edges: Edges) -> tuple[Places, bool, int]:
        """The characters that may come next from `places`, and whether the pattern is complete."""
        known = self._settle.get((places, edges))
        if known is not None:
            return *known, 1
        seen = set(places)
        todo, wait = list(places), []
        end = len(self._code)
        while todo:
            at = todo.pop()
            if at == end:
                continue
            op = self._code[at]
            if op.kind == "char":
                wait.append(at)
            elif op.kind == "fork" or _holds(op.edge, edges):
                for step in {op.near, op.far}:
                    if at + step not in seen:
                        seen.add(at + step)
                        todo.append(at + step)
        answer = tuple(sorted(wait)), end in seen
        _remember(self._settle, (places, edges), answer)
        return *answer, len(seen)

    def _advance(self, places: Places, char: str) -> tuple[Places, int]:
        if not char or not places:
            return (), 1
        known = self._follow.get((places, char))
        if known is not None:
            return known, 1
        found = []
        for at in places:
            test = self._code[at].test
            if test is not None and test(char):
                found.append(at + 1)
        answer = tuple(found)
        _remember(self._follow, (places, char), answer)
        return answer, len(places)


def _remember(held: dict[Key, Held], key: Key, value: Held) -> None:
    if len(held) >= _REMEMBERED:
        held.clear()
    held[key] = value


def _edges(before: str, after: str) -> Edges:
    """What lies between two characters; "" is the text's end."""
    word = bool(before and _is_word(before)) != bool(after and _is_word(after))
    loose = any(char and _unspaced(char) for char in (before, after))
    return before == "", after == "", word, loose


def _holds(edge: str, edges: Edges) -> bool:
    """Whether an assertion holds. Beside a letter of a script without spaces both `\\b` and `\\B`
    do, so that a name is found in the midst of such text."""
    start, end, word, loose = edges
    return {"^": start, "$": end, "b": word or loose, "B": not word or loose}[edge]
