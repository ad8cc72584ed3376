"""Starting the app, and what must happen before its modules are imported."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.app import BranchlineApp

__all__ = ["FRAMES", "run_app", "run_demo"]

FRAMES = 120
"""Frames a second at most, twice Textual's own. A key is drawn at the next tick of that clock, so
this halves the wait; nothing is drawn at a tick without a change. `TEXTUAL_FPS` overrides it."""

AFTER_A_CRASH = """\
Branchline broke off. What was shown as sent is on the disk, and what was being written is kept:
start it again to go on."""

NOT_KEPT = "What was written and not sent could not be kept"


def run_app(state_dir: Path, config_path: Path | None) -> int:
    """Run the app until it is left.

    While modules are imported and the first screen is built almost nothing becomes garbage;
    looking for it would take a fifth of the start. The app turns the collector on again after
    its first frame.

    Returns:
        The exit code: 0 after a normal end, 1 after a crash.

    Raises:
        BranchlineError: the state dir or the config cannot be opened.
    """
    return _in_loop(lambda: _own(state_dir, config_path))


def run_demo(state_dir: Path | None) -> int:
    """Make the demo's state, and run the app on it until it is left.

    Args:
        state_dir: where it is made, and stays; one that is there is opened as it is. None: a
            folder of its own, which is removed at the end.

    Raises:
        BranchlineError: it cannot be made, or the folder holds something else.
    """
    return _in_loop(lambda: _demo(state_dir))


def _in_loop(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    os.environ.setdefault("TEXTUAL_FPS", str(FRAMES))
    gc.disable()
    try:
        import asyncio

        return asyncio.run(work())
    finally:
        gc.enable()


async def _own(state_dir: Path, config_path: Path | None) -> int:
    """The app on a person's own state; from there they may go to the demo."""
    app = await _run(state_dir, config_path)
    if app.wants_demo and not app.return_code:
        return await _demo(None)
    return app.return_code or 0


async def _run(state_dir: Path, config_path: Path | None, last_words: str = "") -> BranchlineApp:
    from engine.engine import Engine
    from tui.app import BranchlineApp

    async with Engine.open(state_dir, config_path=config_path, environ=os.environ) as engine:
        app = BranchlineApp(engine)
        with _leaving_in_order(app):
            await app.run_async()
        _keep_memory(app)
        if app.return_code:
            sys.stderr.write(f"{AFTER_A_CRASH}\n")
        elif told := last_words or app.farewell:
            sys.stdout.write(f"{told}\n")
        return app


def _keep_memory(app: BranchlineApp) -> None:
    """For the next start; where that fails, it is only words that are worth a complaint."""
    memory = app.memory
    try:
        app.memory_file.write(memory, app.memory_file.turn())
    except OSError as error:
        if memory.drafts or any(one.get("draft") for one in memory.lanes):
            sys.stderr.write(f"{NOT_KEPT}: {error.strerror or error}\n")


@contextmanager
def _leaving_in_order(app: BranchlineApp) -> Iterator[None]:
    """Asked by the system to end, or left alone by its terminal, the app ends as with ^Q."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGHUP)
    for number in asked:
        loop.add_signal_handler(number, app.call_later, app.action_quit)
    try:
        yield
    finally:
        for number in asked:
            loop.remove_signal_handler(number)


async def _demo(state_dir: Path | None) -> int:
    import tempfile

    if state_dir is not None:
        await _make_demo(state_dir)
        told = f"The demo is kept: `branchline --state-dir {state_dir}` goes on there."
        return (await _run(state_dir, None, told)).return_code or 0
    with tempfile.TemporaryDirectory(prefix="branchline-demo-") as folder:
        place = Path(folder) / "state"
        await _make_demo(place)
        told = "The demo's files are removed. `branchline` alone starts with your own."
        return (await _run(place, None, told)).return_code or 0


async def _make_demo(state_dir: Path) -> None:
    """Make the state; while it waits for the disk, what the screens need is read."""
    import asyncio

    from tui.demo.make import open_state

    await asyncio.gather(open_state(state_dir), asyncio.to_thread(_read_textual))


def _read_textual() -> None:
    """Nothing of ours: two threads that import the same modules of a circle might wait for each
    other, and the engine uses nothing of Textual."""
    from textual.app import App
    from textual.widgets import Input, Markdown, TextArea

    _ = App, Input, Markdown, TextArea
