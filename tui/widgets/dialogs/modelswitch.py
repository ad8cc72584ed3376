"""Another model for several sessions, with what it would do to each before it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.agents.models import Outlook
from engine.errors import BranchlineError
from engine.text import safe_line
from tui.later import later
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.dialogs.switchrows import Seen, SwitchRows, counts_of, head_line
from tui.widgets.edged import EdgedVertical
from tui.widgets.rowlist import RowList
from tui.widgets.rows import RowView

__all__ = ["ModelSwitch"]

TOLD = 0.1
"""Seconds between two looks at how far the preview is."""


class TickList(RowList):
    """Enter is done with all of it; Space or a click leaves a row out or takes it in again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Change", id="dialog.accept", show=False),
        Binding("space", "fold", "Leave out", id="choice.leave-out", show=False),
    ]

    @dataclass
    class Ticked(Message):
        """A row was ticked or not any more."""

        key: Hashable

    def action_select(self) -> None:
        self.post_message(self.Selected(self, self.current))

    def action_fold(self) -> None:
        self.post_message(self.Ticked(self.current))

    def _choose(self, row: int) -> None:
        self.action_fold()


class ModelSwitch(Dialog[tuple[str, ...] | None]):
    """Asks whether sessions get another model; ends with the keys of those that do, or None.

    Args:
        named: the sessions: key and (safe) name.
        model: the model they would get; None: the config's.
        look: finds out what it would do to one of them.
    """

    HELP = """\
    ## Model of several sessions

    What the model would do to each session's next message, worked out with the request that would
    be sent: it **fits**; older messages **would be compacted** first; or it **does not fit**, so
    that the oldest are left out, or none can be sent at all. A model that lacks its key could not
    answer.

    **Space** leaves a session out or takes it in again. **Enter** changes all others at once; one
    that is being answered changes when its answer has ended. *Undo model change* among the
    commands (**^P**) takes all of it back, but for sessions that were given another model since.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
    ]

    DEFAULT_CSS = """
    ModelSwitch { align: center middle; }
    ModelSwitch > Vertical {
        width: 116; max-width: 96%; height: auto; max-height: 90%; padding: 0 1;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    ModelSwitch Static { height: auto; width: 1fr; }
    ModelSwitch #head { text-wrap: nowrap; }
    ModelSwitch #head.-none { display: none; }
    ModelSwitch RowList { height: 12; background: $surface; }
    ModelSwitch #sum { border-top: solid $border-blurred; }
    """

    def __init__(
        self,
        named: Sequence[tuple[str, str]],
        model: str | None,
        look: Callable[[str], Awaitable[Outlook]],
        glyphs: Glyphs,
    ):
        super().__init__()
        self._named = tuple(named)
        self._model = model
        self._look = look
        self._glyphs = glyphs
        self._seen: dict[str, Seen] = {}
        self._left_out: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        target = safe_line(self._model, limit=60) if self._model else "what the config says"
        with EdgedVertical() as box:
            arrow = self._glyphs.arrow
            name = f"Model of {len(self._named):,} sessions"
            keys = ("Enter change", "Space leave out", "Esc cancel")
            box.edge((f"{name} {arrow} {target}", name), keys, gap=" · ")
            yield Static(id="head", markup=False)
            yield TickList(self._rows, sign=self._glyphs.cursor)
            yield Static(id="sum", markup=False)

    @property
    def _list(self) -> RowList:
        return self.query_one(RowList)

    def _rows(self, view: RowView) -> SwitchRows:
        width = self._list.scrollable_content_region.width - 1
        return SwitchRows(self._named, self._seen, self._left_out, width, self._glyphs)

    def on_mount(self) -> None:
        self._list.focus()
        later(self, self._look_at_all, group="look")

    def on_resize(self) -> None:
        width = self._list.scrollable_content_region.width - 1
        head = head_line(width)
        self._list.styles.height = max(3, min(20, len(self._named) * (1 if head else 2)))
        above = self.query_one("#head", Static)
        above.set_class(not head, "-none")
        above.update(Content.styled(f" {head}", MUTED_BOLD))
        self._draw()

    async def _look_at_all(self) -> None:
        """One after the other: each reads a whole session."""
        told = monotonic()
        for key, _ in self._named:
            try:
                self._seen[key] = await self._look(key)
            except BranchlineError as error:
                self._seen[key] = error
            if monotonic() - told > TOLD:
                told = monotonic()
                self._draw()
        self._draw()

    def _draw(self) -> None:
        self._list.rebuild()
        done, many = len(self._seen), len(self._named)
        if done < many:
            told = Content.styled(f"looking at the sessions: {done:,} of {many:,} …", MUTED)
        else:
            told = Content(counts_of(self._seen, self._chosen))
        self.query_one("#sum", Static).update(told)

    @property
    def _chosen(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self._named if key not in self._left_out)

    @on(TickList.Ticked)
    def _tick(self, event: TickList.Ticked) -> None:
        """Leave a session out, or take it in again."""
        if isinstance(event.key, str):
            self._left_out ^= {event.key}
            self._draw()

    @on(RowList.Selected)
    def accept(self) -> None:
        """Only what was looked at is changed."""
        if len(self._seen) < len(self._named):
            self.notify("Wait until all of them were looked at", timeout=2, markup=False)
            return
        changing = [
            key
            for key in self._chosen
            if isinstance(one := self._seen[key], Outlook) and one.changes
        ]
        self.dismiss(tuple(changing) or None)

    def action_cancel(self) -> None:
        self.dismiss(None)
