"""Words of any script, made comparable."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["content_words", "cut", "sentences"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
# Scripts that write without spaces (or glue particles on): compared by pairs of characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)
_COMMON = """
    a about again all also am an and any are as at be been but by can could did do does doing done
    don for from give had has have he her here him his how i if in is it its just know let like me
    my no not now of off ok on or our out please quite really said say says she should show so some
    tell than that the their them then there these they this those to told too up us very was we
    were what whats what's when where which who whom whose why will with would yes you your
"""
_STOP = frozenset(_COMMON.split())
_LONGEST = 20_000


def _stem(word: str) -> str:
    """A word without the endings that English adds most: number, numbers and numbered are one."""
    word = re.sub(r"['’]s$", "", word)
    if len(word) > 3 and word.isascii() and word.isalpha():
        for ending in ("ing", "ed"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        else:
            if word.endswith("s") and not word.endswith(("ss", "us", "is")):
                word = word[:-1]
        if word.endswith("e"):
            word = word[:-1]
        elif word.endswith("y"):
            word = word[:-1] + "i"
    return word


def content_words(text: str) -> frozenset[str]:
    """What a text is about: its words without the common ones, stemmed.

    Texts without a single letter or digit are compared by their signs (emoji). Of very long ones
    the beginning counts.
    """
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    found: set[str] = set()
    for word in _WORD.findall(folded):
        if _UNSPACED.search(word):
            found.update(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif word not in _STOP:
            found.add(_stem(word))
    if not found and not _WORD.search(folded):
        found.update(char for char in folded if not char.isspace())
    return frozenset(found)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without empty ones."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def cut(text: str, length: int) -> str:
    """At most `length` characters, cut between words where there are any."""
    text = text.strip()
    if len(text) <= length:
        return text
    head = text[:length]
    space = head.rfind(" ", length // 2)
    return (head[:space] if space > 0 else head).rstrip() + " …"
