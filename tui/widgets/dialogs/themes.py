"""Choosing a theme: the one under the cursor is shown at once on the screen behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.theme import BUILTIN_THEMES, Theme
from textual.timer import Timer
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.text import safe_line
from tui.look.theme import DARK, LIGHT
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["ThemePicker", "in_order"]

REST = 0.12
"""Seconds the cursor rests on a theme before it is shown: a change of theme restyles everything."""


def in_order(themes: Mapping[str, Theme]) -> list[str]:
    """The app's own themes, then those of the person, then Textual's."""
    own = [name for name in (DARK, LIGHT) if name in themes]
    built_in = sorted(BUILTIN_THEMES.keys() & themes.keys())
    return [*own, *sorted(themes.keys() - {*own, *built_in}), *built_in]


class ThemePicker(Dialog[str | None]):
    """Asks for a theme; ends with its name, or None, and then all looks as before.

    Args:
        now: the theme in force.
    """

    HELP = """\
    ## Theme

    The theme under the cursor is tried on at once; **Enter** keeps it, also for the next start,
    **Esc** goes back to the one before.

    Themes of your own are JSON5 files in `themes/` of the state directory. They name colours
    (`primary` at least, as in `primary: "#7aa7d9"`), and what you save there is on the screen a
    moment later.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Keep", id="dialog.accept", priority=True),
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("j", "step(1)", "Down", id="list.down", show=False),
        Binding("k", "step(-1)", "Up", id="list.up", show=False),
    ]

    DEFAULT_CSS = """
    ThemePicker { align: right middle; background: transparent; }
    ThemePicker > Vertical {
        width: 42; max-width: 100%; height: auto; max-height: 90%; margin: 0 1; padding: 0 1;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    ThemePicker OptionList {
        height: auto; max-height: 100%; border: none; background: $surface; padding: 0;
        scrollbar-size-vertical: 1;
    }
    ThemePicker OptionList:focus { border: none; }
    """

    def __init__(self, now: str):
        super().__init__()
        self._before = now
        self._rest: Timer | None = None
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content("Theme")
            box.border_subtitle = Content("Enter keep · Esc cancel")
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        themes = self.app.available_themes
        self._names = in_order(themes)
        options = self.query_one(OptionList)
        options.add_options([Option(self._row(themes[name])) for name in self._names])
        if self._before in self._names:
            options.highlighted = self._names.index(self._before)
        options.focus()

    def _row(self, theme: Theme) -> Content:
        whose = "" if theme.name in BUILTIN_THEMES else "yours"
        whose = "ours" if theme.name in (DARK, LIGHT) else whose
        kind = "dark" if theme.dark else "light"
        told = "  ".join(part for part in (kind, whose) if part)
        return Content.assemble(safe_line(theme.name, limit=30), (f"  {told}", MUTED))

    @property
    def chosen(self) -> str:
        """The theme under the cursor."""
        place = self.query_one(OptionList).highlighted
        return self._before if place is None else self._names[place]

    def on_option_list_option_highlighted(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._show)

    def _show(self) -> None:
        if self.chosen in self.app.available_themes:
            self.app.theme = self.chosen

    def on_option_list_option_selected(self) -> None:
        self.action_accept()

    def action_step(self, by: int) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def action_accept(self) -> None:
        self._show()
        self.dismiss(self.chosen)

    def action_cancel(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        if self._before in self.app.available_themes:
            self.app.theme = self._before
        self.dismiss(None)
