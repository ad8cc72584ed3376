"""The config of a running engine: read anew when its file changes, changed, written, undone.

What the file says and what is in force can differ: a broken file leaves the last good config
running and stays among the problems until it is mended, and a config can be put in force without
being written (`unsaved` says so). A turn keeps the setup that it started with (SPEC §12).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.agents.moved import Moved
from engine.agents.planning import Plan, Reading
from engine.agents.settings import Earlier, Settings
from engine.clock import Clock
from engine.config.changes import changed_paths
from engine.config.edit import Edit, replace_text
from engine.config.load import Loaded, load_config
from engine.config.revisions import (
    Revision,
    check_edit,
    keep_revision,
    list_revisions,
    read_text,
    rollback_edit,
    write_config,
)
from engine.config.schema import Config, DmScope
from engine.config.secrets import redact
from engine.config.settled import read_settled
from engine.config.watch import watch_file
from engine.disk import Disk
from engine.errors import BranchlineError, ConfigError, EditRefused, Problem
from engine.events import ConfigBroken, ConfigChanged, Event, Noticed
from engine.routing.preview import Preview
from engine.sessions.store import Store
from engine.turns.order import Setup
from engine.turns.request import in_thread

__all__ = ["ConfigRoom", "Plan", "Reading"]


class ConfigRoom:
    """What is in force and what the file says.

    Attributes:
        watching: whether edits of the file are seen.
        last: how the last one was taken in.

    Args:
        settings: what is in force.
        disk, clock, state_dir: where files are, and the time.
        environ: variables for `${VAR}`.
        publish: tells events.
        applied: called when another config is in force, before that is told.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        disk: Disk,
        clock: Clock,
        state_dir: Path,
        environ: Mapping[str, str],
        publish: Callable[[Event], None],
        applied: Callable[[], None],
    ):
        self._settings = settings
        self._disk = disk
        self._clock = clock
        self._state_dir = state_dir
        self._environ = environ
        self._publish = publish
        self._applied = applied
        import anyio

        snapshot = settings.setup.snapshot
        self._seen = snapshot.text, snapshot.problems
        self._of_file, self._good_text = snapshot.config, snapshot.text
        self._moved = Moved(
            lambda: Store(disk, state_dir, clock), lambda: self.setup.snapshot.revision, publish
        )
        self._turn = anyio.Lock()
        self.watching = False
        self.last: Reading | None = None

    @property
    def setup(self) -> Setup:
        """What is in force and what is made of it."""
        return self._settings.setup

    @property
    def path(self) -> Path:
        """The config file.

        Raises:
            EditRefused: the config in force was not read from one.
        """
        if self.setup.snapshot.path is None:
            raise EditRefused(
                "this config was not read from a file, so there is none to change",
                remedy="Start with --config FILE or with a state directory that holds one",
            )
        return self.setup.snapshot.path

    @property
    def file_text(self) -> str:
        """The file's text when it was last read, good or broken."""
        return self._seen[0]

    @property
    def unsaved(self) -> bool:
        """Whether what is in force is not what the file said when it was last good."""
        return self.setup.config != self._of_file

    @property
    def undoable(self) -> bool:
        """Whether there is an earlier config in force to go back to."""
        return self._settings.earlier is not None

    # in memory

    async def apply(self, config: str | Config, *, only_at: int | None = None) -> int:
        """Put another config in force; the file is not written. See `Engine.apply_config`.

        Raises:
            ConfigError: the text cannot be used.
            EditRefused: another revision than `only_at` is in force by now; it stays.
        """
        async with self._turn:
            return await self._apply(config, only_at)

    async def set_scope(self, scope: DmScope) -> int:
        """Change `session.dmScope` and nothing else of what is in force; see `apply`."""
        async with self._turn:
            return await self._apply(self.with_scope(scope), None)

    async def _apply(self, config: str | Config, only_at: int | None) -> int:
        try:
            setup = await in_thread(self._settings.prepare, config)
        except ConfigError as error:
            self._settings.mark(error.problems)
            raise
        if only_at is not None and self.setup.snapshot.revision != only_at:
            raise EditRefused("the config changed while this was shown; look at it again")
        return self.adopt(setup)

    def prepare(self, config: str | Config) -> Setup:
        """Make ready what would hold under another config, for `adopt`.

        Raises:
            ConfigError: it cannot be used.
        """
        return self._settings.prepare(config)

    def with_scope(self, scope: DmScope) -> Config:
        """The config in force with another `session.dmScope`."""
        return self._settings.with_scope(scope)

    def adopt(self, setup: Setup) -> int:
        """Put a setup in force at once, also from within a turn; the revision then in force."""
        old = self.setup.config
        if self._settings.take(setup):
            self._tell(old)
        return self.setup.snapshot.revision

    def _tell(self, old: Config, *, compared: bool = False) -> None:
        now = self.setup.snapshot
        self._applied()
        self._publish(ConfigChanged(now.revision, changed_paths(old, now.config), compared))

    # the file

    async def watch(self) -> None:
        """Take the file in whenever it changes, until cancelled."""
        import anyio

        async with anyio.create_task_group() as tasks:
            self._moved.tasks, self.watching = tasks, True
            try:
                await watch_file(self.path, self._reload_or_tell)
            finally:
                self._moved.tasks, self.watching = None, False

    async def _reload_or_tell(self) -> None:
        """What nobody foresaw must not end the watch: the next edit has to be seen (DESIGN)."""
        try:
            await self.reload()
        except Exception as error:
            message = f"the config could not be taken in: {type(error).__name__}: {error}"
            problem = Problem(redact(message), file=str(self.path))
            self._settings.mark((problem,), standing=True)
            self._publish(ConfigBroken(self.setup.snapshot.revision, (problem,)))
            self._publish(Noticed(problem))

    async def reload(self) -> bool:
        """Read the file and put it in force; whether it said anything new.

        What cannot be used is told (ConfigBroken) once it holds still, and stays among the
        problems; what is in force goes on.
        """
        async with self._turn:
            start = time.monotonic()  # real time: it is the reading's that counts
            loaded = await read_settled(self._read, self._seen)
            if (loaded.text, loaded.problems) == self._seen:
                return False
            self._seen = loaded.text, loaded.problems
            if loaded.config is None:
                self._took(start, ok=False)
                self._broken(loaded)
            else:
                before = self._good_text
                await self._good(loaded.config, loaded, start)
                if problem := await in_thread(self._keep, before, loaded.text):
                    self._publish(Noticed(problem))
            return True

    async def _read(self) -> Loaded:
        return await in_thread(load_config, self._disk, self.path, self._environ)

    def _broken(self, loaded: Loaded) -> None:
        self._settings.mark(loaded.problems, standing=True)
        revision = self.setup.snapshot.revision
        self._publish(ConfigBroken(revision, loaded.problems))
        self._publish(Noticed(loaded.errors[0]))

    def _took(self, start: float, *, ok: bool) -> None:
        self.last = Reading(self._clock.now(), time.monotonic() - start, ok)

    async def _good(self, config: Config, loaded: Loaded, start: float | None = None) -> None:
        """Put what the file says in force, and tell what that changed."""
        setup = await in_thread(self._settings.make, self.setup.snapshot.after(loaded))
        # Not before: another may have come into force in memory while this one was made.
        was, problems = self.setup.config, self.setup.snapshot.problems
        if start is not None:
            self._took(start, ok=True)
        before = self._good_text if config != self._of_file else None
        self._of_file, self._good_text = config, loaded.text
        if self._settings.take(setup, of_file=True, file_before=before):
            self._tell(was, compared=self._moved.tells(was, config))
            self._moved.tell_later(was, config)
        elif self.setup.snapshot.problems != problems:
            self._publish(ConfigChanged(self.setup.snapshot.revision))

    def _keep(self, before: str, after: str) -> Problem | None:
        """Keep what a person wrote by hand, and what stood there; the config holds either way."""
        disk, state, now = self._disk, self._state_dir, self._clock.now()
        try:
            newest = self._list()[:1]
            if newest and newest[0].text == after:  # another process of ours wrote it
                return None
            for text, reason in ((before, "as found in the file"), (after, "edited by hand")):
                keep_revision(disk, self.path, text, state_dir=state, now=now, reason=reason)
        except BranchlineError as error:
            return Problem(str(error), "warning")
        return None

    async def text(self) -> str:
        """The file's text as it is now, to make edits in; "" when there is no file.

        Raises:
            EditRefused, StoreError: it cannot be read.
        """
        return await in_thread(read_text, self._disk, self.path) or ""

    async def plan(self, edit: Edit) -> Plan:
        """What an edit would do, for a person to look at before `write`.

        Raises:
            ConfigError: it would make the config unusable.
        """
        loaded = await in_thread(check_edit, edit, self.path, self._environ)
        now = self.setup.config
        if loaded.config is None:
            return Plan(edit, None, loaded.problems, (), None, False)
        moved, partial = await in_thread(self._moved.compare, now, loaded.config)
        changes = changed_paths(now, loaded.config)
        return Plan(edit, loaded.config, loaded.problems, changes, moved, partial)

    async def compare(self, config: Config) -> tuple[Preview, bool]:
        """(what another config would do to the conversations there are, whether some recorded
        messages were not looked at)."""
        return await in_thread(self._moved.compare, self.setup.config, config)

    async def write(self, edit: Edit, reason: str = "") -> Revision:
        """Write an edit into the file and put the file in force.

        Raises:
            ConfigError: the config would be unusable.
            EditRefused: the file is not as it was when it was read.
            StoreError: it could not be written; the old text stands.
        """
        async with self._turn:
            loaded = await in_thread(check_edit, edit, self.path, self._environ)
            revision = await in_thread(self._write, edit, reason)
            self._seen = loaded.text, loaded.problems
            if loaded.config is None:
                self._broken(loaded)
            else:
                await self._good(loaded.config, loaded)
        return revision

    def _write(self, edit: Edit, reason: str) -> Revision:
        now, state = self._clock.now(), self._state_dir
        return write_config(self._disk, self.path, edit, state_dir=state, now=now, reason=reason)

    async def revisions(self) -> tuple[Revision, ...]:
        """The texts that the file had, the newest first.

        Raises:
            StoreError: they cannot be read.
        """
        return await in_thread(self._list)

    def _list(self) -> tuple[Revision, ...]:
        return list_revisions(self._disk, self.path, state_dir=self._state_dir)

    async def rollback(self, number: int) -> Edit:
        """The edit that brings a revision back: show its diff, then `write` it.

        Raises:
            EditRefused: there is no such revision.
            StoreError: the file or the revisions cannot be read.
        """
        disk, state = self._disk, self._state_dir
        return await in_thread(lambda: rollback_edit(disk, self.path, number, state_dir=state))

    # back to what was before

    async def undo_edit(self) -> Edit | None:
        """What `undo` would write into the file, to be looked at first; None when nothing: the
        last change was made in memory only, or there was none.

        Raises:
            EditRefused, StoreError: the file cannot be read.
        """
        text = self._text_before
        return None if text is None else replace_text(await self.text(), text, "undo")

    @property
    def _text_before(self) -> str | None:
        """What the file gets with the next step back; None where it stays as it is."""
        earlier = self._settings.earlier
        if earlier is not None and earlier.file is None:
            return None
        if self._file_broken:
            return self._good_text
        return earlier.file if earlier is not None else None

    @property
    def _file_broken(self) -> bool:
        return self._seen[0] != self._good_text

    async def undo(self, edit: Edit | None = None) -> int | None:
        """Take the last change back, where the file was changed there too; a broken file gets its
        last good text. None when there is nothing to take back.

        `edit` is what `undo_edit` said, as the person saw it.

        Raises:
            ConfigError, EditRefused, StoreError: as `write`; EditRefused also where another
                config came into force since, which then stays.
        """
        async with self._turn:
            if edit is not None and edit.text != self._text_before:
                raise EditRefused("the config changed since this was shown; look at it again")
            mended, earlier = self._file_broken, self._settings.earlier
            edit = edit or await self.undo_edit()
            if edit is not None:
                loaded = await in_thread(check_edit, edit, self.path, self._environ)
                config = loaded.require()
                await in_thread(self._write, edit, "undo")
                self._seen = loaded.text, loaded.problems
                if mended:
                    await self._good(config, loaded)
                    return self.setup.snapshot.revision
                self._of_file, self._good_text = config, loaded.text
            if earlier is None:
                return None
            await self._back_to(earlier, of_file=edit is not None)
        return self.setup.snapshot.revision

    async def _back_to(self, earlier: Earlier, *, of_file: bool) -> None:
        setup = await in_thread(self._settings.make, earlier.snapshot)
        old = self.setup.config
        if not self._settings.go_back(earlier, setup, of_file=of_file):
            raise EditRefused(
                "another config came into force meanwhile; it stays",
                remedy="Look at it, then undo again",
            )
        self._tell(old, compared=self._moved.tells(old, self.setup.config))
        self._moved.tell_later(old, self.setup.config)
