"""The config's reference, from one source: the schema's types and the strings under its fields.

Three forms: rows (`describe`), text for people (`readable`), and JSON Schema for editors
(`json_schema`). All walk the same types that a config is checked against.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct, inspect

from engine.config.schema import Agents, Config, ModelChoice, NamedAgent, Reset
from engine.config.validate import struct_info

__all__ = [
    "FieldDoc",
    "describe",
    "docs_of",
    "json_schema",
    "members",
    "plain_type",
    "readable",
    "told_default",
    "value_in_force",
]

_Object = inspect.StructType | inspect.TypedDictType


class FieldDoc(Struct, frozen=True):
    """One key. `path` is dotted, `*` for any name and `[]` for any position of a list.

    `default` is ready to be shown: `required`, `default 5`, or empty.
    """

    path: str
    type: str
    default: str
    doc: str


@cache
def docs_of(kind: type) -> dict[str, str]:
    """The string under each field of a class, bases included, on one line."""
    import ast
    import inspect as source
    import textwrap

    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("engine.config."):
            continue
        body = ast.parse(textwrap.dedent(source.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = ast.literal_eval(after.value)
                found[ast.unparse(field.target)] = " ".join(str(text).split())
    return found


def members(kind: inspect.Type) -> list[inspect.Type]:
    """The types a value may have, None left out."""
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return [one for one in kinds if not isinstance(one, inspect.NoneType)]


def _fields(kind: _Object) -> Iterator[tuple[inspect.Field, str]]:
    """The fields of an object in the order of the source, each with its doc."""
    docs = docs_of(kind.cls)
    by_name = {item.name: item for item in kind.fields}
    for name in sorted(by_name, key=list(docs).index):
        yield by_name[name], docs[name]


def plain_type(kind: inspect.Type) -> str:
    """A type in a word or two."""
    simple = {
        inspect.StrType: "text",
        inspect.IntType: "whole number",
        inspect.FloatType: "number",
        inspect.BoolType: "true or false",
    }
    if isinstance(kind, inspect.UnionType):
        return " or ".join(dict.fromkeys(plain_type(one) for one in members(kind)))
    if isinstance(kind, inspect.LiteralType):
        return " | ".join(str(value) for value in kind.values)
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return f"list of {plain_type(kind.item_type)}"
    if isinstance(kind, inspect.StructType) and kind.cls in (ModelChoice, Reset):
        return "text or object"
    return simple.get(type(kind), "object")


def _default(item: inspect.Field, owner: msgspec.Struct | None = None) -> Any:
    """A field's default, None when there is none. `owner`: a default of the whole, which wins."""
    value = getattr(owner, item.name) if owner is not None else item.default
    if value is msgspec.NODEFAULT:
        return None
    return list(value) if isinstance(value, tuple) else value


def _inside(kind: inspect.Type, path: str) -> Iterator[tuple[_Object, str]]:
    """The objects that a value of this type leads to, with their paths."""
    for one in members(kind):
        if isinstance(one, inspect.StructType | inspect.TypedDictType):
            yield one, path
        elif isinstance(one, inspect.DictType):
            yield from _inside(one.value_type, f"{path}.*")
        elif isinstance(one, inspect.VarTupleType | inspect.ListType):
            yield from _inside(one.item_type, f"{path}[]")


class _Part(Struct, frozen=True):
    """An object still to be described; `owner`: its default as a whole, if it has one."""

    kind: _Object
    path: str
    owner: msgspec.Struct | None = None


def told_default(item: inspect.Field) -> str:
    """A field's default, ready to be shown: `required`, `default 5`, or empty."""
    return _told(item, _default(item))


def _told(item: inspect.Field, default: Any) -> str:
    if item.required:
        return "required"
    if default in (None, [], "") or isinstance(default, msgspec.Struct):
        return ""
    return f"default {json.dumps(default)}"


def _rows(part: _Part) -> Iterator[FieldDoc | _Part]:
    """The keys of an object, and after each the objects inside it."""
    for item, doc in _fields(part.kind):
        name = f"{part.path}.{item.encode_name}" if part.path else item.encode_name
        default = _default(item, part.owner)
        yield FieldDoc(name, plain_type(item.type), _told(item, default), doc)
        owner = default if isinstance(default, msgspec.Struct) else None
        for kind, path in _inside(item.type, name):
            yield _Part(kind, path, owner)
    if part.kind.cls is Agents:
        doc = " ".join((NamedAgent.__doc__ or "").split())
        yield FieldDoc(f"{part.path}.*", "object", "", doc)
        yield _Part(_struct(NamedAgent), f"{part.path}.*")


