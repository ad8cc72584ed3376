"""Envelopes as transcripts keep them: what a preview replays and lint looks at."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec import Struct

from engine.clock import parse_iso
from engine.errors import StoreError
from engine.routing.envelope import Envelope
from engine.routing.keys import chat_type
from engine.sessions.entries import Entry
from engine.sessions.records import SessionRecord
from engine.sessions.store import Store
from engine.turns.origin import envelope_of

__all__ = [
    "Recorded",
    "by_name",
    "recorded_envelopes",
    "recorded_lately",
    "recorded_messages",
    "recorded_of",
    "some_recorded",
]


class Recorded(Struct, frozen=True):
    """A message that came over a channel: its entry, its envelope without words, and when it was
    stored, in milliseconds since 1970 (0 where that is not known)."""

    entry_id: str
    envelope: Envelope
    when: int


def by_name(key: str) -> bool:
    """Whether messages come into a session because somebody names it, not from where they come:
    further chats of the operator, forks (which hold copies besides), sessions of sub-agents."""
    return chat_type(key) in ("chat", "subagent") or ":fork:" in key


def recorded_of(entry: Entry) -> Recorded | None:
    """The message that an entry keeps, or None when it is none, or its origin was not kept.
    A copy that was grafted in was counted where it came from."""
    origin = entry.data.get("origin")
    if entry.role != "user" or not isinstance(origin, dict) or "graftedFrom" in entry.data:
        return None
    envelope = envelope_of(origin)
    if envelope is None:
        return None
    return Recorded(entry.id, envelope, parse_iso(entry.timestamp) or 0)


def recorded_envelopes(store: Store) -> Iterator[Envelope]:
    """The envelope of every recorded message; see `recorded_messages`.

    Raises:
        StoreError: the sessions cannot be listed.
    """
    return (message.envelope for message in recorded_messages(store))


def recorded_messages(store: Store) -> Iterator[Recorded]:
    """Every message that was routed, of the sessions that keys point to. Messages whose origin was
    not kept are passed over, and so is a transcript that cannot be read: its session's own
    problems tell of it.

    Raises:
        StoreError: the sessions cannot be listed.
    """
    for record in store.list():
        yield from _of(store, record)


def recorded_lately(store: Store, *, sessions: int, each: int) -> list[Recorded]:
    """The last messages that were routed, oldest first: at most `each` of the `sessions` that were
    active last, so it costs no more where there are thousands.

    Raises:
        StoreError: the sessions cannot be listed.
    """
    latest = sorted(store.list(), key=lambda record: -record.last_active)
    routed = [one for one in latest if one.kind == "session" and not by_name(one.key)]
    found = [one for record in routed[:sessions] for one in _of(store, record, last=each)]
    return sorted(found, key=lambda message: message.when)


def _of(store: Store, record: SessionRecord, *, last: int | None = None) -> Iterator[Recorded]:
    """The routed messages of a session, in file order; the last ones, or all."""
    if record.kind != "session" or by_name(record.key):
        return
    try:
        transcript = store.open(record)
    except StoreError:
        return
    try:
        tree = transcript.tree
        names = [node.id for node in tree.nodes.values() if node.role == "user"]
        for name in names if last is None else names[-last:]:
            found = recorded_of(tree.entry(name))
            if found is not None:
                yield found
    finally:
        transcript.close()


def some_recorded(store: Store, *, most: int, seconds: float) -> tuple[list[Envelope], bool]:
    """Recorded envelopes, as many as can be had; (they, whether there are more).

    Raises:
        StoreError: as `recorded_envelopes`.
    """
    found: list[Envelope] = []
    deadline = time.monotonic() + seconds
    for envelope in recorded_envelopes(store):
        if len(found) >= most or time.monotonic() > deadline:
            return found, True
        found.append(envelope)
    return found, False
