"""Short notices: which are shown just now, and all that were told since the start."""

from __future__ import annotations

from collections import deque
from typing import Literal

from msgspec import Struct

from engine.values import replace

__all__ = ["AT_ONCE", "Notice", "NoticeBoard", "Severity"]

AT_ONCE = 2
"""Notices shown at the same time; a grave one is not pushed out by a light one."""

KEPT = 200
"""Notices remembered."""

Severity = Literal["information", "warning", "error"]
_WEIGHT: dict[str, int] = {"information": 0, "warning": 1, "error": 2}


class Notice(Struct, frozen=True):
    """Something that was told, made safe by who told it.

    Attributes:
        texts: what it says, the newest first; several when one title was told again.
        at: seconds since 1970.
        until: when it goes by itself, on the clock that the board is asked with.
        details: what the list of notices adds to it, a line each.
    """

    title: str
    texts: tuple[str, ...]
    severity: Severity
    at: float
    until: float
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


class NoticeBoard:
    """Keeps what was told. It draws nothing and has no clock."""

    def __init__(self) -> None:
        self._up: list[Notice] = []
        self._told: deque[Notice] = deque(maxlen=KEPT)

    def post(self, notice: Notice) -> None:
        """Take a notice in. One with the title of another that is still up joins it."""
        self._told.append(notice)
        same = next((one for one in self._up if _meet(one, notice)), None)
        if same is not None:
            self._up.remove(same)
            notice = _joined(same, notice)
        self._up.append(notice)

    def shown(self, now: float) -> tuple[Notice, ...]:
        """What is to be seen now, the latest last. What had no room is over, but not forgotten."""
        up = [one for one in self._up if one.until > now]
        ranked = sorted(enumerate(up), key=lambda pair: (_WEIGHT[pair[1].severity], pair[0]))
        self._up = [one for _, one in sorted(ranked[-AT_ONCE:], key=lambda pair: pair[0])]
        return tuple(self._up)

    def put_away(self, notice: Notice) -> None:
        """The person has read it."""
        self._up = [one for one in self._up if one is not notice]

    def clear(self) -> None:
        """Show nothing more of what is up."""
        self._up = []

    def told(self) -> tuple[Notice, ...]:
        """All that were told, the latest first."""
        return tuple(reversed(self._told))


def _meet(one: Notice, other: Notice) -> bool:
    """Whether two of one title are one notice; without a title, only the same words are."""
    return one.title == other.title and (bool(one.title) or one.texts == other.texts)


def _joined(old: Notice, new: Notice) -> Notice:
    graver = max(old.severity, new.severity, key=_WEIGHT.__getitem__)
    return replace(new, texts=tuple(dict.fromkeys(new.texts + old.texts)), severity=graver)
