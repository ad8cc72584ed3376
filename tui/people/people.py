"""The people that are known: who has a direct conversation, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.engine import SessionInfo
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.identity import IdentityLinks
from engine.routing.ids import token
from engine.routing.keys import peer_of
from engine.text import safe_line
from tui.people.naming import channel_title, is_stored

__all__ = ["Person", "people_of"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with direct conversations.

    Attributes:
        name: what they are called, safe.
        infos: their conversations, the latest first.
    """

    name: str
    infos: tuple[SessionInfo, ...]

    @property
    def where(self) -> str:
        """`Telegram DM, Whatsapp DM`."""
        return ", ".join(dict.fromkeys(channel_title(info) for info in self.infos))

    @property
    def envelope(self) -> Envelope:
        """How a message of theirs comes in, without words: from where they wrote last."""
        info = self.infos[0]
        peer = peer_of(info.key)
        who = peer.id if peer is not None else info.peer_name
        channel = (peer.channel if peer is not None else "") or info.channel
        return Envelope(channel, peer=Peer("dm", who), sender=Sender(who, info.peer_name or who))


def people_of(infos: Iterable[SessionInfo], links: IdentityLinks) -> list[Person]:
    """Everybody who has a direct conversation, who wrote last first. Links make one of several."""
    found: dict[tuple[str, ...], list[SessionInfo]] = {}
    for info in sorted(infos, key=lambda info: -info.last_active):
        peer = peer_of(info.key)
        if peer is None or peer.kind != "dm" or is_stored(info):
            continue
        channel = peer.channel or info.channel
        linked = links.person(channel, peer.id)
        who = (token(linked),) if linked else (channel, peer.id)
        found.setdefault(who, []).append(info)
    return [Person(_name(who, own), tuple(own)) for who, own in found.items()]


def _name(who: tuple[str, ...], infos: list[SessionInfo]) -> str:
    named = next((info.peer_name for info in infos if info.peer_name), "")
    return safe_line(named or who[-1], limit=80)
