"""The inspector: why this agent, which key, which model, how full, where in the tree.

Everything on it comes from one frozen SessionView; the route it draws is the very object that
decided (DESIGN §3), so there is no second path that explains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.agents.leak import Sighting
from engine.engine import SessionView
from engine.rights.company import NOBODY, Company
from engine.text import safe_line
from tui.look.cells import count, fit, percent, spread
from tui.look.glyphs import UNICODE, Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.tracker import Status
from tui.widgets.drawn import put
from tui.widgets.gauge import Fill, gauge, gauge_numbers
from tui.widgets.routing.tracelines import Row, route_rows
from tui.widgets.sessions.memorylines import memory_section

__all__ = ["Inspector", "InspectorState"]

LABEL = 8


@dataclass(frozen=True, slots=True)
class InspectorState:
    """All the inspector shows. `view` is None for a chat that has no entry yet; `model` is the
    reference it would be answered with; `next_model` what was chosen for the next message only;
    `earlier` how many conversations its key held before; `ends` when it ends, and by which rule."""

    view: SessionView | None
    route: object
    key: str
    revision: int
    status: Status = Status.IDLE
    queued: int = 0
    company: Company = NOBODY
    seen: tuple[Sighting, ...] = ()
    fill: Fill | None = None
    model: str = ""
    next_model: str = ""
    earlier: int = 0
    ends: tuple[str, ...] = ()


class Inspector(VerticalScroll, can_focus=True):
    """Five texts that are made anew together when the state changes."""

    ALLOW_SELECT = True
    BINDING_GROUP_TITLE = "Inspector"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "screen.copy_key", "Copy key", id="sessions.copy-key"),
        Binding("i", "screen.pane('inspector')", "Hide", id="sessions.inspector"),
        Binding("j", "scroll_down", "Down", id="list.down", show=False),
        Binding("k", "scroll_up", "Up", id="list.up", show=False),
    ]

    HELP = """\
    ## Inspector

    **Route**: the tiers of routing, most specific first; the one that won, and for the others
    what did not fit. **Session**: key, state, and the model with where the choice comes from:
    the config and its place there, or `▲` a choice for this session, which **m** changes; its
    labels (**L**), what its key held before (**E**), and the rule that will end it, and when.
    **Memory**: whose words are in the window, and the rule by which people share it; a warning
    where direct messages of several meet. **Context**: how much of the model's window is in use
    and where compaction is due. **Branch**: the leaf, and how many branches and compactions
    there are.

    **i** shows and hides it.
    """

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self.border_title = "Inspector"
        self.border_subtitle = "i hide"
        self.glyphs: Glyphs = UNICODE
        self.state: InspectorState | None = None

    def compose(self) -> ComposeResult:
        for name in ("route", "session", "memory", "context", "branch"):
            yield Static(id=f"inspect-{name}", classes="section", markup=False)

    def show(self, state: InspectorState, glyphs: Glyphs) -> None:
        """Show a session."""
        if (state, glyphs) != (self.state, self.glyphs):
            self.state, self.glyphs = state, glyphs
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if self.state is None or width < 10:
            return
        parts = sections(self.state, width, self.glyphs)
        for static, content in zip(self.query(Static), parts, strict=True):
            put(static, content)


def sections(state: InspectorState, width: int, glyphs: Glyphs) -> tuple[Content, ...]:
    """The five texts in `width` cells."""
    return (
        _route(state, width, glyphs),
        _session(state, width, glyphs),
        memory_section(state.company, state.seen, width, glyphs),
        _context(state, width, glyphs),
        _branch(state, width, glyphs),
    )


def _heading(title: str, right: str, width: int) -> Content:
    return Content.assemble((fit(title, width - len(right)), MUTED_BOLD), (right, MUTED))


def _joined(rows: list[Content]) -> Content:
    return Content("\n").join(rows)


def _fields(rows: list[Row], width: int, glyphs: Glyphs) -> list[Content]:
    """Label and value in two columns; a value that is too long is cut."""
    shown = []
    for label, value, style in rows:
        room = width - LABEL
        text = fit(value, room, ellipsis=glyphs.ellipsis).rstrip()
        shown.append(Content.assemble((fit(label, LABEL), MUTED), (text, style)))
    return shown


def _folded(label: str, value: str, width: int, style: str) -> list[Content]:
    """A long value on as many lines as it needs."""
    lines = _at_colons(value, max(1, width - LABEL))
    heads = [label, *[""] * (len(lines) - 1)]
    return [
        Content.assemble((fit(head, LABEL), MUTED), (line, style))
        for head, line in zip(heads, lines, strict=True)
    ]


def _at_colons(key: str, width: int) -> list[str]:
    """A key on lines of `width` cells, broken after its colons where that is possible."""
    lines = [""]
    for part in re.findall(r"[^:]*:?", key):
        pieces = chop_cells(part, width) if part else []
        for piece in pieces:
            if cell_len(lines[-1]) + cell_len(piece) <= width:
                lines[-1] += piece
            else:
                lines.append(piece)
    return lines


def _route(state: InspectorState, width: int, glyphs: Glyphs) -> Content:
    rows = [_heading("ROUTE", f"r{state.revision}", width)]
    for sign, text, style in route_rows(state.route, glyphs):
        rows.append(
            Content.assemble(
                (fit(sign, 2), style), (fit(text, width - 2, ellipsis=glyphs.ellipsis), style)
            )
        )
    return _joined(rows)


def _session(state: InspectorState, width: int, glyphs: Glyphs) -> Content:
    view = state.view
    rows = [_heading("SESSION", "y copies the key", width)]
    rows += _folded("key", safe_line(state.key), width, "")
    fields: list[Row] = [("state", _status(state), "")]
    if view is None:
        fields.append(("model", safe_line(state.model), "$text-primary"))
    else:
        fields += _identity(view, glyphs)
    if state.next_model:
        told = f"{glyphs.override} {safe_line(state.next_model)}"
        fields += [("next", told, "$text-primary"), ("", "for the next message only", MUTED)]
    fields += _life(state)
    return _joined(rows + _fields(fields, width, glyphs))


def _identity(view: SessionView, glyphs: Glyphs) -> list[Row]:
    """Its id, and who answers."""
    mark = f"{glyphs.override} " if view.layers.session is not None else ""
    fields: list[Row] = [
        ("id", _short(view.info.session_id, glyphs), ""),
        ("model", f"{mark}{safe_line(view.model.ref)}", "$text-primary"),
        ("from", _source(view, glyphs), MUTED),
    ]
    if mark:
        fields.append(("config", _configured(view, glyphs), MUTED))
    return fields


def _life(state: InspectorState) -> list[Row]:
    """What it was sorted by, what its key held before, and when it will end."""
    labels = state.view.info.labels[1:] if state.view is not None else ()
    fields: list[Row] = []
    if labels:
        told = ", ".join(safe_line(label, limit=60) for label in labels)
        fields.append(("labels", told, "$text-warning"))
    if state.earlier:
        noun = "conversation" if state.earlier == 1 else "conversations"
        fields.append(("earlier", f"{state.earlier} {noun} (E)", ""))
    heads = ("ends", *[""] * len(state.ends))
    styles = ("", *[MUTED] * len(state.ends))
    return [*fields, *zip(heads, state.ends, styles, strict=False)]


def _status(state: InspectorState) -> str:
    waiting = f", {state.queued} queued" if state.queued else ""
    return f"{state.status.value}{waiting}"


def _short(session_id: str, glyphs: Glyphs) -> str:
    clean = safe_line(session_id)
    return clean if len(clean) <= 14 else f"{clean[:4]}{glyphs.ellipsis}{clean[-4:]}"


def _source(view: SessionView, glyphs: Glyphs) -> str:
    """Where the choice comes from: the config's path, or that it was made for this session."""
    chosen = view.layers.in_force
    if chosen.error is not None:
        return safe_line(f"{chosen.name}: {chosen.error.message}")
    detail = f" {glyphs.dot} {safe_line(chosen.place)}" if chosen.place else " override"
    return chosen.name + detail