def _struct(kind: type) -> inspect.StructType:
    found = struct_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def describe() -> tuple[FieldDoc, ...]:
    """Every key of the config in the order of the schema, parts after their whole."""
    rows: list[FieldDoc] = []
    work: list[FieldDoc | _Part] = [_Part(_struct(Config), "")]
    while work:
        step = work.pop()
        if isinstance(step, FieldDoc):
            rows.append(step)
        else:
            work.extend(reversed(list(_rows(step))))
    return tuple(rows)


def readable(prefix: str = "") -> str:
    """The reference as text: a line with path, type and default, and what it means below.

    Args:
        prefix: a dotted path; only it and what is under it. All of it when empty.
    """
    parts = []
    for row in describe():
        under = row.path.startswith((f"{prefix}.", f"{prefix}["))
        if prefix and row.path != prefix and not under:
            continue
        head = f"{row.path}  ({', '.join(part for part in (row.type, row.default) if part)})"
        parts.append(f"{head}\n    {row.doc}")
    return "\n".join(parts)


_SIMPLE = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
}
_RANGES = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}


def _schema(kind: inspect.Type) -> dict[str, Any]:
    """JSON Schema of a type; objects are references into `$defs`."""
    if isinstance(kind, inspect.UnionType):
        options = [_schema(one) for one in members(kind)]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if isinstance(kind, inspect.LiteralType):
        return {"enum": list(kind.values)}
    if isinstance(kind, inspect.DictType):
        made: dict[str, Any] = {"type": "object", "additionalProperties": _schema(kind.value_type)}
        if isinstance(kind.key_type, inspect.LiteralType):
            made["propertyNames"] = _schema(kind.key_type)
        return made
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return {"type": "array", "items": _schema(kind.item_type)}
    if isinstance(kind, inspect.StructType | inspect.TypedDictType):
        link = {"$ref": f"#/$defs/{kind.cls.__name__}"}
        # These may also be written as plain text: a model reference, a mode.
        return {"anyOf": [{"type": "string"}, link]} if kind.cls in (ModelChoice, Reset) else link
    if type(kind) not in _SIMPLE:
        return {}
    simple: dict[str, Any] = {"type": _SIMPLE[type(kind)]}
    for limit, word in _RANGES.items():
        if getattr(kind, limit, None) is not None:
            simple[word] = getattr(kind, limit)
    return simple


def _definition(kind: _Object) -> dict[str, Any]:
    """JSON Schema of one class of objects."""
    properties: dict[str, Any] = {}
    for item, doc in _fields(kind):
        entry: dict[str, Any] = {"description": doc}
        default = _default(item)
        if isinstance(default, msgspec.Struct):
            default = msgspec.to_builtins(default) or None
        if default is not None:
            entry["default"] = default
        properties[item.encode_name] = entry | _nullable(_schema(item.type), item)
    if kind.cls is ModelChoice:
        properties["provider"] = {"type": "string", "description": "With name: primary in parts."}
        properties["name"] = {"type": "string", "description": "The model's id at the provider."}
    made: dict[str, Any] = {"type": "object", "properties": properties}
    needed = [item.encode_name for item, _ in _fields(kind) if item.required]
    if needed:
        made["required"] = needed
    open_ended = kind.cls is Agents
    made["additionalProperties"] = {"$ref": "#/$defs/NamedAgent"} if open_ended else False
    return made


def _nullable(schema: dict[str, Any], item: inspect.Field) -> dict[str, Any]:
    """null stands for an absent key everywhere but where a key is required."""
    if item.required or not schema:
        return schema
    options = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
    return {"anyOf": [*options, {"type": "null"}]}


def json_schema() -> dict[str, Any]:
    """The config as JSON Schema (2020-12), for editors and other programs."""
    definitions: dict[str, Any] = {}
    work: list[_Object] = [_struct(Config), _struct(NamedAgent)]
    while work:
        kind = work.pop()
        if kind.cls.__name__ not in definitions:
            definitions[kind.cls.__name__] = _definition(kind)
            for item in kind.fields:
                work.extend(found for found, _ in _inside(item.type, ""))
    root = definitions.pop("Config")
    root["properties"]["$schema"] = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Branchline config",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def value_in_force(config: Config, path: tuple[str | int, ...]) -> Any:
    """What a config says at a path of the file's names, defaults included, in plain containers;
    `...` when the path leads nowhere."""
    found: Any = config
    for step in path:
        if isinstance(found, msgspec.Struct):
            names = {item.encode_name: item.name for item in msgspec.structs.fields(found)}
            found = getattr(found, names[step]) if step in names else ...
        elif isinstance(found, dict):
            found = found.get(step, ...)
        elif isinstance(found, tuple):
            found = found[step] if isinstance(step, int) and 0 <= step < len(found) else ...
        else:
            return ...
    return found if found is ... else msgspec.to_builtins(found)
