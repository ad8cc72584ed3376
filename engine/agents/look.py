"""Looking at sessions without changing them: the list, one session, its pages, its window."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING

from engine.agents.desk import model_in_force
from engine.agents.turn import Kitchen, in_thread, limits_of, prepare
from engine.agents.views import (
    Counts,
    HistoryPage,
    LiveReply,
    ModelInForce,
    SessionInfo,
    SessionView,
    Xray,
    count,
    info_of,
    page_of,
)
from engine.context.tokens import estimate_text
from engine.context.window import Window, WindowSettings, build_window
from engine.errors import ModelError, Problem
from engine.lifecycle.expiry import Ending, ending, label_of, where_of
from engine.models.exact import exact_body
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.keys import main_session_key, split_key
from engine.sessions.records import SessionRecord
from engine.sessions.tree import Tree
from engine.turns.choice import layers_of
from engine.turns.intake import make_order
from engine.turns.order import Order, Setup
from engine.turns.origin import envelope_of
from engine.turns.pool import Hold, LiveSession
from engine.values import replace

if TYPE_CHECKING:
    from engine.sessions.search import Hit

__all__ = ["Looker"]

UNLIMITED = 1 << 40


class Looker:
    """Reads sessions, always off the loop.

    Args:
        kitchen: what turns work with; a look goes the same way as a turn.
        setup: gives the config in force.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup]):
        self._kitchen = kitchen
        self._setup = setup
        self._counts: dict[str, tuple[int, Counts]] = {}

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """All sessions and leftovers, the most recently active first."""
        records = await in_thread(self._kitchen.pool.store.list)
        inside, own = self._kitchen.lanes.inside, self._own_label
        return tuple(info_of(record, inside(record.key), own(record)) for record in records)

    def _own_label(self, record: SessionRecord) -> str:
        return label_of(record, self._setup().config.session, self._kitchen.clock.now())

    async def view(self, ref: str) -> SessionView:
        """Everything the inspector shows of a session.

        Raises:
            SessionNotFound, StoreError: it cannot be opened.
        """
        return await in_thread(self._view, ref)

    async def history(self, ref: str, before: str | None, limit: int) -> HistoryPage:
        """A page of the path from the root to the leaf."""

        def read() -> HistoryPage:
            with self._kitchen.pool.using(ref) as live:
                return page_of(live, before, limit)

        return await in_thread(read)

    async def window(self, ref: str, leaf: str | None) -> Window:
        """What the model sees from the leaf (None), or from another entry."""

        def read() -> Window:
            with self._kitchen.pool.using(ref) as live:
                if leaf is None:
                    return self._weigh(self._order(live)[0], live)[0]
                live.transcript.tree.node(leaf)
                return self._weigh(self._order(live)[0], live, leaf)[0]

        return await in_thread(read)

    async def tree(self, ref: str) -> Tree:
        """The tree of a session as it is from now on: it grows with it until the session is
        opened anew."""

        def read() -> Tree:
            with self._kitchen.pool.using(ref) as live:
                return live.transcript.tree

        return await in_thread(read)

    async def hold(self, ref: str) -> None:
        """Keep a session open until cancelled, so that its tree can be read at any time."""
        import anyio

        hold = Hold(self._kitchen.pool, ref)
        try:
            await in_thread(hold.take)
            await anyio.sleep_forever()
        finally:
            # Where it is still being opened, that is waited for: in the thread.
            with anyio.CancelScope(shield=True):
                await in_thread(hold.let_go)

    async def xray(self, ref: str, leaf: str) -> Xray:
        """What the next request from an entry would hold, and why."""

        def read() -> Xray:
            with self._kitchen.pool.using(ref) as live:
                live.transcript.tree.node(leaf)
                order, _ = self._order(live)
                return Xray(leaf, *self._weigh(order, live, leaf))

        return await in_thread(read)

    async def search(self, ref: str, query: str, limit: int) -> list[Hit]:
        """Entries that hold what is looked for, in file order."""

        from engine.sessions.search import search_tree

        def read() -> list[Hit]:
            with self._kitchen.pool.using(ref) as live:
                return search_tree(live.transcript, query, limit=limit)

        return await in_thread(read)

    async def request_body(self, ref: str, leaf: str) -> bytes:
        """The next request from an entry, byte for byte as the wire would carry it."""

        def read() -> bytes:
            with self._kitchen.pool.using(ref) as live:
                live.transcript.tree.node(leaf)
                order, _ = self._order(live)
                prepared = prepare(order, live, self._kitchen, leaf)
                return exact_body(prepared.request, prepared.info.ref, order.setup.registry)

        return await in_thread(read)

    def _order(self, live: LiveSession) -> tuple[Order, Envelope]:
        """The order that the session's own people would give now."""
        envelope = envelope_of(live.record.origin) or Envelope(OPERATOR_CHANNEL)
        key = live.record.key if split_key(live.record.key) else main_session_key(None)
        now = self._kitchen.clock.now()
        return make_order(self._setup(), envelope, now=now, session_key=key), envelope

    def _weigh(
        self, order: Order, live: LiveSession, leaf: str | EllipsisType | None = ...
    ) -> tuple[Window, ModelInForce, int, int, list[Problem]]:
        """Window, model, tokens of the system prompt, tokens of the next request, problems. A
        model that cannot be used hides nothing of the session."""
        try:
            prepared = prepare(order, live, self._kitchen, leaf)
        except ModelError as error:
            tree = live.transcript.tree
            place = tree.leaf if leaf is ... else leaf
            window = build_window(tree, place, WindowSettings(limits_of(order, UNLIMITED)))
            model = ModelInForce("none", "unusable", 0, error.message)
            return window, model, 0, window.tokens, [Problem(str(error))]
        prompt = estimate_text(prepared.request.system)
        tokens = max(prepared.window.tokens, prepared.estimate)
        return prepared.window, model_in_force(order, live), prompt, tokens, []

    def _view(self, ref: str) -> SessionView:
        with self._kitchen.pool.using(ref) as live:
            order, envelope = self._order(live)
            window, model, prompt, tokens, problems = self._weigh(order, live)
            tree, running, record = live.transcript.tree, live.running, self._record(live)
            return SessionView(
                info=self._info(live, record),
                route=order.setup.router.route(envelope) if live.record.origin else None,
                model=model,
                layers=layers_of(order, live),
                prompt_tokens=prompt,
                tokens=tokens,
                window=window,
                leaf=tree.leaf,
                counts=self._count(live),
                live=LiveReply(running.turn_id, running.answer.ref, running.answer.text)
                if running
                else None,
                problems=(*live.transcript.problems, *problems),
                ends=self._ends(record),
            )

    def _ends(self, record: SessionRecord) -> Ending | None:
        if record.kind != "session":
            return None
        session = self._setup().config.session
        return ending(session, record.key, record.used, where_of(record))

    def _record(self, live: LiveSession) -> SessionRecord:
        """The session's record as its transcript has it by now; its own is of when it was
        opened."""
        tree, record = live.transcript.tree, live.record
        last = next((node.id for node in tree.up(tree.leaf) if node.type == "message"), None)
        said = tree.entry(last).message.get("timestamp") if last is not None else None
        if isinstance(said, int):
            record = replace(record, last_active=max(said, record.last_active))
        return replace(record, labels=live.labels, override=live.override)

    def _info(self, live: LiveSession, record: SessionRecord) -> SessionInfo:
        inside, name = self._kitchen.lanes.inside(live.key), live.transcript.tree.name
        return info_of(record, inside, self._own_label(record), name)

    def _count(self, live: LiveSession) -> Counts:
        size = len(live.transcript.tree.nodes)
        known = self._counts.get(live.key)
        if known is None or known[0] != size:
            known = self._counts[live.key] = (size, count(live.transcript.tree))
        return known[1]
