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
from engine.sessions.store import Store
from engine.turns.origin import envelope_of

__all__ = [
    "Recorded",
    "by_name",
    "recorded_envelopes",
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
        if record.kind != "session" or by_name(record.key):
            continue
        try:
            transcript = store.open(record)
        except StoreError:
            continue
        try:
            for node in transcript.tree.nodes.values():
                if node.role == "user":
                    found = recorded_of(transcript.tree.entry(node.id))
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
