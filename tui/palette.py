"""What the command palette offers: sessions, models, slash commands, and what the app can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from engine.text import safe_line
from engine.turns.commands import COMMANDS
from tui import isolation
from tui.home import Home
from tui.modelchoice import model_offers
from tui.naming import title_of
from tui.offers import Offer, Offers
from tui.screens.sessions import SessionsScreen

__all__ = [
    "ModelsProvider",
    "SessionsProvider",
    "SlashProvider",
    "system_commands",
]


class _OfSession(Offers):
    """Offers of the Sessions screen."""

    @property
    def sessions(self) -> SessionsScreen | None:
        return self.screen if isinstance(self.screen, SessionsScreen) else None


class SessionsProvider(_OfSession):
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


class ModelsProvider(_OfSession):
    """Answer this session with another model."""

    def offers(self) -> Iterator[Offer]:
        if self.sessions is not None:
            yield from model_offers(self.home, self.sessions.chat.ref, "Model ")


class SlashProvider(_OfSession):
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


def system_commands(app: Home, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """What the app itself can do."""
    yield SystemCommand("Theme", "Choose the colours", app.action_change_theme)
    yield SystemCommand("Help", "Keys and help for the pane in focus", app.action_help)
    yield SystemCommand("How Branchline works", "In a minute", app.show_how)
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
    if app.tour is not None:
        yield SystemCommand("Tour: show it", "What to try next", partial(app.tour.show, True))
        yield SystemCommand("Tour: start over", "From its first step", app.tour.restart)
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
