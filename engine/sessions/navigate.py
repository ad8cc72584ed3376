"""Going about in a tree: continue elsewhere, labels, bookmarks, branch names, hiding.

Where the leaf goes and what comes back to the composer follows the reference (pi's session
manager, as OpenClaw embeds it); the journal and the durable leaf are ours (engine.sessions.
journal).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.errors import CommandError
from engine.sessions.entries import Entry, is_bookkeeping
from engine.sessions.journal import MARKS, Before, Draft, Marks, Plan, finish, marks_of
from engine.sessions.nodes import Node
from engine.sessions.tree import Tree
from engine.values import replace

__all__ = [
    "Abandoned",
    "abandoned",
    "bookmark",
    "compacted",
    "continue_at",
    "hide",
    "label",
    "move_leaf",
    "name_branch",
    "question_of",
    "tip_of",
    "whole_exchange",
    "with_results",
]

NewId = Callable[[], str]
Hidden = Literal["hide", "archive"]


class Abandoned(Struct, frozen=True):
    """What is left behind by going from one place to another: ids, oldest first, and the last
    entry that both have (None: nothing)."""

    ids: tuple[str, ...]
    ancestor: str | None


def abandoned(tree: Tree, old_leaf: str | None, target: str | None) -> Abandoned:
    """The part of the path to `old_leaf` that is not on the path to `target`.

    A compaction on the way does not end it (reference: collectEntriesForBranchSummary).
    """
    if old_leaf is None:
        return Abandoned((), None)
    there = {node.id for node in tree.up(target)}
    left: list[str] = []
    for node in tree.up(old_leaf):
        if node.id in there:
            return Abandoned(tuple(reversed(left)), node.id)
        left.append(node.id)
    return Abandoned(tuple(reversed(left)), None)


def continue_at(
    tree: Tree,
    target: str,
    new_id: NewId,
    *,
    summary: str = "",
    details: Mapping[str, Any] | None = None,
    label: str | None = None,
    what: str = "continue here",
) -> Plan:
    """Go on from an entry. On a person's message the leaf becomes its parent and its text goes
    back to the composer; going where the leaf is already does nothing.

    Args:
        target: the entry.
        new_id: makes entry ids.
        summary: of the branch that is left; becomes an entry at the new place.
        details: further fields of that entry.
        label: put on the summary, else on the target.

    Raises:
        EntryNotFound: there is no such entry.
    """
    entry = tree.entry(target)
    old = tree.leaf
    if target == old or (old is not None and target == tree.anchor(old) and not summary):
        return Plan(what, leaf=old)
    place, editor = _place(tree, entry)
    draft = Draft(tree, new_id)
    leaf, labels = place, {}
    if summary:
        fields = {"type": "branch_summary", "fromId": old or "root", "summary": summary}
        leaf = draft.add(tree.anchor(place), {**(details or {}), **fields})
    if label:
        named = leaf if summary and leaf is not None else target
        labels[named] = tree.labels.get(named)
        draft.add(leaf, {"type": "label", "targetId": named, "label": label})
    before = Before(old, labels)
    moved = not summary or bool(label)
    return finish(draft, what, before, leaf=leaf, moved=moved, editor=editor)


def _place(tree: Tree, entry: Entry) -> tuple[str | None, str | None]:
    """Where the leaf goes, and the text for the composer."""
    if entry.role == "user" or entry.type == "custom_message":
        node = tree.node(entry.id)
        above = node.parent_id if node.parent_id in tree.nodes else None
        return above, entry.text
    return entry.id, None


def move_leaf(tree: Tree, target: str | None, new_id: NewId, *, what: str = "move") -> Plan:
    """Put the leaf exactly there (None: before the first entry).

    Raises:
        EntryNotFound: there is no such entry.
    """
    if target is not None:
        tree.node(target)
    if target == tree.leaf:
        return Plan(what, leaf=target)
    return finish(Draft(tree, new_id), what, Before(tree.leaf), leaf=target, moved=True)


def compacted(tree: Tree, fields: Mapping[str, Any], new_id: NewId) -> Plan:
    """Write a compaction under the leaf; undoing it moves the leaf back."""
    draft = Draft(tree, new_id)
    leaf = draft.add(tree.anchor(tree.leaf), fields)
    return finish(draft, "compaction", Before(tree.leaf), leaf=leaf, moved=False)


def label(tree: Tree, target: str, text: str | None, new_id: NewId) -> Plan:
    """Put a label on an entry; None or "" takes it away.

    Raises:
        EntryNotFound: there is no such entry.
    """
    tree.node(target)
    text = (text or "").strip() or None
    former = tree.labels.get(target)
    if text == former:
        return Plan("label", leaf=tree.leaf)
    draft = Draft(tree, new_id)
    draft.add(tree.leaf, {"type": "label", "targetId": target, "label": text})
    before = Before(labels={target: former})
    return finish(draft, "label", before, leaf=tree.leaf, moved=True)


def bookmark(tree: Tree, target: str, on: bool, new_id: NewId) -> Plan:
    """Set or take away a bookmark.

    Raises:
        EntryNotFound: there is no such entry.
    """
    tree.node(target)
    marks = marks_of(tree)
    rest = tuple(name for name in marks.bookmarks if name != target)
    return _mark(
        tree, replace(marks, bookmarks=(*rest, target) if on else rest), new_id, "bookmark"
    )


def name_branch(tree: Tree, target: str, name: str | None, new_id: NewId) -> Plan:
    """Name the branch that an entry is on; None takes away the names that the entry carries.

    Raises:
        EntryNotFound: there is no such entry.
        CommandError: another branch has that name.
    """
    tree.node(target)
    marks = marks_of(tree)
    name = (name or "").strip()
    if name and marks.branches.get(name, target) != target:
        raise CommandError(
            f"another branch is called {name!r}", remedy="Choose another name, or rename that one"
        )
    branches = {known: place for known, place in marks.branches.items() if place != target}
    if name:
        branches[name] = target
    return _mark(tree, replace(marks, branches=branches), new_id, "branch name")


def hide(tree: Tree, target: str, how: Hidden | None, new_id: NewId) -> Plan:
    """Leave an entry and all below it out of lists (`hide`, `archive`), or show it again (None).
    Nothing is removed, and what the model sees does not change.

    Raises:
        EntryNotFound: there is no such entry.
        CommandError: the conversation goes on there just now.
    """
    tree.node(target)
    if how is not None and any(node.id == target for node in tree.up(tree.leaf)):
        raise CommandError(
            "this is on the path of the conversation as it is now",
            remedy="Continue on another branch first; then this one can be hidden",
        )
    marks = marks_of(tree)
    hidden = {name: kind for name, kind in marks.hidden.items() if name != target}
    if how is not None:
        hidden[target] = how
    return _mark(tree, replace(marks, hidden=hidden), new_id, how or "show")


def _mark(tree: Tree, marks: Marks, new_id: NewId, what: str) -> Plan:
    former = marks_of(tree)
    if marks == former:
        return Plan(what, leaf=tree.leaf)
    draft = Draft(tree, new_id)
    draft.note(tree.leaf, MARKS, marks.body())
    return finish(draft, what, Before(marks=former), leaf=tree.leaf, moved=False)


def tip_of(tree: Tree, target: str) -> str:
    """The newest entry at or below `target` that a person wrote or reads: where its branch is.

    Raises:
        EntryNotFound: there is no such entry.
    """
    best = tree.node(target)
    stack = [target]
    while stack:
        node = tree.nodes[stack.pop()]
        if node.offset > best.offset and not is_bookkeeping(node.type, node.custom_type):
            best = node
        stack.extend(tree.children(node.id))
    return best.id


def question_of(tree: Tree, target: str) -> Node | None:
    """The person's message that an entry answers (or is), for regenerating."""
    return next((node for node in tree.up(target) if node.role == "user"), None)


