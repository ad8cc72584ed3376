from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.driving import SMALL, running, say, screen, seed, shows, until
from tests.tui.shown import text

ALICE, BOB = (f"agent:main:telegram:dm:{name}" for name in ("alice", "bob"))
HOME = "agent:main:main"
SMALLER = "offline/echo-2k"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_model_of_its_own_is_seen_wherever_the_session_is(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE)
        await shows(pilot, "from config · offline")
        await say(pilot, f"/model {SMALLER}")
        await shows(pilot, "▲ echo-2k override", f"model ▲ {SMALLER}", "from session override")
        await shows(pilot, "config offline/echo · offline", "Alice · Telegram DM · ▲ echo-2k")
        await say(pilot, "/model default")
        await shows(pilot, "from config · offline")
        await until(pilot, lambda: "▲ echo-2k" not in text(app), "the mark goes")


async def test_for_the_next_message_only(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state, SMALL, paced=False) as (app, pilot):
        home = screen(app)
        home.open_session(ALICE)
        await until(pilot, lambda: home.chat.ref == ALICE)
        home.chat.next_models[ALICE] = SMALLER
        home.draw()
        await say(pilot, "/status")
        await shows(pilot, "offline/echo (config)", "next message only: offline/echo-2k")
        await say(pilot, "who are you")
        await shows(pilot, "echo-2k")
        await until(pilot, lambda: ALICE not in home.chat.next_models)
        await until(pilot, lambda: "next message only" not in text(app), "it is used up")
        await until(pilot, lambda: not app.bridge.tracker.live)
        assert (await app.engine.view(ALICE)).model.ref == "offline/echo"
        [info] = await app.engine.sessions()
        assert (info.model, info.override) == (SMALLER, None)
        home.chat.next_models[ALICE] = SMALLER
        await app.keep_memory()
    async with running(state, SMALL) as (app, pilot):
        assert screen(app).chat.next_models == {ALICE: SMALLER}
