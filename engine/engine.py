"""Engine: opens a state dir and wires the rooms together. It decides nothing itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.dispatch import Dispatch
from engine.agents.gate import Gate
from engine.agents.keeping import Keeping
from engine.agents.leak import LeakMonitor, look_in
from engine.agents.look import Looker
from engine.agents.models import ModelRoom
from engine.agents.pairing_book import PairingBook
from engine.agents.reload import ConfigRoom
from engine.agents.settings import Settings, first_snapshot
from engine.agents.turn import Kitchen, in_thread
from engine.agents.usebook import UseBook
from engine.agents.views import (
    Counts,
    HistoryPage,
    ModelInForce,
    SessionInfo,
    SessionView,
    Xray,
)
from engine.agents.watch import settle_now_and_then, together, watch_sessions
from engine.branching.branch import TreeRoom
from engine.branching.folding import CompactionRoom
from engine.clock import Clock, SystemClock
from engine.config.load import Snapshot
from engine.config.paths import config_path as find_config
from engine.config.schema import Config, DmScope
from engine.context.window import Window
from engine.disk import Disk
from engine.errors import Problem
from engine.events import Event, Noticed
from engine.hub import Hub
from engine.models.door import Check
from engine.routing.envelope import Envelope
from engine.routing.router import Route
from engine.sessions.store import Store
from engine.sessions.tree import Tree
from engine.turns.intake import check_place, check_text, make_order, workspace_of
from engine.turns.lanes import Lanes
from engine.turns.order import Order, Receipt, Setup
from engine.turns.pool import SessionPool
from engine.turns.redelivery import Deliveries

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from engine.sessions.search import Hit

__all__ = [
    "Counts",
    "Engine",
    "HistoryPage",
    "ModelInForce",
    "Receipt",
    "SessionInfo",
    "SessionView",
    "Xray",
]


class Engine:
    """One state dir, open. Made by `Engine.open`.

    Attributes:
        state_dir: where everything is.
        first_run: whether this start wrote the config.
        leaks: who saw whose words, and by which rule.
        pairing: who asked to be let in and who was.
        branches: moves, edits, copies and marks in a session's tree.
        settings: the config: its file, live reload, edits, revisions.
        compaction: folds sessions, with a look at the summary first.
        uses: which messages came, counted while somebody keeps it.
        keeping: archives, restores, renames, deletes sessions; their generations.
        models: which model answers a session and why; changes that, of one session or of many.
    """

    def __init__(
        self,
        state_dir: Path,
        snapshot: Snapshot,
        *,
        disk: Disk,
        clock: Clock,
        tasks: TaskGroup,
        first_run: bool,
        environ: Mapping[str, str],
        paced: bool,
        checks: tuple[Check, ...],
    ):
        self.state_dir = state_dir
        self.first_run = first_run
        self._hub = Hub()
        self._clock = clock
        self._lanes = Lanes(snapshot.config.agents.defaults.max_concurrent)
        self._pool = SessionPool(Store(disk, state_dir, clock))
        self.leaks = LeakMonitor(look_in(self._pool), self._hub.publish)
        self.settings = ConfigRoom(
            Settings(
                snapshot,
                environ=environ,
                clock=clock,
                paced=paced,
                checks=lambda config: (self.leaks.check_for(config), *checks),
            ),
            disk=disk,
            clock=clock,
            state_dir=state_dir,
            environ=environ,
            publish=self._hub.publish,
            applied=lambda: self._lanes.resize(self.config.agents.defaults.max_concurrent),
        )
        self._kitchen = Kitchen(
            self._pool,
            self._lanes,
            disk,
            clock,
            self._hub.publish,
            lambda order: workspace_of(order.setup.config, state_dir, order.agent_id),
            state_dir / "knowledge",
            Deliveries(),
        )
        self._look = Looker(self._kitchen, lambda: self.setup)
        self.pairing = PairingBook(disk, state_dir, clock)
        self._gate = Gate(self.pairing, self._pool, clock)
        self.models = ModelRoom(self._kitchen, lambda: self.setup)
        self.keeping = Keeping(self._kitchen, lambda: self.setup, state_dir)
        renew = self.keeping.rules.renew_when_over
        self._dispatch = Dispatch(self._kitchen, self._gate, tasks, self._look.view, renew)
        self.branches = TreeRoom(self._kitchen, lambda: self.setup, self._dispatch.start)
        self.compaction = CompactionRoom(self._kitchen, lambda: self.setup)
        self.uses = UseBook(lambda: Store(disk, state_dir, clock), self.subscribe)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        state_dir: Path,
        *,
        config_path: Path | None = None,
        environ: Mapping[str, str] | None = None,
        disk: Disk | None = None,
        clock: Clock | None = None,
        paced: bool = True,
        checks: tuple[Check, ...] = (),
    ) -> AsyncIterator[Engine]:
        """Open a state dir (made if missing) for as long as the `async with` lasts.

        On leaving, running turns are stopped; what they had written is kept.

        Args:
            state_dir: where everything is.
            config_path: the config; by default as engine.config.paths finds it.
            environ: environment variables; by default the process's own.
            disk, clock: the doors to files and time.
            paced: whether the offline model takes its time, so that a person sees it write.
            checks: called with each model request, after the leak check; may refuse it.

        Raises:
            ConfigError: the config cannot be used; nothing was opened.
            StoreError: the state dir cannot be made or read.
        """
        import anyio

        disk, clock = disk or Disk(), clock or SystemClock()
        env = dict(os.environ if environ is None else environ)
        path = config_path or find_config(None, state_dir, env)
        first_run, snapshot = await in_thread(first_snapshot, disk, state_dir, path, env)
        failure: BaseException | None = None
        async with anyio.create_task_group() as tasks:
            engine = cls(
                state_dir,
                snapshot,
                disk=disk,
                clock=clock,
                tasks=tasks,
                first_run=first_run,
                environ=env,
                paced=paced,
                checks=checks,
            )
            tasks.start_soon(settle_now_and_then, engine._pool)
            try:
                yield engine
            except BaseException as error:
                # Handed on below as it is, not wrapped in a group by the tasks' end.
                failure = error
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await in_thread(engine._close)
        if failure is not None:
            raise failure

    @property
    def setup(self) -> Setup:
        """The config in force and what is made of it."""
        return self.settings.setup

    @property
    def config(self) -> Config:
        return self.setup.config

    @property
    def config_path(self) -> Path | None:
        return self.setup.snapshot.path

    @property
    def revision(self) -> int:
        return self.setup.snapshot.revision

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the config, the indexes and the clock."""
        one, store, rules = self.setup, self._pool.store, self.keeping.rules
        rooms = (one.snapshot, one.router, one.mentions, one.permissions, store, rules)
        return tuple(dict.fromkeys(problem for room in rooms for problem in room.problems))

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Hear every event from now on, in order."""
        return self._hub.subscribe()

    def route(self, envelope: Envelope) -> Route:
        """Where a message would go, and why."""
        return self.setup.router.route(envelope)

    async def submit(
        self, envelope: Envelope, *, session_key: str | None = None, model: str | None = None
    ) -> Receipt:
        """Take a message in: route it, then store and answer it when its turn comes.

        Args:
            envelope: the message.
            session_key: where it goes instead of where it would be routed.
            model: a model for this turn only.

        Raises:
            InputRefused: empty, too large, or of somebody who does not belong there.
            SessionNotFound: `session_key` is no key.
        """
        check_text(envelope.text)
        order = self._order(envelope, session_key, model)
        check_place(order)
        return self._dispatch.start(order)

    def _order(
        self, envelope: Envelope, session_key: str | None = None, model: str | None = None
    ) -> Order:
        return make_order(
            self.setup, envelope, now=self._clock.now(), session_key=session_key, model=model
        )

    async def cancel(self, session_key: str) -> bool:
        """Stop the first turn of a session that is running or waiting; False when none is."""
        return await self._dispatch.cancel(session_key)

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """All sessions and leftovers, the most recently active first."""
        return await self._look.sessions()

    @property
    def busy(self) -> tuple[str, ...]:
        """Keys of the sessions in which a turn runs or waits."""
        return self._lanes.busy

    @property
    def waiting(self) -> int:
        """Turns that wait for another one of their session."""
        return self._lanes.waiting

    @property
    def turned_away(self) -> int:
        """New senders who met a full house since the start (`session.maxConcurrent`)."""
        return self._gate.turned_away

    async def view(self, session_key: str) -> SessionView:
        """Everything the inspector shows of a session.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        return await self._look.view(session_key)

    async def history(
        self, session_key: str, *, before: str | None = None, limit: int = 20
    ) -> HistoryPage:
        """A page of the path from the root to the leaf, the newest first asked for.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        return await self._look.history(session_key, before, limit)

    async def window(self, session_key: str, leaf: str | None = None) -> Window:
        """What the model sees from the session's leaf, or from another entry.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        return await self._look.window(session_key, leaf)

    async def tree(self, session_key: str) -> Tree:
        """A session's tree, to be read only. It grows with the session until that is opened anew.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        return await self._look.tree(session_key)

    async def hold(self, session_key: str) -> None:
        """Keep a session open until cancelled, so that its tree can be read at any time.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        await self._look.hold(session_key)

    async def xray(self, session_key: str, leaf: str) -> Xray:
        """What the next request from an entry would hold, and why.

        Raises:
            SessionNotFound, EntryNotFound, StoreError: there is no such place, or it is unreadable.
        """
        return await self._look.xray(session_key, leaf)

    async def search(self, session_key: str, query: str, *, limit: int = 10_000) -> list[Hit]:
        """At most `limit` entries of a session that hold what is looked for, of all branches, in
        file order. `query`: words and `"phrases"`; or `re:` and a pattern.

        Raises:
            CommandError: the query is empty, or its pattern cannot be used.
            SessionNotFound, StoreError: the session cannot be read.
        """
        return await self._look.search(session_key, query, limit)

    async def request_body(self, session_key: str, leaf: str) -> bytes:
        """The next request from an entry, byte for byte as the wire would carry it.

        Raises:
            SessionNotFound, EntryNotFound, StoreError: as `xray`.
            ModelError: the model cannot be used.
        """
        return await self._look.request_body(session_key, leaf)

    async def set_override(self, session_key: str, model: str | None) -> ModelInForce:
        """Set the session's own model, or take it away with None.

        Raises:
            ModelNotFound: nothing goes by that name.
            SessionBusy, StoreError: it could not be stored.
        """
        await self.models.choose(session_key, model)
        return await self.models.in_force(session_key)

    async def apply_config(self, config: str | Config) -> int:
        """Put another config (its text, or the value) in force; turns in flight keep theirs.

        Returns:
            The revision in force. The file is not written.

        Raises:
            ConfigError: the text cannot be used; what was in force stays.
        """
        return await self.settings.apply(config)

    def prepare_config(self, config: str | Config) -> Setup:
        """Make ready what would hold under another config, for `adopt`; see `apply_config`."""
        return self.settings.prepare(config)

    async def set_scope(self, scope: DmScope) -> int:
        """Change `session.dmScope` as `apply_config` does. Sessions stay under their keys."""
        return await self.settings.set_scope(scope)

    async def undo_config(self) -> int | None:
        """Take the last change back, in the file too if made there; None when there is none."""
        return await self.settings.undo()

    def adopt(self, setup: Setup) -> int:
        """Put a setup in force at once, also from within a turn; see `apply_config`."""
        return self.settings.adopt(setup)

    async def watch(self) -> None:
        """Take in what others write, and end what is over by the rules, until cancelled."""
        sessions = watch_sessions(self._pool, self.state_dir / "agents", self._hub.publish)
        await together(sessions, self.settings.watch(), self.keeping.rules.watch())

    def notice(self, problem: Problem) -> None:
        """Tell everybody of something a person should know."""
        self._hub.publish(Noticed(problem))

    def _close(self) -> None:
        self._pool.settle()
        self._pool.close()
