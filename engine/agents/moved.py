"""What a change of the config moved: recorded messages routed as it was and as it is now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.config.changes import may_route_otherwise
from engine.config.schema import Config
from engine.errors import BranchlineError, Problem
from engine.events import ConfigMoved, Event, Noticed
from engine.routing.preview import Preview, preview
from engine.sessions.store import Store
from engine.turns.recorded import some_recorded
from engine.turns.request import in_thread

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Moved"]

MAX_RECORDED = 5000
"""Recorded messages that a comparison looks at, and the seconds it may take to read them."""
RECORDED_SECONDS = 1.0


class Moved:
    """Compares configs, and tells in the background what the last change moved.

    Args:
        store: a store of the comparison's own, to be read in a thread.
        revision: the one in force.
        publish: tells events.

    Attributes:
        tasks: where it runs; None while nobody watches, and then nothing is told.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        revision: Callable[[], int],
        publish: Callable[[Event], None],
    ):
        self._store, self._revision, self._publish = store, revision, publish
        self._changes: list[tuple[Config, Config]] = []
        self.tasks: TaskGroup | None = None

    def compare(self, old: Config, new: Config) -> tuple[Preview, bool]:
        """(what the change does to the conversations there are, whether some recorded messages
        were not looked at). Reads files.

        Raises:
            StoreError: the sessions cannot be listed.
        """
        found, partial = some_recorded(self._store(), most=MAX_RECORDED, seconds=RECORDED_SECONDS)
        return preview(old, new, found), partial

    def tells(self, old: Config, new: Config) -> bool:
        """Whether `tell_later` would tell anything of a change."""
        return self.tasks is not None and may_route_otherwise(old, new)

    def tell_later(self, old: Config, new: Config) -> None:
        """Tell what moved; changes that come meanwhile are told as one."""
        if self.tasks is None or not self.tells(old, new):
            return
        self._changes.append((old, new))
        if len(self._changes) == 1:
            self.tasks.start_soon(self._tell)

    async def _tell(self) -> None:
        while self._changes:
            count, revision = len(self._changes), self._revision()
            old, new = self._changes[0][0], self._changes[-1][1]
            try:
                moved, partial = await in_thread(self.compare, old, new)
                self._publish(ConfigMoved(revision, moved, partial))
            except BranchlineError as error:  # the sessions cannot be listed
                self._publish(Noticed(Problem(str(error), "warning")))
            del self._changes[:count]
