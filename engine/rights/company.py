"""Who shares a session's memory: the people whose words are in its window, and by which rule.

The rules are those of the leak monitor (engine.rights.sharing), so what is told here and what is
refused at the model door cannot differ.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from engine.context.window import Window
from engine.rights.sharing import Sharing, Speaker, Verdict, read_speaker

__all__ = ["NOBODY", "Company", "Member", "Shares", "company_of"]

MOST = 40
"""People compared with each other; a group may hold thousands."""


class Member(Struct, frozen=True):
    """Somebody whose words are in the window. `direct`: said in a direct message."""

    principal: str
    name: str
    messages: int
    direct: bool


class Shares(Struct, frozen=True):
    """A rule by which one person's words reach another, and between how many pairs."""

    verdict: Verdict
    rule: str
    pairs: int


class Company(Struct, frozen=True):
    """Everybody in a window, who said most first.

    Attributes:
        shares: rules between different people, the gravest first.
        summaries: how many summaries there are, whose words are not counted.
    """

    members: tuple[Member, ...] = ()
    shares: tuple[Shares, ...] = ()
    summaries: int = 0

    @property
    def mixed(self) -> bool:
        """Whether direct messages of several people meet here."""
        return sum(member.direct for member in self.members) > 1

    @property
    def exposed(self) -> bool:
        """Whether people read each other's words by a rule that mixes them, or by none."""
        return any(one.verdict in ("exposed", "refused") for one in self.shares)


NOBODY = Company()
"""Of a window without people."""


def company_of(window: Window, sharing: Sharing, session_key: str) -> Company:
    """Find out whose words a window holds. Words without a known author are not counted."""
    said: Counter[str] = Counter()
    people: dict[str, Speaker] = {}
    summaries = 0
    for message in window.messages:
        summaries += message.role in ("compactionSummary", "branchSummary")
        if message.role != "user":
            continue
        speaker = read_speaker(message.data.get("origin"))
        if speaker is not None:
            said[speaker.principal] += 1
            people[speaker.principal] = speaker
    members = tuple(
        Member(name, people[name].name, count, people[name].kind == "dm")
        for name, count in said.most_common()
    )
    return Company(members, _shares(list(people.values()), sharing, session_key), summaries)


_GRAVITY = {"refused": 0, "exposed": 1, "shared": 2, "own": 3}


def _shares(people: list[Speaker], sharing: Sharing, session_key: str) -> tuple[Shares, ...]:
    found = Counter(
        sharing.judge(author, reader, session_key)
        for author in people[:MOST]
        for reader in people[:MOST]
        if author.principal != reader.principal and not reader.is_operator
    )
    rules = (Shares(one.verdict, one.rule, count) for one, count in found.items())
    return tuple(sorted(rules, key=lambda one: (_GRAVITY[one.verdict], -one.pairs)))
