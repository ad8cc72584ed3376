"""Forks: the path to an entry copied into a session of its own (SPEC §6).

Also while a turn runs: the copy then ends at the last completed entry. The new session names its
parent, the parent keeps a note of its fork.
"""

from __future__ import annotations

import contextlib
import uuid

from msgspec import Struct

from engine.context.window import Window, build_window
from engine.errors import ModelError, SessionError
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.keys import agent_of, fork_key, main_session_key, split_key
from engine.sessions.graft import FORKED, fork_note, plan_fork
from engine.sessions.navigate import whole_exchange
from engine.sessions.transcript import fresh_id
from engine.turns.intake import make_order
from engine.turns.order import Order, Setup
from engine.turns.origin import envelope_of
from engine.turns.pool import LiveSession
from engine.turns.request import Kitchen, prepare

__all__ = [
    "ForkNote",
    "ForkPreview",
    "Forked",
    "Lineage",
    "fork_session",
    "lineage_of",
    "order_of",
    "preview_fork",
]


class ForkPreview(Struct, frozen=True):
    """What a fork would begin with.

    Attributes:
        leaf: the last entry that is copied: the one asked for, or where no tool call stands
            without its result.
        entries: how many entries are copied.
        window: what the model sees from there.
        tokens: what the next request would weigh.
    """

    leaf: str | None
    entries: int
    window: Window
    tokens: int


class Forked(Struct, frozen=True):
    """A fork that was made. `parent_session`: the transcript it comes from; `leaf`: its last
    entry, called the same in both."""

    session_key: str
    session_id: str
    parent_key: str
    parent_session: str
    leaf: str | None
    tokens: int


class ForkNote(Struct, frozen=True):
    """A fork as the session that was forked remembers it."""

    session_key: str
    session_id: str
    entry_id: str | None


class Lineage(Struct, frozen=True):
    """Where a session comes from and which forks were made of it, oldest first.

    Attributes:
        parent_key: "" for a session that is no fork, or whose file does not say.
        parent_session: path of the transcript it was forked from, "" for none.
        parent_entry: where the two parted; in both of them an entry of that id.
    """

    parent_key: str = ""
    parent_session: str = ""
    parent_entry: str | None = None
    forks: tuple[ForkNote, ...] = ()


def lineage_of(live: LiveSession) -> Lineage:
    """Both sides of a session's lineage. Reads files."""
    header, tree = live.transcript.header, live.transcript.tree
    found = header.get("lineage")
    told = found if isinstance(found, dict) else {}
    session = header.get("parentSession")
    entry = told.get("parentEntry")
    return Lineage(
        str(told.get("parentKey") or ""),
        session if isinstance(session, str) else "",
        entry if isinstance(entry, str) else None,
        tuple(
            _fork_note(tree.entry(node.id).data.get("data"))
            for node in tuple(tree.nodes.values())
            if node.custom_type == FORKED
        ),
    )


def _fork_note(body: object) -> ForkNote:
    told = body if isinstance(body, dict) else {}
    entry = told.get("entryId")
    return ForkNote(
        str(told.get("sessionKey") or ""),
        str(told.get("sessionId") or ""),
        entry if isinstance(entry, str) else None,
    )


def order_of(live: LiveSession, setup: Setup, now: int) -> Order:
    """An order that the session's own people would give: their model, their limits, their
    eyes."""
    envelope = envelope_of(live.record.origin) or Envelope(OPERATOR_CHANNEL)
    return make_order(setup, envelope, now=now, session_key=_key_of(live))


def _key_of(live: LiveSession) -> str:
    key = live.record.key
    return key if split_key(key) else main_session_key(None)


def preview_fork(kitchen: Kitchen, setup: Setup, ref: str, node: str | None) -> ForkPreview:
    """Look at what a fork would begin with. Reads files.

    Raises:
        SessionNotFound, StoreError, EntryNotFound: there is nothing to fork.
    """
    with kitchen.pool.using(ref) as live:
        tree = live.transcript.tree
        leaf = whole_exchange(tree, tree.leaf if node is None else node)
        return _look(kitchen, setup, live, leaf)


def _look(kitchen: Kitchen, setup: Setup, live: LiveSession, leaf: str | None) -> ForkPreview:
    tree = live.transcript.tree
    length = sum(1 for _ in tree.up(leaf))
    try:
        order = order_of(live, setup, kitchen.clock.now())
        prepared = prepare(order, live, kitchen, leaf)
        return ForkPreview(leaf, length, prepared.window, prepared.weight)
    except ModelError:
        # Without a usable model there is no system prompt to count.
        window = build_window(tree, leaf)
        return ForkPreview(leaf, length, window, window.tokens)


def fork_session(
    kitchen: Kitchen, setup: Setup, ref: str, node: str | None, name: str = ""
) -> Forked:
    """Make a fork. Reads and writes files.

    Raises:
        SessionNotFound, EntryNotFound: there is nothing to fork.
        SessionBusy, StoreError: it could not be written.
    """
    with kitchen.pool.using(ref) as live:
        transcript, record = live.transcript, live.record
        tree = transcript.tree
        plan = plan_fork(tree, tree.leaf if node is None else node, fresh_id)
        base = _key_of(live)
        origin = record.origin or transcript.header.get("origin")
        made = kitchen.pool.store.create(
            fork_key(base, uuid.uuid4().hex[:8]),
            record.agent_id or agent_of(base),
            origin=origin if isinstance(origin, dict) else None,
            lineage={
                "parentKey": record.key,
                "parentSession": transcript.id,
                "parentEntry": plan.parent_entry,
            },
            parent_session=str(transcript.path),
            entries=plan.lines,
        )
        if name:
            made = kitchen.pool.store.set_label(made.key, name)
        if record.kind == "session" and not transcript.foreign:
            # The fork is made; a parent that is busy or full only goes without the note.
            with contextlib.suppress(SessionError):
                transcript.append_all(
                    lambda tree: fork_note(tree, made.key, made.session_id, plan.leaf).lines
                )
                kitchen.pool.spoil(record.key)
        tokens = _look(kitchen, setup, live, plan.leaf).tokens
        return Forked(
            made.key, made.session_id, record.key, str(transcript.path), plan.leaf, tokens
        )
