"""Patterns compiled to steps: what engine.routing.wordpattern walks along a text.

Reading keeps open groups on a stack and combines steps with relative offsets, so that neither
depth nor repetition costs recursion, and a part can be repeated by writing it down again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

__all__ = ["MAX_PATTERN", "MAX_PROGRAM", "Code", "Op", "PatternError", "compile_pattern", "is_word"]

MAX_PATTERN = 200
"""Longest pattern, in characters."""

MAX_PROGRAM = 300
"""Largest compiled pattern, in steps; counted repetitions multiply it."""

Test = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern that cannot be used; the message says why."""


class Op(NamedTuple):
    """One step. `char`: take a character that passes `test`; `fork`: go on at both offsets;
    `assert`: go on where the text's edge `edge` is; offsets are relative."""

    kind: Literal["char", "fork", "assert"]
    test: Test | None = None
    edge: str = ""
    near: int = 1
    far: int = 1


Code = tuple[Op, ...]


def is_word(char: str) -> bool:
    return char == "_" or char.isalnum()


_CLASSES: dict[str, Test] = {
    "d": lambda char: char.isdecimal(),
    "D": lambda char: not char.isdecimal(),
    "w": is_word,
    "W": lambda char: not is_word(char),
    "s": str.isspace,
    "S": lambda char: not char.isspace(),
}
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


def _char(test: Test) -> Code:
    return (Op("char", test),)


def _one(wanted: str) -> Test:
    lowered = wanted.lower()
    return lambda char: char == lowered


def _literal(wanted: str) -> Code:
    """A character as lower-cased text has it: `İ` and its like are two there."""
    return tuple(op for char in wanted.lower() for op in _char(_one(char)))


def _either(first: Code, second: Code) -> Code:
    jump = Op("fork", near=len(second) + 1, far=len(second) + 1)
    return (Op("fork", near=1, far=len(first) + 2), *first, jump, *second)


def _optional(code: Code) -> Code:
    return (Op("fork", near=1, far=len(code) + 1), *code)


def _repeated(code: Code) -> Code:
    """One or more times."""
    return (*code, Op("fork", near=-len(code), far=1))


def _times(code: Code, least: int, most: int | None) -> Code:
    size = len(code) * max(least, most or 0, 1)
    if size > MAX_PROGRAM or least > MAX_PROGRAM or (most or 0) > MAX_PROGRAM:
        raise PatternError("it repeats too much")
    if most is None:
        head = code * (least - 1) if least else ()
        return (*head, *_repeated(code)) if least else _optional(_repeated(code))
    # x{0,3} as (x(x(x)?)?)?, built from the inside.
    rest: Code = ()
    for _ in range(most - least):
        rest = _optional((*code, *rest))
    return (*(code * least), *rest)


