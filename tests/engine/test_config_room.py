from __future__ import annotations

from functools import partial

import pytest

from engine import Disk
from engine.config.edit import set_value
from engine.config.revisions import write_config
from engine.errors import ConfigError, EditRefused
from engine.events import ConfigChanged
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
