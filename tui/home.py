"""What screens, dialogs and the palette may ask of the app, whichever screens it has.

The app derives from this and adds screens, palette and themes; so nothing here knows a screen, and
no screen knows the app.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.app import App
from textual.command import CommandListItem, SimpleProvider
from textual.dom import DOMNode
from textual.notifications import Notify
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import AwaitMount
from textual.worker import Worker, get_current_worker

from engine.engine import Engine
from engine.errors import BranchlineError, Problem
from engine.routing.envelope import Envelope
from engine.text import safe_line, safe_text
from engine.values import replace
from tui.behind.notices import Notice, NoticeBoard, Severity
from tui.behind.unsent import Unsent
from tui.bridge import Bridge
from tui.look.glyphs import Glyphs, glyphs_for
from tui.memory import AppMemory, MemoryFile
from tui.people.pairing import PairingDesk
from tui.widgets.dialogs.dialog import Commands
from tui.widgets.notices import Notices

if TYPE_CHECKING:
    from engine.agents.models import ManyChanged
    from tui.demo.tour import Tour

__all__ = ["Home", "home_of"]

T = TypeVar("T")


class Home(App[None]):
    """An app on an open engine.

    Attributes:
        bridge: the engine's news, and what is known of all sessions.
        pairings: who asks to be let in.
        memory: what is remembered until the next start.
        memory_file: where it is kept.
        farewell: what is printed after the app is left.
        keepers: bring the memory up to date before the app ends, however it ends.
        underway: each says whether something written is neither on disk nor kept by a keeper yet.
        unsent: words that are neither on disk nor in a composer.
        next_models: by session, the model that answers its next message and no other.
        model_change: the last change of models, to be taken back; None when there is none.
        tour: the tour of the demo; None in a state that is none.
        notices: what was told in short, and which of it is still shown.
        wants_demo: whether the demo is to be opened when this app is left.
    """

    def __init__(self, engine: Engine):
        super().__init__()
        self.engine = engine
        self.bridge = Bridge(engine)
        self.pairings = PairingDesk(engine.pairing)
        self.memory_file = MemoryFile(engine.state_dir)
        self.memory: AppMemory = self.memory_file.memory
        self.next_models = dict(self.memory.next_models)
        self.model_change: ManyChanged | None = None
        self.farewell = ""
        self.keepers: list[Callable[[], None]] = []
        self.underway: list[Callable[[], bool]] = []
        self.unsent = Unsent()
        self._asking: dict[Worker[Any], Screen[Any]] = {}
        self.tour: Tour | None = None
        self.wants_demo = False
        self.notices = NoticeBoard()
        self._notices_end: Timer | None = None

    @property
    def glyphs(self) -> Glyphs:
        return glyphs_for(self.engine.config.ui.glyphs)

    async def push_screen_wait(
        self, screen: Screen[T] | str, *, mode: str | None = None
    ) -> T | Any:
        """As Textual's; meanwhile it is known that the worker waits for the person."""
        worker = get_current_worker()
        if isinstance(screen, Screen):
            self._asking[worker] = screen
        try:
            return await super().push_screen_wait(screen, mode=mode)
        finally:
            self._asking.pop(worker, None)

    def asks(self, worker: Worker[Any]) -> bool:
        """Whether a worker waits for an answer of the person, who has not given it yet."""
        return any(self._asking.get(worker) in stack for stack in self._screen_stacks.values())

    def at_the_end(self) -> None:
        """Bring the memory up to date."""
        for keep in self.keepers:
            keep()

    async def keep_memory(self) -> None:
        """Write the memory, if it changed: drafts outlive even a power cut."""
        self.at_the_end()
        memory, file = self.memory, self.memory_file
        if memory != file.memory:
            with suppress(OSError):  # what failed is tried again the next time, and at the end
                await asyncio.to_thread(file.write, memory, file.turn())

    # saying things

    def fail(self, error: BranchlineError) -> None:
        """Say an error of the engine."""
        text = safe_text(str(error), limit=1000)
        self.notify(text, title=error.title, severity="error", timeout=10, markup=False)

    def say(self, text: str, title: str = "", *, seconds: float = 4) -> None:
        """A short notice; made safe here."""
        self.notify(safe_line(text), title=safe_line(title), markup=False, timeout=seconds)

    def tell(self, problems: Iterable[Problem]) -> None:
        """Say problems as notices, never as markup."""
        told = sorted(problems, key=lambda problem: problem.severity != "error")
        if not told:
            return
        first = told[0]
        words = [safe_text(str(problem), limit=300) for problem in told]
        if len(told) > 2:
            words = [f"{len(told)} in all: ^P, then Problems", words[0]]
        text = "\n".join(words)
        title = "Problem" if first.severity == "error" else "Please note"
        self.notify(text, title=title, severity=first.severity, timeout=8, markup=False)

    def on_notify(self, event: Notify) -> None:
        """Shown in our own way: at most two at once, beside what is read and written."""
        event.prevent_default()
        told = event.notification
        self.post(told.message, told.title, told.severity, seconds=told.timeout)

    def post(
        self,
        text: str,
        title: str,
        severity: Severity,
        *,
        seconds: float,
        details: tuple[str, ...] = (),
    ) -> None:
        """Show a notice for some seconds; the list of notices keeps it, with its details. All of
        it is safe."""
        until = time.monotonic() + seconds
        self.notices.post(Notice(title, (text,), severity, time.time(), until, details))
        self.draw_notices()

    def draw_notices(self, *_: object) -> None:
        """Show on the screen in front what is up; it goes when its time is over."""
        if not self.is_running or not self.screen_stack:
            return
        now = time.monotonic()
        shown = self.notices.shown(now)
        for below in self.screen_stack[:-1]:
            for hidden in below.query_children(Notices):
                hidden.show(())
        box = next((each for each in self.screen.children if isinstance(each, Notices)), None)
        if box is None and shown:
            box = Notices(self.glyphs, self._read_notice)
            self.screen.mount(box)
        if box is not None:
            box.show(shown)
        if self._notices_end is not None:
            self._notices_end.stop()
            self._notices_end = None
        if shown:
            soonest = min(one.until for one in shown) - now
            self._notices_end = self.set_timer(max(0.05, soonest), self.draw_notices)

    def _read_notice(self, notice: Notice) -> None:
        self.notices.put_away(notice)
        self.draw_notices()

    def clear_notifications(self) -> None:
        """Put away what is shown; it stays in the list of notices."""
        self.notices.clear()
        self.draw_notices()

    def show_notices(self) -> None:
        """Everything that was told since the start."""
        from tui.widgets.dialogs.notices import NoticeHistory

        self.push_screen(NoticeHistory(self.notices.told(), self.glyphs))

    def show_problems(self) -> None:
        """Everything that is wrong, with places and hints."""
        from tui.widgets.dialogs.problems import Problems
        from tui.widgets.sessions.advice import isolation_problems

        problems = [*isolation_problems(self.engine), *self.engine.problems]
        problems += self.more_problems()
        for info in self.bridge.tracker.infos.values():
            problems += info.problems
        self.push_screen(Problems(list(dict.fromkeys(problems)), self.glyphs))

    def more_problems(self) -> Iterable[Problem]:
        """What is wrong with what only the app reads."""
        return ()

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Commands):
            self.push_screen(Commands())  # without an id: another mode may have one open

    def search_commands(
        self, commands: Sequence[CommandListItem], placeholder: str = "Search…"
    ) -> AwaitMount:
        """A list of `(title, what it does[, help])` to choose from."""
        offered: Any = SimpleProvider(self.screen, list(commands))  # as Textual's own does
        return self.push_screen(Commands(providers=[offered], placeholder=placeholder))

    def action_help(self) -> None:
        """Help for the pane in focus, and all keys that act there."""
        self._show_help()

    def show_how(self) -> None:
        """How all of it works, for a start."""
        self._show_help(how=True)

    def _show_help(self, *, how: bool = False) -> None:
        from tui.commands.keyhelp import help_of
        from tui.widgets.dialogs.help import HelpDialog

        if isinstance(self.screen, HelpDialog):
            self.screen.dismiss()
        else:
            self.push_screen(HelpDialog(help_of(self.screen), how=how))

    # going places

    async def to_chat(self, ref: str, text: str | None = None) -> None:
        """To the conversation of a session, ready to write; `text` goes into the composer."""
        raise NotImplementedError

    async def to_tree(self, entry_id: str, ref: str = "") -> None:
        """To an entry in the tree of the open session, or of another, which is opened."""
        raise NotImplementedError

    async def simulate(self, envelope: Envelope) -> None:
        """To the Simulator, where somebody is to come in; who it is is shown first."""
        raise NotImplementedError

    async def run_slash(self, text: str, *, complete: bool) -> None:
        """A slash command in the open session; one to be completed goes into the composer."""
        raise NotImplementedError

    # putting away

    def hush_leaks(self) -> None:
        """Put the leak warning away; it stays among the problems."""
        self.bridge.tracker.leaks.clear()
        self.bridge.tell_again()

    def hush_advice(self) -> None:
        """Put the advice on models away for good."""
        self.memory = replace(self.memory, hint_dismissed=True)
        self.bridge.tell_again()

    def action_change_theme(self) -> None:
        """Try themes on; keep one."""
        from tui.config.settings import choose_theme

        choose_theme(self)


def home_of(node: DOMNode) -> Home:
    """The app that a widget or screen lives in."""
    return cast("Home", node.app)
