"""The person's theme files: read at the start, and again whenever one is saved.

A file that cannot be used is told with its place, and the colours that were good last stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.theme import Theme

from engine.config.watch import LOOK_SECONDS, changes_in, stopping
from engine.errors import Problem
from tui.home import Home
from tui.look.theme import ThemeFile, read_themes

if TYPE_CHECKING:
    import anyio

__all__ = ["ThemeFolder"]


class ThemeFolder:
    """`<state>/themes`, and which of its themes the app knows.

    Args:
        app: gets the themes, and is told of what is wrong with them.
        settled: called each time the files were read and something was new.
    """

    def __init__(self, app: Home, settled: Callable[[], None]):
        self._app = app
        self._settled = settled
        self._folder = app.engine.state_dir / "themes"
        self._seen: dict[Path, ThemeFile] | None = None
        self._names: dict[Path, str] = {}
        self._covered: dict[str, Theme | None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files as they are now."""
        return tuple(
            file.problem for file in (self._seen or {}).values() if file.problem is not None
        )

    async def watch(self) -> None:
        """Read the files, and again whenever one changes, until cancelled."""
        async with stopping() as stop:
            while True:
                number = await asyncio.to_thread(_number, self._folder)
                await self.look()
                if number:
                    await self._wait(number, stop)
                else:
                    await asyncio.sleep(LOOK_SECONDS)

    async def _wait(self, number: int, stop: anyio.Event) -> None:
        """Look at each change for as long as the folder is the same."""
        try:
            async with aclosing(changes_in([self._folder], stop)) as told:
                async for changed in told:
                    if changed:
                        await self.look()
                    if await asyncio.to_thread(_number, self._folder) != number:
                        return
        except OSError:  # the folder went in the moment of asking: look again
            await asyncio.sleep(LOOK_SECONDS / 10)

    async def look(self) -> None:
        """Read the files and take in what is new."""
        files = {file.path: file for file in await asyncio.to_thread(read_themes, self._folder)}
        if files == self._seen:
            return
        before, self._seen = self._seen or {}, files
        for path in before.keys() - files.keys():
            self._forget(path)
        for path, file in files.items():
            if before.get(path) != file:
                self._take(path, file)
        self._settled()

    def _take(self, path: Path, file: ThemeFile) -> None:
        if file.problem is not None:
            self._app.tell((file.problem,))
        theme = file.theme
        if theme is None:
            return
        if self._names.get(path) not in (None, theme.name):
            self._forget(path)
        self._covered.setdefault(theme.name, self._app.get_theme(theme.name))
        self._names[path] = theme.name
        self._app.register_theme(theme)
        if theme.name == self._app.theme:
            self._app.mutate_reactive(App.theme)  # the name is the same, its colours are not

    def _forget(self, path: Path) -> None:
        """A file is gone: its theme too, unless it is worn; one that it covered is back."""
        name = self._names.pop(path, None)
        if name is None:
            return
        covered = self._covered.pop(name, None)
        if covered is not None:
            self._app.register_theme(covered)
            if name == self._app.theme:
                self._app.mutate_reactive(App.theme)
        elif name != self._app.theme:
            self._app.unregister_theme(name)


def _number(folder: Path) -> int:
    """Which folder it is; 0 for none."""
    try:
        return folder.stat().st_ino if folder.is_dir() else 0
    except OSError:
        return 0
