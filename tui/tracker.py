"""The tracker: what the app knows of all sessions, kept from the engine's events.

It holds values only and draws nothing; screens read it and are told by the bridge when to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from engine.engine import SessionInfo, SessionView
from engine.events import (
    ConfigChanged,
    EntryAppended,
    Event,
    LeakFound,
    ReplyDelta,
    SessionChanged,
    TurnEnded,
    TurnQueued,
    TurnRetrying,
    TurnStarted,
    TurnWaiting,
)
from engine.text import safe_line
from tui.people.naming import is_stored
from tui.widgets.gauge import Fill

__all__ = ["LiveTurn", "Status", "Tracker"]

MOST_SEEN = 2000
"""Sessions of which it is remembered how much the person has seen."""


class Status(Enum):
    """How a session stands. The value is the word that is shown with the sign."""

    BUSY = "busy"
    NEW = "new"
    IDLE = "idle"
    NEEDS = "needs you"
    STORED = "stored"


@dataclass(slots=True)
class LiveTurn:
    """A turn that is being answered: what has arrived so far."""

    turn_id: str
    model: str
    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    retry: str = ""

    def take(self, delta: ReplyDelta) -> None:
        if delta.text:
            self.text.append(delta.text)
        if delta.thinking:
            self.thinking.append(delta.thinking)


class Tracker:
    """Sessions with their running turns, unread replies and what needs the person."""

    def __init__(self) -> None:
        self.infos: dict[str, SessionInfo] = {}
        """By ref: a session's key, or the file of a leftover."""
        self.live: dict[str, LiveTurn] = {}
        self.queued: dict[str, str] = {}
        self.unread: set[str] = set()
        self.needs: dict[str, str] = {}
        self.fills: dict[str, Fill] = {}
        self.leaks: dict[tuple[str, str, str], LeakFound] = {}
        """Leaks that were stopped and not put away yet, by session, reader and author."""
        self.open_key: str | None = None
        self._order: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    # reading

    @property
    def busy(self) -> int:
        return len(self.live)

    def status(self, key: str) -> Status:
        info = self.infos.get(key)
        if info is not None and is_stored(info):
            return Status.STORED
        if key in self.needs:
            return Status.NEEDS
        if key in self.live or (info is not None and info.state in {"busy", "queued"}):
            return Status.BUSY
        return Status.NEW if key in self.unread else Status.IDLE

    def reason(self, key: str) -> str:
        """Why a session needs the person, or what it waits for; "" when there is nothing."""
        turn = self.live.get(key)
        return self.needs.get(key) or (turn.retry if turn else "")

    def rank(self, key: str) -> int:
        """Place in the list. It is given once, so that rows do not jump under the person's hand."""
        return self._order.get(key, 0)

    # taking in

    def load(self, infos: Iterable[SessionInfo]) -> None:
        """Take the engine's list. New sessions rank before the old, the latest first."""
        self.infos = {info.ref: info for info in infos}
        fresh = [info for info in self.infos.values() if info.ref not in self._order]
        fresh.sort(key=lambda info: info.last_active)
        least = min(self._order.values(), default=0)
        for place, info in enumerate(fresh, 1):
            self._order[info.ref] = least - place

    def remember(self, view: SessionView, threshold: float) -> Fill:
        """Keep how full a session's window is."""
        fill = Fill(view.tokens, view.model.context_window, threshold)
        self.fills[view.info.ref] = fill
        return fill

    def recall(self, seen: Mapping[str, int]) -> None:
        """Mark what came since the person left as unread: sessions that hold more messages than
        were seen of them. What nobody has seen a message of is not news at a first start."""
        for ref, many in seen.items():
            info = self.infos.get(ref)
            if info is not None and info.messages > many and not is_stored(info):
                self.unread.add(ref)
        self._seen = dict(seen)

    def seen(self) -> dict[str, int]:
        """How many messages were seen of each session, the latest of them; see `recall`."""
        latest = sorted(self.infos.values(), key=lambda info: -info.last_active)[:MOST_SEEN]
        return {
            info.ref: self._seen.get(info.ref, 0) if info.ref in self.unread else info.messages
            for info in latest
            if not is_stored(info)
        }

    def opened(self, key: str) -> None:
        """The person looks at this session now."""
        self.open_key = key
        self.unread.discard(key)
        self.needs.pop(key, None)

    def take(self, batch: Iterable[Event]) -> bool:
        """Take events in; True when the engine's list must be read again."""
        stale = False
        for event in batch:
            stale = self._take(event) or stale
        return stale

    def _take(self, event: Event) -> bool:
        match event:
            case ReplyDelta():
                if turn := self._turn(event.session_key, event.turn_id):
                    turn.take(event)
                return False
            case TurnQueued() if event.ahead > 0:
                self.queued[event.turn_id] = event.session_key
            case TurnWaiting():
                who = f"process {event.holder_pid}" if event.holder_pid else "another process"
                self.needs[event.session_key] = f"in use by {who}"
            case TurnRetrying():
                if turn := self._turn(event.session_key, event.turn_id):
                    turn.retry = f"{safe_line(event.reason)}; again in {event.seconds:.0f} s"
            case EntryAppended() if event.foreign and event.session_key != self.open_key:
                if event.entry.role == "assistant":
                    self.unread.add(event.session_key)
            case LeakFound() if event.blocked:
                self.leaks[event.session_key, event.reader, event.author] = event
            case TurnStarted():
                self._start(event)
            case TurnEnded():
                self._end(event)
        return isinstance(event, (EntryAppended, SessionChanged, TurnEnded, ConfigChanged))

    def _turn(self, key: str, turn_id: str) -> LiveTurn | None:
        turn = self.live.get(key)
        return turn if turn is not None and turn.turn_id == turn_id else None

    def _start(self, event: TurnStarted) -> None:
        self.queued.pop(event.turn_id, None)
        self.needs.pop(event.session_key, None)
        self.live[event.session_key] = LiveTurn(event.turn_id, event.model)

    def _end(self, event: TurnEnded) -> None:
        key = event.session_key
        self.queued.pop(event.turn_id, None)
        if key in self.live and self.live[key].turn_id == event.turn_id:
            del self.live[key]
        self.needs.pop(key, None)
        if key == self.open_key:
            return
        if event.error is not None:
            self.needs[key] = safe_line(event.error.message)
        elif event.reply_entry_id is not None:
            self.unread.add(key)
