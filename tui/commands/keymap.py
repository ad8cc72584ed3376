"""The keymap of the config: which names it may use, and whether two actions share a key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from textual.binding import Binding, BindingType, InvalidBinding
from textual.dom import DOMNode

from engine.errors import Problem

__all__ = ["binding_ids", "completed", "key_name", "keymap_problems"]

Table = dict[str, set[str]]
"""Binding id → its keys."""


_NAMES = {"pgup": "PgUp", "pgdn": "PgDn"}
_WORDS = {"⏎": "Enter", "↑": "Up", "↓": "Down", "←": "Left", "→": "Right"}


def key_name(shown: str, *, ascii_only: bool = False) -> str:
    """A key as Textual shows it, as people write it: `^P`, `F1`, `Esc`, `Shift+Tab`."""
    if shown.startswith("^") and len(shown) > 1:
        last = shown[1:]
        return "^" + (key_name(last, ascii_only=ascii_only) if len(last) > 1 else last.upper())
    parts = shown.split("+") if len(shown) > 1 else [shown]
    names = _NAMES | _WORDS if ascii_only else _NAMES
    return "+".join(names.get(part, part.title() if len(part) > 1 else part) for part in parts)


def _own(node: type[DOMNode]) -> list[BindingType]:
    """Bindings of a class with those it inherits from this project's classes."""
    chain = [each for each in reversed(node.__mro__) if each.__module__.startswith("tui.")]
    return [binding for each in chain for binding in each.__dict__.get("BINDINGS", ())]


def _table(node: type[DOMNode]) -> Table:
    found: Table = {}
    for binding in Binding.make_bindings(_own(node)):
        if binding.id:
            found.setdefault(binding.id, set()).add(binding.key)
    return found


def binding_ids(nodes: Iterable[type[DOMNode]]) -> list[str]:
    """All names that a keymap may use."""
    return sorted({name for node in nodes for name in _table(node)})


def completed(keymap: Mapping[str, str], nodes: Iterable[type[DOMNode]]) -> dict[str, str]:
    """A keymap for Textual, with what would lose its keys through it.

    When a binding gets another key, Textual takes everything away from the old one, also what
    another action of the same class had there: `^C` stops, and at rest copies. Such actions are
    named with the keys that they have anyway.
    """
    whole = dict(keymap)
    for table in map(_table, nodes):
        for name in keymap.keys() & table.keys():
            for other in table.keys() - whole.keys():
                if table[name] & table[other]:
                    whole[other] = ",".join(sorted(table[other]))
    return whole


def keymap_problems(keymap: Mapping[str, str], nodes: Iterable[type[DOMNode]]) -> list[Problem]:
    """What is wrong with a keymap: names that do not exist, keys that are none, and keys that
    two actions of one pane would share."""
    nodes = list(nodes)
    known = binding_ids(nodes)
    problems = [_unknown(name, known) for name in keymap if name not in known]
    wanted: Table = {}
    for name, keys in keymap.items():
        try:
            wanted[name] = _keys(keys)
        except InvalidBinding:
            problems.append(_problem(name, f"`{keys}` names no key", "write a, ctrl+a or f5"))
    for node in nodes:
        problems += _clashes(_table(node), wanted)
    return list(dict.fromkeys(problems))


def _keys(text: str) -> set[str]:
    return {each.key for each in Binding.make_bindings([Binding(text, "x", "x")])}


def _clashes(table: Table, wanted: Table) -> Iterable[Problem]:
    """Actions that get a key another one has, each pair once."""
    now = {name: wanted.get(name, keys) for name, keys in table.items()}
    for name in sorted(wanted.keys() & now.keys()):
        for other in sorted(now.keys() - {name}):
            shared = now[name] & now[other]
            if shared and (other not in wanted or name < other):
                said = f"{name} and {other} share {', '.join(sorted(shared))}"
                yield _problem(name, said, "give one of them another key")


def _unknown(name: str, known: list[str]) -> Problem:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "the help (F1) shows what there is"
    return _problem(name, f"no key goes by the name {name}", hint)


def _problem(name: str, message: str, hint: str) -> Problem:
    return Problem(message, "warning", path=f"keymap.{name}", hint=hint)
