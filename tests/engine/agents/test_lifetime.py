from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine import Engine
from engine.clock import ManualClock
from engine.errors import Problem
from engine.events import Event, Noticed, SessionChanged, SessionRenewed
from tests.engine.conftest import Open, answer, dm, said

MAIN = "agent:main:main"
ALICE = "agent:main:telegram:dm:alice"
HOUR = 3600
DAY = 24 * HOUR
END = Problem("end")
AT_NOON = int(datetime(2026, 4, 15, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT_NOON)


def idle(minutes: int, more: str = "") -> str:
    scope = 'dmScope: "per-channel-peer"'
    return (
        f'{{ session: {{ {scope}, reset: {{ mode: "idle", idleMinutes: {minutes} }}, {more} }} }}'
    )


async def told(engine: Engine, envelope: object) -> list[Event]:
    """What is told of one message, until nothing more comes."""
    found: list[Event] = []
    async with engine.subscribe() as events:
        await answer(engine, envelope)  # type: ignore[arg-type]
        engine.notice(END)
        async for event in events:
            if isinstance(event, Noticed) and event.problem is END:
                return found
            found.append(event)
    raise AssertionError("the end was not told")


async def test_a_message_after_the_silence_begins_anew_and_says_so(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(idle(60), clock=clock) as engine:
        await answer(engine, said("remember the number 42"))
        await engine.keeping.rename(MAIN, "numbers")
        await engine.set_override(MAIN, "offline/echo-2k")
        clock.advance(HOUR)
        assert "42" in await answer(engine, said("what number did I say?"))
        clock.advance(HOUR + 1)
        events = await told(engine, said("what number was it?"))
        [old] = await engine.keeping.generations(MAIN)
        why = ("nothing was said for more than 1 hour", "session.reset")
        assert [e for e in events if isinstance(e, SessionRenewed)] == [
            SessionRenewed(MAIN, *why, old.ref, 4)
        ]
        assert SessionChanged(MAIN) in events
        assert (old.kind, old.reason, old.rule, old.ended) == ("reset", *why, clock.now())
        view = await engine.view(MAIN)
        assert (view.info.label, view.model.ref, view.counts.messages) == (
            "numbers",
            "offline/echo-2k",
            2,
        )
        page = await engine.history(MAIN)
        assert "42" not in page.entries[-1].text


async def test_daily_reset_at_the_hour_and_not_again(open_engine: Open, clock: ManualClock) -> None:
    async with open_engine(
        '{ session: { reset: { mode: "daily", atHour: 5 } } }', clock=clock
    ) as e:
        await answer(e, said("one"))
        clock.advance(16 * HOUR)
        await answer(e, said("two"))
        assert await e.keeping.generations(MAIN) == ()
        clock.advance(2 * HOUR)
        await answer(e, said("three"))
        await answer(e, said("four"))
        [old] = await e.keeping.generations(MAIN)
        assert (old.reason, old.messages) == ("a new day began at 05:00", 4)


async def test_types_and_channels_have_their_own_rules(
    open_engine: Open, clock: ManualClock
) -> None:
    config = """{ session: {
        dmScope: "per-channel-peer",
        resetByType: { dm: { mode: "idle", idleMinutes: 10 } },
        resetByChannel: { discord: { mode: "none" } },
    } }"""
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("bob", "one", channel="discord"))
        clock.advance(HOUR)
        await answer(engine, dm("alice", "two"))
        await answer(engine, dm("bob", "two", channel="discord"))
        [old] = await engine.keeping.generations(ALICE)
        assert old.rule == "session.resetByType.dm"
        assert await engine.keeping.generations("agent:main:discord:dm:bob") == ()


async def test_the_operator_in_anothers_session_is_under_that_sessions_rules(
    open_engine: Open, clock: ManualClock
) -> None:
    config = """{ session: { dmScope: "per-channel-peer",
        resetByChannel: { telegram: { mode: "idle", idleMinutes: 10 } } } }"""
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, dm("alice", "one"))
        clock.advance(HOUR)
        await answer(engine, said("two"), session_key=ALICE)
        assert len(await engine.keeping.generations(ALICE)) == 1


async def test_ttl_ends_a_session_too(open_engine: Open, clock: ManualClock) -> None:
    async with open_engine("{ session: { ttlDays: 2 } }", clock=clock) as engine:
        await answer(engine, said("one"))
        clock.advance(2 * DAY)
        await answer(engine, said("two"))
        clock.advance(2 * DAY + 1)
        await answer(engine, said("three"))
        [old] = await engine.keeping.generations(MAIN)
        assert (old.rule, old.reason) == (
            "session.ttlDays",
            "nothing was said for more than 2 days",
        )


