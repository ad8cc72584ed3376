"""Jump mode: a letter lies over each pane, and leads there; panes that are hidden are listed with a
letter as well, which opens them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.dialogs.dialog import Dialog

__all__ = ["LETTERS", "Hidden", "Jump", "in_reach"]

Hidden = tuple[str, Callable[[], object]]
"""The name of a pane that is not to be seen, and what opens it."""

LETTERS = "asdfghjklqwertzuiopyxcvbnm"
"""Given out in this order: the keys under the hand first, and the same pane the same letter."""


def in_reach(widgets: Sequence[Widget]) -> list[Widget]:
    """Those that are to be seen and can take the focus, as many as there are letters."""
    seen = [each for each in widgets if each.focusable and each.region.area and each.is_on_screen]
    return seen[: len(LETTERS)]


class _Label(Static):
    """A letter over a pane; a click on it leads there as well."""

    class Pressed(Message):
        """The label was clicked."""

        def __init__(self, letter: str):
            super().__init__()
            self.letter = letter

    def __init__(self, letter: str, name: str = ""):
        super().__init__(Content(f" {letter} {name} " if name else f" {letter} "), markup=False)
        self._letter = letter

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Pressed(self._letter))


class Jump(Dialog[Widget | Hidden | None]):
    """Asks where to go; ends with the pane, None when cancelled by any other key.

    Args:
        targets: the panes, on the screen below, at most as many as there are LETTERS.
        hidden: those that are not to be seen; they come after, where letters are left.
    """

    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "cancel", "Cancel", id="jump.cancel"),
    ]

    DEFAULT_CSS = """
    Jump { background: $background 25%; }
    Jump > _Label {
        position: absolute; width: auto; height: 1;
        background: $accent; color: $background; text-style: bold;
        &:nocolor { text-style: bold reverse; }
    }
    """

    def __init__(self, targets: Sequence[Widget], hidden: Sequence[Hidden] = ()):
        super().__init__()
        places: list[Widget | Hidden] = [*targets, *hidden]
        self._targets = dict(zip(LETTERS, places, strict=False))

    def compose(self) -> ComposeResult:
        for letter, target in self._targets.items():
            yield _Label(letter, target[0] if isinstance(target, tuple) else "")

    def on_mount(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Each letter over its pane; the hidden ones one below the other at the right."""
        row = 1
        for label, target in zip(self.query(_Label), self._targets.values(), strict=True):
            if isinstance(target, tuple):
                label.styles.offset = max(0, self.app.size.width - len(target[0]) - 5), row
                row += 1
            else:
                label.styles.offset = self._place(target)

    def _place(self, target: Widget) -> Offset:
        """At the first corner of the pane, its title left in sight."""
        region = target.region
        room = self.app.size
        return Offset(max(0, min(region.x, room.width - 3)), max(0, min(region.y, room.height - 1)))

    def on_key(self, event: events.Key) -> None:
        if event.key in {"escape", "ctrl+o"}:
            return
        event.stop()
        self.dismiss(self._targets.get(event.character or ""))

    def on__label_pressed(self, event: _Label.Pressed) -> None:
        self.dismiss(self._targets.get(event.letter))

    def on_resize(self) -> None:
        self._arrange()

    def action_cancel(self) -> None:
        self.dismiss(None)
