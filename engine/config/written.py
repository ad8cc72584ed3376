"""Values as text, in the style of the text that they go into."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from engine.config.document import Document
from engine.config.scan import BETWEEN, MAX_DEPTH, MAX_VALUES, KeyPath, Span, is_identifier
from engine.values import replace

__all__ = [
    "Style",
    "indent_at",
    "lead",
    "line_start",
    "own_indent",
    "plain",
    "same",
    "style_of",
    "written",
    "written_key",
]

WIDTH = 96
"""Longest line on which a container is written whole, in characters."""

_BREAK = re.compile("[\n\r\u2028\u2029]")
_UNSAFE = re.compile(r"[^\x20-\x7e]")


class Style(Struct, frozen=True):
    """How a text is written. Of several ways in one text, the first counts.

    Attributes:
        newline: what ends its lines.
        unit: one level of indentation.
        strict: it is JSON proper, and stays so.
        flat: it has one line only.
        quote: around strings.
        bare: keys stand without quotes where they may.
        padded: there are spaces inside the braces of one line.
        colon, comma: with the space after them.
        trailing: the last of several lines ends with a comma too.
    """

    newline: str = "\n"
    unit: str = "  "
    strict: bool = False
    flat: bool = False
    quote: str = '"'
    bare: bool = True
    padded: bool = True
    colon: str = ": "
    comma: str = ", "
    trailing: bool = True


def lead(span: Span) -> int:
    """Where an item begins: its key, or the value of a list's."""
    return span.key_start if span.key_end > span.key_start else span.start


