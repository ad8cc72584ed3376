"""The app: modes, palette, keymap, themes, notices. It wires and decides nothing itself."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, work
from textual.binding import Binding, BindingType

from engine.engine import Engine
from engine.errors import Problem
from engine.events import ConfigChanged, Noticed, TurnedAway
from engine.values import replace
from tui import modes
from tui.behind.broom import Broom
from tui.bridge import Batch
from tui.commands.keymap import completed, key_name, keymap_problems
from tui.commands.keyorder import KeyOrder
from tui.config.confignews import ConfigNews, InForce, News
from tui.config.themes import ThemeFolder
from tui.demo.tour import Tour
from tui.home import Home
from tui.later import until_done
from tui.look.terminal import titled
from tui.look.theme import DARK, own_themes
from tui.people.attention import Attention
from tui.screens.cockpit import CockpitScreen
from tui.screens.sessions import SessionsScreen
from tui.widgets.drawn import AsciiSigns

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.driver import Driver

    from engine.routing.envelope import Envelope

__all__ = ["BranchlineApp"]

DOOR_SECONDS = 20
"""How often it is looked who asks to be let in: other programs may have been told."""

PATIENCE = 2.0
"""Seconds that the end waits at most for what a person asked for before it."""

REST_SECONDS = 0.5
"""How often it is looked whether it is time to take garbage out."""


def _palette() -> type[Provider]:
    """What the command palette offers, imported when it is first opened."""
    from tui.commands.palette import Everything

    return Everything


class BranchlineApp(Home):
    """Branchline in a terminal.

    Args:
        engine: an open engine; whoever opened it closes it.
    """

    TITLE = "Branchline"
    CSS_PATH = ["app.tcss", "screens/sessions.tcss"]
    PAUSE_GC_ON_SCROLL = True
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [
        (0, "-w0"),
        (60, "-w60"),
        (80, "-w80"),
        (100, "-w100"),
        (140, "-w140"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-h0"), (16, "-h16"), (24, "-h24"), (34, "-h34")]
    MODES = {mode.name: mode for mode in modes.MODES}
    DEFAULT_MODE = "sessions"
    COMMANDS = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        *modes.KEYS,
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True, tooltip="Leave the app"),
        Binding(
            "f1",
            "help",
            "Help",
            id="app.help",
            priority=True,  # in dialogs, too
            tooltip="Help for the pane in focus",
        ),
    ]

    def __init__(self, engine: Engine):
        super().__init__(engine)
        if self.memory.tour is not None:
            self.tour = Tour(self)
        for theme in own_themes():
            self.register_theme(theme)
        self.set_reactive(BranchlineApp.theme, DARK)  # assigned, all styles would be read twice
        self._missed: str | None = None  # the theme that had no file yet; "": none
        self.theme_folder = ThemeFolder(self, self._wear)
        self._ascii = AsciiSigns(engine.config.ui.glyphs == "ascii")
        self._filters.append(self._ascii)
        self._attention = Attention(self)
        self._animations = self.animation_level
        self._leaving: asyncio.Task[None] | None = None
        self._key_order = KeyOrder(self, super().on_event)
        self._config_news = ConfigNews(self._say_news, self.set_timer, self._in_force)
        self._broom = Broom(lambda: self.bridge.tracker.busy > 0)

    # start

    async def on_load(self) -> None:
        """The list is there before the first screen is, so the first frame is whole."""
        await self.bridge.load()
        memory = self.memory
        self.bridge.tracker.recall(memory.seen, memory.known_until, memory.needs)

    def on_mount(self) -> None:
        self._apply_config()
        self.screen_change_signal.subscribe(self, self.draw_notices)
        self.bridge.listen(self._hear)
        self.run_worker(self.bridge.hear(), group="hear", exclusive=True)
        self.run_worker(self.bridge.tell(), group="tell", exclusive=True)
        self.run_worker(self.bridge.list_sessions(), group="list", exclusive=True)
        self.run_worker(self.engine.watch(), group="watch", exclusive=True)
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        """What may wait until something is on the screen."""
        gc.freeze()  # what a start made stays; see tui.launch
        gc.enable()
        self._broom.take_over()
        self.set_interval(REST_SECONDS, self._broom.look)
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        if self.tour is not None:
            self.tour.start()
        self.run_worker(self.theme_folder.watch(), group="themes", exclusive=True)
        self._attention.look(())
        self.tell(self.engine.problems)
        self.tell(self._keymap_problems())
        self._look_at_door()
        self.set_interval(DOOR_SECONDS, self._look_at_door)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            if not self.screen_stack:
                return  # the app has ended, and nothing is left that it could mean
            self._broom.key_came()
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._key_order.take(event)
        else:
            await super().on_event(event)

    def post_display_hook(self) -> None:
        self._broom.frame_came()

    def on_unmount(self) -> None:
        self._broom.give_back()

    @work(exclusive=True, group="door")
    async def _look_at_door(self) -> None:
        if await self.pairings.look():
            self.bridge.tell_again()

    def get_driver_class(self) -> type[Driver]:
        return titled(super().get_driver_class())

    def _apply_config(self) -> None:
        ui = self.engine.config.ui
        self.animation_level = "none" if ui.motion == "reduced" else self._animations
        if self._ascii.enabled != (ui.glyphs == "ascii"):
            self._ascii.enabled = not self._ascii.enabled
            self.mutate_reactive(BranchlineApp.theme)  # so that everything is drawn anew
        wanted = ui.theme or self.memory.theme or DARK
        if wanted in self.available_themes:
            self.theme = wanted
        self.set_keymap(self._keymap_of_config())

    def _wear(self) -> None:
        """Put on the theme that is asked for, when its file was read for the first time."""
        wanted = self.engine.config.ui.theme or self.memory.theme or DARK
        if self._missed not in (None, wanted):
            return
        here = wanted in self.available_themes
        if here and wanted != self.theme:
            self.theme = wanted
        elif not here and self._missed is None:
            self.tell((Problem(f"there is no theme {wanted}", "warning", path="ui.theme"),))
        self._missed = "" if here else wanted

    def more_problems(self) -> Iterable[Problem]:
        return (*self._keymap_problems(), *self.theme_folder.problems)

    def _keep_theme(self, theme: Any) -> None:
        self.memory = replace(self.memory, theme=theme.name)

    # what the engine tells

    def _hear(self, batch: Batch) -> None:
        self._config_news.hear(batch)
        self._attention.look(batch)
        for event in batch:
            if isinstance(event, Noticed):
                if not (self._config_news.silences(event) or self._is_on_screen(event.problem)):
                    self.tell((event.problem,))
            elif isinstance(event, TurnedAway):
                self._look_at_door()
            elif isinstance(event, ConfigChanged):
                self._apply_config()
                self.tell(self._keymap_problems())

    def _is_on_screen(self, problem: Problem) -> bool:
        """Whether the screen in front tells of it already, in a line that stays."""
        base = self.screen_stack[0] if self.screen_stack else None
        return isinstance(base, CockpitScreen) and base.tells_of(problem)

    def _in_force(self) -> InForce:
        scope, room = self.engine.config.session.dm_scope, self.engine.settings
        return InForce(scope, room.unsaved, room.undoable, self.glyphs.arrow)

    def _say_news(self, news: News) -> None:
        self.post(news.text, news.title, news.severity, seconds=10, details=news.details)

    async def to_chat(self, ref: str, text: str | None = None) -> None:
        if self.current_mode != self.DEFAULT_MODE:
            await self.switch_mode(self.DEFAULT_MODE)
        screen = self.screen
        if isinstance(screen, SessionsScreen):
            screen.take_up(ref, text)

    async def to_tree(self, entry_id: str, ref: str = "") -> None:
        from tui.screens.tree import TreeScreen

        if ref and ref != self.bridge.tracker.open_key:
            await self.to_chat(ref)
            self.bridge.tracker.opened(ref)  # before it is read: the tree asks which one is open
        await self.switch_mode("tree")
        screen = self.screen
        if isinstance(screen, TreeScreen):
            screen.open(self.bridge.tracker.open_key or screen.ref, at=entry_id)

    async def simulate(self, envelope: Envelope) -> None:
        from tui.screens.simulator import SimulatorScreen

        await self.switch_mode("simulator")
        screen = self.screen
        if isinstance(screen, SimulatorScreen):
            screen.call_after_refresh(screen.ask_for, envelope)

    async def run_slash(self, text: str, *, complete: bool) -> None:
        if self.current_mode != self.DEFAULT_MODE:
            await self.switch_mode(self.DEFAULT_MODE)
        screen = self.screen
        if isinstance(screen, SessionsScreen):
            screen.insert_command(text) if complete else screen.run_command(text)

    # keys and commands

    def _keymap_of_config(self) -> dict[str, str]:
        keymap = dict(self.engine.config.keymap)
        return completed(keymap, [BranchlineApp, *modes.nodes()]) if keymap else {}

    def _keymap_problems(self) -> list[Problem]:
        """Told here, once: Textual tells a clash at each key press, and not every clash."""
        return keymap_problems(self.engine.config.keymap, [BranchlineApp, *modes.nodes()])

    def get_key_display(self, binding: Binding) -> str:
        return key_name(super().get_key_display(binding), ascii_only=self._ascii.enabled)

    async def action_quit(self) -> None:
        """Leave, when what was asked for before is done; asked again, leave at once."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        else:
            self._end()

    async def _leave(self) -> None:
        await self._key_order.see_through()
        await until_done(self, self.asks, lambda: any(each() for each in self.underway), PATIENCE)
        self._end()

    def _end(self) -> None:
        if self._running:
            self.at_the_end()
            self.exit()

    def _fatal_error(self) -> None:
        """As Textual's, but without the values of variables: they may hold secrets."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        with suppress(Exception):  # what broke the app may break this too; the trace is shown
            self.at_the_end()
        self.bell()
        trace = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(trace, self.console.options)))
        self._close_messages_no_wait()
