"""The routing screen in a real terminal, with an editor of one's own."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.pty import Terminal

pytestmark = pytest.mark.pty

CONFIG = """\
{
  // who shares
  session: { dmScope: "per-channel-peer" }, // a comment
  bindings: [
    { agentId: "main", match: { channel: "irc" } },
    { agentId: "main", match: { channel: "slack" } },
  ],
}
"""
ESC, F5, QUIT = "\x1b", "\x1b[15~", "\x11"


def editor(folder: Path, body: str) -> str:
    """A program called vim, which notes how it was called and does something to the file."""
    path = folder / "vim"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(0o755)
    return str(path)


def edit(terminal: Terminal) -> None:
    """Open the file in the editor, and wait until the app is back on the screen."""
    screens = terminal.raw.count(b"\x1b[?1049h")
    terminal.press("e")
    terminal.wait_for(lambda _: terminal.raw.count(b"\x1b[?1049h") > screens)


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_the_file_opens_in_an_editor_at_the_binding_and_what_was_saved_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, rows: int
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    file = state / "branchline.json5"
    file.write_text(CONFIG)
    noted = tmp_path / "noted"
    monkeypatch.delenv("VISUAL", raising=False)
    program = editor(
        tmp_path,
        f"""
        import sys, pathlib
        pathlib.Path({str(noted)!r}).write_text(" ".join(sys.argv[1:]))
        file = pathlib.Path(sys.argv[-1])
        text = file.read_text()
        if "per-channel-peer" in text:
            file.write_text(text.replace("per-channel-peer", "per-peer"))
        else:
            file.write_text(text.replace("session:", "sessoin:"))
        """,
    )
    monkeypatch.setenv("EDITOR", program)
    with Terminal(state=state, columns=columns, rows=rows) as terminal:
        terminal.wait_for("New here?")
        terminal.press(F5)
        terminal.wait_for("hits last")
        terminal.wait_for("slack")
        terminal.press("j")
        terminal.wait_for("▌  [1]")
        edit(terminal)
        terminal.wait_for("live r2")
        assert noted.read_text() == f"+6 {file}"
        assert '// who shares\n  session: { dmScope: "per-peer" }, // a comment' in file.read_text()
        edit(terminal)
        terminal.wait_for("✖ config")
        edit(terminal)
        assert noted.read_text() == f"+3 {file}"
        terminal.press("u")
        terminal.wait_for("Enter do it")
        terminal.press("\r")
        terminal.wait_for(lambda shown: "✖ config" not in shown and "live r2" in shown)
        assert "sessoin" not in file.read_text()
        terminal.press(QUIT)
        assert terminal.end() == 0
