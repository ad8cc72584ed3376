"""A field of one line that draws whatever was typed or pasted into it harmlessly."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input

from tui.widgets.chat.composer import visible

__all__ = ["LineField"]


class LineField(Input):
    """An Input whose value may hold anything: signs stand for what a terminal might act on. The
    value itself stays as it is."""

    # As Textual has it, but a letter more lays nothing out anew: the line stays where it is.
    virtual_size = Reactive(Size(0, 0), layout=False)

    @property
    def _value(self) -> Text:  # Textual draws and measures this
        return Text(visible(self.value), no_wrap=True, overflow="ignore", end="")
