from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from engine import Disk
from engine.agents.reload import ConfigRoom
from engine.config import revisions
from engine.config.edit import set_value
from engine.config.load import Snapshot
from engine.config.revisions import Revision, write_config
from engine.errors import ConfigError, EditRefused
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved
from engine.turns.order import Setup
from tests.engine.conftest import Open, answer, dm
from tests.engine.reload_support import Watching, path_of, put, text, watch_engine


@pytest.fixture
def watching(open_engine: Open) -> Watching:
    return partial(watch_engine, open_engine)


async def test_an_edit_from_the_app_is_planned_written_told_once_and_undone(
    watching: Watching,
) -> None:
    async with watching(text("per-channel-peer")) as ear:
        room = ear.engine.settings
        await answer(ear.engine, dm("alice", "hi"))
        await answer(ear.engine, dm("bob", "hello"))
        before = path_of(ear).read_bytes()
        edit = set_value(await room.text(), ("session", "dmScope"), "main")
        plan = await room.plan(edit)
        assert plan.moved is not None and plan.moved.exposed == 2
        assert plan.changes == ("session.dmScope",)
        assert path_of(ear).read_bytes() == before
        revision = await room.write(edit)
        assert ear.engine.config.session.dm_scope == "main"
        assert path_of(ear).read_text() == text("main")
        await ear.quiet()
        assert len(ear.of(ConfigChanged)) == 1
        assert [one.text for one in await room.revisions()] == [text("main"), before.decode()]
        await room.write(await room.rollback(revision.number - 1))
        assert path_of(ear).read_bytes() == before
        assert ear.engine.config.session.dm_scope == "per-channel-peer"


async def test_a_write_is_refused_when_the_file_moved_on_or_would_break(
    watching: Watching,
) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        edit = set_value(await room.text(), ("session", "dmScope"), "per-peer")
        put(path_of(ear), text("main", "  // meanwhile\n"))
        with pytest.raises(EditRefused, match="changed since"):
            await room.write(edit)
        bad = set_value(await room.text(), ("session", "dmScope"), "everybody")
        for doing in (room.plan, room.write):
            with pytest.raises(ConfigError, match="dmScope"):
                await doing(bad)
        assert "meanwhile" in path_of(ear).read_text()
        assert ear.engine.problems == () and ear.engine.config.session.dm_scope == "main"


async def test_edits_by_hand_are_kept_as_revisions_too(watching: Watching) -> None:
    async with watching() as ear:
        put(path_of(ear), text("per-peer"))
        await ear.scope("per-peer")
        room = ear.engine.settings
        await ear.quiet()
        found = await room.revisions()
        assert [(one.text, one.reason) for one in found] == [
            (text("per-peer"), "edited by hand"),
            (text("main"), "as found in the file"),
        ]


async def test_only_texts_of_the_file_are_kept(watching: Watching) -> None:
    async with watching() as ear:
        await ear.engine.apply_config(text("per-channel-peer"))
        assert ear.engine.settings.unsaved
        put(path_of(ear), text("per-peer"))
        await ear.scope("per-peer")
        await ear.quiet()
        found = await ear.engine.settings.revisions()
        assert [one.text for one in found] == [text("per-peer"), text("main")]


async def test_what_another_process_wrote_is_live_and_kept_once(watching: Watching) -> None:
    async with watching() as ear:
        path, state = path_of(ear), ear.engine.state_dir
        for number, scope in enumerate(("per-peer", "per-channel-peer")):
            edit = set_value(path.read_text(), ("session", "dmScope"), scope)
            write_config(Disk(), path, edit, state_dir=state, now=number)
            await ear.scope(scope)
            await ear.quiet()
        found = await ear.engine.settings.revisions()
        scopes = ("per-channel-peer", "per-peer", "main")
        assert [one.text for one in found] == [text(scope) for scope in scopes]
        assert "edited by hand" not in [one.reason for one in found]