@dataclass(slots=True)
class _Level:
    """An open group: alternatives that are complete, and the parts of the one being read."""

    whole: list[Code] = field(default_factory=list)
    parts: list[Code] = field(default_factory=list)
    can_repeat: bool = False

    def sequence(self) -> Code:
        return tuple(op for part in self.parts for op in part)

    def close(self) -> Code:
        code = self.sequence()
        for other in reversed(self.whole):
            code = _either(other, code)
        return code


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right; groups lie on a stack, so depth costs no recursion."""

    text: str
    at: int = 0
    levels: list[_Level] = field(default_factory=lambda: [_Level()])
    size: int = 0

    def read(self) -> Code:
        while self.at < len(self.text):
            self.step()
        if len(self.levels) > 1:
            raise PatternError("a ( is not closed")
        return self.levels[0].close()

    def take(self) -> str:
        if self.at >= len(self.text):
            raise PatternError("it ends too early")
        char = self.text[self.at]
        self.at += 1
        return char

    def skip(self, wanted: str) -> bool:
        found = self.text.startswith(wanted, self.at)
        self.at += len(wanted) if found else 0
        return found

    def put(self, code: Code, *, can_repeat: bool = True) -> None:
        level = self.levels[-1]
        level.parts.append(code)
        level.can_repeat = can_repeat
        self.size += len(code)
        if self.size > MAX_PROGRAM:
            raise PatternError("it is too large")

    def step(self) -> None:
        char = self.take()
        if char == "(":
            self.open()
        elif char == ")":
            self.shut()
        elif char == "|":
            level = self.levels[-1]
            level.whole.append(level.sequence())
            level.parts, level.can_repeat = [], False
            self.size += 2
        elif char in "*+?" or (char == "{" and self.at_count()):
            self.repeat(char)
        elif char in "^$":
            self.put((Op("assert", edge=char),), can_repeat=False)
        elif char == "[":
            self.put(_char(self.char_class()))
        elif char == "\\":
            self.escape()
        elif char == ".":
            self.put(_char(lambda seen: seen != "\n"))
        else:
            self.put(_literal(char))

    def open(self) -> None:
        if self.skip("?i)"):  # case is never looked at anyway
            return
        if self.skip("?") and not self.skip(":"):
            raise PatternError("look-around, names and flags are not supported")
        self.levels.append(_Level())

    def shut(self) -> None:
        if len(self.levels) == 1:
            raise PatternError("a ) closes nothing")
        code = self.levels.pop().close()
        self.size -= len(code)  # counted part by part when read, and again by put
        self.put(code)

    def at_count(self) -> bool:
        inside, brace, _ = self.text[self.at :].partition("}")
        low, _, high = inside.partition(",")
        good = low.isascii() and low.isdigit() and (not high or (high.isascii() and high.isdigit()))
        return bool(brace) and good

    def count(self) -> tuple[int, int | None]:
        inside, _, _ = self.text[self.at :].partition("}")
        self.at += len(inside) + 1
        low, comma, high = inside.partition(",")
        if len(inside) > 9:
            raise PatternError("it repeats too much")
        least, most = int(low), int(high) if high else None if comma else int(low)
        if most is not None and most < least:
            raise PatternError(f"{{{inside}}} counts backwards")
        return least, most

    def repeat(self, char: str) -> None:
        level = self.levels[-1]
        if not level.parts or not level.can_repeat:
            raise PatternError(f"{char} has nothing to repeat")
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(char) or self.count()
        code = level.parts.pop()
        self.size -= len(code)
        self.put(_times(code, least, most), can_repeat=False)
        self.skip("?")  # lazy or not, the same texts match

    def escape(self) -> None:
        char = self.take()
        if char in "bB":
            self.put((Op("assert", edge=char),), can_repeat=False)
        elif char in _CLASSES:
            self.put(_char(_CLASSES[char]))
        else:
            self.put(_literal(self.escaped(char)))

    def escaped(self, char: str) -> str:
        if char in _PLAIN:
            return _PLAIN[char]
        if char in "xu":
            digits = self.text[self.at : self.at + (2 if char == "x" else 4)]
            self.at += len(digits)
            try:
                return chr(int(digits, 16))
            except ValueError:
                raise PatternError(f"\\{char}{digits} is no character") from None
        if char.isalnum():
            raise PatternError(f"\\{char} is not supported")
        return char

    def char_class(self) -> Test:
        opposite = self.skip("^")
        tests: list[Test] = []
        first = True
        while first or not self.skip("]"):
            first = False
            tests.append(self.class_item())
        if opposite:
            return lambda seen: not any(test(seen) for test in tests)
        return lambda seen: any(test(seen) for test in tests)

    def class_item(self) -> Test:
        low = self.class_char()
        if not isinstance(low, str):
            return low
        if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
            self.at += 1
            high = self.class_char()
            if not isinstance(high, str) or high < low:
                raise PatternError("a range in [] makes no sense")
            return _between(low, high)
        return _one(low)

    def class_char(self) -> str | Test:
        char = self.take()
        if char != "\\":
            return char
        char = self.take()
        return _CLASSES[char] if char in _CLASSES else "\b" if char == "b" else self.escaped(char)


def _between(low: str, high: str) -> Test:
    """A range; the text is in lower case, the range may be in either."""
    return lambda char: low <= char <= high or low <= char.upper() <= high


def compile_pattern(source: str) -> Code:
    """The steps of a pattern; the place after the last is a match.

    Raises:
        PatternError: it is too large, malformed, or needs what is not supported.
    """
    if len(source) > MAX_PATTERN:
        raise PatternError(f"it is longer than {MAX_PATTERN} characters")
    code = _Reader(source).read()
    if len(code) > MAX_PROGRAM:
        raise PatternError("it is too large")
    return code
