from __future__ import annotations

import re
import tomllib
from pathlib import Path

from engine.config.load import load_text

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
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_what_the_readme_calls_a_dependency_free_start_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["scripts"] == {"branchline": "tui.__main__:main"}
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == {
        "engine",
        "tui",
        "themes",
    }
