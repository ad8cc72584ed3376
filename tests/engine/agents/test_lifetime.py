from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine import Engine
from engine.agents.views import Begun
from engine.clock import ManualClock
from engine.disk import Disk
from engine.errors import Problem
from engine.events import Event, Noticed, SessionChanged, SessionRenewed
from engine.lifecycle.retention import Rules
from engine.sessions.store import Store
from engine.sessions.tombs import read_tombs
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


async def test_a_year_is_no_ordinary_night(open_engine: Open, clock: ManualClock) -> None:
    async with open_engine(idle(60), clock=clock) as engine:
        keys = await grown(engine, clock, 6)
        clock.advance(365 * DAY)
        for number in range(6):
            await answer(engine, dm(f"p{number}", "hello"))
        assert await ended(engine, keys) == 0 and engine.problems


async def test_a_session_that_another_program_writes_goes_on(
    open_engine: Open, clock: ManualClock, tmp_path: Path
) -> None:
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


async def kinds(engine: Engine) -> dict[str, str]:
    """Who there is, and what they are: the last part of each key → kind."""
    return {info.key.rpartition(":")[2]: info.kind for info in await engine.sessions()}


async def test_the_schedule_archives_what_is_too_old_and_leaves_the_rest(
    open_engine: Open, clock: ManualClock
) -> None:
    config = '{ session: { dmScope: "per-channel-peer", ttlDays: 2 } }'
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("carol", "one"))
    clock.advance(DAY)
    async with open_engine(clock=clock) as engine:
        await answer(engine, dm("bob", "one"))
        engine.keeping.rules.looked_at = "agent:main:telegram:dm:carol"
        clock.advance(1.5 * DAY)
        await engine.keeping.rules.sweep()
        found = await kinds(engine)
        assert found == {"alice": "archived", "bob": "session", "carol": "session"}
        [old] = await engine.keeping.generations(ALICE)
        assert (old.rule, old.ended) == ("session.ttlDays", clock.now())


async def test_the_schedule_prunes_into_the_trash_and_empties_it(
    open_engine: Open, clock: ManualClock
) -> None:
    config = """{ session: { dmScope: "per-channel-peer",
        maintenance: { pruneAfterDays: 2, trashDays: 2 } } }"""
    async with open_engine(config, clock=clock) as engine:
        for name in ("alice", "bob", "carol"):
            await answer(engine, dm(name, "one"))
        await answer(engine, said("mine"))
        await engine.keeping.label("agent:main:telegram:dm:bob", ["escalated"])
    clock.advance(DAY)
    async with open_engine(clock=clock) as engine:
        await answer(engine, dm("carol", "two"))
        clock.advance(1.5 * DAY)
        done = await engine.keeping.rules.sweep()
        assert [step.record.key for step in done.steps] == [ALICE]
        assert await kinds(engine) == {
            "alice": "deleted",
            "bob": "session",
            "carol": "session",
            "main": "session",
        }
        tombs = read_tombs(Disk(), engine.state_dir / "agents/main/tombstones.jsonl")
        rule = "session.maintenance.pruneAfterDays"
        assert [(one.action, one.rule, one.key) for one in tombs] == [("trash", rule, ALICE)]
        [gone] = await engine.keeping.generations(ALICE, trash=True)
        assert (gone.rule, gone.reason) == (rule, "unused for more than 2 days")
        for _ in range(3):
            clock.advance(0.9 * DAY)
            await engine.keeping.rules.sweep()
        assert "alice" not in await kinds(engine)
        tombs = read_tombs(Disk(), engine.state_dir / "agents/main/tombstones.jsonl")
        assert [(t.action, t.rule) for t in tombs if t.key == ALICE][1:] == [
            ("erase", "session.maintenance.trashDays")
        ]


