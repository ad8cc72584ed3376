"""All texts that the config file had: look at what going back would change, and go back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.config.edit import Edit
from engine.config.revisions import Revision
from engine.errors import BranchlineError
from engine.text import safe_line
from tui.later import later
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.difflines import diff_content
from tui.widgets.edged import EdgedVertical
from tui.widgets.routing.configpane import revision_words
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line

__all__ = ["Revisions"]


class _Rows:
    """Revisions as rows; the key is the number."""

    uniform: int | None = 1

    def __init__(self, kept: Sequence[Revision], now: int | None, glyphs: Glyphs):
        self._kept = kept
        self._now = now
        self._glyphs = glyphs

    def __len__(self) -> int:
        return len(self._kept)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return self._kept[index].number

    def index_of(self, key: Hashable) -> int | None:
        return next((at for at, one in enumerate(self._kept) if one.number == key), None)

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        one = self._kept[index]
        here = one.number == self._now
        sign = self._glyphs.live if here else " "
        return ([(fit(f"{sign} {revision_words(one)}", width), "strong" if here else "")],)


class Revisions(Dialog[Edit | None]):
    """Lists the texts; ends with the edit that brings one back, None for nothing.

    Args:
        kept: the texts, the newest first.
        text: what the file says now.
        bring: makes the edit that brings a revision back.
    """

    HELP = """\
    ## Revisions

    The last texts of the config file, also those written by hand, the newest first; `●` is what
    the file says now. Below is what going back to the one under the cursor would change. **Enter**
    goes on to that change, which is shown once more before it is written, as a new revision.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Go back to it", id="dialog.accept", priority=True),
        Binding("escape,q", "cancel", "Close", id="dialog.close"),
        Binding("pagedown", "page(1)", "Page down", id="list.page-down", show=False, priority=True),
        Binding("pageup", "page(-1)", "Page up", id="list.page-up", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Revisions { align: center middle; }
    Revisions > Vertical {
        width: 96; max-width: 96%; height: 90%; padding: 0 1; background: $surface;
        border: round $border; border-title-color: $text; border-subtitle-color: $text-muted;
    }
    Revisions RowList { height: 10; max-height: 40%; background: $surface; }
    Revisions VerticalScroll { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    Revisions Static {
        height: auto; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(
        self,
        kept: Sequence[Revision],
        text: str,
        bring: Callable[[int], Awaitable[Edit]],
        glyphs: Glyphs,
    ):
        super().__init__()
        self._kept = kept
        now = next((one.number for one in kept if one.text == text), None)
        self._rows = _Rows(kept, now, glyphs)
        self._bring = bring
        self._edit: tuple[Hashable, Edit] | None = None

    def compose(self) -> ComposeResult:
        with EdgedVertical() as box:
            keys = ("Enter go back to it", "PgUp PgDn scroll", "Esc close")
            box.edge((f"Revisions {len(self._kept)}",), keys, gap=" · ")
            yield RowList(lambda view: self._rows, empty="No revisions yet")
            with VerticalScroll(can_focus=False):
                yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self._look()

    @on(RowList.Highlighted)
    def _look(self) -> None:
        number = self.query_one(RowList).current
        if isinstance(number, int):
            later(self, partial(self._show, number), group="look")

    async def _show(self, number: int) -> None:
        try:
            edit = await self._bring(number)
        except BranchlineError as error:
            self._tell(Content.styled(safe_line(str(error), limit=600), "$text-error"))
            return
        if self.is_attached and self.query_one(RowList).current == number:
            self._edit = number, edit
            same = Content.styled("this is what the file says now", MUTED)
            self._tell(diff_content(edit.diff) if edit.changes else same)

    def _tell(self, content: Content) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self.query_one(Static).update(content)

    def action_accept(self) -> None:
        """Only what was looked at is gone back to."""
        if self._edit is None or self._edit[0] != self.query_one(RowList).current:
            return
        self.dismiss(self._edit[1] if self._edit[1].changes else None)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_page(self, direction: int) -> None:
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=direction * max(1, scroll.size.height - 2), animate=False)
