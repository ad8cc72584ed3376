from __future__ import annotations

import stat
from pathlib import Path

import pytest

from engine.config.first_run import FIRST_CONFIG, write_first_config
from engine.config.load import load_config, load_text
from engine.config.paths import config_path, is_foreign, state_dir
from engine.disk import Disk

HOME = {"HOME": "/home/me"}


def test_the_state_dir_is_option_then_variable_then_home() -> None:
    both = {**HOME, "BRANCHLINE_STATE_DIR": "/var/state"}
    assert state_dir("/opt/state", both) == Path("/opt/state")
    assert state_dir(None, both) == Path("/var/state")
    assert state_dir(None, HOME) == Path("/home/me/.branchline")
    assert state_dir("", {**HOME, "BRANCHLINE_STATE_DIR": ""}) == Path("/home/me/.branchline")
    assert state_dir("~/x", HOME) == Path("/home/me/x")
    assert state_dir("x", HOME) == Path.cwd() / "x"
    assert state_dir(None, {}).name == ".branchline"


def test_the_config_is_option_then_variable_then_in_the_state_dir(tmp_path: Path) -> None:
    variable = {**HOME, "BRANCHLINE_CONFIG_PATH": "~/mine.json5"}
    assert config_path("/etc/b.json5", tmp_path, variable) == Path("/etc/b.json5")
    assert config_path(None, tmp_path, variable) == Path("/home/me/mine.json5")
    assert config_path(None, tmp_path, HOME) == tmp_path / "branchline.json5"
    (tmp_path / "openclaw.json").write_text("{}")
    assert config_path(None, tmp_path, HOME) == tmp_path / "openclaw.json"
    (tmp_path / "branchline.json5").write_text("{}")
    assert config_path(None, tmp_path, HOME) == tmp_path / "branchline.json5"


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("openclaw.json", True),
        ("openclaw.json.bak", True),
        ("branchline.json5", False),
        ("my-openclaw.json", False),
        ("openclaw.json5", False),
    ],
)
def test_only_the_reference_file_name_is_foreign(name: str, foreign: bool) -> None:
    assert is_foreign(Path("/x") / name) is foreign


def test_the_first_config_is_written_privately_and_is_free_of_problems(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state" / "branchline.json5"
    assert write_first_config(Disk(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["branchline.json5"]
    loaded = load_config(Disk(), path, {})
    assert loaded.problems == ()
    config = loaded.require()
    assert config.session.dm_scope == "per-channel-peer"
    assert [agent.id for agent in config.agents.list] == ["main"]


def test_a_config_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "branchline.json5"
    path.write_text("{ mine")
    assert not write_first_config(Disk(), path)
    assert path.read_text() == "{ mine"
    link = tmp_path / "dangling.json5"
    link.symlink_to("nowhere")
    assert not write_first_config(Disk(), link)
    assert link.is_symlink()


class FullDisk(Disk):
    def fsync(self, fd: int) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_no_half_written_config(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        write_first_config(FullDisk(), tmp_path / "branchline.json5")
    assert list(tmp_path.iterdir()) == []


def switched_on(lines: list[str], first: int, last: int) -> str:
    return "".join(
        line.replace("//", "", 1) if first <= index <= last and example(line) else line
        for index, line in enumerate(lines)
    )


def example(line: str) -> bool:
    bare = line.lstrip()
    return bare.startswith("//") and not bare.startswith(("// ", "//\n"))


def blocks() -> list[tuple[int, int]]:
    """First and last line of each example: one line, or what its opening brace spans."""
    lines = FIRST_CONFIG.splitlines(keepends=True)
    found = []
    index = 0
    while index < len(lines):
        last = index
        if example(lines[index]):
            text = lines[index].split(" // ")[0].rstrip()
            if text.endswith(("{", "[")):
                indent = len(lines[index]) - len(lines[index].lstrip())
                end = " " * indent + "//" + {"{": "},", "[": "],"}[text[-1]]
                last = next(n for n in range(index, len(lines)) if lines[n].rstrip() == end)
            found.append((index, last))
        index = last + 1
    return found


ENVIRON = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}


@pytest.mark.parametrize("block", blocks())
def test_each_commented_example_is_valid_by_itself(block: tuple[int, int]) -> None:
    lines = FIRST_CONFIG.splitlines(keepends=True)
    loaded = load_text(switched_on(lines, *block), ENVIRON)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.document.value != load_text(FIRST_CONFIG, ENVIRON).document.value


def test_all_commented_examples_are_valid_together() -> None:
    lines = FIRST_CONFIG.splitlines(keepends=True)
    assert sum(last - first + 1 for first, last in blocks()) >= 25
    loaded = load_text(switched_on(lines, 0, len(lines)), ENVIRON)
    assert [str(problem) for problem in loaded.problems] == []
    config = loaded.require()
    assert set(config.models.providers) == {"anthropic", "openai", "ollama"}
    assert len(config.bindings) == 3 and len(config.agents.list) == 2