async def test_what_changed_since_the_plan_or_is_written_elsewhere_stays(
    open_engine: Open, clock: ManualClock
) -> None:
    async with open_engine('{ session: { dmScope: "per-channel-peer" } }', clock=clock) as engine:
        for name in ("alice", "bob", "carol"):
            await answer(engine, dm(name, "one"))
    clock.advance(9 * DAY)
    async with open_engine(clock=clock) as engine:
        rules = engine.keeping.rules
        plan = await rules.plan(Rules(after=DAY))
        assert len(plan.steps) == 3
        await answer(engine, dm("alice", "two"))
        other = Store(Disk(), engine.state_dir, clock).open("agent:main:telegram:dm:bob")
        with other.hold():
            done = await rules.carry_out(plan)
        other.close()
        assert [step.record.key.rpartition(":")[2] for step in done.steps] == ["carol"]
        why = {kept.record.key.rpartition(":")[2]: kept.reason for kept in done.kept}
        assert why["alice"] == "it changed meanwhile"
        assert "written by process" in why["bob"]


async def test_the_schedule_ends_nothing_while_the_clock_is_in_doubt(
    open_engine: Open, clock: ManualClock
) -> None:
    config = """{ session: { dmScope: "per-channel-peer", ttlDays: 30,
        maintenance: { pruneAfterDays: 60 } } }"""
    async with open_engine(config, clock=clock) as engine:
        keys = await grown(engine, clock, 6)
        await engine.keeping.rules.sweep()
    clock.advance(400 * DAY)
    async with open_engine(clock=clock) as engine:
        assert (await engine.keeping.rules.sweep()).steps == ()
        assert engine.problems and await ended(engine, keys) == 0
        assert set((await kinds(engine)).values()) == {"session"}
        await engine.keeping.rules.confirm_clock()
        await engine.keeping.rules.sweep()
        assert set((await kinds(engine)).values()) == {"archived"}


async def test_the_schedule_runs_in_an_app(
    open_engine: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.agents.lifetime.FIRST_SECONDS", 0.02)
    async with open_engine("{ session: { ttlDays: 1 } }", clock=clock) as engine:
        await answer(engine, said("one"))
    clock.advance(1.5 * DAY)
    async with open_engine(clock=clock) as engine, engine.subscribe() as events:
        import anyio

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.watch)
            with anyio.fail_after(60):
                async for event in events:
                    if isinstance(event, SessionChanged) and event.session_key == MAIN:
                        break
            tasks.cancel_scope.cancel()
        assert await kinds(engine) == {"main": "archived"}


async def test_after_the_schedule_s_archiving_the_next_message_says_so_and_keeps_the_name(
    open_engine: Open, clock: ManualClock
) -> None:
    config = '{ session: { dmScope: "per-channel-peer", ttlDays: 2 } }'
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, dm("alice", "one"))
        await engine.keeping.rename(ALICE, "Alice of Sales")
        await engine.keeping.label(ALICE, ["vip"])
        await engine.set_override(ALICE, "offline/echo-2k")
        clock.advance(2.5 * DAY)
        await engine.keeping.rules.sweep()
        await answer(engine, dm("alice", "two"))
        view = await engine.view(ALICE)
        assert (view.info.label, view.info.labels) == ("Alice of Sales", ("active", "vip"))
        assert view.model.ref == "offline/echo-2k"
        begun = (await engine.history(ALICE)).begun
        assert begun == Begun("nothing was said for more than 2 days", "session.ttlDays", 2)


async def test_what_a_person_put_away_is_told_of_and_begins_without_its_name(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        await engine.keeping.rename(MAIN, "numbers")
        await engine.keeping.archive(MAIN)
        await answer(engine, said("two"))
        assert (await engine.view(MAIN)).info.label is None
        assert (await engine.history(MAIN)).begun == Begun("archived by hand", "", 2)
        await engine.keeping.delete(MAIN)
        await answer(engine, said("three"))
        assert (await engine.history(MAIN)).begun is None, "what is in the trash is not spoken of"
