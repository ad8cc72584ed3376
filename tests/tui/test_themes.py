from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.app import App
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import OptionList

from tests.tui.driving import folded, running, seed, shows, until
from tests.tui.shown import text
from tui import modes
from tui.app import BranchlineApp
from tui.config.settings import choose_theme
from tui.look.theme import DARK, LIGHT, MAX_BYTES, own_themes, read_theme, read_themes
from tui.memory import save_memory
from tui.widgets.dialogs.themes import ThemePicker, in_order


def test_own_themes_can_be_used_in_every_style_sheet() -> None:
    names = {theme.name: theme for theme in own_themes()}
    assert set(names) == {"branchline-dark", "branchline-light"}
    assert names["branchline-dark"].dark and not names["branchline-light"].dark
    variables = set(BUILTIN_THEMES["textual-dark"].to_color_system().generate())
    for theme in names.values():
        assert variables <= set(theme.to_color_system().generate())


def test_a_theme_file_may_have_comments_and_takes_its_name_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json5"
    path.write_text("{\n// my own\nprimary: '#ff0000', dark: false,\n}")
    found = read_theme(path)
    assert found.problem is None
    assert found.theme is not None
    assert (found.theme.name, found.theme.primary, found.theme.dark) == ("mine", "#ff0000", False)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"primary": 7}', '{"primary": "#ff0000", "colour": "x"}',
     '{"primary": "no such"}', '{"primary": "#ff0000", "dark": "yes"}',
     '{"primary": "#ff0000", "variables": {"a": 1}}', "\0", "[" * 100_000,
     '{"primary": "#ff0000", "name": 1}'],
)  # fmt: skip
def test_a_bad_theme_file_is_a_problem_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json5"
    path.write_text(text)
    found = read_theme(path)
    assert found.theme is None
    assert found.problem is not None and found.problem.file == str(path)


def test_a_huge_theme_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json5"
    path.write_text('{"primary": "#ff0000"}' + " " * MAX_BYTES)
    assert read_theme(path).theme is None


def test_no_theme_folder_has_no_themes(tmp_path: Path) -> None:
    assert read_themes(tmp_path / "themes") == []


@pytest.mark.parametrize(
    ("written", "line", "column", "field", "hint"),
    [
        ("{\n  primary: '#ff0000',\n  acent: 'red',\n}", 3, 3, "acent", "did you mean accent?"),
        ("{\n  primary: '#ff0000',\n  accent: 'rad',\n}", 3, 11, "accent", "#rrggbb"),
        ("{primary: 'red', variables: {\n 'bordr': 'red'}}", 2, 2, "variables.bordr", "border?"),
        ("{primary: 'red', variables: {\n 'border': 'banana'}}", 2, 12, "variables.border", "#rr"),
        (
            "{primary: 'red', variables: {'link-style': 'wavy'}}",
            1,
            44,
            "variables.link-style",
            "bold",
        ),
        ("{primary: 'red', textAlpha: 7}", 1, 29, "textAlpha", ""),
        ("{primary: 'red',\n dark: }", 2, 8, "", ""),
    ],
)
def test_what_is_wrong_is_told_with_line_column_and_remedy(
    tmp_path: Path, written: str, line: int, column: int, field: str, hint: str
) -> None:
    path = tmp_path / "mine.json5"
    path.write_text(written)
    problem = read_theme(path).problem
    assert problem is not None
    assert (problem.line, problem.column, problem.path or "") == (line, column, field)
    assert hint in (problem.hint or "")


def test_ours_come_first_then_those_of_the_person_then_the_rest() -> None:
    mine = {"sea": Theme("sea", primary="blue"), "ash": Theme("ash", primary="grey")}
    order = in_order({**BUILTIN_THEMES, **mine, **{one.name: one for one in own_themes()}})
    assert order[:4] == [DARK, LIGHT, "ash", "sea"]
    assert order[4:] == sorted(BUILTIN_THEMES)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    (path / "themes").mkdir(parents=True, mode=0o700)
    return path


def sea(state: Path, color: str) -> Path:
    path = state / "themes" / "sea.json5"
    fresh = path.with_suffix(".new")  # as editors save: a new file takes the place of the old
    fresh.write_text(f"{{primary: '{color}', background: '#001122',}}")
    os.replace(fresh, path)
    return path


def wears(app: App[None], color: str) -> bool:
    """Whether the screen has a primary colour, as near as Textual's arithmetic comes to it."""
    now, wanted = Color.parse(app.theme_variables["primary"]).rgb, Color.parse(color).rgb
    return all(abs(one - other) <= 2 for one, other in zip(now, wanted, strict=True))


