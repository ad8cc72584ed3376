from __future__ import annotations

from pathlib import Path

import pytest
from textual.geometry import Region, Size
from textual.widgets import Input, TextArea

from tests.tui.driving import TINY, WIDE, running, shows, until
from tests.tui.shown import text
from tui.app import BranchlineApp
from tui.behind.notices import Notice, NoticeBoard, Severity
from tui.look.glyphs import ASCII, UNICODE
from tui.widgets.notices import Notices, drawn, find_room


def notice(
    title: str, said: str = "words", severity: Severity = "information", until: float = 10
) -> Notice:
    return Notice(title, (said,), severity, 0.0, until)


def test_two_are_up_and_all_are_remembered() -> None:
    board = NoticeBoard()
    for title in "abc":
        board.post(notice(title))
    assert [one.title for one in board.shown(0)] == ["b", "c"]
    assert [one.title for one in board.told()] == ["c", "b", "a"]
    assert board.shown(11) == ()


def test_a_light_one_does_not_push_a_grave_one_out() -> None:
    board = NoticeBoard()
    board.post(notice("grave", severity="error"))
    for title in "ab":
        board.post(notice(title))
    assert [one.title for one in board.shown(0)] == ["grave", "b"]


def test_one_title_is_one_notice_the_newest_words_first() -> None:
    board = NoticeBoard()
    board.post(notice("Config", "old", "warning", until=5))
    board.post(notice("Config", "new", until=9))
    board.post(notice("Config", "new", until=9))
    (one,) = board.shown(0)
    assert (one.text, one.severity, one.until) == ("new\nold", "warning", 9)
    assert len(board.told()) == 3


def test_without_a_title_only_the_same_words_are_one() -> None:
    board = NoticeBoard()
    for said in ("Copied", "Copied", "Gone"):
        board.post(notice("", said))
    assert [one.text for one in board.shown(0)] == ["Copied", "Gone"]


def test_one_that_was_read_or_cleared_is_gone_and_still_remembered() -> None:
    board = NoticeBoard()
    board.post(notice("a"))
    board.post(notice("b"))
    board.put_away(board.shown(0)[0])
    assert [one.title for one in board.shown(0)] == ["b"]
    board.clear()
    assert board.shown(0) == () and len(board.told()) == 2


@pytest.mark.parametrize("width", [50, 80, 120, 200])
@pytest.mark.parametrize("height", [15, 24, 40])
@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_place_touches_nothing_that_is_taken(width: int, height: int, part: int) -> None:
    half = Region(0, 1, width // 2, height - 2)
    taken = [
        [Region(0, height - 6, width, 4)],
        [half],
        [half.translate((width // 2, 0))],
        [Region(0, 1, width, height // 2)],
    ][part]
    place = find_room(Size(width, height), taken, lambda _: 3)
    assert place is not None
    assert not any(place.overlaps(each) for each in taken)
    assert Region(0, 1, width, height - 2).contains_region(place)


def test_there_is_no_place_where_one_pane_is_all() -> None:
    assert find_room(Size(50, 15), [Region(0, 1, 50, 13)], lambda _: 2) is None


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_long_words_are_cut_and_every_row_is_as_wide(glyphs: object) -> None:
    one = notice("Problem", "a word and another " * 40 + "[red]", "error")
    rows = drawn(one, 32, 3, glyphs)  # type: ignore[arg-type]
    assert len(rows) == 4 and {row.cell_length for row in rows} == {32}
    assert rows[0].plain.strip().endswith("Problem")


def placed(app: BranchlineApp) -> Notices | None:
    return next((each for each in app.screen.query(Notices) if each.display), None)


@pytest.mark.parametrize("size", [WIDE, (80, 24), TINY])
async def test_a_notice_is_never_over_the_focus_or_a_field(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size) as (app, pilot):
        for key in ("f2", "f3", "f4", "f5"):
            await pilot.press(key)
            for title in ("One", "Two", "Three"):
                app.say(f"this was done, {title} and it is told at some length", title, seconds=60)
            await until(pilot, lambda: placed(app) is not None, "a notice")
            for _ in range(4):
                await pilot.press("tab")
                await pilot.pause()
                shown = placed(app)
                assert shown is not None
                box = shown.region
                fields = [*app.screen.query(TextArea), *app.screen.query(Input)]
                kept = [each for each in (*fields, app.screen.focused) if each is not None]
                for each in kept:
                    if each.is_on_screen:
                        assert not box.overlaps(each.region), f"{key}: {each}\n{text(app)}"
            app.clear_notifications()
            await until(pilot, lambda: placed(app) is None, "no notice")


async def test_a_notice_leaves_inspector_and_list_in_sight_while_one_writes(
    sample_state: Path,
) -> None:
    async with running(sample_state) as (app, pilot):
        app.clear_notifications()
        app.say(
            "3 in all, and here is the first of them, told at length", "Please note", seconds=60
        )
        await until(pilot, lambda: placed(app) is not None, "the notice")

        def over(names: str) -> bool:
            shown = placed(app)
            panes = [pane.region for pane in app.screen.query(names)]
            return shown is None or any(shown.region.overlaps(pane) for pane in panes)

        assert not over("Inspector, SessionList, Composer"), text(app)
        await pilot.press("escape")
        await until(pilot, lambda: not over("Conversation"), "beside what is read")


async def test_a_click_puts_a_notice_away_and_the_palette_lists_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        app.say("the first thing", "First", seconds=60)
        app.say("the [b]second[/b] thing", "Second", seconds=60)
        await shows(pilot, "the first thing", "the [b]second[/b] thing")
        await pilot.click(Notices, offset=(4, 0))
        await until(pilot, lambda: "the first thing" not in text(app), "gone")
        assert "second" in text(app)
        app.show_notices()
        await shows(pilot, "Notices", "the first thing", "the [b]second[/b] thing")


async def test_a_notice_goes_by_itself_and_follows_to_another_screen(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        app.say("it is done", "Told", seconds=3)
        await shows(pilot, "it is done")
        await pilot.press("f5")
        await shows(pilot, "it is done")
        await until(pilot, lambda: "it is done" not in text(app), "gone")


async def test_a_notice_keeps_off_the_palette_and_is_shown_once(tmp_path: Path) -> None:
    async with running(tmp_path, (80, 24)) as (app, pilot):
        app.say("it is done", "Told", seconds=60)
        await shows(pilot, "it is done")
        await pilot.press("ctrl+p", *"theme")
        await pilot.pause(0.5)
        parts = [part for each in app.screen.children for part in each.children]
        for box in app.screen.query(Notices):
            assert not any(box.display and box.region.overlaps(part.region) for part in parts)
        assert not any(box.display for box in app.screen_stack[0].query(Notices))
