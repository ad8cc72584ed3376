"""Changes of single values in a config text (SPEC §12): the rest stays as a person wrote it.

Every function is pure. It finds the value's place, changes the text there, reads the new text and
compares: the new document must be the old one with exactly the change asked for, else the edit is
refused. So a mistake in the cutting can never reach a file.

Containers are changed item by item where that keeps more of the text: setting an object in the
place of another one touches only the keys that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from msgspec import Struct

from engine.config.differ import unified
from engine.config.document import Document, dotted, read_document
from engine.config.findings import is_private, shown
from engine.config.keypath import MISSING, replaced, settled, value_at
from engine.config.layout import Splice, insertion, opening, removal, spliced
from engine.config.moving import rearranged
from engine.config.scan import KeyPath
from engine.config.secrets import Secret, redact
from engine.config.written import (
    indent_at,
    lead,
    own_indent,
    plain,
    same,
    style_of,
    written,
    written_key,
)
from engine.errors import EditRefused
from engine.values import replace

__all__ = [
    "Edit",
    "append_item",
    "hidden",
    "insert_item",
    "move_item",
    "remove_value",
    "rename_key",
    "replace_text",
    "set_value",
    "together",
]

MAX_STEPS = 64
"""Changes made one by one within a container; beyond, the whole of it is written anew."""


class Edit(Struct, frozen=True):
    """A change that has not been written yet.

    Attributes:
        source: the text that it was made in.
        text: the text with the change.
        diff: both compared, as `diff -u` does, keys hidden; "" when nothing changes.
        before, after: the value at the path, MISSING where there is none.
        reason: in a few words what is changed, for the list of revisions.
    """

    source: str
    text: str
    diff: str
    before: Any
    after: Any
    reason: str = ""

    @property
    def changes(self) -> bool:
        return self.text != self.source


def hidden(value: Any, path: KeyPath = ()) -> Any:
    """A copy of a value of the file in which keys do not show; references to variables do."""
    value = plain(value)
    root: list[Any] = [value]
    work: list[tuple[Any, Any, KeyPath]] = [(root, 0, path)]
    while work:
        box, slot, place = work.pop()
        item = box[slot]
        if isinstance(item, dict):
            work += [(item, key, (*place, key)) for key in item]
        elif isinstance(item, list):
            work += [(item, at, (*place, at)) for at in range(len(item))]
        elif isinstance(item, str) and is_private(place) and not item.startswith("${"):
            box[slot] = str(Secret(item))
        elif isinstance(item, str):
            box[slot] = redact(item)
    return root[0]


def set_value(text: str, path: KeyPath, value: Any) -> Edit:
    """Set one value; a missing key is added, with the objects that lead to it.

    Args:
        text: JSON5.
        path: where; a list may be given one more item than it has.
        value: made of dicts, lists, texts, numbers, booleans and None.

    Raises:
        EditRefused: the text cannot be read, the path leads through something that holds no keys,
            the value cannot be written, or the change cannot be made without changing more.
    """
    document = _readable(text)
    path = settled(document.value, path)
    try:
        value = plain(value)
    except ValueError as error:
        raise EditRefused(str(error), place=dotted(path)) from None
    old = value_at(document.value, path)
    if old is MISSING:
        new_text = _add(document, path, value)
    else:
        new_text = _changed(document, path, old, value)
    return _checked(document, new_text, path, value)


def append_item(text: str, path: KeyPath, value: Any) -> Edit:
    """Put a value at the end of a list; the list is made when it is missing.

    Raises:
        EditRefused: as `set_value`; or there is something else than a list.
    """
    document = _readable(text)
    path = settled(document.value, path)
    items = value_at(document.value, path)
    if items is MISSING:
        return set_value(text, path, [value])
    return set_value(text, (*path, len(_list(items, path))), value)


def insert_item(text: str, path: KeyPath, index: int, value: Any) -> Edit:
    """Put a value into a list, before the item at `index`.

    Raises:
        EditRefused: as `append_item`.
    """
    document = _readable(text)
    path = settled(document.value, path)
    items = value_at(document.value, path)
    if items is MISSING or index >= len(_list(items, path)):
        return append_item(text, path, value)
    index = max(0, index)
    return set_value(text, path, [*items[:index], value, *items[index:]])


def move_item(text: str, path: KeyPath, source: int, target: int) -> Edit:
    """Move an item of a list, or a key of an object, to another position, with the comments that
    belong to it.

    Raises:
        EditRefused: there is no such container or position.
    """
    document = _readable(text)
    path = settled(document.value, path)
    found = value_at(document.value, path)
    keys = list(found) if isinstance(found, dict) else None
    items = _list(found, path) if keys is None else list(found.items())
    if not (0 <= source < len(items) and 0 <= target < len(items)):
        raise EditRefused(f"there are {len(items)} items", place=dotted(path))
    order = [*range(len(items))]
    order.insert(target, order.pop(source))
    moved = spliced(text, rearranged(document, path, order))
    value = [items[number] for number in order]
    edit = _checked(document, moved, path, value if keys is None else dict(value))
    if keys is not None and list(value_at(read_document(moved).value, path)) != list(dict(value)):
        raise EditRefused("these keys cannot be moved without changing more", place=dotted(path))
    name = f"[{source}]" if keys is None else f" {keys[source]}"
    return replace(edit, reason=f"move {dotted(path)}{name} to [{target}]")


def rename_key(text: str, path: KeyPath, name: str) -> Edit:
    """Give a key of an object another name; its value, place and comments stay.

    Raises:
        EditRefused: there is no such key, or one of that name already.
    """
    document = _readable(text)
    path = settled(document.value, path)
    box = value_at(document.value, path[:-1]) if path else MISSING
    if not isinstance(box, dict) or path[-1] not in box:
        raise EditRefused("there is no such key", place=dotted(path))
    if name != path[-1] and name in box:
        raise EditRefused(f"there is {shown(name)} already", place=dotted(path[:-1]))
    span, key = document.spans[path], written_key(name, style_of(document))
    renamed = {name if one == path[-1] else one: value for one, value in box.items()}
    new_text = spliced(text, [Splice(span.key_start, span.key_end, key)])
    edit = _checked(document, new_text, path[:-1], renamed)
    return replace(edit, reason=f"rename {dotted(path)} to {shown(name)}")


def remove_value(text: str, path: KeyPath) -> Edit:
    """Take a value out, with its key.

    Raises:
        EditRefused: there is none, or the change cannot be made without changing more.
    """
    document = _readable(text)
    path = settled(document.value, path)
    if not path or value_at(document.value, path) is MISSING:
        raise EditRefused(
            "there is no such value in the file, so there is nothing to take out",
            place=dotted(path) or "the whole config",
        )
    return _checked(document, spliced(text, removal(document, path)), path, MISSING)


def replace_text(source: str, text: str, reason: str = "") -> Edit:
    """The edit that puts a whole text in the place of another, as a rollback does."""
    old, new = read_document(source), read_document(text)
    return Edit(source, text, _diff(old, new), old.value, new.value, reason)


def together(*edits: Edit) -> Edit:
    """Edits made one in the text of the other, as one.

    Raises:
        EditRefused: one was not made in the text of the one before.
    """
    for first, second in pairwise(edits):
        if second.source != first.text:
            raise EditRefused("these edits were made in different texts")
    reason = ", ".join(edit.reason for edit in edits)
    return replace_text(edits[0].source, edits[-1].text, reason)


def _readable(text: str) -> Document:
    document = read_document(text)
    hard = [fault for fault in document.faults if not fault.mild]
    if not document.readable or hard:
        fault = (hard or document.faults)[0]
        line, column = document.at(fault.offset)
        remedy = fault.hint and f"Mend it first: {fault.hint}"
        raise EditRefused(f"line {line}, column {column}: {fault.message}", remedy=remedy)
    return document


def _list(value: Any, path: KeyPath) -> list[Any]:
    if not isinstance(value, list):
        found = "nothing" if value is MISSING else shown(value, path)
        raise EditRefused(f"there is no list but {found}", place=dotted(path))
    return value


def _add(document: Document, path: KeyPath, value: Any) -> str:
    """The text with a value put in, and the containers that lead to it where they are missing."""
    depth = next(
        size
        for size in range(len(path) - 1, -1, -1)
        if value_at(document.value, path[:size]) is not MISSING
    )
    parent, step = path[:depth], path[depth]
    for part in reversed(path[depth + 1 :]):
        if isinstance(part, int) and part:
            raise EditRefused("a new list begins at [0]", place=dotted(path))
        value = [value] if isinstance(part, int) else {part: value}
    _fits(value_at(document.value, parent), parent, step)
    style = style_of(document)
    indent = opening(document, style, parent)
    key = written_key(step, style) + style.colon if isinstance(step, str) else ""
    item = key + written(value, style, indent, len(key) + 1)
    index = step if isinstance(step, int) else None
    return spliced(document.text, insertion(document, style, parent, item, index=index))


def _fits(box: Any, parent: KeyPath, step: str | int) -> None:
    """Refuse a step that leads into nothing."""
    if isinstance(box, dict) and isinstance(step, str):
        return
    if isinstance(box, list) and isinstance(step, int):
        if 0 <= step <= len(box):
            return
        raise EditRefused(f"the list has {len(box)} items", place=dotted(parent))
    if isinstance(box, dict | list):
        wanted = "keys, not positions" if isinstance(box, dict) else "positions, not keys"
        raise EditRefused(f"{shown(box)} has {wanted}", place=dotted(parent) or "the whole config")
    message = f"{shown(box, parent)} stands there and holds no keys"
    raise EditRefused(message, place=dotted(parent) or "the whole config")


def _put(document: Document, path: KeyPath, value: Any) -> str:
    """The text with a value in the place of another."""
    text, span = document.text, document.spans[path]
    style = style_of(document)
    start, quote = lead(span), text[span.start]
    indent = own_indent(text, start)
    if isinstance(value, str) and quote in "\"'":
        style = replace(style, quote=quote)
    indent = indent_at(text, start) if indent is None else indent
    put = written(value, style, indent, span.start - start)
    return spliced(text, [Splice(span.start, span.end, put)])


_Step = Callable[[Document], str]


def _changed(document: Document, path: KeyPath, old: Any, new: Any) -> str:
    """The text with a value changed, item by item where both are containers of one kind."""
    steps = _steps(path, old, new)
    if len(steps) > MAX_STEPS:
        return _put(document, path, new)
    for step in steps:
        document = read_document(step(document))
    return document.text


def _steps(path: KeyPath, old: Any, new: Any) -> list[_Step]:
    """What to do one after the other to make one value of another."""
    steps: list[_Step] = []
    work = [(path, old, new)]
    while work and len(steps) <= MAX_STEPS:
        place, one, other = work.pop()
        if same(one, other):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            work += [((*place, key), one[key], other[key]) for key in one if key in other]
            steps += [_adding((*place, key), other[key]) for key in other if key not in one]
            steps += [_removing((*place, key)) for key in one if key not in other]
        elif isinstance(one, list) and isinstance(other, list):
            both, further = _list_steps(place, one, other)
            work += [((*place, at), one[at], other[at]) for at in both]
            steps += further
        else:
            steps.append(_putting(place, other))
    return steps


def _list_steps(path: KeyPath, one: list[Any], other: list[Any]) -> tuple[range, list[_Step]]:
    """(positions to compare, steps): where items only came or went, the others stay untouched."""
    short = min(len(one), len(other))
    head = next((at for at in range(short) if not same(one[at], other[at])), short)
    tail = next((at for at in range(short - head) if not same(one[~at], other[~at])), short - head)
    both = range(0)
    if head + tail < short:
        head, tail, both = short, 0, range(short)
    gone = [_removing((*path, at)) for at in range(len(one) - tail - 1, head - 1, -1)]
    came = [_adding((*path, at), other[at]) for at in range(head, len(other) - tail)]
    return both, [*gone, *came]


def _adding(path: KeyPath, value: Any) -> _Step:
    return lambda document: _add(document, path, value)


def _removing(path: KeyPath) -> _Step:
    return lambda document: spliced(document.text, removal(document, path))


def _putting(path: KeyPath, value: Any) -> _Step:
    return lambda document: _put(document, path, value)


def _checked(document: Document, text: str, path: KeyPath, value: Any) -> Edit:
    """The edit, once the new text was read and holds what it should and nothing else."""
    found = read_document(text)
    expected = replaced(document.value, path, value)
    whole = found.readable and len(found.faults) <= len(document.faults)
    if not (whole and same(found.value, expected)):
        message = "this cannot be changed without touching more of the file"
        raise EditRefused(message, place=dotted(path), remedy="Edit the file by hand")
    doing = "remove" if value is MISSING else "set"
    reason = f"{doing} {dotted(path) or 'the whole config'}"
    if value is not MISSING and not isinstance(value, dict | list):
        reason += f" to {shown(value, path)}"
    before = value_at(document.value, path)
    return Edit(document.text, text, _diff(document, found), before, value, redact(reason))


def _diff(old: Document, new: Document) -> str:
    """Both texts compared, without the keys that stand in them."""
    return redact(unified(old.text, new.text), [*_private(old.value), *_private(new.value)])


def _private(value: Any) -> list[str]:
    """Texts at the places of secrets, except references to variables."""
    found: list[str] = []
    work: list[tuple[KeyPath, Any]] = [((), value)]
    while work:
        path, item = work.pop()
        if isinstance(item, dict):
            work += [((*path, key), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            work += [((*path, at), inner) for at, inner in enumerate(item)]
        elif isinstance(item, str) and is_private(path) and not item.startswith("${"):
            found.append(item)
    return found