async def test_undo_takes_a_write_back_in_the_file_and_in_force(watching: Watching) -> None:
    async with watching(text("main", "  // a remark\n")) as ear:
        room, before = ear.engine.settings, path_of(ear).read_bytes()
        for scope in ("per-peer", "per-channel-peer"):
            await room.write(set_value(await room.text(), ("session", "dmScope"), scope))
        shown = await room.undo_edit()
        assert shown is not None and '+  session: { dmScope: "per-peer" }' in shown.diff
        assert await room.undo(shown) == 4
        assert ear.engine.config.session.dm_scope == "per-peer"
        assert '"per-peer"' in path_of(ear).read_text() and not room.unsaved
        assert await room.undo() == 5
        assert path_of(ear).read_bytes() == before and not room.unsaved
        assert ear.engine.config.session.dm_scope == "main"
        assert await room.undo() is None and await room.undo_edit() is None
        await ear.quiet()
        assert [each.revision for each in ear.of(ConfigChanged)] == [2, 3, 4, 5]
        assert len(await room.revisions()) == 5


async def test_undo_goes_back_step_by_step_through_memory_and_file(watching: Watching) -> None:
    async with watching() as ear:
        room, before = ear.engine.settings, path_of(ear).read_bytes()
        await ear.engine.set_scope("per-peer")
        await room.write(set_value(await room.text(), ("ui", "glyphs"), "ascii"))
        assert ear.engine.config.session.dm_scope == "main"
        await room.undo()
        assert path_of(ear).read_bytes() == before
        assert ear.engine.config.session.dm_scope == "per-peer" and room.unsaved
        assert await room.undo_edit() is None
        await room.undo()
        assert ear.engine.config.session.dm_scope == "main" and not room.unsaved


async def test_what_was_tried_in_memory_and_then_written_goes_back_in_both(
    watching: Watching,
) -> None:
    async with watching() as ear:
        room, before = ear.engine.settings, path_of(ear).read_bytes()
        edit = set_value(await room.text(), ("session", "dmScope"), "per-peer")
        await ear.engine.apply_config(edit.text)
        await room.write(edit)
        assert not room.unsaved and ear.engine.revision == 2
        shown = await room.undo_edit()
        assert shown is not None and '+  session: { dmScope: "main" }' in shown.diff
        await room.undo(shown)
        assert path_of(ear).read_bytes() == before and not room.unsaved
        assert ear.engine.config.session.dm_scope == "main"
        assert await room.undo() is None


async def test_a_comment_that_takes_what_is_in_memory_away_gives_it_back(
    watching: Watching,
) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        await ear.engine.set_scope("per-peer")
        put(path_of(ear), text("main", "  // a word\n"))
        await ear.scope("main")
        assert await room.undo_edit() is None
        await room.undo()
        assert ear.engine.config.session.dm_scope == "per-peer" and room.unsaved
        assert "// a word" in path_of(ear).read_text()


async def test_undo_gives_a_broken_file_its_last_good_text(watching: Watching) -> None:
    async with watching() as ear:
        put(path_of(ear), text("per-peer"))
        await ear.scope("per-peer")
        put(path_of(ear), text("everybody"))
        await ear.until(lambda: ear.of(ConfigBroken))
        assert await ear.engine.settings.undo() == 2
        assert path_of(ear).read_text() == text("per-peer") and not ear.engine.problems
        assert await ear.engine.settings.undo() == 3
        assert path_of(ear).read_text() == text("main") and not ear.engine.problems
        kept = [one.text for one in await ear.engine.settings.revisions()]
        assert text("everybody") in kept


async def test_undo_never_overwrites_an_edit_that_nobody_was_shown(watching: Watching) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        await room.write(set_value(await room.text(), ("session", "dmScope"), "per-peer"))
        shown = await room.undo_edit()
        put(path_of(ear), text("per-peer", "  // meanwhile\n"))
        with pytest.raises(EditRefused, match="changed since"):
            await room.undo(shown)
        assert "meanwhile" in path_of(ear).read_text()
        assert ear.engine.config.session.dm_scope == "per-peer"


