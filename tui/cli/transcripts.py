"""Sessions as commands see them: found by what a person types, opened, put into shapes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.clock import SystemClock
from engine.disk import Disk
from engine.errors import BranchlineError, EntryNotFound, Problem, SessionNotFound
from engine.sessions.store import Store
from tui.cli.place import Place

if TYPE_CHECKING:
    from engine.sessions.records import SessionRecord
    from engine.sessions.transcript import Transcript
    from engine.sessions.tree import Node, Tree

__all__ = [
    "complete_key",
    "entry_object",
    "find",
    "has_label",
    "is_file",
    "moment",
    "opened",
    "own_label_of",
    "pick_leaf",
    "problem_object",
    "record_object",
    "state_of",
    "store_of",
    "walk",
]

_NO_LEAF = frozenset({"", "null", "none"})


def store_of(place: Place) -> Store:
    """The sessions of the state dir; nothing is made on disk."""
    return Store(Disk(), place.state_dir, SystemClock())


def is_file(ref: str) -> bool:
    """Whether a person means a file by its path, not a session by its name."""
    looks = "/" in ref or ref.endswith(".jsonl")
    return looks and not ref.startswith("agent:") and Path(ref).expanduser().is_file()


def find(store: Store, ref: str) -> SessionRecord:
    """The session that a person means: key, id or prefix, label, path.

    Raises:
        SessionNotFound: none, or more than one.
        StoreError: it cannot be read.
    """
    try:
        return store.resolve(ref)
    except SessionNotFound:
        # The name of a file in the current directory, of any suffix, is a path, too.
        if ref and os.path.isfile(ref):
            return store.resolve(os.path.abspath(ref))
        raise


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What a shell may put where a KEY belongs: keys, labels and ids that begin so."""
    try:
        records = store_of(ctx.find_root().ensure_object(Place)).list()
    except BranchlineError:
        return []
    names = dict.fromkeys(
        name
        for record in records
        for name in (record.key, record.label or "", record.session_id)
        if name.startswith(incomplete) and name.isprintable()
    )
    return [name for name in names if name]


@contextmanager
def opened(place: Place, ref: str) -> Iterator[tuple[SessionRecord, Transcript]]:
    """Open the session that a person means, for reading.

    Raises:
        SessionNotFound, StoreError: as `find`, or it cannot be read.
    """
    store = store_of(place)
    record = find(store, ref)
    transcript = store.open(record)
    try:
        yield record, transcript
    finally:
        transcript.close()


def pick_leaf(tree: Tree, leaf: str | None) -> str | None:
    """The leaf that `--leaf` names, the session's own when it is not given.

    Raises:
        EntryNotFound: there is no such entry.
    """
    if leaf is None:
        return tree.leaf
    if leaf in _NO_LEAF:
        return None
    if leaf not in tree.nodes:
        raise EntryNotFound(
            f"there is no entry {leaf!r} in this session",
            remedy="`branchline sessions tree` shows them",
        )
    return leaf


def problem_object(problem: Problem) -> dict[str, Any]:
    """A problem in the shape of SPEC §13."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }


def own_label_of(place: Place) -> Callable[[SessionRecord], str]:
    """Gives the label that a session has by itself (`active`, `idle`, `archived` …), by the
    config's `session.timeoutHours`; without a config that can be used, nothing is idle."""
    from engine.config.schema import Config
    from engine.lifecycle.expiry import label_of

    config = place.load().config or Config()
    now = SystemClock().now()
    return lambda record: label_of(record, config.session, now)


def has_label(record: SessionRecord, own: str, wanted: str) -> bool:
    """Whether a session carries a label: its own, one that a person gave it, or its name."""
    names = (own, *record.labels, record.label or "")
    return wanted.strip().casefold() in {name.casefold() for name in names}


def moment(milliseconds: int) -> str:
    """A time for people: UTC, to the minute; "" when unknown."""
    if milliseconds <= 0:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""


def state_of(record: SessionRecord, own: str = "active") -> str:
    """The session's own label (see `own_label_of`); for leftovers what they are: `reset`,
    `archived`, `checkpoint`, `deleted` …"""
    if record.kind != "session":
        return record.kind
    return own if record.state == "active" else record.state


def record_object(record: SessionRecord, own: str = "active") -> dict[str, Any]:
    """A line of `sessions list` in the shape of SPEC §13. Times in ms since 1970. `model` gave the
    newest reply; `override` was chosen for the session, null: the config's."""
    return {
        "key": record.key,
        "sessionId": record.session_id,
        "agentId": record.agent_id,
        "label": record.label,
        "messages": record.messages,
        "created": record.created,
        "lastActive": record.last_active,
        "model": record.model,
        "override": record.override,
        "state": state_of(record, own),
        "labels": list(record.labels),
        "problems": [problem_object(problem) for problem in record.problems],
    }


def walk(tree: Tree) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, each before its children, siblings in file order."""
    work = [(name, 0) for name in reversed(tree.children(None))]
    while work:
        name, depth = work.pop()
        yield tree.nodes[name], depth
        work.extend((child, depth + 1) for child in reversed(tree.children(name)))


def entry_object(tree: Tree, node: Node) -> dict[str, Any]:
    """What shows of an entry: `role` and `label` only where it has one."""
    entry = tree.entry(node.id)
    shape: dict[str, Any] = {"id": node.id, "parentId": node.parent_id, "type": node.type}
    if entry.role is not None:
        shape["role"] = entry.role
    shape["text"] = entry.text
    if node.id in tree.labels:
        shape["label"] = tree.labels[node.id]
    return shape
