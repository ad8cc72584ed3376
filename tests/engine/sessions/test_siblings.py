from __future__ import annotations

from typing import Any

from engine.sessions.siblings import siblings_of
from engine.sessions.tree import Tree


def message(name: str, parent: str | None) -> dict[str, Any]:
    body = {"role": "user", "content": "words"}
    return {"type": "message", "id": name, "parentId": parent, "message": body}


def label(name: str, parent: str | None) -> dict[str, Any]:
    return {"type": "label", "id": name, "parentId": parent, "targetId": "a", "label": "x"}


def test_siblings_follow_the_same_entry_also_through_bookkeeping() -> None:
    lines = [message("a", None), message("b", "a"), label("l", "a"), message("c", "l")]
    tree = Tree.from_entries([*lines, message("d", "b"), message("e", "a")])
    assert siblings_of(tree, "c") == ("b", "c", "e")
    assert siblings_of(tree, "b") == ("b", "c", "e")
    assert siblings_of(tree, "d") == ("d",)


def test_roots_are_siblings() -> None:
    tree = Tree.from_entries([message("a", None), label("l", None), message("b", "l")])
    assert siblings_of(tree, "a") == ("a", "b")


def test_an_entry_whose_parent_is_missing_is_a_root() -> None:
    tree = Tree.from_entries([message("a", None), message("b", "nowhere")])
    assert siblings_of(tree, "b") == ("a", "b")
