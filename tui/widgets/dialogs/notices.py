"""All notices since the start, to be read in peace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.behind.notices import Notice
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["NoticeHistory"]

_TONES = {"information": "$text-success", "warning": "$text-warning", "error": "$text-error"}


class NoticeHistory(Dialog[None]):
    """What was told, the latest first, with its time of day.

    Args:
        notices: the latest first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", id="dialog.close"),
    ]

    DEFAULT_CSS = f"""
    NoticeHistory {{ align: center middle; }}
    NoticeHistory > VerticalScroll {{ {BOX} }}
    NoticeHistory Static {{ height: auto; margin-bottom: 1; }}
    """

    def __init__(self, notices: Sequence[Notice], glyphs: Glyphs):
        super().__init__()
        self._notices = notices
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(f"Notices {len(self._notices)}")
            box.border_subtitle = Content("Esc close")
            if not self._notices:
                yield Static(Content("Nothing was told yet."), markup=False)
            for notice in self._notices:
                yield Static(self._content(notice), markup=False)

    def _content(self, notice: Notice) -> Content:
        at = time.strftime("%H:%M:%S", time.localtime(notice.at))
        word = "" if notice.severity == "information" else f"{notice.severity}  "
        head = (f"{word}{notice.title}", f"{_TONES[notice.severity]} bold")
        gap = "\n" if notice.title or word else ""
        more = "".join(f"\n  {line}" for line in notice.details)
        return Content.assemble((f"{at}  ", MUTED), head, f"{gap}{notice.text}", (more, MUTED))
