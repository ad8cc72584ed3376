from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from engine import Engine
from engine.clock import ManualClock
from engine.disk import Disk
from engine.errors import CommandError, SessionBusy, SessionReadOnly
from engine.events import Noticed, SessionChanged
from engine.sessions.store import Store
from engine.sessions.tombs import read_tombs
from tests.engine.conftest import Open, answer, dm, said

MAIN = "agent:main:main"
ALICE = "agent:main:telegram:dm:alice"
SCOPE = '{ session: { dmScope: "per-channel-peer" } }'


def index_of(engine: Engine) -> Path:
    return engine.state_dir / "agents/main/sessions/sessions.json"


async def listed(engine: Engine) -> dict[tuple[str, str], int]:
    return {(info.key, info.kind): info.messages for info in await engine.sessions()}


async def last_said(engine: Engine, ref: str) -> list[str]:
    return [entry.text for entry in (await engine.history(ref)).entries if entry.role == "user"]


async def test_an_archived_session_is_read_and_restored_under_its_key(open_engine: Open) -> None:
    clock = ManualClock()
    async with open_engine(clock=clock) as engine:
        await answer(engine, said("remember the number 42"))
        await engine.keeping.rename(MAIN, "numbers")
        clock.advance(60)
        gone = await engine.keeping.archive(MAIN)
        assert await listed(engine) == {(MAIN, "archived"): 2}
        assert (gone.kind, gone.ended, gone.reason) == ("archived", clock.now(), "archived by hand")
        assert (gone.label, gone.messages) == ("numbers", 2)
        assert await last_said(engine, gone.ref) == ["remember the number 42"]
        assert "42" not in await answer(engine, said("what number?"))
        assert (await engine.keeping.generations(MAIN)) == (gone,)
        clock.advance(60)
        assert await engine.keeping.restore(gone.ref) == MAIN
        assert "42" in await answer(engine, said("what number did I say?"))
        [aside] = await engine.keeping.generations(MAIN)
        assert aside.reason == "an earlier conversation was restored"
        assert await last_said(engine, aside.ref) == ["what number?"]
        assert (await engine.view(MAIN)).info.label == "numbers"


async def test_generations_tell_when_and_why_newest_first(open_engine: Open) -> None:
    clock = ManualClock()
    async with open_engine(clock=clock) as engine:
        for text in ("one", "two", "three"):
            await answer(engine, said(text))
            clock.advance(3600)
            if text == "two":
                await engine.keeping.archive(MAIN)
            else:
                await answer(engine, said("/new"))
        found = await engine.keeping.generations(MAIN)
        assert [(one.kind, one.reason) for one in found] == [
            ("reset", "/new"),
            ("archived", "archived by hand"),
            ("reset", "/new"),
        ]
        assert [await last_said(engine, one.ref) for one in found] == [["three"], ["two"], ["one"]]
        start = ManualClock().now()
        assert [one.ended - start for one in found] == [10_800_000, 7_200_000, 3_600_000]
        assert await engine.keeping.generations(ALICE) == ()


async def test_generations_and_the_archive_outlive_the_index(open_engine: Open) -> None:
    async with open_engine(SCOPE) as engine:
        await answer(engine, said("one"))
        await answer(engine, said("/new"))
        await answer(engine, dm("alice", "hello"))
        await engine.keeping.archive(ALICE)
        before = await listed(engine)
        ended = [await engine.keeping.generations(key) for key in (MAIN, ALICE)]
        assert [len(found) for found in ended] == [1, 1]
    for name in ("sessions.json", "sessions.cache.json"):
        index_of(engine).with_name(name).unlink()
    async with open_engine() as engine:
        assert await listed(engine) == before
        assert [await engine.keeping.generations(key) for key in (MAIN, ALICE)] == ended
        assert await engine.keeping.restore(ended[1][0].ref) == ALICE
        assert await last_said(engine, ALICE) == ["hello"]


