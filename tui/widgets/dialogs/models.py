"""Choosing a model: all there are, which layer says what, and for what the choice is to hold."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.models.registry import ModelRegistry
from engine.turns.choice import Layers
from tui.behind.models import ModelLine, find_models, model_lines
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.dialogs.modelrows import ModelRows, about_model, layer_lines
from tui.widgets.linefield import LineField
from tui.widgets.rowlist import RowList
from tui.widgets.rows import RowView

__all__ = ["EVERY_WAY", "ModelPicker", "Picked", "Way"]

Way = Literal["session", "turn", "config", "file"]
"""For what a choice holds: the session; its next message only; nothing, so that the config's holds
again; the agent, in the config file."""

EVERY_WAY: tuple[Way, ...] = ("session", "turn", "config", "file")

_KEYS: dict[Way, tuple[str, str]] = {
    "session": ("Enter this session", "Enter session"),
    "turn": ("^N next message", "^N next"),
    "config": ("^R back to config", "^R back"),
    "file": ("^G write to config", "^G write"),
}
"""What the lower edge says, at length and in short."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What was chosen. `ref`: None where the config's model is to hold."""

    ref: str | None
    way: Way


class ModelPicker(Dialog[Picked | None]):
    """Asks for a model; ends with it and for what it is to hold, or None.

    Args:
        title: whose model it is.
        registry: the models of the config in force.
        layers: what says so far which model answers; None where that is of no matter.
        ways: for what it may hold; Enter takes the first.
        verb: what Enter does, where that is not the usual.
        back: what ^R goes back to, where that is not the config's model.
    """

    HELP = """\
    ## Model

    Every model, with its window and what it still lacks. Type to find one by name or alias; the
    whole name of a model that is not listed will do, too. **Tab** goes to the list.

    Three layers say which model answers, and the last one that says anything wins: the **config**,
    with the place there; `▲` a choice for this **session**, made by **Enter** or `/model`; and one
    for the **next message** only, made by **^N** (**n** in the list), which is gone once that
    message is sent. **^R** (**r**) goes back to what the config says, as `/model default` does.
    **^G** (**w**) writes the model into the config as the agent's own; the change is shown first.

    What a person chose is strict: no other model answers in its place. Only the config's model has
    fallbacks.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("ctrl+n,n", "take('turn')", "Next message only", id="model.next"),
        Binding("ctrl+r,r", "take('config')", "Back to the config", id="model.config"),
        Binding("ctrl+g,w", "take('file')", "Into the config", id="model.file"),
        Binding("slash", "filter", "Filter", id="model.filter", show=False),
        Binding("down", "move(1)", "Down", id="list.down", show=False),
        Binding("up", "move(-1)", "Up", id="list.up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="list.page-down", show=False),
        Binding("pageup", "page(-1)", "Page up", id="list.page-up", show=False),
    ]

    DEFAULT_CSS = """
    ModelPicker { align: center middle; }
    ModelPicker > Vertical {
        width: 100; max-width: 96%; height: 26; max-height: 94%; padding: 0 1;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    ModelPicker Static { height: auto; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    ModelPicker LineField {
        background: $surface; border: none; border-top: solid $border-blurred;
        border-bottom: solid $border-blurred; height: 3; padding: 0 2;
    }
    ModelPicker LineField:focus {
        border: none; border-top: solid $border; border-bottom: solid $border;
    }
    ModelPicker RowList { height: 1fr; min-height: 2; background: $surface; }
    ModelPicker #about { border-top: solid $border-blurred; text-wrap: wrap; }
    """

    def __init__(
        self,
        title: str,
        registry: ModelRegistry,
        glyphs: Glyphs,
        layers: Layers | None = None,
        *,
        ways: tuple[Way, ...] = EVERY_WAY,
        verb: str = "",
        back: str = "",
    ):
        super().__init__()
        self._title = title
        self._registry = registry
        self._glyphs = glyphs
        self._layers = layers
        self._ways = ways
        self._verb = verb
        self._back = back
        self._lines = model_lines(registry, layers)
        self._asked: tuple[Hashable, Way] | None = None
        """The model without a key that was asked for once; asked for again, it is taken."""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            if self._layers is not None:
                yield Static(id="layers", markup=False)
            yield LineField(placeholder="find by name or alias, or write provider/model")
            yield RowList(self._rows, empty="No model goes by that name", sign=self._glyphs.cursor)
            yield Static(id="about", markup=False)

    def _rows(self, view: RowView) -> ModelRows:
        return ModelRows(find_models(self._lines, view.query, self._registry), self._glyphs)

    @property
    def _list(self) -> RowList:
        return self.query_one(RowList)

    def on_mount(self) -> None:
        self.query_one(LineField).focus()
        if self._layers is not None:
            self._list.go_to(self._layers.in_force.ref)
        self._look()

    def on_resize(self) -> None:
        width = self.query_one(Vertical).content_size.width
        if self._layers is not None:
            told = layer_lines(self._layers, width, self._glyphs)
            self.query_one("#layers", Static).update(told)
        self.query_one(Vertical).border_subtitle = Content(self._keys(width))

    def _keys(self, width: int) -> str:
        """What may be pressed, in as many words as fit."""
        found = ""
        for short in (0, 1):
            told = [_KEYS[way][short] for way in self._ways]
            if self._verb:
                told[0] = f"Enter {self._verb}"
            if self._back:
                told[self._ways.index("config")] = f"^R {self._back}"
            found = " · ".join((*told, "Esc cancel"))
            if len(found) + 2 <= width:
                return found
        while len(found) + 2 > width and " · " in found:
            found = found.rpartition(" · ")[0]
        return found

    # looking

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list.filter(event.value.strip())
        self._list.cursor = 0
        self._look()

    @on(RowList.Highlighted)
    def _look(self) -> None:
        self._asked = None
        line = self._line()
        told = Content.styled("Esc leaves all as it is", MUTED)
        if line is not None:
            told = about_model(line, self._glyphs)
        self.query_one("#about", Static).update(told)

    def _line(self) -> ModelLine | None:
        rows = self._list.rows
        return rows.line(self._list.current) if isinstance(rows, ModelRows) else None

    # choosing

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip() != self._list.look.query:  # Enter came with the letters
            self._list.filter(event.value.strip())
            self._list.cursor = 0
        self.action_take(self._ways[0])

    @on(RowList.Selected)
    def _selected(self) -> None:
        self.action_take(self._ways[0])

    def action_take(self, way: Way) -> None:
        """End with the model under the cursor; one that cannot be asked is told of first."""
        line = self._line()
        if way == "config":
            self.dismiss(Picked(None, way))
        elif line is not None:
            if line.wanting and self._asked != (line.ref, way):
                self._asked = (line.ref, way)
                self._warn(line)
            else:
                self.dismiss(Picked(line.ref, way))

    def _warn(self, line: ModelLine) -> None:
        told = f"{self._glyphs.warning} {line.wanting}: it could not answer. Once more takes it"
        self.query_one("#about", Static).update(Content.styled(told, "$text-warning"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "take" or parameters[0] in self._ways

    def action_move(self, step: int) -> None:
        self._list.action_move(step)

    def action_page(self, step: int) -> None:
        self._list.action_page(step)

    def action_filter(self) -> None:
        self.query_one(LineField).focus()

    def action_cancel(self) -> None:
        self.dismiss(None)
