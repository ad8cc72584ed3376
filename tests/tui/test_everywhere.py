"""What holds on every screen, whichever screens there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from tests.tui import trees
from tests.tui.driving import TINY, WIDE, running, screen, seed, until
from tests.tui.shown import lines, text
from tui import modes
from tui.app import BranchlineApp
from tui.widgets.dialogs.help import HelpDialog
from tui.widgets.keybar import KeyBar
from tui.widgets.panetabs import PaneTabs
from tui.widgets.sessions.statusbar import StatusBar

MODES = [mode.name for mode in modes.MODES]
SIZES = [(120, 40), (80, 24), TINY, (30, 8), (200, 60), (300, 100)]


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    trees.write(path, trees.orders())
    await seed(path, {"bob": ["hi", "and [b]more[/b]"]})
    return path


async def visit(app: BranchlineApp, pilot: Pilot[None], mode: str) -> None:
    screen(app).open_session(trees.KEY)
    await until(pilot, lambda: screen(app).chat.ref == trees.KEY)
    await app.switch_mode(mode)
    await until(pilot, lambda: app.current_mode == mode and bool(app.screen.focus_chain))
    await pilot.pause(0.4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
async def test_every_row_is_as_wide_as_the_terminal(
    state: Path, mode: str, size: tuple[int, int]
) -> None:
    async with running(state, size) as (app, pilot):
        await visit(app, pilot, mode)
        assert {cell_len(line) for line in lines(app)} == {size[0]}
        assert len(lines(app)) == size[1]
        assert lines(app)[-1].rstrip().endswith("commands")
        for pane in app.screen.focus_chain:
            assert pane.region.area == 0 or pane.region.width >= 4, pane
        await pilot.press("ctrl+p")
        await pilot.pause(0.2)
        assert {cell_len(line) for line in lines(app)} == {size[0]}


@pytest.mark.parametrize("size", [TINY, (60, 20), (80, 24)])
@pytest.mark.parametrize("mode", MODES)
async def test_no_title_and_no_name_of_a_pane_is_cut_in_the_midst_of_a_word(
    state: Path, mode: str, size: tuple[int, int]
) -> None:
    async with running(state, size) as (app, pilot):
        await visit(app, pilot, mode)
        edges = [line for line in lines(app) if re.search("[━─]{2}", line)]
        assert edges and not [line for line in edges if "…" in line]
        bars = [*app.screen.query(PaneTabs), *app.screen.query(StatusBar)]
        rows = [lines(app)[bar.region.y] for bar in bars]
        assert not [row for row in rows if "…" in row or "  · " in row]


async def test_tabs_that_are_short_of_room_still_lead_where_they_say(state: Path) -> None:
    async with running(state, TINY) as (app, pilot):
        await visit(app, pilot, "routing")
        (tabs,) = app.screen.query(PaneTabs)
        row = lines(app)[tabs.region.y]
        assert row.startswith(" [Bindings]  Try a message   dmScope   Config")
        await pilot.click(tabs, offset=(row.index("dmScope") + 3, 0))
        await until(pilot, lambda: "[dmScope]" in text(app), "the pane of dmScope")
        row = lines(app)[tabs.region.y]
        await pilot.click(tabs, offset=(row.index("Config"), 0))
        await until(pilot, lambda: "[Config" in text(app), "the pane of the config")


@pytest.mark.parametrize("mode", MODES)
async def test_ascii_signs_only_where_the_config_asks_for_them(state: Path, mode: str) -> None:
    (state / "branchline.json5").write_text('{"ui": {"glyphs": "ascii"}}')
    async with running(state) as (app, pilot):
        app.hush_advice()
        await visit(app, pilot, mode)
        for key in ("", "tab", "tab", "f1"):
            if key:
                await pilot.press(key)
                await pilot.pause(0.1)
            strange = {char for char in text(app) if not char.isascii()}
            assert strange == set(), (key, strange)


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_is_told_by_colour_alone(
    state: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(state) as (app, pilot):
        await visit(app, pilot, mode)
        assert app.no_color
        focused = app.screen.focused
        assert focused is not None
        there = focused.styles.border_top[0]
        for pane in app.screen.focus_chain:
            if pane is not focused and pane.has_class("pane") and focused.has_class("pane"):
                assert pane.styles.border_top[0] != there, "the pane in focus has another border"


@pytest.mark.parametrize("mode", MODES)
async def test_the_footer_leads_to_the_other_screens_where_there_is_room(
    state: Path, mode: str
) -> None:
    async with running(state, (160, 40)) as (app, pilot):
        await visit(app, pilot, mode)
        others = [one for one in modes.MODES if one.name != mode]
        told = lines(app)[-1]
        for other in others:
            assert f"{other.key.upper()} {other.title}" in told
        other = others[0]
        await pilot.click(KeyBar, offset=(told.index(f"{other.key.upper()} {other.title}"), 0))
        await until(pilot, lambda: app.current_mode == other.name)


@pytest.mark.parametrize("mode", MODES)
async def test_a_dialog_closes_with_escape_and_the_focus_is_where_it_was(
    state: Path, mode: str
) -> None:
    async with running(state, WIDE) as (app, pilot):
        await visit(app, pilot, mode)
        here = app.screen.focused
        for key in ("f1", "ctrl+p", "ctrl+o"):
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2, key)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1, key)
            assert app.screen.focused is here
        await pilot.press("f1")
        assert isinstance(app.screen, HelpDialog)
