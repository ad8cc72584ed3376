"""What the command palette offers: sessions, models, slash commands, and what the app can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from engine.errors import BranchlineError
from engine.text import safe_line
from engine.turns.commands import COMMANDS
from tui import isolation
from tui.cells import count
from tui.naming import title_of
from tui.screens.sessions import SessionsScreen

if TYPE_CHECKING:
    from tui.app import BranchlineApp

__all__ = [
    "ModelsProvider",
    "SessionsProvider",
    "SlashProvider",
    "model_refs",
    "pick_model",
    "system_commands",
]

Offer = tuple[str, str, Callable[[], object]]
"""Title (safe), help (safe), what it does."""


class _Offers(Provider):
    """A provider of a list of offers. Titles are text, never markup."""

    SHOWN = 0
    """How many are shown before anything is typed."""

    @property
    def home(self) -> BranchlineApp:
        return cast("BranchlineApp", self.app)

    @property
    def sessions(self) -> SessionsScreen | None:
        return self.screen if isinstance(self.screen, SessionsScreen) else None

    def offers(self) -> Iterator[Offer]:
        raise NotImplementedError

    async def discover(self) -> Hits:
        for number, (title, said, run) in enumerate(self.offers()):
            if number >= self.SHOWN:
                return
            yield DiscoveryHit(Content(title), run, text=title, help=said)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, said, run in self.offers():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=said)


class SessionsProvider(_Offers):
    """Go to a session."""

    SHOWN = 5

    def offers(self) -> Iterator[Offer]:
        screen = self.sessions
        if screen is None:
            return
        tracker = self.home.bridge.tracker
        infos = sorted(tracker.infos.values(), key=lambda info: -info.last_active)
        for info in infos:
            run = partial(screen.open_session, info.ref)
            yield f"Open {title_of(info)}", safe_line(info.key), run


class ModelsProvider(_Offers):
    """Answer this session with another model."""

    def offers(self) -> Iterator[Offer]:
        if self.sessions is not None:
            yield from model_offers(self.home, self.sessions.chat.ref, "Model ")


class SlashProvider(_Offers):
    """Slash commands, from the same registry as the parser."""

    def offers(self) -> Iterator[Offer]:
        screen = self.sessions
        if screen is None:
            return
        for command in COMMANDS:
            run = partial(screen.run_command, f"/{command.name}")
            if command.args:
                run = partial(screen.insert_command, f"/{command.name} ")
            yield command.usage, command.help, run


def model_offers(app: BranchlineApp, key: str, prefix: str = "") -> Iterator[Offer]:
    """Every model that can be chosen for a session, and the config's own choice."""
    yield f"{prefix}default", "What the config says", partial(_override, app, key, None)
    for info in app.engine.setup.registry.list():
        ready = "" if info.ready else " · no key found"
        said = f"{count(info.context_window)} tokens{ready}"
        yield f"{prefix}{safe_line(info.ref)}", said, partial(_override, app, key, info.ref)


def model_refs(app: BranchlineApp) -> tuple[str, ...]:
    """References of all models that can be chosen."""
    registry = app.engine.setup.registry
    return tuple(safe_line(info.ref) for info in registry.list())


def pick_model(app: BranchlineApp, key: str) -> None:
    """Ask for the model of a session."""
    from textual.command import CommandPalette

    class Models(_Offers):
        SHOWN = 1000

        def offers(self) -> Iterator[Offer]:
            yield from model_offers(app, key)

    app.push_screen(CommandPalette(providers=[Models], placeholder="Model of this session…"))


def _override(app: BranchlineApp, key: str, ref: str | None) -> None:
    app.run_worker(_set_model(app, key, ref), group="model", exclusive=True)


async def _set_model(app: BranchlineApp, key: str, ref: str | None) -> None:
    try:
        model = await app.engine.set_override(key, ref)
    except BranchlineError as error:
        app.fail(error)
        return
    said = f"{safe_line(model.ref)} ({safe_line(model.source)})"
    app.notify(said, title="Model of this session", markup=False)


def system_commands(app: BranchlineApp, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """What the app itself can do."""
    yield SystemCommand("Theme", "Choose the colours", app.action_change_theme)
    yield SystemCommand("Help", "Keys and help for the pane in focus", app.action_help)
    yield SystemCommand("Problems", "What is wrong with config and sessions", app.show_problems)
    yield SystemCommand(
        "Change dmScope…",
        "Who shares a session; its effect is shown first",
        partial(isolation.change_scope, app),
    )
    yield SystemCommand(
        "Undo config change",
        "Back to the config in force before",
        partial(isolation.undo_config, app),
    )
    yield SystemCommand(
        "Pairing requests",
        "Let strangers in, or not",
        partial(isolation.show_pairings, app),
    )
    if isinstance(screen, SessionsScreen):
        yield SystemCommand(
            "Put the leak warning away", "It stays among the problems", screen.dismiss_leaks
        )
        yield SystemCommand("New chat", "A further chat of your own", screen.action_new_chat)
        yield SystemCommand("Filter sessions", "Find a session by name", screen.action_filter)
        yield SystemCommand("Copy session key", "To the clipboard", screen.action_copy_key)
        for pane in ("inspector", "sidebar"):
            toggle = partial(screen.toggle_pane, pane)
            yield SystemCommand(f"Show or hide the {pane}", "", toggle)
        yield SystemCommand("Put the advice on models away", "", screen.dismiss_hint)
    yield SystemCommand("Screenshot", "Save the screen as SVG", app.deliver_screenshot)
    yield SystemCommand("Quit", "Leave Branchline", app.action_quit)
