"""A config text with its values, and the place of each of them.

Strict JSON, which machines write, is tried first with the standard library: it is some twenty
times faster than any reader of JSON5 in Python, and its spans are only worked out when somebody
asks where a value stands. Whatever it could read in another way than JSON5 does (duplicate keys,
huge numbers, deep nesting) is left to engine.config.scan, so both ways give one answer.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.config.scan import MAX_DEPTH, MAX_DIGITS, MAX_VALUES, Fault, KeyPath, Scan, Span, scan

__all__ = ["MAX_BYTES", "Document", "Place", "dotted", "read_document"]

MAX_BYTES = 1024 * 1024
"""Largest config file, in bytes (SPEC §12)."""

_BRACKETS = re.compile(r"[\[\]{}]")
_BREAKS = re.compile("\r\n|\r|\n")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


class Place(NamedTuple):
    """A 1-based line and a 1-based column, in characters."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A text and what it holds. `value` is None when `readable` is False.

    The spans cost a scan of the text the first time one is asked for, unless reading needed it.
    """

    text: str
    value: Any
    readable: bool
    faults: tuple[Fault, ...] = ()
    _scan: Scan | None = None
    _lines: list[int] = field(default_factory=list)

    def span(self, path: KeyPath) -> Span | None:
        """Where the value at `path` stands, or None when the text has none there."""
        return self.spans.get(path)

    @property
    def spans(self) -> dict[KeyPath, Span]:
        """Where every value stands."""
        if self._scan is None:
            self._scan = scan(self.text)
        return self._scan.spans

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """The line and column of a value (or of its key); of its nearest parent when missing."""
        span = self.span(path)
        while span is None and path:
            path = path[:-1]
            key = False
            span = self.span(path)
        if span is None:
            return Place(1, 1)
        return self.at(span.key_start if key and span.key_end > span.key_start else span.start)

    def at(self, offset: int) -> Place:
        """The line and column of a character offset."""
        if not self._lines:
            self._lines.append(0)
            self._lines.extend(match.end() for match in _BREAKS.finditer(self.text))
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)


class _NotPlain(ValueError):
    """Legal for the standard library, but not something to be read without a closer look."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotPlain
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NotPlain
    return int(digits)


def _shallow(text: str) -> bool:
    """Whether the text cannot be nested deeper than allowed; brackets in strings count too."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            return False
    return True


def read_document(text: str) -> Document:
    """Read config text. Never raises: what is wrong is in `faults`."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        fault = Fault(f"larger than {MAX_BYTES:,} bytes", 0, "is this the right file?")
        return Document("", None, readable=False, faults=(fault,))
    if _shallow(text) and text.count(",") < MAX_VALUES:
        try:
            value = json.loads(text, object_pairs_hook=_unique, parse_int=_whole)
        except (ValueError, RecursionError):
            pass  # not strict JSON, or not plainly so: the scanner decides
        else:
            return Document(text, value, readable=True)
    found = scan(text)
    return Document(text, found.value, found.complete, found.faults, found)


def dotted(path: KeyPath) -> str:
    """`agents.list[0].id`; keys that hold dots or spaces are quoted: `channels["a b"].dmPolicy`."""
    parts = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step):
            parts.append(f".{step}")
        else:
            parts.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(parts).removeprefix(".")
