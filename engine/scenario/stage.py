"""A stage: a real engine on real files, on which the steps of a scenario are played."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.agents.leak import Sighting
from engine.agents.turn import in_thread
from engine.clock import ManualClock
from engine.config.schema import DmScope
from engine.engine import Engine
from engine.models.protocol import ModelRequest
from engine.routing.read import read_envelope
from engine.scenario.told import Leak, Said, newest_of, outcome_of, text_of
from engine.scenario.values import Message, Scenario, Step
from engine.turns.order import Receipt, Setup
from engine.values import replace

__all__ = ["Stage", "merged", "shuffled"]

PATIENCE = 60.0
"""Real seconds that a message may take."""

HIDDEN = "XXXXXXXX"
"""Stands for a pairing code, so that the same scenario always reads the same."""

BETWEEN = 1.0
"""Virtual seconds from one message to the next."""


@dataclass(slots=True)
class _Memory:
    """What must outlive a restart of the engine."""

    requests: list[ModelRequest] = field(default_factory=list)
    principals: dict[str, str] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    sightings: dict[tuple[str, str, str, str], Sighting] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    delivered: dict[str, Message] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `patch` merged in, object by object; None removes (RFC 7386)."""
    root = dict(base)
    work: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(root, patch)]
    while work:
        target, changes = work.pop()
        for key, value in changes.items():
            if value is None:
                target.pop(key, None)
            elif isinstance(value, Mapping):
                inner = target.get(key)
                target[key] = dict(inner) if isinstance(inner, Mapping) else {}
                work.append((target[key], value))
            else:
                target[key] = value
    return root


def shuffled(chance: random.Random, messages: Iterable[Message]) -> list[Message]:
    """In another order than given, where there is another."""
    given = list(messages)
    mixed = list(given)
    while len(mixed) > 1 and mixed == given:
        chance.shuffle(mixed)
    return mixed


