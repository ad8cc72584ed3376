"""Pairings on disk: `<state>/pairings.json`, read whenever it matters, changed under its lock, so
that an approval given in another process counts at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.clock import Clock
from engine.disk import Disk, ensure_dir, explain, read_file, write_atomic
from engine.errors import StoreError
from engine.routing.pairing import Pairings, read_pairings
from engine.sessions.lock import take_waiting

__all__ = ["PairingBook"]

T = TypeVar("T")

LIMIT = 8 << 20


class PairingBook:
    """Who asked to be let in and who was, for one state dir."""

    def __init__(self, disk: Disk, state_dir: Path, clock: Clock):
        self._disk = disk
        self._clock = clock
        self.path = state_dir / "pairings.json"

    def read(self) -> Pairings:
        """The pairings as they are; none when there is no file.

        Raises:
            StoreError: the file is there and cannot be read. Nobody is let in by a file that
                cannot be read, and it is not overwritten.
        """
        try:
            data = read_file(self._disk, self.path, limit=LIMIT)
        except FileNotFoundError:
            return Pairings()
        except OSError as error:
            raise explain(error, "could not read the pairings") from error
        try:
            pairings, problems = read_pairings(msgspec.json.decode(data))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise self._damaged("it is no JSON") from error
        if problems:
            raise self._damaged(problems[0].message)
        return pairings

    def change(self, change: Callable[[Pairings], tuple[Pairings, T]]) -> T:
        """Change the pairings: `change` gets them as they are and returns them anew, with
        whatever the caller wants to know.

        Raises:
            SessionBusy: another program is stuck while writing.
            StoreError: they cannot be read or written; the old file stands.
        """
        try:
            ensure_dir(self._disk, self.path.parent)
        except OSError as error:
            raise explain(error, "could not write the pairings") from error
        held = take_waiting(self._disk, self.path, self._clock)
        try:
            before = self.read()
            after, result = change(before)
            if after != before:
                text = json.dumps(after.to_json(), indent=2, ensure_ascii=False)
                write_atomic(self._disk, self.path, text.encode("utf-8", "replace"))
            return result
        except OSError as error:
            raise explain(error, "could not write the pairings") from error
        finally:
            held.release()

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"the pairings cannot be used: {why}",
            place=str(self.path),
            remedy="Mend the file, or move it away: then everybody has to be approved again",
        )
