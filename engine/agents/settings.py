"""The config in force: what is made of it, how another takes its place, how that is undone.

A turn keeps the Setup that it started with (SPEC §12); sessions belong to the state dir, so all of
them stay reachable by their keys whatever config is in force.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.config.first_run import write_first_config
from engine.config.load import Snapshot, load_config, load_text
from engine.config.paths import is_foreign
from engine.config.schema import Config, DmScope
from engine.disk import Disk, ensure_dir, explain
from engine.errors import Problem
from engine.models.door import Check, ModelDoor
from engine.models.registry import ModelRegistry
from engine.rights.permissions import PermissionTable
from engine.routing.mentions import Mentions
from engine.routing.router import Router
from engine.turns.order import Setup
from engine.values import replace

__all__ = ["KEPT", "Earlier", "Settings", "first_snapshot"]

KEPT = 20
"""Configs that can be gone back to (SPEC §12)."""

Checks = Callable[[Config], tuple[Check, ...]]
"""What every request must pass under a config."""


class Earlier(Struct, frozen=True):
    """A config that was in force before another took its place.

    `file` is the text that the file had then, when it was the file that changed; None when the
    other one was put in force in memory only.
    """

    snapshot: Snapshot
    file: str | None = None


def first_snapshot(
    disk: Disk, state_dir: Path, path: Path, environ: Mapping[str, str]
) -> tuple[bool, Snapshot]:
    """Make the state dir and read its config; (whether a first config was written, the config).

    Raises:
        ConfigError: the config cannot be used.
        StoreError: the state dir cannot be made.
    """
    try:
        ensure_dir(disk, state_dir / "agents")
        first_run = write_first_config(disk, path)
    except OSError as error:
        raise explain(error, "could not set up the state directory") from error
    return first_run, Snapshot.first(load_config(disk, path, environ))


class Settings:
    """What holds now, and what held before.

    Args:
        snapshot: the config to begin with.
        environ: environment variables, for keys and `${VAR}`.
        clock: for the model door.
        paced: whether the offline model takes its time.
        checks: what the model door asks before it sends.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        paced: bool,
        checks: Checks,
    ):
        self._environ = environ
        self._clock = clock
        self._paced = paced
        self._checks = checks
        self._earlier: deque[Earlier] = deque(maxlen=KEPT)
        self._standing: tuple[Problem, ...] = ()
        self.setup = self.make(snapshot)

    def make(self, snapshot: Snapshot) -> Setup:
        """What is made of a config."""
        config = snapshot.config
        registry = ModelRegistry(config, self._environ, paced=self._paced)
        door = ModelDoor(registry, self._clock, checks=self._checks(config))
        return Setup(
            snapshot, Router(config), registry, door, Mentions(config), PermissionTable(config)
        )

    def prepare(self, config: str | Config) -> Setup:
        """Make ready what would hold under another config: its text (JSON5), or the value.

        Raises:
            ConfigError: the text cannot be used. What is in force stays.
        """
        now = self.setup.snapshot
        if isinstance(config, Config):
            return self.make(replace(now, config=config, problems=()))
        foreign = now.path is not None and is_foreign(now.path)
        loaded = load_text(config, self._environ, path=now.path, foreign=foreign)
        loaded.require()
        return self.make(now.after(loaded))

    def with_scope(self, scope: DmScope) -> Config:
        """The config in force with another `session.dmScope`."""
        config = self.setup.config
        session = msgspec.structs.replace(config.session, dm_scope=scope)
        return msgspec.structs.replace(config, session=session)

    def mark(self, problems: tuple[Problem, ...], *, standing: bool = False) -> None:
        """Show what is wrong with a text that was not taken, beside what is in force.

        Args:
            standing: it is the file's; it stays until `take` is told of a good file.
        """
        if standing:
            self._standing = problems
        snapshot = replace(self.setup.snapshot, problems=problems)
        self.setup = replace(self.setup, snapshot=snapshot)

    @property
    def earlier(self) -> Earlier | None:
        """What `undo` goes back to."""
        return self._earlier[-1] if self._earlier else None

    def take(self, setup: Setup, *, of_file: bool = False, file_before: str | None = None) -> bool:
        """Put a prepared setup in force; False when it says nothing new.

        Args:
            of_file: it is what the file says now, so nothing is wrong with that any more.
            file_before: what the file said before, if this can be undone there too.
        """
        if of_file:
            self._standing = ()
        now = self.setup.snapshot
        same = setup.config == now.config
        if not same:
            mild = tuple(each for each in now.problems if each.severity != "error")
            self._earlier.append(Earlier(replace(now, problems=mild), file_before))
        elif file_before is not None and self._earlier and self._earlier[-1].file is None:
            # What was in force in memory came into the file: both go back together.
            self._earlier[-1] = replace(self._earlier[-1], file=file_before)
        self._put(self.setup if same else setup, setup.snapshot, now.revision + (not same))
        return not same

    def go_back(self, earlier: Earlier, setup: Setup, *, of_file: bool = False) -> bool:
        """Go back to the config before this one, as a new revision; False where that is not what
        was before any more.

        Args:
            earlier: what `earlier` said.
            setup: what `make` made of it.
            of_file: the file says what it said then, so nothing is wrong with that any more.
        """
        if of_file:
            self._standing = ()
        if self.earlier is not earlier:
            return False
        self._earlier.pop()
        self._put(setup, earlier.snapshot, self.setup.snapshot.revision + 1)
        return True

    def _put(self, setup: Setup, snapshot: Snapshot, revision: int) -> None:
        problems = tuple(dict.fromkeys((*snapshot.problems, *self._standing)))
        snapshot = replace(snapshot, revision=revision, problems=problems)
        self.setup = replace(setup, snapshot=snapshot)
