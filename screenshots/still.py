"""A world in which time stands still and ids are the same at every run, for pictures only."""

from __future__ import annotations

import random
import secrets
import time
import uuid
from datetime import UTC, datetime

from engine.clock import SystemClock
from tui.widgets.chat.conversation import Conversation

__all__ = ["NOON", "StillClock", "forget_the_time", "seed_ids"]

NOON = 1_795_435_200_000
"""2026-11-23 12:00 UTC, in milliseconds."""


class StillClock(SystemClock):
    """It is noon. Pauses take as long as ever."""

    def now(self) -> int:
        return NOON


def seed_ids() -> None:
    """Begin the rows of ids anew, for this process only: one for entries, one for all else."""
    entries, others = random.Random(7), random.Random(11)
    secrets.token_hex = lambda count=4: entries.randbytes(count or 4).hex()
    uuid.uuid4 = lambda: uuid.UUID(int=others.getrandbits(128), version=4)


def forget_the_time() -> None:
    """The app's own looks at a watch, which pass by the engine's clock."""
    still, written = time.gmtime(NOON / 1000), time.strftime
    time.time = lambda: NOON / 1000
    time.time_ns = lambda: NOON * 1_000_000
    time.strftime = lambda form, when=still: written(form, when)
    hours = Conversation.__init__.__kwdefaults__
    hours["now"] = lambda: datetime.fromtimestamp(NOON / 1000, UTC)
