"""Fitting text into terminal cells, and short forms of numbers, ages and names."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

__all__ = ["age", "count", "fit", "longest_fitting", "percent", "spread", "whole_parts"]

_AGES = ((60, 1, "s"), (3600, 60, "m"), (86_400, 3600, "h"), (86_400 * 100, 86_400, "d"))


def fit(text: str, width: int, *, ellipsis: str = "…", right: bool = False) -> str:
    """`text` in exactly `width` cells: padded (on the left when `right`), or cut with a sign.

    Wide characters that would stick out are replaced by a space, so columns stay aligned.
    """
    if width <= 0:
        return ""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ellipsis if width > 1 else set_cell_size(text, 1)
    padding = " " * (width - size)
    return padding + text if right else text + padding


def longest_fitting(forms: Sequence[str], width: int) -> str:
    """The first of some ways to say a thing, longest first, that has room; else the last, cut."""
    found = next((form for form in forms if cell_len(form) <= width), None)
    return fit(forms[-1], width) if found is None else found


def whole_parts(parts: Sequence[str], width: int, gap: str = " · ") -> str:
    """As many of the parts as have room, none of them cut: the last one, which says the way out,
    and those before it from the first on. Only where the last has no room is it cut."""
    *others, last = parts
    for count in range(len(others), -1, -1):
        told = gap.join((*others[:count], last))
        if cell_len(told) <= width:
            return told
    return fit(last, width)


def spread(left: str, right: str, width: int) -> str:
    """`left` and `right` at the two ends of `width` cells; `left` gives way when it is tight."""
    room = width - cell_len(right)
    return fit(left, room) + right if room > 0 else fit(right, width)


def age(milliseconds: int) -> str:
    """How long ago, in at most four cells: `now`, `12s`, `4m`, `3h`, `9d`, `2y`."""
    seconds = max(0, milliseconds) // 1000
    if seconds < 1:
        return "now"
    for limit, unit, letter in _AGES:
        if seconds < limit:
            return f"{seconds // unit}{letter}"
    years = seconds // (86_400 * 365)
    return f"{years}y" if years else f"{seconds // (86_400 * 30)}mo"


def count(number: int) -> str:
    """A number of tokens in short: `950`, `1.2k`, `19.6k`, `200k`, `1.5M`."""
    if number < 1000:
        return str(number)
    if number < 999_500:
        value = number / 1000
        return f"{value:.1f}k".replace(".0k", "k") if value < 99.95 else f"{value:.0f}k"
    return f"{number / 1_000_000:.1f}M".replace(".0M", "M")


def percent(part: float) -> str:
    """A share as `61%`; what is not nothing never shows as `0%`."""
    if 0 < part < 0.01:
        return "<1%"
    return f"{part:.0%}"
