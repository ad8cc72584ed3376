from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from engine.engine import HistoryPage
from tests.tui.driving import running, say, screen, until
from tests.tui.shown import text
from tests.tui.trees import KEY, orders, said, write
from tui.app import BranchlineApp
from tui.widgets.chat.message import LiveMessage
from tui.widgets.dialogs.fork import ForkDialog


def flat(pilot: Pilot[None]) -> str:
    return " ".join(text(pilot.app).split())


async def shows(pilot: Pilot[None], *told: str) -> None:
    await until(pilot, lambda: all(each in flat(pilot) for each in told), f"showing {told}")


async def leaf(app: BranchlineApp) -> str | None:
    return (await app.engine.tree(KEY)).leaf


@asynccontextmanager
async def conversing(
    state: Path, more: Sequence[dict[str, Any]] = (), *, paced: bool = True
) -> AsyncIterator[tuple[BranchlineApp, Pilot[None]]]:
    """The conversation of the same session, the block cursor on its last message."""
    write(state, [*orders(), *more])
    async with running(state, paced=paced) as (app, pilot):
        screen(app).open_session(KEY)
        await until(pilot, lambda: screen(app).chat.ref == KEY)
        await until(pilot, lambda: screen(app).chat.view is not None, "the session")
        await pilot.press("escape")
        await until(pilot, lambda: screen(app).conversation.current is not None, "the cursor")
        yield app, pilot


async def test_the_conversation_marks_branches_and_goes_between_them(tmp_path: Path) -> None:
    async with conversing(tmp_path) as (app, pilot):
        await shows(pilot, "┬ 2 branches")
        await pilot.press("right_square_bracket")
        await shows(pilot, "I cannot see it")
        assert await leaf(app) == "w2"
        await pilot.press("left_square_bracket")
        await shows(pilot, "Use a generator")
        assert await leaf(app) == "y"


async def test_what_cannot_be_done_in_the_conversation_says_why(tmp_path: Path) -> None:
    write(tmp_path, [said("r", None, "assistant", "Good morning")])
    async with running(tmp_path) as (app, pilot):
        screen(app).open_session(KEY)
        await until(pilot, lambda: screen(app).chat.ref == KEY)
        await pilot.press("escape")
        await until(pilot, lambda: screen(app).conversation.current is not None, "the cursor")
        await pilot.press("right_square_bracket")
        told = app.notices.told
        await until(pilot, lambda: any("no other branch parts" in one.text for one in told()))
        await pilot.press("e")
        await until(pilot, lambda: any("nobody said anything" in one.text for one in told()))
        assert "Nothing to edit" in text(app)


async def test_a_reply_again_says_that_it_is_a_second_branch_while_it_comes_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers: list[str] = []

    class Watched(LiveMessage):
        def feed(self, text: str, state: str) -> None:
            super().feed(text, state)
            headers.append(self.rows(80)[0].plain)

    monkeypatch.setattr("tui.widgets.chat.chatscroll.LiveMessage", Watched)
    async with conversing(tmp_path) as (app, pilot):
        assert "Use a generator" in flat(pilot) and flat(pilot).count("┬ 2 branches") == 1
        await app.engine.branches.regenerate(KEY, "y")
        await until(pilot, lambda: flat(pilot).count("┬ 2 branches") == 2, "its mark")
        await until(pilot, lambda: KEY not in app.bridge.tracker.live, "it has ended")
        assert headers and all("◐ streaming · ┬ 2 branches" in header for header in headers)
        await until(pilot, lambda: not app.screen.query(LiveMessage), "its entry stands there")
        await until(pilot, lambda: flat(pilot).count("┬ 2 branches") == 2, "the mark of the entry")


async def test_a_message_of_the_conversation_is_edited_and_sent_again(tmp_path: Path) -> None:
    async with conversing(tmp_path) as (app, pilot):
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ForkDialog), "the dialog")
        app.screen.query_one(TextArea).load_text("Make it fly")
        await pilot.press("enter")
        await shows(pilot, "┬ 3 branches", "Make it fly", "offline model")
        await until(pilot, lambda: "Use a generator" not in flat(pilot), "the other branch")
        assert app.current_mode == "sessions"


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4])
async def test_readings_cut_short_by_the_next_one_lose_nothing_of_the_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    async with conversing(tmp_path) as (app, pilot):
        read = app.engine.history

        async def slowly(*args: Any, **options: Any) -> HistoryPage:
            page = await read(*args, **options)
            await asyncio.sleep(seconds)  # what is told now is younger than the page
            return page

        monkeypatch.setattr(app.engine, "history", slowly)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ForkDialog), "the dialog")
        app.screen.query_one(TextArea).load_text("Make it fly")
        await pilot.press("enter")
        await shows(pilot, "┬ 3 branches", "Make it fly", "offline model")
        await until(pilot, lambda: "Use a generator" not in flat(pilot), "the other branch")
        await say(pilot, "And land it")
        await until(pilot, lambda: "You said: “And" in flat(pilot), "the answer to it")
        assert flat(pilot).count("┃ And land it") == 1
        assert flat(pilot).count("┃ Make it fly") == 1


async def test_a_session_is_compacted_from_the_conversation(tmp_path: Path) -> None:
    more = [said(f"z{number}", "y", "user", "words " * 400) for number in range(1)]
    above = "z0"
    for number in range(1, 40):
        role = "assistant" if number % 2 else "user"
        more.append(said(f"z{number}", above, role, f"many words {number} " * 40))
        above = f"z{number}"
    async with conversing(tmp_path, more, paced=False) as (app, pilot):
        await pilot.press("c")
        await shows(pilot, "Enter accept · e edit · Esc cancel")
        await pilot.press("enter")
        await shows(pilot, "Compacted", "◆ compacted")
        found = await app.engine.tree(KEY)
        assert found.nearest(found.leaf, "compaction") not in (None, "c1")


async def test_a_fork_from_the_conversation_opens(tmp_path: Path) -> None:
    async with conversing(tmp_path) as (app, pilot):
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, ForkDialog), "the dialog")
        await pilot.press("up", "enter")
        await until(pilot, lambda: screen(app).chat.ref.startswith(f"{KEY}:fork:"), "it is open")
        assert await leaf(app) == "y"
