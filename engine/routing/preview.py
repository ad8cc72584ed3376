"""What another config would do to the conversations that are there (SPEC §§3, 12).

Recorded messages are routed through the old and the new config, by the routers themselves. Old
transcripts stay where they are; so words become visible to somebody in two ways: new messages
meet in one session, or somebody is led to a session that holds another's words already.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from msgspec import Struct

from engine.config.schema import Config
from engine.routing.access import is_operator, normalize_sender, sender_id
from engine.routing.envelope import Envelope
from engine.routing.identity import IdentityLinks
from engine.routing.ids import token, trim
from engine.routing.router import Router

__all__ = ["MAX_EXPOSES", "Change", "Exposure", "Preview", "Share", "person_of", "preview"]

OPERATOR = "operator"

MAX_EXPOSES = 1000
"""Pairs listed; the rest are counted."""


class Share(Struct, frozen=True):
    """The part of a session that comes from, goes to, or is another one.

    Attributes:
        key: the session's key.
        people: who wrote there, sorted.
        messages: how many messages.
    """

    key: str
    people: tuple[str, ...]
    messages: int


class Change(Struct, frozen=True):
    """A session and what it is made of (a merge), or what becomes of it (a split or a move)."""

    key: str
    parts: tuple[Share, ...]


class Exposure(Struct, frozen=True):
    """Words that a reader could not see before.

    Attributes:
        reader: who would see them: the agent answers this person with them in its window.
        author: who wrote them.
        sessions: keys under the new config in which this happens, sorted.
        messages: how many recorded messages would be seen.
    """

    reader: str
    author: str
    sessions: tuple[str, ...]
    messages: int


class Preview(Struct, frozen=True):
    """What changes, each list sorted by key. People are names of session.identityLinks, else
    `channel:sender`; who is one person is what the new config says.

    Attributes:
        messages: how many were routed.
        merges: new sessions that get the messages of several old ones.
        splits: old sessions whose messages go to several new ones.
        moves: old sessions that go on under another key, alone: they start afresh there, and the
            old transcript stays reachable.
        kept: sessions that stay as they are.
        exposes: whose words become visible to whom, sorted by reader and author; the first
            MAX_EXPOSES of them.
        exposed: how many such pairs of reader and author there are.
        names: what everybody who wrote is called, "" where nobody says; not made safe.
    """

    messages: int
    merges: tuple[Change, ...]
    splits: tuple[Change, ...]
    moves: tuple[Change, ...]
    kept: tuple[Share, ...]
    exposes: tuple[Exposure, ...]
    exposed: int
    names: Mapping[str, str] = {}

    def called(self, person: str) -> str:
        """The name of a person for reading; with the id where the name alone would not tell them
        apart, for anybody may call themselves anything. Not made safe."""
        name = self.names.get(person, "")
        plain = _plain(name)
        if not plain:
            return person
        others = [OPERATOR, *(each for other in self.names.items() for each in other)]
        others.remove(person)
        others.remove(name)
        alone = ":" not in plain and plain not in map(_plain, others)
        return name if alone else f"{name} ({person})"

    def to_json(self) -> dict[str, Any]:
        return {
            "messages": self.messages,
            "merges": [_change_json(one, "from") for one in self.merges],
            "splits": [_change_json(one, "to") for one in self.splits],
            "moves": [_change_json(one, "to") for one in self.moves],
            "kept": [_share_json(one) for one in self.kept],
            "exposes": [
                {
                    "reader": one.reader,
                    "author": one.author,
                    "sessions": list(one.sessions),
                    "messages": one.messages,
                }
                for one in self.exposes
            ],
            "exposed": self.exposed,
        }


def _share_json(share: Share) -> dict[str, Any]:
    return {"key": share.key, "people": list(share.people), "messages": share.messages}


def _change_json(change: Change, word: str) -> dict[str, Any]:
    return {"key": change.key, word: [_share_json(part) for part in change.parts]}


def person_of(envelope: Envelope, links: IdentityLinks) -> str:
    """Whose words a message holds. Without a sender they are the conversation's own: nobody
    else's can be told from them."""
    if is_operator(envelope):
        return OPERATOR
    channel, sender = token(envelope.channel), sender_id(envelope)
    if found := normalize_sender(channel, sender):
        return links.person(channel, sender) or f"{channel}:{found}"
    peer = envelope.peer
    return f"{channel}:{peer.kind}:{trim(peer.id)}" if peer else f"{channel}:unknown"


class _Words(Struct, frozen=True):
    """Messages of one author that go from one session to another."""

    author: str
    old: str
    new: str


