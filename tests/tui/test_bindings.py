from __future__ import annotations

import importlib
import json
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.actions import parse
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea

import tui
from tests.tui.driving import WIDE, running, seed, until
from tests.tui.shown import text
from tui import modes
from tui.app import BranchlineApp
from tui.commands.keyhelp import deed, help_of
from tui.commands.keymap import completed
from tui.screens.cockpit import CockpitScreen
from tui.widgets.chat.composer import Composer
from tui.widgets.keybar import KeyBar

FORBIDDEN = {
    *(f"ctrl+{key}" for key in "imhaedwukxvzysb"),
    *("ctrl+left_square_bracket", "ctrl+backslash", "ctrl+space", "ctrl+@"),
    *("ctrl+pageup", "ctrl+pagedown", "f6", "f7", "f10", "f11", "f12"),
}
"""Keys that terminals, multiplexers or text fields need themselves (`^J` only as a new line)."""

MODES = [mode.name for mode in modes.MODES]


def classes() -> list[type[DOMNode]]:
    """Every class of the app that may hold bindings, found by looking into all modules."""
    found: dict[type[DOMNode], None] = {}
    for info in pkgutil.walk_packages(tui.__path__, "tui."):
        if info.name.startswith("tui.cli") or info.name == "tui.__main__":
            continue
        for each in vars(importlib.import_module(info.name)).values():
            if (
                isinstance(each, type)
                and issubclass(each, DOMNode)
                and each.__module__ == info.name
            ):
                found[each] = None
    return list(found)


def own_bindings(node: type[DOMNode]) -> list[Binding]:
    return list(Binding.make_bindings(node.__dict__.get("BINDINGS", ())))


ALL = [(node, binding) for node in classes() for binding in own_bindings(node)]


def test_the_walk_sees_the_app_its_screens_panes_and_dialogs() -> None:
    names = {node.__name__ for node, _ in ALL}
    assert {"BranchlineApp", "CockpitScreen", "RowList", "Composer", "Ask", "Jump"} <= names
    assert len(ALL) > 80


def test_every_binding_has_a_name_and_says_what_it_does() -> None:
    nameless = [(node.__name__, each.key) for node, each in ALL if not each.id]
    silent = [(node.__name__, each.key) for node, each in ALL if not each.description]
    assert nameless == [] and silent == []


def test_one_name_is_one_thing() -> None:
    said = defaultdict(set)
    for _, each in ALL:
        said[each.id].add(each.description.rstrip("…"))
    apart = {name: told for name, told in said.items() if len(told) > 1}
    assert set(apart) <= MEANT, apart


MEANT: set[str | None] = {
    "sessions.inspector",  # says that it hides where it has the focus
    "dialog.accept",  # each dialog says what it accepts
}


def test_no_key_is_one_that_terminals_or_fields_need() -> None:
    taken = [(node.__name__, each.key) for node, each in ALL if each.key in FORBIDDEN]
    alt = [each.key for _, each in ALL if "alt+" in each.key and each.key != "alt+enter"]
    assert taken == [] and alt == []


def test_only_the_app_leaves_by_control_q_and_only_screens_stop_by_control_c() -> None:
    special = [(each.key, each.id) for _, each in ALL if each.key in {"ctrl+q", "ctrl+c", "ctrl+p"}]
    assert {("ctrl+q", "app.quit"), ("ctrl+c", "sessions.stop")} <= set(special)
    assert not any(key == "ctrl+p" for key, _ in special)
    assert {name for key, name in special if key == "ctrl+q"} == {"app.quit"}


def test_every_action_exists_where_its_binding_sends_it() -> None:
    missing = [
        (node.__name__, each.action)
        for node, each in ALL
        if not any(_does(target, parse(each.action)[1]) for target in _targets(node, each))
    ]
    assert missing == []


def _targets(node: type[DOMNode], binding: Binding) -> list[type[DOMNode]]:
    space = parse(binding.action)[0]
    if space == "app":
        return [BranchlineApp]
    if space == "screen":
        screens = [mode.load() for mode in modes.MODES]
        return [each for each in screens if node in each.PANES] or list(screens)
    heirs = [each for each in classes() if issubclass(each, node)]
    return [node, *heirs]


def _does(target: type[DOMNode], action: str) -> bool:
    return hasattr(target, f"action_{action}") or hasattr(target, f"_action_{action}")


def test_every_screen_of_a_mode_is_a_cockpit_screen_with_help() -> None:
    for mode in modes.MODES:
        screen = mode.load()
        assert issubclass(screen, CockpitScreen) and mode.name == screen.MODE
        assert screen.PANES
        for pane in (screen, *screen.PANES):
            assert getattr(pane, "HELP", None), pane
            assert pane.BINDING_GROUP_TITLE, pane


# each screen, as a person meets it


@contextmanager
def noting(app: BranchlineApp) -> Iterator[list[tuple[DOMNode, str, Any]]]:
    """Actions are not carried out, only noted."""
    done: list[tuple[DOMNode, str, Any]] = []

    async def note(node: DOMNode, name: str, params: Any) -> bool:
        done.append((node, name, params))
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_dispatch_action", note)
        yield done


def stops(app: BranchlineApp) -> list[Widget]:
    return list(app.screen.focus_chain)


async def visit(app: BranchlineApp, pilot: Pilot[None], mode: str) -> None:
    await app.switch_mode(mode)
    await until(pilot, lambda: app.current_mode == mode and bool(stops(app)))
    await pilot.pause(0.3)