def whole_exchange(tree: Tree, target: str | None) -> str | None:
    """`target`, or the nearest place where no tool call stands without its result.

    Goes down to the last result where all are there (along the path to the leaf if that is
    below, else the newest), else up to before the call.

    Raises:
        EntryNotFound: there is no such entry.
    """
    if target is not None:
        tree.node(target)
    while target is not None and (caller := _open_caller(tree, target)) is not None:
        below = _answered_below(tree, caller, target)
        if below is not None:
            return below
        target = tree.anchor(caller.parent_id)
    return target


def with_results(tree: Tree, target: str) -> str:
    """`target`, or below it the last result of the calls that it stands among, where all are
    there; for going on from a tool call without losing what the tools said.

    Raises:
        EntryNotFound: there is no such entry.
    """
    tree.node(target)
    caller = _open_caller(tree, target)
    below = _answered_below(tree, caller, target) if caller is not None else None
    return below or target


def _answered_below(tree: Tree, caller: Node, place: str) -> str | None:
    """The entry at or below `place` with which all calls of `caller` are answered."""
    on_path = {node.id for node in tree.up(tree.leaf)}
    waiting = _waiting(tree, caller, place)
    while waiting:
        children = tree.children(place)
        if not children:
            return None
        place = next((child for child in children if child in on_path), children[-1])
        node = tree.nodes[place]
        if node.role not in ("toolResult", None):
            return None
        if node.role == "toolResult":
            waiting.discard(str(tree.entry(place).message.get("toolCallId")))
    return place


def _open_caller(tree: Tree, target: str) -> Node | None:
    """The assistant message at or above `target` whose calls are not all answered there."""
    for node in tree.up(target):
        if node.role == "assistant":
            return node if _waiting(tree, node, target) else None
        if node.role == "user":
            return None
    return None


def _waiting(tree: Tree, caller: Node, target: str) -> set[str]:
    """Ids of the calls of `caller` without a result at or above `target`."""
    content = tree.entry(caller.id).message.get("content")
    blocks = content if isinstance(content, list) else []
    calls = {
        str(block.get("id"))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "toolCall"
    }
    if not calls:
        return calls
    for node in tree.up(target):
        if node.id == caller.id:
            break
        if node.role == "toolResult":
            calls.discard(str(tree.entry(node.id).message.get("toolCallId")))
    return calls
