"""Entries that part at the same place, as a person sees them."""

from __future__ import annotations

from engine.sessions.entries import is_bookkeeping
from engine.sessions.tree import Tree

__all__ = ["siblings_of"]


def siblings_of(tree: Tree, entry_id: str) -> tuple[str, ...]:
    """An entry and those beside it, in file order: all that follow what it follows, labels and
    settings between them passed over.

    Raises:
        EntryNotFound: there is no such entry.
    """
    node = tree.node(entry_id)
    anchor = tree.anchor(node.parent_id)
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
