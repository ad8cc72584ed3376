from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from engine.turns.lanes import Lanes


async def test_one_turn_at_a_time_per_session_in_order_of_arrival() -> None:
    lanes, log = Lanes(8), []

    async def turn(number: int) -> None:
        async with lanes.turn("k"):
            log.append(("in", number))
            await anyio.sleep(0.001)
            log.append(("out", number))

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(turn, number)
    assert log == [(word, number) for number in range(6) for word in ("in", "out")]
    assert lanes.busy == ()


async def test_sessions_run_side_by_side_up_to_the_limit() -> None:
    lanes = Lanes(2)
    running, most = 0, 0

    async def turn(key: str) -> None:
        nonlocal running, most
        async with lanes.turn(key):
            running += 1
            most = max(most, running)
            await anyio.sleep(0.005)
            running -= 1

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(turn, f"k{number}")
    assert most == 2


async def held(lanes: Lanes, key: str, until: anyio.Event) -> None:
    async with lanes.turn(key):
        await until.wait()


async def test_waiting_counts_only_those_behind_somebody() -> None:
    lanes, done = Lanes(4), anyio.Event()
    async with anyio.create_task_group() as group:
        for key in ("a", "b", "a"):
            group.start_soon(held, lanes, key, done)
        await anyio.wait_all_tasks_blocked()
        assert lanes.inside("a") == 2
        assert lanes.waiting == 1
        assert sorted(lanes.busy) == ["a", "b"]
        done.set()
    assert lanes.waiting == 0


async def test_a_cancelled_waiter_leaves_its_place() -> None:
    lanes, done, ran = Lanes(4), anyio.Event(), []
    async with anyio.create_task_group() as group:
        group.start_soon(held, lanes, "a", done)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            async with lanes.turn("a"):
                ran.append("never")
        assert lanes.inside("a") == 1
        done.set()
    async with lanes.turn("a"):
        ran.append("next")
    assert ran == ["next"]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 4))
def test_order_within_each_session_holds_for_any_arrivals(keys: list[str], limit: int) -> None:
    async def main() -> list[tuple[str, int]]:
        lanes, log = Lanes(limit), []

        async def turn(key: str, number: int) -> None:
            async with lanes.turn(key):
                await anyio.lowlevel.checkpoint()
                log.append((key, number))

        async with anyio.create_task_group() as group:
            for number, key in enumerate(keys):
                group.start_soon(turn, key, number)
        return log

    log = anyio.run(main)
    for key in "abc":
        numbers = [number for one, number in log if one == key]
        assert numbers == sorted(numbers)
        assert len(numbers) == keys.count(key)
