"""JSON as models and servers write it: read leniently, write byte for byte the same each time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.errors import ModelError
from engine.models.protocol import UNPARSED

__all__ = [
    "Surrogates",
    "arguments_text",
    "as_list",
    "as_map",
    "as_text",
    "dumps",
    "loads",
    "parse_arguments",
    "whole",
]

_SURROGATE = re.compile("[\ud800-\udfff]")


def _no_constant(name: str) -> None:
    return None


def loads(text: str) -> Any:
    """The value, or None when it is no JSON or nested beyond reason. NaN and Infinity are null."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def as_map(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: servers put null where we look for one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def dumps(value: Any) -> bytes:
    """Compact UTF-8 in the order given, so that equal requests are equal bytes.

    Half surrogate pairs, which no server can read, become question marks.

    Raises:
        ModelError: infinite numbers or nesting beyond reason.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"the request cannot be written as JSON: {type(error).__name__}", kind="invalid"
        ) from None
    return text.encode("utf-8", "replace")


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Tool arguments as the JSON text that OpenAI's format wants."""
    return dumps(dict(arguments)).decode("utf-8")


def parse_arguments(text: str) -> tuple[dict[str, Any], bool]:
    """Tool arguments from their text, and whether it was a JSON object; no text means none."""
    if not text.strip():
        return {}, True
    value = loads(whole(text))
    if isinstance(value, dict):
        return value, True
    return {UNPARSED: text}, False


def whole(text: str) -> str:
    """Text with surrogate halves joined, and halves that stay alone replaced by U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Surrogates:
    """Joins characters that a server has cut in two across deltas (UTF-16 halves)."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held, text = text[-1], text[:-1]
        return whole(text)

    def finish(self) -> str:
        held, self._held = self._held, ""
        return "\ufffd" if held else ""
