"""Who waits for the person: told by the terminal's title, and once by its bell.

Something waits when a session needs the person (a turn failed, or another process holds it), when
a stranger asks to be let in, and when a leak was stopped and not looked at. The bell also rings
when the reply in the open session is there and the terminal is not looked at.
"""

from __future__ import annotations

import time

from engine.events import TurnEnded
from engine.text import safe_line
from tui.bridge import Batch
from tui.home import Home
from tui.look.terminal import Titled
from tui.people.naming import chat_name, title_of
from tui.tracker import Tracker

__all__ = ["Attention", "title_for", "waiting_for"]

APP = "Branchline"

QUIET = 1.0
"""Seconds after the bell in which it does not ring again: what comes together is told once."""


def waiting_for(tracker: Tracker, asking: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """What waits, each with its reason, so that a new reason is something new.

    Args:
        asking: codes of those who ask to be let in.
    """
    needs = {("session", key, why) for key, why in tracker.needs.items()}
    leaks = {("leak", *leak) for leak in tracker.leaks}
    return frozenset(needs | leaks | {("pairing", code) for code in asking})


def title_for(tracker: Tracker, waits: int) -> str:
    """`2 need you · Alice · Telegram DM · Branchline`."""
    ref = tracker.open_key or ""
    info = tracker.infos.get(ref)
    name = title_of(info) if info is not None else safe_line(chat_name(ref)) if ref else ""
    told = f"{waits} {'needs' if waits == 1 else 'need'} you" if waits else ""
    return " · ".join(part for part in (told, name, APP) if part)


class Attention:
    """Looks at each batch of news, and tells what is new.

    Args:
        app: whose terminal it is.
    """

    def __init__(self, app: Home):
        self._app = app
        self._rung = -QUIET
        self._known: frozenset[tuple[str, ...]] | None = None

    def look(self, batch: Batch) -> None:
        """Bring the title up to date; ring once, however much is new."""
        app = self._app
        tracker, ui = app.bridge.tracker, app.engine.config.ui
        waits = waiting_for(tracker, tuple(one.code for one in app.pairings.waiting))
        before, self._known = self._known, waits
        fresh = before is not None and bool(waits - before)
        if ui.bell and (fresh or self._answered(batch)):
            self._ring()
        if ui.title and isinstance(app._driver, Titled):
            app._driver.set_title(title_for(tracker, len(waits)))

    def _ring(self) -> None:
        now = time.monotonic()
        if now - self._rung > QUIET:
            self._rung = now
            self._app.bell()

    def _answered(self, batch: Batch) -> bool:
        """Whether the reply is there that the person left the terminal to wait for."""
        return not self._app.app_focus and any(
            isinstance(event, TurnEnded) and event.session_key == self._app.bridge.tracker.open_key
            for event in batch
        )
