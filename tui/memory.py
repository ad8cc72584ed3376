"""What the app remembers between starts, in `<state>/app.json`: a convenience, never truth."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.disk import Disk, write_atomic

__all__ = ["AppMemory", "MemoryFile", "load_memory", "save_memory"]

NAME = "app.json"
MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AppMemory:
    """The session that was open last; whether the advice on models was put away; the theme
    chosen in the app (the config's wins); what was written and not sent, by session; which model
    was chosen for a session's next message only; how many messages of others the person has seen
    of a session, up to when (ms since 1970) all that happened was known, and why sessions needed
    the person; which steps of the tour are done (None: there is no tour here), and whether it is
    put away."""

    last_session: str | None = None
    hint_dismissed: bool = False
    theme: str | None = None
    drafts: dict[str, str] = field(default_factory=dict)
    next_models: dict[str, str] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    known_until: int = 0
    needs: dict[str, str] = field(default_factory=dict)
    lanes: tuple[dict[str, Any], ...] = ()
    tour: tuple[str, ...] | None = None
    tour_hidden: bool = False


def load_memory(state_dir: Path) -> AppMemory:
    """Read it; whatever is wrong with the file, the app starts with a fresh memory."""
    try:
        with (state_dir / NAME).open("rb") as file:
            data: Any = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return AppMemory()
    if not isinstance(data, dict):
        return AppMemory()
    last, theme, drafts = data.get("last_session"), data.get("theme"), data.get("drafts")
    tour = data.get("tour")
    return AppMemory(
        last_session=last if isinstance(last, str) else None,
        hint_dismissed=data.get("hint_dismissed") is True,
        theme=theme if isinstance(theme, str) else None,
        drafts=_texts(drafts) if isinstance(drafts, dict) else {},
        next_models=_texts(chosen) if isinstance(chosen := data.get("next_models"), dict) else {},
        seen=_numbers(seen) if isinstance(seen := data.get("seen"), dict) else {},
        known_until=until if type(until := data.get("known_until")) is int else 0,
        needs=_texts(needs) if isinstance(needs := data.get("needs"), dict) else {},
        lanes=tuple(one for one in lanes if isinstance(one, dict))
        if isinstance(lanes := data.get("lanes"), list)
        else (),
        tour=tuple(one for one in tour if isinstance(one, str)) if isinstance(tour, list) else None,
        tour_hidden=data.get("tour_hidden") is True,
    )


def _texts(drafts: dict[str, Any]) -> dict[str, str]:
    return {ref: text for ref, text in drafts.items() if isinstance(text, str)}


def _numbers(seen: dict[str, Any]) -> dict[str, int]:
    return {ref: many for ref, many in seen.items() if type(many) is int}


def save_memory(state_dir: Path, memory: AppMemory) -> None:
    """Write it.

    Raises:
        OSError: it could not be written; nothing of value is lost.
    """
    text = json.dumps(asdict(memory), ensure_ascii=True, indent=1)
    write_atomic(Disk(), state_dir / NAME, text.encode())


class MemoryFile:
    """The file of a running app. What is written may be overtaken, by a thread that was quicker or
    by the end of the app: then the newer one stays.

    Attributes:
        memory: what the file holds, as far as this app knows.
    """

    def __init__(self, state_dir: Path):
        self._state_dir = state_dir
        self._mutex = threading.Lock()
        self._begun = self._written = 0
        self.memory = load_memory(state_dir)

    def turn(self) -> int:
        """The place of a writing among all; to be taken where the memory is, on the loop."""
        self._begun += 1
        return self._begun

    def write(self, memory: AppMemory, turn: int) -> None:
        """Write it, in whichever thread, unless a later turn did so already.

        Raises:
            OSError: it could not be written; the next one may.
        """
        with self._mutex:
            if turn > self._written:
                save_memory(self._state_dir, memory)
                self._written, self.memory = turn, memory
