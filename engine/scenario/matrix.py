"""The isolation matrix: who shares a memory with whom, under each dmScope (SPEC §3).

Where messages land is what the router says; whether those who meet there are meant to is what the
leak monitor's rules say. So the matrix tells what would happen, not what a table says of scopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from engine.config.schema import Config, DmScope
from engine.rights.sharing import Sharing, Speaker, read_speaker
from engine.routing.envelope import Envelope
from engine.routing.router import Router
from engine.turns.intake import identified
from engine.turns.origin import origin_of

__all__ = ["Check", "MatrixRow", "matrix"]

Verdict = Literal["shared", "exposed", "refused"]

_GRAVITY: tuple[Verdict, ...] = ("refused", "exposed", "shared")


class Check(Struct, frozen=True):
    """Lanes that meet in one session, and by which rule.

    Attributes:
        verdict: `shared`, by a rule that means these people; `exposed`, by one that mixes
            people; `refused`, by none: the leak monitor would stop an answer.
        lanes: their places, from 0, sorted.
        room: whether they meet in a group, which is its purpose.
    """

    verdict: Verdict
    lanes: tuple[int, ...]
    rule: str
    room: bool = False


class MatrixRow(Struct, frozen=True):
    """Where everybody's messages go under one scope.

    Attributes:
        now: whether it is the scope in force.
        keys: session keys, lane by lane.
        letters: the same letter means the same session; it is that of its first lane.
        checks: the gravest first.
    """

    scope: DmScope
    now: bool
    keys: tuple[str, ...]
    letters: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def mixed(self) -> bool:
        """Whether somebody's words reach another by a rule that does not mean these people."""
        return any(check.verdict != "shared" for check in self.checks)

    @property
    def sessions(self) -> int:
        return len(set(self.keys))


def matrix(config: Config, envelopes: Sequence[Envelope]) -> tuple[MatrixRow, ...]:
    """The scope in force first, then the others.

    Args:
        config: in force.
        envelopes: one for each lane.
    """
    now = config.session.dm_scope
    scopes: list[DmScope] = [now, *(one for one in get_args(DmScope) if one != now)]
    return tuple(_row(_under(config, scope), envelopes, now=scope == now) for scope in scopes)


def _under(config: Config, scope: DmScope) -> Config:
    session = msgspec.structs.replace(config.session, dm_scope=scope)
    return msgspec.structs.replace(config, session=session)


def _row(config: Config, envelopes: Sequence[Envelope], *, now: bool) -> MatrixRow:
    router, sharing = Router(config), Sharing(config)
    people = [identified(envelope, config) for envelope in envelopes]
    keys = tuple(router.route(envelope).session_key for envelope in people)
    speakers = [read_speaker(origin_of(envelope)) for envelope in people]
    return MatrixRow(
        config.session.dm_scope,
        now,
        keys,
        tuple(letter(keys.index(key)) for key in keys),
        _checks(keys, speakers, sharing),
    )


def letter(place: int) -> str:
    """A, B, … Z, AA, AB, …"""
    name = ""
    while place >= 0:
        name = chr(ord("A") + place % 26) + name
        place = place // 26 - 1
    return name


def _checks(
    keys: Sequence[str], speakers: Sequence[Speaker | None], sharing: Sharing
) -> tuple[Check, ...]:
    found: dict[tuple[str, Verdict, str], set[int]] = {}
    rooms: set[str] = set()
    for one, other in combinations(range(len(keys)), 2):
        here, there = speakers[one], speakers[other]
        if keys[one] != keys[other] or here is None or there is None:
            continue
        if here.in_room or there.in_room:
            rooms.add(keys[one])
        for author, reader in ((here, there), (there, here)):
            ruling = sharing.judge(author, reader, keys[one])
            if ruling.verdict != "own":
                place = keys[one], ruling.verdict, ruling.rule
                found.setdefault(place, set()).update((one, other))
    checks = [
        Check(verdict, tuple(sorted(lanes)), rule, key in rooms and verdict == "shared")
        for (key, verdict, rule), lanes in found.items()
    ]
    return tuple(sorted(checks, key=lambda one: (_GRAVITY.index(one.verdict), one.lanes)))
