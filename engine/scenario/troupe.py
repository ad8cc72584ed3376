"""A troupe: several people who write to one engine, whichever engine that is.

`LiveTroupe` acts in an engine that is open already: its messages are judged, stored and answered
as those of real people. `StageTroupe` acts in a scenario's own engine, on a virtual clock. Both
play the same steps, tell who shares a memory with whom, and record what was done.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.agents.leak import Sighting
from engine.clock import SystemClock
from engine.config.schema import DmScope
from engine.engine import Engine
from engine.errors import BranchlineError, CommandError, ModelError
from engine.events import ConfigChanged, Event
from engine.routing.envelope import Envelope
from engine.routing.read import read_envelope
from engine.routing.router import Route
from engine.scenario.cast import Persona, bare, cast_of, persona
from engine.scenario.matrix import MatrixRow, matrix
from engine.scenario.play import Failure, Played, judged, wrongly_exposed
from engine.scenario.record import BY_HAND, Recorder, patch_between, routing_part
from engine.scenario.stage import Stage, shuffled
from engine.scenario.told import Leak, Said, outcome_of
from engine.scenario.values import Message, Scenario, Step
from engine.turns.intake import identified
from engine.turns.order import Receipt
from engine.values import replace

if TYPE_CHECKING:
    import anyio

__all__ = ["LiveTroupe", "Seen", "StageTroupe", "Troupe"]

_SHUFFLED_BY = 1


class Seen(Struct, frozen=True):
    """Somebody was answered, or would have been, with another's words in sight.

    Attributes:
        rule: what shares the words, or that nothing does (then it was `blocked`).
        requests: how many requests held them.
        earlier: only before the config last changed.
    """

    reader: str
    author: str
    session: str
    rule: str
    blocked: bool
    requests: int
    earlier: bool


class Troupe:
    """People and what they do. Use LiveTroupe or StageTroupe.

    Attributes:
        people: everybody, lane by lane.
        recorder: what was done so far.
        scenario: the one that is played, None in an engine of its own.
    """

    engine: Engine
    recorder: Recorder

    def __init__(self, people: Iterable[Persona]):
        self.people: list[Persona] = list(people)
        self.scenario: Scenario | None = None
        self._everybody: dict[Persona, None] = dict.fromkeys(self.people)
        self._prefix = f"{BY_HAND}{uuid.uuid4().hex[:8]}-"
        self._count = 0
        self._before: frozenset[Sighting] = frozenset()

    # people

    def person(self, envelope: Envelope) -> Persona:
        """Who writes with these facts: somebody who was here before, else somebody new, told apart
        from everybody who was, so that a recording can name each."""
        place = bare(envelope)
        known = (one for one in self._everybody if one.envelope == place)
        return next(known, None) or persona(envelope, self._everybody)

    def add(self, one: Persona, place: int | None = None) -> None:
        """Somebody comes in, at the end or at a place."""
        self.people.insert(len(self.people) if place is None else place, one)
        self._everybody[one] = None

    def remove(self, one: Persona) -> None:
        """Somebody leaves; what they said stays."""
        self.people.remove(one)

    def replace(self, old: Persona, new: Persona) -> None:
        """Somebody writes from elsewhere now."""
        self.people[self.people.index(old)] = new
        self._everybody[new] = None

    def route(self, one: Persona) -> Route:
        """Where a message of theirs would go now, and why."""
        return self.engine.route(identified(one.envelope, self.engine.config))

    def matrix(self) -> tuple[MatrixRow, ...]:
        """Who shares a memory with whom, under each scope; see engine.scenario.matrix."""
        return matrix(self.engine.config, [one.envelope for one in self.people])

    # acting

    def message(self, one: Persona, text: str, *, mention: bool = False) -> Message:
        """Something that somebody is about to say."""
        self._count += 1
        said = one.says(text, f"{self._prefix}{self._count}")
        return replace(said, facts={**said.facts, "mentionsAgent": True}) if mention else said

    async def play(self, step: Step) -> tuple[Said, ...]:
        """Do something by hand; what was said in it and what came of that.

        Raises:
            BranchlineError: it cannot be done here, or was refused.
        """
        self.check(step)
        self.recorder.note(step)
        said = await self._play(step)
        self.recorder.heard(said)
        return said

    def check(self, step: Step) -> None:
        """Refuse what cannot be done here.

        Raises:
            CommandError: it cannot.
        """

    async def _play(self, step: Step) -> tuple[Said, ...]:
        raise NotImplementedError

    # what was seen

    def seen(self) -> tuple[Seen, ...]:
        """Who saw whose words, beyond what rules mean to share, in the order it happened."""
        names = {one.principal: one.name for one in self._everybody}
        found = []
        for one in self._sightings():
            mine = one.reader in names or one.author in names
            if one.verdict not in ("exposed", "refused") or not mine:
                continue
            reader = names.get(one.reader, one.reader_name or one.reader)
            author = names.get(one.author, one.author_name or "somebody")
            found.append(
                Seen(
                    reader,
                    author,
                    one.session_key,
                    one.rule,
                    one.verdict == "refused",
                    one.requests,
                    one in self._before,
                )
            )
        return tuple(found)

    def _sightings(self) -> tuple[Sighting, ...]:
        return self.engine.leaks.sightings()

    def take(self, events: Iterable[Event]) -> None:
        """Hear what the engine tells: what was seen under another config was seen earlier."""
        if any(isinstance(event, ConfigChanged) for event in events):
            self._before = frozenset(self._sightings())
            self._config_changed()

    def _config_changed(self) -> None:
        pass

    # recording

    def recorded(self, name: str) -> Scenario:
        """What was done so far, as a scenario."""
        return self.recorder.scenario(name, self._everybody, self._leaks())

    def _leaks(self) -> tuple[Leak, ...]:
        return ()


class LiveTroupe(Troupe):
    """People simulated in an engine that is open for everybody."""

    def __init__(self, engine: Engine, people: Iterable[Persona] = ()):
        super().__init__(people)
        self.engine = engine
        self._chance = random.Random(_SHUFFLED_BY)
        self._delivered: dict[str, Message] = {}
        self._underway: dict[str, tuple[Message, Receipt | None]] = {}
        self._config = routing_part(engine.config)
        now = SystemClock().now()
        self.recorder = Recorder(self._config, now, _SHUFFLED_BY, outcomes=False)
        self._before = frozenset(self._sightings())

    def check(self, step: Step) -> None:
        if step.kind not in ("say", "atOnce", "reorder", "redeliver", "drop"):
            raise CommandError(
                f"{step.kind} is for scenarios: here time and config are your own",
                remedy="Open a scenario first",
            )

    @property
    def unsaid(self) -> tuple[Message, ...]:
        """What is about to be said and not on disk yet: it may wait for its turn."""
        return tuple(
            message
            for message, receipt in self._underway.values()
            if receipt is None or (receipt.entry_id is None and not receipt.finished)
        )

    async def _play(self, step: Step) -> tuple[Said, ...]:
        if step.kind == "drop":
            return ()
        self._underway |= {message.id: (message, None) for message in step.messages}
        try:
            return await self._deliver(step)
        finally:
            for message in step.messages:
                self._underway.pop(message.id, None)

    async def _deliver(self, step: Step) -> tuple[Said, ...]:
        match step.kind:
            case "atOnce":
                return await self._say(shuffled(self._chance, step.messages))
            case "reorder":
                mixed = shuffled(self._chance, step.messages)
                return tuple([one for said in mixed for one in await self._say([said])])
            case "redeliver":
                again = [self._delivered[step.value]] if step.value in self._delivered else []
                return tuple([one for _ in range(step.times) for one in await self._say(again)])
            case "say":
                return await self._say(step.messages)
        return ()

    async def _say(self, messages: Iterable[Message]) -> tuple[Said, ...]:
        sent: list[tuple[Message, Receipt]] = []
        for message in messages:
            receipt = await self.engine.submit(read_envelope(message.facts))
            self._delivered[message.id] = message
            if message.id in self._underway:
                self._underway[message.id] = message, receipt
            sent.append((message, receipt))
        return tuple([await _told(message, receipt) for message, receipt in sent])

    def _config_changed(self) -> None:
        """Whoever changed it: what is said from here on goes where this config leads."""
        now = routing_part(self.engine.config)
        if patch := patch_between(self._config, now):
            self.recorder.note(Step("config", value=patch))
        self._config = now


async def _told(message: Message, receipt: Receipt) -> Said:
    result, order = await receipt.result(), receipt.order
    text = result.text
    if result.error is not None and not text:
        text = str(result.error)
    return Said(
        message,
        message.expect,
        outcome_of(result),
        order.agent_id,
        receipt.session_key,
        order.route.matched_by if order.route else "",
        text,
        lost=result.error is not None and receipt.entry_id is None,
    )


class StageTroupe(Troupe):
    """The people of a scenario, on its stage. Made by `StageTroupe.open`; while `serve` runs,
    restarts can be played.

    Attributes:
        played: steps of the scenario so far, with what did not hold.
        failures: what did not hold of the scenario as a whole, once it is over.
        playing: the number of the step that is being played, 0 for none.
    """

    def __init__(self, stage: Stage):
        super().__init__(cast_of(stage.scenario))
        self.stage = stage
        self.scenario = stage.scenario
        self.played: list[Played] = []
        self.failures: tuple[Failure, ...] = ()
        self.playing = 0
        self._speaking = 0
        self._restart: tuple[anyio.Event, list[BranchlineError]] | None = None
        self._changed: anyio.Event | None = None
        self.recorder = Recorder(dict(stage.config), stage.now, stage.seed, stage.scenario.users)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        scenario: Scenario,
        state_dir: Path,
        *,
        scope: DmScope | None = None,
        paced: bool = False,
    ) -> AsyncIterator[StageTroupe]:
        """A scenario on its stage; see Stage.open for the arguments and errors."""
        async with Stage.open(scenario, state_dir, scope=scope, paced=paced) as stage:
            yield cls(stage)

    @property
    def engine(self) -> Engine:  # type: ignore[override]
        """The engine of the moment; another one after a restart."""
        return self.stage.engine

    @property
    def over(self) -> bool:
        """Whether all steps of the scenario were played."""
        return len(self.played) == len(self.stage.scenario.steps)

    @property
    def held(self) -> bool:
        """Whether all expectations so far held."""
        return not self.failures and not any(one.failures for one in self.played)

    async def step(self) -> Played | None:
        """Play the next step of the scenario; None when it is over, or one is being played.

        Raises:
            BranchlineError: it cannot be played.
        """
        if self.over or self.playing:
            return None
        number = self.playing = len(self.played) + 1
        step = self.stage.scenario.steps[number - 1]
        try:
            said = await self.play(step)
        finally:
            self.playing = 0
        self.played.append(judged(number, step, said, self.stage))
        if self.over:
            self.failures = wrongly_exposed(self.stage.scenario, self.stage.leaks())
        return self.played[-1]

    async def _play(self, step: Step) -> tuple[Said, ...]:
        if step.kind == "restart":
            await self._ask_for_restart()
            return ()
        self._speaking += 1
        try:
            return await self.stage.play(step)
        except TimeoutError as error:
            raise ModelError("no answer within a minute", kind="timeout") from error
        finally:
            self._speaking -= 1
            if self._changed is not None:
                self._changed.set()

    async def _ask_for_restart(self) -> None:
        import anyio

        done, errors = anyio.Event(), list[BranchlineError]()
        self._restart = done, errors
        if self._changed is not None:
            self._changed.set()
        await done.wait()
        if errors:
            raise errors[0]

    async def serve(self) -> None:
        """Carry out restarts until cancelled: an engine is closed by the task that opened it,
        once nobody waits for an answer."""
        import anyio

        while True:
            self._changed = anyio.Event()
            asked = self._restart
            if asked is not None and not self._speaking:
                self._restart = None
                try:
                    await self.stage.play(Step("restart"))
                except BranchlineError as error:
                    asked[1].append(error)
                finally:
                    asked[0].set()
            else:
                await self._changed.wait()

    def _sightings(self) -> tuple[Sighting, ...]:
        return self.stage.sightings()

    def _leaks(self) -> tuple[Leak, ...]:
        return self.stage.leaks()
