"""Seeing that a file changed, whatever an editor does to it.

Editors replace files, truncate and write them, or switch a link; so the folders are watched, not
the file, and every link on the way has its own. What the system does not tell (a folder that was
replaced itself, a file system without notices, a change in the instant in which the watch was set
up) is found by a look at the file every second.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio

__all__ = ["LOOK_SECONDS", "changes_in", "stopping", "watch_file"]

LOOK_SECONDS = 1.0
"""How often the file is looked at besides."""

GATHER_MS, STEP_MS = 100, 15
"""How long a burst of changes is gathered at most, and how long it must be quiet."""

MAX_LINKS = 40

Trail = tuple[tuple[str, str, int], ...]
"""For each file on the way from link to link: its name, its folder, and which folder that is."""


def _trail(path: Path) -> Trail:
    found = []
    here = os.path.abspath(path)
    for _ in range(MAX_LINKS):
        folder = os.path.realpath(os.path.dirname(here))
        try:
            number = os.stat(folder).st_ino
        except OSError:
            number = 0
        found.append((os.path.basename(here), folder, number))
        try:
            here = os.path.normpath(os.path.join(folder, os.readlink(here)))
        except OSError:
            break
    return tuple(found)


def _state(path: Path) -> tuple[int, ...]:
    """What tells one content from another without reading it."""
    try:
        found = os.stat(path)
    except OSError as error:
        return (-(error.errno or 1),)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)


def _look(path: Path) -> tuple[Trail, tuple[int, ...]]:
    return _trail(path), _state(path)


@asynccontextmanager
async def stopping() -> AsyncIterator[anyio.Event]:
    """An event that is set as soon as the block is cancelled.

    For threads that look at it: a cancelled task waits until its thread is done, and watchfiles'
    would otherwise go on until its time is over.
    """
    import anyio

    stop = anyio.Event()

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        yield stop
        tasks.cancel_scope.cancel()


async def changes_in(
    folders: Iterable[str | Path],
    stop: anyio.Event,
    heed: Callable[[str], bool] = lambda name: True,
) -> AsyncGenerator[bool, None]:
    """Tell of each burst of changes in some folders, until `stop` is set.

    Args:
        heed: whether a file counts, by its name.

    Yields:
        True after a burst, False when nothing happened for `LOOK_SECONDS`.

    Raises:
        OSError: a folder is not there, or went.
    """
    from watchfiles import awatch

    watch = awatch(
        *folders,
        watch_filter=lambda _, found: heed(os.path.basename(found)),
        debounce=GATHER_MS,
        step=STEP_MS,
        stop_event=stop,
        rust_timeout=round(LOOK_SECONDS * 1000),
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(watch) as bursts:
        async for changes in bursts:
            yield bool(changes)


async def watch_file(path: Path, changed: Callable[[], Awaitable[object]]) -> None:
    """Call `changed` when a file may hold something else, until cancelled; once at the start too.

    Calls never overlap; changes during one lead to another. The caller compares contents: a call
    does not promise that they differ.
    """
    async with stopping() as stop:
        while True:
            await _watch(path, changed, stop)


async def _watch(path: Path, changed: Callable[[], Awaitable[object]], stop: anyio.Event) -> None:
    """Watch for as long as the way to the file stays the same."""
    import anyio
    from anyio.to_thread import run_sync

    trail, state = await run_sync(_look, path)
    await changed()
    names = {name for name, _, _ in trail}
    folders = {folder for _, folder, number in trail if number}
    if not folders:
        await anyio.sleep(LOOK_SECONDS)
        return
    try:
        async with aclosing(changes_in(folders, stop, names.__contains__)) as told:
            async for changed_now in told:
                way, now = await run_sync(_look, path)
                if way != trail:
                    break
                if changed_now or now != state:
                    state = now
                    await changed()
    except OSError:  # a folder went in the moment of asking: look again
        await anyio.sleep(LOOK_SECONDS / 10)
