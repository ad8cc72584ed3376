"""A row of names of panes, one of them shown; a click shows another."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
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

    def _labels(self) -> list[str]:
        """What is drawn for each name: with less room between, then only their first words."""
        room = max(1, self.size.width) - 1
        roomy = [self._marked(name, at, " ") for at, name in enumerate(self.names)]
        tight = [self._marked(name, at, "") for at, name in enumerate(self.names)]
        short = [self._marked(name.split()[0], at, "") for at, name in enumerate(self.names)]
        fitting = (form for form in (roomy, tight) if sum(map(cell_len, form)) <= room)
        return next(fitting, short)

    def _marked(self, name: str, at: int, space: str) -> str:
        if at == self.shown:
            return f"[{space}{name}{space}] "
        return f" {space}{name}  {space}"

    def render(self) -> Content:
        parts = [
            (label, "$primary bold" if index == self.shown else MUTED)
            for index, label in enumerate(self._labels())
        ]
        return Content.assemble(" ", *parts).truncate(max(1, self.size.width), ellipsis=True)

    def on_click(self, event: events.Click) -> None:
        place = 1
        for index, label in enumerate(self._labels()):
            place += cell_len(label)
            if event.x < place:
                self.post_message(self.Chosen(index))
                return
