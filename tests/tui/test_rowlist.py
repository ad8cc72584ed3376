from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tests.tui.shown import lines, text
from tui.look.cells import fit
from tui.widgets.framed import StillBar
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, Rows, RowView


class Words:
    def __init__(self, words: Sequence[str], height: int | None = 1):
        self.words = words
        self.uniform = height

    def __len__(self) -> int:
        return len(self.words)

    def height(self, index: int) -> int:
        return 1 + index % 2

    def key(self, index: int) -> Hashable:
        return self.words[index]

    def index_of(self, key: Hashable) -> int | None:
        return self.words.index(key) if key in self.words else None  # type: ignore[arg-type]

    def foldable(self, index: int) -> bool:
        return self.words[index].startswith("group")

    def lines(self, index: int, width: int) -> Sequence[Line]:
        first: Line = [(fit(self.words[index], width), "strong")]
        return [first, [("below " + self.words[index], "dim")]]


class Many(Words):
    """A hundred thousand rows that count how often one of them is painted."""

    def __init__(self, size: int):
        super().__init__(range(size))  # type: ignore[arg-type]
        self.painted = 0

    def lines(self, index: int, width: int) -> Sequence[Line]:
        self.painted += 1
        return [[(fit(f"row {index}", width), "")]]

    def foldable(self, index: int) -> bool:
        return False


class ListApp(App[None]):
    def __init__(self, rows: Rows):
        super().__init__()
        self.source_rows = rows
        self.heard: list[Any] = []

    def compose(self) -> ComposeResult:
        yield RowList(self.source, empty="No words")

    def source(self, look: RowView) -> Rows:
        if not isinstance(self.source_rows, Words) or isinstance(self.source_rows, Many):
            return self.source_rows
        words = [word for word in self.source_rows.words if look.query in word]
        if "group a" in look.folded:
            words = [word for word in words if not word.startswith("a")]
        return Words(words, self.source_rows.uniform)

    @property
    def list(self) -> RowList:
        return self.query_one(RowList)

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        self.heard.append(("at", event.key))

    def on_row_list_selected(self, event: RowList.Selected) -> None:
        self.heard.append(("open", event.key))


async def test_no_rows_say_so_and_no_key_hurts() -> None:
    app = ListApp(Words([]))
    async with app.run_test(size=(30, 5)) as pilot:
        await pilot.press("down", "up", "G", "g", "enter", "space", "pagedown", "pageup")
        assert "No words" in lines(app)[0]
        assert app.heard == []


async def test_keys_move_the_cursor_and_enter_opens() -> None:
    app = ListApp(Words([f"word {number}" for number in range(50)]))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("j", "down", "k")
        assert app.list.current == "word 1"
        await pilot.press("G")
        assert app.list.current == "word 49"
        assert "word 49" in lines(app)[-1]
        assert lines(app)[-1].startswith("▌")
        await pilot.press("pageup")
        assert app.list.current == "word 40"
        await pilot.press("home", "enter")
        assert app.heard[-1] == ("open", "word 0")
        assert app.heard[:2] == [("at", "word 1"), ("at", "word 2")]


async def test_rows_of_two_heights_line_up_and_scroll() -> None:
    app = ListApp(Words([f"word {number}" for number in range(20)], None))
    async with app.run_test(size=(30, 6)) as pilot:
        assert [line.strip("▌ ▁▂▃▄▅▆▇█") for line in lines(app)][:5] == [
            "word 0",
            "word 1",
            "below word 1",
            "word 2",
            "word 3",
        ]
        await pilot.press("end")
        assert "below word 19" in lines(app)[-1]
        await pilot.press("pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup")
        assert app.list.current == "word 0"


async def test_wide_characters_keep_every_row_as_wide_as_the_list() -> None:
    app = ListApp(Words(["日本語のとても長い名前です", "한국어", "naïve e\u0301", "ascii"]))
    async with app.run_test(size=(20, 6)):
        assert {cell_len(line) for line in lines(app)} == {20}
        assert "한국어" in text(app)


async def test_resize_repaints_at_the_new_width_and_keeps_the_cursor_in_view() -> None:
    app = ListApp(Words([f"word {number}" for number in range(50)]))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("end")
        await pilot.resize_terminal(12, 5)
        await pilot.pause()
        assert all(cell_len(line) == 12 for line in lines(app))
        assert "word 49" in text(app)


