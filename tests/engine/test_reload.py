from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from engine import Disk
from engine.config.watch import stopping
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved, Noticed, ReplyDelta
from tests.engine.conftest import Open, answer, dm, said
from tests.engine.reload_support import (
    SCOPES,
    Ear,
    Watching,
    overwrite,
    path_of,
    put,
    text,
    watch_engine,
)

EDITS = int(os.environ.get("BRANCHLINE_TEST_EDITS", "40"))


@pytest.fixture
def watching(open_engine: Open) -> Watching:
    return partial(watch_engine, open_engine)


@pytest.mark.parametrize("save", [put, overwrite])
async def test_an_edit_is_in_force_once_and_says_what_changed(
    watching: Watching, save: Callable[[Path, str], None]
) -> None:
    async with watching() as ear:
        save(path_of(ear), text("per-peer", "  ui: { glyphs: 'ascii' },\n"))
        await ear.scope("per-peer")
        await ear.quiet()
        [changed] = ear.of(ConfigChanged)
        assert changed.revision == ear.engine.revision == 2
        assert changed.changes == ("session.dmScope", "ui.glyphs")
        assert not ear.of(ConfigBroken) and not ear.engine.problems
        assert not ear.engine.settings.unsaved


async def test_twenty_edits_in_a_row_are_seen_one_by_one(watching: Watching) -> None:
    async with watching() as ear:
        for number in range(20):
            scope = SCOPES[(number + 1) % 4]
            (put, overwrite)[number % 2](path_of(ear), text(scope))
            await ear.scope(scope)
        await ear.quiet()
        assert [each.revision for each in ear.of(ConfigChanged)] == [*range(2, 22)]
        assert not ear.of(ConfigBroken)


async def test_twenty_edits_at_once_end_with_the_last(watching: Watching) -> None:
    async with watching() as ear:
        for number in range(20):
            put(path_of(ear), text("per-peer", f"  // {number}\n"))
        put(path_of(ear), text("per-channel-peer"))
        await ear.scope("per-channel-peer")
        await ear.quiet()
        assert ear.engine.config.session.dm_scope == "per-channel-peer"
        assert len(ear.of(ConfigChanged)) <= 2


async def test_a_broken_edit_keeps_the_last_good_one_and_stays_visible_until_mended(
    watching: Watching,
) -> None:
    async with watching() as ear:
        put(path_of(ear), text("everybody"))
        await ear.until(lambda: ear.of(ConfigBroken))
        [broken] = ear.of(ConfigBroken)
        [problem] = broken.problems
        assert (problem.line, problem.column, problem.path) == (3, 23, "session.dmScope")
        assert ear.engine.problems == broken.problems
        assert ear.engine.setup.snapshot.broken
        assert [event.problem for event in ear.of(Noticed)] == [problem]
        assert (ear.engine.revision, ear.engine.config.session.dm_scope) == (1, "main")
        assert await answer(ear.engine, said("still there?"))
        await ear.quiet()
        assert len(ear.of(ConfigBroken)) == 1
        put(path_of(ear), text("main"))
        await ear.until(lambda: not ear.engine.problems)
        [mended] = ear.of(ConfigChanged)
        assert (mended.revision, mended.changes) == (1, ())


async def test_the_mark_of_a_broken_file_outlasts_changes_made_in_memory(
    watching: Watching,
) -> None:
    async with watching() as ear:
        put(path_of(ear), "{ session: ")
        await ear.until(lambda: ear.of(ConfigBroken))
        await ear.engine.set_scope("per-peer")
        assert ear.engine.setup.snapshot.broken and ear.engine.settings.unsaved
        await ear.engine.undo_config()
        assert ear.engine.setup.snapshot.broken
        put(path_of(ear), text("per-channel-peer"))
        await ear.scope("per-channel-peer")
        assert not ear.engine.setup.snapshot.broken and not ear.engine.settings.unsaved


async def test_a_file_seen_half_written_is_never_called_broken(watching: Watching) -> None:
    async with watching() as ear:
        whole = text("per-peer", "  // a long remark\n" * 50)
        for _ in range(3):
            with path_of(ear).open("w") as file:
                for start in range(0, len(whole), 200):
                    file.write(whole[start : start + 200])
                    file.flush()
                    os.fsync(file.fileno())
                    await anyio.sleep(0.02)
            await ear.scope("per-peer")
            overwrite(path_of(ear), text("main"))
            await ear.scope("main")
        await ear.quiet()
        assert not ear.of(ConfigBroken) and not ear.of(Noticed)


