"""A change of the config, shown before it is made: the diff, what it moves, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.agents.reload import Plan
from engine.errors import Problem
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.dialogs.box import BOX, Choices, Option
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.dialogs.scope import effects
from tui.widgets.difflines import diff_content
from tui.widgets.edged import EdgedVertical

__all__ = ["MEMORY", "WRITE", "WriteDialog"]

WRITE, MEMORY = "write", "memory"
"""What the dialog ends with."""


class WriteDialog(Dialog[str | None]):
    """Asks whether a planned change is written; ends with WRITE, MEMORY, or None for neither.

    Args:
        plan: the change and what it does.
        title: in the border.
        place: the file, as a person writes it.
        where: `choose`, or the only thing that is offered: `write`, `memory`.
    """

    HELP = """\
    ## Change the config

    The difference, line by line, and what it does to the conversations there are. **write** puts
    exactly this into the file, in one step, comments and layout kept, and it is in force at once;
    **in memory** puts it in force and leaves the file alone. *Undo config change* takes either
    back. Arrows choose, **PgUp PgDn** scroll, **Enter** does it, **Esc** leaves all as it is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Do it", id="dialog.accept", priority=True),
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("pagedown", "page(1)", "Page down", id="list.page-down", show=False),
        Binding("pageup", "page(-1)", "Page up", id="list.page-up", show=False),
    ]

    DEFAULT_CSS = f"""
    WriteDialog {{ align: center middle; }}
    WriteDialog > Vertical {{ {BOX} width: 92; }}
    WriteDialog Choices {{ margin-bottom: 1; }}
    WriteDialog VerticalScroll {{ height: auto; max-height: 26; scrollbar-size-vertical: 1; }}
    WriteDialog Static {{ height: auto; width: 1fr; }}
    WriteDialog.-h0 > Vertical {{ padding: 0 1; }}
    """

    def __init__(
        self, plan: Plan, title: str, place: str, glyphs: Glyphs, *, where: str = "choose"
    ):
        super().__init__()
        self._plan = plan
        self._title = title
        self._glyphs = glyphs
        self._options = []
        if plan.edit.changes and where != MEMORY:
            told = f"comments and layout stay; into {place}"
            self._options.append(Option(WRITE, "write", told))
        if where != WRITE and plan.config is not None:
            stays = "stays as it is" if plan.edit.changes else "says so already"
            told = f"put in force now; the file {stays}"
            self._options.append(Option(MEMORY, "in memory", told))

    def compose(self) -> ComposeResult:
        with EdgedVertical() as box:
            keys = ("Enter do it", "PgUp PgDn scroll", "Esc cancel")
            box.edge((self._title,), keys, gap=" · ")
            yield Choices(self._options)
            with VerticalScroll(can_focus=False):
                yield Static(plan_content(self._plan, self._glyphs), markup=False)

    def on_mount(self) -> None:
        self.query_one(Choices).focus()
        self.call_after_refresh(self._show_change)

    def _show_change(self) -> None:
        """Where there is little room, begin with the first line that changes."""
        lines = self._plan.edit.diff.splitlines()
        first = next((at for at, line in enumerate(lines) if line[:1] in ("+", "-")), 0)
        scroll = self.query_one(VerticalScroll)
        if first + 3 > scroll.size.height:
            scroll.scroll_to(y=first - 1, animate=False)

    def action_accept(self) -> None:
        self.dismiss(self.query_one(Choices).option.key)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_page(self, direction: int) -> None:
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=direction * max(1, scroll.size.height - 2), animate=False)


def plan_content(plan: Plan, glyphs: Glyphs) -> Content:
    """A planned change for reading: the diff, what is wrong with it, and what it moves."""
    rows = [diff_content(plan.edit.diff), Content("")]
    rows += problem_rows(plan.problems, glyphs)
    if plan.moved is None:
        told = "The config stays broken with this; the last good one stays in force"
        return Content("\n").join([*rows, Content.styled(told, "$text-error")])
    if not plan.changes:
        rows.append(Content.styled("What is in force stays the same.", MUTED))
    else:
        rows.append(effects(plan.moved, glyphs))
    if plan.partial:
        rows.append(Content.styled("Not all recorded messages were looked at.", "$text-warning"))
    return Content("\n").join(rows)


def problem_rows(problems: Sequence[Problem], glyphs: Glyphs) -> list[Content]:
    """What is wrong, a line each, with an empty one behind."""
    if not problems:
        return []
    rows = [Content.styled(f"{glyphs.warning} PROBLEMS {len(problems)}", MUTED_BOLD)]
    for problem in problems[:10]:
        tone = "$text-error" if problem.severity == "error" else "$text-warning"
        line = f"line {problem.line}: " if problem.line else ""
        rows.append(Content.styled(f"  {line}{safe_line(problem.message, limit=200)}", tone))
    if len(problems) > 10:
        rows.append(Content.styled(f"  and {len(problems) - 10:,} more", MUTED))
    return [*rows, Content("")]
