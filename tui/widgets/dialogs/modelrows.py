"""How the model picker shows models and layers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.content import Content

from engine.text import safe_line
from engine.turns.choice import Layer, Layers
from tui.behind.models import LAYER_NAMES, Found, ModelLine
from tui.look.cells import count, fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.rows import Line, Span

__all__ = ["ModelRows", "about_model", "layer_lines"]

WINDOW, STATE = 6, 24
"""Cells of the two columns at the right."""

ROOM = 58
"""Cells from which both fit beside the name."""

_LABEL = max(map(len, LAYER_NAMES.values())) + 2


class ModelRows:
    """Models as rows of a RowList; a row's key is its reference."""

    uniform: int | None = 1

    def __init__(self, found: Sequence[Found], glyphs: Glyphs):
        self._found = found
        self._glyphs = glyphs
        self._places: dict[Hashable, int] = {one.line.ref: at for at, one in enumerate(found)}

    def __len__(self) -> int:
        return len(self._found)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return self._found[index].line.ref

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(key)

    def foldable(self, index: int) -> bool:
        return False

    def line(self, key: Hashable) -> ModelLine | None:
        """The model of a row."""
        at = self.index_of(key)
        return None if at is None else self._found[at].line

    def lines(self, index: int, width: int) -> Sequence[Line]:
        found, glyphs = self._found[index], self._glyphs
        line = found.line
        state, tone = _state(line)
        wide = width >= ROOM
        room = STATE if wide else min(STATE, max(5, len(state)), max(5, width // 3))
        right = [(fit(count(line.window) if line.window else "", WINDOW, right=True), "dim")]
        right = right if wide else []
        right += [(f"  {fit(state, room, ellipsis=glyphs.ellipsis)}", tone)]
        sign = glyphs.arrow if line.in_force else " "
        head = fit(sign, 2)
        name = " ".join((line.name, *line.aliases))
        left = width - len(head) - sum(len(text) for text, _ in right)
        return (
            [(head, "busy"), *_named(found, fit(name, left, ellipsis=glyphs.ellipsis)), *right],
        )


def _state(line: ModelLine) -> tuple[str, str]:
    """A few words on a model, and their tone: which layers name it, else whether it is ready."""
    if line.marks:
        told = ", ".join(LAYER_NAMES[one] for one in line.marks)
        return (f"{told}, no key" if line.wanting else told), "busy"
    if line.wanting:
        unset = line.wanting.endswith("is not set")
        return (f"needs {line.wanting.split()[0]}" if unset else line.wanting), "dim"
    return ("ready" if line.listed else "as you typed it"), "new" if line.listed else "dim"


def _named(found: Found, text: str) -> list[Span]:
    """Name and aliases, the letters that the filter found marked."""
    end = len(found.line.name)
    spans: list[Span] = []
    for at, letter in enumerate(text):
        plain = "dim" if at >= end or found.line.wanting else ""
        tone = "match" if at in found.letters else plain
        if spans and spans[-1][1] == tone:
            spans[-1] = (spans[-1][0] + letter, tone)
        else:
            spans.append((letter, tone))
    return spans


def about_model(line: ModelLine, glyphs: Glyphs) -> Content:
    """A model in a line: its whole name, its window, whether it can be asked."""
    told = [f"{line.window:,} tokens" if line.window else "window not known"]
    if line.aliases:
        told.append(f"also {', '.join(line.aliases)}")
    told.append("" if line.wanting else "ready")
    dot = f" {glyphs.dot} "
    words = dot.join(part for part in (line.name, *told) if part)
    if not line.wanting:
        return Content(words)
    return Content.assemble(words, dot, (f"{glyphs.warning} {line.wanting}", "$text-warning"))


def layer_lines(layers: Layers, width: int, glyphs: Glyphs) -> Content:
    """The three layers, an arrow before the one in force."""
    rows = [
        _layer("config", layers.config, layers, width, glyphs),
        _layer("session", layers.session, layers, width, glyphs),
        _layer("next message", layers.turn, layers, width, glyphs),
    ]
    return Content("\n").join(rows)


def _layer(label: str, layer: Layer | None, layers: Layers, width: int, glyphs: Glyphs) -> Content:
    here = layer is not None and layer is layers.in_force
    head = f"{fit(glyphs.arrow if here else '', 2)}{fit(label, _LABEL)}"
    if layer is None:
        told = "as the config" if label == "session" else "as the session"
        return Content.styled(f"{head}{told}", MUTED).truncate(max(1, width))
    ref = safe_line(layer.ref, limit=80) or "no model"
    why = layer.error.message if layer.error is not None else layer.place
    if here and layer.error is None:
        why = f"in force: {layer.place if '.' in layer.place else layers.why}"
    if layer is layers.config and layers.chain:
        why += f", then {', '.join(layers.chain)}"
    style = "$text-primary bold" if here else ""
    mark = f"{glyphs.override} " if label != "config" else ""
    row = Content.assemble(
        (head, "bold" if here else MUTED), (f"{mark}{ref}", style), (f"  {safe_line(why)}", MUTED)
    )
    return row.truncate(max(1, width), ellipsis=True)
