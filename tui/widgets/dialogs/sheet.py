"""The entries of a container of the config as a list, and what stands under the cursor explained.

It only shows, and says which key was pressed on what; tui.config.editor does it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.text import safe_line
from tui.behind.configrows import Entry
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.lines import longest
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, RowView

__all__ = ["EntryRows", "Sheet"]

NAME = 26
"""Most cells of the column of names."""


class EntryRows:
    """Entries as rows; a row's key is the entry's path."""

    uniform: int | None = 1

    def __init__(self, entries: Sequence[Entry], glyphs: Glyphs):
        self.entries = tuple(entries)
        self._glyphs = glyphs
        self._places: dict[Hashable, int] = {one.path: at for at, one in enumerate(entries)}
        self._name = min(NAME, max((len(one.name) for one in entries), default=0))

    def __len__(self) -> int:
        return len(self.entries)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return self.entries[index].path

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(key)

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        one, glyphs = self.entries[index], self._glyphs
        names = min(self._name, max(6, width // 3))
        sign = glyphs.closed if one.holds else " "
        source = f"  {one.source}" if one.source else ""
        room = max(1, width - names - 4 - len(source))
        shown = fit(one.shown, room, ellipsis=glyphs.ellipsis)
        unknown = one.shape is None
        name = fit(one.name, names, ellipsis=glyphs.ellipsis)
        tone = "needs" if unknown else "strong" if one.written else ""
        return (
            [
                (f"{sign} ", "dim"),
                (name, tone),
                (f"  {shown}", "" if one.written else "dim"),
                (source, "busy" if one.written else "dim"),
            ],
        )


class Sheet(Dialog[None]):
    """A container of the config; see ConfigEditor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="setting.leave"),
        Binding("backspace,h,left", "up", "One level up", id="setting.up", show=False),
        Binding("a", "add", "Add an entry", id="setting.add"),
        Binding("d,delete", "remove", "Remove it", id="setting.remove"),
        Binding("r", "rename", "Rename it", id="setting.rename"),
        Binding("e", "as_text", "Change it as text", id="setting.as-text"),
        Binding("J", "shift(1)", "Move it down", id="setting.down"),
        Binding("K", "shift(-1)", "Move it up", id="setting.raise"),
        Binding("D", "make_default", "Make it the default agent", id="setting.default"),
        Binding("u", "undo", "Undo the last change", id="setting.undo"),
        Binding("w", "write", "Show the difference, write it", id="setting.write"),
    ]

    DEFAULT_CSS = """
    Sheet { align: center middle; }
    Sheet > Vertical {
        width: 100; max-width: 96%; height: 30; max-height: 94%; padding: 0 1;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    Sheet RowList { height: 1fr; min-height: 2; background: $surface; }
    Sheet #about {
        height: auto; max-height: 5; border-top: solid $border-blurred; color: $foreground 60%;
    }
    Sheet.-h0 #about { max-height: 3; }
    Sheet #changes { height: auto; min-height: 1; max-height: 3; }
    """

    rows: EntryRows

    def __init__(self, glyphs: Glyphs):
        super().__init__()
        self.glyphs = glyphs
        self.rows = EntryRows((), glyphs)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield RowList(sign=self.glyphs.cursor)
            yield Static(id="about", markup=False)
            yield Static(id="changes", markup=False)

    @property
    def table(self) -> RowList:
        return self.query_one(RowList)

    @property
    def entry(self) -> Entry | None:
        """What the cursor is on."""
        place = self.rows.index_of(self.table.current)
        return None if place is None else self.rows.entries[place]

    def draw(
        self, entries: Sequence[Entry], title: str, keys: tuple[str, ...], empty: str, changes: str
    ) -> None:
        """Show entries.

        Args:
            title: where they stand, safe.
            keys: what the lower edge says, longest first.
            empty: what is said when there are none.
            changes: what was changed so far, safe; "" for nothing.
        """
        self.rows = EntryRows(entries, self.glyphs)
        self.table.empty = empty
        self.table.set_source(self._source)
        box = self.query_one(Vertical)
        box.border_title = Content(title)
        box.border_subtitle = Content(longest(keys, max(10, self.size.width - 12)))
        self.query_one("#changes", Static).update(
            Content.styled(changes, "$text-warning" if changes else MUTED)
        )
        self.draw_about()

    def _source(self, view: RowView) -> EntryRows:
        return self.rows

    def draw_about(self) -> None:
        """Explain the entry under the cursor."""
        one = self.entry
        if one is None:
            told = Content("")
        elif one.shape is None:
            words = f"{one.name}: no such key is known here; d takes it out"
            told = Content.styled(words, "$text-warning")
        else:
            words = one.shape.words if one.shape.words != "object" else ""
            parts = (words, one.shape.default)
            kind = ", ".join(part for part in parts if part)
            told = Content.assemble((one.name, "bold"), f"  {kind}", f"\n{one.shape.doc}")
        self.query_one("#about", Static).update(told)

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        self.draw_about()

    def say_here(self, text: str) -> None:
        """Say why a key did nothing, below the list."""
        told = Content.styled(safe_line(text, limit=300), "$text-warning")
        self.query_one("#changes", Static).update(told)
