"""A choice among a few words on one line: `(•) dm ( ) group ( ) channel`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

__all__ = ["Dial"]


class Dial(Widget, can_focus=True):
    """Some words, one of them chosen; Space and the arrows up and down go on, a click chooses."""

    HELP = """\
    ## One of these

    **Space**, **j k** or **↑ ↓** go through the words, a click chooses one.
    """
    ALLOW_SELECT = False
    BINDING_GROUP_TITLE = "Choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,down,j", "turn(1)", "Next", id="choice.next", show=False),
        Binding("up,k", "turn(-1)", "Previous", id="choice.previous", show=False),
    ]
    DEFAULT_CSS = "Dial { height: 1; width: auto; }"

    chosen: reactive[int] = reactive(0)

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        dial: Dial

    def __init__(self, words: Sequence[str], *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.words = tuple(words)

    @property
    def word(self) -> str:
        return self.words[self.chosen]

    def choose(self, word: str) -> None:
        if word in self.words:
            self.chosen = self.words.index(word)

    def watch_chosen(self) -> None:
        self.post_message(self.Changed(self))

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        for index, word in enumerate(self.words):
            on = index == self.chosen
            style = "$primary bold" if on and self.has_focus else "bold" if on else ""
            parts.append((f"{'(•)' if on else '( )'} {word}  ", style))
        return Content.assemble(*parts)

    def get_content_width(self, container: object, viewport: object) -> int:
        return sum(len(word) + 6 for word in self.words)

    def action_turn(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self.words)

    def on_click(self, event: events.Click) -> None:
        place = 0
        for index, word in enumerate(self.words):
            place += len(word) + 6
            if event.x < place:
                self.chosen = index
                return

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()
