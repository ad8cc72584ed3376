"""Sessions in use: transcripts are opened when they are needed, and a bounded number stays open."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.context.tokens import Calibration
from engine.errors import Problem, SessionError, StoreError
from engine.models.protocol import Usage
from engine.routing.mentions import Activation, read_activation
from engine.sessions.entries import ACTIVATION, LABELS
from engine.sessions.overrides import kept_override, told_override
from engine.sessions.records import SessionRecord
from engine.sessions.shelf import reset
from engine.sessions.store import Store
from engine.sessions.summary import read_labels
from engine.sessions.transcript import Transcript
from engine.turns.order import Order
from engine.turns.origin import origin_of, shared_memory
from engine.turns.redelivery import Delivery
from engine.turns.reply import Answer

if TYPE_CHECKING:
    import anyio

__all__ = ["Hold", "LiveSession", "Running", "SessionPool"]

KEPT_OPEN = 64
"""Transcripts that stay open while nobody uses them; each costs a file descriptor."""

REMEMBERED = 4096
"""Sessions whose files are remembered, so that they need not be looked up in the index."""


@dataclass(slots=True)
class Running:
    """The turn that runs in a session and its answer so far."""

    turn_id: str
    answer: Answer


@dataclass(eq=False)
class LiveSession:
    """An open session: its transcript, the running turn, what was learned of its tokens.

    `deliveries`: what it took in lately, once somebody asked. `compacting`: a
    summary is being written; cancelling it stops that and nothing else.
    """

    key: str
    record: SessionRecord
    transcript: Transcript
    running: Running | None = None
    users: int = 0
    deliveries: set[Delivery] | None = None
    compacting: anyio.CancelScope | None = None
    _told: set[str] = field(default_factory=set)
    _calibrations: dict[str, Calibration] = field(default_factory=dict)

    @property
    def override(self) -> str | None:
        """The session's own model: the last choice in its transcript, else what the reference
        kept in its index."""
        return kept_override(told_override(self.transcript.tree), self.record.entry)

    @property
    def activation(self) -> Activation | None:
        """What `/activation` set last in this session."""
        entry_id = self.transcript.tree.ours.get(ACTIVATION)
        if entry_id is None:
            return None
        body = self.transcript.tree.entry(entry_id).data.get("data")
        word = body.get("activation") if isinstance(body, dict) else None
        return read_activation(word) if isinstance(word, str) else None

    @property
    def labels(self) -> tuple[str, ...]:
        """What a person sorted the session by."""
        entry_id = self.transcript.tree.ours.get(LABELS)
        if entry_id is None:
            return ()
        return read_labels(self.transcript.tree.entry(entry_id).data.get("data"))

    def news(self, order: Order) -> list[Problem]:
        """What a person should know of this session and has not been told yet."""
        found = [*self.transcript.problems, *shared_memory(self.transcript.tree, order)]
        fresh = [problem for problem in found if str(problem) not in self._told]
        self._told.update(map(str, fresh))
        return fresh

    def calibration(self, ref: str) -> Calibration:
        """What reported usage taught us about estimates for a model in this session."""
        return self._calibrations.get(ref, Calibration())

    def learn(self, ref: str, estimate: int, usage: Usage) -> None:
        reported = usage.input + usage.cache_read + usage.cache_write
        self._calibrations[ref] = self.calibration(ref).learn(estimate, reported)


class SessionPool:
    """All open sessions of an engine. Safe to use from several threads."""

    def __init__(self, store: Store):
        self.store = store
        self._open: OrderedDict[str, LiveSession] = OrderedDict()
        self._known: OrderedDict[str, SessionRecord] = OrderedDict()
        self._stale: dict[str, SessionRecord] = {}
        self._mutex = threading.RLock()
        self._making = threading.Lock()

    def peek(self, key: str) -> LiveSession | None:
        """The session when it is open; opens nothing."""
        return self._open.get(key)

    def is_ready(self, key: str) -> bool:
        """Whether the session is open and its file where it was."""
        live = self._open.get(key)
        return live is not None and not _moved(live)

    def get(self, key: str, *, write: bool = False) -> LiveSession:
        """The open session of a key; opened if need be.

        Args:
            key: the session key.
            write: whether it will be written to; an older form is migrated first.

        Raises:
            SessionNotFound: there is none (see `make`).
            StoreError: its file cannot be opened.
        """
        with self._mutex:
            live = self._open.get(key)
            if live is not None and (_moved(live) or (write and live.transcript.foreign)):
                self.drop(key)
                live = None
            if live is None:
                live = self._open[key] = self._load(key, write)
                self._shrink()
            self._open.move_to_end(key)
            return live

    def _load(self, key: str, write: bool) -> LiveSession:
        opened = self.store.writable if write else self.store.open
        record = self._known.get(key)
        if record is not None:
            # Found before: as long as its file is there, the index need not be asked again.
            with contextlib.suppress(StoreError):
                return LiveSession(key, record, opened(record))
            self._known.pop(key, None)
        record = self.store.resolve(key)
        transcript = opened(record)
        if transcript.path != record.path:  # migrated into a file of our own form
            record = self.store.get(key) or record
        if record.kind == "session" and record.path == transcript.path:
            self._remember(key, record)
        return LiveSession(key, record, transcript)

    def _remember(self, key: str, record: SessionRecord) -> None:
        self._known[key] = record
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    @contextmanager
    def using(self, key: str, *, write: bool = False) -> Iterator[LiveSession]:
        """As `get`; the session stays open for as long as the `with` lasts."""
        with self._mutex:
            live = self.get(key, write=write)
            live.users += 1
        try:
            yield live
        finally:
            with self._mutex:
                live.users -= 1

    def has(self, key: str) -> bool:
        """Whether there is a session of this key."""
        return key in self._open or self.store.get(key) is not None

    def make(self, order: Order) -> None:
        """See to it that the order's session exists.

        Raises:
            SessionBusy, StoreError: it cannot be made.
        """
        key = order.session_key
        with self._mutex:
            known = self._known.get(key)
            if self.is_ready(key) or (known is not None and known.path.exists()):
                return
        # One at a time: several would only wait for each other at the index's lock.
        with self._making:
            record = self.store.create(key, order.agent_id, origin=origin_of(order.envelope))
        with self._mutex:
            self._remember(key, record)

    def renew(self, key: str, reason: str, rule: str = "") -> SessionRecord:
        """Put a key's transcript aside and begin a cold one, with its name, labels and model.

        Args:
            reason: why, for people.
            rule: the place in the config that decided.

        Returns:
            The old one, as it is kept.

        Raises:
            SessionNotFound, SessionBusy, StoreError: nothing was begun.
        """
        try:
            return reset(self.store, key, reason=reason, rule=rule)[0]
        finally:
            self.drop(key)

    def spoil(self, key: str) -> None:
        """Note that the index no longer says what the transcript does."""
        with self._mutex:
            record = self._known.get(key) or self.store.get(key)
            if record is not None:
                self._stale[key] = record

    def settle(self) -> None:
        """Bring the index up to date with the sessions that changed. The index is a cache: where
        this fails, the next look finds the same in the transcripts."""
        with self._mutex:
            stale, self._stale = self._stale, {}
        agents: dict[str, list[SessionRecord]] = {}
        for record in stale.values():
            agents.setdefault(record.agent_id, []).append(record)
        for agent_id, records in agents.items():
            with contextlib.suppress(SessionError):
                self.store.directory(agent_id).note(records)

    def drop(self, key: str) -> None:
        """Close a session, so that it is looked for and read anew next time."""
        with self._mutex:
            self._known.pop(key, None)
            self._close(key)

    def _close(self, key: str) -> None:
        live = self._open.pop(key, None)
        if live is not None:
            live.transcript.close()

    def close(self) -> None:
        """Close all."""
        with self._mutex:
            for key in tuple(self._open):
                self.drop(key)

    @property
    def open_sessions(self) -> tuple[LiveSession, ...]:
        with self._mutex:
            return tuple(self._open.values())

    def _shrink(self) -> None:
        idle = [key for key, live in self._open.items() if live.users == 0 and not live.running]
        for key in idle[: max(0, len(self._open) - KEPT_OPEN)]:
            self._close(key)


class Hold:
    """A session that is kept open from `take` to `let_go`, whichever thread calls them and
    whichever comes first: what is let go of is not taken any more.

    Args:
        pool: where it is open.
        key: the session.
    """

    def __init__(self, pool: SessionPool, key: str):
        self._pool, self._key = pool, key
        self._mutex = threading.Lock()
        self._held = contextlib.ExitStack()
        self._over = False

    def take(self) -> None:
        """Open the session and keep it so.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        with self._mutex:
            if not self._over:
                self._held.enter_context(self._pool.using(self._key))

    def let_go(self) -> None:
        """Keep it no longer; may be called twice."""
        with self._mutex:
            self._over = True
            self._held.close()


def _moved(live: LiveSession) -> bool:
    """Whether another process put the file aside (`/new`): its key points to another one now.
    While somebody here reads or writes it, it stays what it is."""
    return live.users == 0 and live.running is None and not live.transcript.path.exists()
