"""A real terminal for tests: the program runs in a pty, pyte draws what it writes."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

ROOT = Path(__file__).parent.parent
TERMINAL = os.O_RDWR | os.O_NOCTTY
TIOCGPTN = 0x80045430  # the number of a pty, on Linux
_CSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_STRING = re.compile(r"\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?")
_OTHER = re.compile(r"\x1b[()*+][0-9A-B]|\x1b[=>78cDEHM]")


class Terminal:
    """A program in a pty of a fixed size.

    `raw` is every byte it wrote; `screen()` the rows as a person sees them.
    """

    def __init__(self, *args: str, state: Path, columns: int = 120, rows: int = 40):
        environ = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "BRANCHLINE_STATE_DIR": str(state),
            "TEXTUAL_ANIMATIONS": "none",
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "default",
        }
        for name in ("COLUMNS", "LINES"):  # they would overrule the pty's own size
            environ.pop(name, None)
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "tui", *args],
            cwd=str(ROOT),
            env=environ,  # type: ignore[arg-type]
            dimensions=(rows, columns),
            timeout=1,
            use_poll=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        end_child(self._child)

    def read(self, seconds: float = 0.1) -> None:
        """Take in what comes within some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                part = self._child.read_nonblocking(1 << 16, timeout=left)
            except pexpect.TIMEOUT:
                return
            except pexpect.EOF:
                return
            self.raw += part
            self._stream.feed(part)

    def screen(self) -> str:
        self.read(0.02)
        return "\n".join(row.rstrip() for row in self._screen.display)

    def wait_for(self, wanted: str | Callable[[str], bool], seconds: float = 60) -> str:
        """Read until the screen shows something; fails with the screen it shows instead."""
        check = wanted if callable(wanted) else (lambda shown: wanted in shown)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if check(shown := self.screen()):
                return shown
        raise AssertionError(f"not on the screen: {wanted}\n{self.screen()}")

    def press(self, keys: str, pause: float = 0.15) -> None:
        """Type; what is read with an Esc just before it would be one key with it."""
        self._child.send(keys)
        if not keys.endswith("\x1b"):
            self.read(pause)
            return
        end = time.monotonic() + 20
        while self._unread() and time.monotonic() < end:
            self.read(0.05)
        self.read(max(pause, 0.5))

    def _unread(self) -> int:
        """How many bytes that were typed the program has not read yet; 0 if none can tell."""
        try:
            number = fcntl.ioctl(self._child.child_fd, TIOCGPTN, bytes(4))
            fd = os.open(f"/dev/pts/{int.from_bytes(number, sys.byteorder)}", TERMINAL)
        except OSError:  # not on Linux
            return 0
        try:
            return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
        finally:
            os.close(fd)

    def end(self, seconds: float = 60) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + seconds
        while self._child.isalive() and time.monotonic() < end:
            self.read(0.1)
        self._read_out()
        assert not self._child.isalive(), f"still running\n{self.screen()}"
        self._child.close()
        return int(self._child.exitstatus if self._child.exitstatus is not None else -1)

    def _read_out(self) -> None:
        """What a program that has ended wrote, to the end."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            before = len(self.raw)
            self.read(0.5)
            if len(self.raw) == before:
                return

    @property
    def pid(self) -> int:
        return int(self._child.pid)

    @property
    def alive(self) -> bool:
        return bool(self._child.isalive())


def end_child(child: pexpect.spawn[bytes] | pexpect.spawn[str]) -> None:
    """End a program, however long that takes on a busy machine."""
    if child.isalive():
        child.kill(signal.SIGKILL)
        child.wait()
    child.close(force=True)


def run(*args: str, state: Path, columns: int = 100, rows: int = 40) -> tuple[int, str]:
    """A command run to its end in a terminal: exit code and all it wrote."""
    with Terminal(*args, state=state, columns=columns, rows=rows) as terminal:
        code = terminal.end()
        return code, terminal.raw.decode("utf-8", "surrogateescape")


def let_through(raw: str, hostile: str) -> list[str]:
    """Pieces of a hostile text around its control characters that a program wrote as they are."""
    found = []
    for match in re.finditer(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", hostile
    ):
        piece = hostile[max(0, match.start() - 1) : match.start() + 4]
        if match.start() > 0 and len(piece) > 2 and piece in raw:
            found.append(piece)
    return found


def strange_bytes(raw: str) -> set[str]:
    """What is left of a terminal's input when all that Textual and click may write is taken away:
    CSI sequences, character sets, line ends."""
    rest = _OTHER.sub("", _CSI.sub("", re.sub("\x1b]2(?:2;[a-z]*|;[^\x00-\x1f]*)\x07", "", raw)))
    return {
        char
        for char in rest
        if (ord(char) < 0x20 and char not in "\r\n\t") or 0x7F <= ord(char) < 0xA0
    }


_TITLE = re.compile(r"\x1b]2;(?:[^\x00-\x1f\x7f-\x9f]* · )?(?:Branchline)?\x07\Z")
"""A title that the app sets, or takes away."""


def strings_sent(raw: str) -> set[str]:
    """OSC, DCS, APC, PM and SOS sequences: what could set titles, clipboards, links. The shape of
    the mouse pointer (OSC 22), which Textual sets, and the app's own titles are left out."""
    found = _STRING.findall(raw)
    return {one for one in found if not one.startswith("\x1b]22;") and not _TITLE.match(one)}
