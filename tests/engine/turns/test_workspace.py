from __future__ import annotations

import os
from pathlib import Path

from engine.disk import Disk
from engine.turns.workspace import FILE_LIMIT, PROMPT_LIMIT, load_prompt


def prompt(folder: Path, **kwargs: object) -> str:
    options = {"name": "mia", "for_operator": True} | kwargs
    return load_prompt(Disk(), folder, **options).text  # type: ignore[arg-type]


def test_a_missing_workspace_gives_the_opening_alone(tmp_path: Path) -> None:
    text = prompt(tmp_path / "none")
    assert "mia" in text
    assert "##" not in text


def test_files_come_in_a_fixed_order_and_the_text_is_stable(tmp_path: Path) -> None:
    for name in ("SOUL.md", "AGENTS.md", "MEMORY.md", "USER.md", "IDENTITY.md"):
        (tmp_path / name).write_text(f"text of {name}\n")
    text = prompt(tmp_path)
    order = [text.index(f"## {name}") for name in ("AGENTS.md", "SOUL.md", "IDENTITY.md")]
    assert order == sorted(order)
    assert text == prompt(tmp_path)


def test_what_describes_the_operator_is_for_the_operator_only(tmp_path: Path) -> None:
    (tmp_path / "USER.md").write_text("the operator lives in Kiel")
    (tmp_path / "MEMORY.md").write_text("the safe opens with 4711")
    assert "Kiel" in prompt(tmp_path)
    assert "4711" in prompt(tmp_path)
    other = prompt(tmp_path, for_operator=False)
    assert "Kiel" not in other
    assert "4711" not in other


def test_own_skills_win_over_shared_ones(tmp_path: Path) -> None:
    for root, words in ((tmp_path / "shared", "shared words"), (tmp_path / "w/skills", "own")):
        (root / "cook").mkdir(parents=True)
        (root / "cook" / "SKILL.md").write_text(words)
    (tmp_path / "shared" / "sew").mkdir()
    (tmp_path / "shared" / "sew" / "SKILL.md").write_text("needle")
    text = prompt(tmp_path / "w", shared_skills=tmp_path / "shared")
    assert "own" in text
    assert "needle" in text
    assert "shared words" not in text


def test_size_is_bounded_and_the_cut_is_told(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("a" * (FILE_LIMIT + 1234))
    for number in range(20):
        (tmp_path / "skills" / f"s{number}").mkdir(parents=True)
        (tmp_path / "skills" / f"s{number}" / "SKILL.md").write_text("b" * FILE_LIMIT)
    text = prompt(tmp_path)
    assert "1,234 characters left out" in text
    assert text.count("a" * 100) and len(text) < PROMPT_LIMIT + 4000


def test_a_pipe_or_link_or_binary_in_place_of_a_file_is_named_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "AGENTS.md")
    (tmp_path / "secret").write_text("not for the prompt")
    (tmp_path / "SOUL.md").symlink_to(tmp_path / "secret")
    (tmp_path / "USER.md").write_bytes(b"\xff\xfe caf\xe9")
    found = load_prompt(Disk(), tmp_path, name="mia", for_operator=True)
    assert {Path(problem.file or "").name for problem in found.problems} == {"AGENTS.md", "SOUL.md"}
    assert "not for the prompt" not in found.text
    assert "caf" in found.text
