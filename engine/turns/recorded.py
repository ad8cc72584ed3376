"""Envelopes as transcripts keep them: what a preview replays and lint looks at."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.errors import StoreError
from engine.routing.envelope import Envelope
from engine.sessions.store import Store
from engine.turns.origin import envelope_of

__all__ = ["recorded_envelopes", "some_recorded"]


def recorded_envelopes(store: Store) -> Iterator[Envelope]:
    """The envelope (without its words) of every message that came over a channel, of the sessions
    that keys point to. Messages whose origin was not kept are passed over, and so is a transcript
    that cannot be read: its session's own problems tell of it.

    Raises:
        StoreError: the sessions cannot be listed.
    """
    for record in store.list():
        if record.kind != "session":
            continue
        try:
            transcript = store.open(record)
        except StoreError:
            continue
        try:
            for node in transcript.tree.nodes.values():
                if node.role == "user":
                    origin = transcript.tree.entry(node.id).data.get("origin")
                    envelope = envelope_of(origin if isinstance(origin, dict) else None)
                    if envelope is not None:
                        yield envelope
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
