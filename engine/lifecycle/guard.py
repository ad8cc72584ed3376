"""The guard against a clock that jumped: it never ends everything at once without asking.

A heartbeat is kept while sessions are looked after. When the clock is suddenly more than a day
past the last beat, it may be right (the machine was off) or wrong (a bad battery, a typing error);
that cannot be told. So where more than a few sessions would end only because of the jump, nothing
ends until a person says the clock is right, or it goes back. After a weekend or so, what one more
day would have ended anyway is not counted: a session that is reset every night is used to that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.clock import Clock
from engine.disk import Disk, read_file, write_atomic
from engine.errors import Problem
from engine.lifecycle.expiry import DAY

__all__ = ["AT_ONCE", "ClockGuard", "clock_problem"]

AT_ONCE = 3
"""Most sessions that end because of a jump without anybody being asked."""

LONG = 7 * DAY
"""The longest gap after which what one day ends needs no asking, in ms."""

NAME = "heartbeat.json"

WRITTEN = 600_000
"""How far the heartbeat on disk may lag behind, in ms."""

Ending = Callable[[int], int]
"""How many sessions would end at a moment (ms since 1970)."""


class _Beat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the file keeps: the last beat, and how many sessions a hold is about (0: none is)."""

    at: int
    held: int = 0


class ClockGuard:
    """Judges the clock of one state dir. Reads and writes a file: off the loop.

    Args:
        disk: the door to files.
        clock: the door to time.
        state_dir: where the heartbeat is kept, as `heartbeat.json`.
        newest: when the latest thing happened that is known of, for a first start.

    Attributes:
        held: what a person must decide first; None while nothing is held up.
    """

    def __init__(self, disk: Disk, clock: Clock, state_dir: Path, newest: Callable[[], int]):
        self._disk = disk
        self._clock = clock
        self._path = state_dir / NAME
        self._newest = newest
        self._last: int | None = None
        self._stored = 0
        self._holding = 0
        self.held: Problem | None = None

    def passes(self, ending: Ending) -> bool:
        """Whether sessions may end now, as far as the clock goes; `held` says why not.

        Args:
            ending: asked only after a jump.
        """
        now, last = self._clock.now(), self._seen()
        if now - last <= DAY:
            self._beat(now)
            return True
        if self.held is not None:
            return False
        anyway = DAY if now - last <= LONG else 0
        count = self._holding or ending(now) - ending(last + anyway)
        if count <= AT_ONCE and not self._holding:
            self._beat(now)
            return True
        self._write(_Beat(last, count))
        self.held = _question(count, last, now)
        return False

    def confirm(self) -> None:
        """A person says that the clock is right."""
        self._beat(self._clock.now(), write=True)

    def _seen(self) -> int:
        if self._last is None:
            self._sweep()
            beat = self._read() or _Beat(self._newest() or self._clock.now())
            self._last = self._stored = beat.at
            self._holding = beat.held
        return self._last

    def _sweep(self) -> None:
        """Remove what a killed program left half-written."""
        for path in self._path.parent.glob(f".{self._path.name}.*.tmp"):
            with contextlib.suppress(OSError):
                self._disk.unlink(path)

    def _read(self) -> _Beat | None:
        return _beat_of(self._disk, self._path)

    def _beat(self, now: int, *, write: bool = False) -> None:
        write = write or self._holding > 0 or abs(now - self._stored) > WRITTEN
        self._last, self._holding, self.held = now, 0, None
        if write or not self._path.exists():
            self._write(_Beat(now))

    def _write(self, beat: _Beat) -> None:
        # Without it the next start goes by the newest message.
        with contextlib.suppress(OSError):
            write_atomic(self._disk, self._path, msgspec.json.encode(beat), sync=False)
            self._stored, self._holding = beat.at, beat.held


def _beat_of(disk: Disk, path: Path) -> _Beat | None:
    try:
        return msgspec.json.decode(read_file(disk, path, limit=4096), type=_Beat)
    except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def clock_problem(disk: Disk, state_dir: Path, now: int, newest: int) -> Problem | None:
    """What is odd about the clock of a state dir, looked at without changing anything.

    Args:
        now: by the machine's clock, in ms since 1970.
        newest: when the latest message was stored, as it says itself; 0 for none.
    """
    beat = _beat_of(disk, state_dir / NAME)
    if beat is not None and beat.held:
        return _question(beat.held, beat.at, now)
    ahead = max(newest, beat.at if beat is not None else 0)
    if ahead - now <= DAY:
        return None
    days = (ahead - now) // DAY
    return Problem(
        f"the clock says {_date(now)}, but something here is from {_date(ahead)}, {days:,} days on",
        severity="warning",
        hint="a clock that was wrong, or a simulated one; nothing ends by time before that day",
    )


def _question(count: int, last: int, now: int) -> Problem:
    days = (now - last) // DAY
    return Problem(
        f"the clock says {_date(now)}, {days:,} days after the last sign of life: "
        f"{count:,} sessions would end at once, so none does",
        severity="warning",
        hint="if the clock is right, say so with `branchline sessions prune --clock-is-right`; "
        "else set it right",
    )


def _date(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return "a date beyond all calendars"
