"""Words found loosely: all letters of the word, in order, not always side by side.

Unlike Textual's own search it never tries every way to find the letters: a name made to be slow
("aaaa…") costs no more than any other.
"""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["find_letters", "strength"]

STARTS = 12
"""Places of the first letter from which it is tried."""

_WORD = re.compile(r"\w+")


def lowered(text: str) -> str:
    """`text` in small letters, character for character, so that places stay the same."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


def find_letters(word: str, text: str) -> tuple[int, ...]:
    """Where the letters of a word are in a text, whatever their case; () when they are not.

    Letters side by side are better, and at the beginnings of words.
    """
    word, text = lowered(word), lowered(text)
    if not word:
        return ()
    whole = text.find(word)
    if whole >= 0:
        return tuple(range(whole, whole + len(word)))
    best: tuple[int, ...] = ()
    start = text.find(word[0])
    for _ in range(STARTS):
        if start < 0 or not (places := _from(word, text, start)):
            break
        if not best or strength(places, text) > strength(best, text):
            best = places
        start = text.find(word[0], start + 1)
    return best


def _from(word: str, text: str, start: int) -> tuple[int, ...]:
    """The letters of a word, the first at `start`, each of the others as soon as it comes."""
    places = [start]
    for letter in word[1:]:
        place = text.find(letter, places[-1] + 1)
        if place < 0:
            return ()
        places.append(place)
    return tuple(places)


def strength(places: tuple[int, ...], text: str) -> float:
    """How good a find is; 0 for none. More for letters side by side and for beginnings of words,
    most for the whole text."""
    if not places:
        return 0.0
    begins = {found.start() for found in _WORD.finditer(text)}
    apart = sum(after != before + 1 for before, after in pairwise(places))
    together = 1 - apart / len(places)
    score = (len(places) + len(begins.intersection(places))) * (1 + together**2)
    return score * (2.0 if len(places) == len(text) else 1.5 if not apart else 1.0)