async def test_cursor_and_place_stay_with_their_row_when_rows_come_above() -> None:
    app = ListApp(Words([f"word {number}" for number in range(50)]))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("pagedown", "pagedown")
        here = app.list.current
        before = [here in line for line in lines(app)].index(True)  # type: ignore[operator]
        app.source_rows = Words(["new 1", "new 2", *app.source_rows.words])  # type: ignore[attr-defined]
        app.list.rebuild()
        await pilot.pause()
        assert app.list.current == here
        assert [here in line for line in lines(app)].index(True) == before  # type: ignore[operator]


async def test_filter_narrows_and_an_empty_filter_brings_all_back() -> None:
    app = ListApp(Words([f"word {number}" for number in range(30)]))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("end")
        app.list.filter("1")
        await pilot.pause()
        assert len(app.list.rows) == 12
        assert app.list.current == "word 21"
        app.list.filter("")
        assert len(app.list.rows) == 30


async def test_space_folds_a_group_and_enter_on_it_opens_it_again() -> None:
    app = ListApp(Words(["group a", "a1", "a2", "group b", "b1"]))
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.press("space")
        await pilot.pause()
        assert "a1" not in text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "a1" in text(app)
        assert ("open", "group a") not in app.heard


async def test_a_click_opens_the_row_under_the_pointer() -> None:
    app = ListApp(Words([f"word {number}" for number in range(30)]))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("pagedown", "pagedown")
        first = lines(app)[0].split()[1]
        await pilot.click(RowList, offset=(3, 2))
        assert app.heard[-1] == ("open", f"word {int(first) + 2}")


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_a_key_paints_two_rows_whatever_the_size(size: int) -> None:
    rows = Many(size)
    app = ListApp(rows)
    async with app.run_test(size=(30, 20)) as pilot:
        await pilot.press("down")
        rows.painted = 0
        await pilot.press("down", "down", "down", "down")
        assert 0 < rows.painted <= 8
        await pilot.press("end")
        rows.painted = 0
        await pilot.press("up")
        assert 0 < rows.painted <= 2
        assert f"row {size - 1}" in lines(app)[-1]


class Framed(ListApp):
    CSS = """
    RowList { border: round red; padding: 0 1; border-title-align: left; }
    RowList:focus { border: heavy green; }
    """


def looks(app: App[Any]) -> list[list[tuple[str, object]]]:
    """Letters and colours of the screen."""
    return [
        [(segment.text, segment.style) for segment in strip.simplify()]
        for strip in app.screen._compositor.render_strips()
    ]


@pytest.mark.parametrize("size", [30, 400])
async def test_what_scrolled_looks_as_if_it_were_painted_anew(size: int) -> None:
    app = Framed(Many(size))
    async with app.run_test(size=(30, 12)) as pilot:
        for key in ("pagedown", "down", "pagedown", "up", "end", "pageup", "home", "end", "tab"):
            await pilot.press(key)
            seen = looks(app)
            app.list.refresh()
            app.list.vertical_scrollbar.refresh()
            await pilot.pause()
            assert seen == looks(app), key
        app.list.blur()
        await pilot.pause()
        assert "╭" in lines(app)[0] and "┏" not in text(app)


async def test_beside_a_long_list_the_scrollbar_is_not_painted_at_each_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    painted: list[float] = []
    app = ListApp(Many(100_000))
    async with app.run_test(size=(30, 10)) as pilot:
        bar, render = app.list.vertical_scrollbar, StillBar.render

        def counted(self: StillBar) -> object:
            painted.append(self.position)
            return render(self)

        await pilot.pause()
        monkeypatch.setattr(StillBar, "render", counted)
        await pilot.press(*["pagedown"] * 8)
        assert bar.position > 50 and not painted
        await pilot.press("end")
        assert len(painted) == 1


async def test_a_row_that_says_something_else_is_painted_alone() -> None:
    rows = Many(1000)
    app = ListApp(rows)
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("down")
        before = rows.painted
        app.list.paint_again((3, 700, "gone"))
        await pilot.pause()
        assert rows.painted == before + 1
