from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine import __version__
from tests.tui.cli.conftest import ROOT, Run

HEAVY = ("textual", "httpx", "json5", "asyncio", "anyio", "watchfiles")


def test_version(branchline: Run) -> None:
    assert branchline("--version").out == f"branchline {__version__}\n"
    assert branchline("--state-dir", "/x", "--version").out == f"branchline {__version__}\n"


def test_help_names_every_command(branchline: Run) -> None:
    ran = branchline("--help")
    assert ran.code == 0
    for name in ("send", "sessions", "route", "agents", "models", "config", "doctor", "completion"):
        assert re.search(rf"^  {name}\b", ran.out, re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        ["--version"],
        ["--help"],
        ["sessions", "list"],
        ["sessions", "list", "--json"],
        ["sessions", "window", "agent:main:telegram:dm:alice"],
        ["route", "--channel", "x"],
        ["config", "path"],
        ["agents", "list"],
        ["models", "list"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(args: list[str], talk: Path) -> None:
    script = (
        "import sys; from tui.__main__ import main; code = main();"
        f"heavy = [name for name in {HEAVY} if name in sys.modules];"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["sessions", "lst"],
        ["--stat-dir", "/x"],
        ["completion", "tcsh"],
        ["sessions", "show"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_one_message(branchline: Run, args: list[str]) -> None:
    ran = branchline(*args)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("branchline: ") and ran.err.count("\n") == 1
    assert "--help" in ran.err


def test_control_characters_in_arguments_are_shown_not_sent(branchline: Run) -> None:
    for args in (["\x1b[31mred"], ["sessions", "show", "\x1b]0;x\x07"]):
        err = branchline(*args).err
        assert "\x1b" not in err and "\x07" not in err and err


def test_options_may_stand_before_or_after_the_command(branchline: Run, tmp_path: Path) -> None:
    where = str(tmp_path / "elsewhere")
    before = branchline("--state-dir", where, "config", "path", "--json").json
    after = branchline("config", "path", "--json", "--state-dir", where).json
    by_variable = branchline("config", "path", "--json", env={"BRANCHLINE_STATE_DIR": where}).json
    assert before == after == by_variable
    assert before == {
        "config": f"{where}/branchline.json5",
        "exists": False,
        "stateDir": where,
    }


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text('{"channel": "x"}\n' * 20_000)
    with (
        lines.open() as source,
        subprocess.Popen(
            [sys.executable, "-m", "tui", "route"],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        ) as process,
    ):
        assert process.stdout and process.stderr
        assert json.loads(process.stdout.readline())["agentId"] == "main"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us(branchline: Run, shell: str) -> None:
    ran = branchline("completion", shell)
    assert ran.code == 0
    assert "_BRANCHLINE_COMPLETE" in ran.out and "branchline" in ran.out


def test_completion_answers(branchline: Run) -> None:
    ran = branchline(
        env={
            "_BRANCHLINE_COMPLETE": "bash_complete",
            "COMP_WORDS": "branchline sessions ",
            "COMP_CWORD": "2",
        }
    )
    assert {"plain,list", "plain,window", "plain,tree"} <= set(ran.out.split())


def test_keys_complete(branchline: Run, talk: Path) -> None:
    ran = branchline(
        env={
            "_BRANCHLINE_COMPLETE": "fish_complete",
            "COMP_WORDS": "branchline sessions show ",
            "COMP_CWORD": "agent:main:tele",
        }
    )
    assert "agent:main:telegram:dm:alice" in ran.out


@pytest.mark.pty
def test_tables_fit_the_terminal_and_obey_no_color(tmp_path: Path, talk: Path) -> None:
    import pexpect

    def shown(**env: str) -> str:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "tui", "sessions", "list"],
            dimensions=(24, 80),
            env={**os.environ, "TERM": "xterm-256color", **env},
            cwd=ROOT,
            encoding="utf-8",
        )
        child.expect(pexpect.EOF, timeout=60)
        return str(child.before)

    coloured, plain = shown(), shown(NO_COLOR="1")
    assert "\x1b[1m" in coloured
    assert "\x1b" not in plain
    lines = plain.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("KEY")


@pytest.mark.parametrize("args", [["--demo", "sessions"], ["--demo", "--config", "x"]], ids=str)
def test_the_demo_has_its_own_config_and_goes_with_no_command(
    branchline: Run, args: list[str]
) -> None:
    ran = branchline(*args)
    assert ran.code == 2
    assert "--demo goes with no command and no --config" in ran.err


@pytest.mark.parametrize("group", ["", "sessions", "config", "models", "agents", "pairing"])
def test_no_list_of_commands_cuts_what_it_says(branchline: Run, group: str) -> None:
    ran = branchline(*([group] if group else []), "--help")
    assert ran.code == 0
    assert "..." not in ran.out.split("Commands:")[1]


def test_the_help_of_a_group_begins_with_what_one_asks_first(branchline: Run) -> None:
    told = branchline("sessions", "--help").out.split("Commands:")[1].split()
    assert [told.index(name) for name in ("list", "show", "tree", "window", "prune")] == sorted(
        told.index(name) for name in ("list", "show", "tree", "window", "prune")
    )
    assert told[0] == "list"


@pytest.mark.parametrize(
    ("args", "meant"), [(("sned", "hi"), "send"), (("sessions", "expot"), "export")]
)
def test_a_misspelt_command_is_told_with_the_one_that_was_meant(
    branchline: Run, args: tuple[str, ...], meant: str
) -> None:
    ran = branchline(*args)
    assert ran.code == 2
    assert f"Did you mean {meant}? Try `branchline" in ran.err


def test_a_word_like_no_command_is_told_with_the_help(branchline: Run) -> None:
    ran = branchline("xyzzy")
    assert (ran.code, ran.err.count("Try `branchline --help`")) == (2, 1)
    assert "Did you mean" not in ran.err
