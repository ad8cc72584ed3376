"""Checks a config against the schema's types and finds everything wrong, not only the first.

The walk keeps a list of values still to be looked at, so nesting costs no stack. It writes what
passed into plain containers in the schema's one form; when nothing was wrong, msgspec makes the
frozen value from them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from engine.config.findings import Finding, is_private, resemble, shown
from engine.config.forms import after, before, extra_type
from engine.config.scan import KeyPath
from engine.config.schema import Config

__all__ = ["Checked", "build", "check_types"]

MAX_WHOLE = 2**53
"""Largest whole number taken; beyond it the reference's numbers are no longer exact."""

MAX_GUESSES = 500
"""Unknown keys for which a likely meaning is looked up."""

_HALF = re.compile("[\ud800-\udfff]")
_ABSENT = object()


@dataclass(slots=True)
class Checked:
    """The outcome: what passed in camelCase, findings, and the paths of keys nobody knows.

    A list in `data` still has a gap where an item did not pass, so that positions are the file's.
    """

    data: dict[str, Any]
    findings: list[Finding]
    unknown: list[KeyPath]
    lists: list[list[Any]]


@dataclass(slots=True)
class _Task:
    """A value to check; what passes is stored as `target[slot]`."""

    path: KeyPath
    raw: Any
    type: inspect.Type
    target: Any
    slot: Any


@cache
def struct_info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


