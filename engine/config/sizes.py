"""Sizes as a config writes them: bytes, or text such as `500MB`."""

from __future__ import annotations

import re

__all__ = ["read_size"]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?)?b?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def read_size(value: int | str) -> int | None:
    """Bytes of a size (1 KB is 1024 bytes); None when it is none."""
    if isinstance(value, int):
        return value if value >= 0 else None
    found = _SIZE.fullmatch(value)
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()]) if found else None
