from __future__ import annotations

import asyncio
import json
import threading

import pytest

from engine import Engine
from engine.agents import modelchange
from engine.agents.models import ManyChanged
from engine.clock import SystemClock
from engine.disk import Disk
from engine.errors import ModelNotFound
from engine.events import SessionChanged
from engine.sessions.lock import take
from engine.turns.pool import LiveSession
from tests.engine.conftest import Open, answer, dm, said

HOME = "agent:main:main"
ALICE, BOB = (f"agent:main:telegram:dm:{name}" for name in ("alice", "bob"))
SMALL = "offline/echo-2k"
ALIASES = '{models: {aliases: {tiny: "offline/echo-2k"}}, session: {dmScope: "per-channel-peer"}}'
LONG = "the shipment of forty crates leaves the northern harbour on Tuesday at nine " * 6


async def override_of(engine: Engine, key: str) -> str | None:
    return next(info.override for info in await engine.sessions() if info.ref == key)


async def test_what_was_chosen_is_in_the_list_and_survives(open_engine: Open) -> None:
    async with open_engine(ALIASES) as engine:
        await answer(engine, dm("alice", "hello"))
        await answer(engine, dm("bob", "hello"))
        assert await override_of(engine, ALICE) is None
        async with engine.subscribe() as events:
            change = await engine.models.choose(ALICE, "tiny")
            assert isinstance(await anext(events), SessionChanged)
        assert (change.before, change.after) == (None, SMALL)
        assert await override_of(engine, ALICE) == SMALL
        assert (await engine.view(ALICE)).info.override == SMALL
        state = engine.state_dir
    for lost in (state / "agents").rglob("sessions*.json"):
        lost.unlink()
    async with open_engine(ALIASES) as engine:
        assert await override_of(engine, ALICE) == SMALL
        assert await override_of(engine, BOB) is None
        await answer(engine, said("/new"), session_key=ALICE)
        assert await override_of(engine, ALICE) == SMALL


async def test_back_to_the_config_by_command_and_by_choice(open_engine: Open) -> None:
    async with open_engine(ALIASES) as engine:
        await answer(engine, dm("alice", "hello"))
        assert SMALL in await answer(engine, said("/model tiny"), session_key=ALICE)
        assert (await engine.view(ALICE)).layers.in_force.name == "session"
        assert "offline/echo." in await answer(engine, said("/model default"), session_key=ALICE)
        assert await override_of(engine, ALICE) is None
        assert (await engine.view(ALICE)).layers.in_force.name == "config"
        await engine.models.choose(ALICE, SMALL)
        await engine.models.choose(ALICE, None)
        assert (await engine.view(ALICE)).model.ref == "offline/echo"


async def test_the_turn_uses_what_the_layers_say(open_engine: Open) -> None:
    async with open_engine(ALIASES) as engine:
        await answer(engine, dm("alice", "hello"))
        await engine.models.choose(ALICE, "tiny")
        for turn in (None, "offline/echo-4k"):
            layers = await engine.models.layers(ALICE, turn)
            receipt = await engine.submit(dm("alice", "again"), model=turn)
            assert (await receipt.result()).model == layers.in_force.ref
        assert (await engine.models.layers(ALICE)).in_force.ref == SMALL


async def test_what_is_so_already_is_not_written_and_makes_no_session(open_engine: Open) -> None:
    async with open_engine() as engine:
        await engine.models.choose(HOME, None)
        assert await engine.sessions() == ()
        assert (await engine.models.layers(HOME)).in_force.name == "config"
        await engine.models.choose(HOME, SMALL)
        path = next((engine.state_dir / "agents").rglob("*.jsonl"))
        before = path.read_bytes()
        await engine.models.choose(HOME, SMALL)
        assert path.read_bytes() == before
        with pytest.raises(ModelNotFound):
            await engine.models.choose(HOME, "offline/ecko")


