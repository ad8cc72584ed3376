"""What a check says about one value, before its place in the file is looked up."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from engine.config.scan import KeyPath

__all__ = ["Finding", "Severity", "is_private", "resemble", "shown"]

Severity = Literal["error", "warning"]

_SHOWN = 60
_CANDIDATES = 300


class Finding(Struct, frozen=True):
    """One thing wrong at `path`; `on_key`: the key itself is at fault, not its value."""

    path: KeyPath
    message: str
    hint: str | None = None
    severity: Severity = "error"
    on_key: bool = False


def is_private(path: KeyPath) -> bool:
    """Whether a value may be a secret, so that no message quotes it and no reload resolves it."""
    if path[:1] == ("env",):
        return True
    return path[:2] == ("models", "providers") and path[3:4] in (("apiKey",), ("headers",))


def shown(value: Any, path: KeyPath = ()) -> str:
    """A value as a message quotes it: short, on one line, and hidden where it may be a secret."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if is_private(path):
        return "this value"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("inf", "Infinity").replace("nan", "NaN")
    if isinstance(value, str) and len(value) > _SHOWN:
        value = value[: _SHOWN - 1] + "…"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN * 2 else text[:_SHOWN] + "…"


def _folded(word: str) -> str:
    return word.strip().lower().replace("_", "").replace("-", "").replace(" ", "")


def resemble(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, spelled as it should be, or None."""
    by_fold = {_folded(name): name for name in itertools.islice(known, _CANDIDATES)}
    if len(word) > 200:
        return None
    import difflib  # only a config with mistakes pays for it

    close = difflib.get_close_matches(_folded(word), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None
