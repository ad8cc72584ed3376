"""Paths of values as people write them, and the values that they lead to."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any, Final

from engine.config.document import read_document
from engine.config.scan import KeyPath
from engine.errors import EditRefused

__all__ = ["MISSING", "parse_path", "parse_value", "replaced", "settled", "value_at"]

_STEP = re.compile(
    r'\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<dot>\.?)(?P<name>[^.\[\]]+)'
)


class _Missing:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def parse_path(text: str) -> KeyPath:
    """`agents.list[0].id`, `channels["a b"].dmPolicy` as keys and positions; "" is the whole.

    Raises:
        EditRefused: it cannot be read.
    """
    path: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and (at == 0) == bool(match["dot"])):
            remedy = 'Write it like agents.list[0].id or channels["a b"].dmPolicy'
            raise EditRefused(f"cannot read the path {text!r}", remedy=remedy)
        if match["index"] is not None:
            path.append(int(match["index"]))
        elif match["quoted"] is not None:
            path.append(_unquoted(match["quoted"], text))
        else:
            path.append(match["name"])
        at = match.end()
    return tuple(path)


def _unquoted(part: str, text: str) -> str:
    try:
        return str(json.loads(part))
    except ValueError:
        raise EditRefused(
            f"cannot read the path {text!r}: {part} is no text in quotes",
            remedy='Write it as in agents.list[0] or channels["my channel"]',
        ) from None


def parse_value(text: str) -> Any:
    """A value as a person types it: JSON5, and a bare word is a text.

    Raises:
        EditRefused: it begins like something else and is not whole.
    """
    document = read_document(text)
    if document.readable and not document.faults:
        return document.value
    if text.lstrip()[:1] in ("{", "[", '"', "'", ""):
        fault = document.faults[0]
        raise EditRefused(f"this is no JSON5 value: {fault.message}", remedy=fault.hint)
    return text


def value_at(value: Any, path: KeyPath) -> Any:
    """The value at a path, or MISSING."""
    for step in path:
        inside = step in value if isinstance(value, dict) else False
        if isinstance(value, list) and isinstance(step, int):
            inside = 0 <= step < len(value)
        if not inside:
            return MISSING
        value = value[step]
    return value


def settled(value: Any, path: KeyPath) -> KeyPath:
    """The path with numbers where there are lists and names where there are none."""
    found: list[str | int] = []
    for given in path:
        step = given
        if isinstance(value, list) and isinstance(given, str) and given.isdecimal():
            step = int(given)
        elif isinstance(value, dict) and isinstance(given, int):
            step = str(given)
        found.append(step)
        value = value_at(value, (step,))
    return tuple(found)


def replaced(value: Any, path: KeyPath, new: Any) -> Any:
    """The value that a document has after a change, made from the one before."""
    box: Any = [value]
    root, steps = box, (0, *path)
    for step, following in pairwise(steps):
        inner = value_at(box, (step,))
        if inner is MISSING:
            inner = {} if isinstance(following, str) else []
        copy = dict(inner) if isinstance(inner, dict) else list(inner)
        _store(box, step, copy)
        box = copy
    if new is MISSING:
        del box[steps[-1]]
    else:
        _store(box, steps[-1], new)
    return root[0]


def _store(box: Any, step: str | int, value: Any) -> None:
    if isinstance(box, list) and step == len(box):
        box.append(value)
    else:
        box[step] = value
