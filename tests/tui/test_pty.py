from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.pty import Terminal, end_child

pytestmark = pytest.mark.pty

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def terminal(state: Path, *args: str, size: tuple[int, int] = (100, 30)) -> Iterator[pexpect.spawn]:
    environ = {**os.environ, "TERM": "xterm-256color", "BRANCHLINE_STATE_DIR": str(state)}
    child = pexpect.spawn(
        sys.executable,
        list(args) or ["-m", "tui"],
        env=environ,
        cwd=str(ROOT),
        dimensions=(size[1], size[0]),
        encoding="utf-8",
        timeout=60,
    )
    try:
        yield child
    finally:
        end_child(child)


def plain_modes(output: str) -> None:
    """The terminal was given back: main screen, cursor visible, no mouse, no bracketed paste."""
    for mode in ("?1049", "?1000", "?1006", "?2004"):
        assert output.rfind(f"\x1b[{mode}l") > output.rfind(f"\x1b[{mode}h"), mode
    assert output.rfind("\x1b[?25h") > output.rfind("\x1b[?25l")


def test_write_quit_and_come_back(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with terminal(state) as child:
        child.expect_exact("Sessions 0")
        child.send("remember the number 42\r")
        child.expect_exact("This is the first")
        child.send("\x11")
        child.expect_exact("You were in main · your chat (agent:main:main).")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    with terminal(state) as child:
        child.expect_exact("remember the number 42")
        child.send("\x11")
        child.expect(pexpect.EOF)


def test_the_terminal_is_given_back(tmp_path: Path) -> None:
    with terminal(tmp_path / "state") as child:
        child.logfile_read = output = Output()
        child.expect_exact("Sessions 0")
        child.send("\x11")
        child.expect(pexpect.EOF)
    plain_modes(output.text)


def test_the_title_is_set_and_given_back(tmp_path: Path) -> None:
    with terminal(tmp_path / "state") as child:
        child.logfile_read = output = Output()
        child.expect_exact("\x1b]2;main · Branchline\x07")
        child.send("\x11")
        child.expect(pexpect.EOF)
    title_given_back(output.text)


def title_given_back(output: str) -> None:
    last = output.rfind("\x1b]2;")
    assert output[last:].startswith("\x1b]2;\x07\x1b[23;2t")


CRASH = """
import sys
from pathlib import Path
from textual.app import RenderResult
from tui import app, launch
from tui.widgets.sessions.inspector import Inspector
from tui.widgets.sessions.sessionlist import SessionList
def boom(self, *_):
    secret_key = "-".join(["sk", "very", "secret"])
    raise RuntimeError("it broke" + str(len(secret_key)))
async def soon(self):
    boom(self)
{place}
sys.exit(launch.run_app(Path(sys.argv[1]), None))
"""
PLACES = {
    "after the first frame": "app.BranchlineApp._after_first_frame = boom",
    "a key": "app.BranchlineApp.action_help = boom",
    "a worker": "app.BranchlineApp.action_help = lambda self: self.run_worker(soon(self))",
    "a timer": "app.BranchlineApp.action_help = lambda self: self.set_timer(0.01, lambda: boom(1))",
    "painting": "app.BranchlineApp.action_help = lambda self: (setattr(SessionList, 'render_line',"
    " boom), self.screen.sessions.refresh())",
    "laying out": "app.BranchlineApp.action_help = lambda self: (setattr(SessionList, "
    "'get_content_width', boom), setattr(type(self.screen), 'arrange', boom),"
    " self.screen.refresh(layout=True))",
    "news": "app.BranchlineApp.action_help = lambda self: (setattr(type(self.screen), 'news', "
    "boom), self.bridge.tell_again())",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_crash_gives_the_terminal_back_exits_with_1_and_shows_no_values(
    tmp_path: Path, place: str
) -> None:
    script = tmp_path / "crash.py"
    crash = CRASH.replace("{place}", PLACES[place])
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{crash}")
    state = tmp_path / "state"
    with terminal(state, str(script), str(state)) as child:
        child.logfile_read = output = Output()
        if place != "after the first frame":
            child.expect_exact("Sessions 0")
            child.send("half a thought")
            child.expect_exact("half a thought")
            child.expect([pexpect.TIMEOUT], timeout=0.5)
            child.send("\x1bOP")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 1
    plain_modes(output.text)
    told = output.text[output.text.rfind("\x1b[?1049l") :]
    assert "it broke" in told
    assert "is on the disk" in told
    assert "locals" not in told
    assert "sk-very-secret" not in told
    if place != "after the first frame":
        title_given_back(output.text)
        assert "half a thought" in (state / "app.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_by_the_system_it_gives_the_terminal_back_and_keeps_the_draft(
    tmp_path: Path, number: signal.Signals
) -> None:
    state = tmp_path / "state"
    with terminal(state) as child:
        child.logfile_read = output = Output()
        child.expect_exact("Sessions 0")
        child.send("half a thought")
        child.expect_exact("half a thought")
        child.expect([pexpect.TIMEOUT], timeout=0.5)
        child.kill(number)
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    plain_modes(output.text)
    title_given_back(output.text)
    with terminal(state) as child:
        child.expect_exact("half a thought")
        child.send("\x11")
        child.expect(pexpect.EOF)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (50, 15), (1, 1), (10, 4)])
def test_it_starts_and_leaves_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    with terminal(tmp_path / "state", size=size) as child:
        child.logfile_read = output = Output()
        child.expect_exact("\x1b[?1049h")
        child.expect(["Branchline", r"B\b", pexpect.TIMEOUT], timeout=3)
        child.send("\x11")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    plain_modes(output.text)
    assert "Traceback" not in output.text


def test_what_a_terminal_shows_is_aligned(tmp_path: Path) -> None:
    def aligned(shown: str) -> bool:
        rows = shown.splitlines()
        tops = [row for row in rows if "╭" in row]
        whole = all(row.count("╭") == row.count("╮") for row in tops)
        return rows[0].startswith(" Branchline") and bool(tops) and whole

    with Terminal(state=tmp_path / "state", columns=100, rows=30) as app:
        app.wait_for("Sessions 0")
        app.wait_for(aligned)
        app.read(1)
        assert aligned(app.screen())


class Output:
    """A file that pexpect writes what it reads into."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing is held back."""
