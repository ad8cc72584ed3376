"""What slash commands do to a session, and what they answer (SPEC §10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.agents.modelchange import change_model
from engine.agents.turn import Kitchen, in_thread
from engine.agents.views import ModelInForce, SessionView
from engine.branching.branch import TreeRoom
from engine.branching.folding import CompactionRoom
from engine.errors import CommandError, SessionNotFound
from engine.events import SessionChanged
from engine.routing.keys import chat_type
from engine.routing.mentions import read_activation
from engine.sessions.entries import ACTIVATION
from engine.sessions.journal import Plan, apply
from engine.sessions.navigate import move_leaf
from engine.sessions.transcript import fresh_id
from engine.sessions.tree import Tree
from engine.turns.choice import layers_of, stack
from engine.turns.order import Order, Receipt
from engine.turns.pool import LiveSession

__all__ = ["OrderDesk", "model_in_force"]


def model_in_force(order: Order, session: LiveSession | None) -> ModelInForce:
    """The model the order's session answers with, and its source.

    Raises:
        ModelNotFound, ModelError: it cannot be used.
    """
    layers = layers_of(order, session)
    info = order.setup.registry.info(layers.chosen())
    return ModelInForce(info.ref, layers.in_force.name, info.context_window, layers.in_force.place)


class OrderDesk:
    """The desk for one order: its session, its setup.

    Args:
        order: who asks, where.
        kitchen: what turns work with.
        view: looks at a session.
        cancel: stops the running turn of a session.
        start: carries out an order.
    """

    def __init__(
        self,
        order: Order,
        kitchen: Kitchen,
        view: Callable[[str], Awaitable[SessionView]],
        cancel: Callable[[str], Awaitable[bool]],
        start: Callable[[Order], Receipt],
    ):
        self._order = order
        self._kitchen = kitchen
        self._view = view
        self._cancel = cancel
        self._start = start

    async def new_session(self, session_key: str) -> str:
        """A cold transcript under the same key; the old one stays listed, and label and model
        override stay in force (cases/README: as expiry does)."""
        pool = self._kitchen.pool
        if not await in_thread(pool.has, session_key):
            return "This conversation is empty already."
        await in_thread(self._kitchen.pool.renew, session_key, "/new")
        self._kitchen.publish(SessionChanged(session_key))
        return "A fresh start: the conversation so far is archived and stays listed."

    async def clear_session(self, session_key: str) -> str:
        """Move the leaf before the first entry: the context is empty, the tree keeps it all."""
        pool = self._kitchen.pool
        if not await in_thread(pool.has, session_key):
            return "This conversation is empty already."
        patience = self._order.setup.config.session.lock_timeout_seconds
        with pool.using(session_key, write=True) as live:
            if live.transcript.tree.leaf is None:
                return "The context is empty already."
            async with live.transcript.holding(patience):
                await in_thread(apply, live.transcript, _cleared)
        self._kitchen.publish(SessionChanged(session_key))
        return "The context is empty. /undo brings it back; settings stay in force."

    async def override_model(self, session_key: str, model: str | None) -> str:
        """Set or take away the session's own model."""
        changed = await change_model(self._kitchen, self._order, model)
        if changed.after is None:
            layers = stack(self._order.setup.registry, self._order.agent_id)
            if layers.config.error is not None:
                return f"Back to the config, which names no model: {layers.config.error}"
            return f"Back to the configured model: {layers.config.ref}."
        return f"This session now answers with {changed.after}. /model default goes back."

    async def set_activation(self, session_key: str, word: str) -> str:
        """When the agent answers in a group.

        Raises:
            CommandError: the session is no group's, or the word is neither mention nor always.
        """
        if chat_type(session_key) not in ("group", "channel"):
            raise CommandError("/activation is for groups; here every message is answered")
        activation = read_activation(word)
        if activation is None:
            raise CommandError("say when to answer", remedy="/activation mention, or always")
        body = {"activation": activation, "source": "user"}
        await in_thread(self._kitchen.pool.make, self._order)
        await self._note(session_key, {"type": "custom", "customType": ACTIVATION, "data": body})
        if activation == "always":
            return "Every message in this group is answered now."
        return "Only messages that address the agent are answered now; the others are kept."

    async def compact_session(self, session_key: str, focus: str) -> str:
        """Fold what is old enough, now."""
        if not await in_thread(self._kitchen.pool.has, session_key):
            return "This conversation is empty already."
        room = CompactionRoom(self._kitchen, lambda: self._order.setup)
        done = await room.compact(session_key, focus, order=self._order)
        if done.outcome != "done":
            return f"Not compacted: {done.reason}."
        lacking = done.missing.count if done.missing is not None else 0
        return (
            f"Compacted {done.folded} messages: {done.before:,} → {done.after:,} tokens, "
            f"{done.kept} kept as they are. "
            f"{lacking} names, numbers, ids, paths or questions are not in the summary. "
            "/undo brings the messages back."
        )

    def _room(self) -> TreeRoom:
        return TreeRoom(self._kitchen, lambda: self._order.setup, self._start)

    async def undo(self, session_key: str) -> str:
        """Take back the newest change of the tree."""
        done = await self._room().undo(session_key)
        return f"Done: {done.what}. Everything that was said stays in the tree."

    async def fork_session(self, session_key: str, node: str) -> str:
        """Copy the conversation, up to an entry or to its end, into a session of its own."""
        forked = await self._room().fork(session_key, node.strip() or None)
        return f"Forked into {forked.session_key} ({forked.tokens:,} tokens)."

    async def label_entry(self, session_key: str, text: str) -> str:
        """Label the newest message."""
        with self._kitchen.pool.using(session_key) as live:
            tree = live.transcript.tree
            newest = tree.anchor(tree.leaf)
        if newest is None:
            raise CommandError(
                "there is nothing yet that could carry a label", remedy="Say something first"
            )
        await self._room().label(session_key, newest, text)
        return "Labelled." if text.strip() else "The label is taken away."

    async def _note(self, session_key: str, fields: dict[str, object]) -> None:
        """Append a setting to the session's transcript."""
        patience = self._order.setup.config.session.lock_timeout_seconds
        with self._kitchen.pool.using(session_key, write=True) as live:
            async with live.transcript.holding(patience):
                await in_thread(live.transcript.append, fields)
        self._kitchen.publish(SessionChanged(session_key))

    async def describe_model(self, session_key: str) -> str:
        try:
            found = (await self._view(session_key)).model
        except SessionNotFound:
            found = model_in_force(self._order, None)
        source = f"{found.source}: {found.detail}" if found.detail else found.source
        others = [info.ref for info in self._order.setup.registry.list() if info.ready]
        listed = ", ".join(others[:12])
        return (
            f"{found.ref} ({source}, {found.context_window:,} tokens). "
            f"Ready to use: {listed}. /model <ref> overrides it for this session."
        )

    async def describe(self, session_key: str) -> str:
        try:
            view = await self._view(session_key)
        except SessionNotFound:
            found = model_in_force(self._order, None)
            return f"{session_key}\nnothing said yet · {found.ref} ({found.source})"
        model, counts = view.model, view.counts
        part = view.tokens / model.context_window if model.context_window else 0
        return (
            f"{session_key}\n"
            f"model {model.ref} ({model.source}) · "
            f"context {view.tokens:,} of {model.context_window:,} tokens ({part:.0%})\n"
            f"{counts.messages} messages · {counts.branches} branches · "
            f"{counts.compactions} compactions · {view.info.state}"
        )

    async def stop(self, session_key: str) -> str:
        room = CompactionRoom(self._kitchen, lambda: self._order.setup)
        stopped = await self._cancel(session_key) or room.cancel(session_key)
        return "Stopped; what was written is kept." if stopped else "Nothing is running here."


def _cleared(tree: Tree) -> Plan:
    return move_leaf(tree, None, fresh_id, what="clear")
