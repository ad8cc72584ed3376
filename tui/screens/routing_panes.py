"""The four panes of the Routing screen: side by side where there is room, else one at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.screens.cockpit import CockpitScreen
from tui.widgets.dial import Dial
from tui.widgets.drawn import put
from tui.widgets.edged import EdgedVertical
from tui.widgets.panetabs import PaneTabs
from tui.widgets.routing.bindinglist import BindingList, head_line
from tui.widgets.routing.configpane import ConfigPane
from tui.widgets.routing.scopepane import ScopePane
from tui.widgets.routing.trypane import TraceView, TryPane
from tui.widgets.sessions.statusbar import StatusBar

if TYPE_CHECKING:
    from tui.commands.jump import Hidden

__all__ = ["PANES", "RoutingPanes"]

PANES = ("bindings", "try", "scope", "config")
"""Ids of the panes, in the order of their tabs."""

WIDE = 100
"""Cells from which all panes stand side by side."""


class RoutingPanes(CockpitScreen):
    """What the screen is made of, and how one comes from pane to pane."""

    AUTO_FOCUS: ClassVar[str | None] = "BindingList"
    PANES = (BindingList, TraceView, ScopePane, ConfigPane, Dial)

    table = getters.query_one(BindingList)
    form = getters.query_one(TryPane)
    scopes = getters.query_one(ScopePane)
    config_pane = getters.query_one(ConfigPane)
    bar = getters.query_one(StatusBar)
    tabs = getters.query_one(PaneTabs)
    filter_line = getters.query_one("#filter", Input)

    shown = "bindings"
    _going: Widget | None = None
    """What is to take the focus: what Textual gives it to in between counts for nothing."""

    def row_0(self) -> StatusBar:
        return StatusBar(id="bar")

    def body(self) -> ComposeResult:
        yield PaneTabs(("Bindings", "Try a message", "dmScope", "Config"), id="tabs")
        with Container(id="desk"):
            with Vertical(id="left"):
                with EdgedVertical(id="bindings", classes="pane"):
                    yield Static(id="heads", markup=False)
                    yield BindingList()
                    yield Static(id="lint", markup=False)
                    yield Input(id="filter", compact=True, placeholder="channel, agent, id …")
                yield TryPane(id="try", classes="pane")
            with Vertical(id="right"):
                yield ScopePane(id="scope")
                yield ConfigPane(id="config")

    def on_mount(self) -> None:
        self.scopes.add_class("pane")
        self.config_pane.add_class("pane")
        self.form.edge(
            ("Try a message  nothing is sent", "Try a message"),
            ("t form", "Esc trace", "s send for real"),
        )
        self._fit()

    @property
    def gone(self) -> bool:
        """Whether the app is being left: the panes go before workers and events stop."""
        return len(self.query("BindingList, TryPane, ScopePane, ConfigPane")) < 4

    # one or all

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        size = self.app.size
        narrow = size.width < WIDE
        self.set_class(narrow or self.has_class("-zoom"), "-one")
        strip = narrow and size.width >= 80 and size.height >= 22 and not self.has_class("-zoom")
        self.set_class(strip, "-strip")
        self.show_pane(self.shown)
        self.call_after_refresh(self._draw_heads)

    def _draw_heads(self) -> None:
        if not self.gone:
            width = self.table.scrollable_content_region.width
            put(self.query_one("#heads", Static), Content(head_line(width)))

    def show_pane(self, name: str) -> None:
        """Where only one pane is shown, this one."""
        self.shown = name
        for each in PANES:
            self.set_class(each == name, f"-on-{each}")
        self.tabs.shown = PANES.index(name)

    def hidden_panes(self) -> list[Hidden]:
        hidden = [name for name in PANES if not self._heart(name).region.area]
        names = dict(zip(PANES, self.tabs.names, strict=True))
        return [(names[name], partial(self.go_to_pane, name)) for name in hidden]

    def go_to_pane(self, name: str, target: Widget | None = None) -> None:
        """Show a pane, and put the focus into it.

        A widget that is hidden while it has the focus takes it away later, from whatever has it
        by then (Textual 8.2): so it gives it up before.
        """
        if self.has_class("-one") and name != self.shown:
            self.set_focus(None)
        self.show_pane(name)
        self._going = target or self._heart(name)
        self.call_after_refresh(self._arrive)

    def _arrive(self) -> None:
        target, self._going = self._going, None
        if target is not None:
            target.focus()

    def _heart(self, name: str) -> Widget:
        """What takes the focus in a pane."""
        hearts = (self.table, self.form.trace, self.scopes, self.config_pane)
        return hearts[PANES.index(name)]

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, event: PaneTabs.Chosen) -> None:
        self.go_to_pane(PANES[event.index])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        name = self._pane_of(event.widget)
        for each in PANES:
            self.query_one(f"#{each}").set_class(each == name, "-held")
        if name is not None and name != self.shown and self._going is None:
            self.show_pane(name)

    def _pane_of(self, widget: Widget) -> str | None:
        return next((str(node.id) for node in widget.ancestors_with_self if node.id in PANES), None)

    def action_pane(self, name: str) -> None:
        self.go_to_pane(name)

    def rounds(self) -> list[list[Widget]]:
        """The panes; and in the form its fields, which Esc leaves."""
        panes: list[Widget] = [self.table, self.form.trace, self.scopes, self.config_pane]
        return [panes, [*self.form.query("Field, Dial")]]

    def action_step_pane(self, step: int) -> None:
        """The next pane; within the form the next field."""
        fields: list[Widget] = self.rounds()[1]
        if self.focused in fields:
            fields[(fields.index(self.focused) + step) % len(fields)].focus()
        else:
            self.go_to_pane(PANES[(PANES.index(self.shown) + step) % len(PANES)])

    def action_zoom(self) -> None:
        """The pane in focus alone, or all again."""
        self.toggle_class("-zoom")
        self._fit()

    # the filter

    def action_filter(self) -> None:
        self.show_pane("bindings")
        self.filter_line.add_class("-shown")
        self.call_after_refresh(self.filter_line.focus)

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        self.table.filter(event.value.strip())

    @on(Input.Submitted, "#filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()
        self.filter_line.set_class(bool(event.value.strip()), "-shown")

    def close_filter(self) -> bool:
        """Whether there was one to close."""
        if not self.filter_line.has_class("-shown"):
            return False
        self.filter_line.value = ""
        self.filter_line.remove_class("-shown")
        self.table.focus()
        return True
