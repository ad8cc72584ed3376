from __future__ import annotations

from typing import Any

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.command import CommandList
from textual.containers import Center
from textual.content import Content
from textual.widgets import Button, Static

from tests.tui.driving import until
from tests.tui.shown import text
from tui.widgets.dialogs.backdrop import Backdrop
from tui.widgets.dialogs.dialog import Commands, Dialog


class Question(Dialog[None]):
    def compose(self) -> ComposeResult:
        yield Center(Static("Really?"))


class Below(App[None]):
    CSS = """
    Question { align: center middle; background: $background 60%; }
    Question > Center { width: 20; height: 3; background: $panel; }
    """

    def compose(self) -> ComposeResult:
        yield Static(Content.from_markup("[red]red[/] [b on blue]漢字[/] [@click=app.bell]here[/]"))
        yield Button("Press", variant="primary")
        yield Static("words " * 40)


def looks(app: App[Any]) -> list[list[Segment]]:
    return [list(strip.simplify()) for strip in app.screen._compositor.render_strips()]


@pytest.mark.parametrize("dialog", [Question, Commands])
async def test_a_dialog_dims_what_is_below_as_textual_does(
    dialog: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, dimmed = Below(), []
    render = Backdrop.render_strips

    def counted(self: Backdrop, *args: Any) -> Any:
        dimmed.append(self)
        return render(self, *args)

    monkeypatch.setattr(Backdrop, "render_strips", counted)
    async with app.run_test(size=(60, 20)) as pilot:
        found = []
        for fast in (True, False):
            if not fast:
                monkeypatch.setattr("tui.widgets.dialogs.dialog.behind", lambda rendered: rendered)
            await app.push_screen(dialog())
            for field in app.screen.query("Input"):
                field.cursor_blink = False  # type: ignore[attr-defined]
            for rows in app.screen.query(CommandList):
                await until(pilot, lambda rows=rows: rows.option_count > 0, "commands")
            await pilot.pause(0.3)
            if fast:
                await until(pilot, lambda: bool(dimmed), "dimmed")
            assert bool(dimmed) is fast
            found.append(looks(app))
            dimmed.clear()
            await app.screen.dismiss()
        assert found[0] == found[1]


async def test_what_changes_below_is_seen_through_a_dialog() -> None:
    app = Below()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.push_screen(Question())
        await pilot.pause()
        app.screen_stack[0].query(Static).last().update("something else")
        await until(pilot, lambda: "something else" in text(app), "the change")
        assert "Really?" in text(app)