def expected(app: BranchlineApp, active: ActiveBinding) -> tuple[DOMNode, str, Any]:
    return app._parse_action(active.binding.action, active.node)


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    await seed(path, {"alice": ["hello", "more"], "bob": ["hi"]})
    return path


@pytest.mark.parametrize("mode", MODES)
async def test_every_key_that_footer_and_help_show_does_what_they_say(
    state: Path, mode: str
) -> None:
    async with running(state) as (app, pilot):
        await visit(app, pilot, mode)
        tried = 0
        for pane in stops(app):
            pane.focus()
            await pilot.pause()
            await pilot.pause()
            page = help_of(app.screen)
            shown = {one.binding.key: one for group in page.groups for row in group.rows
                     for one in row.bindings if one.binding.id}  # fmt: skip
            bar = {key for _, _, key in app.screen.query_one(KeyBar).keys}
            active = app.screen.active_bindings
            assert bar <= {key for key, one in active.items() if one.enabled}
            for group in page.groups:
                for row in group.rows:
                    assert len({deed(one) for one in row.bindings}) == 1, (pane, row.says)
            for key in bar - shown.keys():
                shown[key] = active[key]
            for key, one in shown.items():
                with noting(app) as done:
                    await pilot.press(key)
                assert done[:1] == [expected(app, one)], (pane, key)
                tried += 1
        assert tried > 20


@pytest.mark.parametrize("mode", MODES)
async def test_no_single_letter_acts_while_somebody_writes(state: Path, mode: str) -> None:
    async with running(state) as (app, pilot):
        await visit(app, pilot, mode)
        fields = app.screen.query("TextArea, Input").results(Widget)
        for field in [each for each in fields if each.focusable]:
            field.focus()
            await pilot.pause()
            assert isinstance(app.screen.focused, (TextArea, Input))
            active = app.screen.active_bindings
            letters = {key for key in active if len(key) == 1 or key in WORDS}
            assert letters == set(), field


WORDS = {"question_mark", "colon", "slash", "full_stop", "left_square_bracket", "space"}


@pytest.mark.parametrize("mode", MODES)
async def test_tab_reaches_every_pane_and_comes_round(state: Path, mode: str) -> None:
    async with running(state) as (app, pilot):
        await visit(app, pilot, mode)
        screen = app.screen
        assert isinstance(screen, CockpitScreen)
        chain = stops(app)
        assert {one for chain in screen.rounds() for one in chain} == set(chain)
        for round_ in screen.rounds():
            round_[0].focus()
            await pilot.pause()
            for key, order in (("tab", [*round_[1:], round_[0]]), ("shift+tab", round_[::-1])):
                for wanted in order:
                    await pilot.press(key)
                    assert screen.focused is wanted, (key, wanted)
        panes = screen.PANES
        assert panes and all(any(isinstance(one, pane) for one in chain) for pane in panes)


@pytest.mark.parametrize("mode", MODES)
async def test_jump_mode_reaches_every_pane_by_a_letter(state: Path, mode: str) -> None:
    async with running(state) as (app, pilot):
        await visit(app, pilot, mode)
        for letter, pane in list(zip("asdfghjkl", stops(app), strict=False)):
            await pilot.press("ctrl+o")
            assert f" {letter} " in text(app)
            await pilot.press(letter)
            assert app.screen.focused is pane


@pytest.mark.parametrize("mode", MODES)
async def test_the_footer_shows_at_most_eight_keys_of_a_pane(state: Path, mode: str) -> None:
    async with running(state, WIDE) as (app, pilot):
        await visit(app, pilot, mode)
        for pane in stops(app):
            pane.focus()
            await pilot.pause()
            await pilot.pause()
            assert 0 < len(app.screen.query_one(KeyBar).keys) <= 8, pane


# the keymap


def test_every_name_can_be_given_another_key_and_nothing_else_loses_its_own() -> None:
    for screen in (mode.load() for mode in modes.MODES):
        for node in (screen, *screen.PANES):
            made = node._merge_bindings()  # as an instance has them
            for name in {one.id for _, one in made if one.id and one.id.split(".")[0] != "app"}:
                moved = made.copy()
                moved.apply_keymap(completed({name: "f5"}, [node]))
                keys = {key for key, one in moved if one.id == name}
                assert keys == {"f5"}, (node, name)
                lost = {one.id for _, one in made} - {one.id for _, one in moved}
                assert lost == set(), (node, name)


async def test_a_key_of_the_composer_moves_and_the_old_one_does_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    config = {"keymap": {"composer.send": "f8", "sessions.stop": "f9", "app.help": "f4"}}
    (state / "branchline.json5").write_text(json.dumps(config))
    async with running(state) as (app, pilot):
        composer = app.screen.query_one(Composer)
        composer.set_draft("hello")
        with noting(app) as done:
            await pilot.press("enter", "f8", "ctrl+c", "f4")
        wanted = [(composer, "send"), (app.screen, "copy"), (app, "help")]
        assert [(node, name) for node, name, _ in done] == wanted
        assert "F4 Help" in text(app) and "F8 Send" in text(app)


async def test_two_actions_on_one_key_are_told_once_and_not_at_every_press(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text('{"keymap": {"sessions.new": "o"}}')
    async with running(state) as (app, pilot):
        await pilot.press("escape", *"xxxx")
        told = [one.text for one in app.notices.told() if "share" in one.text]
        assert len(told) == 1 and "sessions.new and sessions.write share o" in told[0]
