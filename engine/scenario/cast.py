"""Who takes part: people with their identities, of a scenario, of what was recorded, by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from engine.routing.envelope import OPERATOR_CHANNEL, Envelope, Peer, Sender
from engine.routing.ids import normalize_account_id, token
from engine.routing.read import read_envelope
from engine.scenario.values import Message, Scenario
from engine.turns.origin import origin_of, principal_of
from engine.values import replace

__all__ = [
    "SAMPLE",
    "Persona",
    "bare",
    "cast_of",
    "facts_of",
    "joined",
    "known_people",
    "persona",
    "persona_of",
    "slug",
]

_FOREIGN = re.compile(r"[^\w-]+")


class Persona(Struct, frozen=True):
    """Somebody as they write from one place.

    Attributes:
        user: the name in a scenario; one user may write from several places.
        via: which of the user's identities this is.
        envelope: the facts of every message from here; without text, id and time.
    """

    user: str
    via: str
    envelope: Envelope

    @property
    def name(self) -> str:
        """What people call them. Untrusted."""
        sender, peer = self.envelope.sender, self.envelope.peer
        if sender is not None and (sender.name or sender.id):
            return sender.name or sender.id
        return peer.id if peer is not None and peer.id else self.user

    @property
    def principal(self) -> str:
        """How the engine names this person."""
        return principal_of(self.envelope).id

    def says(self, text: str, message_id: str) -> Message:
        """A message from here."""
        facts = {**facts_of(self.envelope), "text": text, "messageId": message_id}
        return Message(message_id, self.user, text, facts, via=self.via)


def facts_of(envelope: Envelope) -> dict[str, Any]:
    """The facts of an envelope as JSON, without text, id and time; `read_envelope` reads them."""
    facts = origin_of(replace(envelope, message_id=None))
    return facts | ({"mentionsAgent": True} if envelope.mentions_agent else {})


def bare(envelope: Envelope) -> Envelope:
    """The envelope without what differs from message to message."""
    return replace(
        envelope, text="", message_id=None, timestamp=0, attachments=(), mentions_agent=False
    )


def slug(name: str) -> str:
    """A name as a scenario's users are called: lower-case, no white space."""
    return _FOREIGN.sub("-", name.strip().lower()).strip("-")[:40] or "somebody"


def persona(envelope: Envelope, others: Iterable[Persona] = ()) -> Persona:
    """Somebody new beside `others`: the same user as whoever goes by the same name on another
    channel, and a user of their own where two on one channel go by it."""
    sender, peer = envelope.sender, envelope.peer
    if sender is None and peer is not None and peer.kind == "dm":
        envelope = replace(envelope, sender=Sender(peer.id))
    made = Persona("", "", bare(envelope))
    name, number = slug(made.name), 1
    others = list(others)
    user = name
    while any(_another(one, made) for one in others if one.user == user):
        number += 1
        user = f"{name}-{number}"
    taken = {one.via for one in others if one.user == user}
    base = via = slug(envelope.channel)
    number = 1
    while via in taken:
        number += 1
        via = f"{base}-{number}"
    return replace(made, user=user, via=via)


def _another(one: Persona, other: Persona) -> bool:
    """Whether these two are plainly not one person: two senders of one account."""
    here, there = one.envelope, other.envelope
    if token(here.channel) != token(there.channel):
        return False
    accounts = normalize_account_id(here.account_id), normalize_account_id(there.account_id)
    return accounts[0] == accounts[1] and one.principal != other.principal


def cast_of(scenario: Scenario) -> tuple[Persona, ...]:
    """Everybody who speaks in a scenario, by user, from each place they write from; an identity
    that says nothing comes as it is."""
    found: dict[Persona, None] = {}
    for user in scenario.users.values():
        for via, facts in user.identities.items():
            spoken = [
                persona_of(message)
                for message in messages_of(scenario)
                if (message.user, message.via) == (user.name, via)
            ]
            if not spoken:
                spoken = [Persona(user.name, via, bare(read_envelope(facts)))]
            found.update(dict.fromkeys(spoken))
    return tuple(found)


def persona_of(message: Message) -> Persona:
    """Who says a message, and from where."""
    return Persona(message.user, message.via, bare(read_envelope(message.facts)))


def messages_of(scenario: Scenario) -> Iterator[Message]:
    """All messages, in order."""
    return (message for step in scenario.steps for message in step.messages)


def known_people(envelopes: Iterable[Envelope]) -> tuple[Persona, ...]:
    """The people of recorded messages, each place once, who wrote last first. The operator's own
    words count as nobody's."""
    latest: dict[Envelope, None] = {}
    for envelope in envelopes:
        if envelope.peer is None and token(envelope.channel) == OPERATOR_CHANNEL:
            continue
        place = bare(envelope)
        latest.pop(place, None)
        latest[place] = None
    return joined(list(reversed(latest)))


def joined(envelopes: Iterable[Envelope]) -> tuple[Persona, ...]:
    """Personas of envelopes, each told apart from those before it."""
    people: list[Persona] = []
    for envelope in envelopes:
        people.append(persona(envelope, people))
    return tuple(people)


SAMPLE = (
    Envelope("telegram", peer=Peer("dm", "alice"), sender=Sender("alice", "Alice")),
    Envelope("telegram", peer=Peer("dm", "bob"), sender=Sender("bob", "Bob")),
)
"""Two people to begin with, where nobody wrote yet."""
