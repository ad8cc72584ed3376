"""Hand the terminal to another program: the person's editor or pager.

The app's loop goes on meanwhile (turns run, sockets are read); it only stops drawing.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from engine.errors import BranchlineError
from engine.text import safe_text

__all__ = ["ExternalError", "edit", "edit_file", "page"]

EDIT_LIMIT = 4 * 1024 * 1024
"""Most bytes read back from an edited file."""


class ExternalError(BranchlineError):
    """The editor or pager could not be run, or its file could not be read back."""

    title = "Other program"


async def edit(app: App[Any], text: str, environ: Mapping[str, str] = os.environ) -> str:
    """`text` as the person leaves it in `$VISUAL` or `$EDITOR` (else vi).

    One line end that the editor added is taken away again.

    Raises:
        ExternalError: no such program, it failed, or the terminal cannot be handed over.
    """
    command = _command(environ, ("VISUAL", "EDITOR"), "vi")
    with tempfile.TemporaryDirectory(prefix="branchline-") as folder:  # 0700
        path = Path(folder) / "message.md"
        path.write_text(text, "utf-8", errors="replace", newline="")
        await _run(app, [*command, str(path)])
        try:
            with path.open("rb") as file:
                data = file.read(EDIT_LIMIT + 1)
        except OSError as error:
            raise ExternalError(f"the edited text cannot be read: {error.strerror}") from error
    if len(data) > EDIT_LIMIT:
        raise ExternalError("the edited text is larger than 4 MiB", remedy="The old one is kept")
    edited = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return edited.removesuffix("\n") if not text.endswith("\n") else edited


async def edit_file(
    app: App[Any], path: Path, line: int = 1, environ: Mapping[str, str] = os.environ
) -> None:
    """Have the person edit a file itself in `$VISUAL` or `$EDITOR` (else vi), at a line where the
    editor is known to take one.

    Raises:
        ExternalError: as `edit`.
    """
    command = _command(environ, ("VISUAL", "EDITOR"), "vi")
    await _run(app, [*command, *_at_line(command[0], path, line)])


_PLUS = frozenset(
    (
        *("vi", "vim", "nvim", "view", "gvim", "nano", "pico", "emacs", "emacsclient"),
        *("joe", "jed", "ne", "micro", "kak", "mg", "vis"),
    )
)
_COLON = frozenset(("hx", "helix", "subl", "zed"))
_GOTO = frozenset(("code", "codium", "code-insiders", "cursor"))


def _at_line(editor: str, path: Path, line: int) -> list[str]:
    """How to tell an editor to open a file at a line; just the file for one not known."""
    name = Path(editor).name
    if name in _PLUS:
        return [f"+{line}", str(path)]
    if name in _COLON:
        return [f"{path}:{line}"]
    return ["--goto", f"{path}:{line}"] if name in _GOTO else [str(path)]


async def page(app: App[Any], text: str, environ: Mapping[str, str] = os.environ) -> None:
    """Show `text`, made safe, in `$PAGER` (else less).

    Raises:
        ExternalError: as `edit`.
    """
    command = _command(environ, ("PAGER",), "less")
    with tempfile.TemporaryDirectory(prefix="branchline-") as folder:
        path = Path(folder) / "message.txt"
        path.write_text(safe_text(text) + "\n", "utf-8", errors="replace")
        await _run(app, [*command, str(path)])


def _command(environ: Mapping[str, str], names: Sequence[str], default: str) -> list[str]:
    for name in names:
        value = environ.get(name, "").strip()
        if not value:
            continue
        try:
            return shlex.split(value)
        except ValueError as error:
            raise ExternalError(f"${name} is not a command: {error}") from error
    return [default]


async def _run(app: App[Any], command: list[str]) -> None:
    problem = ""
    try:
        # Nothing may be raised inside suspend(): it would leave the terminal suspended.
        with app.batch_update(), app.suspend():
            problem = await _wait(command)
    except SuspendNotSupported as error:
        raise ExternalError("this terminal cannot be handed to another program") from error
    app.refresh(layout=True)
    if problem:
        raise ExternalError(problem, remedy="Set $VISUAL, $EDITOR or $PAGER to another program")


async def _wait(command: list[str]) -> str:
    """Run a program to its end; what went wrong, or ""."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        return f"cannot start {command[0]}: {error.strerror}"
    except ValueError as error:  # a NUL in the name
        return f"cannot start {command[0]}: {error}"
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        return "closed with the app"
    return f"{command[0]} ended with code {code}" if code else ""
