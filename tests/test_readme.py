from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from textual.binding import Binding
from textual.dom import DOMNode

from engine.config.load import load_text
from tui import modes
from tui.app import BranchlineApp
from tui.commands.keymap import keymap_problems
from tui.screens.chat_branches import ChatBranches
from tui.screens.cockpit import CockpitScreen
from tui.screens.routing import RoutingScreen
from tui.screens.sessions import SessionsScreen
from tui.screens.simulator import SimulatorScreen
from tui.screens.tree import TreeScreen
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation
from tui.widgets.routing.bindinglist import BindingList
from tui.widgets.sessions.sessionlist import SessionList
from tui.widgets.tree.treelist import TreeList

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_ci_runs_exactly_the_test_command_of_the_readme() -> None:
    install, tests = (block.strip() for block in blocks("sh")[:2])
    assert install.endswith("branchline")
    assert tests.endswith("pytest")
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert tests in lines


def test_the_config_of_the_readme_has_no_problem() -> None:
    for text in blocks("json5"):
        loaded = load_text(text, {"OPENAI_API_KEY": "x"})
        assert loaded.problems == ()


def test_pictures_and_files_that_are_named_exist() -> None:
    linked = re.findall(r"\]\((?!http)([^)]+)\)", README)
    pictured = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(pictured) >= 8
    for path in linked + pictured:
        assert (ROOT / path).exists(), path


NAMES = {
    "Enter": "enter",
    "Esc": "escape",
    "Tab": "tab",
    "Space": "space",
    "End": "end",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "/": "slash",
    ".": "full_stop",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "←": "left",
    "→": "right",
    **{f"F{number}": f"f{number}" for number in range(1, 13)},
}


def textual_key(shown: str) -> str:
    if shown.startswith("^"):
        return f"ctrl+{shown[1:].lower()}"
    return NAMES.get(shown, shown)


def keys_of(nodes: Iterable[type[DOMNode]]) -> set[str]:
    return {
        binding.key
        for node in nodes
        for kind in node.__mro__
        if kind.__module__.startswith("tui.")
        for binding in Binding.make_bindings(vars(kind).get("BINDINGS", ()))
    }


WHERE: dict[str, tuple[type[DOMNode], ...]] = {
    "everywhere": (BranchlineApp, CockpitScreen),
    "writing": (Composer,),
    "Sessions (`F2`)": (SessionsScreen,),
    "the list there": (SessionList,),
    "the conversation": (Conversation, ChatBranches),
    "Tree (`F3`)": (TreeScreen, TreeList),
    "Simulator (`F4`)": (SimulatorScreen,),
    "Routing (`F5`)": (RoutingScreen, BindingList),
}


def test_the_table_of_keys_names_keys_that_act_there() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", README, re.MULTILINE)
    told = {where: keys for where, keys in rows if where in WHERE}
    assert told.keys() == WHERE.keys()
    for where, keys in told.items():
        known = keys_of(WHERE[where]) | {BranchlineApp.COMMAND_PALETTE_BINDING}
        named = {textual_key(key) for key in re.findall(r"`([^`]+)`", keys)}
        assert named <= known, (where, named - known)


def test_the_keymap_of_the_readme_is_a_good_one() -> None:
    for text in blocks("json5"):
        config = load_text(text, {"OPENAI_API_KEY": "x"}).config
        assert config is not None and config.keymap
        assert keymap_problems(config.keymap, [BranchlineApp, *modes.nodes()]) == []


def test_what_the_readme_calls_a_dependency_free_start_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["scripts"] == {"branchline": "tui.__main__:main"}
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == {
        "engine",
        "tui",
        "themes",
    }
