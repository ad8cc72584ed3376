"""The tracker: what the app knows of all sessions, kept from the engine's events.

It holds values only and draws nothing; screens read it and are told by the bridge when to.
"""

from __future__ import annotations

from collections import Counter
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
from engine.turns.origin import envelope_of, principal_of
from tui.people.naming import is_stored
from tui.widgets.gauge import Fill

__all__ = ["LiveTurn", "Status", "Tracker"]

Basis = tuple[object, ...]

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
        self._held: set[str] = set()
        """Those of `needs` that wait for another process."""
        self.fills: dict[str, Fill] = {}
        self._filled: dict[str, Basis] = {}
        self._changes: Counter[str] = Counter()
        self._configs = 0
        self.leaks: dict[tuple[str, str, str], LeakFound] = {}
        """Leaks that were stopped and not put away yet, by session, reader and author."""
        self.open_key: str | None = None
        self.size = 0
        """Sessions that are not over."""
        self.earlier: Counter[str] = Counter()
        """By key: conversations of it that are over, those in the trash left out."""
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

    def runs(self, key: str) -> bool:
        """Whether a key has a session that is not over."""
        info = self.infos.get(key)
        return info is not None and not is_stored(info)

    def rank(self, key: str) -> int:
        """Place in the list. It is given once, so that rows do not jump under the person's hand."""
        return self._order.get(key, 0)

    # taking in

    def load(self, infos: Iterable[SessionInfo]) -> None:
        """Take the engine's list. New sessions rank before the old, the latest first."""
        self.infos = {info.ref: info for info in infos}
        self.size = sum(not is_stored(info) for info in self.infos.values())
        self.earlier = Counter(
            info.key for info in self.infos.values() if is_stored(info) and info.kind != "deleted"
        )
        fresh = [info for info in self.infos.values() if info.ref not in self._order]
        fresh.sort(key=lambda info: info.last_active)
        least = min(self._order.values(), default=0)
        for place, info in enumerate(fresh, 1):
            self._order[info.ref] = least - place

    def basis(self, ref: str) -> Basis:
        """What it depends on how full a session's window is, as far as is known by now."""
        info = self.infos.get(ref)
        told = (info.messages, info.last_active, info.override) if info is not None else ()
        return (self._configs, self._changes[ref], *told)

    def is_filled(self, ref: str) -> bool:
        """Whether it is known how full a session's window is, and nothing came since."""
        return ref in self.fills and self._filled.get(ref) == self.basis(ref)

    def remember(self, view: SessionView, threshold: float, basis: Basis = ()) -> Fill:
        """Keep how full a session's window is.

        Args:
            view: of the session.
            threshold: the share of the window at which compaction is due.
            basis: what `basis` said before the view was read; (): who knows.
        """
        fill = Fill(view.tokens, view.model.context_window, threshold)
        self.fills[view.info.ref], self._filled[view.info.ref] = fill, basis
        return fill

    def recall(
        self, seen: Mapping[str, int], until: int = 0, needs: Mapping[str, str] | None = None
    ) -> None:
        """Mark what came since the person left: sessions in which others have written more than
        was seen of them are unread, or need the person where the last turn failed.

        Args:
            seen: as `seen` gave it then.
            until: likewise `latest`. A session that is not in `seen` is news when it was used
                after that. 0: nobody has looked yet, and there are no news at a first start.
            needs: what needed the person then, as `lasting` gave it; it does so as long as nothing
                was said since.
        """
        for ref, why in (needs or {}).items():
            if (info := self.infos.get(ref)) is not None and not is_stored(info):
                self.needs[ref] = safe_line(why, limit=300)
        for ref, info in self.infos.items():
            if ref not in seen and not 0 < until < info.last_active:
                continue
            if info.heard > seen.get(ref, 0) and not is_stored(info):
                self.needs.pop(ref, None)
                self._tell(ref, safe_line(info.trouble, limit=300))
        self._seen = dict(seen)

    def _tell(self, ref: str, trouble: str) -> None:
        """Something is new in a session that nobody looks at."""
        if trouble:
            self.needs[ref] = trouble
        else:
            self.unread.add(ref)

    @property
    def latest(self) -> int:
        """When something was last said anywhere, in ms since 1970."""
        return max((info.last_active for info in self.infos.values()), default=0)

    def seen(self) -> dict[str, int]:
        """How many messages of others were seen of each session, the latest of them; see
        `recall`."""
        latest = sorted(self.infos.values(), key=lambda info: -info.last_active)[:MOST_SEEN]
        return {
            info.ref: self._seen.get(info.ref, 0) if info.ref in self.unread else info.heard
            for info in latest
            if not is_stored(info)
        }

    def lasting(self) -> dict[str, str]:
        """Why sessions need the person, where that outlives this run."""
        return {ref: why for ref, why in self.needs.items() if ref not in self._held}

    def set_read(self, refs: Iterable[str], read: bool) -> None:
        """Call sessions read without opening them, or unread again."""
        for ref in refs:
            info = self.infos.get(ref)
            if info is None or is_stored(info):
                continue
            if read:
                self.unread.discard(ref)
                self.needs.pop(ref, None)
            elif ref != self.open_key:
                self._seen[ref] = max(0, info.heard - 1)
                self.unread.add(ref)

    def opened(self, key: str) -> None:
        """The person looks at this session now."""
        self.open_key = key
        self.unread.discard(key)
        self.needs.pop(key, None)

    def take(self, batch: Iterable[Event]) -> bool:
        """Take events in; True when the engine's list must be read again."""
        stale = False
        for event in batch:
            if isinstance(event, ConfigChanged):
                self._configs += 1
            elif isinstance(event, (EntryAppended, SessionChanged)):
                self._changes[event.session_key] += 1
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
                self._held.add(event.session_key)
            case TurnRetrying():
                if turn := self._turn(event.session_key, event.turn_id):
                    turn.retry = f"{safe_line(event.reason)}; again in {event.seconds:.0f} s"
            case EntryAppended() if event.session_key != self.open_key:
                self._overhear(event)
            case LeakFound() if event.blocked:
                self.leaks[event.session_key, event.reader, event.author] = event
            case TurnStarted():
                self._start(event)
            case TurnEnded():
                self._end(event)
        return isinstance(event, (EntryAppended, SessionChanged, TurnEnded, ConfigChanged))

    def _overhear(self, event: EntryAppended) -> None:
        """Somebody's words where nobody looks; a reply of our own is told when its turn ends."""
        entry, key = event.entry, event.session_key
        if entry.role == "assistant" and event.foreign:
            failed = entry.message.get("stopReason") == "error"
            told = entry.message.get("errorMessage") if failed else ""
            self._tell(key, safe_line(told or "no answer came", limit=300) if failed else "")
        elif entry.role == "user" and "graftedFrom" not in entry.data:
            envelope = envelope_of(entry.data.get("origin"))
            if envelope is not None and not principal_of(envelope).is_operator:
                self.unread.add(key)

    def _turn(self, key: str, turn_id: str) -> LiveTurn | None:
        turn = self.live.get(key)
        return turn if turn is not None and turn.turn_id == turn_id else None

    def _start(self, event: TurnStarted) -> None:
        self.queued.pop(event.turn_id, None)
        self.needs.pop(event.session_key, None)
        self._held.discard(event.session_key)
        self.live[event.session_key] = LiveTurn(event.turn_id, event.model)

    def _end(self, event: TurnEnded) -> None:
        key = event.session_key
        self.queued.pop(event.turn_id, None)
        if key in self.live and self.live[key].turn_id == event.turn_id:
            del self.live[key]
        self.needs.pop(key, None)
        self._held.discard(key)
        if key == self.open_key:
            return
        if event.error is not None:
            self.needs[key] = safe_line(event.error.message)
        elif event.reply_entry_id is not None:
            self.unread.add(key)
