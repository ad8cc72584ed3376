"""What is asked for to change an entry of the config or to add one, by what the schema wants there,
and the edit that the answers make. Nothing here draws; tui.config.editor shows the forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.config.document import dotted
from engine.config.entries import add_entry, add_item, put_entry, remove_entry
from engine.config.keypath import MISSING, parse_value
from engine.config.scan import KeyPath
from engine.config.shape import Shape, read_value, shape_at
from engine.errors import EditRefused, Problem
from tui.behind.configrows import Entry, trail
from tui.config.draft import Step
from tui.widgets.dialogs.entryform import FormField, Remark

__all__ = ["Asked", "BadAnswer", "change_of", "new_item_of", "new_key_of", "remarks_of", "text_of"]

NOT_GIVEN = "default"
"""The word that leaves a key out, where one of a few words is chosen."""

ROOM = 44
"""Cells that words to choose from may take beside each other."""

_YES_NO = ("true", "false")


class BadAnswer(Exception):
    """An answer cannot be read. `field`: which."""

    def __init__(self, field: str, told: str):
        super().__init__(told)
        self.field = field


@dataclass(frozen=True, slots=True)
class Asked:
    """A form and what becomes of its answers.

    Attributes:
        title: over the form.
        fields: what is asked for.
        step: the change that the answers make; None for none. It may raise BadAnswer.
        place: where what is made stands.
    """

    title: str
    fields: tuple[FormField, ...]
    step: Callable[[Mapping[str, str]], Step | None]
    place: Callable[[Mapping[str, str]], KeyPath]


def _words(shape: Shape) -> tuple[str, ...]:
    return _YES_NO if shape.sort == "true or false" else shape.choices


# a value that is there, or may be


def change_of(entry: Entry) -> Asked:
    """Another value for a plain entry. Empty, or `default`, takes it out again where it may be."""
    shape = entry.shape or Shape("anything", "anything")
    optional = isinstance(entry.path[-1], str) and "required" not in shape.default
    if shape.sort == "anything":
        return text_of(entry)
    words = _words(shape)
    value = "" if shape.private or not entry.written else _plain(entry.raw)
    if words:
        words = (*words, NOT_GIVEN) if optional else words
        value = value or NOT_GIVEN
    says = shape.words
    if shape.private:
        says = "set; write another, or ${VAR}" if entry.written else "a secret, or ${VAR}"
    field = FormField("value", entry.name, value, says, shape.doc, words, shape.private)
    step = partial(_changed, entry, shape, optional)
    return Asked(trail(entry.path), (field,), step, lambda answers: entry.path)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _changed(entry: Entry, shape: Shape, optional: bool, answers: Mapping[str, str]) -> Step | None:
    text = answers["value"].strip()
    if shape.private and not text:
        return None
    if not text or (text == NOT_GIVEN and NOT_GIVEN not in _words(shape) and _words(shape)):
        if not optional:
            raise BadAnswer("value", f"write {shape.words}; d takes the entry out")
        return partial(remove_entry, path=entry.path) if entry.written else None
    value = _read(shape, text, "value")
    if entry.written and type(value) is type(entry.raw) and value == entry.raw:
        return None
    return partial(put_entry, path=entry.path, value=value)


def _read(shape: Shape, text: str, field: str) -> Any:
    """Raises: BadAnswer."""
    try:
        return read_value(shape, text)
    except (ValueError, EditRefused) as error:
        raise BadAnswer(field, str(error)) from None


def text_of(entry: Entry) -> Asked:
    """A whole value as JSON5, of whatever sort it is."""
    value = "" if entry.raw is MISSING else json.dumps(entry.raw, ensure_ascii=False)
    doc = entry.shape.doc if entry.shape is not None else ""
    field = FormField("value", entry.name, value, "JSON5; a bare word is a text", doc)

    def step(answers: Mapping[str, str]) -> Step | None:
        fresh = _parsed(answers["value"], "value")
        return None if fresh == entry.raw else partial(put_entry, path=entry.path, value=fresh)

    return Asked(trail(entry.path), (field,), step, lambda answers: entry.path)


def _parsed(text: str, field: str) -> Any:
    """Raises: BadAnswer."""
    if not text.strip():
        raise BadAnswer(field, 'write a value; "" is an empty text')
    try:
        return parse_value(text.strip())
    except EditRefused as error:
        raise BadAnswer(field, error.message) from None


# one more


def new_item_of(path: KeyPath, index: int) -> Asked:
    """One more item of a list, before the one at `index`."""
    place = (*path, index)
    fields = _fields(place, "value")

    def step(answers: Mapping[str, str]) -> Step:
        return partial(add_item, path=path, index=index, value=_made(place, fields, answers))

    return Asked(f"New in {trail(path)}", fields, step, lambda answers: place)


def new_key_of(path: KeyPath, taken: Sequence[str]) -> Asked:
    """One more key of a map: its name, and what stands there.

    Args:
        taken: the names there are.
    """
    shape = shape_at(path, {})
    names = tuple(name for name in shape.names if name not in taken) if shape is not None else ()
    fits = sum(len(name) + 6 for name in names) <= ROOM
    name = FormField("\0name", "name", says="a name", doc=shape.doc if shape else "",
                     choices=names if fits else ())  # fmt: skip
    fields = _fields((*path, "\0"), "value")

    def place(answers: Mapping[str, str]) -> KeyPath:
        return (*path, answers["\0name"].strip())

    def step(answers: Mapping[str, str]) -> Step:
        if not place(answers)[-1]:
            raise BadAnswer("\0name", "give it a name")
        if place(answers)[-1] in taken:
            raise BadAnswer("\0name", "there is one of that name already")
        value = _made((*path, "\0"), fields, answers)
        return partial(add_entry, path=place(answers), value=value)

    return Asked(f"New in {trail(path)}", (name, *fields), step, place)


def _fields(place: KeyPath, alone: str) -> tuple[FormField, ...]:
    """What is asked for to make what stands at a place: one field, or one for each plain key."""
    shape = shape_at(place, {}) or Shape("anything", "anything")
    if shape.sort == "object" and not shape.short:
        keys = sorted(shape.fields, key=lambda key: key not in shape.needed)
        found = [_field((*place, key), key, optional=key not in shape.needed) for key in keys]
        return tuple(field for field in found if field is not None)
    field = _field(place, alone, optional=False)
    return () if field is None else (field,)


def _field(place: KeyPath, name: str, *, optional: bool) -> FormField | None:
    """None for what is itself made of several values: it is filled in afterwards."""
    shape = shape_at(place) or Shape("anything", "anything")
    if shape.sort == "object" and shape.short:
        shape = shape_at((*place, shape.short)) or shape
    says, words = shape.words, _words(shape)
    if shape.sort == "list":
        item = shape_at((*place, 0))
        if item is None or item.holds:
            return None
        says = "one, another"
    elif shape.holds:
        return None
    elif shape.sort == "anything":
        says = "JSON5; a bare word is a text"
    says = "a secret, or ${VAR}" if shape.private else says
    words = (NOT_GIVEN, *words) if words and optional else words
    if sum(len(word) + 6 for word in words) > ROOM:
        says, words = " | ".join(words[1:] if optional else words), ()
    if optional and not words:
        says = f"{says}; may stay empty"
    return FormField(name, name, "", says, shape.doc, words, shape.private)


def _made(place: KeyPath, fields: Sequence[FormField], answers: Mapping[str, str]) -> Any:
    """What the answers make. Raises: BadAnswer."""
    shape = shape_at(place, {}) or Shape("anything", "anything")
    if shape.sort == "object" and not shape.short:
        made: dict[str, Any] = {}
        for field in fields:
            text = answers[field.name].strip()
            if text and not (field.choices[:1] == (NOT_GIVEN,) and text == NOT_GIVEN):
                made[field.name] = _value((*place, field.name), text, field.name)
            elif field.name in shape.needed:
                raise BadAnswer(field.name, "it must be given")
        return made
    if not fields:
        return [] if shape.sort == "list" else {}
    text = answers[fields[0].name].strip()
    if not text and shape.sort != "list":
        raise BadAnswer(fields[0].name, f"write {fields[0].says or shape.words}")
    return _value(place, text, fields[0].name)


def _value(place: KeyPath, text: str, field: str) -> Any:
    shape = shape_at(place) or Shape("anything", "anything")
    if shape.sort == "list":
        if text.startswith("["):
            return _parsed(text, field)
        item = shape_at((*place, 0)) or shape
        return [_read(item, part.strip(), field) for part in text.split(",") if part.strip()]
    if shape.sort == "object" and shape.short:
        return _parsed(text, field) if text.startswith("{") else text
    return _read(shape, text, field)


# what is wrong


def remarks_of(
    asked: Asked, answers: Mapping[str, str], problems: Sequence[Problem]
) -> list[Remark]:
    """New problems at the fields that they are about."""
    place = asked.place(answers)
    at = {field.name: dotted((*place, field.name)) for field in asked.fields}
    at |= {"value": dotted(place)} if "value" in at else {}
    found = []
    for problem in problems:
        where = problem.path or ""
        hits = [name for name, path in at.items() if _under(where, path)]
        told = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        text = f"{where}: {told}" if where else told
        found.append(Remark(hits[0] if hits else "", text, problem.severity == "error"))
    return found


def _under(where: str, path: str) -> bool:
    return where == path or where.startswith((f"{path}.", f"{path}["))
