"""The terminal's title: set while the app has the terminal, given back however it is left."""

from __future__ import annotations

from functools import cache
from typing import Any

from textual.driver import Driver

from engine.text import safe_line

__all__ = ["TITLE_LIMIT", "Titled", "titled"]

TITLE_LIMIT = 120
"""Most characters of a title."""

_KEEP, _BRING_BACK = "\x1b[22;2t", "\x1b[23;2t"
"""Terminals that keep titles on a stack put the one before back; others show none."""


def _setting(title: str) -> str:
    shown = "".join(char for char in safe_line(title, limit=TITLE_LIMIT) if char.isprintable())
    return f"\x1b]2;{shown}\x07"


class Titled(Driver):
    """A driver that has a title. Its terminal is left by `stop_application_mode` after a crash,
    for an editor, and at the end alike."""

    _title = ""
    _running = False

    def set_title(self, title: str) -> None:
        """Show a title; control characters never reach the terminal."""
        if title == self._title:
            return
        first, self._title = not self._title, title
        if self._running:
            self.write((_KEEP if first else "") + _setting(title))
            self.flush()

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[safe-super]
        self._running = True
        if self._title:
            self.write(_KEEP + _setting(self._title))

    def stop_application_mode(self) -> None:
        if self._running and self._title:
            self.write(_setting("") + _BRING_BACK)
            self.flush()
        self._running = False
        super().stop_application_mode()  # type: ignore[safe-super]


@cache
def titled(driver: type[Driver]) -> type[Driver]:
    """A driver's class, with a title."""
    made: Any = type(f"Titled{driver.__name__}", (Titled, driver), {})
    return made  # type: ignore[no-any-return]
