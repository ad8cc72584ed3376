"""What the filter of the session list finds: words such as `is:busy agent:ops`, and loose text."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from textual.fuzzy import Matcher

from engine.engine import SessionInfo
from engine.text import safe_line
from tui.people.naming import channel_title, is_stored, session_name
from tui.tracker import Status, Tracker

__all__ = ["find"]

_STATES = {status.value.split()[0]: status for status in Status} | {"archived": Status.STORED}


def find(tracker: Tracker, query: str) -> list[SessionInfo]:
    """Sessions that fit a filter, best first; without loose text in the order of the list.

    `is:` takes busy, new, needs, idle, archived or stored; `agent:` an agent's id; `label:` the
    beginning of a label. All words must fit. A word that is none of these is loose text.
    """
    tests, text = _read(tracker, query)
    infos = [info for info in tracker.infos.values() if all(test(info) for test in tests)]
    if not text:
        return sorted(infos, key=lambda info: (is_stored(info), tracker.rank(info.ref)))
    matcher = Matcher(text)
    scored = [(_score(matcher, info), info) for info in infos]
    hits = [(score, info) for score, info in scored if score > 0]
    return [info for _, info in sorted(hits, key=itemgetter(0), reverse=True)]


Test = Callable[[SessionInfo], bool]


def _read(tracker: Tracker, query: str) -> tuple[list[Test], str]:
    tests: list[Test] = []
    loose: list[str] = []
    for word in query.split():
        test = _test(tracker, word.lower())
        if test is None:
            loose.append(word)
        else:
            tests.append(test)
    return tests, " ".join(loose)


def _test(tracker: Tracker, word: str) -> Test | None:
    field, colon, value = word.partition(":")
    if not colon or not value:
        return None
    if field == "agent":
        return lambda info: info.agent_id.lower() == value
    if field == "label":
        return lambda info: any(label.lower().startswith(value) for label in _labels(info))
    status = _STATES.get(value) if field == "is" else None
    return None if status is None else lambda info: tracker.status(info.ref) is status


def _labels(info: SessionInfo) -> tuple[str, ...]:
    return (*info.labels, info.label) if info.label else info.labels


def _score(matcher: Matcher, info: SessionInfo) -> float:
    """Names are matched loosely; keys, channels, people and last words only as they are written."""
    if by_name := matcher.match(session_name(info)):
        return 1 + by_name
    told = f"{info.key} {channel_title(info)} {info.peer_name} {safe_line(info.preview, limit=200)}"
    return float(matcher.query.lower() in told.lower())
