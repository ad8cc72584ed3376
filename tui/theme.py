"""Themes: JSON5 files, our own in themes/ and a person's in `<state>/themes/`.

A theme file names colours (`primary`, `background` and so on, as Textual's themes do) and may set
`variables` of the style sheets. A file that cannot be used is told as a Problem and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from engine.errors import Problem

__all__ = ["DARK", "LIGHT", "MAX_BYTES", "ThemeFile", "own_themes", "read_theme", "read_themes"]

DARK = "branchline-dark"
LIGHT = "branchline-light"
OWN = Path(__file__).resolve().parent.parent / "themes"

MAX_BYTES = 64 * 1024
"""A theme file larger than this is not one."""

_COLORS = frozenset({"primary", "secondary", "accent", "success", "warning", "error"}) | frozenset(
    {"foreground", "background", "surface", "panel", "boost"}
)
_FLAGS = frozenset({"dark", "ansi"})
_NUMBERS = {"luminosity_spread": "luminositySpread", "text_alpha": "textAlpha"}


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """What a file gave: a theme, or the reason why there is none."""

    theme: Theme | None
    problem: Problem | None = None


def own_themes() -> list[Theme]:
    """The themes that come with the app. They are plain JSON, which is the quick way in.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    found = [read_theme(OWN / f"{name}.json5") for name in (DARK, LIGHT)]
    return [each.theme for each in found if each.theme is not None]


def read_themes(folder: Path) -> list[ThemeFile]:
    """Every `*.json5` and `*.json` file of a folder, by name; an absent folder has none."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".json5", ".json"})
    except OSError:
        return []
    return [read_theme(path) for path in paths]


def read_theme(path: Path) -> ThemeFile:
    """Read one theme file."""
    try:
        data = _decode(path)
    except (OSError, ValueError, RecursionError) as error:
        return ThemeFile(None, Problem(f"theme not read: {error}", "warning", file=str(path)))
    wrong = next(_faults(data), None)
    if wrong is not None:
        return ThemeFile(None, Problem(wrong[1], "warning", file=str(path), path=wrong[0]))
    return ThemeFile(_theme(path.stem, data))


def _decode(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    text = raw.decode("utf-8")
    try:
        data = json.loads(text)
    except ValueError:
        import json5  # 27 ms, and slow: only for files that use what JSON lacks

        data = json5.loads(text)
    if not isinstance(data, dict):
        raise ValueError("a theme is an object { … }")
    return data


def _faults(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it), as an iterator."""
    yield from _shape_faults(data)
    for field in _COLORS & data.keys():
        try:
            Color.parse(data[field])
        except (ColorParseError, TypeError, AttributeError):
            yield field, "not a colour: write #rrggbb or a colour's name"


def _shape_faults(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    known = _COLORS | _FLAGS | set(_NUMBERS.values()) | {"name", "variables"}
    for field in data.keys() - known:
        yield field, "a theme has no such field"
    if "primary" not in data:
        yield "primary", "missing: a theme needs at least a primary colour"
    if not isinstance(data.get("name", ""), str):
        yield "name", "not a text"
    for field in _FLAGS & data.keys():
        if not isinstance(data[field], bool):
            yield field, "true or false"
    for field in set(_NUMBERS.values()) & data.keys():
        if not isinstance(data[field], (int, float)):
            yield field, "not a number"
    variables = data.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        yield "variables", "names and texts only"


def _theme(stem: str, data: dict[str, Any]) -> Theme:
    fields = {field: data[field] for field in (_COLORS | _FLAGS) & data.keys()}
    for python, written in _NUMBERS.items():
        if written in data:
            fields[python] = float(data[written])
    return Theme(name=data.get("name") or stem, variables=data.get("variables", {}), **fields)
