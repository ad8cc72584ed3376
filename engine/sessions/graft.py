"""Copies: a path into a new session (a fork), a node or subtree under another node (a graft).

Copies say where they come from; nothing is separated: a tool call keeps its result, a compaction
the entries it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine.errors import CommandError
from engine.sessions.entries import LEAF, MODEL, Entry, is_bookkeeping
from engine.sessions.journal import Before, Draft, Plan, finish
from engine.sessions.navigate import whole_exchange
from engine.sessions.nodes import Node
from engine.sessions.tree import Tree
from engine.values import replace

__all__ = ["FORKED", "Fork", "Source", "fork_note", "graft", "plan_fork"]

FORKED = "branchline.fork"
"""custom entry in the session that was forked: `data {sessionKey, sessionId, entryId}`."""

MOST_GRAFTED = 20_000
"""Entries that one graft may copy."""

NewId = Callable[[], str]


class Fork(Struct, frozen=True):
    """What a new session begins with.

    Attributes:
        lines: its entries, whole, oldest first; ids are those of the original.
        leaf: the last entry of the path; None for an empty fork.
        parent_entry: the same, as it is called in the original.
    """

    lines: tuple[Mapping[str, Any], ...]
    leaf: str | None
    parent_entry: str | None


def plan_fork(tree: Tree, target: str | None, new_id: NewId) -> Fork:
    """Copy the path to an entry, with its labels, the session's name and its own model.

    Ends where no tool call stands without its result, so possibly a little after `target`, or,
    while a tool still runs, before its call.

    Raises:
        EntryNotFound: there is no such entry.
    """
    leaf = whole_exchange(tree, target)
    lines: list[Mapping[str, Any]] = []
    above: str | None = None
    for node in tree.path(leaf):
        lines.append({**tree.entry(node.id).data, "id": node.id, "parentId": above})
        above = node.id
    stamp = str(lines[-1].get("timestamp", "")) if lines else ""
    there = {str(line["id"]) for line in lines}
    settings = list(_settings(tree, there))
    if settings:
        body = {"targetId": leaf}
        settings.append({"type": "custom", "customType": LEAF, "data": body})
    for fields in settings:
        while (name := new_id()) in there:
            pass
        there.add(name)
        lines.append({**fields, "id": name, "parentId": above, "timestamp": stamp})
        above = name
    return Fork(tuple(lines), leaf, leaf)


def _settings(tree: Tree, there: set[str]) -> Iterator[Mapping[str, Any]]:
    """Labels of the path, name and model override: kept beside the path, and so copied apart."""
    for target, label in tree.labels.items():
        if target in there:
            yield {"type": "label", "targetId": target, "label": label}
    if tree.name:
        yield {"type": "session_info", "name": tree.name}
    override = tree.ours.get(MODEL)
    if override is not None:
        data = tree.entry(override).data.get("data")
        yield {"type": "custom", "customType": MODEL, "data": data}


def fork_note(tree: Tree, session_key: str, session_id: str, entry_id: str | None) -> Plan:
    """The line that the forked session keeps of its fork. It is no step: undoing it would not
    undo the fork."""
    body = {"sessionKey": session_key, "sessionId": session_id, "entryId": entry_id}
    line = {"type": "custom", "customType": FORKED, "data": body, "parentId": tree.leaf}
    return Plan("fork", (line,), tree.leaf)


class Source(Struct, frozen=True):
    """Where a graft comes from: a tree, and the session it is of."""

    tree: Tree
    session_id: str
    session_key: str


def graft(
    tree: Tree,
    source: Source,
    node_id: str,
    under: str | None,
    new_id: NewId,
    *,
    subtree: bool = False,
) -> Plan:
    """Copy an entry, or it and everything below, under another entry.

    A tool call comes with its results and a result with its call. Each copy has `graftedFrom
    {sessionId, sessionKey, entryId}`. Labels come along; a compaction whose kept entries are not
    copied comes as a branch summary, so that it hides nothing at its new place. The leaf follows
    when the copy is put where the conversation goes on, and stays otherwise.

    Args:
        tree: what is copied into.
        source: what is copied from; may be the same tree.
        under: None makes the copy a root.

    Raises:
        EntryNotFound: one of the entries is not there.
        CommandError: it is bookkeeping, which is not copied, or too much.
    """
    chosen = _chosen(source.tree, node_id, subtree)
    if under is not None:
        tree.node(under)
    draft = Draft(tree, new_id)
    anchor = tree.anchor(under)
    names: dict[str, str] = {}
    for node, above in chosen:
        parent = names.get(above, anchor) if above is not None else anchor
        names[node.id] = draft.add(parent, _copy(source, node, names))
    tip = names[chosen[-1][0].id]
    leaf = tip if anchor == tree.anchor(tree.leaf) else tree.leaf
    known = source.tree.labels
    labels = {new: known[old] for old, new in names.items() if old in known}
    for new, text in labels.items():
        draft.add(leaf, {"type": "label", "targetId": new, "label": text})
    before = Before(tree.leaf, dict.fromkeys(labels))
    plan = finish(draft, "graft", before, leaf=leaf, moved=leaf != tip or bool(labels))
    return replace(plan, names=names)


def _chosen(tree: Tree, node_id: str, subtree: bool) -> list[tuple[Node, str | None]]:
    """The entries to copy, parents first, each with its nearest copied ancestor."""
    node = tree.node(node_id)
    if is_bookkeeping(node.type, node.custom_type):
        raise CommandError("labels and settings cannot be grafted; choose a message")
    top = _caller(tree, node)
    if not subtree:
        path = tree.path(whole_exchange(tree, node.id))
        line = path[path.index(top) :] if top in path else [top]
        return _linked(tree, [one for one in line if not is_bookkeeping(one.type, one.custom_type)])
    found: list[Node] = []
    stack = [top.id]
    while stack:
        one = tree.nodes[stack.pop()]
        if not is_bookkeeping(one.type, one.custom_type):
            found.append(one)
        if len(found) > MOST_GRAFTED:
            raise CommandError(
                f"more than {MOST_GRAFTED:,} entries are below it",
                remedy="Copy it in parts, from entries further down",
            )
        stack.extend(reversed(tree.children(one.id)))
    return _linked(tree, found)


def _linked(tree: Tree, nodes: list[Node]) -> list[tuple[Node, str | None]]:
    copied: set[str] = set()
    found = []
    for node in nodes:
        above = next((one.id for one in tree.up(node.parent_id) if one.id in copied), None)
        found.append((node, above))
        copied.add(node.id)
    return found


def _caller(tree: Tree, node: Node) -> Node:
    """The assistant message whose call a result answers; the node itself for all others."""
    if node.role != "toolResult":
        return node
    return next((one for one in tree.up(node.id) if one.role == "assistant"), node)


def _copy(source: Source, node: Node, names: Mapping[str, str]) -> dict[str, Any]:
    entry = source.tree.entry(node.id)
    origin = {
        "sessionId": source.session_id,
        "sessionKey": source.session_key,
        "entryId": node.id,
    }
    fields = {**entry.data, "graftedFrom": origin}
    if entry.type == "compaction":
        return _compaction(entry, fields, names, origin)
    return fields


def _compaction(
    entry: Entry, fields: dict[str, Any], names: Mapping[str, str], origin: Mapping[str, str]
) -> dict[str, Any]:
    kept = entry.data.get("firstKeptEntryId")
    if isinstance(kept, str) and kept in names:
        return {**fields, "firstKeptEntryId": names[kept]}
    return {
        "type": "branch_summary",
        "timestamp": entry.timestamp,
        "fromId": names.get(entry.parent_id or "", "root"),
        "summary": entry.text,
        "graftedFrom": origin,
    }
