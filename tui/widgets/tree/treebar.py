"""Row 0 of the tree screen: whose tree this is, what it holds, what is shown of it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from engine.values import replace
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.bar import Bar
from tui.widgets.tree.treelines import in_ascii

__all__ = ["TreeBar", "TreeBarState", "tree_bar_line"]


@dataclass(frozen=True, slots=True)
class TreeBarState:
    """What row 0 says. `found`: `3 of 12` while hits are gone through."""

    agent: str = ""
    title: str = ""
    messages: int = 0
    branches: int = 0
    compactions: int = 0
    labels: int = 0
    view: str = "no tools"
    found: str = ""
    busy: bool = False
    clock: str = ""


def _counts(state: TreeBarState, short: bool) -> str:
    def told(number: int, noun: str, many: str) -> str:
        return f"{number:,} {noun if number == 1 else many}"

    parts = [
        told(state.messages, "msg" if short else "message", "msgs" if short else "messages"),
        told(state.branches, "branch", "branches"),
    ]
    if state.compactions:
        parts.append(f"{state.compactions:,} ◆")
    if state.labels and not short:
        parts.append(told(state.labels, "label", "labels"))
    return " · ".join(parts)


def tree_bar_line(state: TreeBarState, width: int, glyphs: Glyphs) -> Content:
    """Row 0 in `width` cells: the product's name goes first, then the agent's."""
    right = f"view: {state.view}  {state.clock} "
    if state.found:
        right = f"{state.found}   {right}"
    name = " Branchline"
    for short in (False, True):
        middle = f"     {_counts(state, short)}   "
        for lead in ((name, f"  Tree ▸ {state.agent} ▸ "), ("", " Tree ▸ ")):
            room = width - cell_len(right) - cell_len(middle) - cell_len("".join(lead))
            if room >= min(cell_len(state.title), 16):
                return _joined(lead, state, middle, right, width, glyphs)
    return _joined(("", " "), state, "  ", right, width, glyphs)


def _joined(
    lead: tuple[str, str],
    state: TreeBarState,
    middle: str,
    right: str,
    width: int,
    glyphs: Glyphs,
) -> Content:
    room = width - cell_len(right) - cell_len(middle) - cell_len("".join(lead))
    title = fit(state.title, max(0, min(room, cell_len(state.title))))
    gap = " " * max(0, room - cell_len(title))
    parts = [
        (lead[0], "$primary bold"),
        (in_ascii(lead[1], glyphs), MUTED),
        (title, "bold"),
        (in_ascii(middle, glyphs), MUTED),
        (gap, ""),
        (right, MUTED),
    ]
    return Content.assemble(*parts)


class TreeBar(Bar):
    """Row 0 of the tree screen."""

    state: reactive[TreeBarState] = reactive(TreeBarState())

    def show(self, state: TreeBarState, glyphs: Glyphs) -> None:
        """Say something else."""
        self.glyphs = glyphs
        self.state = state

    def render(self) -> Content:
        return tree_bar_line(replace(self.state, clock=self.clock), self.size.width, self.glyphs)
