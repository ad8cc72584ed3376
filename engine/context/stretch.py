"""Which part of a path the latest compaction leaves to the window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from engine.errors import Problem
from engine.sessions.entries import Entry
from engine.sessions.tree import Node, Tree
from engine.text import safe_line

__all__ = ["Stretch", "note", "shown", "stretch_of"]


class Stretch(Struct, frozen=True):
    """The part of a path that may be in the window.

    Attributes:
        nodes: from the leaf back to the first kept entry, the compaction among them. Without a
            compaction this is the walk to the root itself, which is good for one reading.
        oldest: id of the last of `nodes`; None without a compaction.
        compaction: the latest compaction of the path.
        behind: the entry just before the first of `nodes`; None when there is none.
        reason: why the messages behind are out.
    """

    nodes: Iterable[Node]
    oldest: str | None = None
    compaction: Entry | None = None
    behind: str | None = None
    reason: str = ""
    problems: tuple[Problem, ...] = ()


def stretch_of(tree: Tree, leaf: str | None) -> Stretch:
    """Walk from the leaf to where the window can begin at the earliest, reading one body at
    most: the compaction's. Its cost does not grow with what lies behind."""
    compaction_id = tree.nearest(leaf, "compaction")
    walk = tree.up(leaf)
    if compaction_id is None:
        return Stretch(walk)
    after = _until(walk, compaction_id)
    entry = tree.entry(compaction_id)
    first = entry.data.get("firstKeptEntryId")
    kept: list[Node] = []
    if isinstance(first, str) and first in tree.nodes and first != compaction_id:
        kept = _until(walk, first)
    problems: tuple[Problem, ...] = ()
    if kept and kept[-1].id == first:
        behind = next(walk, None)
    else:
        behind = kept[0] if kept else next(walk, None)
        kept = []
        # One that names itself says that nothing is kept.
        if first and first != compaction_id and entry.parent_id is not None:
            problems = (_lost_kept(compaction_id, first),)
    nodes = (*after, *kept)
    reason = f"folded into the summary of compaction {shown(compaction_id)}"
    return Stretch(nodes, nodes[-1].id, entry, behind.id if behind else None, reason, problems)


def _until(walk: Iterator[Node], last: str) -> list[Node]:
    """The next nodes of a walk up to and with `last`, or to its end."""
    found: list[Node] = []
    for node in walk:
        found.append(node)
        if node.id == last:
            break
    return found


def _lost_kept(compaction_id: str, first: object) -> Problem:
    return note(
        f"compaction {shown(compaction_id)} keeps entries from {shown(str(first))} on, which is "
        "not on this path; nothing before the compaction is kept",
        hint="move the leaf to before the compaction to see those messages again",
    )


def note(message: str, *, hint: str | None = None) -> Problem:
    """A problem that leaves the window usable."""
    return Problem(message, severity="warning", hint=hint)


def shown(text: str) -> str:
    """An id as it may stand in a sentence."""
    return safe_line(text, limit=60)
