"""What a state dir can carry that nobody expects: each is told with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BranchlineError, Problem

if TYPE_CHECKING:
    from engine.sessions.records import SessionRecord

__all__ = ["surprises"]

APP_FILE = 8 * 1024 * 1024
"""The most that the app reads of what it remembers, in bytes."""


def surprises(
    state_dir: Path, config_path: Path, records: Iterable[SessionRecord], now: int
) -> Iterator[Problem]:
    """Look at files and clock. Changes nothing.

    Args:
        records: the sessions that are listed.
        now: ms since 1970.
    """
    yield from _clock(state_dir, records, now)
    yield from _pairings(state_dir)
    yield from _app(state_dir)
    yield from _configs(state_dir, config_path)
    yield from _leftovers(state_dir)


def _clock(state_dir: Path, records: Iterable[SessionRecord], now: int) -> Iterator[Problem]:
    from engine.disk import Disk
    from engine.lifecycle.guard import clock_problem

    newest = max((record.last_active for record in records), default=0)
    if (found := clock_problem(Disk(), state_dir, now, newest)) is not None:
        yield found


def _pairings(state_dir: Path) -> Iterator[Problem]:
    from engine.agents.pairing_book import PairingBook
    from engine.clock import SystemClock
    from engine.disk import Disk

    try:
        PairingBook(Disk(), state_dir, SystemClock()).read()
    except BranchlineError as error:
        yield Problem(error.message, file=str(state_dir / "pairings.json"), hint=error.remedy)


def _app(state_dir: Path) -> Iterator[Problem]:
    import json

    path = state_dir / "app.json"
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(APP_FILE))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        yield Problem(
            "what the app remembers cannot be read: drafts and theme begin anew",
            "warning",
            file=str(path),
            hint="it is written again when the app is left; keep a copy if drafts were in it",
        )


def _configs(state_dir: Path, config_path: Path) -> Iterator[Problem]:
    for name in ("branchline.json5", "openclaw.json"):
        other = state_dir / name
        if other.is_file() and config_path.exists() and not other.samefile(config_path):
            yield Problem(
                f"this config is not in force; {config_path.name} is",
                "warning",
                file=str(other),
                hint="move it away, or name it with --config",
            )


def _leftovers(state_dir: Path) -> Iterator[Problem]:
    """Torn ends that were kept aside, and links, which are never followed."""
    folders = sorted(state_dir.glob("agents/*/sessions"))
    torn = [path for folder in folders for path in sorted(folder.glob("*.torn.*"))]
    if torn:
        noun = "torn end was" if len(torn) == 1 else "torn ends were"
        yield Problem(
            f"{len(torn):,} {noun} cut off and kept aside",
            "warning",
            file=str(torn[0]),
            hint="look into it, then delete it; nothing reads it",
        )
    for path in [*sorted(state_dir.glob("agents/*")), *folders]:
        if path.is_symlink():
            yield Problem("a link stands here and is not followed", "warning", file=str(path))
