"""Which messages of a session are in memory, and which of those have a widget.

Plain arithmetic without a screen: `items` from oldest to newest, of which `start:stop` is mounted,
at most MOUNTED of them. What is older than the first is in the transcript, and `before` asks
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tui.widgets.chat.shown import Shown

__all__ = ["KEPT", "MOUNTED", "PAGE", "Backlog"]

MOUNTED = 40
"""Most messages with a widget (the price of a chat is its widgets, not its text)."""

PAGE = 20
"""Messages mounted, or asked for, at a time."""

KEPT = 400
"""Messages kept in memory while the end is in view; older ones can be asked for again."""


@dataclass(slots=True)
class Backlog:
    """The messages of one session as far as they are loaded."""

    items: list[Shown] = field(default_factory=list)
    start: int = 0
    stop: int = 0
    before: str | None = None

    @property
    def mounted(self) -> list[Shown]:
        """What should have a widget, oldest first."""
        return self.items[self.start : self.stop]

    @property
    def at_end(self) -> bool:
        """Whether the newest message is mounted."""
        return self.stop == len(self.items)

    @property
    def has_older(self) -> bool:
        """Whether there is more above what is mounted, in memory or in the transcript."""
        return self.start > 0 or self.before is not None

    def holds(self, key: str) -> bool:
        """Whether a message is among the newest KEPT."""
        return any(item.key == key for item in self.items[-KEPT:])

    def replace(self, key: str, change: Callable[[Shown], Shown]) -> None:
        """Change what a message that is held says."""
        for index, item in enumerate(self.items):
            if item.key == key:
                self.items[index] = change(item)

    def load(self, items: Iterable[Shown], before: str | None) -> None:
        """Begin with a page from the transcript; what was added meanwhile comes after it."""
        page = list(items)
        keys = {item.key for item in page}
        self.items = [*page, *(item for item in self.items if item.key not in keys)]
        self.before = before
        self.to_end()

    def add(self, item: Shown, *, follow: bool) -> None:
        """A new message. Unless the end is followed, what is mounted only grows, up to MOUNTED."""
        at_end = self.at_end
        self.items.append(item)
        if follow:
            self.stop = len(self.items)
            self.start = max(self.start, self.stop - MOUNTED)
            self._forget()
        elif at_end and self.stop - self.start < MOUNTED:
            self.stop += 1

    def prepend(self, items: Iterable[Shown], before: str | None) -> int:
        """Older messages from the transcript; how many were new."""
        known = {item.key for item in self.items}
        fresh = [item for item in items if item.key not in known]
        self.items[:0] = fresh
        self.start += len(fresh)
        self.stop += len(fresh)
        self.before = before
        return len(fresh)

    def slide(self, by: int) -> bool:
        """Mount up to `by` more below (above when negative), dropping at the other end what is
        too many. False when nothing moved."""
        old = (self.start, self.stop)
        if by < 0:
            self.start = max(0, self.start + by)
            self.stop = min(self.stop, self.start + MOUNTED)
        else:
            self.stop = min(len(self.items), self.stop + by)
            self.start = max(self.start, self.stop - MOUNTED)
        return old != (self.start, self.stop)

    def to_end(self) -> None:
        """Mount the newest PAGE messages, or leave more when the end is mounted already."""
        near = self.at_end and self.stop - self.start >= PAGE
        self.stop = len(self.items)
        self.start = max(0, self.start if near else self.stop - PAGE, self.stop - MOUNTED)

    def to_start(self) -> None:
        """Mount the oldest messages in memory."""
        self.start, self.stop = 0, min(len(self.items), MOUNTED)

    def _forget(self) -> None:
        """Let go of what is far above the end. `before` asks for it again, so the first item
        kept must be an entry."""
        extra = min(len(self.items) - KEPT, self.start)
        if extra < PAGE:
            return
        while extra < self.start and self.items[extra].entry is None:
            extra += 1
        if self.items[extra].entry is None:
            return
        del self.items[:extra]
        self.start -= extra
        self.stop -= extra
        self.before = self.items[0].key
