"""The open conversation: what goes between the engine and the chat column.

It opens sessions, hands events of the open one on, sends what the person writes, and notices
when the transcript took another turn (a leaf moved, a reset) and must be shown anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.content import Content

from engine.engine import Engine, HistoryPage, SessionView
from engine.errors import BranchlineError, SessionNotFound
from engine.events import (
    EntryAppended,
    Event,
    ReplyDelta,
    SessionChanged,
    TurnEnded,
    TurnRetrying,
    TurnStarted,
    TurnSwitched,
)
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope, Sender
from engine.text import safe_line
from tui.naming import chat_name, title_of
from tui.tracker import Tracker
from tui.widgets.conversation import Conversation

__all__ = ["PAGE", "Chat", "Sent"]

PAGE = 20
"""Entries asked for at a time."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: `error` None when it is on disk, under `session_key`."""

    session_key: str
    error: BranchlineError | None = None


class Chat:
    """One conversation at a time.

    Args:
        engine: open.
        tracker: knows what runs.
        conversation: the column that is fed.
        decorate: makes the column's title from a session's name.
    """

    def __init__(
        self,
        engine: Engine,
        tracker: Tracker,
        conversation: Conversation,
        decorate: Callable[[str], Content],
    ):
        self._engine = engine
        self._tracker = tracker
        self._conversation = conversation
        self._decorate = decorate
        self.key = ""
        self.view: SessionView | None = None
        self._last: str | None = None
        self._moved = False
        self._opening: list[Event] | None = None

    @property
    def name(self) -> str:
        """`Alice · Telegram DM`."""
        info = self._tracker.infos.get(self.key)
        return title_of(info) if info is not None else f"{chat_name(self.key)} · new chat"

    def title(self) -> Content:
        """What stands over the column."""
        return self._decorate(self.name)

    async def open(self, key: str) -> None:
        """Show a session, or an empty page when it has no entry yet.

        Raises:
            BranchlineError: it cannot be read; what was shown before stays.
        """
        page, view = await self._read(key)
        self._opening = []
        try:
            self.key, self.view = key, view
            self._tracker.opened(key)
            turn = self._tracker.live.get(key)
            live = (turn.turn_id, turn.model, "".join(turn.text)) if turn is not None else None
            await self._conversation.show(self.title(), page, session_key=key, live=live)
            self._last = page.entries[-1].id if page.entries else None
        finally:
            waiting, self._opening = self._opening, None
        self.take(tuple(waiting))

    async def _read(self, key: str) -> tuple[HistoryPage, SessionView | None]:
        try:
            view = await self._engine.view(key)
            return await self._engine.history(key, limit=PAGE), view
        except SessionNotFound:
            return HistoryPage((), None), None

    async def older(self, before: str) -> None:
        """Put older entries on top."""
        await self._conversation.prepend(
            await self._engine.history(self.key, before=before, limit=PAGE)
        )

    def take(self, batch: tuple[Event, ...]) -> bool:
        """Hand events of the open session on; True when `refresh` is due."""
        mine = [event for event in batch if getattr(event, "session_key", None) == self.key]
        if self._opening is not None:
            self._opening += mine
        else:
            for event in mine:
                self._take(event)
        self._moved = self._moved or any(isinstance(event, SessionChanged) for event in mine)
        return any(not isinstance(event, ReplyDelta) for event in mine)

    def _take(self, event: Event) -> None:
        column = self._conversation
        match event:
            case ReplyDelta():
                column.stream(event.turn_id, event.text, event.thinking)
            case EntryAppended():
                self._last = event.entry.id
                column.append(event.entry)
            case TurnStarted():
                column.turn_started(event.turn_id, event.model)
            case TurnEnded():
                column.turn_ended(event)
            case TurnSwitched():
                reason = safe_line(event.reason, limit=200)
                old, new = safe_line(event.from_model), safe_line(event.to_model)
                column.note(f"{old} cannot answer ({reason}); {new} does", "warning")
            case TurnRetrying():
                reason = safe_line(event.reason, limit=200)
                column.note(f"{reason}; trying again in {event.seconds:.0f} s", "warning")

    async def refresh(self) -> None:
        """Read the view again; after a SessionChanged also the page, which is shown anew when it
        no longer ends where the column does (the leaf moved, the session was reset).

        Raises:
            BranchlineError: the session cannot be read.
        """
        key, moved = self.key, self._moved
        self._moved = False
        page, view = await self._read(key)
        if key != self.key:
            return
        self.view = view
        last = page.entries[-1].id if page.entries else None
        if moved and last != self._last and key not in self._tracker.live:
            await self._conversation.show(self.title(), page, session_key=key)
            self._last = last

    async def send(self, text: str) -> Sent:
        """Send what the person wrote, in the open session."""
        key = self.key
        envelope = Envelope(
            channel=OPERATOR_CHANNEL, text=text, sender=Sender("operator", "operator")
        )
        try:
            receipt = await self._engine.submit(envelope, session_key=key)
        except BranchlineError as error:
            return Sent(key, error)
        return Sent(receipt.session_key)
