"""Messages that a channel delivers a second time are dropped (SPEC §10).

What was taken in lately is kept in memory, for all sessions, bounded. After a restart, and for
what another process took in, the transcript tells: its entries keep the `messageId` they came
with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from engine.agents.origin import envelope_of
from engine.routing.envelope import Envelope
from engine.routing.ids import normalize_account_id, token
from engine.sessions.entries import Entry
from engine.sessions.tree import Tree

__all__ = ["Deliveries", "Delivery", "delivered_in", "delivery_in", "delivery_of"]

KEPT = 20_000
"""Messages remembered by an engine."""

LOOKED_AT = 200
"""Messages of a transcript looked at when it is opened, the newest."""

Delivery = tuple[str, str, str, str, str]
"""What is the same when a channel delivers a message again: the conversation and the id in it."""


def delivery_of(envelope: Envelope) -> Delivery | None:
    """How a message is recognised; None for one without an id."""
    if not envelope.message_id:
        return None
    peer = envelope.peer
    return (
        token(envelope.channel),
        normalize_account_id(envelope.account_id),
        peer.kind if peer else "",
        token(peer.id) if peer else "",
        envelope.message_id,
    )


def delivery_in(entry: Entry) -> Delivery | None:
    """The message that an entry keeps, if it came with an id."""
    found = envelope_of(entry.data.get("origin"))
    return delivery_of(found) if found is not None else None


def delivered_in(tree: Tree) -> set[Delivery]:
    """The messages that a transcript took in lately. Reads bodies: off the loop."""
    found: set[Delivery] = set()
    looked = 0
    for node in reversed(list(tree.nodes.values())):
        if node.role == "user":
            if delivery := delivery_in(tree.entry(node.id)):
                found.add(delivery)
            looked += 1
            if looked == LOOKED_AT:
                break
    return found


class Deliveries:
    """What an engine took in lately."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Delivery, None] = OrderedDict()

    def seen(self, envelope: Envelope) -> bool:
        """Whether this message was taken in before."""
        delivery = delivery_of(envelope)
        return delivery is not None and delivery in self._seen

    def note(self, envelope: Envelope) -> None:
        """Remember a message that was stored or, a command, obeyed."""
        delivery = delivery_of(envelope)
        if delivery is not None:
            self._add(delivery)

    def note_all(self, deliveries: Iterable[Delivery | None]) -> None:
        """Remember messages that a transcript holds; None is passed over."""
        for delivery in deliveries:
            if delivery is not None:
                self._add(delivery)

    def _add(self, delivery: Delivery) -> None:
        self._seen[delivery] = None
        self._seen.move_to_end(delivery)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
