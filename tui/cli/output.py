"""What commands print: safe text, tables that fit, JSON; and how they fail."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from engine.text import safe_line, safe_text

if TYPE_CHECKING:
    from engine.errors import BranchlineError, Problem

__all__ = [
    "bold",
    "print_json",
    "print_json_line",
    "print_table",
    "say",
    "tell_error",
    "tell_problem",
    "warn",
]

_GAP = "  "
_LEAST = 8
"""Fewest cells to which a column is narrowed."""

_UNUSUAL = re.compile(r"[^\n\x20-\x7e]")


def say(text: str, *, end: str = "\n") -> None:
    """Print text that may hold anything."""
    sys.stdout.write(safe_text(text) + end)


def warn(text: str) -> None:
    """Print a remark to stderr, which never mixes with a command's output."""
    sys.stdout.flush()
    sys.stderr.write(f"branchline: {safe_text(text)}\n")


def tell_problem(problem: Problem) -> None:
    """A problem on stderr, in one line with its place."""
    warn(f"{problem.severity}: {safe_line(str(problem), limit=2000)}")


def tell_error(error: BranchlineError) -> None:
    """An error on stderr: what, where, what to do; a config's with all its problems."""
    from engine.errors import ConfigError

    if not isinstance(error, ConfigError) or len(error.problems) == 1:
        warn(str(error))
        return
    for problem in error.problems:
        tell_problem(problem)
    warn(error.remedy or "the config cannot be used")


def _coloured(stream: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return not plain and stream.isatty()


def bold(text: str) -> str:
    """`text` in bold on a terminal that may be coloured."""
    return f"\x1b[1m{text}\x1b[0m" if _coloured(sys.stdout) else text


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _json(value: Any, indent: int | None) -> str:
    import json

    # JSON leaves DEL, C1, bidi and invisible characters raw. They stand inside strings only, so
    # escaping them changes nothing for whoever reads the JSON.
    return _UNUSUAL.sub(_escaped, json.dumps(value, ensure_ascii=False, indent=indent))


def print_json(value: Any) -> None:
    """Print JSON over several lines, no control character raw."""
    sys.stdout.write(_json(value, 2) + "\n")


def print_json_line(value: Any) -> None:
    """Print JSON on one line and hand it over at once, so that a reader need not wait."""
    sys.stdout.write(_json(value, None) + "\n")
    sys.stdout.flush()


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under heads. On a terminal the widest columns are cut to fit its width.

    Cells are made safe here. A head that starts with `>` stands to the right.
    """
    right = [head.startswith(">") for head in heads]
    lines = [[head.lstrip(">") for head in heads]]
    lines += [[safe_line(cell, limit=300) for cell in row] for row in rows]
    widths = [max(map(_cells, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        _narrow(widths, shutil.get_terminal_size().columns)
    drawn = []
    for line in lines:
        cells = [
            _fit(cell, width, right=side)
            for cell, width, side in zip(line, widths, right, strict=True)
        ]
        drawn.append(_GAP.join(cells).rstrip())
    drawn[0] = bold(drawn[0])
    sys.stdout.write("\n".join(drawn) + "\n")


def _narrow(widths: list[int], room: int) -> None:
    """Cut the widest column, again and again, until all fit or none can give more."""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    while over > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        rest = sorted(widths)[-2] if len(widths) > 1 else 0
        give = min(over, max(1, widths[widest] - max(rest, _LEAST)), widths[widest] - _LEAST)
        if give <= 0:
            return
        widths[widest] -= give
        over -= give


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, width: int, *, right: bool) -> str:
    size = _cells(text)
    if size > width:
        if text.isascii():
            return text[: width - 1] + "…"
        from rich.cells import set_cell_size

        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - size)
    return padding + text if right else text + padding
