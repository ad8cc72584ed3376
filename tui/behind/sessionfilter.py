"""What the filter of the session list finds: words such as `is:busy agent:ops`, and loose text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter

from engine.engine import SessionInfo
from engine.routing.identity import IdentityLinks
from engine.routing.keys import peer_of
from engine.text import safe_line
from tui.behind.fuzzy import find_letters, strength
from tui.people.naming import channel_title, is_stored, session_name
from tui.tracker import Status, Tracker

__all__ = ["Query", "find", "read_query"]

_STATES = {
    "busy": Status.BUSY,
    "new": Status.NEW,
    "unread": Status.NEW,
    "needs": Status.NEEDS,
    "idle": Status.IDLE,
}

Test = Callable[[Tracker, SessionInfo], bool]


def _is_archived(tracker: Tracker, info: SessionInfo) -> bool:
    return info.kind == "archived"


def _is_trash(tracker: Tracker, info: SessionInfo) -> bool:
    return info.kind == "deleted"


def _is_earlier(tracker: Tracker, info: SessionInfo) -> bool:
    return is_stored(info) and info.kind not in ("archived", "deleted")


def _is_stored(tracker: Tracker, info: SessionInfo) -> bool:
    return is_stored(info)


_KEPT: dict[str, Test] = {
    "archived": _is_archived,
    "earlier": _is_earlier,
    "trash": _is_trash,
    "stored": _is_stored,
}


@dataclass(frozen=True, slots=True)
class Query:
    """A filter, read.

    Attributes:
        tests: of its words with a meaning; all must hold.
        words: loose text; each must be found.
        kept: whether it asks for what is over: archived, reset, in the trash.
    """

    tests: tuple[Test, ...] = ()
    words: tuple[str, ...] = ()
    kept: bool = False

    def letters(self, text: str) -> set[int]:
        """Places in a name that a row shows as found."""
        return {place for word in self.words for place in find_letters(word, text)}

    def written(self, text: str) -> set[int]:
        """Places in any other text, where words are only found as they are written."""
        low = text.lower()
        if len(low) != len(text):
            return set()
        starts = ((low.find(word.lower()), len(word)) for word in self.words)
        return {at for start, size in starts if start >= 0 for at in range(start, start + size)}


def read_query(query: str) -> Query:
    """What was typed.

    `is:` takes busy, new, needs, idle, and of what is over archived, earlier, trash, stored;
    `agent:` an agent's id; `label:` the beginning of a label. A word that is none of these is
    loose text.
    """
    tests: list[Test] = []
    loose: list[str] = []
    kept = False
    for word in query.split():
        test = _test(word.lower())
        if test is None:
            loose.append(word)
        else:
            tests.append(test)
            kept = kept or test in _KEPT.values()
    return Query(tuple(tests), tuple(loose), kept)


def find(tracker: Tracker, query: Query, links: IdentityLinks | None = None) -> list[SessionInfo]:
    """Sessions that fit a filter, best first; without loose text in the order of the list. What
    lies in the trash only where it is asked for.

    Args:
        links: who the people behind several ids are, to be found by their name.
    """
    tests = query.tests
    infos = [
        info
        for info in tracker.infos.values()
        if (query.kept or info.kind != "deleted") and all(test(tracker, info) for test in tests)
    ]
    if not query.words:
        return sorted(infos, key=lambda info: (is_stored(info), tracker.rank(info.ref)))
    scored = [(_score(query.words, info, links or IdentityLinks()), info) for info in infos]
    hits = [(score, info) for score, info in scored if score > 0]
    return [info for _, info in sorted(hits, key=itemgetter(0), reverse=True)]


def _test(word: str) -> Test | None:
    field, colon, value = word.partition(":")
    if not colon or not value:
        return None
    if field == "agent":
        return partial(_of_agent, value)
    if field == "label":
        return partial(_labelled, value)
    if field != "is":
        return None
    status = _STATES.get(value)
    return _KEPT.get(value) if status is None else partial(_stands, status)


def _of_agent(value: str, tracker: Tracker, info: SessionInfo) -> bool:
    return info.agent_id.lower() == value


def _labelled(value: str, tracker: Tracker, info: SessionInfo) -> bool:
    return any(label.lower().startswith(value) for label in (*info.labels, info.label or ""))


def _stands(status: Status, tracker: Tracker, info: SessionInfo) -> bool:
    return tracker.status(info.ref) is status


def _score(words: tuple[str, ...], info: SessionInfo, links: IdentityLinks) -> float:
    """Names are matched loosely; keys, channels, people, labels and last words only as they are
    written. Every word must be found in one of them."""
    name, told = session_name(info), ""
    total = 0.0
    for word in words:
        by_name = strength(find_letters(word, name), name)
        if not by_name and not told:
            told = _told(info, _person(info.key, info.channel, links))
        if not by_name and word.lower() not in told:
            return 0.0
        total += 1 + by_name
    return total


def _told(info: SessionInfo, person: str) -> str:
    """What can be found of a session besides its name."""
    labels = " ".join(info.labels[1:])
    told = f"{info.key} {channel_title(info)} {info.peer_name} {person} {labels}"
    return f"{told} {safe_line(info.preview, limit=200)}".lower()


def _person(key: str, channel: str, links: IdentityLinks) -> str:
    """The name by which identity links know whoever a direct conversation is with."""
    if not links:
        return ""
    peer = _peer(key)
    return (peer and links.person(peer[0] or channel, peer[1])) or ""


@lru_cache(4096)
def _peer(key: str) -> tuple[str, str] | None:
    found = peer_of(key)
    return (found.channel, found.id) if found is not None else None
