"""What the screens of the cockpit share: news from the engine, the lines that warn, the keys that
lead from one to another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from engine.engine import Engine
from engine.errors import Problem
from engine.text import safe_line
from tui import modes
from tui.bridge import Batch
from tui.home import Home, home_of
from tui.tracker import Tracker
from tui.widgets.bar import Bar
from tui.widgets.dialogs.dialog import be_still
from tui.widgets.keybar import KeyBar
from tui.widgets.lines import Banner
from tui.widgets.partial import PartialCompositor
from tui.widgets.sessions import advice
from tui.widgets.tourpanel import TourPanel

if TYPE_CHECKING:
    from tui.commands.jump import Hidden

__all__ = ["CockpitScreen"]

_SHARED = ("app.switch_mode", "app.help", "app.command_palette", "dismiss_leaks")
"""Single letters of every screen; like all of them they act only while nobody writes."""


_FIELDS = (TextArea, Input)


class CockpitScreen(Screen[None]):
    """A screen of the app, one to a mode.

    A screen that is not in front is not painted: its news are kept as "look again" and told when
    it comes to the front. Textual runs the `on_…` of every class, a screen's own before these.
    """

    MODE: ClassVar[str]
    """The mode whose screen this is, as in the app's MODES."""

    NAVIGATE: ClassVar[frozenset[str]] = frozenset()
    """Actions of single letters; they act, and show in the footer, only while nobody writes."""

    PANES: ClassVar[tuple[type[Widget], ...]] = ()
    """Widgets of the screen that have keys of their own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *modes.GO,
        Binding(
            "X",
            "dismiss_leaks",
            "Leak warning away",
            id="go.dismiss-leaks",
            show=False,
            tooltip="It stays among the problems",
        ),
        Binding("f8", "tour", "Tour", id="tour.show", show=False, tooltip="Put away or bring back"),
        Binding("f9", "tour_skip", "Next step", id="tour.skip", show=False, tooltip="Of the tour"),
        Binding(
            "ctrl+o",
            "jump",
            "Jump",
            id="go.jump",
            show=False,
            tooltip="A letter over each pane leads there",
        ),
        Binding(
            "ctrl+f",
            "find_words",
            "Find",
            id="go.find",
            show=False,
            tooltip="What was once said, in all sessions",
        ),
        Binding("tab", "app.focus_next", "Next pane", id="go.next", show=False),
        Binding("shift+tab", "app.focus_previous", "Pane before", id="go.previous", show=False),
        Binding("question_mark", "app.help", "Help", id="go.help", show=False),
        Binding("colon", "app.command_palette", "Commands", id="go.palette", show=False),
    ]

    _stale = False

    def __init__(self) -> None:
        super().__init__()
        self._compositor = PartialCompositor()

    @property
    def home(self) -> Home:
        return home_of(self)

    @property
    def engine(self) -> Engine:
        return self.home.engine

    @property
    def tracker(self) -> Tracker:
        return self.home.bridge.tracker

    # what it is made of

    def compose(self) -> ComposeResult:
        yield self.row_0()
        yield Banner(id="broken")
        yield Banner(dismissable=True, id="leak")
        yield from self.body()
        yield TourPanel(self.home.tour, self.home.glyphs)
        yield KeyBar()

    def row_0(self) -> Bar:
        """The first line: where one is, and what is in force."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        """What stands between the warnings and the footer."""
        raise NotImplementedError

    # news

    def on_mount(self) -> None:
        self._deaf = self.home.bridge.listen(self._hear)

    def on_unmount(self) -> None:
        self._deaf()

    @property
    def stands(self) -> bool:
        """False while the app is being left: panes go before the events stop."""
        return self.app.is_running and self.display

    @property
    def in_front(self) -> bool:
        """Whether this is the screen of the mode that is shown, under a dialog perhaps."""
        return self.app.current_mode == self.MODE

    def _hear(self, batch: Batch) -> None:
        if not self.stands:
            return
        matters = self.overhear(batch)
        if not self.in_front:
            self._stale = self._stale or matters
            return
        self.draw_warnings()
        self.news(batch)

    def overhear(self, batch: Batch) -> bool:
        """Take news in, also while another screen is in front; whether the screen is out of date
        with them."""
        return True

    def news(self, batch: Batch) -> None:
        """News while the screen is in front. An empty batch: the list was read again."""

    def again(self) -> None:
        """Back in front after news that were not drawn."""

    def on_screen_resume(self) -> None:
        if not self.stands:
            return
        self.draw_warnings()
        stale, self._stale = self._stale, False
        if stale:
            self.again()

    # what every screen says

    def draw_warnings(self) -> None:
        """The lines that stay: a broken config, a leak that was stopped."""
        glyphs = self.home.glyphs
        self.set_class(self.engine.config.ui.glyphs == "ascii", "-ascii")
        errors = advice.config_errors(self.engine)
        told = advice.broken_lines(errors, self.engine.revision, glyphs)
        self.query_one("#broken", Banner).variants = told
        leaks = advice.leak_lines(tuple(self.tracker.leaks.values()), glyphs)
        self.query_one("#leak", Banner).variants = leaks

    def tells_of(self, problem: Problem) -> bool:
        """Whether a line of the screen says this; then no notice covers the rest of it."""
        return False

    def on_banner_dismissed(self) -> None:
        self.dismiss_leaks()

    def action_dismiss_leaks(self) -> None:
        self.dismiss_leaks()

    def dismiss_leaks(self) -> None:
        """Put the leak warning away; it stays among the problems."""
        self.home.hush_leaks()

    # the tour of the demo

    def sights(self) -> Iterable[str]:
        """What can be seen here that the tour asks for, as its steps call it."""
        return ()

    def action_tour(self) -> None:
        if self.home.tour is not None:
            self.home.tour.show(self.home.tour.hidden)

    def action_tour_skip(self) -> None:
        if self.home.tour is not None:
            self.home.tour.skip()

    def say(self, text: str, title: str) -> None:
        """A short notice; made safe."""
        self.home.say(text, title)

    def copy(self, text: str, what: str) -> None:
        """To the clipboard, and say so."""
        self.app.copy_to_clipboard(text)
        self.notify(safe_line(text, limit=200), title=f"{what} copied", markup=False, timeout=3)

    def copy_selected(self) -> bool:
        """What is selected, to the clipboard; False when nothing is."""
        area = self.focused if isinstance(self.focused, TextArea) else None
        selected = self.get_selected_text() or (area.selected_text if area is not None else "")
        if selected:
            self.app.copy_to_clipboard(selected)
            self.notify("Copied", timeout=2, markup=False)
        return bool(selected)

    def action_copy(self) -> None:
        """^C at rest: copy what is selected, else say how to leave."""
        if not self.copy_selected():
            self.notify("^Q leaves Branchline", timeout=3, markup=False)

    # going about

    def jump_targets(self) -> list[Widget]:
        """Where jump mode leads: whatever can take the focus, in the order of Tab."""
        return list(self.focus_chain)

    def hidden_panes(self) -> list[Hidden]:
        """Panes that have no room just now, or were put away: jump mode opens them."""
        return []

    def action_find_words(self) -> None:
        from tui.commands.finder import find_words

        find_words(self.home)

    def action_jump(self) -> None:
        from tui.commands.jump import Jump, in_reach

        def go(target: Widget | Hidden | None) -> None:
            if isinstance(target, tuple):
                target[1]()
            elif target is not None and target.is_attached:
                target.focus()

        self.app.push_screen(Jump(in_reach(self.jump_targets()), self.hidden_panes()), go)

    @on(DescendantFocus)
    def _be_still(self, event: DescendantFocus) -> None:
        be_still(event.widget)

    def look_around(self) -> None:
        """Out of a text field, to the pane before it, so that single letters act."""
        if self.writing:
            chain = self.focus_chain
            place = chain.index(self.focused) if self.focused in chain else 0
            panes = [each for each in chain[:place][::-1] if not isinstance(each, _FIELDS)]
            self.set_focus(panes[0] if panes else None)

    # keys

    def rounds(self) -> list[list[Widget]]:
        """What Tab goes round in, from wherever the focus is: each pane is in one of them."""
        return [list(self.focus_chain)]

    @property
    def writing(self) -> bool:
        """Whether a text field has the focus."""
        return isinstance(self.focused, _FIELDS)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "dismiss_leaks" and not self.tracker.leaks:
            return False
        if action in self.NAVIGATE or action in _SHARED:
            return not self.writing
        if action in ("tour", "tour_skip"):
            return self.home.tour is not None
        return True
