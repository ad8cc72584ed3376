"""Identity links: several peers, one person (SPEC §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.routing.ids import token, trim

__all__ = ["IdentityLinks"]


class IdentityLinks:
    """`session.identityLinks` as an index, built once per config.

    A peer is looked for by its bare id and as `channel:id`, whatever its case. The person listed
    first wins. A link leads one step: with `{alice: ["bob"], bob: ["telegram:5"]}` the peer
    telegram:5 is bob and stays bob (reference: OpenClaw 2026.4.15).
    """

    __slots__ = ("_people",)

    def __init__(self, links: Mapping[str, Sequence[str | int]] | None = None):
        people: dict[str, tuple[int, str]] = {}
        for order, (name, ids) in enumerate((links or {}).items()):
            person = trim(name)
            for peer in ids if person else ():
                if linked := token(str(peer)):
                    people.setdefault(linked, (order, person))
        self._people = people

    def __bool__(self) -> bool:
        return bool(self._people)

    def person(self, channel: str, peer_id: str) -> str | None:
        """Who `peer_id` of `channel` is, None when no link says so."""
        peer = token(peer_id)
        if not peer or not self._people:
            return None
        bare = self._people.get(peer)
        name = token(channel)
        scoped = self._people.get(f"{name}:{peer}") if name else None
        found = min(bare, scoped) if bare and scoped else bare or scoped
        return found[1] if found else None
