"""The compaction dialog: the summary as it is written, what it lacks, accept, edit or cancel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import var
from textual.widgets import Static, TextArea

from engine.branching.compact import CompactionPreview, CompactionResult
from engine.context.loss import Loss
from engine.errors import BranchlineError
from engine.events import CompactionProgress, CompactionStarted
from engine.text import safe_line, safe_text
from tui.bridge import Batch
from tui.home import Home, home_of
from tui.later import later
from tui.look.cells import count
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.field import Field

__all__ = ["CompactionDialog", "loss_lines"]

SORTS = (
    ("questions", "open questions"),
    ("names", "names"),
    ("numbers", "numbers"),
    ("ids", "ids"),
    ("paths", "paths and addresses"),
)
LISTED = 24
"""Findings of a sort that are listed; the rest is counted."""


def loss_lines(loss: Loss) -> list[Content]:
    """What a summary lacks, a sort to a line."""
    if not loss.count:
        return [Content.styled("✔ every name, number, id, path and question is in it", MUTED)]
    rows = [Content.styled(f"NOT IN THE SUMMARY   {loss.count:,}", MUTED_BOLD)]
    for field, title in SORTS:
        found: tuple[str, ...] = getattr(loss, field)
        if found:
            listed = " · ".join(safe_line(each, limit=120) for each in found[:LISTED])
            more = f" … {len(found) - LISTED:,} more" if len(found) > LISTED else ""
            rows.append(Content.assemble((f"{title}  ", MUTED), listed, (more, MUTED)))
    if loss.unread:
        rows.append(Content.styled(f"{loss.unread:,} characters were not looked at", MUTED))
    return rows


class CompactionDialog(Dialog[CompactionResult | None]):
    """Has a summary written, shows it, and writes the compaction when the person says so.

    Ends with what was written, None when nothing was.

    Args:
        session_key: the session.
        keep_from: everything from this entry on stays; None: what the settings keep.
    """

    HELP = """\
    ## Compaction

    The older part of the conversation is summed up; the messages themselves stay in the tree and
    open with one key. Below the summary is what it lacks: names, numbers, ids, paths, questions.

    **Enter** writes it · **e** edits the summary first · **Esc** leaves everything as it was.
    Afterwards **u** undoes it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Accept", id="dialog.accept"),
        Binding("e", "edit", "Edit", id="dialog.edit"),
        Binding("ctrl+r", "again", "Write it again", id="dialog.again", show=False),
    ]

    DEFAULT_CSS = f"""
    CompactionDialog {{ align: center middle; }}
    CompactionDialog > VerticalScroll {{ {BOX} width: 92; }}
    CompactionDialog Static {{ height: auto; width: 1fr; }}
    CompactionDialog TextArea, CompactionDialog TextArea:focus {{
        border: none; height: auto; min-height: 3; max-height: 14; padding: 0 1;
        background: $panel; margin: 1 0;
    }}
    CompactionDialog .-off {{ display: none; }}
    """

    state: var[str] = var("writing")
    """writing, shown, editing, keeping or failed."""

    def __init__(self, session_key: str, keep_from: str | None = None):
        super().__init__()
        self._key = session_key
        self._keep_from = keep_from
        self._preview: CompactionPreview | None = None
        self._end: Callable[[], object] | None = None

    @property
    def home(self) -> Home:
        return home_of(self)

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content("Compact to here" if self._keep_from else "Compact")
            yield Static(Content("reading the conversation …"), id="head", markup=False)
            area = Field("", soft_wrap=True, read_only=True, id="summary")
            area.show_line_numbers = False
            yield area
            yield Static(Content(""), id="loss", markup=False)

    def on_mount(self) -> None:
        self._deaf = self.home.bridge.listen(self._hear)
        self.query_one(TextArea).focus()
        self.action_again()

    def on_unmount(self) -> None:
        self._deaf()

    def watch_state(self, state: str) -> None:
        told = {
            "writing": "Esc stop",
            "shown": "Enter accept · e edit · Esc cancel",
            "editing": "Esc done editing",
            "failed": "^R try again · Esc close",
        }
        self.query_one(TextArea).set_class(state == "failed", "-off")
        box = self.query(VerticalScroll).first()
        box.border_subtitle = Content(told.get(state, ""))

    # writing

    def action_again(self) -> None:
        self.state = "writing"
        later(self, self._write, group="summary")

    async def _write(self) -> None:
        try:
            shown = await self.home.engine.compaction.preview(self._key, keep_from=self._keep_from)
        except BranchlineError as error:
            self.state = "failed"
            told = Content.styled(safe_text(str(error), limit=1000), "$text-warning")
            self.query_one("#head", Static).update(told)
            self.query_one("#loss", Static).update(Content(""))
            return
        self._preview = shown
        self.state = "shown"
        self.query_one(TextArea).load_text(safe_text(shown.summary))
        self.query_one("#head", Static).update(self._numbers(shown))
        self.query_one("#loss", Static).update(Content("\n").join(loss_lines(shown.loss)))

    def _numbers(self, shown: CompactionPreview) -> Content:
        tokens = f"{count(shown.before)} → {count(shown.after)}"
        folds = "message" if shown.folded == 1 else "messages"
        return Content.assemble(
            (tokens, "bold $text-accent"),
            f"   folds {shown.folded:,} {folds} · keeps {shown.kept:,}   ",
            (f"by {safe_line(shown.model, limit=60)}", MUTED),
        )

    def _hear(self, batch: Batch) -> None:
        """The summary as it is written."""
        if self.state != "writing":
            return
        for event in batch:
            if getattr(event, "session_key", None) != self._key:
                continue
            if isinstance(event, CompactionStarted):
                told = f"folding {event.messages:,} messages of {count(event.tokens)} tokens …"
                self.query_one("#head", Static).update(Content.styled(told, MUTED))
            elif isinstance(event, CompactionProgress):
                self._progress(event)

    def _progress(self, event: CompactionProgress) -> None:
        bar = "█" * event.done + "░" * max(0, event.total - event.done)
        told = f"writing the summary, part {min(event.done + 1, event.total)} of {event.total}"
        head = Content.assemble((told, MUTED), f"  {bar[:40]}" if event.total > 1 else "")
        self.query_one("#head", Static).update(head)
        area = self.query_one(TextArea)
        area.load_text(safe_text(event.text))
        area.scroll_end(animate=False)

    # deciding

    def action_edit(self) -> None:
        if self.state == "shown":
            area = self.query_one(TextArea)
            area.read_only = False
            area.move_cursor(area.document.end)
            area.focus()
            self.state = "editing"

    def action_accept(self) -> None:
        if self.state == "shown" and self._preview is not None:
            self.state = "keeping"
            later(self, partial(self._keep, self._preview), group="act", exclusive=False)

    async def _keep(self, shown: CompactionPreview) -> None:
        text = self.query_one(TextArea).text
        edited = text if text != safe_text(shown.summary) else None
        try:
            result = await self.home.engine.compaction.accept(shown, edited)
        except BranchlineError as error:
            self.state = "shown"
            self.home.fail(error)
            return
        self._end = partial(self.dismiss, result)
        self._end()

    def on_screen_resume(self) -> None:
        """What was kept while help lay over the dialog ends it now."""
        if self._end is not None:
            self._end()

    def action_cancel(self) -> None:
        """Esc: end editing, stop the summary, or leave."""
        if self.state == "editing":
            self.query_one(TextArea).read_only = True
            self.state = "shown"
        elif self.state == "writing":
            self.home.engine.compaction.cancel(self._key)
            self.dismiss(None)
        elif self.state != "keeping":
            self.dismiss(None)
