from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pexpect
import pytest

from engine.errors import BranchlineError
from tui.widgets.external import ExternalError, _command

ROOT = Path(__file__).parents[2]

APP = """
import asyncio, os, sys
from tests.tui.chat import ChatApp, message
from tui.widgets.chat.composer import Composer

class Run(ChatApp):
    async def on_mount(self):
        long = "begin " + "word " * 9000 + "\\x1b]0;owned\\x07 finish"
        await self.fill([message("a", "user", long)])
        self.composer.focus()
        self.composer.set_draft("draft line")
        self.ticks = 0
        self.tick()
        self.set_interval(0.05, self.tick)

    def tick(self):
        self.ticks += 1
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(self.ticks))
        os.replace(sys.argv[1] + ".new", sys.argv[1])  # whoever reads it finds a number

    def on_composer_submitted(self, event):
        self.exit(event.text)

print("RESULT", ascii(Run().run()))
"""


def program(path: Path, body: str) -> str:
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(0o755)
    return str(path)


def start(tmp_path: Path, **environ: str) -> pexpect.spawn:
    (tmp_path / "run.py").write_text(APP)
    return pexpect.spawn(
        sys.executable,
        [str(tmp_path / "run.py"), str(tmp_path / "ticks")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ},
        dimensions=(24, 80),
        timeout=60,
        encoding="utf-8",
        codec_errors="replace",
    )


@pytest.mark.pty
def test_the_editor_gets_the_draft_and_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    editor = program(
        tmp_path / "editor",
        f"""
        import sys, time
        path = sys.argv[-1]
        text = open(path).read()
        before = after = int(open({str(tmp_path / "ticks")!r}).read())
        end = time.monotonic() + 20
        while after == before and time.monotonic() < end:
            time.sleep(0.05)
            after = int(open({str(tmp_path / "ticks")!r}).read())
        open(path, "w").write(text + " and more\\n" + str(after > before) + "\\n")
        """,
    )
    child = start(tmp_path, VISUAL=f"{editor} --wait", EDITOR="/nonexistent")
    child.expect("draft line")
    child.send("\x07")
    child.expect("and more")
    child.send("\r")
    child.expect(r"RESULT (.*)\r\n")
    assert child.match is not None
    assert child.match.group(1) == "'draft line and more\\nTrue'"
    child.expect(pexpect.EOF)


@pytest.mark.pty
@pytest.mark.parametrize("editor", ["/nonexistent/editor", "false", "'unclosed"])
def test_an_editor_that_fails_leaves_the_draft_and_the_screen(tmp_path: Path, editor: str) -> None:
    child = start(tmp_path, VISUAL=editor)
    child.expect("draft line")
    child.send("\x07")
    child.expect("cannot start|ended with code|not a command")
    child.send("!\r")
    child.expect(r"RESULT 'draft line!'")
    child.expect(pexpect.EOF)


@pytest.mark.pty
def test_the_pager_gets_the_whole_message_made_safe(tmp_path: Path) -> None:
    pager = program(
        tmp_path / "pager",
        f"""
        import sys, shutil
        shutil.copy(sys.argv[-1], {str(tmp_path / "paged")!r})
        print("PAGED", flush=True)
        """,
    )
    child = start(tmp_path, PAGER=pager)
    child.expect("draft line")
    child.send("\x1b[Z")  # Shift+Tab: to the conversation
    child.expect("v opens them all")
    child.send("v")
    child.expect("PAGED")
    child.expect_exact("\x1b[?1049h")  # the app is back, and the keys are its own
    child.send("\t\r")
    child.expect("RESULT")
    child.expect(pexpect.EOF)
    text = (tmp_path / "paged").read_text()
    assert text.startswith("begin word") and text.endswith("␛]0;owned␇ finish\n")
    assert "\x1b" not in text


def test_visual_comes_before_editor_and_may_have_arguments() -> None:
    names = ("VISUAL", "EDITOR")
    assert _command({"VISUAL": "code --wait", "EDITOR": "vi"}, names, "vi") == ["code", "--wait"]
    assert _command({"VISUAL": " ", "EDITOR": "nano"}, names, "vi") == ["nano"]
    assert _command({}, names, "vi") == ["vi"]
    with pytest.raises(ExternalError) as caught:
        _command({"EDITOR": "'x"}, names, "vi")
    assert isinstance(caught.value, BranchlineError)
