from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).parent.parent
ENGINE = sorted((ROOT / "engine").rglob("*.py"))

# Which rooms of the engine a room may import besides its own and the doors.
DOORS = {"errors", "clock", "disk", "text", "values", "_version"}
TOLD = {"events"}  # what is told; whoever carries something out may tell of it
ARROWS = {
    "config": set(),
    "routing": {"config"},
    "sessions": set(),
    "models": {"config", "context"},
    "context": {"sessions", "config", "models"},
    "rights": {"config", "routing", "sessions", "context"},
    "lifecycle": {"config", "routing", "sessions", "rights"},
    "turns": {"config", "routing", "sessions", "context", "models", "rights"},
    "branching": {"config", "routing", "sessions", "context", "models", "turns"},
    "agents": {
        *("config", "routing", "sessions", "context", "models"),
        *("rights", "lifecycle", "turns", "branching"),
    },
    # A room in front of the engine, as the app is: it may use all of it, and nothing uses it.
    "scenario": {
        *("config", "routing", "sessions", "context", "models"),
        *("rights", "lifecycle", "turns", "branching", "agents", "engine"),
    },
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_engine_knows_nothing_of_a_screen(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"textual", "rich", "click", "tui"}


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_between_rooms_point_one_way(path: Path) -> None:
    room = path.relative_to(ROOT / "engine").parts[0].removesuffix(".py")
    if room in {"engine", "events", "hub", "__init__"}:  # these see every room
        return
    allowed = ARROWS.get(room, set()) | DOORS | {room}
    if room in {"turns", "branching", "agents", "scenario"}:
        allowed |= TOLD
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "engine" and len(parts) > 1:
            assert parts[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_engine_runs_without_a_screen_being_loaded() -> None:
    code = (
        "import engine, sys\n"
        "for name in engine.__all__: getattr(engine, name)\n"
        "bad = {m.split('.')[0] for m in sys.modules} & {'textual', 'click', 'tui', 'rich'}\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_importing_the_engine_is_light() -> None:
    code = (
        "import engine, sys\n"
        "heavy = {m.split('.')[0] for m in sys.modules}\n"
        "heavy &= {'httpx', 'json5', 'watchfiles', 'anyio', 'asyncio', 'msgspec'}\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_public_surface_is_the_sorted_all() -> None:
    assert engine.__all__ == sorted(engine.__all__)
    public = {
        name
        for name in dir(engine)
        if not name.startswith("_")
        and not (ROOT / "engine" / name).exists()
        and not (ROOT / "engine" / f"{name}.py").exists()
    }
    assert public == {name for name in engine.__all__ if not name.startswith("_")}


def test_values_are_changed_in_one_way() -> None:
    for path in [*ENGINE, *(ROOT / "tui").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        if path.name != "values.py":
            text = path.read_text("utf-8")
            assert not re.search(r"^\s*from dataclasses import .*\breplace\b", text, re.M), path
            assert "dataclasses.replace(" not in text or path == Path(__file__), path


def test_every_dialog_is_closed_once() -> None:
    for path in (ROOT / "tui").rglob("*.py"):
        if path.name != "dialog.py":
            text = path.read_text("utf-8")
            assert "(ModalScreen" not in text and "(CommandPalette" not in text, path


def test_every_text_field_is_the_one_that_outlives_an_undo() -> None:
    for path in (ROOT / "tui").rglob("*.py"):
        if path.name != "field.py":
            assert not re.search(r"\(TextArea\):|[ =(]TextArea\(\"", path.read_text("utf-8")), path


# Which rooms of the app a room may import besides its own; the frame is what lies in `tui` itself.
FRAME = {"app", "bridge", "home", "launch", "later", "memory", "modes", "tracker"}
UNDER = {
    "look": set(),
    "people": {"look", "bridge", "home", "tracker"},
    "behind": {"look", "people", "bridge", "later", "tracker"},
    "widgets": {
        "look",
        "people",
        "behind",
        "commands",
        "demo",
        "bridge",
        "home",
        "later",
        "tracker",
    },
}


@pytest.mark.parametrize("room", UNDER)
def test_rooms_of_the_app_stand_on_each_other(room: str) -> None:
    for path in (ROOT / "tui" / room).rglob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "tui" and len(parts) > 1:
                assert parts[1] in UNDER[room] | {room}, f"{path.relative_to(ROOT)} imports {name}"


def test_only_the_frame_lies_in_the_hall() -> None:
    found = {path.stem for path in (ROOT / "tui").glob("*.py")}
    assert found == FRAME | {"__init__", "__main__"}
    for path in (ROOT / "tui").rglob("*.py"):
        if path.stem not in {"launch", "app"}:
            assert "tui.app" not in imported(path), f"{path.relative_to(ROOT)} imports the app"
