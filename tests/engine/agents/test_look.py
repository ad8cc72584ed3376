from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from engine import Engine
from engine.turns.pool import LiveSession
from tests.engine.conftest import Open, answer, said

MAIN = "agent:main:main"


def users(engine: Engine) -> int:
    live = engine._kitchen.pool.peek(MAIN)
    return live.users if live is not None else 0


async def until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_session_is_held_until_that_is_cancelled(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        holding = asyncio.create_task(engine.hold(MAIN))
        await until(lambda: users(engine) == 1)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        assert users(engine) == 0


async def test_a_hold_given_up_while_the_session_is_opened_leaks_nothing(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        pool = engine._kitchen.pool
        opening, may_open, opened = threading.Event(), threading.Event(), threading.Event()
        get = pool.get

        def slowly(key: str, *, write: bool = False) -> LiveSession:
            opening.set()
            may_open.wait(20)
            try:
                return get(key, write=write)
            finally:
                opened.set()

        monkeypatch.setattr(pool, "get", slowly)
        holding = asyncio.create_task(engine.hold(MAIN))
        await asyncio.to_thread(opening.wait, 20)
        holding.cancel()
        await asyncio.sleep(0)
        may_open.set()
        await asyncio.gather(holding, return_exceptions=True)
        await asyncio.to_thread(opened.wait, 20)
        monkeypatch.undo()
        await until(lambda: users(engine) == 0)
        with pool.using(MAIN) as live:  # closed by nobody either
            assert live.users == 1
            assert live.transcript.tree.leaf is not None
