"""The text field of several rows that the app's own are made of."""

from __future__ import annotations

from textual.widgets import TextArea

__all__ = ["Field"]


class Field(TextArea):
    """A TextArea that outlives an undo which takes its last rows and its scroll bar away: Textual
    8.2 looks for the cursor in a row that is gone before it puts it elsewhere."""

    def _recompute_cursor_offset(self) -> None:
        row, _ = self.cursor_location
        if row < self.document.line_count:
            super()._recompute_cursor_offset()  # type: ignore[no-untyped-call]
