"""What is said when the config changes while the app runs: what changed, and what that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.config.schema import DmScope
from engine.errors import Problem
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved, Event, Noticed
from engine.routing.preview import Preview
from engine.text import safe_line

__all__ = ["ConfigNews", "InForce", "News", "changed_words", "moved_details", "moved_words"]

SHOWN = 3
"""Paths and people named; the rest is counted."""

LISTED = 40
"""Lines of details of one sort."""

SCOPE = "session.dmScope"
UNDO = "^P, then Undo config change"


@dataclass(frozen=True, slots=True)
class InForce:
    """What notices say of the config in force. `unsaved`: the file says something else;
    `undoable`: the change can be taken back."""

    scope: DmScope
    unsaved: bool = False
    undoable: bool = True
    arrow: str = "→"


@dataclass(frozen=True, slots=True)
class News:
    """One notice; `details` are for the list of notices, a line each."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"
    details: tuple[str, ...] = ()


def changed_words(revision: int, changes: Sequence[str]) -> str:
    """What is in force now: `Revision 3 is in force: dmScope main → per-peer, ui.theme`."""
    paths = [safe_line(path, limit=80) for path in changes]
    if not paths:
        return f"The file was read again: revision {revision} is what it says"
    return f"Revision {revision} is in force: {_some(paths)}"


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def moved_words(found: Preview, *, partial: bool = False) -> str:
    """What a change did to the conversations there are, the gravest first; "" for nothing."""
    told = []
    if found.exposed:
        pairs = [
            f"{safe_line(found.called(one.reader), limit=40)} can now see words of "
            f"{safe_line(found.called(one.author), limit=40)}"
            for one in found.exposes[:1]
        ]
        more = found.exposed - len(pairs)
        told += [*pairs, *([f"and {more} more"] if more else [])]
    counted = (
        (len(found.merges), "merge", "merges"),
        (len(found.splits), "split", "splits"),
        (len(found.moves), "session goes on elsewhere", "sessions go on elsewhere"),
    )
    told += [f"{count:,} {one if count == 1 else many}" for count, one, many in counted if count]
    if told and partial:
        told.append("not all recorded messages were looked at")
    return "; ".join(told)


def moved_details(found: Preview) -> Iterator[str]:
    """All that a change did to the conversations there are, a line each."""

    def called(person: str) -> str:
        return safe_line(found.called(person), limit=60)

    for one in found.exposes[:LISTED]:
        noun = "message" if one.messages == 1 else "messages"
        yield f"{called(one.reader)} can see {one.messages:,} {noun} of {called(one.author)}"
    if found.exposed > LISTED:
        yield f"and {found.exposed - LISTED:,} more who see words of others"
    sorts = (("merges into", found.merges), ("splits", found.splits), ("goes on", found.moves))
    for verb, changes in sorts:
        for change in changes[:LISTED]:
            people = list(dict.fromkeys(one for part in change.parts for one in part.people))
            yield f"{verb} {safe_line(change.key, limit=120)}: {_some([*map(called, people)])}"
        if len(changes) > LISTED:
            yield f"and {len(changes) - LISTED:,} more"


class ConfigNews:
    """Tells of config edits, however fast they come: the first at once, what follows gathered.

    An edit of a moment's length would else leave a notice for each keystroke of an editor that
    saves by itself, and hide the screen behind them. What an edit moved is told with it: it is
    waited for, though not for long.

    Args:
        say: shows a notice.
        soon: calls a function after some seconds.
        in_force: what holds now.
    """

    PAUSE = 2.0
    """Seconds between two tellings."""

    PATIENCE = 1.5
    """Seconds that what an edit moved is waited for."""

    def __init__(
        self,
        say: Callable[[News], None],
        soon: Callable[[float, Callable[[], None]], object],
        in_force: Callable[[], InForce],
    ):
        self._say = say
        self._soon = soon
        self._in_force = in_force
        self._scope = in_force().scope
        self._resting = self._waiting = False
        self._changed: dict[str, None] = {}
        self._revision: int | None = None
        self._compared = False
        self._broken: ConfigBroken | None = None
        self._moved: ConfigMoved | None = None
        self._quiet: frozenset[Problem] = frozenset()

    def hear(self, batch: Iterable[Event]) -> None:
        """Take news in."""
        for event in batch:
            self._take(event)
        if not self._resting:
            self._tell_or_wait()

    def silences(self, event: Noticed) -> bool:
        """Whether a notice only repeats what is said here, and what the banner shows."""
        return event.problem in self._quiet

    def _take(self, event: Event) -> None:
        match event:
            case ConfigChanged():
                self._revision, self._broken = event.revision, None
                self._compared |= event.compared
                self._changed |= dict.fromkeys(event.changes)
            case ConfigBroken():
                self._broken = event
                self._quiet = frozenset(event.problems)
            case ConfigMoved():
                self._moved, self._compared = event, False

    def _tell_or_wait(self) -> None:
        if not self._compared or self._broken is not None:
            self._tell()
        elif not self._waiting:
            self._waiting = True
            self._soon(self.PATIENCE, self._wait_no_more)

    def _wait_no_more(self) -> None:
        self._waiting = False
        if self._compared and not self._resting:
            self._tell()

    def _rested(self) -> None:
        self._resting = False
        self._tell_or_wait()

    def _tell(self) -> None:
        """Say what is known, if anything; then rest."""
        told = list(self._news())
        self._changed, self._revision, self._broken, self._moved = {}, None, None, None
        self._compared, self._scope = False, self._in_force().scope
        for news in told:
            self._say(news)
        if told:
            self._resting = True
            self._soon(self.PAUSE, self._rested)

    def _news(self) -> Iterable[News]:
        if self._revision is not None:
            yield self._of_change(self._revision, self._moved)
        elif self._moved is not None and (told := _told(self._moved)):
            title = f"What revision {self._moved.revision} moved"
            details = tuple(moved_details(self._moved.moved))
            yield News(title, told, _weight(self._moved), details)
        if self._broken is not None:
            revision = self._broken.revision
            first = safe_line(str(self._broken.problems[0]), limit=400)
            yield News("Config broken", f"{first}. Revision {revision} stays in force", "error")

    def _of_change(self, revision: int, moved: ConfigMoved | None) -> News:
        """All of a change in one notice: who sees whose words, what is in force, the way back."""
        now, changes, undo = self._in_force(), list(self._changed), []
        if SCOPE in changes and now.scope != self._scope:
            changes.remove(SCOPE)
            changes.insert(0, f"dmScope {self._scope} {now.arrow} {now.scope}")
            undo = [UNDO] if now.undoable else []
        said = changed_words(revision, changes) + (", in memory only" if now.unsaved else "")
        told = _told(moved) if moved is not None else ""
        if moved is None:
            return News("Config", ". ".join([said, *undo]), details=_beyond(changes))
        grave = [told, said] if moved.moved.exposed else [said, told or "No conversation moves"]
        details = (*_beyond(changes), *moved_details(moved.moved))
        return News("Config", ". ".join([*grave, *undo]), _weight(moved), details)


def _beyond(changes: Sequence[str]) -> tuple[str, ...]:
    """The changes that a notice only counts."""
    return tuple(safe_line(path, limit=120) for path in changes[SHOWN:])


def _told(moved: ConfigMoved) -> str:
    return moved_words(moved.moved, partial=moved.partial)


def _weight(moved: ConfigMoved) -> Literal["information", "warning"]:
    return "warning" if moved.moved.exposed else "information"
