"""The base of every dialog, and of the lists of commands: it is closed once.

Textual's own `dismiss` takes whatever screen is on top off the stack. Two quick presses of Enter or
Esc would close the screen under the dialog as well, and the last one ends the app.
"""

from __future__ import annotations

from typing import Any, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.events import DescendantFocus, Mount
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, LoadingIndicator, OptionList, TextArea

from tui.widgets.dialogs.backdrop import behind
from tui.widgets.partial import PartialCompositor

__all__ = ["Commands", "Dialog", "be_still"]

T = TypeVar("T")


def be_still(widget: Widget) -> None:
    """Let no cursor blink where nothing is to move by itself."""
    if isinstance(widget, (Input, TextArea)):
        widget.cursor_blink = widget.app.animation_level != "none"


class Dialog(ModalScreen[T]):
    """A screen over the one it was called from, until it is dismissed."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._compositor = PartialCompositor()

    def render(self) -> Any:
        return behind(super().render())

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close the dialog with a result. It does nothing once it is closed, or not on top."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

    @on(DescendantFocus)
    def _be_still(self, event: DescendantFocus) -> None:
        be_still(event.widget)


class Commands(CommandPalette):
    """A list of commands to search and run."""

    _left = False
    """Whether its mode was left before it opened."""

    _given_up = False
    """Whether it was dismissed."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._compositor = PartialCompositor()

    def render(self) -> Any:
        return behind(super().render())

    def on_mount(self, event: Mount) -> None:
        """Textual looks for the screen under it in the mode that is in front: where that is
        another one by now, it waits until it is seen."""
        if self not in self.app.screen_stack:
            self._left = True
            event.prevent_default()

    def on_screen_resume(self) -> None:
        if self._left and self in self.app.screen_stack:
            self._left = False
            self._on_mount(Mount())

    def dismiss(self, result: None = None) -> AwaitComplete:
        """As a Dialog's. What is still being looked for is given up."""
        if not self.is_active:
            return AwaitComplete()
        self._given_up = True
        self._cancel_gather_commands()
        self._stop_busy_countdown()
        self._stop_no_matches_countdown()
        return super().dismiss(result)

    @on(DescendantFocus)
    def _be_still(self, event: DescendantFocus) -> None:
        be_still(event.widget)

    async def _watch__show_busy(self) -> None:
        """Textual tells a list that is being closed whether it is busy, and ends the app when the
        sign for it is gone."""
        if self.query(LoadingIndicator):
            await super()._watch__show_busy()

    def _watch__list_visible(self) -> None:
        """Likewise."""
        if self.query(OptionList):
            super()._watch__list_visible()

    async def _dispatch_message(self, message: Message) -> None:
        """A second Enter on its way when the list closes would run the command again, and a
        letter on its way would begin a search in a list that is gone."""
        runs = isinstance(message, (Input.Submitted, OptionList.OptionSelected))
        late = (runs and not self.is_active) or (
            self._given_up and isinstance(message, Input.Changed)
        )
        if not late:
            await super()._dispatch_message(message)

    def _action_command_list(self, action: str) -> None:
        """Textual's list of commands fails on a page key while it is empty."""
        if self.query_one(OptionList).option_count:
            super()._action_command_list(action)
