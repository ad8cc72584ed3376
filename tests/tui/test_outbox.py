from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from engine.disk import Disk
from tests.tui.driving import running, say, screen, seed, shows, until

ALICE = "agent:main:telegram:dm:alice"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


class FullDisk(Disk):
    """Takes nothing any more once it is full; says so when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.may_tell = threading.Event()

    def fsync(self, fd: int) -> None:
        if self.full:
            self.may_tell.wait(20)
            raise OSError(errno.ENOSPC, "No space left on device")
        super().fsync(fd)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("then", ["stay", "write on", "clear", "go elsewhere", "go and come back"])
async def test_a_disk_that_takes_nothing_loses_nothing(state: Path, late: bool, then: str) -> None:
    await seed(state, {"alice": ["hello"]})
    disk = FullDisk()
    async with running(state, disk=disk) as (app, pilot):
        home, composer = screen(app), screen(app).composer
        await say(pilot, "kept")
        await shows(pilot, "main ▸ echo")
        await until(pilot, lambda: composer.draft == "" and not app.bridge.tracker.live)
        disk.full = True
        home.chat.next_models["agent:main:main"] = "offline/echo-2k"
        await say(pilot, "do not lose me")
        if then == "write on":
            composer.insert(" and this")
        elif then == "clear":
            composer.set_draft("another thought")
        elif then.startswith("go"):
            home.open_session(ALICE)
        if then == "go and come back":
            home.open_session("agent:main:main")
        if late:
            await until(
                pilot, lambda: any(one.waits for one in home.outbox._sent), "it counts as waiting"
            )
        disk.may_tell.set()
        await shows(pilot, "No space left")
        drafts = home.outbox.unsent()
        assert drafts["agent:main:main"].startswith("do not lose me")
        assert home.chat.next_models == {"agent:main:main": "offline/echo-2k"}
        assert drafts["agent:main:main"].count("do not lose me") == 1
        assert ALICE not in drafts
        if then == "write on":
            assert "and this" in composer.draft
        if then == "clear":
            assert "another thought" in composer.draft
        assert composer.draft == ("" if then == "go elsewhere" else drafts["agent:main:main"])


async def test_a_text_that_was_stored_is_gone_wherever_the_person_went_meanwhile(
    state: Path,
) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await say(pilot, "sent and gone")
        screen(app).open_session(ALICE)
        screen(app).open_session("agent:main:main")
        await shows(pilot, "┃ sent and gone", "main ▸ echo")
        await until(pilot, lambda: screen(app).outbox.unsent() == {}, "nothing is left over")


async def test_drafts_stay_with_their_session_and_survive_a_restart(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).composer.set_draft("half a thought")
        screen(app).open_session(ALICE)
        await shows(pilot, "Alice · Telegram DM")
        assert screen(app).composer.draft == ""
        screen(app).composer.set_draft("for alice")
        screen(app).open_session("agent:main:main")
        await until(pilot, lambda: screen(app).composer.draft == "half a thought")
        screen(app).leave()
        assert app.memory.drafts == {"agent:main:main": "half a thought", ALICE: "for alice"}


async def test_what_waits_when_the_app_is_left_is_a_draft_at_the_next_start(
    state: Path, slow_model: str
) -> None:
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text(slow_model)
    async with running(state) as (app, pilot):
        await say(pilot, "tell me a long story")
        await shows(pilot, "word1")
        await say(pilot, "and another one")
        await shows(pilot, "waits its turn")
        await pilot.press("ctrl+q")
        await pilot.pause()
    assert app.memory.drafts == {"agent:main:main": "and another one"}