@dataclass(slots=True)
class _Walk:
    foreign: bool
    skip: frozenset[KeyPath]
    tasks: list[_Task] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unknown: list[KeyPath] = field(default_factory=list)
    lists: list[list[Any]] = field(default_factory=list)

    def run(self, raw: Any) -> dict[str, Any]:
        root: dict[str, Any] = {}
        self.tasks.append(_Task((), raw, struct_info(Config), root, "config"))
        while self.tasks:
            self.visit(self.tasks.pop())
        found = root.get("config")
        return found if isinstance(found, dict) else {}

    def visit(self, task: _Task) -> None:
        kind = task.type
        if isinstance(kind, inspect.UnionType):
            kind = self.option(kind, task.raw)
        if isinstance(kind, inspect.StructType | inspect.TypedDictType):
            self.struct(task, kind)
        elif isinstance(kind, inspect.DictType):
            self.mapping(task, kind)
        elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
            self.sequence(task, kind)
        else:
            self.scalar(task, kind)

    def option(self, union: inspect.UnionType, raw: Any) -> inspect.Type:
        """The member of a union that a value of this kind is meant for; else the union itself."""
        members = [kind for kind in union.types if not isinstance(kind, inspect.NoneType)]
        if len(members) == 1:
            return members[0]
        for kind in members:
            if _suits(kind, raw):
                return kind
        return union

    def fail(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.findings.append(Finding(path, message, hint))

    def push(self, path: KeyPath, raw: Any, kind: inspect.Type, target: Any, slot: Any) -> None:
        if raw is not None and path not in self.skip:
            self.tasks.append(_Task(path, raw, kind, target, slot))

    def struct(self, task: _Task, kind: inspect.StructType | inspect.TypedDictType) -> None:
        raw = before(kind.cls, task.raw, task.path, self.findings)
        if not isinstance(raw, dict):
            self.fail(task.path, f"expected an object, found {shown(raw, task.path)}")
            return
        made = task.target.get(task.slot, {}) if isinstance(task.target, dict) else {}
        task.target[task.slot] = made
        fields = {item.encode_name: item for item in kind.fields}
        for name, item in fields.items():
            if item.required and (raw.get(name) is None or (*task.path, name) in self.skip):
                self.fail(task.path, f"`{name}` is missing")
            elif isinstance(item.default, msgspec.Struct) and isinstance(raw.get(name), dict):
                # A field's own default, as history.dm has, holds for the keys not given.
                made[name] = msgspec.to_builtins(item.default)
        # The last one pushed is looked at first, so this keeps the order of the file.
        for key, value in reversed(raw.items()):
            if key in fields:
                self.push((*task.path, key), value, fields[key].type, made, key)
            else:
                self.extra(task.path, kind.cls, key, value, made, list(fields))

    def extra(
        self, path: KeyPath, kind: type, key: Any, raw: Any, made: dict[str, Any], known: list[str]
    ) -> None:
        """A key that the schema does not name."""
        here = (*path, str(key))
        found = extra_type(kind, str(key), raw, foreign=self.foreign)
        if found is not None:
            self.push(here, raw, struct_info(found), made, str(key))
            return
        self.stray(here, known)

    def stray(self, path: KeyPath, known: list[str]) -> None:
        """Note an unknown key. Guessing what was meant is dear, so it is not done without end."""
        self.unknown.append(path)
        guess = len(self.unknown) <= MAX_GUESSES
        self.findings.append(_unknown_key(path, known, foreign=self.foreign, guess=guess))

    def mapping(self, task: _Task, kind: inspect.DictType) -> None:
        if not isinstance(task.raw, dict):
            self.fail(task.path, f"expected an object, found {shown(task.raw, task.path)}")
            return
        made: dict[str, Any] = {}
        task.target[task.slot] = made
        names = kind.key_type.values if isinstance(kind.key_type, inspect.LiteralType) else None
        for key, value in reversed(task.raw.items()):
            here = (*task.path, str(key))
            if names and key not in names:
                self.stray(here, [str(name) for name in names])
            elif here in self.skip:
                continue
            elif _HALF.search(str(key)):
                self.fail(here, "the key holds half a character, which cannot be stored")
            else:
                self.push(here, value, kind.value_type, made, str(key))

    def sequence(self, task: _Task, kind: inspect.VarTupleType | inspect.ListType) -> None:
        if not isinstance(task.raw, list | tuple):
            hint = None
            if isinstance(task.raw, str | int) and not isinstance(task.raw, bool):
                hint = f"write [{shown(task.raw, task.path)}]"
            self.fail(task.path, f"expected a list, found {shown(task.raw, task.path)}", hint)
            return
        items: list[Any] = [_ABSENT] * len(task.raw)
        self.lists.append(items)
        task.target[task.slot] = items
        for index in range(len(items) - 1, -1, -1):
            self.push((*task.path, index), task.raw[index], kind.item_type, items, index)

    def scalar(self, task: _Task, kind: inspect.Type) -> None:
        raw, path = task.raw, task.path
        wrong: tuple[str, str | None] | None
        if isinstance(kind, inspect.LiteralType):
            wrong = _not_one_of(raw, kind)
        elif isinstance(kind, inspect.IntType | inspect.FloatType):
            if isinstance(kind, inspect.IntType) and isinstance(raw, float) and raw.is_integer():
                raw = int(raw)
            wrong = _not_in_range(raw, kind)
        elif isinstance(kind, inspect.UnionType):
            raw, wrong = _one_of_several(raw, kind)
        elif isinstance(kind, inspect.StrType):
            wrong = None if isinstance(raw, str) else ("text", _quoted(raw))
        elif isinstance(kind, inspect.BoolType):
            wrong = None if isinstance(raw, bool) else ("true or false", _truth(raw))
        else:
            wrong = None
        if wrong is None and isinstance(raw, str) and _HALF.search(raw):
            self.fail(path, "the text holds half a character, which cannot be stored")
        elif wrong is None:
            task.target[task.slot] = raw
        else:
            hint = None if is_private(path) else wrong[1]
            self.fail(path, f"expected {wrong[0]}, found {shown(task.raw, path)}", hint)


def _unknown_key(path: KeyPath, known: list[str], *, foreign: bool, guess: bool) -> Finding:
    key = str(path[-1])
    meant = resemble(key, known) if guess else None
    hint = f"did you mean '{meant}'?" if meant else None
    if hint is None and not foreign:
        elsewhere = known_places().get(key)
        hint = f"it belongs in {elsewhere}" if elsewhere else "known here: " + ", ".join(known[:12])
    if foreign:
        return Finding(path, f"`{key}` is not used here", hint, "warning", on_key=True)
    return Finding(path, f"unknown key `{key}`", hint, on_key=True)


@cache
def known_places() -> dict[str, str]:
    """For each key that the schema has in one top-level part only: the name of that part."""
    top = struct_info(Config)
    assert isinstance(top, inspect.StructType)
    places: dict[str, str | None] = {}
    for part in top.fields:
        if isinstance(part.type, inspect.StructType):
            for item in part.type.fields:
                name = item.encode_name
                places[name] = None if name in places else part.encode_name
    return {name: place for name, place in places.items() if place}


def _suits(kind: inspect.Type, raw: Any) -> bool:
    if isinstance(raw, dict):
        return isinstance(kind, inspect.StructType | inspect.TypedDictType | inspect.DictType)
    if isinstance(raw, list | tuple):
        return isinstance(kind, inspect.VarTupleType | inspect.ListType)
    if isinstance(raw, bool):
        return isinstance(kind, inspect.BoolType)
    return isinstance(raw, str) and isinstance(kind, inspect.StrType)


def _digits(raw: Any) -> Any:
    if isinstance(raw, float) and raw.is_integer() and abs(raw) <= MAX_WHOLE:
        raw = int(raw)
    return str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw


def _one_of_several(raw: Any, kind: inspect.UnionType) -> tuple[Any, tuple[str, str | None] | None]:
    """A value that no member of a union is made for; ids may be numbers and become text."""
    if any(isinstance(member, inspect.IntType) for member in kind.types):
        raw = _digits(raw)
        return raw, None if isinstance(raw, str) else ("text or a number", None)
    return raw, ("text", _quoted(raw))


def _quoted(raw: Any) -> str | None:
    return f'write "{raw}"' if isinstance(raw, int | float) and not isinstance(raw, bool) else None


def _truth(raw: Any) -> str | None:
    words = {"true": "true", "yes": "true", "on": "true", "1": "true"}
    words.update({"false": "false", "no": "false", "off": "false", "0": "false"})
    meant = words.get(str(raw).strip().lower())
    return f"write {meant}, without quotes" if meant else None


def _not_one_of(raw: Any, kind: inspect.LiteralType) -> tuple[str, str | None] | None:
    # bool is a kind of int in Python, so True must not pass as 1.
    if raw in kind.values if isinstance(raw, str) else False:
        return None
    names = [str(value) for value in kind.values]
    meant = resemble(raw, names) if isinstance(raw, str) else None
    return "one of " + ", ".join(names), f"did you mean '{meant}'?" if meant else None


def _not_in_range(
    raw: Any, kind: inspect.IntType | inspect.FloatType
) -> tuple[str, str | None] | None:
    whole = isinstance(kind, inspect.IntType)
    number = "a whole number" if whole else "a number"
    good = isinstance(raw, int if whole else int | float) and not isinstance(raw, bool)
    if not good or not math.isfinite(raw):
        bare = isinstance(raw, str) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", raw)
        return number, "write it without quotes" if bare else None
    low, high = kind.ge if kind.ge is not None else kind.gt, kind.le
    if kind.gt is not None and raw <= kind.gt:
        return f"{number} above {kind.gt}" + (f", {high} at most" if high is not None else ""), None
    if (low is not None and raw < low) or (high is not None and raw > high):
        ends = f" from {low} to {high}" if high is not None else f" of at least {low}"
        return number + ends, None
    return ("a smaller number", None) if abs(raw) > MAX_WHOLE else None


def check_types(
    raw: Any, *, foreign: bool = False, skip: frozenset[KeyPath] = frozenset()
) -> Checked:
    """Check a parsed config. Values at paths in `skip` count as absent."""
    walk = _Walk(foreign, skip)
    data = walk.run(raw)
    return Checked(data, walk.findings, walk.unknown, walk.lists)


def build(checked: Checked) -> Config:
    """The frozen value. Only for what was found free of errors.

    Raises:
        msgspec.ValidationError: the check and the schema disagree, which is a fault of ours.
    """
    for items in checked.lists:
        items[:] = [item for item in items if item is not _ABSENT]
    return msgspec.convert(after(checked.data), Config)
