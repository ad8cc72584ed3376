"""Putting the items of a list or an object into another order, with the comments that belong to
them.

Where every item begins a line of its own, its lines travel: the comments right above it, and the
one behind it. Elsewhere only the items' texts do. Commas belong to the places, not to the items,
so that the last one stays without, if it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.config.document import Document
from engine.config.layout import Splice, after, children, comma_after, line_end
from engine.config.scan import KeyPath, Span
from engine.config.written import lead, line_start, own_indent

__all__ = ["rearranged"]


class _Block(NamedTuple):
    """An item's lines: `text[start:end]` is `head`, a comma perhaps, `tail`."""

    start: int
    end: int
    head: str
    comma: str
    tail: str


def rearranged(document: Document, path: KeyPath, order: Sequence[int]) -> list[Splice]:
    """The splices that put the items of a container into an order, given by their positions now."""
    text, spans = document.text, children(document, path)
    blocks = [_block(text, span, floor) for span, floor in zip(spans, _floors(spans), strict=True)]
    found = [block for block in blocks if block is not None]
    if len(found) < len(blocks):
        texts = [text[lead(spans[number]) : spans[number].end] for number in order]
        places = [(lead(span), span.end) for span in spans]
        return [Splice(*place, put) for place, put in zip(places, texts, strict=True)]
    return [
        Splice(place.start, place.end, found[number].head + place.comma + found[number].tail)
        for place, number in zip(found, order, strict=True)
        if found[number] is not place
    ]


def _floors(spans: Sequence[Span]) -> list[int]:
    """For each item, where the one before it ends."""
    return [0, *(span.end for span in spans)][: len(spans)]


def _block(text: str, span: Span, floor: int) -> _Block | None:
    """The lines of an item; None where they are not its own."""
    here = lead(span)
    if own_indent(text, here) is None:
        return None
    comma = comma_after(text, span.end)
    behind = span.end if comma is None else comma + 1
    between = "" if comma is None else text[span.end : comma]
    end = line_end(text, behind)
    rest = text[behind:end]
    if "\n" in between or "\r" in between or after(rest, 0) < len(rest):
        return None
    start = _top(text, line_start(text, here), floor)
    mark = "" if comma is None else ","
    return _Block(start, end, text[start : span.end], mark, between + rest)


def _top(text: str, start: int, floor: int) -> int:
    """Where the comments right above a line begin."""
    while start > 0:
        above = line_start(text, start - 1)
        line = text[above:start].strip()
        whole = line.startswith("/*") and line.endswith("*/") and line.find("*/") == len(line) - 2
        if above < floor or not (line.startswith("//") or whole):
            return start
        start = above
    return start
