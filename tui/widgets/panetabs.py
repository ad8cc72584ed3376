"""A row of names of panes, one of them shown; a click shows another."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.look.tones import MUTED

__all__ = ["PaneTabs"]


class PaneTabs(Widget):
    """`[ Bindings ]   Try a message   dmScope   Config r14`."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "PaneTabs { height: 1; width: 1fr; }"

    names: reactive[tuple[str, ...]] = reactive(())
    shown: reactive[int] = reactive(0)

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, index: int):
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str], *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.set_reactive(PaneTabs.names, tuple(names))

    def render(self) -> Content:
        parts = [
            (f"[ {name} ] ", "$primary bold") if index == self.shown else (f"  {name}   ", MUTED)
            for index, name in enumerate(self.names)
        ]
        return Content.assemble(" ", *parts).truncate(max(1, self.size.width), ellipsis=True)

    def on_click(self, event: events.Click) -> None:
        place = 1
        for index, name in enumerate(self.names):
            place += len(name) + 5
            if event.x < place:
                self.post_message(self.Chosen(index))
                return
