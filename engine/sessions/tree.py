"""A session's tree: nodes by id, parents, children, the leaf; bodies are read when needed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import EntryNotFound, Problem
from engine.sessions.entries import LEAF, OUR_PREFIX, Entry, is_bookkeeping
from engine.sessions.nodes import Node, Reader, inherit, make_entry, make_node
from engine.text import safe_line

__all__ = ["NOTING", "Node", "Reader", "Tree", "make_entry"]

NOTING = frozenset({"label", "session_info", "custom"})
"""Types of entries whose content the tree itself needs (labels, the name, leaf moves)."""

_SHOWN = 20
"""Most problems of one sort that are listed one by one; the rest is counted."""


class Tree:
    """Nodes in file order with their links. Survives missing parents (extra roots) and cycles
    (cut and reported); no method recurses.

    The leaf follows the reference (the last entry in the file), except that our own bookkeeping
    never is one and `branchline.leaf` moves it to its target (SPEC §5: the leaf is durable). Of
    entries that share an id the last one has it, as in the reference; earlier ones stay in the
    tree as `<id>~1`, `<id>~2` … and are reported.

    One thread may add while others read.

    Attributes:
        nodes: by id.
        leaf: where the conversation goes on; None before the first entry.
        labels: the label of each entry that has one.
        name: the session's name, from the latest session_info.
        ours: the last entry of each `branchline.*` custom type: settings of the session.
    """

    def __init__(self, reader: Reader | None = None):
        self.nodes: dict[str, Node] = {}
        self.leaf: str | None = None
        self.labels: dict[str, str] = {}
        self.name: str | None = None
        self.ours: dict[str, str] = {}
        self._reader = reader
        self._lock = threading.RLock()
        self._missing: dict[str, int] = {}
        self._cut: dict[str, None] = {}
        self._doubles: dict[str, int] = {}
        self._lost_leaf: str | None = None
        self._children: dict[str | None, list[str]] | None = None
        self._unsettled = False

    @classmethod
    def from_entries(cls, entries: Iterable[Mapping[str, Any]]) -> Tree:
        """A tree held in memory, of decoded lines without the header."""
        lines = list(entries)
        tree = cls(lambda node: lines[node.offset])
        for index, data in enumerate(lines):
            node = make_node(data, index)
            if node is not None:
                tree._add(node, data)
        tree._settle()
        return tree

    def add(self, node: Node, data: Mapping[str, Any] | None = None) -> None:
        """Take in the next entry of the file, in constant time; one pass over all nodes when its
        id was there already or was waited for as a parent.

        Args:
            node: the entry's place; its nearest values are filled in here.
            data: the decoded line, for types in NOTING; read from the file when left out.
        """
        with self._lock:
            self._add(node, data)
            self._settle()

    def _add(self, node: Node, data: Mapping[str, Any] | None = None) -> None:
        node_id, parent_id = node.id, node.parent_id
        if node_id in self.nodes or node_id in self._missing:
            self._add_odd(node)
        parent = None
        if parent_id is not None:
            parent = self.nodes.get(parent_id)
            if parent is None or parent is node or parent_id == node_id:
                self._missing[parent_id] = self._missing.get(parent_id, 0) + 1
                self._unsettled = self._unsettled or parent_id == node_id
                parent = None
        self.nodes[node_id] = node
        inherit(node, parent)
        if self._children is not None:
            self._children.setdefault(parent.id if parent else None, []).append(node_id)
        self._follow(node, data)

    def extend(self, fresh: Iterable[Node]) -> None:
        """Take in many entries; as `add`, quicker where each is a message under the one before."""
        with self._lock:
            self._extend(fresh)
            self._settle()

    def _extend(self, fresh: Iterable[Node]) -> None:
        nodes, last = self.nodes, None
        for node in fresh:
            name = node.id
            if (
                last is None
                or node.parent_id != last.id
                or name in nodes
                or node.type != "message"
                or self._missing
                or self._children is not None
            ):
                self._add(node)
                last = node if node.id == name else None
                continue
            node.parent_id = last.id
            node.compaction, node.thinking = last.compaction, last.thinking
            node.model = name if node.role == "assistant" else last.model
            nodes[name] = node
            self.leaf = name
            last = node

    def parent_for(self, fields: Mapping[str, Any]) -> str | None:
        """The parent of an entry to be appended: the leaf for bookkeeping, so that a reader who
        knows only v3 stays on the path; for all else the anchor."""
        custom = fields.get("customType")
        if is_bookkeeping(str(fields.get("type")), custom if isinstance(custom, str) else None):
            return self.leaf
        return self.anchor(self.leaf)

    def _add_odd(self, node: Node) -> None:
        """A second entry of an id, or one that earlier entries already named as their parent."""
        self._unsettled = True
        earlier = self.nodes.pop(node.id, None)
        if earlier is None:
            return
        count = self._doubles.get(node.id, 0) + 1
        while (name := f"{node.id}~{count}") in self.nodes:
            count += 1
        self._doubles[node.id] = count
        earlier.id = name
        self.nodes[name] = earlier

    def _follow(self, node: Node, data: Mapping[str, Any] | None) -> None:
        """Move the leaf, and note labels and names."""
        ours = node.type == "custom" and (node.custom_type or "").startswith(OUR_PREFIX)
        if ours:
            self.ours[node.custom_type or ""] = node.id
        else:
            self.leaf = node.id
        if node.type not in NOTING or (node.type == "custom" and node.custom_type != LEAF):
            return
        if data is None and self._reader is not None:
            data = self._reader(node)
        if data is None:
            return
        if node.type == "label":
            self._label(data)
        elif node.type == "session_info":
            name = data.get("name")
            self.name = (name.strip() or None) if isinstance(name, str) else None
        else:
            self._move(data.get("data"))

    def _label(self, data: Mapping[str, Any]) -> None:
        target, label = data.get("targetId"), data.get("label")
        if not isinstance(target, str):
            return
        if isinstance(label, str) and label:
            self.labels[target] = label
        else:
            self.labels.pop(target, None)

    def _move(self, body: object) -> None:
        """Our leaf entry; a target that does not exist leaves the leaf where it was."""
        target = body.get("targetId") if isinstance(body, dict) else None
        if target is None or target in self.nodes:
            self.leaf, self._lost_leaf = target, None
        else:
            self._lost_leaf = str(target)

    def _settle(self) -> None:
        """Put the links right after entries that came out of order: one pass over all nodes."""
        if not self._unsettled:
            return
        self._unsettled = False
        if self._doubles:
            ordered = sorted(self.nodes.values(), key=lambda node: node.offset)
            self.nodes.clear()
            self.nodes.update((node.id, node) for node in ordered)
        self._cut.clear()
        self._missing = {}
        for node in self.nodes.values():
            parent_id = node.parent_id
            if parent_id is not None and parent_id not in self.nodes:
                self._missing[parent_id] = self._missing.get(parent_id, 0) + 1
        self._cut_cycles()
        self._children = None
        index = self._index()
        stack = [*reversed(index.get(None, ()))]
        while stack:
            node = self.nodes[stack.pop()]
            inherit(node, self._parent(node))
            stack.extend(index.get(node.id, ()))

    def _cut_cycles(self) -> None:
        """Cut every cycle at its earliest entry in the file, which becomes a root."""
        done: set[str] = set()
        for start in self.nodes:
            walked: dict[str, None] = {}
            current: str | None = start
            while current is not None and current not in done and current not in walked:
                walked[current] = None
                parent_id = self.nodes[current].parent_id
                current = parent_id if parent_id in self.nodes else None
            if current is not None and current in walked:
                ring = list(walked)[list(walked).index(current) :]
                self._cut[min(ring, key=lambda name: self.nodes[name].offset)] = None
            done.update(walked)

    def _parent(self, node: Node) -> Node | None:
        if node.parent_id is None or node.id in self._cut:
            return None
        return self.nodes.get(node.parent_id)

    def _index(self) -> dict[str | None, list[str]]:
        """Children by parent, made at the first use and kept up from then on."""
        if self._children is not None:
            return self._children
        with self._lock:
            index: dict[str | None, list[str]] = {}
            for node in self.nodes.values():
                parent = self._parent(node)
                index.setdefault(parent.id if parent else None, []).append(node.id)
            self._children = index
            return index

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the links, for a person to see."""
        with self._lock:
            return self._problems()

    def _problems(self) -> list[Problem]:
        orphans = [
            f"entry {_show(node.id)} names a parent that is not in the file "
            f"({_show(node.parent_id or '')}); it is shown as a root of its own"
            for node in (self.nodes.values() if self._missing else ())
            if node.parent_id is not None and node.parent_id not in self.nodes
        ]
        cut = [
            f"entry {_show(name)} would be its own ancestor; its link was cut" for name in self._cut
        ]
        doubles = [
            f"{count + 1} entries have the id {_show(name)}; the last one is used, "
            f"the others are kept as {_show(name)}~1 …"
            for name, count in self._doubles.items()
        ]
        lost = []
        if self._lost_leaf is not None:
            lost = [f"the leaf was moved to {_show(self._lost_leaf)}, which is not in the file"]
        return [
            Problem(text, severity="warning")
            for sort in (orphans, cut, doubles, lost)
            for text in _counted(sort)
        ]

    def entry(self, entry_id: str) -> Entry:
        """The whole entry, read from its file if need be.

        Raises:
            EntryNotFound: there is no such node.
            StoreError: its line cannot be read any more.
        """
        node = self.node(entry_id)
        data = self._reader(node) if self._reader is not None else {}
        return make_entry(node, data)

    def node(self, entry_id: str) -> Node:
        """The node of an id.

        Raises:
            EntryNotFound: there is no such node.
        """
        found = self.nodes.get(entry_id)
        if found is None:
            raise EntryNotFound(
                f"there is no entry {_show(entry_id)} in this session",
                remedy="`branchline sessions tree KEY` and F3 in the app show those that there are",
            )
        return found

    def up(self, leaf: str | None) -> Iterator[Node]:
        """From `leaf` to its root, `leaf` first; stops at a missing parent; safe on cycles."""
        nodes, cut = self.nodes, self._cut
        node = nodes.get(leaf) if leaf is not None else None
        while node is not None:
            yield node
            if node.parent_id is None or node.id in cut:
                return
            node = nodes.get(node.parent_id)

    def path(self, leaf: str | None) -> list[Node]:
        """From the root to `leaf`."""
        return list(self.up(leaf))[::-1]

    def children(self, entry_id: str | None) -> tuple[str, ...]:
        """Ids of the children in file order; of the roots for None."""
        return tuple(self._index().get(entry_id, ()))

    def links(self) -> Mapping[str | None, Sequence[str]]:
        """Ids of the children of every entry that has some, and of the roots under None; in file
        order, and to be read only. It grows with the tree."""
        return self._index()

    def nearest(self, entry_id: str | None, kind: str) -> str | None:
        """The nearest node at or above `entry_id` of a kind, in constant time: `compaction`,
        `model` (a model_change or an assistant message), `thinking` (a thinking_level_change)."""
        node = self.nodes.get(entry_id) if entry_id is not None else None
        if node is None:
            return None
        match kind:
            case "compaction":
                return node.compaction
            case "model":
                return node.model
            case "thinking":
                return node.thinking
        raise ValueError(f"no such kind: {kind}")

    def anchor(self, leaf: str | None) -> str | None:
        """The parent for the next message after `leaf`: the nearest entry at or above it that is
        no bookkeeping (SPEC §5: bookkeeping entries never become parents of messages)."""
        for node in self.up(leaf):
            if not is_bookkeeping(node.type, node.custom_type):
                return node.id
        return None


def _show(text: str) -> str:
    return safe_line(text, limit=60)


def _counted(texts: list[str]) -> list[str]:
    if len(texts) <= _SHOWN:
        return texts
    return [*texts[:_SHOWN], f"… and {len(texts) - _SHOWN:,} more of this sort"]