def _configured(view: SessionView, glyphs: Glyphs) -> str:
    """What the config would have it answered with."""
    config = view.layers.config
    if config.error is not None:
        return safe_line(config.error.message)
    return safe_line(f"{config.ref} {glyphs.dot} {config.place}")


def _context(state: InspectorState, width: int, glyphs: Glyphs) -> Content:
    fill = state.fill
    if fill is None:
        return Content("")
    head = _heading("CONTEXT", percent(fill.part), width)
    bar = gauge(fill, width, glyphs)
    due = f"{glyphs.fold} at {fill.threshold:.0%}" if fill.threshold <= 1 else ""
    return _joined([head, bar, Content.styled(spread(gauge_numbers(fill), due, width), MUTED)])


def _branch(state: InspectorState, width: int, glyphs: Glyphs) -> Content:
    view = state.view
    if view is None:
        return Content("")
    rows: list[Row] = [
        ("leaf", _short(view.leaf, glyphs) if view.leaf else "at the beginning", ""),
        ("msgs", count(view.counts.messages), ""),
        ("tree", _counts(view), ""),
    ]
    shown = [_heading("BRANCH", "", width), *_fields(rows, width, glyphs)]
    problems = [*view.problems, *view.info.problems]
    if problems:
        shown += [Content(""), _heading("PROBLEMS", str(len(problems)), width)]
        for problem in dict.fromkeys(problems):
            text = Content.assemble(
                (f"{glyphs.warning} ", "$text-warning"), safe_line(problem.message, limit=300)
            )
            shown += text.wrap(width)
    return _joined(shown)


def _counts(view: SessionView) -> str:
    parts = [f"{view.branches} branches" if view.branches > 1 else "1 branch"]
    if view.compactions:
        parts.append(f"{view.compactions} folded")
    return ", ".join(parts)
