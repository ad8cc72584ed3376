from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Input, Label

from tests.tui.shown import lines
from tui.widgets.keybar import KeyBar, fitting

KEYS = st.lists(st.tuples(st.text("ab^", min_size=1, max_size=5), st.text("xyz", max_size=12)))


@given(KEYS, st.integers(1, 120))
def test_keys_that_do_not_fit_are_left_out_whole(keys: list[tuple[str, str]], width: int) -> None:
    last = ("^P", "commands", "ctrl+p")
    shown, gap = fitting(tuple((*key, "k") for key in keys), last, width)
    used = sum(cell_len(f" {key} {said} ") for key, said, _ in shown)
    assert used + gap + cell_len(" ^P commands ") <= max(width, cell_len(" ^P commands "))
    assert [key[:2] for key in shown] == keys[: len(shown)]


class KeyApp(App[None]):
    BINDINGS = [
        Binding("x", "mark", "Mark [b]it[/b]"),
        Binding("y", "never", "Never", show=False),
    ]

    marked = 0

    def compose(self) -> ComposeResult:
        yield Label("text")
        yield Input()
        yield KeyBar()

    def action_mark(self) -> None:
        self.marked += 1


async def test_the_bar_shows_keys_that_act_and_a_click_presses_them() -> None:
    app = KeyApp()
    async with app.run_test(size=(60, 6)) as pilot:
        app.set_focus(None)
        await pilot.pause()
        await pilot.pause()
        assert "x Mark [b]it[/b]" in lines(app)[-1]
        assert "Never" not in lines(app)[-1]
        assert lines(app)[-1].rstrip().endswith("^P commands")
        await pilot.click(KeyBar, offset=(lines(app)[-1].index("Mark"), 0))
        assert app.marked == 1
        app.query_one(Input).focus()
        await pilot.pause()
        await pilot.pause()
        assert "Mark" not in lines(app)[-1]
