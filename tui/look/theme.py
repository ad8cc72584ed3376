"""Themes: JSON5 files, our own in themes/ and a person's in `<state>/themes/`.

A theme file names colours (`primary`, `background` and so on, as Textual's themes do) and may set
`variables` of the style sheets. A file that cannot be used is told as a Problem and left out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from engine.config.document import Place, read_document
from engine.errors import Problem

__all__ = ["DARK", "LIGHT", "MAX_BYTES", "ThemeFile", "own_themes", "read_theme", "read_themes"]

DARK = "branchline-dark"
LIGHT = "branchline-light"
OWN = Path(__file__).resolve().parent.parent.parent / "themes"

MAX_BYTES = 64 * 1024
"""A theme file larger than this is not one."""

_COLORS = frozenset({"primary", "secondary", "accent", "success", "warning", "error"}) | frozenset(
    {"foreground", "background", "surface", "panel", "boost"}
)
_FLAGS = frozenset({"dark", "ansi"})
_STYLE = ("-style", "-style-hover")
_WORDS = frozenset({"none", "not", "bold", "dim", "italic", "reverse", "strike", "underline"})
_AUTO = re.compile(r"auto(?: \d{1,3}%)?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")

_NO_FIELD, _NO_VARIABLE = "a theme has no such field", "no style sheet has such a variable"
WRITE_A_COLOR = "write #rrggbb or a colour's name"

_NUMBERS = {"luminosity_spread": "luminositySpread", "text_alpha": "textAlpha"}


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """What a file gave: a theme, or the reason why there is none."""

    path: Path
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
        text = _text(path)
    except (OSError, ValueError) as error:
        return _wrong(path, f"theme not read: {error}")
    document = read_document(text)
    grave = [fault for fault in document.faults if not fault.mild]
    if grave:
        return _wrong(path, grave[0].message, document.at(grave[0].offset), hint=grave[0].hint)
    if not isinstance(document.value, dict):
        return _wrong(path, "a theme is an object { … }", document.place(()))
    for where, message, hint in _faults(document.value, path.stem):
        at = document.place(where, key=message in (_NO_FIELD, _NO_VARIABLE))
        return _wrong(path, message, at, ".".join(where), hint)
    return ThemeFile(path, _theme(path.stem, document.value))


def _wrong(
    path: Path, message: str, at: Place | None = None, field: str = "", hint: str | None = None
) -> ThemeFile:
    line, column = at or (None, None)
    problem = Problem(message, "warning", str(path), line, column, field or None, hint)
    return ThemeFile(path, None, problem)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    return raw.decode("utf-8")


Fault = tuple[tuple[str, ...], str, str | None]
"""(path of the field, what is wrong with it, what to do)."""


def _faults(data: dict[str, Any], stem: str) -> Iterator[Fault]:
    """What is wrong with a theme, as an iterator."""
    yield from _shape_faults(data, stem)
    for field in sorted(_COLORS & data.keys()):
        if not _is_color(data[field]):
            yield (field,), "not a colour", WRITE_A_COLOR
    yield from _variable_faults(data.get("variables", {}))


def _is_color(value: object) -> bool:
    try:
        Color.parse(value)
    except (ColorParseError, TypeError, AttributeError):
        return False
    return True


def _shape_faults(data: dict[str, Any], stem: str) -> Iterator[Fault]:
    known = _COLORS | _FLAGS | set(_NUMBERS.values()) | {"name", "variables"}
    for field in sorted(data.keys() - known):
        yield (field,), _NO_FIELD, _did_you_mean(field, known)
    if "primary" not in data:
        yield ("primary",), "missing: a theme needs at least a primary colour", None
    name = data.get("name", stem)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield ("name",), "a name is made of letters, digits, - and _", None
    for field in sorted(_FLAGS & data.keys()):
        if not isinstance(data[field], bool):
            yield (field,), "true or false", None
    for field in sorted(set(_NUMBERS.values()) & data.keys()):
        if isinstance(data[field], bool) or not isinstance(data[field], (int, float)):
            yield (field,), "not a number", None
        elif not 0 <= data[field] <= 1:
            yield (field,), "from 0 to 1", None


def _variable_faults(variables: object) -> Iterator[Fault]:
    """Variables go into every style sheet: one that does not fit there would end the app."""
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        yield ("variables",), "names and texts only", None
        return
    defaults = Theme("base", primary="#7aa7d9").to_color_system().generate()
    for name, value in variables.items():
        default = defaults.get(name)
        if default is None:
            hint = _did_you_mean(name, defaults)
            yield ("variables", name), _NO_VARIABLE, hint
        elif name.endswith(_STYLE):
            if not set(value.split()) <= _WORDS or not value.split():
                words = ", ".join(sorted(_WORDS))
                yield ("variables", name), "not a style of letters", f"some of {words}"
        elif not (_is_color(value) or (default.startswith("auto") and _AUTO.fullmatch(value))):
            yield ("variables", name), "not a colour", WRITE_A_COLOR


def _did_you_mean(name: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def _theme(stem: str, data: dict[str, Any]) -> Theme:
    fields = {field: data[field] for field in (_COLORS | _FLAGS) & data.keys()}
    for python, written in _NUMBERS.items():
        if written in data:
            fields[python] = float(data[written])
    return Theme(name=data.get("name") or stem, variables=data.get("variables", {}), **fields)
