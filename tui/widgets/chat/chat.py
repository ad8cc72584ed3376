"""The open conversation: what goes between the engine and the chat column.

It opens sessions, hands events of the open one on, sends what the person writes, and notices
when the transcript took another turn (a leaf moved, a reset) and must be shown anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.content import Content

from engine.engine import Engine, HistoryPage, Receipt, SessionView
from engine.errors import BranchlineError, SessionNotFound, SessionReadOnly
from engine.events import (
    EntryAppended,
    Event,
    ReplyDelta,
    SessionChanged,
    SessionRenewed,
    TurnEnded,
    TurnRetrying,
    TurnStarted,
    TurnSwitched,
)
from engine.rights.company import Company, company_of
from engine.rights.sharing import Sharing
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.scenario.cast import Persona
from engine.sessions.entries import LEAF, Entry, is_bookkeeping
from engine.text import safe_line
from engine.turns.commands import parse_command
from engine.values import replace
from tui.people.naming import chat_name, is_stored, title_of
from tui.tracker import Tracker
from tui.widgets.chat.conversation import Conversation
from tui.widgets.chat.shown import in_group

__all__ = ["PAGE", "Chat"]

PAGE = 20
"""Entries asked for at a time."""


class Chat:
    """One conversation at a time.

    Args:
        engine: open.
        tracker: knows what runs.
        conversation: the column that is fed.
        decorate: makes the column's title from a session's name.
        reads: whether what is shown here counts as read.

    Attributes:
        ref: what is open: a session key, or the file of a leftover.
        view: what the inspector shows; None for a chat that has no entry yet.
        company: whose words are in the window.
        speakers: as whom the operator writes in a session, where not as themselves.
        next_models: by session, the model that answers its next message and no other.
    """

    def __init__(
        self,
        engine: Engine,
        tracker: Tracker,
        conversation: Conversation,
        decorate: Callable[[str], Content],
        *,
        reads: bool = True,
    ):
        self._engine = engine
        self._tracker = tracker
        self._conversation = conversation
        self._decorate = decorate
        self._reads = reads
        self.ref = ""
        self.view: SessionView | None = None
        self.company = Company()
        self.speakers: dict[str, Persona] = {}
        self.next_models: dict[str, str] = {}
        self._aside: str | None = None
        self._last: str | None = None
        self._started: str | None = None
        self._moved = False
        self._astray = False
        self._said: list[str] = []
        self._coming = ""
        self._early: list[Event] = []
        self._showing = False
        self._reading = asyncio.Lock()

    @property
    def key(self) -> str:
        """The session key that events name; a leftover has none of its own."""
        return "" if self.kept else self.ref

    @property
    def kept(self) -> bool:
        """Whether this is a leftover: to be read, not to be written to."""
        info = self._tracker.infos.get(self.ref)
        return info is not None and is_stored(info)

    @property
    def name(self) -> str:
        """`Alice · Telegram DM`."""
        info = self._tracker.infos.get(self.ref)
        if info is None:
            return f"{chat_name(self.ref)} · new chat"
        return f"{title_of(info)} · {safe_line(info.state)}" if self.kept else title_of(info)

    def title(self) -> Content:
        """What stands over the column."""
        return self._decorate(self.name)

    async def open(self, ref: str) -> None:
        """Show a session, or an empty page when it has no entry yet.

        Raises:
            BranchlineError: it cannot be read; what was shown before stays.
        """
        async with self._reading:
            await self._open(ref)

    async def _open(self, ref: str) -> None:
        self._coming, self._early = ref, []
        try:
            page, view = await self._read(ref)
        except BaseException:  # given up, too: what was told meanwhile is of what still stands
            self._coming = ""
            self._catch_up()
            raise
        self._coming, self._astray = "", False
        # From here to `show` nothing is awaited: the tracker's live text is exactly what was told.
        self.ref, self._aside = ref, None
        self._engine.keeping.rules.looked_at = ref
        self._look_at(view)
        self._said = []
        if self._reads:
            self._tracker.opened(ref)
        turn = self._tracker.live.get(self.key)
        live = (turn.turn_id, turn.model, "".join(turn.text)) if turn is not None else None
        self._started = turn.turn_id if turn is not None else None
        self._early = [event for event in self._early if isinstance(event, EntryAppended)]
        await self._show(page, live)

    async def _show(self, page: HistoryPage, live: tuple[str, str, str] | None = None) -> None:
        """Fill the column; what is told meanwhile is handed on afterwards."""
        self._showing = True
        self._last = page.entries[-1].id if page.entries else None
        try:
            await self._conversation.show(self.title(), page, session_key=self.ref, live=live)
        except BaseException:
            self._astray = True  # given up in the midst of it: to be shown anew
            raise
        finally:
            self._showing = False
            self._catch_up()

    def _catch_up(self) -> None:
        """Hand on what was told while the column could not take it."""
        waiting, self._early = self._early, []
        for event in waiting:
            if getattr(event, "session_key", None) == self.key:
                self._take(event)

    async def _read(self, ref: str) -> tuple[HistoryPage, SessionView | None]:
        try:
            view = await self._engine.view(ref)
            return await self._engine.history(ref, limit=PAGE), view
        except SessionNotFound:
            return HistoryPage((), None), None

    def _look_at(self, view: SessionView | None) -> None:
        self.view, self.company = view, Company()
        if view is not None:
            sharing = Sharing(self._engine.config)
            self.company = company_of(view.window, sharing, view.info.key)

    async def older(self, before: str) -> None:
        """Put older entries on top, unless they belong there no more when they are read: another
        session is open, or the column begins elsewhere.

        Raises:
            BranchlineError: they cannot be read.
        """
        column, ref = self._conversation, self.ref
        try:
            page = await self._engine.history(ref, before=before, limit=PAGE)
        except BranchlineError:
            if ref == self.ref and column.begins_after(before):
                raise
            return
        if ref == self.ref:
            await column.prepend(page, before)

    def take(self, batch: tuple[Event, ...]) -> bool:
        """Hand events of the open session on; True when `refresh` is due."""
        due = False
        for event in batch:
            key = getattr(event, "session_key", None)
            if not key or key not in {self.key, self._coming}:
                continue
            due = due or not isinstance(event, ReplyDelta)
            self._moved = self._moved or isinstance(event, SessionChanged)
            if key == self._coming or self._showing:
                self._early.append(event)
            else:
                self._take(event)
        return due

    def _take(self, event: Event) -> None:
        column = self._conversation
        match event:
            case ReplyDelta():
                column.stream(event.turn_id, event.text, event.thinking)
            case EntryAppended():
                self._astray = self._astray or self._leaves(event.entry)
                if not is_bookkeeping(event.entry.type, event.entry.custom_type):
                    self._last = event.entry.id
                column.append(event.entry)
                self._aside = event.entry.id if in_group(event.entry) else None
            case SessionRenewed():
                self._astray = True
            case TurnStarted():
                self._started, self._aside = event.turn_id, None
                self._said = []
                column.turn_started(event.turn_id, event.model)
            case TurnEnded():
                # What never started is told to its sender, who still has the text.
                known = event.turn_id == self._started
                if not known and self._aside is not None and event.stop_reason == "stop":
                    column.set_aside(self._aside)
                column.turn_ended(event if known else replace(event, error=None))
            case TurnSwitched():
                reason = safe_line(event.reason, limit=200)
                old, new = safe_line(event.from_model), safe_line(event.to_model)
                column.note(f"{old} cannot answer ({reason}); {new} does", "warning")
            case TurnRetrying():
                reason = safe_line(event.reason, limit=200)
                column.note(f"{reason}; trying again {event.when}", "warning")

    def _leaves(self, entry: Entry) -> bool:
        """Whether the conversation goes on from another place than the column ends at."""
        body = entry.data.get("data") if entry.custom_type == LEAF else None
        return isinstance(body, dict) and body.get("targetId") != self._last

    async def refresh(self) -> None:
        """Read the view again; after a SessionChanged also the page, which is shown anew when it
        no longer ends where the column does (the leaf moved, the session was reset).

        Raises:
            BranchlineError: the session cannot be read.
        """
        async with self._reading:
            if self._astray:  # the leaf went elsewhere: what is shown is of another branch
                await self._open(self.ref)
                return
            last = self._last
            page, view = await self._read(self.ref)
            self._look_at(view)
            if last != self._last:
                return  # the page is older than what was told; that asks for a refresh of its own
            moved, self._moved = self._moved, False
            self._conversation.mark(page)
            last = page.entries[-1].id if page.entries else None
            if moved and last != self._last and self.key not in self._tracker.live:
                await self._show(page)
                for text in self._said:
                    self._conversation.note(text)

    def note(self, text: str) -> None:
        """Say something in the column; it stays until the next turn or another session."""
        self._said.append(text)
        self._conversation.note(text)

    def speak_as(self, ref: str, speaker: Persona | None) -> None:
        """Write in a session as somebody; None: as oneself."""
        if speaker is None:
            self.speakers.pop(ref, None)
        else:
            self.speakers[ref] = speaker

    async def send(self, ref: str, text: str) -> Receipt:
        """Send what was written to a session, or, as somebody, to where their messages go.

        Raises:
            BranchlineError: the engine does not take it.
        """
        info = self._tracker.infos.get(ref)
        if info is not None and is_stored(info):
            raise SessionReadOnly(
                "this is kept as it was and takes no messages",
                remedy="Open the session that goes by its key now",
            )
        speaker = self.speakers.get(ref)
        # A command is no message: what was chosen for the next one stays.
        model = None if parse_command(text) else self.next_models.pop(ref, None)
        try:
            if speaker is not None:
                envelope = replace(speaker.envelope, text=text)
                return await self._engine.submit(envelope, model=model)
            envelope = Envelope(channel=OPERATOR_CHANNEL, text=text)
            return await self._engine.submit(envelope, session_key=ref, model=model)
        except BranchlineError:
            self.keep_model(ref, model)
            raise

    def keep_model(self, ref: str, model: str | None) -> None:
        """What was chosen for a message that was not taken holds for the next one, unless another
        model was chosen meanwhile."""
        if model is not None:
            self.next_models.setdefault(ref, model)