def preview(
    old: Config,
    new: Config,
    envelopes: Iterable[Envelope] | Mapping[Envelope, int],
    called: Mapping[Envelope, str] | None = None,
) -> Preview:
    """Compare where messages go under two configs.

    Args:
        old: the config in force.
        new: the one to be tried.
        envelopes: recorded messages, or how many there are of each sort; texts are not looked at,
            so any order gives one answer.
        called: what the senders of some are called, where the messages themselves do not say.
    """
    before, after = Router(old), Router(new)
    links = IdentityLinks(new.session.identity_links)
    words: Counter[_Words] = Counter()
    names: dict[str, Counter[str]] = defaultdict(Counter)
    counted = envelopes.items() if isinstance(envelopes, Mapping) else zip(envelopes, repeat(1))
    for envelope, count in counted:
        old_key, new_key = before.route(envelope).session_key, after.route(envelope).session_key
        person = person_of(envelope, links)
        words[_Words(person, old_key, new_key)] += count
        own = envelope.sender.name if envelope.sender is not None else ""
        names[person][own or (called or {}).get(envelope, "")] += count
    into: dict[str, Counter[_Words]] = defaultdict(Counter)
    out_of: dict[str, Counter[_Words]] = defaultdict(Counter)
    for one, count in words.items():
        into[one.new][one] = count
        out_of[one.old][one] = count
    merges = [
        Change(key, parts)
        for key, found in sorted(into.items())
        if len(parts := _shares(found, by_old=True)) > 1
    ]
    splits, moves, kept = _fates(out_of, frozenset(merge.key for merge in merges))
    exposes, exposed = _exposures(words)
    return Preview(
        messages=words.total(),
        merges=tuple(merges),
        splits=splits,
        moves=moves,
        kept=kept,
        exposes=exposes,
        exposed=exposed,
        names={person: _commonest(found) for person, found in names.items()},
    )


def _commonest(names: Counter[str]) -> str:
    """The name used most, if any; of several the first, so any order gives one answer."""
    return min(names, key=lambda name: (not name, -names[name], name))


def _plain(name: str) -> str:
    """A name as it looks to a reader."""
    return " ".join(name.split()).casefold()


def _shares(found: Counter[_Words], *, by_old: bool) -> tuple[Share, ...]:
    """Words by the session they come from, or go to."""
    people: dict[str, set[str]] = defaultdict(set)
    messages: Counter[str] = Counter()
    for one, count in found.items():
        key = one.old if by_old else one.new
        people[key].add(one.author)
        messages[key] += count
    return tuple(Share(key, tuple(sorted(people[key])), messages[key]) for key in sorted(people))


def _fates(
    out_of: dict[str, Counter[_Words]], merged: frozenset[str]
) -> tuple[tuple[Change, ...], tuple[Change, ...], tuple[Share, ...]]:
    """(splits, moves, kept): what becomes of each old session that is not part of a merge only."""
    splits, moves, kept = [], [], []
    for key, found in sorted(out_of.items()):
        parts = _shares(found, by_old=False)
        if len(parts) > 1:
            splits.append(Change(key, parts))
        elif parts[0].key in merged:
            continue
        elif parts[0].key == key:
            kept.append(parts[0])
        else:
            moves.append(Change(key, parts))
    return tuple(splits), tuple(moves), tuple(kept)


@dataclass(slots=True)
class _Eyes:
    """Who reads what: for each person the sessions they had (`before`) and have (`after`)."""

    before: dict[str, set[str]]
    after: dict[str, set[str]]
    by_key: dict[str, set[tuple[str, str]]]
    authors: dict[tuple[str, str], Counter[str]]

    def news(self, reader: str) -> Iterator[tuple[str, str]]:
        """The ways (old session, new session) of words that are new to a reader: they meet where
        new messages go, or where old ones already lie."""
        ways = {way for key in self.after[reader] for way in self.by_key[key]}
        return (way for way in ways if way[0] not in self.before[reader])


def _eyes(words: Counter[_Words]) -> _Eyes:
    eyes = _Eyes(defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(Counter))
    for one, count in words.items():
        way = one.old, one.new
        eyes.before[one.author].add(one.old)
        eyes.after[one.author].add(one.new)
        eyes.by_key[one.old].add(way)
        eyes.by_key[one.new].add(way)
        eyes.authors[way][one.author] += count
    return eyes


def _exposures(words: Counter[_Words]) -> tuple[tuple[Exposure, ...], int]:
    """The first pairs of reader and author, and how many there are."""
    eyes = _eyes(words)
    listed: list[Exposure] = []
    total = 0
    for reader in sorted(eyes.after):
        if len(listed) < MAX_EXPOSES:
            found = _of_reader(eyes, reader)
            listed += found
            total += len(found)
        else:
            seen = set().union(*(eyes.authors[way].keys() for way in eyes.news(reader)))
            total += len(seen - {reader})
    return tuple(listed[:MAX_EXPOSES]), total


def _of_reader(eyes: _Eyes, reader: str) -> list[Exposure]:
    sessions: dict[str, set[str]] = defaultdict(set)
    messages: Counter[str] = Counter()
    for way in eyes.news(reader):
        for author, count in eyes.authors[way].items():
            if author != reader:
                messages[author] += count
                sessions[author] |= eyes.after[reader].intersection(way)
    return [
        Exposure(reader, author, tuple(sorted(sessions[author])), messages[author])
        for author in sorted(messages)
    ]
