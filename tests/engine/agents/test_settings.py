from __future__ import annotations

import anyio
import pytest

from engine import Engine
from engine.config.schema import Config
from engine.errors import ConfigError
from engine.events import ConfigChanged
from tests.engine.conftest import Open, answer, dm

APART = '{session: {dmScope: "per-channel-peer"}}'
ALICE = "agent:main:telegram:dm:alice"


async def test_a_scope_is_changed_and_changed_back(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
        assert await engine.set_scope("main") == 2
        assert engine.route(dm("alice", "")).session_key == "agent:main:main"
        assert "4711" not in await answer(engine, dm("alice", "which code?"))
        assert {info.key for info in await engine.sessions()} == {ALICE, "agent:main:main"}
        assert await engine.undo_config() == 3
        assert "4711" in await answer(engine, dm("alice", "which code?"))
        assert await engine.undo_config() is None


async def test_the_same_config_is_no_change(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        assert await engine.set_scope("per-channel-peer") == 1
        assert await engine.apply_config(APART + " // with a remark") == 1
        assert await engine.undo_config() is None


async def test_each_change_is_told(open_engine: Open) -> None:
    async with open_engine(APART) as engine, engine.subscribe() as events:
        await engine.set_scope("main")
        await engine.undo_config()
        found = []
        with anyio.move_on_after(0.05):
            async for event in events:
                found.append(event)
        scope = ("session.dmScope",)
        assert found == [ConfigChanged(2, scope), ConfigChanged(3, scope)]


async def test_a_broken_text_changes_nothing_and_stays_visible_until_mended(
    open_engine: Open,
) -> None:
    async with open_engine(APART) as engine:
        with pytest.raises(ConfigError):
            await engine.apply_config('{session: {dmScope: "mine"}}')
        assert (engine.revision, engine.config.session.dm_scope) == (1, "per-channel-peer")
        [problem] = engine.problems
        assert (problem.line, problem.path) == (1, "session.dmScope")
        await engine.apply_config(APART)
        assert engine.problems == ()


async def test_a_value_is_as_good_as_a_text(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await engine.apply_config(Config())
        assert engine.config == Config()


async def test_a_turn_keeps_the_config_it_began_with(open_engine: Open) -> None:
    opened: list[Engine] = []

    def meddle(_: object) -> None:
        engine = opened[0]
        engine.adopt(engine.prepare_config('{session: {dmScope: "main"}}'))

    async with open_engine(APART, checks=(meddle,)) as engine:
        opened.append(engine)
        receipt = await engine.submit(dm("alice", "hello"))
        assert (await receipt.result()).error is None
        assert receipt.order.setup.config.session.dm_scope == "per-channel-peer"
        assert engine.config.session.dm_scope == "main"
        assert receipt.session_key == ALICE


async def test_how_many_turns_run_at_once_follows_the_config(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await engine.apply_config("{agents: {defaults: {maxConcurrent: 9}}}")
        assert engine._lanes._limit.total_tokens == 9


async def test_no_more_than_twenty_configs_are_kept(open_engine: Open) -> None:
    async with open_engine("{}") as engine:
        for n in range(25):
            await engine.apply_config(f"{{agents: {{defaults: {{timeoutSeconds: {n + 1}}}}}}}")
        undone = 0
        while await engine.undo_config() is not None:
            undone += 1
        assert undone == 20
        assert engine.config.agents.defaults.timeout_seconds == 5
