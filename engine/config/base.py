"""What all parts of the schema are made of: the base of values, and numbers with a range."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Amount", "Count", "Id", "Positive", "Value", "masked"]

Id = str | int
"""An id in the file may be a number (Telegram's are); values always hold it as text."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all config values: snake_case here, camelCase in the file."""


def masked(value: Value, hidden: tuple[str, ...]) -> str:
    """A repr in which fields that may hold secrets show only that they are set."""
    parts = []
    for name in value.__struct_fields__:
        content = getattr(value, name)
        parts.append(f"{name}={'***' if name in hidden and content else repr(content)}")
    return f"{type(value).__name__}({', '.join(parts)})"