async def test_what_an_editor_saves_while_an_edit_is_written_is_not_lost(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching() as ear:
        room, path = ear.engine.settings, path_of(ear)
        edit = set_value(await room.text(), ("session", "dmScope"), "per-peer")
        keep = revisions._keep

        def meanwhile(disk: Disk, folder: Path, revision: Revision) -> Revision:
            kept = keep(disk, folder, revision)
            if revision.text == edit.text:
                put(path, text("main", "  // by hand\n"))
            return kept

        monkeypatch.setattr(revisions, "_keep", meanwhile)
        with pytest.raises(EditRefused, match="changed since"):
            await room.write(edit)
        monkeypatch.undo()
        assert "by hand" in path.read_text()
        assert not list(path.parent.glob(".*.tmp"))
        assert ear.engine.config.session.dm_scope == "main"
        assert edit.text not in [one.text for one in await room.revisions()]


def held(monkeypatch: pytest.MonkeyPatch, room: ConfigRoom, scope: str) -> tuple[Event, Event]:
    """Hold a config of this scope back while it is made ready; (it is held, it may go on)."""
    making, may_go = Event(), Event()
    make = room._settings.make

    def slowly(snapshot: Snapshot) -> Setup:
        if snapshot.config.session.dm_scope == scope:
            making.set()
            may_go.wait(20)
        return make(snapshot)

    monkeypatch.setattr(room._settings, "make", slowly)
    return making, may_go


async def test_what_an_edit_changed_is_told_against_what_was_in_force_then(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "  ui: { glyphs: 'ascii' },\n"
    async with watching() as ear:
        room = ear.engine.settings
        await answer(ear.engine, dm("alice", "hi"))
        other = room.prepare(text("per-peer", more))
        making, may_go = held(monkeypatch, room, "per-channel-peer")
        put(path_of(ear), text("per-channel-peer", more))
        await asyncio.to_thread(making.wait, 20)
        room.adopt(other)
        may_go.set()
        await ear.scope("per-channel-peer")
        await ear.until(lambda: ear.of(ConfigMoved))
        assert [one.changes for one in ear.of(ConfigChanged)] == [
            ("session.dmScope", "ui.glyphs"),
            ("session.dmScope",),
        ]
        [moved] = ear.of(ConfigMoved)
        assert moved.moved.merges == () and len(moved.moved.moves) == 1
        assert [one.key for one in moved.moved.moves] == ["agent:main:dm:alice"]


async def test_of_changes_in_memory_the_last_one_asked_for_holds(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        making, may_go = held(monkeypatch, room, "per-peer")
        first = asyncio.create_task(room.apply(text("per-peer")))
        await asyncio.to_thread(making.wait, 20)
        second = asyncio.create_task(room.apply(text("per-channel-peer")))
        await asyncio.sleep(0.05)
        may_go.set()
        assert [await first, await second] == [2, 3]
        assert ear.engine.config.session.dm_scope == "per-channel-peer"
        await room.undo()
        assert ear.engine.config.session.dm_scope == "per-peer"


async def test_a_scope_set_while_an_edit_is_taken_in_keeps_the_edit(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        making, may_go = held(monkeypatch, room, "per-channel-peer")
        put(path_of(ear), text("per-channel-peer", "  ui: { glyphs: 'ascii' },\n"))
        await asyncio.to_thread(making.wait, 20)
        setting = asyncio.create_task(ear.engine.set_scope("per-peer"))
        await asyncio.sleep(0.05)
        may_go.set()
        await setting
        config = ear.engine.config
        assert (config.session.dm_scope, config.ui.glyphs) == ("per-peer", "ascii")


async def test_undo_takes_back_only_what_was_shown(watching: Watching) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        await room.write(set_value(await room.text(), ("session", "dmScope"), "per-peer"))
        shown = await room.undo_edit()
        await room.apply(text("per-channel-peer"))
        with pytest.raises(EditRefused, match="changed since"):
            await room.undo(shown)
        assert path_of(ear).read_text() == text("per-peer")
        assert ear.engine.config.session.dm_scope == "per-channel-peer"


async def test_undo_leaves_what_comes_into_force_meanwhile(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching() as ear:
        room = ear.engine.settings
        await room.apply(text("per-peer"))
        other = room.prepare(text("per-channel-peer"))
        making, may_go = held(monkeypatch, room, "main")
        undoing = asyncio.create_task(room.undo())
        await asyncio.to_thread(making.wait, 20)
        room.adopt(other)
        may_go.set()
        with pytest.raises(EditRefused, match="meanwhile"):
            await undoing
        assert ear.engine.config.session.dm_scope == "per-channel-peer"
        monkeypatch.undo()
        await room.undo()
        assert ear.engine.config.session.dm_scope == "per-peer"
