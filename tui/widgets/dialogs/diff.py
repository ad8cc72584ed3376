"""Two branches side by side, with the words marked that the other one does not have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.sessions.diff import BranchDiff, DiffRow
from engine.sessions.diff import Span as Mark
from engine.sessions.entries import Entry
from engine.sessions.rows import speaker_of, words_of
from engine.text import safe_line, safe_text
from tui.later import later
from tui.look.cells import fit
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["DiffDialog", "diff_lines", "marked"]

MOST_ROWS = 400
"""Entries of the tails that are drawn; the rest is counted."""

MOST_TEXT = 4000
"""Characters of an entry that are drawn."""

LEFT, RIGHT = "$text-error on $error 25%", "$text-success on $success 25%"


def marked(text: str, marks: Sequence[Mark], style: str) -> Content:
    """Text made safe piece by piece, so that the marks stay on their words."""
    parts: list[Content] = []
    place = 0
    for start, end in marks:
        start, end = min(start, MOST_TEXT), min(end, MOST_TEXT)
        parts.append(Content(safe_text(text[place:start]).expandtabs(4)))
        parts.append(Content.styled(safe_text(text[start:end]).expandtabs(4), style))
        place = max(place, end)
    parts.append(Content(safe_text(text[place:MOST_TEXT]).expandtabs(4)))
    more = len(text) - MOST_TEXT
    if more > 0:
        parts.append(Content.styled(f" … {more:,} more", MUTED))
    return Content("").join(parts)


def diff_lines(diff: BranchDiff, width: int, agent: str) -> list[Content]:
    """The comparison in rows of `width` cells."""
    half = max(8, (width - 3) // 2)
    shared = "entry" if diff.shared == 1 else "entries"
    if diff.ancestor is None:
        head = "nothing in common"
    else:
        head = f"{diff.shared:,} {shared} in common, up to {safe_line(diff.ancestor, limit=40)}"
    rows = [Content.styled(fit(head, width), MUTED), Content("")]
    for row in diff.rows[:MOST_ROWS]:
        rows += _row(row, half, agent)
    if len(diff.rows) > MOST_ROWS:
        rows.append(Content.styled(f"… {len(diff.rows) - MOST_ROWS:,} more entries", MUTED))
    if not diff.rows:
        rows.append(Content("The two are on one way, and end at the same place."))
    return rows


def _row(row: DiffRow, half: int, agent: str) -> list[Content]:
    left = _side(row.left, row.left_marks, LEFT, half, agent, alone=row.right is None)
    right = _side(row.right, row.right_marks, RIGHT, half, agent, alone=row.left is None)
    joint = Content.styled(" │ ", MUTED)
    height = max(len(left), len(right))
    blank = Content(" " * half)
    rows = []
    for index in range(height):
        one = left[index] if index < len(left) else blank
        other = right[index] if index < len(right) else blank
        rows.append(one.pad_right(max(0, half - one.cell_length)) + joint + other)
    rows.append(blank + joint + blank)
    return rows


def _side(
    entry: Entry | None, marks: Sequence[Mark], style: str, half: int, agent: str, *, alone: bool
) -> list[Content]:
    if entry is None:
        return [Content(" " * half)]
    who = speaker_of(entry, agent=agent)
    head = Content.styled(fit(f"{who}  {safe_line(entry.id, limit=20)}", half), MUTED_BOLD)
    text = entry.text or words_of(entry)
    marks = [(0, len(text))] if alone else marks
    body = marked(text, marks, style)
    return [head, *(line for part in body.split(allow_blank=True) for line in part.wrap(half))]


class DiffDialog(Dialog[None]):
    """Shows two branches beside each other."""

    HELP = """\
    ## Diff

    What both branches share is told in the first line; below it are the two tails. Words that the
    other side does not have are marked. **j k** scroll, **Esc** closes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close", id="dialog.close"),
        Binding("j,down", "scroll(1)", "Down", id="list.down", show=False),
        Binding("k,up", "scroll(-1)", "Up", id="list.up", show=False),
    ]

    DEFAULT_CSS = """
    DiffDialog { align: center middle; }
    DiffDialog > VerticalScroll {
        width: 96%; height: 92%; padding: 0 1; background: $surface; border: round $border;
        border-title-color: $text; border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
    }
    DiffDialog Static { height: auto; width: 1fr; }
    """

    def __init__(self, diff: BranchDiff, names: tuple[str, str], agent: str):
        super().__init__()
        self._diff = diff
        self._names = names
        self._agent = agent

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            left, right = (safe_line(name, limit=30) for name in self._names)
            box.border_title = Content(f"{left} │ {right}")
            box.border_subtitle = Content("j k scroll · Esc close")
            yield Static(markup=False)

    def on_resize(self) -> None:
        later(self, self._draw, group="draw")

    async def _draw(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        if width > 10:
            rows = await asyncio.to_thread(diff_lines, self._diff, width, self._agent)
            self.query_one(Static).update(Content("\n").join(rows))

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)