async def test_the_references_own_override_counts_until_it_is_taken_away(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        index = next((engine.state_dir / "agents").rglob("sessions.json"))
        state = engine.state_dir
    entries = json.loads(index.read_bytes())
    for entry in entries.values():
        entry |= {"providerOverride": "offline", "modelOverride": "echo-2k"}
    index.write_text(json.dumps(entries))
    async with open_engine(state_dir=state) as engine:
        assert await override_of(engine, HOME) == SMALL
        assert (await engine.view(HOME)).model.source == "session"
        await engine.models.choose(HOME, None)
        assert await override_of(engine, HOME) is None
        assert (await engine.view(HOME)).model.source == "config"


async def test_summaries_of_an_earlier_version_are_made_anew(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        await engine.models.choose(HOME, SMALL)
        await engine.sessions()
        cache = next((engine.state_dir / "agents").rglob("sessions.cache.json"))
        old = json.loads(cache.read_bytes())
        for summary in old.values():
            assert summary.pop("override") == SMALL
            summary.pop("form")
        cache.write_text(json.dumps(old))
        assert await override_of(engine, HOME) == SMALL


async def fill(engine: Engine, key: str, times: int = 8) -> None:
    for number in range(times):
        await answer(engine, said(f"{number} {LONG}"), session_key=key)


async def test_a_smaller_window_folds_what_does_not_fit(open_engine: Open) -> None:
    async with open_engine() as engine:
        await fill(engine, HOME)
        found = await engine.models.outlook(HOME, SMALL)
        assert (found.window_now, found.window_then) == (32_000, 2_000)
        assert found.tokens > found.limit
        assert found.verdict == "compacts" and "would be compacted (" in found.reason
        assert found.now.in_force.name == "config" and found.then.in_force.name == "session"
        assert await override_of(engine, HOME) is None
        larger = await engine.models.outlook(HOME, "offline/echo-64k")
        assert (larger.verdict, larger.window_then) == ("fits", 64_000)
        same = await engine.models.outlook(HOME, None)
        assert not same.changes and same.verdict == "fits"
        # What was foretold happens.
        await engine.models.choose(HOME, SMALL)
        await answer(engine, said("and now?"))
        assert (await engine.view(HOME)).counts.compactions == 1


async def test_where_nothing_may_fold_the_oldest_are_left_out(open_engine: Open) -> None:
    async with open_engine("{compaction: {enabled: false}}") as engine:
        await fill(engine, HOME)
        found = await engine.models.outlook(HOME, SMALL)
        assert found.verdict == "cut" and "left out" in found.reason


async def test_instructions_that_leave_no_room(open_engine: Open) -> None:
    async with open_engine() as engine:
        home = engine.state_dir / "workspace"
        home.mkdir(parents=True, exist_ok=True)
        (home / "AGENTS.md").write_text(LONG * 12)
        await answer(engine, said("hello"))
        found = await engine.models.outlook(HOME, "offline/echo-1k")
        assert found.verdict == "over" and "does not fit" in found.reason


async def test_a_model_without_its_key(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        found = await engine.models.outlook(HOME, "openai/gpt-5.6")
        assert (found.verdict, found.wanting) == ("unusable", ("OPENAI_API_KEY",))
        assert found.reason == "OPENAI_API_KEY is not set"
        unready = engine.setup.registry.unready()
        assert "openai/gpt-5.6-terra" in [info.ref for info in unready]
        assert not {info.ref for info in unready} & {
            info.ref for info in engine.setup.registry.list()
        }


async def test_several_sessions_are_changed_and_taken_back(open_engine: Open) -> None:
    async with open_engine(ALIASES) as engine:
        for who in ("alice", "bob"):
            await answer(engine, dm(who, "hello"))
        await engine.models.choose(BOB, "offline/echo-4k")
        done = await engine.models.choose_for([ALICE, BOB, ALICE], "tiny")
        assert [one.session_key for one in done.made] == [ALICE, BOB]
        assert await override_of(engine, ALICE) == await override_of(engine, BOB) == SMALL
        back = await engine.models.undo(done)
        assert len(back.made) == 2
        assert await override_of(engine, ALICE) is None
        assert await override_of(engine, BOB) == "offline/echo-4k"


async def test_undo_leaves_alone_what_was_chosen_since(open_engine: Open) -> None:
    async with open_engine(ALIASES) as engine:
        for who in ("alice", "bob"):
            await answer(engine, dm(who, "hello"))
        done = await engine.models.choose_for([ALICE, BOB], SMALL)
        await engine.models.choose(BOB, "offline/echo-8k")
        back = await engine.models.undo(done)
        assert [one.session_key for one in back.made] == [ALICE]
        assert [one.session_key for one in back.changes if not one.done] == [BOB]
        assert await override_of(engine, BOB) == "offline/echo-8k"


async def test_one_that_another_program_writes_keeps_none_of_the_others(
    open_engine: Open,
) -> None:
    config = '{session: {lockTimeoutSeconds: 0, dmScope: "per-channel-peer"}}'
    async with open_engine(config) as engine:
        for who in ("alice", "bob"):
            await answer(engine, dm(who, "hello"))
        path = next(
            path
            for path in (engine.state_dir / "agents").rglob("*.jsonl")
            if ALICE in path.read_text("utf-8").splitlines()[0]
        )
        held = take(Disk(), path, SystemClock())
        try:
            done = await engine.models.choose_for([ALICE, BOB], SMALL)
        finally:
            held.release()
        assert [key for key, _ in done.failures] == [ALICE]
        assert [one.session_key for one in done.made] == [BOB]
        with pytest.raises(ModelNotFound):
            await engine.models.choose_for([ALICE, BOB], "nobody-knows")


async def test_of_choices_at_the_same_moment_the_last_one_holds_and_undo_knows_what_was_before(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    four, eight = "offline/echo-4k", "offline/echo-8k"
    async with open_engine(ALIASES) as engine:
        await answer(engine, dm("alice", "hello"))
        writing, may_write = threading.Event(), threading.Event()
        note = modelchange._note

        def slowly(live: LiveSession, ref: str | None) -> None:
            writing.set()
            may_write.wait(20)
            note(live, ref)

        monkeypatch.setattr(modelchange, "_note", slowly)
        first = asyncio.create_task(engine.models.choose(ALICE, SMALL))
        await asyncio.to_thread(writing.wait, 20)
        command = await engine.submit(said(f"/model {four}"), session_key=ALICE)
        while engine._kitchen.lanes.inside(ALICE) < 2:
            await asyncio.sleep(0.005)
        last = asyncio.create_task(engine.models.choose(ALICE, eight))
        await asyncio.sleep(0)
        may_write.set()
        done = [await first, await last]
        assert (await command.result()).error is None
        assert [(one.before, one.after) for one in done] == [(None, SMALL), (four, eight)]
        assert await override_of(engine, ALICE) == eight
        overtaken = await engine.models.undo(ManyChanged((done[0],)))
        assert overtaken.made == () and await override_of(engine, ALICE) == eight
        await engine.models.undo(ManyChanged((done[1],)))
        assert await override_of(engine, ALICE) == four