class Stage:
    """A scenario being played. Made by `Stage.open`.

    Attributes:
        engine: the engine of the moment; another one after a restart.
    """

    engine: Engine

    def __init__(
        self,
        scenario: Scenario,
        state_dir: Path,
        seed: int,
        config: dict[str, Any],
        *,
        paced: bool = False,
    ):
        self.scenario = scenario
        self.state_dir = state_dir
        self.seed = seed
        self._chance = random.Random(seed)
        self._clock = ManualClock(scenario.clock)
        self._config = config
        self._paced = paced
        self._earlier: list[dict[str, Any]] = []
        self._memory = _Memory()
        self._armed: Setup | None = None
        self._open = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        scenario: Scenario,
        state_dir: Path,
        *,
        seed: int | None = None,
        scope: DmScope | None = None,
        paced: bool = False,
    ) -> AsyncIterator[Stage]:
        """Open an engine for a scenario in an empty state dir.

        It must be left, and `restart` played, by the task that entered it.

        Args:
            seed: instead of the scenario's own.
            scope: `session.dmScope` to begin with, instead of the scenario's own.
            paced: whether the offline model takes its time (the machine's, not the scenario's).

        Raises:
            ConfigError: the scenario's config cannot be used.
            StoreError: the state dir cannot be used.
        """
        config = merged(scenario.config, {"session": {"dmScope": scope}} if scope else {})
        seed = scenario.seed if seed is None else seed
        stage = cls(scenario, state_dir, seed, config, paced=paced)
        try:
            await stage._start()
            yield stage
        finally:
            await stage._open.aclose()

    async def _start(self) -> None:
        """Write the config as it is now and open the engine."""
        path = self.state_dir / "branchline.json5"
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(self._config_text(), "utf-8")
        path.chmod(0o600)
        self.engine = await self._open.enter_async_context(
            Engine.open(
                self.state_dir,
                config_path=path,
                environ={},
                clock=self._clock,
                paced=self._paced,
                checks=(self._record,),
            )
        )

    @property
    def config(self) -> Mapping[str, Any]:
        """The config in force, as an object."""
        return self._config

    @property
    def now(self) -> int:
        """The virtual clock, ms since 1970."""
        return self._clock.now()

    def _config_text(self) -> str:
        return json.dumps(self._config, indent=2)

    def _record(self, request: ModelRequest) -> None:
        """Keep a request that is about to be sent; change the config under a turn's feet."""
        self._memory.requests.append(request)
        if self._armed is not None:
            setup, self._armed = self._armed, None
            self.engine.adopt(setup)

    async def play(self, step: Step) -> tuple[Said, ...]:
        """Play one step; what was said in it and what came of it."""
        match step.kind:
            case "say":
                said = await self._say(step.messages)
            case "atOnce":
                said = await self._say(self._shuffled(step.messages))
            case "reorder":
                said = [one for m in self._shuffled(step.messages) for one in await self._say([m])]
            case "redeliver":
                said = await self._redeliver(step)
            case _:
                said = await self._change(step)
        self.sightings()
        return tuple(said)

    async def _change(self, step: Step) -> list[Said]:
        """Steps in which nobody says anything, or only while something is changed."""
        match step.kind:
            case "wait":
                self._clock.advance(step.value)
                # This time does pass; a jump of the clock is for the engine to judge.
                await self.engine.keeping.rules.confirm_clock()
            case "clock":
                self._clock.advance((step.value - self._clock.now()) / 1000)
            case "restart":
                await self._open.aclose()
                self._open = AsyncExitStack()
                await self._start()
            case "config":
                return await self._reconfigure(merged(self._config, step.value), step.messages)
            case "approve" | "reject":
                await in_thread(self._pair, step)
            case "undo" if self._earlier:
                self._config = self._earlier.pop()
                if await self.engine.undo_config() is None:  # restarted since
                    await self.engine.apply_config(self._config_text())
        return []

    def _pair(self, step: Step) -> None:
        """The operator deals with a user's pairing code, if there is one."""
        code, now = self._memory.codes.pop(step.value, ""), self._clock.now()
        if step.kind == "approve":
            self.engine.pairing.change(lambda pairings: pairings.approve(code, now=now))
        else:
            self.engine.pairing.change(lambda pairings: pairings.reject(code, now=now))

    async def _reconfigure(self, config: dict[str, Any], during: tuple[Message, ...]) -> list[Said]:
        self._earlier.append(self._config)
        self._config = config
        if not during:
            await self.engine.apply_config(self._config_text())
            return []
        self._armed = self.engine.prepare_config(self._config_text())
        said = await self._say(during)
        if self._armed is not None:  # no model was asked
            setup, self._armed = self._armed, None
            self.engine.adopt(setup)
        return said

    def _shuffled(self, messages: tuple[Message, ...]) -> list[Message]:
        return shuffled(self._chance, messages)

    async def _redeliver(self, step: Step) -> list[Said]:
        message = self._memory.delivered.get(step.value)
        if message is None:
            return []
        again = replace(message, expect=step.expect)
        return [one for _ in range(step.times) for one in await self._say([again])]

    async def _say(self, messages: Iterable[Message]) -> list[Said]:
        """Deliver messages without waiting in between, then wait for all of them."""
        import anyio

        sent: list[tuple[Message, Receipt]] = []
        before = len(self._memory.requests)
        with anyio.fail_after(PATIENCE):
            for message in messages:
                self._clock.advance(BETWEEN)
                envelope = read_envelope(message.facts)
                receipt = await self.engine.submit(envelope)
                self._memory.delivered[message.id] = message
                self._memory.principals[receipt.order.principal.id] = message.user
                sent.append((message, receipt))
            return [await self._outcome(message, receipt, before) for message, receipt in sent]

    async def _outcome(self, message: Message, receipt: Receipt, before: int) -> Said:
        result = await receipt.result()
        key = receipt.session_key
        if receipt.entry_id is not None:
            self._memory.texts[key, receipt.entry_id] = message.text
        self._memory.keys.setdefault(message.id, key)
        order, reply = receipt.order, result.text
        if result.admission is not None and (code := result.admission.code):
            self._memory.codes[message.user] = code
            reply = reply.replace(code, HIDDEN)  # the one thing that chance decides
        return Said(
            message,
            message.expect,
            outcome_of(result),
            order.agent_id,
            key,
            order.route.matched_by if order.route else "",
            reply,
            self._answered(key, receipt.entry_id, before),
        )

    def _answered(self, key: str, entry_id: str | None, before: int) -> tuple[str, ...]:
        """The requests made for an entry, as text: those whose newest message it is."""
        return tuple(
            text_of(request)
            for request in self._memory.requests[before:]
            if request.session_key == key and entry_id and newest_of(request) == entry_id
        )

    def key_of(self, message_id: str) -> str | None:
        """The session in which a message landed."""
        return self._memory.keys.get(message_id)

    def sightings(self) -> tuple[Sighting, ...]:
        """What the leak monitor saw so far, also before a restart, which makes it forget."""
        for one in self.engine.leaks.sightings():
            pair = one.session_key, one.reader, one.author, one.rule
            known = self._memory.sightings.get(pair)
            entries = dict.fromkeys((*(known.entries if known else ()), *one.entries))
            self._memory.sightings[pair] = replace(one, entries=tuple(entries))
        return tuple(self._memory.sightings.values())

    def leaks(self) -> tuple[Leak, ...]:
        """Who saw, or would have seen, whose words, beyond what rules mean to share; each pair of
        users once per session and rule, in the order in which it happened."""
        users, texts = self._memory.principals, self._memory.texts
        found = []
        for one in self._memory.sightings.values():
            reader, author = users.get(one.reader, one.reader_name), users.get(one.author, "")
            if one.verdict == "shared" or reader == author:
                continue
            words = [texts.get((one.session_key, entry)) for entry in one.entries]
            found.append(
                Leak(
                    reader,
                    author or one.author_name,
                    one.session_key,
                    one.rule,
                    one.verdict == "refused",
                    tuple(dict.fromkeys(word for word in words if word is not None)),
                )
            )
        return tuple(found)
