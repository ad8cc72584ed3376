"""The README's uses, done by a person in a real terminal: what is looked for is what they see.

`BRANCHLINE_TEST_SCREENS=FOLDER` keeps the screens on the way, to be looked at.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.pty import Terminal

pytestmark = pytest.mark.pty

SCREENS = os.environ.get("BRANCHLINE_TEST_SCREENS")

SIZES = pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])

ENTER, ESC, TAB, DOWN, QUIT = "\r", "\x1b", "\t", "\x1b[B", "\x11"
F2, F3, F4, F5, F8 = "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[19~"


class Person:
    """Somebody in front of a terminal."""

    def __init__(self, terminal: Terminal, name: str):
        self.terminal = terminal
        self._name = name
        self._seen = 0

    def sees(self, *wanted: str | Callable[[str], bool]) -> str:
        """Wait until all of it is on the screen, white space and borders folded."""
        shown = ""
        for one in wanted:
            shown = self.terminal.wait_for(one if callable(one) else _holds(one))
        self._keep(shown)
        return shown

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.terminal.press(key)

    def goes(self, key: str, there: str) -> None:
        """Press a key again and again until something is on the screen."""
        for _ in range(30):
            before = self.terminal.screen()
            if there in before:
                self._keep(before)
                return
            self.presses(key)
            self.terminal.wait_for(partial(operator.ne, before))
        raise AssertionError(f"never came to {there}\n{self.terminal.screen()}")

    def _keep(self, shown: str) -> None:
        if SCREENS:
            self._seen += 1
            path = Path(SCREENS) / f"{self._name}-{self._seen:02d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(shown + "\n", "utf-8")


def _holds(wanted: str) -> Callable[[str], bool]:
    """Looks for words, whatever stands at the ends of the rows they are broken over."""
    words = wanted.split()

    def holds(shown: str) -> bool:
        return " ".join(words) in " ".join(shown.split())

    holds.__name__ = wanted
    return holds


@contextmanager
def person(
    request: pytest.FixtureRequest, state: Path, size: tuple[int, int], *args: str
) -> Iterator[Person]:
    columns, rows = size
    with Terminal(*args, state=state, columns=columns, rows=rows) as terminal:
        yield Person(terminal, request.node.name.replace("[", "-").rstrip("]"))


@SIZES
def test_first_use_an_assistant_that_remembers(
    request: pytest.FixtureRequest, tmp_path: Path, size: tuple[int, int]
) -> None:
    with person(request, tmp_path / "state", size) as anna:
        anna.sees("New here?", "Nothing has been said here yet.")
        anna.presses("remember the number 42", ENTER)
        anna.sees("This is the first I hear of it.")
        anna.presses("what number?", ENTER)
        anna.sees("You said: “remember the number 42”")
        anna.presses("/", "st")
        anna.sees("/status")
        anna.presses(ESC, QUIT)
        assert anna.terminal.end() == 0
        assert b"You were in main" in anna.terminal.raw
    with person(request, tmp_path / "state", size) as anna:
        anna.sees("remember the number 42")
        anna.presses("what was the first message?", ENTER)
        anna.sees("remember the number 42”")
        anna.presses(ESC, "?")
        anna.sees("Esc")


@SIZES
def test_second_use_a_tree_to_go_about_in(
    request: pytest.FixtureRequest, tmp_path: Path, size: tuple[int, int]
) -> None:
    with person(request, tmp_path / "state", size, "--demo") as anna:
        anna.sees("Tour 0 of", "lisbon · your chat")
        anna.presses(F3)
        anna.sees("Branch tree", "◀ leaf", "Each row is an entry")
        anna.presses("x")
        anna.sees("What the model sees from", "✔ in", "out")
        anna.presses(ESC, "G", "f")
        anna.sees("continue here", "new session")
        anna.presses(ENTER)
        anna.sees("Is a night in the palace too much?", "the one you left stays")
        anna.presses(F3)
        anna.sees("Branch tree", "◀ leaf")
        anna.presses("u")
        anna.sees("Undone.")
        anna.presses(F2, ESC)
        anna.sees(lambda shown: "Undo continue here" not in shown)  # the notice is gone
        anna.goes("k", "▌─◆ compacted")
        anna.presses(ENTER)
        anna.sees("this summary.", "The flight is TP 571")
        anna.presses("k")
        anna.sees("Nothing is lost by compaction")
        anna.presses(F8)
        anna.sees(lambda shown: "Tour" not in shown)
        anna.presses(QUIT)
        assert anna.terminal.end() == 0


@SIZES
def test_third_use_a_leak_is_found_and_closed(
    request: pytest.FixtureRequest, tmp_path: Path, size: tuple[int, int]
) -> None:
    place = tmp_path / "demo"
    with person(request, tmp_path / "mine", size, "--demo", "--state-dir", str(place)) as anna:
        anna.sees("Tour 0 of")
        before = (place / "branchline.json5").read_text("utf-8")
        anna.presses(F4)
        anna.sees("1 Alice", "2 Bob", "dmScope main" if size[0] > 100 else "main", "^N Add")
        anna.presses(TAB)
        anna.sees(lambda shown: "┏━ 2 Bob" in shown)
        anna.presses("what is the door code?", ENTER)
        anna.sees("SHARED MEMORY: Bob", "Bob got Alice's words!")
        shown = anna.sees(lambda shown: "4711" in lane_of(shown, "2 Bob"))
        assert "✘" in shown
        anna.presses(ESC, "p")
        anna.sees("Change dmScope", "This is in force now.")
        anna.presses(DOWN, DOWN)
        anna.sees("nobody's words become visible to anybody else")
        anna.presses(ENTER)
        anna.sees('- dmScope: "main"', '+ dmScope: "per-channel-peer"')
        anna.presses(ENTER)
        anna.sees("Everybody has a memory of their own again", "per-channel-peer")
        anna.presses("o")
        anna.sees("Bob says …")
        anna.presses("what is the door code?", ENTER)
        shown = anna.sees("Bob learns nothing", lambda shown: "SHARED MEMORY" not in shown)
        assert "what is the door code?" in lane_of(shown, "2 Bob")
        assert "4711" not in lane_of(shown, "2 Bob")
        anna.presses(QUIT)
        assert anna.terminal.end() == 0
    after = (place / "branchline.json5").read_text("utf-8")
    assert before.replace('"main"', '"per-channel-peer"') == after


@SIZES
def test_third_use_a_binding_that_never_wins_is_found_and_taken_out(
    request: pytest.FixtureRequest, tmp_path: Path, size: tuple[int, int]
) -> None:
    place = tmp_path / "demo"
    with person(request, tmp_path / "mine", size, "--demo", "--state-dir", str(place)) as anna:
        anna.sees("Tour 0 of")
        anna.presses(F5)
        anna.sees("Bindings", "[3] 5 guild", "any account mia 6")
        anna.presses("j", "t")
        anna.sees("discord", "agent ops", "Nothing was sent.")
        anna.presses(ESC, ESC)
        anna.sees("[3] 5 guild")
        anna.presses("x")
        anna.sees("1 change not applied")
        anna.presses("w")
        anna.sees("Written in a hurry", "nobody's words become visible")
        anna.presses(ENTER)
        anna.sees("comments and layout kept")
        anna.presses(QUIT)
        assert anna.terminal.end() == 0
    assert (place / "branchline.json5").read_text("utf-8").count("agentId") == 3


def lane_of(shown: str, title: str) -> str:
    """What is said below a lane's title, in one line; "" when the lane is not there."""
    rows = shown.splitlines()
    for number, row in enumerate(rows):
        if (start := row.find(f"━ {title}")) >= 0:
            end = row.index("┓", start)
            told = [each[start:end] for each in rows[number + 1 : number + 24]]
            return " ".join(" ".join(told).split())
    return ""
