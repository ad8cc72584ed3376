"""The entries of a container of the config, as an editor shows them: what the file says, else what
holds without it. Whatever may be a secret is never among what is shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.config.agentedits import agent_entries, default_agent, naming
from engine.config.document import dotted
from engine.config.entries import written_at
from engine.config.findings import is_private
from engine.config.keypath import MISSING
from engine.config.reference import value_in_force
from engine.config.scan import KeyPath
from engine.config.schema import Config
from engine.config.secrets import redact
from engine.config.shape import Shape, shape_at
from engine.text import safe_line
from engine.values import replace

__all__ = ["Entry", "agents_of", "entries_of", "summary", "trail"]

_AGENT = Shape("object", "agent")
_ABOUT = "Its rules are the bindings and patterns that name it; D lets it get what no rule claims."

HIDDEN = "set, and not shown"
_LISTED = 6


class Entry(Struct, frozen=True):
    """One row.

    Attributes:
        path: where it stands, or would stand.
        name: its key or number, safe.
        shown: its value in a few words, safe.
        source: `` where the file says so, `default`, or `not set`.
        shape: what the schema wants there; None where it knows no such key.
        raw: what the file says, MISSING where it says nothing.
    """

    path: KeyPath
    name: str
    shown: str
    source: str
    shape: Shape | None
    raw: Any = MISSING

    @property
    def written(self) -> bool:
        return self.raw is not MISSING

    @property
    def holds(self) -> bool:
        """Whether it is a container, to be gone into."""
        if isinstance(self.raw, dict | list):
            return True
        return self.shape is not None and self.shape.holds


def trail(path: KeyPath) -> str:
    """A path for people; safe."""
    return safe_line(dotted(path), limit=200) or "the config"


def summary(value: Any, path: KeyPath = ()) -> str:
    """A value of the file in a few words, safe."""
    if isinstance(value, list):
        if not value or any(isinstance(one, dict | list) for one in value):
            return _entries(len(value))
        told = ", ".join(summary(one, (*path, at)) for at, one in enumerate(value[:_LISTED]))
        return told if len(value) <= _LISTED else f"{told} and {len(value) - _LISTED:,} more"
    if isinstance(value, dict):
        return _object(value, path)
    if is_private(path):
        reference = isinstance(value, str) and value.startswith("${") and value.endswith("}")
        return safe_line(value, limit=60) if reference else HIDDEN
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe_line(redact(str(value)), limit=120) if value != "" else '""'


def _entries(size: int) -> str:
    return "empty" if not size else "1 entry" if size == 1 else f"{size:,} entries"


def _object(value: Mapping[str, Any], path: KeyPath) -> str:
    """Its plain values by name; the names alone of one that holds only further containers."""
    plain = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
    if is_private(path) or not value:
        return _entries(len(value))
    if not plain:
        names = ", ".join(safe_line(key, limit=40) for key in list(value)[:_LISTED])
        return names if len(value) <= _LISTED else f"{names} and {len(value) - _LISTED:,} more"
    parts = [
        f"{safe_line(key, limit=40)}: {summary(one, (*path, key))}" for key, one in plain.items()
    ]
    return ", ".join(parts[:4])


def entries_of(value: Any, path: KeyPath, config: Config) -> tuple[Entry, ...]:
    """What is in the container at a path of a file: of an object every key there may be.

    Args:
        value: what the file says as a whole.
        config: in force, for what holds where the file says nothing.
    """
    found = written_at(value, path)
    shape = shape_at(path, found)
    if isinstance(found, list):
        return tuple(_entry(value, (*path, at), config, str(at + 1)) for at in range(len(found)))
    keys = list(shape.fields) if shape is not None and shape.sort == "object" else []
    if isinstance(found, dict):
        keys += [key for key in found if key not in keys and (path or key != "$schema")]
    return tuple(_entry(value, (*path, key), config, safe_line(key, limit=80)) for key in keys)


def _entry(value: Any, path: KeyPath, config: Config, name: str) -> Entry:
    raw = written_at(value, path)
    shape = shape_at(path, raw)
    if raw is not MISSING:
        return Entry(path, name, summary(raw, path), "", shape, raw)
    default = value_in_force(config, path)
    default = list(default) if isinstance(default, tuple) else default
    if default is ... and shape is not None and shape.default.startswith("default "):
        default = json.loads(shape.default.removeprefix("default "))
    if default in (..., None, "") or is_private(path):
        return Entry(path, name, "", "not set", shape)
    shown = "" if isinstance(default, dict) and not default else summary(default, path)
    return Entry(path, name, shown, "default", shape)


def agents_of(value: Any, config: Config, sessions: Counter[str]) -> tuple[Entry, ...]:
    """The agents of a file, with what names them.

    Args:
        sessions: how many there are, by agent.
    """
    default = default_agent(value)
    rows = []
    for one in agent_entries(value):
        shape = replace(shape_at(one.path) or _AGENT, words="agent", doc=_ABOUT)
        name, model = one.value.get("name"), one.value.get("model")
        rules, kept = len(naming(value, one.id)), sessions[one.id]
        told = [safe_line(name, limit=40)] if isinstance(name, str) and name != one.id else []
        if isinstance(model, str | dict):
            told.append(summary(model, (*one.path, "model")))
        told.append(f"{rules} rule" if rules == 1 else f"{rules} rules")
        told.append(f"{kept:,} session" if kept == 1 else f"{kept:,} sessions")
        source = "default agent" if one.id == default else ""
        shown = ", ".join(part for part in told if part)
        rows.append(Entry(one.path, safe_line(one.id, limit=64), shown, source, shape, one.value))
    return tuple(rows)
