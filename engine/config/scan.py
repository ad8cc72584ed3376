"""A reader of JSON5 text that also says where everything stands.

It works from one list of open containers, so no nesting can exhaust the stack, and it gives
values and spans in one pass. Values are its own rather than the json5 package's for two reasons:
that package takes 126 ms for a commented config of 13 KB and fails on 500 nested brackets, and
two readers of one text would be two truths about it. In the tests the package is the judge:
both must agree on whatever hypothesis can think of.

A fault that a person's meaning survives (a missing comma, a key without its quotes, an unknown
word) is noted and reading goes on, so that one run reports all of them; others end the reading.

Reference: the JSON5 specification 1.0.0 (spec.json5.org).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct

__all__ = [
    "BETWEEN",
    "MAX_DEPTH",
    "MAX_DIGITS",
    "MAX_VALUES",
    "Fault",
    "KeyPath",
    "Scan",
    "Span",
    "is_identifier",
    "scan",
]

MAX_DEPTH = 64
"""Levels of braces and brackets (SPEC §12)."""
MAX_VALUES = 100_000
"""Values in one text: a mebibyte of commas must not become a gigabyte of objects."""
MAX_DIGITS = 1_000
"""Digits of one number."""
MAX_FAULTS = 20
"""Faults after which reading stops: by then each is likely the child of another."""

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the root to a value: `("agents", "list", 0, "id")`."""


class Span(NamedTuple):
    """Offsets into the text. `text[start:end]` is the value as written, without the spaces and
    comments around it; `text[key_start:key_end]` its key with quotes, empty when it has none."""

    start: int
    end: int
    key_start: int
    key_end: int


class Fault(NamedTuple):
    """Something that is not JSON5, at a character offset. `mild`: JSON5 allows it all the same."""

    message: str
    offset: int
    hint: str | None = None
    mild: bool = False


class Scan(Struct, frozen=True):
    """What a text holds. `value` is None when a fault ended the reading (`complete` False)."""

    value: Any
    spans: dict[KeyPath, Span]
    faults: tuple[Fault, ...]
    complete: bool


_SPACE = "\t\n\v\f\r \xa0\ufeff\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BETWEEN = rf"(?:[{_SPACE}]++|//[^\n\r\u2028\u2029]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+"
BETWEEN = re.compile(_BETWEEN)
"""Spaces and comments, as many as there are."""
_TOKEN = re.compile(
    rf"{_BETWEEN}"
    r"(?:(?P<mark>[{}\[\]:,])"
    r'|(?P<string>"(?:[^"\\\n\r]++|\\(?:\r\n|[\s\S]))*+"'
    r"|'(?:[^'\\\n\r]++|\\(?:\r\n|[\s\S]))*+')"
    rf"|(?P<word>[^{{}}\[\]:,\"'/{_SPACE}]++))?"
)
_NUMBER = re.compile(
    r"[+-]?(?:(?P<hex>0[xX][0-9a-fA-F]+)"
    r"|(?P<whole>0|[1-9][0-9]*)"
    r"|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
)
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "Infinity": float("inf"),
    "+Infinity": float("inf"),
    "-Infinity": float("-inf"),
    "NaN": float("nan"),
    "+NaN": float("nan"),
    "-NaN": float("nan"),
}
_LIKELY = {
    "True": "true",
    "TRUE": "true",
    "yes": "true",
    "on": "true",
    "False": "false",
    "FALSE": "false",
    "no": "false",
    "off": "false",
    "None": "null",
    "nil": "null",
    "undefined": "null",
}
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*+")
_KEY_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_ESCAPE = re.compile(
    r"\\(?:u(?P<four>[0-9a-fA-F]{4})|x(?P<two>[0-9a-fA-F]{2})|(?P<line>\r\n|[\n\r\u2028\u2029])"
    r"|(?P<nul>0(?![0-9]))|(?P<bad>[0-9ux])|(?P<char>[\s\S]))"
)
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STARTS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
_GOES_ON = _STARTS | frozenset(("Mn", "Mc", "Nd", "Pc"))


class _Stop(Exception):
    """The reading cannot go on; the fault is already noted."""


@dataclass(slots=True)
class _Open:
    """A container that has not been closed yet. `spot`: where it starts, and its key."""

    items: dict[str, Any] | list[Any]
    path: KeyPath
    spot: tuple[int, int, int]


