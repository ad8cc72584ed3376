"""Scenarios on the Simulator screen: opened, stepped through, run, and recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from textual import on

from engine.clock import parse_iso
from engine.errors import BranchlineError, StoreError
from engine.scenario.shipped import ENDING, OWN
from engine.scenario.values import Step
from engine.text import safe_line
from tui.commands.offers import Offer, Offers
from tui.config import isolation
from tui.later import later
from tui.screens.simulator_people import PeopleScreen
from tui.widgets.rowlist import RowList

__all__ = ["PlayScreen"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

REST = 0.5
"""Seconds between two steps of a scenario that runs."""


class PlayScreen(PeopleScreen):
    """Playing scenarios, and the clock, the config and the file that go with them."""

    def __init__(self) -> None:
        super().__init__()
        self.running = self._playing_on = False
        self._goal: int | None = None

    # opening

    @property
    def scenario_folder(self) -> Path:
        """Where a person's own scenarios are."""
        return self.engine.state_dir / OWN

    def action_open(self) -> None:
        later(self, self._choose, group="dialog")

    async def _choose(self) -> None:
        from tui.widgets.dialogs.dialog import Commands

        files = await asyncio.to_thread(self._files)
        screen = self

        class Scenarios(Offers):
            SHOWN = 200

            def offers(self) -> Iterator[Offer]:
                if screen.house.stage is not None:
                    told = "The people of the engine that is open"
                    yield "Leave the scenario", told, screen.action_live
                for name, told, path in files:
                    yield name, told, partial(screen.open_scenario, path)

        self.app.push_screen(Commands(providers=[Scenarios], placeholder="Scenario …"))

    def _files(self) -> list[tuple[str, str, Path]]:
        """Own scenarios, then those that come with the program: name, what it says, file."""
        from engine.scenario.shipped import own_scenarios, shipped_scenarios

        own = own_scenarios(self.engine.state_dir).values()
        here = sorted(Path.cwd().glob(f"*{ENDING}"))
        found = [(path, "your own") for path in own] + [(path, "in this folder") for path in here]
        found += [(path, "comes with Branchline") for path in shipped_scenarios().values()]
        return [
            (safe_line(path.name.removesuffix(ENDING), limit=80), _about(path, told), path)
            for path, told in found
        ]

    def open_scenario(self, path: Path) -> None:
        """Open a scenario file on a stage of its own."""
        later(self, partial(self._open_scenario, path), group="open-scenario")

    async def _open_scenario(self, path: Path) -> None:
        from engine.scenario.read import load_scenario

        try:
            scenario = await asyncio.to_thread(load_scenario, path)
        except BranchlineError as error:
            self.home.fail(error)
            return
        self.running = False
        self.house.open(scenario)

    def action_live(self) -> None:
        """Leave the scenario: the people of the engine that is open are back."""
        self.running = False
        self.house.close()

    # playing

    def action_step(self) -> None:
        later(self, self._step_once, group="step", exclusive=False)

    async def _step_once(self) -> None:
        await self._step()

    async def _step(self) -> bool:
        """Play the next step; whether there was one."""
        stage = self.house.stage
        if stage is None or stage.over or stage.playing:
            return False
        step = stage.stage.scenario.steps[len(stage.played)]
        self._turn_to(step)
        for message in step.messages:
            self._spoken(message, lost=step.kind == "drop")
        self.call_later(self.draw)
        try:
            played = await stage.step()
        except BranchlineError as error:
            self.home.fail(error)
            self.running = False
            return False
        if played is not None:
            self.tell_outcomes(played.said)
            self.house.after(step)
        self.draw()
        if stage.over:
            self._over()
        return played is not None

    def _turn_to(self, step: Step) -> None:
        """Whoever speaks now comes into view, unless somebody is writing."""
        speaker = self.person_of(step.messages[0]) if step.messages else None
        if speaker is not None and self.lane_of(speaker) is None and not self.writing:
            self.at = self.people.index(speaker)
            self.place()

    def _over(self) -> None:
        stage = self.house.stage
        if stage is None:
            return
        if stage.held:
            self.say("every expectation held", f"{stage.stage.scenario.name} is over")
            return
        failed = [one for played in stage.played for one in played.failures]
        failed += stage.failures
        first = failed[0]
        told = f"{len(failed)} did not hold; first: {first.expected}; got {first.got}"
        title = safe_line(f"{stage.stage.scenario.name} failed", limit=80)
        self.notify(
            safe_line(told, limit=300), title=title, severity="error", markup=False, timeout=10
        )

    def action_run(self) -> None:
        """Run the scenario, or pause it."""
        stage = self.house.stage
        if stage is not None and stage.over:
            self.say("R begins it again", "It is over")
            return
        if self.running:
            self.running = False
            self.draw()
        else:
            self.run_to(None)

    def run_to(self, number: int | None) -> None:
        """Play all steps up to one, or to the end."""
        self.running, self._goal = True, number
        later(self, self._run, group="run", exclusive=False)
        self.draw()

    async def _run(self) -> None:
        """Play on while it is wanted; a step is never left in the midst of it."""
        if self._playing_on:
            return  # that goes on, as far as is wanted now
        self._playing_on = True
        try:
            while self.running and (stage := self.house.stage) is not None:
                reached = self._goal is not None and len(stage.played) >= self._goal
                if stage.over or reached:
                    break
                if not await self._step() and not stage.playing:
                    break
                await asyncio.sleep(REST)
        finally:
            self._playing_on = self.running = False
        if self.stands:
            self.draw()

    @on(RowList.Selected)
    def _step_chosen(self, event: RowList.Selected) -> None:
        """Enter on a step, or a click: play as far as that."""
        event.stop()
        stage = self.house.stage
        if stage is not None and isinstance(event.key, int):
            number = event.key or len(stage.stage.scenario.steps)
            if number > len(stage.played):
                self.run_to(number)

    def action_reset(self) -> None:
        """Begin the scenario again, on an empty stage."""
        if (stage := self.house.stage) is not None:
            self.running = False
            self.house.open(stage.stage.scenario)

    def action_restart(self) -> None:
        """Stop the scenario's engine and start it again, as after a crash."""
        self.act(Step("restart", value=True))

    # clock and config

    def action_jump_clock(self) -> None:
        later(self, self._jump_clock, group="dialog")

    async def _jump_clock(self) -> None:
        from tui.widgets.dialogs.ask import Ask

        hint = "30s, 90m, 2h, 1d; or a time such as 2026-02-01T09:00:00Z"
        ask = Ask("Jump the clock", hint=hint, check=_clock_fault, placeholder="90m")
        text = await self.app.push_screen_wait(ask)
        if text and (step := clock_step(text)) is not None:
            self.act(step)

    def action_scope(self) -> None:
        """Change dmScope, its effect shown first."""
        if self.house.stage is None:
            isolation.change_scope(self.home)
        else:
            later(self, self._scope, group="dialog")

    async def _scope(self) -> None:
        from tui.behind.scopes import Trial
        from tui.widgets.dialogs.scope import ScopeDialog

        engine = self.house.engine
        now = engine.config.session.dm_scope
        dialog = ScopeDialog(Trial(engine), now, self.home.glyphs)
        chosen = await self.app.push_screen_wait(dialog)
        if chosen is not None:
            self.act(Step("config", value={"session": {"dmScope": chosen}}))

    def action_undo(self) -> None:
        """Take the last change of the config back."""
        if self.house.stage is None:
            isolation.undo_config(self.home)
        else:
            self.act(Step("undo", value=True))

    # recording

    def action_record(self) -> None:
        later(self, self._record, group="dialog")

    async def _record(self) -> None:
        from tui.widgets.dialogs.ask import Ask

        troupe = self.house.troupe
        if not len(troupe.recorder):
            self.say("Nothing was done yet", "Record")
            return
        count = len(troupe.recorder)
        hint = f"{count} steps, kept as NAME{ENDING} in {self.scenario_folder.name}/"
        ask = Ask("Keep what was done", hint=hint, check=self._name_fault, placeholder="my-leak")
        name = await self.app.push_screen_wait(ask)
        if not name:
            return
        try:
            path = await asyncio.to_thread(self._write, name)
        except BranchlineError as error:
            self.home.fail(error)
            return
        self.home.say(f"{path.name}: S opens it, branchline simulate plays it", "Kept", seconds=8)

    def _name_fault(self, name: str) -> str | None:
        if not _NAME.fullmatch(name):
            return "Letters, digits, space, . _ -"
        if (self.scenario_folder / f"{name}{ENDING}").exists():
            return "There is a scenario of that name already"
        return None

    def _write(self, name: str) -> Path:
        """Write the recording.

        Raises:
            StoreError: it could not be written.
        """
        from engine.disk import Disk, ensure_dir, write_atomic
        from engine.scenario.write import scenario_text

        recorded = self.house.troupe.recorded(name)
        text = scenario_text(recorded, f"Recorded in the simulator; branchline simulate {name}")
        path = self.scenario_folder / f"{name}{ENDING}"
        try:
            ensure_dir(Disk(), self.scenario_folder)
            write_atomic(Disk(), path, text.encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise StoreError(f"the scenario cannot be written: {error.strerror}") from error
        return path


def clock_step(text: str) -> Step | None:
    """A jump of the clock as a step; None for what is neither a span nor a time."""
    found = _SPAN.fullmatch(text.strip())
    if found is not None:
        return Step("wait", value=float(found[1]) * _SECONDS[found[2]])
    moment = parse_iso(text.strip())
    return Step("clock", value=moment) if moment is not None else None


def _clock_fault(text: str) -> str | None:
    return None if clock_step(text) is not None else "30s, 90m, 2h, 1d or an ISO time"


def _about(path: Path, told: str) -> str:
    """What a scenario file says of itself, else where it comes from."""
    from engine.config.document import MAX_BYTES, read_document
    from engine.disk import Disk, read_file

    try:
        document = read_document(read_file(Disk(), path, limit=MAX_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        return told
    value = document.value if document.readable else None
    about = value.get("about") if isinstance(value, dict) else None
    return safe_line(about, limit=200) if isinstance(about, str) and about else told
