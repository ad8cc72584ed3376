"""Agents as a person changes them: one more, another default, one less with what names it.

Agents stand in `agents.list`, and by name in `agents` itself; those of the list come first. While
there is none at all, the engine has one called `main`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.config.checks import folded_agent_id
from engine.config.document import dotted, read_document
from engine.config.edit import Edit, remove_value, rename_key, set_value, together
from engine.config.entries import add_entry, add_item, put_entry
from engine.config.keypath import value_at
from engine.config.scan import KeyPath
from engine.errors import EditRefused

__all__ = [
    "AgentEntry",
    "add_agent",
    "agent_entries",
    "default_agent",
    "make_default",
    "naming",
    "remove_agent",
    "rename_agent",
]

_LIST: KeyPath = ("agents", "list")
_OWN_KEYS = ("defaults", "list")


class AgentEntry(Struct, frozen=True):
    """An agent in the file. `id`: as routing reads it; `default`: whether it says so itself."""

    path: KeyPath
    id: str
    default: bool
    value: Mapping[str, Any]


def agent_entries(value: Any) -> tuple[AgentEntry, ...]:
    """The agents that a file names, in the order in which the engine has them."""
    agents = value_at(value, ("agents",))
    if not isinstance(agents, dict):
        return ()
    listed = agents.get("list")
    found: list[tuple[KeyPath, Any, Any]] = []
    for at, one in enumerate(listed if isinstance(listed, list) else ()):
        found.append(((*_LIST, at), one, one.get("id") if isinstance(one, dict) else None))
    for name, one in agents.items():
        if name not in _OWN_KEYS:
            said = one.get("id") if isinstance(one, dict) else None
            found.append((("agents", name), one, said or name))
    return tuple(
        AgentEntry(path, folded_agent_id(name), one.get("default") is True, one)
        for path, one, name in found
        if isinstance(one, dict) and isinstance(name, str)
    )


def default_agent(value: Any) -> str:
    """The agent that gets what no binding claims."""
    found = agent_entries(value)
    chosen = next((one for one in found if one.default), found[0] if found else None)
    return "main" if chosen is None else chosen.id


def add_agent(text: str, value: Mapping[str, Any]) -> Edit:
    """One more agent, behind the others; who is the default stays so.

    Raises:
        EditRefused: as `set_value`; or there is one of that id.
    """
    document = read_document(text)
    known = agent_entries(document.value)
    name = str(value.get("id", ""))
    if any(one.id == folded_agent_id(name) for one in known):
        raise EditRefused(f"there is an agent {folded_agent_id(name)} already")
    found = value_at(document.value, _LIST)
    listed = found if isinstance(found, list) else []
    if known and not listed:  # one in the list would come before those by name
        entry = {key: one for key, one in value.items() if key != "id"}
        return add_entry(text, ("agents", name), entry)
    size = len(listed)
    if known or folded_agent_id(name) == "main":
        return add_item(text, _LIST, size, dict(value))
    first = add_item(text, _LIST, size, {"id": "main"})  # else there would be no `main` any more
    return together(first, add_item(first.text, _LIST, size + 1, dict(value)))


def make_default(text: str, path: KeyPath) -> Edit:
    """Let an agent get what no binding claims.

    Raises:
        EditRefused: there is no such agent, or as `set_value`.
    """
    value = read_document(text).value
    _entry(value, path)
    edits = [put_entry(text, (*path, "default"), True)]
    for one in agent_entries(value):
        if one.path != path and one.default:
            edits.append(remove_value(edits[-1].text, (*one.path, "default")))
    return together(*edits)


def naming(value: Any, agent: str) -> tuple[KeyPath, ...]:
    """The bindings and the patterns of `routing` that name an agent."""
    bindings, routing = value_at(value, ("bindings",)), value_at(value, ("routing",))
    found: list[tuple[KeyPath, Any]] = []
    for at, one in enumerate(bindings if isinstance(bindings, list) else ()):
        found.append((("bindings", at), one.get("agentId") if isinstance(one, dict) else None))
    found += [
        (("routing", key), name)
        for key, name in (routing if isinstance(routing, dict) else {}).items()
    ]
    return tuple(
        path for path, name in found if isinstance(name, str) and folded_agent_id(name) == agent
    )


def remove_agent(text: str, path: KeyPath, *, with_rules: bool) -> Edit:
    """Take an agent out, and with it the rules that name it, if they are not to stay.

    Raises:
        EditRefused: there is no such agent, or as `remove_value`.
    """
    value = read_document(text).value
    entry = _entry(value, path)
    gone = naming(value, entry.id) if with_rules else ()
    edits = [remove_value(text, path)]
    for place in reversed(gone):  # from behind: positions in front stay as they are
        edits.append(remove_value(edits[-1].text, place))
    return together(*edits)


def rename_agent(text: str, path: KeyPath, name: str) -> Edit:
    """Give an agent another id, also in the rules that name it.

    Raises:
        EditRefused: there is no such agent, one has that id, or as `set_value`.
    """
    value = read_document(text).value
    entry = _entry(value, path)
    if any(one.id == folded_agent_id(name) and one.path != path for one in agent_entries(value)):
        raise EditRefused(f"there is an agent {folded_agent_id(name)} already")
    if path[:2] == _LIST or "id" in entry.value:
        edits = [set_value(text, (*path, "id"), name)]
    else:
        edits = [rename_key(text, path, name)]
    for place in naming(value, entry.id):
        where = (*place, "agentId") if place[0] == "bindings" else place
        edits.append(set_value(edits[-1].text, where, name))
    return together(*edits)


def _entry(value: Any, path: KeyPath) -> AgentEntry:
    found = next((one for one in agent_entries(value) if one.path == path), None)
    if found is None:
        raise EditRefused("there is no such agent in the file", place=dotted(path) or "agents")
    return found
