"""Growing a forest for the tree screen: what is read and laid out beside the loop."""

from __future__ import annotations

from itertools import islice

from engine.agents.views import count
from engine.clock import parse_iso
from engine.engine import Counts
from engine.errors import SessionError
from engine.sessions.journal import Marks, marks_of
from engine.sessions.outline import Outline, View, lay_out
from engine.sessions.rows import read_row, runs_behind
from engine.sessions.tree import Tree
from tui.widgets.tree.treelines import Forest, local_time, name_cells

__all__ = ["grow"]


TIPS = 40
"""Branches whose ends are looked at, to see whether they are of another day."""

LATELY = 60
"""Entries from which the names are taken, to see how much room they need."""


def grow(tree: Tree, view: View, *, agent: str) -> tuple[Forest, Counts]:
    """Lay a tree out as the list shows it, and count what it holds. In proportion to its size:
    for a thread.

    Args:
        agent: whom replies are by, safe.
    """
    try:
        marks = marks_of(tree)
    except SessionError:
        marks = Marks()
    named = {*marks.bookmarks, *marks.branches.values()}
    outline = lay_out(tree, view, hidden=marks.hidden, marked=named)
    forest = Forest(
        tree,
        outline,
        tuple(runs_behind(tree, outline)),
        marks,
        agent,
        _days(tree, outline),
        name_cells(agent, _speakers(tree, agent)),
    )
    return forest, count(tree)


def _speakers(tree: Tree, agent: str) -> set[str]:
    """Who spoke lately on the way to the leaf."""
    lately = islice(tree.up(tree.leaf), LATELY)
    return {read_row(tree, node.id, agent=agent).speaker for node in lately if node.role == "user"}


def _days(tree: Tree, outline: Outline) -> bool:
    """Whether entries are of different days: the first one, the leaf, and where branches end."""
    ends = islice((each for each in outline.segments if each.end == each.stop), TIPS)
    names = [*outline.ids[:1], outline.leaf, *(outline.ids[each.stop - 1] for each in ends)]
    days = set()
    for name in names:
        try:
            stamp = tree.entry(name).timestamp if name is not None else ""
        except SessionError:
            stamp = ""
        days.add(local_time(parse_iso(stamp), "%Y-%m-%d"))
    return len(days - {""}) > 1
