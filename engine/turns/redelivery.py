"""Messages that a channel delivers a second time are dropped (SPEC §10).

A session's transcript tells what it took in, also before a restart and by another process: its
entries keep the `messageId` they came with. Commands are not in it, and a message may lead to
another session once the config was changed; so the engine as a whole remembers its latest too.
"""

from __future__ import annotations

from collections import OrderedDict

from engine.routing.envelope import Envelope
from engine.routing.ids import normalize_account_id, token
from engine.sessions.entries import Entry
from engine.sessions.tree import Tree
from engine.turns.origin import envelope_of

__all__ = ["Deliveries", "Delivery", "delivered_in", "delivery_of"]

KEPT = 4096
"""Messages remembered by an engine, over all sessions."""

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


def _delivery_in(entry: Entry) -> Delivery | None:
    """The message that an entry keeps, if it came with an id."""
    found = envelope_of(entry.data.get("origin"))
    return delivery_of(found) if found is not None else None


def delivered_in(tree: Tree) -> set[Delivery]:
    """The messages that a transcript took in lately. Reads bodies: off the loop."""
    found: set[Delivery] = set()
    looked = 0
    for node in reversed(list(tree.nodes.values())):
        if node.role == "user":
            if delivery := _delivery_in(tree.entry(node.id)):
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
        if delivery is None:
            return
        self._seen[delivery] = None
        self._seen.move_to_end(delivery)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
