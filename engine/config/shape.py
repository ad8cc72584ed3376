"""What the schema wants at a place of the file, for whatever edits one value after the other.

Objects say their keys, maps and lists what is in them; a place that the schema leaves open
(`tools`, a model's `params`) takes anything. The words are those of the reference (`config
schema`): one source, engine.config.reference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct, inspect

from engine.config.findings import is_private
from engine.config.reference import docs_of, members, plain_type, told_default
from engine.config.scan import KeyPath
from engine.config.schema import Agents, Config, ModelChoice, NamedAgent, Reset
from engine.config.validate import struct_info

__all__ = ["Shape", "Sort", "names_model", "read_value", "shape_at"]

Sort = Literal[
    "text", "whole number", "number", "true or false", "choice", "list", "map", "object", "anything"
]

_SHORT: dict[type, str] = {ModelChoice: "primary", Reset: "mode"}
"""Objects that may be written as one text, and the key that it stands for."""

_SIMPLE: dict[type, Sort] = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.LiteralType: "choice",
    inspect.ListType: "list",
    inspect.VarTupleType: "list",
    inspect.DictType: "map",
    inspect.StructType: "object",
    inspect.TypedDictType: "object",
}


class Shape(Struct, frozen=True):
    """What may stand at a place.

    Attributes:
        sort: of which sort it is.
        words: the type, as the reference says it.
        doc: what it means.
        default: ready to be shown: `required`, `default 5`, or empty.
        choices: the values of a choice.
        fields: the keys of an object, in the order of the schema.
        needed: those of them that must be given.
        names: the only keys of a map, where they are few.
        short: the key that a text written in place of the object stands for; "" for none.
        open: whether an object may have further keys by name.
        private: whether its value may be a secret, and is never shown.
    """

    sort: Sort
    words: str
    doc: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    short: str = ""
    open: bool = False
    private: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is a container."""
        return self.sort in ("list", "map", "object")


def shape_at(path: KeyPath, raw: Any = None) -> Shape | None:
    """What the schema wants at a path; None where it knows no such place.

    Args:
        raw: what stands there. Where a text or an object may stand, it decides which it is.
    """
    return _shape_at(path, isinstance(raw, dict))


@lru_cache(maxsize=4096)
def _shape_at(path: KeyPath, object_there: bool) -> Shape | None:
    kind: inspect.Type = struct_info(Config)
    doc = default = ""
    for step in path:
        found = _inside(_member(kind, want_object=True), step)
        if found is None:
            return None
        kind, doc, default = found[0], found[1] or doc, found[2]
    return _shape(_member(kind, want_object=object_there), kind, path, doc, default)


def _member(kind: inspect.Type, *, want_object: bool) -> inspect.Type:
    """The member of a union that is meant; objects stand last there."""
    found = members(kind)
    containers = [one for one in found if _SIMPLE.get(type(one)) in ("list", "map", "object")]
    if containers and (want_object or len(found) == 1):
        return containers[0]
    if any(isinstance(one, inspect.StrType) for one in found):
        return next(one for one in found if isinstance(one, inspect.StrType))
    return found[0] if found else kind


def _inside(kind: inspect.Type, step: str | int) -> tuple[inspect.Type, str, str] | None:
    """(type, doc, default) of what a step leads to."""
    if isinstance(kind, inspect.StructType | inspect.TypedDictType):
        item = next((one for one in kind.fields if one.encode_name == step), None)
        if item is not None:
            return item.type, docs_of(kind.cls)[item.name], told_default(item)
        if kind.cls is Agents and isinstance(step, str):
            return struct_info(NamedAgent), " ".join((NamedAgent.__doc__ or "").split()), ""
        return None
    if isinstance(kind, inspect.DictType):
        return kind.value_type, "", ""
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return kind.item_type, "", ""
    return (kind, "", "") if isinstance(kind, inspect.AnyType) else None


def _shape(kind: inspect.Type, whole: inspect.Type, path: KeyPath, doc: str, default: str) -> Shape:
    sort = _SIMPLE.get(type(kind), "anything")
    shape = Shape(sort, plain_type(whole), doc, default, private=is_private(path))
    changes: dict[str, Any] = {}
    if sort == "anything":
        changes["words"] = "anything"
    if isinstance(kind, inspect.LiteralType):
        changes["choices"] = tuple(str(one) for one in kind.values)
    if isinstance(kind, inspect.DictType):
        inside = plain_type(kind.value_type)
        changes["words"] = f"{'settings' if inside == 'object' else inside} by name"
        if isinstance(kind.key_type, inspect.LiteralType):
            changes["names"] = tuple(str(one) for one in kind.key_type.values)
    if isinstance(kind, inspect.StructType | inspect.TypedDictType):
        by_name = {item.name: item for item in kind.fields}
        items = [by_name[name] for name in docs_of(kind.cls) if name in by_name]
        changes["fields"] = tuple(item.encode_name for item in items)
        changes["needed"] = tuple(item.encode_name for item in items if item.required)
        changes["short"] = _SHORT.get(kind.cls, "")
        changes["open"] = kind.cls is Agents
    return msgspec.structs.replace(shape, **changes)


def names_model(path: KeyPath) -> bool:
    """Whether the value at a path is a reference to a model."""
    if path[:2] == ("models", "aliases"):
        return len(path) == 3
    if path[-1:] == ("model",):
        return "compaction" in path
    return path[-2:] == ("model", "primary") or path[-3:-1] == ("model", "fallbacks")


def read_value(shape: Shape, text: str) -> Any:
    """What a person wrote, as the file is to hold it.

    Raises:
        ValueError: it is no such value; the message says what would be.
        EditRefused: it is no JSON5, where anything may stand.
    """
    from engine.config.keypath import parse_value

    if shape.sort in ("text", "choice"):
        return text
    if shape.sort == "true or false":
        if text not in ("true", "false"):
            raise ValueError("write true or false")
        return text == "true"
    if shape.sort == "whole number":
        return _number(int, text, "a whole number")
    if shape.sort == "number":
        value = _number(float, text, "a number")
        return int(value) if value.is_integer() and "." not in text else value
    return parse_value(text)


def _number(kind: Any, text: str, told: str) -> Any:
    try:
        value = kind(text.strip().replace("_", "")) if text.isascii() else None
    except ValueError:
        value = None
    if value is None or value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"write {told}")
    return value