async def test_a_theme_in_use_changes_when_its_file_is_saved_and_stays_when_it_breaks(
    state: Path,
) -> None:
    path = sea(state, "#00aaff")
    async with running(state) as (app, pilot):
        await until(pilot, lambda: "sea" in app.available_themes)
        app.theme = "sea"
        await until(pilot, lambda: wears(app, "#00aaff"))
        sea(state, "#ff2200")
        await until(pilot, lambda: wears(app, "#ff2200"), "the new colour")
        path.write_text("{\n  primary: 12,\n}")
        await shows(pilot, "not a colour")
        assert "sea.json5:2:12" in folded(pilot).replace(" ", "")  # a long path is broken over rows
        assert wears(app, "#ff2200")
        app.clear_notifications()
        app.show_problems()
        await shows(pilot, "primary", "not a colour", "write #rrggbb")
        await pilot.press("escape")
        sea(state, "#00ff00")
        await until(pilot, lambda: wears(app, "#00ff00"), "mended")
        assert app.theme_folder.problems == ()


async def test_a_folder_that_is_made_later_is_seen_and_a_file_that_goes_takes_its_theme_along(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    async with running(state) as (app, pilot):
        (state / "themes").mkdir()
        path = sea(state, "#00aaff")
        await until(pilot, lambda: "sea" in app.available_themes, "seen")
        path.unlink()
        await until(pilot, lambda: "sea" not in app.available_themes, "gone")


async def test_a_built_in_theme_that_a_file_covers_comes_back(state: Path) -> None:
    nord = state / "themes" / "nord.json5"
    nord.write_text("{primary: '#123456'}")
    async with running(state) as (app, pilot):
        await until(pilot, lambda: app.available_themes["nord"].primary == "#123456")
        app.theme = "nord"
        await until(pilot, lambda: wears(app, "#123456"))
        nord.unlink()
        await until(pilot, lambda: wears(app, BUILTIN_THEMES["nord"].primary))


async def test_a_theme_that_has_no_file_is_told_once_and_worn_when_it_comes(state: Path) -> None:
    (state / "branchline.json5").write_text('{"ui": {"theme": "sea"}}')
    async with running(state) as (app, pilot):
        await shows(pilot, "there is no theme sea")
        sea(state, "#00aaff")
        await until(pilot, lambda: app.theme == "sea")


def every_variable() -> dict[str, str]:
    found = {}
    for name, value in own_themes()[0].to_color_system().generate().items():
        style = name.endswith(("-style", "-style-hover"))
        found[name] = (
            "bold underline" if style else "auto 50%" if value[:4] == "auto" else "#123456"
        )
    return found


async def test_whatever_variable_a_file_may_set_can_be_drawn_on_every_screen(state: Path) -> None:
    variables = ", ".join(f'"{name}": "{value}"' for name, value in every_variable().items())
    (state / "themes" / "all.json5").write_text(f"{{primary: 'red', variables: {{{variables}}}}}")
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await until(pilot, lambda: "all" in app.available_themes)
        app.theme = "all"
        for mode in modes.MODES:
            await app.switch_mode(mode.name)
            await pilot.pause(0.2)
        await pilot.press("f1")
        assert app.is_running


# the picker


async def opened(app: BranchlineApp, pilot: Pilot[None]) -> OptionList:
    choose_theme(app)
    await until(pilot, lambda: isinstance(app.screen, ThemePicker))
    return app.screen.query_one(OptionList)


async def test_the_theme_under_the_cursor_is_tried_on_and_escape_brings_the_old_one_back(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("j")
        await until(pilot, lambda: app.theme == LIGHT)
        await shows(pilot, "branchline-light", "Enter keep")
        assert "Sessions 0" in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == DARK)
        await pilot.pause()
        assert app.memory.theme in (None, DARK)


async def test_enter_keeps_a_theme_for_the_next_start(state: Path) -> None:
    async with running(state) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.theme == LIGHT and app.memory.theme == LIGHT)
        save_memory(state, app.memory)
    async with running(state) as (app, pilot):
        await until(pilot, lambda: app.theme == LIGHT)


async def test_a_click_keeps_a_theme_and_the_config_is_asked_to_follow(state: Path) -> None:
    (state / "branchline.json5").write_text('{\n  // mine\n  "ui": {"theme": "nord"}\n}')
    async with running(state) as (app, pilot):
        await until(pilot, lambda: app.theme == "nord")
        options = await opened(app, pilot)
        await pilot.pause()
        place = in_order(app.available_themes).index(LIGHT)
        options.scroll_to(y=0, animate=False)
        await pilot.pause()
        await pilot.click(options, offset=(4, place))
        await shows(pilot, '+ "ui": {"theme": "branchline-light"}')
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.ui.theme == LIGHT)
        assert "// mine" in (state / "branchline.json5").read_text()