def _is_strict(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _first(found: Iterable[str], default: str) -> str:
    return next(iter(found), default)


def _indents(document: Document, spans: dict[KeyPath, Span]) -> Iterable[str]:
    """What items on lines of their own are indented by, beyond the line of their container."""
    text = document.text
    for path, span in spans.items():
        outer = indent_at(text, spans[path[:-1]].start) if path else ""
        inner = own_indent(text, lead(span)) if path else None
        if inner and len(inner) > len(outer) and inner.startswith(outer):
            yield inner[len(outer) :]


def line_start(text: str, offset: int) -> int:
    """Where the line that holds an offset begins."""
    return max(text.rfind(mark, 0, offset) for mark in "\n\r\u2028\u2029") + 1


def indent_at(text: str, offset: int) -> str:
    """The spaces that the line of an offset begins with."""
    line = text[line_start(text, offset) : offset]
    return line[: len(line) - len(line.lstrip(" \t"))]


def own_indent(text: str, offset: int) -> str | None:
    """The spaces before an offset on its line; None when there is more before it."""
    line = text[line_start(text, offset) : offset]
    return line if not line.strip(" \t") else None


def _spaced(text: str, spans: dict[KeyPath, Span], mark: str, default: str) -> str:
    """A mark with the space that follows it in the text."""
    for path, span in spans.items():
        if mark == ":" and span.key_end > span.key_start:
            between = text[span.key_end : span.start]
        elif mark == "," and path and isinstance(path[-1], int) and path[-1] > 0:
            between = text[spans[*path[:-1], path[-1] - 1].end : lead(span)]
        else:
            continue
        if between.lstrip(" ").startswith(mark) and not between.strip(mark + " "):
            return between
    return default


def _tails(text: str, spans: dict[KeyPath, Span]) -> Iterable[str]:
    """What follows the last item of each container whose end has a line of its own."""
    lasts: dict[KeyPath, int] = {}
    for path, span in spans.items():
        if path:
            lasts[path[:-1]] = max(span.end, lasts.get(path[:-1], 0))
    for path, end in lasts.items():
        if own_indent(text, spans[path].end - 1) is not None:
            match = BETWEEN.match(text, end)
            after = match.end() if match else end
            yield text[after : after + 1]


def style_of(document: Document) -> Style:
    """The style of a readable text."""
    text, spans = document.text, document.spans
    strict = bool(spans) and _is_strict(text) and bool(text.strip("{}[] \t\r\n"))
    keys = [text[span.key_start] for span in spans.values() if span.key_end > span.key_start]
    strings = [text[span.start] for span in spans.values() if text[span.start] in "\"'"]
    colon = _spaced(text, spans, ":", ": ")
    boxes = [
        span for span in spans.values() if text[span.start] == "{" and span.end - span.start > 2
    ]
    padding = [text[box.start + 1] for box in boxes if not _BREAK.search(text, box.start, box.end)]
    quoted = bool(keys) and all(key in "\"'" for key in keys)
    return Style(
        newline="\r\n" if "\r\n" in text else "\n",
        unit=_first(_indents(document, spans), "  "),
        strict=strict,
        flat=bool(keys) and not _BREAK.search(text.strip()),
        quote='"' if strict else _first(strings, _first((k for k in keys if k in "\"'"), '"')),
        bare=not (quoted or strict),
        padded=_first(padding, "" if strict else " ").isspace(),
        colon=colon,
        comma=_spaced(text, spans, ",", ", " if colon != ":" else ","),
        trailing=not strict and _first(_tails(text, spans), ",") == ",",
    )


def plain(value: Any) -> Any:
    """A copy made of dicts, lists, texts, numbers, booleans and None.

    Raises:
        ValueError: it holds something that JSON5 cannot.
    """
    root: list[Any] = [value]
    work: list[tuple[Any, Any, int]] = [(root, 0, 0)]
    count = 0
    while work:
        target, slot, depth = work.pop()
        found = target[slot]
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValueError("it is nested too deep or too large for a config")
        if isinstance(found, dict):
            if not all(isinstance(key, str) for key in found):
                raise ValueError("keys must be text")
            target[slot] = copy = dict(found)
            work.extend((copy, key, depth + 1) for key in copy)
        elif isinstance(found, list | tuple):
            target[slot] = items = list(found)
            work.extend((items, index, depth + 1) for index in range(len(items)))
        elif found is not None and not isinstance(found, str | int | float):
            raise ValueError(f"a config cannot hold {type(found).__name__}")
    return root[0]


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same text: 1, 1.0 and true differ, and NaN is NaN."""
    work = [(one, other)]
    while work:
        left, right = work.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            work.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            work.extend(zip(left, right, strict=True))
        elif left != right and not (isinstance(left, float) and left != left and right != right):
            return False
    return True


def _escaped(match: re.Match[str]) -> str:
    """A character that cannot be seen, or not stored, as its number."""
    char = match.group()
    if char.isprintable():
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _string(text: str, quote: str) -> str:
    body = json.dumps(text, ensure_ascii=False)[1:-1]
    if quote == "'":
        body = body.replace('\\"', '"').replace("'", "\\'")
    return quote + _UNSAFE.sub(_escaped, body) + quote


def written_key(key: str, style: Style) -> str:
    """An object's key as text."""
    return (
        key
        if style.bare and is_identifier(key) and key.isprintable()
        else _string(key, style.quote)
    )


def _scalar(value: Any, style: Style) -> str:
    if isinstance(value, str):
        return _string(value, style.quote)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return json.dumps(value)


class _Text(Struct, frozen=True):
    """A piece that is text already."""

    text: str


def _pieces(value: Any, style: Style) -> list[tuple[str, Any]]:
    """(what stands before it, the value) of each item of a container."""
    if isinstance(value, dict):
        return [(written_key(key, style) + style.colon, item) for key, item in value.items()]
    return [("", item) for item in value]


def written(value: Any, style: Style, indent: str = "", used: int = 0) -> str:
    """A plain value as text.

    A container goes on one line where it fits, except in JSON proper, which machines write with a
    line for every item.

    Args:
        indent: the indentation of the line it begins on.
        used: characters on that line besides.
    """
    parts: list[str] = []
    flat = replace(style, flat=True)
    work: list[tuple[Any, str, int]] = [(value, indent, used)]
    while work:
        item, spaces, taken = work.pop()
        if isinstance(item, _Text):
            parts.append(item.text)
        elif not isinstance(item, dict | list):
            parts.append(_scalar(item, style))
        elif not item:
            parts.append("{}" if isinstance(item, dict) else "[]")
        elif style.flat:
            work += reversed(_on_one_line(item, style))
        else:
            line = None if style.strict else written(item, flat)
            if line is not None and len(spaces) + taken + len(line) <= WIDTH:
                parts.append(line)
            else:
                work += reversed(_on_several_lines(item, style, spaces))
    return "".join(parts)


def _on_one_line(value: Any, style: Style) -> list[tuple[Any, str, int]]:
    braces = "{}" if isinstance(value, dict) else "[]"
    pad = " " if style.padded and isinstance(value, dict) else ""
    found: list[tuple[Any, str, int]] = [(_Text(braces[0] + pad), "", 0)]
    for number, (before, item) in enumerate(_pieces(value, style)):
        found.append((_Text((style.comma if number else "") + before), "", 0))
        found.append((item, "", 0))
    found.append((_Text(pad + braces[1]), "", 0))
    return found


def _on_several_lines(value: Any, style: Style, indent: str) -> list[tuple[Any, str, int]]:
    braces = "{}" if isinstance(value, dict) else "[]"
    inner = indent + style.unit
    found: list[tuple[Any, str, int]] = [(_Text(braces[0]), "", 0)]
    for number, (before, item) in enumerate(_pieces(value, style)):
        comma = "," if number else ""
        found.append((_Text(f"{comma}{style.newline}{inner}{before}"), "", 0))
        found.append((item, inner, len(before) + 1))
    end = "," if style.trailing else ""
    found.append((_Text(f"{end}{style.newline}{indent}{braces[1]}"), "", 0))
    return found