async def test_a_link_that_is_switched_and_the_file_behind_it_are_seen(
    watching: Watching, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for number, scope in enumerate(SCOPES[:3]):
        folder = tmp_path / f"version{number}"
        folder.mkdir()
        (folder / "real.json5").write_text(text(scope))
    link = tmp_path / "state" / "branchline.json5"
    link.symlink_to(tmp_path / "version0" / "real.json5")
    async with watching(None) as ear:

        def switch(number: int) -> None:
            fresh = link.with_name("fresh")
            fresh.symlink_to(tmp_path / f"version{number}" / "real.json5")
            fresh.replace(link)

        switch(1)
        await ear.scope("per-peer")
        switch(2)
        await ear.scope("per-channel-peer")
        put(tmp_path / "version2" / "real.json5", text("main"))
        await ear.scope("main")
        overwrite(tmp_path / "version2" / "real.json5", text("per-peer"))
        await ear.scope("per-peer")
        put(tmp_path / "version0" / "real.json5", text("per-channel-peer"))
        await ear.quiet()
        assert ear.engine.config.session.dm_scope == "per-peer"
        assert not ear.of(ConfigBroken)


async def test_a_folder_that_is_switched_as_a_whole_is_seen(
    open_engine: Open, tmp_path: Path, watching: Watching
) -> None:
    for number, scope in enumerate(SCOPES[:2]):
        folder = tmp_path / f"v{number}"
        folder.mkdir()
        (folder / "c.json5").write_text(text(scope))
    (tmp_path / "now").symlink_to("v0")
    async with watching(None, config_path=tmp_path / "now" / "c.json5") as ear:
        (tmp_path / "fresh").symlink_to("v1")
        (tmp_path / "fresh").replace(tmp_path / "now")
        await ear.scope("per-peer")
        put(tmp_path / "v1" / "c.json5", text("per-channel-peer"))
        await ear.scope("per-channel-peer")


async def test_a_file_that_goes_is_told_and_its_return_too(watching: Watching) -> None:
    async with watching() as ear:
        path_of(ear).unlink()
        await ear.until(lambda: ear.of(ConfigBroken))
        assert "there is no such file" in str(ear.engine.problems[0])
        assert await answer(ear.engine, said("hello"))
        path_of(ear).write_text(text("main"))
        await ear.until(lambda: not ear.engine.problems)
        path_of(ear).unlink()
        put(path_of(ear), text("per-peer"))
        await ear.scope("per-peer")
        assert len(ear.of(ConfigBroken)) == 1


async def test_its_folder_may_go_and_come_back(watching: Watching, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "c.json5").write_text(text("main"))
    async with watching(None, config_path=folder / "c.json5") as ear:
        folder.rename(tmp_path / "away")
        await ear.until(lambda: ear.of(ConfigBroken))
        folder.mkdir()
        (folder / "c.json5").write_text(text("per-peer"))
        await ear.scope("per-peer")
        overwrite(folder / "c.json5", text("main"))
        await ear.scope("main")


async def test_an_edit_made_before_the_watch_began_is_taken_in(open_engine: Open) -> None:
    async with open_engine(text("main")) as engine, anyio.create_task_group() as tasks:
        assert engine.config_path
        put(engine.config_path, text("per-peer"))
        tasks.start_soon(engine.watch)
        await Ear(engine).scope("per-peer")
        tasks.cancel_scope.cancel()


async def test_a_touch_or_a_comment_is_no_change(watching: Watching) -> None:
    async with watching() as ear:
        os.utime(path_of(ear))
        put(path_of(ear), text("main", "  // another comment\n"))
        other = path_of(ear).with_name("branchline.json5~")
        other.write_text(text("per-peer"))
        await ear.quiet()
        assert not ear.of(ConfigChanged) and not ear.of(ConfigBroken)
        assert "another comment" in ear.engine.setup.snapshot.text


async def test_a_turn_in_flight_keeps_the_config_it_began_with(watching: Watching) -> None:
    async with watching(paced=True) as ear:
        receipt = await ear.engine.submit(said("some words to be said again " * 40))
        await ear.until(lambda: ear.of(ReplyDelta))
        put(path_of(ear), text("per-peer", "  agents: { defaults: { model: 'gone/away' } },\n"))
        await ear.scope("per-peer")
        assert not receipt.finished
        result = await receipt.result()
        assert result.error is None and result.model == "offline/echo"
        after = await (await ear.engine.submit(said("and now?"))).result()
        assert "gone/away" in str(after.error)


async def test_what_an_edit_moved_is_told_with_who_sees_whose_words(watching: Watching) -> None:
    async with watching(text("per-channel-peer")) as ear:
        await answer(ear.engine, dm("alice", "my password is secret123"))
        await answer(ear.engine, dm("bob", "hello"))
        put(path_of(ear), text("main"))
        await ear.until(lambda: ear.of(ConfigMoved))
        [moved] = ear.of(ConfigMoved)
        assert (moved.revision, moved.partial) == (2, False)
        assert [change.key for change in moved.moved.merges] == ["agent:main:main"]
        assert {(one.reader, one.author) for one in moved.moved.exposes} == {
            ("telegram:alice", "telegram:bob"),
            ("telegram:bob", "telegram:alice"),
        }
        put(path_of(ear), text("main", "  ui: { glyphs: 'ascii' },\n"))
        await ear.until(lambda: len(ear.of(ConfigChanged)) == 2)
        await ear.quiet()
        assert len(ear.of(ConfigMoved)) == 1


class Surprising(Disk):
    """A disk whose reads fail as nobody foresaw, when told to."""

    surprise = False

    def read(self, fd: int, count: int, offset: int) -> bytes:
        if self.surprise:
            raise RuntimeError("what is this?")
        return super().read(fd, count, offset)


async def test_a_surprise_is_told_and_the_next_edit_is_seen(watching: Watching) -> None:
    disk = Surprising()
    async with watching(disk=disk) as ear:
        disk.surprise = True
        put(path_of(ear), text("per-peer"))
        await ear.until(lambda: ear.of(ConfigBroken))
        assert "what is this?" in str(ear.engine.problems[0])
        disk.surprise = False
        put(path_of(ear), text("per-channel-peer"))
        await ear.scope("per-channel-peer")
        assert not ear.engine.problems


async def test_a_thread_that_watches_hears_at_once_that_it_is_cancelled() -> None:
    heard: list[bool] = []
    looks = threading.Semaphore(0)

    async def watch() -> None:
        async with stopping() as stop:

            def look() -> None:
                looks.release()
                deadline = time.monotonic() + 20
                while not stop.is_set() and time.monotonic() < deadline:
                    time.sleep(0.01)
                heard.append(stop.is_set())

            await anyio.to_thread.run_sync(look)

    task = asyncio.create_task(watch())
    assert await asyncio.to_thread(looks.acquire, timeout=20)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        assert await asyncio.to_thread(looks.acquire, timeout=20)
        tasks.cancel_scope.cancel()
    assert heard == [True, True]


def edits(seed: int, count: int) -> Iterator[tuple[str, str | None]]:
    """(a file's text, the scope it says, None when it is broken)."""
    chance = random.Random(seed)
    breaks: list[Callable[[str], str]] = [
        lambda whole: whole[: chance.randrange(1, len(whole) - 3)],
        lambda whole: whole.replace("dmScope", "dmScop"),
        lambda whole: whole.replace('"', "", 1),
        lambda whole: whole.replace("per-", "par-").replace("main", "mine"),
        lambda whole: "\x00" + whole,
        lambda whole: "[" * 100 + whole,
    ]
    for number in range(count):
        scope = chance.choice(SCOPES)
        whole = text(scope, f"  // edit {number}\n")
        broken = chance.random() < 0.5
        yield (chance.choice(breaks)(whole), None) if broken else (whole, scope)


@pytest.mark.timeout(300)
async def test_random_edits_while_four_lanes_stream_never_leave_a_stale_config_unmarked(
    watching: Watching,
) -> None:
    async with watching(paced=True) as ear:

        async def talk(who: str) -> None:
            while True:
                await answer(ear.engine, dm(who, "some words to be said again " * 10))

        async def live(content: str, scope: str | None) -> None:
            engine = ear.engine
            if scope is None:
                await ear.until(lambda: engine.setup.snapshot.broken)
            else:
                await ear.until(lambda: engine.setup.snapshot.text == content)
                assert engine.config.session.dm_scope == scope
                assert not engine.setup.snapshot.broken

        async with anyio.create_task_group() as lanes:
            for who in ("alice", "bob", "carol", "dave"):
                lanes.start_soon(talk, who)
            for content, scope in edits(7, EDITS):
                put(path_of(ear), content)
                await live(content, scope)
            lanes.cancel_scope.cancel()


async def test_how_the_last_edit_was_taken_in_can_be_asked(watching: Watching) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        assert room.watching and room.last is None
        put(path_of(ear), text("per-peer"))
        await ear.scope("per-peer")
        assert room.last is not None and room.last.ok and 0 < room.last.seconds < 5
        put(path_of(ear), text("everybody"))
        await ear.until(lambda: ear.of(ConfigBroken))
        assert not room.last.ok
    assert not room.watching
