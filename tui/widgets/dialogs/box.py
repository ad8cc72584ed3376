"""What dialogs share: their look, and a choice among a few things in a line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from tui.look.cells import fit
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["BOX", "Choices", "Option", "Pick", "Tick"]

BOX = """
    width: 76; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
    background: $surface; border: round $border; border-title-color: $text;
    border-subtitle-color: $text-muted;
"""
"""Rules of a dialog's box."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose: what it is called, and what it does."""

    key: str
    name: str
    does: str


class Choices(Widget, can_focus=True):
    """A few options, one of them chosen; arrows, their numbers or a click choose."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "Next", id="choice.next", show=False),
        Binding("up,k", "step(-1)", "Previous", id="choice.previous", show=False),
    ]

    DEFAULT_CSS = """
    Choices { height: auto; width: 1fr; }
    """

    chosen: reactive[int] = reactive(0)

    @dataclass
    class Changed(Message):
        """Another option was chosen."""

        option: Option

    def __init__(self, options: Sequence[Option], *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.options = tuple(options)

    @property
    def option(self) -> Option:
        return self.options[self.chosen]

    def watch_chosen(self) -> None:
        self.post_message(self.Changed(self.option))

    def render(self) -> Content:
        names = max(len(option.name) for option in self.options)
        rows = []
        for index, option in enumerate(self.options):
            on = index == self.chosen
            style = "$primary bold" if on and self.has_focus else "bold" if on else ""
            told = f"{'(•)' if on else '( )'} {fit(option.name, names)}   "
            row = Content.assemble((told, style), (option.does, MUTED))
            rows.append(row.truncate(max(1, self.size.width), ellipsis=True))
        return Content("\n").join(rows)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.options)

    def action_step(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self.options)

    def on_key(self, event: events.Key) -> None:
        if event.key.isdigit() and 1 <= int(event.key) <= len(self.options):
            event.stop()
            self.chosen = int(event.key) - 1

    def on_click(self, event: events.Click) -> None:
        if 0 <= event.y < len(self.options):
            self.chosen = event.y

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()


class Tick(Widget, can_focus=True):
    """Something that is wanted or not: `[x] …`; Space or a click changes it."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick", id="choice.tick", show=False),
    ]

    DEFAULT_CSS = """
    Tick { height: 1; width: 1fr; }
    """

    value: reactive[bool] = reactive(False)

    def __init__(self, told: str, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._told = told

    def render(self) -> Content:
        style = "$primary bold" if self.has_focus else ""
        return Content.assemble((f"[{'x' if self.value else ' '}] ", style), (self._told, style))

    def action_tick(self) -> None:
        self.value = not self.value

    def on_click(self) -> None:
        self.action_tick()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()


class Pick(Dialog[str | None]):
    """Asks which of a few things to do; ends with the option's key, None when cancelled.

    Args:
        chosen: the key of the option that the cursor begins on.
        about: what it is about, above the options.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Do it", id="dialog.accept"),
    ]

    DEFAULT_CSS = f"""
    Pick {{ align: center middle; }}
    Pick > VerticalScroll {{ {BOX} }}
    Pick Static {{ height: auto; width: 1fr; }}
    """

    def __init__(
        self, title: str, options: Sequence[Option], *, chosen: str | None = None, about: str = ""
    ):
        super().__init__()
        self._title = title
        self._options = options
        self._chosen = chosen
        self._about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("Enter do it · Esc cancel")
            if self._about:
                yield Static(Content.styled(f"{self._about}\n", MUTED), markup=False)
            yield Choices(self._options)

    def on_mount(self) -> None:
        choices = self.query_one(Choices)
        keys = [option.key for option in self._options]
        if self._chosen in keys:
            choices.chosen = keys.index(self._chosen)
        choices.focus()

    def action_accept(self) -> None:
        self.dismiss(self.query_one(Choices).option.key)

    def action_cancel(self) -> None:
        self.dismiss(None)
