"""Checks the values of a scenario file against the shapes they must have; every fault at its line.

A shape is a name of `KINDS`, a list with the shape of its items, or a dict with the shapes of
its keys; a key that ends in `?` may be left out. Depth is that of the shapes, not of the file.
"""

from __future__ import annotations

from typing import Any

from engine.config.document import Document, dotted
from engine.config.findings import resemble, shown
from engine.config.scan import KeyPath
from engine.errors import Problem

__all__ = ["KINDS", "Faults", "Shape", "check"]

Shape = Any

KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "text"),
    "id": ((str, int), "text or a number"),
    "whole": ((int,), "a whole number"),
    "flag": ((bool,), "true or false"),
    "object": ((dict,), "an object"),
    "texts": ((str, list), "text or a list of texts"),
    "source": ((dict, str), "an object, or the path of a file"),
    "yes": ((bool,), "true"),
    "peer": ((str, dict), 'a peer such as "dm:111"'),
}


class Faults:
    """Problems found in one document, at their places."""

    def __init__(self, document: Document, file: str):
        self._document = document
        self._file = file
        self.found: list[Problem] = []

    def add(
        self, path: KeyPath, message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        """Note what is wrong with the value (or its key) at a path."""
        line, column = self._document.place(path, key=key)
        self.found.append(
            Problem(message, "error", self._file, line, column, dotted(path) or None, hint)
        )

    def line(self, path: KeyPath) -> int:
        """The line on which a value stands."""
        return self._document.place(path).line


def check(value: Any, shape: Shape, path: KeyPath, faults: Faults) -> bool:
    """Whether a value has a shape; what it lacks is noted."""
    if isinstance(shape, str):
        return _kind(value, shape, path, faults)
    if isinstance(shape, list):
        if not isinstance(value, list):
            faults.add(path, f"expected a list, found {shown(value)}")
            return False
        good = [check(item, shape[0], (*path, n), faults) for n, item in enumerate(value)]
        return all(good)
    return _object(value, shape, path, faults)


def _kind(value: Any, name: str, path: KeyPath, faults: Faults) -> bool:
    types, words = KINDS[name]
    good = isinstance(value, types) and (isinstance(value, bool) <= (bool in types))
    if good and name == "texts" and isinstance(value, list):
        good = all(isinstance(item, str) for item in value)
    if not good or (name == "yes" and value is not True):
        faults.add(path, f"expected {words}, found {shown(value)}")
        return False
    return True


def _object(value: Any, shape: dict[str, Shape], path: KeyPath, faults: Faults) -> bool:
    if not isinstance(value, dict):
        faults.add(path, f"expected an object, found {shown(value)}")
        return False
    known = {key.removesuffix("?"): inner for key, inner in shape.items()}
    good = True
    for key, item in value.items():
        here = (*path, str(key))
        if key not in known:
            near = resemble(str(key), known)
            hint = f"did you mean '{near}'?" if near else "known here: " + ", ".join(known)
            faults.add(here, f"unknown key `{key}`", hint, key=True)
            good = False
        else:
            good = check(item, known[key], here, faults) and good
    for key in shape:
        if not key.endswith("?") and key not in value:
            faults.add(path, f"`{key}` is missing")
            good = False
    return good
