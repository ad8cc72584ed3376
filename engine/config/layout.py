"""Where to cut and where to put in, so that a text keeps its comments and its layout.

All functions take a readable text and return splices, which `spliced` carries out; none of them
touches a comment. What comes out is read again and compared by engine.config.edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.config.document import Document
from engine.config.scan import BETWEEN, KeyPath, Span
from engine.config.written import Style, indent_at, lead, line_start, own_indent

__all__ = [
    "Splice",
    "after",
    "children",
    "comma_after",
    "insertion",
    "line_end",
    "opening",
    "removal",
    "spliced",
]

_BREAK = re.compile("\r\n|[\n\r\u2028\u2029]")
_BLANKS = re.compile(r"[ \t]*")


class Splice(NamedTuple):
    """`text[start:end]` becomes `put`."""

    start: int
    end: int
    put: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """A text with splices carried out; those at one place in the order given."""
    parts, at = [], 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        parts += [text[at : splice.start], splice.put]
        at = max(at, splice.end)
    return "".join((*parts, text[at:]))


def children(document: Document, path: KeyPath) -> list[Span]:
    """The items of a container in the order of the text."""
    spans, size = document.spans, len(path) + 1
    found = (span for key, span in spans.items() if len(key) == size and key[:-1] == path)
    box = spans[path]
    return sorted(span for span in found if box.start < span.start < box.end)


def after(text: str, offset: int) -> int:
    """Past spaces and comments."""
    match = BETWEEN.match(text, offset)
    return match.end() if match else offset


def comma_after(text: str, offset: int) -> int | None:
    """Where the comma after an item stands, or None when there is none."""
    at = after(text, offset)
    return at if text[at : at + 1] == "," else None


def line_end(text: str, offset: int) -> int:
    """Past the line break that ends the line of an offset."""
    match = _BREAK.search(text, offset)
    return match.end() if match else len(text)


def opening(document: Document, style: Style, path: KeyPath) -> str:
    """The indentation that a new last item of a container gets."""
    text, box = document.text, document.spans[path]
    close = own_indent(text, box.end - 1)
    items = children(document, path)
    if items:
        own = own_indent(text, lead(items[-1]))
        return own if own is not None else indent_at(text, box.start) + style.unit
    if close is not None and line_start(text, box.end - 1) > box.start:
        for match in _BREAK.finditer(text, box.start, box.end - 1):
            first = _BLANKS.match(text, match.end())
            if first and text[first.end()] == "/" and first.group() > close:
                return first.group()
        return close + style.unit
    return indent_at(text, box.start) + style.unit


def insertion(
    document: Document, style: Style, path: KeyPath, item: str, *, index: int | None = None
) -> list[Splice]:
    """Put an item (with its key) into a container.

    Args:
        index: before which item of a list; None puts it behind the last.
    """
    items = children(document, path)
    if not items:
        return _into_empty(document, style, path, item)
    if index is not None and index < len(items):
        return _before(document, style, path, items, index, item)
    return _behind(document, style, path, items[-1], item)


def _behind(document: Document, style: Style, path: KeyPath, last: Span, item: str) -> list[Splice]:
    text, close = document.text, document.spans[path].end - 1
    comma = comma_after(text, last.end)
    tail = last.end if comma is None else comma + 1
    found = [Splice(last.end, last.end, ",")] if comma is None else []
    end = "" if comma is None else ","
    indent = opening(document, style, path)
    if own_indent(text, close) is not None and line_start(text, close) >= tail:
        start = line_start(text, close)
        return [*found, Splice(start, start, f"{indent}{item}{end}{style.newline}")]
    place = tail + len(text[tail:close].rstrip())
    alone = own_indent(text, lead(last)) is not None and not style.flat
    gap = f"{style.newline}{indent}" if alone else style.comma.lstrip(" ,")
    return [*found, Splice(place, place, f"{gap or _gap(style)}{item}{end}")]


def _gap(style: Style) -> str:
    """What stands between a comma and the next item on one line."""
    return style.comma.partition(",")[2]


def _before(
    document: Document, style: Style, path: KeyPath, items: Sequence[Span], index: int, item: str
) -> list[Splice]:
    """Right behind the line of the item before, so that comments stay above what they speak of."""
    text, here = document.text, lead(items[index])
    anchor = document.spans[path].start + 1
    if index:
        comma = comma_after(text, items[index - 1].end)
        anchor = items[index - 1].end if comma is None else comma + 1
    indent = own_indent(text, here)
    line = line_end(text, anchor)
    if indent is not None and anchor < line <= line_start(text, here):
        rest = text[anchor:line]
        if after(rest, 0) == len(rest):  # a comment that goes on below would be torn
            return [Splice(line, line, f"{indent}{item},{style.newline}")]
    if indent is not None:
        return [Splice(here, here, f"{item},{style.newline}{indent}")]
    return [Splice(here, here, f"{item},{_gap(style)}")]


def _into_empty(document: Document, style: Style, path: KeyPath, item: str) -> list[Splice]:
    text, box = document.text, document.spans[path]
    start, close = box.start + 1, box.end - 1
    inside = text[start:close].rstrip()
    place = start + len(inside)
    outer, inner = indent_at(text, box.start), opening(document, style, path)
    end = "," if style.trailing else ""
    if not _BREAK.search(text, start, close):
        one_line = style.flat or not (style.strict or not path or _BREAK.search(item))
        if one_line:
            pad = " " if inside or (style.padded and text[box.start] == "{") else ""
            return [Splice(place, close, f"{pad}{item}{pad}")]
        return [Splice(place, close, f"{style.newline}{inner}{item}{end}{style.newline}{outer}")]
    own = own_indent(text, close)
    if own is not None:
        at = line_start(text, close)
        return [Splice(at, at, f"{inner}{item}{end}{style.newline}")]
    return [Splice(place, close, f"{style.newline}{inner}{item}{end}{style.newline}{outer}")]


def removal(document: Document, path: KeyPath) -> list[Splice]:
    """Take an item out, with the comma that belonged to it; comments around it stay."""
    text, span = document.text, document.spans[path]
    items = children(document, path[:-1])
    place = items.index(span)
    start, end = lead(span), span.end
    comma = comma_after(text, end)
    found: list[Splice] = []
    if comma is not None and not text[end:comma].strip(" \t"):
        end = comma + 1
    elif comma is not None:
        found.append(Splice(comma, comma + 1, ""))
    elif place:
        before = comma_after(text, items[place - 1].end)
        if before is not None:
            found.append(Splice(before, before + 1, ""))
    if len(items) == 1:
        box = document.spans[path[:-1]]
        if not (text[box.start + 1 : start] + text[end : box.end - 1]).strip(" \t"):
            return [Splice(box.start + 1, box.end - 1, "")]
    return [*found, _tidied(text, start, end, last=comma is None)]


def _tidied(text: str, start: int, end: int, *, last: bool) -> Splice:
    """A cut that takes its empty line, or the spaces on one side, along."""
    own = own_indent(text, start)
    line = line_end(text, end)
    blanks = _BLANKS.match(text, end)
    past = blanks.end() if blanks else end
    if own is not None and not text[end:line].strip(" \t\r\n\u2028\u2029") and past < line:
        return Splice(start - len(own), line, "")
    if last and own is None:
        return Splice(len(text[:start].rstrip(" \t")), end, "")
    return Splice(start, past, "")
