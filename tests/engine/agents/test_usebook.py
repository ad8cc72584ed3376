from __future__ import annotations

import anyio

from engine import Engine
from engine.agents.usebook import UseBook
from engine.routing.usage import use_by_rule
from engine.sessions.store import Store
from tests.engine.conftest import Open, answer, dm, said

CONFIG = """{
  session: {dmScope: "per-channel-peer"},
  bindings: [{agentId: "main", match: {channel: "telegram", peer: {kind: "dm", id: "alice"}}}],
}"""


def hits(engine: Engine) -> dict[str, int]:
    found = use_by_rule(engine.setup.router, engine.uses.seen())
    return {name: use.messages for name, use in found.items()}


async def until_ready(book: UseBook) -> None:
    with anyio.fail_after(60):
        while not book.ready:
            await anyio.sleep(0.01)


async def test_recorded_and_new_messages_are_counted_once(open_engine: Open) -> None:
    async with open_engine(CONFIG) as engine:
        for _ in range(3):
            await answer(engine, dm("alice", "hello"))
        await answer(engine, dm("bob", "hello"))
        told: list[bool] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.uses.keep, lambda: told.append(True))
            await until_ready(engine.uses)
            assert hits(engine) == {"bindings[0]": 3, "default": 1} and told == [True]
            before = engine.uses.version
            await answer(engine, dm("alice", "again"))
            await answer(engine, said("the operator speaks"))
            assert hits(engine) == {"bindings[0]": 4, "default": 2}
            assert engine.uses.version == before + 2
            last = use_by_rule(engine.setup.router, engine.uses.seen())["bindings[0]"].last
            assert last > 1_600_000_000_000
            await engine.apply_config("{}")
            assert hits(engine) == {"default": 6}
            tasks.cancel_scope.cancel()


async def test_copies_in_forks_count_once_and_counting_anew_says_the_same(
    open_engine: Open,
) -> None:
    async with open_engine(CONFIG) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("alice", "two"))
        key = "agent:main:telegram:dm:alice"
        tree = await engine.tree(key)
        assert tree.leaf is not None
        await engine.branches.fork(key, tree.leaf)
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(engine.uses.keep)
                await until_ready(engine.uses)
                assert hits(engine) == {"bindings[0]": 2}
                tasks.cancel_scope.cancel()
            engine.uses.ready = False


async def test_what_comes_while_the_old_is_read_is_neither_lost_nor_counted_twice(
    open_engine: Open,
) -> None:
    async with open_engine(CONFIG) as engine:
        await answer(engine, dm("alice", "hello"))
        disk, clock = engine._kitchen.disk, engine._clock  # the same doors
        gate = anyio.Event()

        def slow() -> Store:
            import anyio.from_thread

            anyio.from_thread.run(gate.wait)
            return Store(disk, engine.state_dir, clock)

        book = UseBook(slow, engine.subscribe)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(book.keep)
            await anyio.sleep(0.05)
            await answer(engine, dm("alice", "while you read"))
            gate.set()
            await until_ready(book)
            assert sum(use.messages for use in book.seen().values()) == 2
            await answer(engine, dm("alice", "and after"))
            assert sum(use.messages for use in book.seen().values()) == 3
            tasks.cancel_scope.cancel()
