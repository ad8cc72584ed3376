"""Nodes: what a tree keeps of each entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.sessions.entries import Entry

__all__ = ["Node", "Reader", "inherit", "make_entry", "make_node"]


class Node(msgspec.Struct, gc=False):
    """What the index keeps of an entry. `offset` and `length` (bytes) locate its line.

    `compaction`, `model` and `thinking` are the ids of the nearest such nodes at or above this
    one (see Tree.nearest), inherited when the node joins the tree.
    """

    id: str
    parent_id: str | None
    type: str
    role: str | None = None
    custom_type: str | None = None
    offset: int = 0
    length: int = 0
    compaction: str | None = None
    model: str | None = None
    thinking: str | None = None


Reader = Callable[[Node], Mapping[str, Any]]
"""Reads the decoded line of a node."""


def make_node(data: Mapping[str, Any], offset: int = 0, length: int = 0) -> Node | None:
    """The node of a decoded line, or None when it has no usable id and type."""
    node_id, kind, parent_id = data.get("id"), data.get("type"), data.get("parentId")
    if not isinstance(node_id, str) or not node_id or not isinstance(kind, str):
        return None
    if kind == "session":
        return None
    if parent_id is not None and not isinstance(parent_id, str):
        parent_id = str(parent_id)
    message, custom = data.get("message"), data.get("customType")
    role = message.get("role") if kind == "message" and isinstance(message, dict) else None
    return Node(
        node_id,
        parent_id,
        kind,
        role if isinstance(role, str) else None,
        custom if isinstance(custom, str) else None,
        offset,
        length,
    )


def make_entry(node: Node, data: Mapping[str, Any]) -> Entry:
    """The entry of a node and its decoded line."""
    stamp = data.get("timestamp")
    return Entry(node.id, node.type, node.parent_id, stamp if isinstance(stamp, str) else "", data)


def inherit(node: Node, parent: Node | None) -> None:
    """Fill in a node's nearest values from its parent (None: a root) and itself."""
    if parent is not None:
        node.compaction, node.model, node.thinking = (
            parent.compaction,
            parent.model,
            parent.thinking,
        )
    else:
        node.compaction = node.model = node.thinking = None
    match node.type:
        case "message":
            if node.role == "assistant":
                node.model = node.id
        case "compaction":
            node.compaction = node.id
        case "model_change":
            node.model = node.id
        case "thinking_level_change":
            node.thinking = node.id
