"""What can be done on the Sessions screen, besides opening and sending."""

from __future__ import annotations

from textual import getters, on
from textual.widgets import Input

from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.router import Route
from tui.config import isolation
from tui.screens.panes import PaneScreen
from tui.widgets.chat.chat import Chat
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.outbox import Outbox
from tui.widgets.lines import HintLine
from tui.widgets.sessions.sessionlist import SessionList

__all__ = ["SessionActions"]


class SessionActions(PaneScreen):
    """Actions of the Sessions screen; the screen itself says how things are shown."""

    chat: Chat
    outbox: Outbox
    sessions = getters.query_one(SessionList)
    composer = getters.query_one(Composer)
    filter_line = getters.query_one("#filter", Input)

    def open_session(self, key: str) -> None:
        """Show a session and keep the draft of the one before."""
        raise NotImplementedError

    @property
    def heading_for(self) -> str:
        """The session that is open, or is being read to be."""
        return self.outbox.ref

    def draw(self) -> None:
        """Bring everything up to date; what did not change is not painted."""
        raise NotImplementedError

    def _route_home(self) -> Route:
        return self.engine.route(Envelope(channel=OPERATOR_CHANNEL))

    def insert_command(self, text: str) -> None:
        """Put a slash command into the composer, to be completed by hand."""
        self.composer.set_draft(text)
        self.composer.focus()

    def take_up(self, ref: str, text: str | None = None) -> None:
        """Go on in a session; `text` comes into the composer, above what stands there."""
        if ref != self.heading_for:
            self.open_session(ref)
        if text:
            draft = self.composer.draft
            self.composer.set_draft(f"{text}\n{draft}" if draft.strip() else text)
        self.composer.focus()

    def action_tree(self) -> None:
        """The tree of the open session."""
        self.app.switch_mode("tree")

    def action_tree_here(self) -> None:
        """As `tree`, by a single letter."""
        self.action_tree()

    def action_model(self) -> None:
        """In the list of all that are marked, else of those that its row stands for; elsewhere of
        the session that is open."""
        from tui.commands.modelchoice import choose_model

        here = self.sessions if self.sessions.has_focus else None
        refs = (here.marked_refs() or here.refs_here) if here is not None else ()
        choose_model(self.home, *(refs or (self.heading_for,)))

    def action_copy_key(self) -> None:
        key = self.sessions.current_session if self.focused is self.sessions else None
        key = key or (self.chat.view.info.key if self.chat.view else self.chat.ref)
        self.copy(key, "Key")

    def action_stop(self) -> None:
        """^C while an answer is being written: stop it, unless something is selected."""
        if not self.copy_selected():
            self.run_worker(self.engine.cancel(self.chat.key), group="cancel")

    def action_filter(self) -> None:
        if not self.pane_shown("sidebar"):
            self.toggle_pane("sidebar")
        self.filter_line.add_class("-shown")
        self.filter_line.focus()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        event.stop()
        self.sessions.filter(event.value.strip())

    @on(Input.Submitted, "#filter")
    def _filter_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.sessions.focus()

    def _end_filter(self, query: str) -> None:
        self.filter_line.value = query
        self.filter_line.remove_class("-shown")
        self.sessions.focus()

    @on(HintLine.Dismissed)
    def _hint_dismissed(self) -> None:
        self.home.hush_advice()

    def action_pairings(self) -> None:
        isolation.show_pairings(self.home)
