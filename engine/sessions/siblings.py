"""Entries that part at the same place, as a person sees them."""

from __future__ import annotations

from engine.sessions.entries import is_bookkeeping
from engine.sessions.tree import Tree

__all__ = ["following", "siblings_of"]


def siblings_of(tree: Tree, entry_id: str) -> tuple[str, ...]:
    """An entry and those beside it, in file order: all that follow what it follows, labels and
    settings between them passed over.

    Raises:
        EntryNotFound: there is no such entry.
    """
    return following(tree, tree.anchor(tree.node(entry_id).parent_id))


def following(tree: Tree, anchor: str | None) -> tuple[str, ...]:
    """All that follow an entry (None: that begin a tree), in file order, labels and settings
    between them passed over."""
    links, found = tree.links(), []
    stack = list(links.get(anchor, ()))
    while stack:
        name = stack.pop()
        below = tree.nodes[name]
        if is_bookkeeping(below.type, below.custom_type):
            stack += links.get(name, ())
        else:
            found.append(below)
    found.sort(key=lambda one: one.offset)
    return tuple(one.id for one in found)