async def test_without_a_rule_nothing_ends_and_nothing_is_written(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(clock=clock) as engine:
        await answer(engine, said("one"))
        clock.advance(900 * DAY)
        await answer(engine, said("two"))
        assert await engine.keeping.generations(MAIN) == ()
        assert not (engine.state_dir / "heartbeat.json").exists()


async def test_a_restored_session_is_in_use_again(open_engine: Open, clock: ManualClock) -> None:
    async with open_engine(idle(60), clock=clock) as engine:
        await answer(engine, said("remember 42"))
        clock.advance(2 * HOUR)
        await answer(engine, said("hello"))
        [old] = await engine.keeping.generations(MAIN)
        await engine.keeping.restore(old.ref)
        await answer(engine, said("I am back"))
        page = await engine.history(MAIN)
        assert [e.text for e in page.entries if e.role == "user"] == ["remember 42", "I am back"]


async def test_an_empty_session_is_not_renewed_again_and_again(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(idle(60), clock=clock) as engine:
        await answer(engine, said("one"))
        await answer(engine, said("/new"))
        clock.advance(2 * HOUR)
        await answer(engine, said("two"))
        assert [one.reason for one in await engine.keeping.generations(MAIN)] == ["/new"]


async def test_what_is_delivered_twice_does_not_begin_anything(
    open_engine: Open, clock: ManualClock
) -> None:
    one = dm("alice", "one", message_id="7")
    async with open_engine(idle(60), clock=clock) as engine:
        await answer(engine, one)
    clock.advance(2 * HOUR)
    async with open_engine(clock=clock) as engine:
        result = await (await engine.submit(one)).result()
        assert result.duplicate
        assert await engine.keeping.generations(ALICE) == ()


async def test_what_is_edited_stays_in_its_session(open_engine: Open, clock: ManualClock) -> None:
    async with open_engine(idle(60), clock=clock) as engine:
        await answer(engine, said("one"))
        clock.advance(2 * HOUR)
        first = (await engine.history(MAIN)).entries[0]
        receipt = await engine.branches.edit(MAIN, first.id, "uno")
        assert (await receipt.result()).error is None
        assert await engine.keeping.generations(MAIN) == ()


async def grown(engine: Engine, clock: ManualClock, count: int) -> list[str]:
    """So many people have said something."""
    for number in range(count):
        await answer(engine, dm(f"p{number}", f"I am {number}"))
        clock.advance(1)
    return [f"agent:main:telegram:dm:p{number}" for number in range(count)]


async def ended(engine: Engine, keys: list[str]) -> int:
    return sum([len(await engine.keeping.generations(key)) for key in keys])


WEEK = idle(7 * 24 * 60)


async def test_a_clock_that_jumps_ends_nothing_until_somebody_says_that_it_is_right(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(WEEK, clock=clock) as engine:
        keys = await grown(engine, clock, 5)
        clock.advance(365 * DAY)
        events = await told(engine, dm("p0", "hello"))
        [notice] = [e.problem for e in events if isinstance(e, Noticed)]
        assert "365 days after the last sign of life: 5 sessions would end" in notice.message
        assert notice.hint is not None and "--clock-is-right" in notice.hint
        assert notice in engine.problems
        again = await told(engine, dm("p1", "hello"))
        assert not [e for e in again if isinstance(e, (Noticed, SessionRenewed))]
        assert await ended(engine, keys) == 0
    async with open_engine(clock=clock) as engine:
        await answer(engine, dm("p2", "hello"))
        assert await ended(engine, keys) == 0, "a new start believes no more than the old one"
        await engine.keeping.rules.confirm_clock()
        assert not engine.problems
        await answer(engine, dm("p3", "hello"))
        assert await ended(engine, keys) == 1


async def test_a_clock_that_goes_back_is_believed_again(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(WEEK, clock=clock) as engine:
        keys = await grown(engine, clock, 5)
        clock.advance(365 * DAY)
        await answer(engine, dm("p0", "hello"))
        assert engine.problems
        clock.advance(-365 * DAY)
        await answer(engine, dm("p1", "hello"))
        assert not engine.problems and await ended(engine, keys) == 0
        for _ in range(8):
            clock.advance(DAY)
            await answer(engine, dm("p2", "hello"))
        await answer(engine, dm("p3", "hello"))
        assert await ended(engine, keys) == 1


async def test_days_that_pass_one_by_one_and_few_sessions_ask_nobody(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine(WEEK, clock=clock) as engine:
        keys = await grown(engine, clock, 3)
        clock.advance(30 * DAY)
        for name in ("p0", "p1", "p2"):
            await answer(engine, dm(name, "hello"))
        assert await ended(engine, keys) == 3


async def test_what_an_ordinary_day_ends_needs_no_asking(
    open_engine: Open, clock: ManualClock
) -> None:
    config = '{ session: { dmScope: "per-peer", reset: { mode: "daily" } } }'
    async with open_engine(config, clock=clock) as engine:
        for number in range(6):
            await answer(engine, dm(f"p{number}", "hello"))
        clock.advance(3 * DAY)  # a long weekend
        await answer(engine, dm("p1", "hello"))
        assert len(await engine.keeping.generations("agent:main:dm:p1")) == 1


async def test_a_session_that_another_program_writes_goes_on(
    open_engine: Open, clock: ManualClock, tmp_path: Path
) -> None:
    from engine.disk import Disk
    from engine.sessions.store import Store

    config = idle(60, "lockTimeoutSeconds: 0.1")
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, said("one"))
        clock.advance(2 * HOUR)
        other = Store(Disk(), engine.state_dir, clock).open(MAIN)
        with other.hold():
            result = await (await engine.submit(said("two"))).result()
        assert "written by process" in str(result.error)
        other.close()
        assert await engine.keeping.generations(MAIN) == ()
        await answer(engine, said("two"))
        assert len(await engine.keeping.generations(MAIN)) == 1
