"""Where the simulator's people act: the engine that is open, or a scenario on its own stage."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.dom import DOMNode

from engine.engine import Engine
from engine.errors import BranchlineError
from engine.scenario.troupe import LiveTroupe, StageTroupe, Troupe
from engine.scenario.values import Scenario, Step
from tui.bridge import Batch, Bridge
from tui.later import later
from tui.tracker import Tracker

__all__ = ["Playhouse"]


class Playhouse:
    """One troupe at a time, and the bridge that carries its engine's news.

    A scenario has an engine, files and news of its own; they end when it is left, begun again, or
    the screen goes. The live troupe stays as it was meanwhile.

    Args:
        node: whose workers carry it.
        live: the people of the engine that is open.
        bridge: that engine's news; whoever made it runs it.
        hear: told of each batch of a stage.
        changed: called when there is another troupe, or another engine under it.
        fail: tells the person of an error.
    """

    def __init__(
        self,
        node: DOMNode,
        live: LiveTroupe,
        bridge: Bridge,
        *,
        hear: Callable[[Batch], None],
        changed: Callable[[], None],
        fail: Callable[[BranchlineError], None],
    ):
        self._node = node
        self.live = live
        self._live_bridge = bridge
        self._hear = hear
        self._changed = changed
        self._fail = fail
        self.troupe: Troupe = live
        self.bridge = bridge

    @property
    def stage(self) -> StageTroupe | None:
        """The scenario that is open, if one is."""
        return self.troupe if isinstance(self.troupe, StageTroupe) else None

    @property
    def engine(self) -> Engine:
        return self.troupe.engine

    @property
    def tracker(self) -> Tracker:
        return self.bridge.tracker

    def open(self, scenario: Scenario) -> None:
        """Open a scenario, in place of the one before."""
        later(self._node, partial(self._perform, scenario), group="stage")

    def close(self) -> None:
        """Back to the engine that is open."""
        self._node.workers.cancel_group(self._node, "stage")
        self._go_live()

    def _go_live(self) -> None:
        for group in ("stage-hear", "stage-tell", "stage-list"):
            self._node.workers.cancel_group(self._node, group)
        if self.troupe is not self.live:
            self.troupe, self.bridge = self.live, self._live_bridge
            self._changed()

    async def _perform(self, scenario: Scenario) -> None:
        """Own the stage until cancelled: whoever opened an engine closes it."""
        import asyncio

        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="branchline-"))
        try:
            async with StageTroupe.open(scenario, folder / "state", paced=True) as troupe:
                self.troupe = troupe
                self._attach()
                await troupe.serve()
        except BranchlineError as error:
            self._fail(error)
            self._go_live()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _attach(self) -> None:
        """Carry the news of the stage's engine as it is now."""
        self.bridge = Bridge(self.troupe.engine)
        self.bridge.listen(self._hear)
        later(self._node, self.bridge.hear, group="stage-hear")
        later(self._node, self.bridge.tell, group="stage-tell")
        later(self._node, self.bridge.list_sessions, group="stage-list")
        later(self._node, self._load, group="stage-load")

    async def _load(self) -> None:
        await self.bridge.load()
        self._changed()

    def after(self, step: Step) -> None:
        """A step was played: a restart leaves another engine behind."""
        if step.kind == "restart" and self.stage is not None:
            self._attach()
