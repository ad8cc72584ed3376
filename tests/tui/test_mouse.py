"""What the mouse does: a click is Enter, the wheel scrolls, a drag selects what ^C copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from tests.tui import trees
from tests.tui.driving import SMALL, WIDE, running, say, screen, seed, shows, until
from tui.app import BranchlineApp
from tui.widgets.rowlist import RowList

LISTS = [("sessions", "SessionList")]
CONFIG = """{
  agents: { list: [{ id: "main" }, { id: "ops" }] },
  bindings: [
    { agentId: "ops", match: { channel: "telegram", peer: { kind: "dm", id: "bob" } } },
    { agentId: "ops", match: { channel: "slack" } },
  ],
}"""


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    trees.write(path, trees.orders())
    (path / "branchline.json5").write_text(CONFIG)
    await seed(path, {"bob": ["hello"], "carol": ["hello", "again"], "dave": ["hello"]})
    return path


async def go_to(app: BranchlineApp, pilot: Pilot[None], mode: str, kind: str) -> RowList:
    screen(app).open_session(trees.KEY)
    await until(pilot, lambda: screen(app).chat.ref == trees.KEY)
    await app.switch_mode(mode)
    await until(pilot, lambda: app.current_mode == mode and bool(app.screen.query(kind)))
    found = app.screen.query(kind).first()
    assert isinstance(found, RowList)
    found.focus()
    await until(pilot, lambda: found.has_focus and len(found.rows) > 1, "rows")
    await pilot.pause(0.3)
    return found


def line_of(rows: RowList, row: int) -> int:
    """Where a row is in the pane, its border counted."""
    return rows._tops[row] - rows.scroll_offset.y + rows.content_region.y - rows.region.y


@pytest.mark.parametrize("size", [WIDE, SMALL])
@pytest.mark.parametrize(("mode", "kind"), LISTS)
async def test_a_click_is_enter_on_each_list(
    state: Path, mode: str, kind: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(state, size) as (app, pilot):
        rows = await go_to(app, pilot, mode, kind)
        told: list[tuple[str, Any]] = []

        def hear(self: RowList, message: Message) -> bool:
            if isinstance(message, (RowList.Selected, RowList.Folded)):
                told.append((type(message).__name__, message.key))
                return True
            return post(self, message)

        post = RowList.post_message
        monkeypatch.setattr(RowList, "post_message", hear)
        for row in range(min(4, len(rows.rows))):
            rows.cursor = row
            await pilot.pause()
            y = line_of(rows, row)
            await pilot.press("enter")
            by_key, told[:] = list(told), []
            if by_key and by_key[0][0] == "Folded":
                await pilot.press("enter")  # as it was
                told.clear()
            await pilot.click(rows, offset=(8, y))
            assert told == by_key and rows.cursor == row, (row, told, by_key)
            if told and told[0][0] == "Folded":
                await pilot.press("enter")
            told.clear()


async def test_a_click_in_the_tree_goes_to_a_row_and_never_moves_the_leaf(state: Path) -> None:
    async with running(state) as (app, pilot):
        rows = await go_to(app, pilot, "tree", "TreeList")
        before = (await app.engine.tree(trees.KEY)).leaf
        await pilot.click(rows, offset=(8, line_of(rows, 1)))
        await until(pilot, lambda: rows.cursor == 1, "the row")
        await pilot.pause(0.3)
        assert app.current_mode == "tree"
        assert (await app.engine.tree(trees.KEY)).leaf == before


async def wheel(pilot: Pilot[None], widget: Widget, *, up: bool = False) -> None:
    kind = MouseScrollUp if up else MouseScrollDown
    middle = (widget.size.width // 2, widget.size.height // 2)
    for _ in range(4):
        await pilot._post_mouse_events([kind], widget, middle)


@pytest.mark.parametrize("kind", ["SessionList", "Conversation"])
async def test_the_wheel_scrolls_what_is_under_the_pointer(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    await seed(state, {f"person{number}": ["hello"] for number in range(30)})
    async with running(state, SMALL) as (app, pilot):
        await say(pilot, "\n\n".join(f"line {number}" for number in range(60)))
        pane = app.screen.query(kind).first()
        await until(pilot, lambda: pane.max_scroll_y > 12, "more than there is room for")
        await wheel(pilot, pane, up=True)
        await wheel(pilot, pane, up=True)
        high = pane.scroll_y
        await wheel(pilot, pane)
        await until(pilot, lambda: pane.scroll_y > high, "scrolled")
        assert screen(app).composer.has_focus, "the wheel leaves the focus where it is"


async def test_a_drag_over_words_selects_what_a_key_copies(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (app, pilot):
        await say(pilot, "remember the number 42 please")
        await shows(pilot, "This is the first")
        await pilot.press("escape")
        message = next(one for one in app.screen.query("MessageView") if one.region.height > 1)
        row = next(
            y for y in range(message.size.height) if "remember" in message.render_line(y).text
        )
        start = message.render_line(row).text.index("remember")
        await pilot.mouse_down(message, offset=(start, row))
        await pilot.hover(message, offset=(start + 12, row))
        await pilot.mouse_up(message, offset=(start + 12, row))
        selected = app.screen.get_selected_text()
        assert selected is not None and selected.startswith("remember the")
        await pilot.press("ctrl+c")
        assert app.clipboard == selected
        await shows(pilot, "Copied")
