"""Changing entries of the config by what the schema wants there, as `engine.config.edit` does by
place: where an object stands in its short form (`model: "a/b"`), a change of another of its keys
writes it out first, and a change of what the short form says keeps it short.
"""

from __future__ import annotations

from typing import Any

from engine.config.document import dotted, read_document
from engine.config.edit import Edit, insert_item, move_item, remove_value, set_value, together
from engine.config.keypath import MISSING, settled, value_at
from engine.config.scan import KeyPath
from engine.config.shape import shape_at
from engine.errors import EditRefused

__all__ = ["add_entry", "add_item", "move_entry", "put_entry", "remove_entry", "written_at"]


def put_entry(text: str, path: KeyPath, value: Any) -> Edit:
    """Set a value, new or not.

    Raises:
        EditRefused: as `set_value`.
    """
    document = read_document(text)
    path = settled(document.value, path)
    if not path:
        return set_value(text, path, value)
    for size in range(1, len(path)):
        here, key = path[:size], _short(path[:size])
        found = value_at(document.value, here)
        if key and path[size:] == (key,) and not isinstance(found, dict):
            return set_value(text, here, value)
        if key and isinstance(found, str):
            return _after(set_value(text, here, {key: found}), path, value)
        if found is None:
            return _after(remove_value(text, here), path, value)
    return set_value(text, path, value)


def _short(path: KeyPath) -> str:
    shape = shape_at(path)
    return "" if shape is None else shape.short


def _after(first: Edit, path: KeyPath, value: Any) -> Edit:
    return together(first, set_value(first.text, path, value))


def add_entry(text: str, path: KeyPath, value: Any) -> Edit:
    """Put a value under a new key.

    Raises:
        EditRefused: there is one of that name, or as `set_value`.
    """
    if written_at(read_document(text).value, path) is not MISSING:
        raise EditRefused("there is one of that name already", place=dotted(path))
    return put_entry(text, path, value)


def add_item(text: str, path: KeyPath, index: int, value: Any) -> Edit:
    """Put a value into a list, before the item at `index`; the list is made where it is missing.

    Raises:
        EditRefused: as `insert_item`.
    """
    document = read_document(text)
    found = value_at(document.value, settled(document.value, path))
    if isinstance(found, list):
        return insert_item(text, path, index, value)
    if found not in (MISSING, None):
        raise EditRefused("there is no list", place=dotted(path))
    return put_entry(text, path, [value])


def remove_entry(text: str, path: KeyPath) -> Edit:
    """Take a value out, with its key; of a short form, the whole.

    Raises:
        EditRefused: as `remove_value`.
    """
    value = read_document(text).value
    short = path[:-1]
    if path and isinstance(value_at(value, short), str) and _short(short) == path[-1]:
        path = short
    return remove_value(text, path)


def move_entry(text: str, path: KeyPath, step: int) -> Edit:
    """Move an item of a list, or a key of an object, by some places; it stops at the ends.

    Raises:
        EditRefused: as `move_item`.
    """
    document = read_document(text)
    path = settled(document.value, path)
    box = value_at(document.value, path[:-1]) if path else MISSING
    if not isinstance(box, dict | list):
        raise EditRefused("there is nothing to move", place=dotted(path))
    places = list(box) if isinstance(box, dict) else list(range(len(box)))
    if path[-1] not in places:
        raise EditRefused("there is no such entry", place=dotted(path))
    source = places.index(path[-1])
    return move_item(text, path[:-1], source, min(max(0, source + step), len(places) - 1))


def written_at(value: Any, path: KeyPath) -> Any:
    """What a file says at a path, also where it says so in short; MISSING where it does not."""
    path = settled(value, path)
    found = value_at(value, path)
    if found is MISSING and path:
        whole = value_at(value, path[:-1])
        if isinstance(whole, str) and _short(path[:-1]) == path[-1]:
            return whole
    return found
