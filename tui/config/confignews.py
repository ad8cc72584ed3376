"""What is said when the config changes while the app runs: what changed, and what that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from engine.errors import Problem
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved, Event, Noticed
from engine.routing.preview import Preview
from engine.text import safe_line

__all__ = ["ConfigNews", "News", "changed_words", "moved_words"]

SHOWN = 3
"""Paths and people named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class News:
    """One notice."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"


def changed_words(revision: int, changes: Iterable[str]) -> str:
    """What is in force now: `Revision 3 is in force: session.dmScope, ui.theme`."""
    paths = [safe_line(path, limit=60) for path in changes]
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


class ConfigNews:
    """Tells of config edits, however fast they come: the first at once, what follows gathered.

    An edit of a moment's length would else leave a notice for each keystroke of an editor that
    saves by itself, and hide the screen behind them.

    Args:
        say: shows a notice.
        soon: calls a function after PAUSE seconds.
    """

    PAUSE = 2.0

    def __init__(
        self, say: Callable[[News], None], soon: Callable[[float, Callable[[], None]], object]
    ):
        self._say = say
        self._soon = soon
        self._resting = False
        self._changed: dict[str, None] = {}
        self._revision: int | None = None
        self._broken: ConfigBroken | None = None
        self._moved: ConfigMoved | None = None
        self._quiet: frozenset[Problem] = frozenset()

    def hear(self, batch: Iterable[Event]) -> None:
        """Take news in."""
        for event in batch:
            self._take(event)
        if not self._resting:
            self._tell()

    def silences(self, event: Noticed) -> bool:
        """Whether a notice only repeats what is said here, and what the banner shows."""
        return event.problem in self._quiet

    def _take(self, event: Event) -> None:
        match event:
            case ConfigChanged():
                self._revision, self._broken = event.revision, None
                self._changed |= dict.fromkeys(event.changes)
            case ConfigBroken():
                self._broken = event
                self._quiet = frozenset(event.problems)
            case ConfigMoved():
                self._moved = event

    def _tell(self) -> None:
        """Say what is known, if anything; then rest."""
        self._resting = False
        told = list(self._news())
        self._changed, self._revision, self._broken, self._moved = {}, None, None, None
        for news in told:
            self._say(news)
        if told:
            self._resting = True
            self._soon(self.PAUSE, self._tell)

    def _news(self) -> Iterable[News]:
        if self._revision is not None:
            yield News("Config", changed_words(self._revision, self._changed))
        if self._broken is not None:
            revision = self._broken.revision
            first = safe_line(str(self._broken.problems[0]), limit=400)
            yield News("Config broken", f"{first}. Revision {revision} stays in force", "error")
        if self._moved is not None:
            found = self._moved.moved
            if told := moved_words(found, partial=self._moved.partial):
                title = f"What revision {self._moved.revision} moved"
                yield News(title, told, "warning" if found.exposed else "information")
