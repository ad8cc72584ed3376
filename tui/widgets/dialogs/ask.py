"""A small dialog that asks for one line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.linefield import LineField

__all__ = ["Ask"]

Check = Callable[[str], str | None]
"""What is wrong with the text, or None when it will do."""


class Ask(Dialog[str | None]):
    """Asks for a line; ends with the text, or None when cancelled.

    Args:
        title: in the dialog's border.
        hint: one line under the field, saying what will happen.
        check: judges the text while it is typed.
        value: what stands in the field at the start.
        limit: most characters.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
    ]

    DEFAULT_CSS = """
    Ask { align: center middle; }
    Ask > Vertical {
        width: 60; max-width: 90%; height: auto; padding: 1 2;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    Ask Input { background: $surface; border: round $border-blurred; }
    Ask Input:focus { border: round $border; }
    Ask Static { height: auto; min-height: 1; color: $text-muted; padding: 0 1; }
    Ask Static.-wrong { color: $text-error; }
    """

    def __init__(
        self,
        title: str,
        *,
        hint: str,
        check: Check,
        placeholder: str = "",
        value: str = "",
        limit: int = 80,
    ):
        super().__init__()
        self._title = title
        self._hint = hint
        self._check = check
        self._placeholder = placeholder
        self._value = value
        self._limit = limit

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("Enter accept · Esc cancel")
            yield LineField(self._value, placeholder=self._placeholder, max_length=self._limit)
            yield Static(Content(self._hint), markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._judge(event.value, done=True) is None:
            self.dismiss(event.value.strip())

    def _judge(self, value: str, *, done: bool = False) -> str | None:
        """What is wrong; an empty field is only blamed once it is sent off."""
        wrong = self._check(value.strip())
        shown = wrong if value or done else None
        told = self.query_one(Static)
        told.set_class(shown is not None, "-wrong")
        told.update(Content(self._hint if shown is None else shown))
        return wrong

    def action_cancel(self) -> None:
        self.dismiss(None)