async def test_what_only_the_index_knows_comes_back_with_a_session(
    open_engine: Open, sample_state: Path
) -> None:
    index = sample_state / "agents/main/sessions/sessions.json"
    key = "agent:main:long"
    before = json.loads(index.read_bytes())[key]
    async with open_engine(
        state_dir=sample_state, config_path=sample_state / "own.json5"
    ) as engine:
        gone = await engine.keeping.archive(key)
        assert key not in json.loads(index.read_bytes())
        index.unlink()
        index.with_name("sessions.cache.json").unlink(missing_ok=True)
        [found] = await engine.keeping.generations(key)
        assert (found.key, found.ref) == (key, gone.ref)
        await engine.keeping.restore(found.ref)
        after = json.loads(index.read_bytes())[key]
        changed = {name for name in before if after[name] != before[name]}
        assert changed <= {"sessionFile", "updatedAt"}
        assert (await engine.view(key)).counts.messages > 10


async def test_a_deleted_session_lies_in_the_trash_until_it_is_restored(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        archived = await engine.keeping.archive(MAIN)
        gone = await engine.keeping.delete(archived.ref)
        assert not Path(archived.ref).exists() and gone.kind == "deleted"
        assert await engine.keeping.generations(MAIN) == ()
        assert await engine.keeping.generations(MAIN, trash=True) == (gone,)
        await engine.keeping.restore(gone.ref)
        assert await last_said(engine, MAIN) == ["one"]


async def test_a_session_that_is_being_answered_is_left_alone(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        await answer(engine, said("one"))
        gone = await engine.keeping.archive(MAIN)
        receipt = await engine.submit(said("tell me " + "more and " * 200))
        await receipt.stored()
        for doing, ref in (
            (engine.keeping.archive, MAIN),
            (engine.keeping.delete, MAIN),
            (engine.keeping.restore, gone.ref),
        ):
            with pytest.raises(SessionBusy, match=r"being answered.*stop it"):
                await doing(ref)
        await engine.keeping.rename(MAIN, "now")
        assert (await receipt.result()).error is None
        assert (await engine.view(MAIN)).info.label == "now"
        await engine.keeping.archive(MAIN)


async def test_a_session_that_another_program_writes_is_left_alone(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        other = Store(Disk(), engine.state_dir, ManualClock()).open(MAIN)
        before = other.path.read_bytes()
        with other.hold():
            for doing in (engine.keeping.archive, engine.keeping.delete):
                with pytest.raises(SessionBusy, match=r"written by process \d+"):
                    await doing(MAIN)
        assert other.path.read_bytes() == before
        assert await listed(engine) == {(MAIN, "session"): 2}
        other.close()
        await engine.keeping.archive(MAIN)


async def test_everybody_is_told(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        async with engine.subscribe() as events:
            gone = await engine.keeping.archive(MAIN)
            await engine.keeping.restore(gone.ref)
            await engine.keeping.rename(MAIN, "x")
            for _ in range(3):
                assert await anext(events) == SessionChanged(MAIN)


async def test_a_kept_session_is_renamed_too(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        gone = await engine.keeping.archive(MAIN)
        await engine.keeping.rename(gone.ref, "old times")
        [found] = await engine.keeping.generations(MAIN)
        assert (found.label, found.kind, found.ended) == ("old times", "archived", gone.ended)
        await engine.keeping.rename(gone.ref, "")
        assert (await engine.keeping.generations(MAIN))[0].label is None


async def test_an_older_form_is_migrated_and_then_archived(
    open_engine: Open, tmp_path: Path, flat_session: Callable[[Path], Path]
) -> None:
    flat = flat_session(tmp_path / "state")
    raw = flat.read_bytes()
    async with open_engine() as engine:
        [info] = await engine.sessions()
        gone = await engine.keeping.archive(info.key)
        assert (gone.key, gone.messages) == (info.key, 2)
        assert flat.read_bytes() == raw
        await engine.keeping.restore(gone.ref)
        assert await last_said(engine, info.key) == ["one"]


async def test_what_takes_no_note_is_moved_all_the_same(
    open_engine: Open, tmp_path: Path, flat_session: Callable[[Path], Path]
) -> None:
    flat = flat_session(tmp_path / "state")
    old = flat.rename(flat.with_name("old.jsonl.reset.2026-01-01T00-00-00.000Z"))
    async with open_engine() as engine:
        [info] = await engine.sessions()
        gone = await engine.keeping.delete(info.ref)
        assert (gone.kind, gone.reason) == ("deleted", "moved to the trash")
        assert not old.exists()
        with pytest.raises(SessionReadOnly):
            await engine.keeping.rename(gone.ref, "x")


async def test_only_what_is_over_is_restored(open_engine: Open, sample_state: Path) -> None:
    async with open_engine(
        state_dir=sample_state, config_path=sample_state / "own.json5"
    ) as engine:
        [one, *_] = [info for info in await engine.sessions() if info.kind == "checkpoint"]
        with pytest.raises(CommandError, match="checkpoint"):
            await engine.keeping.restore(one.ref)
        with pytest.raises(CommandError):
            await engine.keeping.restore("agent:main:q")


@pytest.fixture
def flat_session() -> Callable[[Path], Path]:
    """Writes a session of a form that is read and never written to."""

    def write(state: Path) -> Path:
        folder = state / "agents/main/sessions"
        folder.mkdir(parents=True)
        path = folder / "old.jsonl"
        path.write_text(
            '{"role":"user","content":"one"}\n{"role":"assistant","content":"two"}\n', "utf-8"
        )
        return path

    return write


async def test_labels_are_kept_with_the_session_and_survive_a_fresh_start(
    open_engine: Open,
) -> None:
    clock = ManualClock()
    config = "{ session: { timeoutHours: 2 } }"
    async with open_engine(config, clock=clock) as engine:
        await answer(engine, said("one"))
        keep = engine.keeping
        assert await keep.label(MAIN, ["escalated", " vip "]) == ("escalated", "vip")
        assert await keep.label(MAIN, ["Escalated"], ["VIP", "nothing"]) == ("escalated",)
        [info] = await engine.sessions()
        assert info.labels == ("active", "escalated")
        clock.advance(2 * 3600 + 1)
        assert (await engine.view(MAIN)).info.labels == ("idle", "escalated")
        await answer(engine, said("/new"))
        index_of(engine).unlink()
        found = {info.kind: info.labels for info in await engine.sessions()}
        assert found == {"session": ("active", "escalated"), "reset": ("archived", "escalated")}
        [old] = await engine.keeping.generations(MAIN)
        assert await keep.label(old.ref, remove=["escalated"]) == ()
        for bad in ("idle", "", "x" * 41):
            with pytest.raises(CommandError):
                await keep.label(MAIN, [bad])


async def test_deletions_leave_tombstones(open_engine: Open) -> None:
    clock = ManualClock()
    async with open_engine(clock=clock) as engine:
        await answer(engine, said("one"))
        gone = await engine.keeping.delete(MAIN)
        [tomb] = read_tombs(Disk(), engine.state_dir / "agents/main/tombstones.jsonl")
        assert (tomb.action, tomb.rule, tomb.reason) == ("trash", "by hand", "deleted by hand")
        assert (tomb.key, tomb.messages, tomb.at) == (MAIN, 2, clock.now())
        assert tomb.file.startswith(gone.session_id)
        assert "one" not in (engine.state_dir / "agents/main/tombstones.jsonl").read_text()


async def test_a_generation_can_go_while_its_key_is_being_answered(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        await answer(engine, said("one"))
        old = await engine.keeping.archive(MAIN)
        receipt = await engine.submit(said("tell me " + "more and " * 200))
        await receipt.stored()
        await engine.keeping.delete(old.ref)
        assert (await receipt.result()).error is None


async def test_another_program_s_archiving_is_followed_and_no_problem(open_engine: Open) -> None:
    async with open_engine() as here, open_engine() as there:
        await answer(here, said("one"))
        async with here.subscribe() as events, anyio.create_task_group() as tasks:
            tasks.start_soon(here.watch)
            await anyio.sleep(0.5)  # until it watches
            async with anyio.create_task_group() as holding:
                holding.start_soon(here.hold, MAIN)
                await there.keeping.archive(MAIN)
                with anyio.fail_after(60):
                    async for event in events:
                        assert not isinstance(event, Noticed)
                        if event == SessionChanged(MAIN):
                            break
                holding.cancel_scope.cancel()
            tasks.cancel_scope.cancel()
        assert await answer(here, said("two"))
        assert await last_said(here, MAIN) == ["two"]
