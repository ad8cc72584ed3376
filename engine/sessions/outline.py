"""A tree laid out as one flat list: which entries are shown, in which order, how far indented.

A message stays at the indent of the one it follows; only a fork indents, so a long conversation
stays a straight column (reference: pi's tree selector; the layout here is our own). The list is
cut into segments: stretches without a fork, each at one indent. Nothing recurses, and nothing but
links is read, so 100,000 entries are laid out in a fraction of a second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from engine.sessions.entries import is_bookkeeping
from engine.sessions.nodes import Node
from engine.sessions.tree import Tree

__all__ = ["VIEWS", "Outline", "Segment", "View", "lay_out"]

View = Literal["no tools", "user only", "labelled", "compactions", "all"]
"""What is shown: all that is said; what people said; what carries a label, bookmark or branch
name; summaries; every entry of the file, also bookkeeping and what is hidden."""

VIEWS: tuple[View, ...] = get_args(View)


@dataclass(slots=True)
class Segment:
    """A stretch without a fork, at one indent.

    Attributes:
        start: place of its first entry.
        stop: after its last one, at which its branches part.
        parent: index of the segment it parts from; -1 for none.
        level: forks above it.
        last: whether it is the last of the branches that part there.
        end: after the last entry of everything below it.
    """

    start: int
    parent: int
    level: int
    last: bool
    stop: int = 0
    end: int = 0


class Outline:
    """The entries shown, in their order. A place is an index into `ids`.

    Attributes:
        ids: entries, each branch in one piece, the active branch first.
        segments: in the order of their starts.
        active: ids on the path to the leaf, shown or not.
        leaf: the last entry shown on that path.
        compactions: places of the compactions shown.
    """

    def __init__(self, ids: list[str], segments: list[Segment], active: Collection[str]):
        self.ids = ids
        self.segments = segments
        self.active = active
        self.leaf: str | None = None
        self.compactions: list[int] = []
        self.places = {name: place for place, name in enumerate(ids)}
        self._starts = [segment.start for segment in segments]
        self._branches: dict[int, list[int]] = {}
        for index, segment in enumerate(segments):
            self._branches.setdefault(segment.parent, []).append(index)

    def __len__(self) -> int:
        return len(self.ids)

    def segment_at(self, place: int) -> int:
        """Index of the segment a place is in."""
        return bisect_right(self._starts, place) - 1

    def end_of(self, place: int) -> int:
        """After the last entry below a place: its subtree is `place + 1 … end - 1`."""
        return self.segments[self.segment_at(place)].end

    def is_tip(self, place: int) -> bool:
        """Whether nothing is shown below."""
        return self.end_of(place) == place + 1

    def is_fork(self, place: int) -> bool:
        """Whether branches part here."""
        segment = self.segments[self.segment_at(place)]
        return place == segment.stop - 1 and segment.end > segment.stop

    def branches_in(self, start: int, end: int) -> int:
        """How many branches begin in a stretch of places."""
        return bisect_right(self._starts, end - 1) - bisect_right(self._starts, start - 1)

    def siblings(self, place: int) -> tuple[list[int], int]:
        """Places where the branches that part with this one's begin, and which of them is its
        own."""
        index = self.segment_at(place)
        family = self._branches[self.segments[index].parent]
        return [self.segments[one].start for one in family], family.index(index)

    def next_fork(self, place: int, step: int) -> int | None:
        """The nearest place after (`step` 1) or before (-1) at which branches part."""
        index = self.segment_at(place)
        while 0 <= index < len(self.segments):
            segment = self.segments[index]
            fork = segment.stop - 1
            if segment.end > segment.stop and (fork - place) * step > 0:
                return fork
            index += step
        return None

    def gutter(self, place: int, most: int) -> str:
        """The lines left of an entry: `│ ├─`. At most `most` levels, the innermost ones; what is
        left out on the left shows as `⋯`."""
        index = self.segment_at(place)
        segment = self.segments[index]
        if segment.level == 0:
            return ""
        own = ("└─" if segment.last else "├─") if place == segment.start else _through(segment)
        return self._outer(segment, most) + own

    def gutter_below(self, place: int, most: int) -> str:
        """The same for a line that goes under an entry, before what follows it."""
        segment = self.segments[self.segment_at(place)]
        return self._outer(segment, most) + _through(segment) if segment.level else ""

    def _outer(self, segment: Segment, most: int) -> str:
        pieces: list[str] = []
        above = segment.parent
        while above >= 0 and self.segments[above].level > 0:
            if len(pieces) + 3 > most:
                pieces.append("⋯ ")
                break
            pieces.append(_through(self.segments[above]))
            above = self.segments[above].parent
        return "".join(reversed(pieces))


def _through(segment: Segment) -> str:
    return "  " if segment.last else "│ "


def lay_out(
    tree: Tree,
    view: View = "no tools",
    *,
    hidden: Mapping[str, str] | None = None,
    marked: Collection[str] = (),
) -> Outline:
    """Lay a tree out.

    Args:
        view: what is shown.
        hidden: tops of subtrees that are left out, except in the view `all`.
        marked: bookmarks and named entries, for the view `labelled`; labels are added.
    """
    active = {node.id for node in tree.up(tree.leaf)}
    ids, above, compactions = _walk(tree, _shown(tree, view, marked), hidden or {}, active, view)
    outline = Outline(ids, _segments(above), active)
    outline.compactions = compactions
    leaf = next((node.id for node in tree.up(tree.leaf) if node.id in outline.places), None)
    outline.leaf = leaf
    return outline


def _shown(tree: Tree, view: View, marked: Collection[str]) -> Callable[[Node], bool]:
    match view:
        case "all":
            return lambda node: True
        case "user only":
            return lambda node: node.role == "user"
        case "labelled":
            names = {*marked, *tree.labels}
            return lambda node: node.id in names
        case "compactions":
            return lambda node: node.type in ("compaction", "branch_summary")
    return _is_said


def _is_said(node: Node) -> bool:
    if node.type == "message":
        return node.role != "toolResult"
    return not is_bookkeeping(node.type, node.custom_type)


def _walk(
    tree: Tree,
    shown: Callable[[Node], bool],
    hidden: Mapping[str, str],
    active: Collection[str],
    view: View,
) -> tuple[list[str], list[int], list[int]]:
    """Entries shown, parents first and the active branch before others; the place of the nearest
    one shown above each (-1: none); places of compactions."""
    nodes, children = tree.nodes, tree.links()
    skipped = hidden if view != "all" else {}
    ids: list[str] = []
    above: list[int] = []
    compactions: list[int] = []
    stack = [(name, -1) for name in _ordered(children.get(None, ()), active)]
    while stack:
        name, place = stack.pop()
        while name not in skipped:
            node = nodes[name]
            if shown(node):
                above.append(place)
                place = len(ids)
                ids.append(name)
                if node.type == "compaction":
                    compactions.append(place)
            below = children.get(name)
            if below is None:
                break
            if len(below) > 1:
                stack += [(child, place) for child in _ordered(below, active)]
                break
            name = below[0]
    return ids, above, compactions


def _ordered(names: Sequence[str], active: Collection[str]) -> list[str]:
    """Children last first, as a stack wants them, but the active one on top."""
    found = list(names)
    found.reverse()
    found.sort(key=active.__contains__)
    return found


def _segments(above: Sequence[int]) -> list[Segment]:
    """Cut the list where branches begin: at entries that are not the only one below another."""
    below = [0] * (len(above) + 1)  # the last one counts the roots
    for place in above:
        below[place] += 1
    segments: list[Segment] = []
    starts: list[int] = []
    seen: dict[int, int] = {}
    for start, place in enumerate(above):
        if below[place] == 1 and place >= 0:
            continue
        parent = bisect_right(starts, place) - 1
        level = segments[parent].level if parent >= 0 else 0
        seen[place] = seen.get(place, 0) + 1
        fork = below[place] > 1
        segments.append(Segment(start, parent, level + fork, seen[place] == below[place]))
        starts.append(start)
    for segment, stop in zip(segments, [*starts[1:], len(above)], strict=False):
        segment.stop = segment.end = stop
    for segment in reversed(segments):
        if segment.parent >= 0:
            over = segments[segment.parent]
            over.end = max(over.end, segment.end)
    return segments