@dataclass(slots=True)
class _Reader:
    """The state of one reading: where we are, what is open, what was found."""

    text: str
    position: int = 0
    kind: str | None = None
    token: str = ""
    start: int = 0
    root: Any = None
    spans: dict[KeyPath, Span] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)

    def next(self) -> None:
        """Step to the next token: kind is mark, string, word, or None at the end."""
        match = _TOKEN.match(self.text, self.position)
        assert match is not None  # every part of the pattern is optional
        self.kind = match.lastgroup
        self.position = match.end()
        if self.kind is None:
            self.token, self.start = "", self.position
            if self.position < len(self.text):
                self.unreadable()
        else:
            self.token = match[self.kind]
            self.start = self.position - len(self.token)

    def note(
        self, message: str, offset: int, hint: str | None = None, *, mild: bool = False
    ) -> None:
        self.faults.append(Fault(message, offset, hint, mild))
        if len(self.faults) >= MAX_FAULTS:
            raise _Stop

    def stop(self, message: str, offset: int, hint: str | None = None) -> None:
        self.faults.append(Fault(message, offset, hint))
        raise _Stop

    def unreadable(self) -> None:
        """Name what no token begins with: an open comment or string, or a stray slash."""
        char = self.text[self.position]
        if self.text.startswith("/*", self.position):
            self.stop("the comment is never closed", self.position, "end it with */")
        if char in "\"'":
            self.stop("the string is not closed on its line", self.position, f"end it with {char}")
        self.stop(f"unexpected {char}", self.position, "a comment begins with // or /*")

    def run(self) -> None:
        self.next()
        if self.kind is None:
            self.stop("expected a value, found nothing", self.start, "an empty config is {}")
        self.value((), (0, 0))
        while self.stack:
            top = self.stack[-1]
            if isinstance(top.items, dict):
                self.member(top, top.items)
            else:
                self.element(top, top.items)
        self.next()
        if self.kind is not None:
            self.stop(f"expected the end, found {self.seen()}", self.start)

    def seen(self) -> str:
        """The token at hand, for a message."""
        if self.kind is None:
            return "the end of the text"
        return self.token if len(self.token) <= 40 else self.token[:39] + "…"

    def member(self, top: _Open, items: dict[str, Any]) -> None:
        """One `key: value` of an object, or its end."""
        if self.closed(top, "}", "key", bool(items)):
            return
        if self.kind not in ("string", "word"):
            self.stop(f"expected a key or }}, found {self.seen()}", self.start, self.unclosed(top))
        key_start, key_end = self.start, self.position
        key = self.key()
        if key in items:
            message = f"the key {self.seen()} is written twice in one object"
            self.note(message, key_start, "the last one counts", mild=True)
        self.next()
        if not self.at(":"):
            self.stop(f"expected : after the key, found {self.seen()}", self.start)
        self.next()
        path = (*top.path, key)
        items[key] = None
        items[key] = self.value(path, (key_start, key_end))

    def element(self, top: _Open, items: list[Any]) -> None:
        """One value of a list, or its end."""
        if self.closed(top, "]", "value", bool(items)):
            return
        index = len(items)
        items.append(None)
        items[index] = self.value((*top.path, index), (self.start, self.start))

    def closed(self, top: _Open, mark: str, wanted: str, after: bool) -> bool:
        """Whether the container `top` ends here; else the token at hand begins its next item."""
        self.next()
        if after and not self.at(mark):
            self.comma(top, mark)
        if self.at(mark):
            self.stack.pop()
            self.spans[top.path] = Span(top.spot[0], self.position, *top.spot[1:])
            return True
        if self.kind is None or self.at(",", ":"):
            message = f"expected a {wanted} or {mark}, found {self.seen()}"
            self.stop(message, self.start, self.unclosed(top))
        return False

    def comma(self, top: _Open, mark: str) -> None:
        """Step over the comma between two items; when it was forgotten, note that and go on."""
        if self.at(","):
            self.next()
            return
        message = f"expected , or {mark}, found {self.seen()}"
        if self.kind is None or self.at("}", "]", ":"):
            self.stop(message, self.start, self.unclosed(top))
        self.note(message, self.start, "a comma is missing")

    def at(self, *marks: str) -> bool:
        return self.kind == "mark" and self.token in marks

    def unclosed(self, top: _Open) -> str | None:
        """Where the open container began, when the text ends inside it."""
        if self.kind is not None and not self.at("]", "}"):
            return None
        line = self.text.count("\n", 0, top.spot[0]) + 1
        return f"the {self.text[top.spot[0]]} on line {line} is still open"

    def value(self, path: KeyPath, key: tuple[int, int]) -> Any:
        """The value at the token at hand; a container is opened and filled later."""
        if len(self.spans) + len(self.stack) >= MAX_VALUES:
            self.stop(f"more than {MAX_VALUES:,} values", self.start)
        found: Any
        if self.at("{", "["):
            return self.opened(path, key)
        if self.kind == "string":
            found = self.string()
        elif self.kind == "word":
            found = self.word()
        else:
            self.stop(f"expected a value, found {self.seen()}", self.start)
        self.spans[path] = Span(self.start, self.position, *key)
        if not path:
            self.root = found
        return found

    def opened(self, path: KeyPath, key: tuple[int, int]) -> Any:
        if len(self.stack) >= MAX_DEPTH:
            self.stop(f"nested deeper than {MAX_DEPTH} levels", self.start)
        items: dict[str, Any] | list[Any] = {} if self.token == "{" else []
        self.stack.append(_Open(items, path, (self.start, *key)))
        if not path:
            self.root = items
        return items

    def string(self) -> str:
        body = self.token[1:-1]
        if "\\" not in body:
            return body
        text = _ESCAPE.sub(self.unescape, body)
        return _PAIR.sub(_joined, text)

    def unescape(self, match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind in ("four", "two"):
            return chr(int(match[kind], 16))
        if kind == "char":
            return _NAMED.get(match["char"], match["char"])
        if kind == "bad":
            hint = "write a backslash as \\\\"
            self.note(f"unknown escape {match[0]}", self.start + 1 + match.start(), hint)
        return "\0" if kind == "nul" else ""

    def key(self) -> str:
        if self.kind == "string":
            return self.string()
        name = _KEY_ESCAPE.sub(lambda match: chr(int(match[1], 16)), self.token)
        if not is_identifier(name):
            self.note(f"the key {self.seen()} needs quotes", self.start, f'write "{name}"')
        return name

    def word(self) -> Any:
        """A number, true, false, null …; anything else is noted and read as null."""
        word = self.token
        if word in _WORDS:
            return _WORDS[word]
        match = _NUMBER.fullmatch(word)
        if match is None:
            self.unknown_word(word)
            return None
        if len(word) > MAX_DIGITS:
            self.note(f"a number of {len(word):,} digits is too long", self.start)
            return None
        if match["hex"]:
            return int(word, 16)
        return int(word) if match["whole"] else float(word)

    def unknown_word(self, word: str) -> None:
        likely = _LIKELY.get(word)
        hint = f"did you mean {likely}?" if likely else "text goes in quotes"
        if word[0] in "0123456789+-." and word[-1] in "0123456789":
            hint = "numbers look like 12, -1.5, 2e3 or 0x1F; text goes in quotes"
        self.note(f"expected a value, found {self.seen()}", self.start, hint)
        # Further bare words belong to the same slip: `name: my agent`.
        following = _TOKEN.match(self.text, self.position)
        while following is not None and following.lastgroup == "word":
            after = _TOKEN.match(self.text, following.end())
            if after is not None and after.lastgroup == "mark" and after["mark"] == ":":
                break
            self.position = following.end()
            following = after


def _joined(match: re.Match[str]) -> str:
    """A surrogate pair as the one character it stands for."""
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def is_identifier(name: str) -> bool:
    """Whether a key needs no quotes: it is an ECMAScript 5.1 IdentifierName."""
    if _IDENTIFIER.fullmatch(name):
        return True
    for index, char in enumerate(name):
        kind = unicodedata.category(char)
        joiner = index > 0 and char in "\u200c\u200d"
        if char not in "$_" and not joiner and kind not in (_GOES_ON if index else _STARTS):
            return False
    return bool(name)


def scan(text: str) -> Scan:
    """Read JSON5 text. Never raises: what is wrong is in `faults`, in the order of the text."""
    reader = _Reader(text)
    try:
        reader.run()
    except _Stop:
        return Scan(None, reader.spans, tuple(reader.faults), complete=False)
    return Scan(reader.root, reader.spans, tuple(reader.faults), complete=True)
