from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio

from engine import Engine
from engine.events import Event
from tests.engine.conftest import Open

T = TypeVar("T")
SCOPES = ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")


def text(scope: str = "main", more: str = "") -> str:
    return f'{{\n  // who shares\n  session: {{ dmScope: "{scope}" }}, // a comment\n{more}}}\n'


def put(path: Path, content: str) -> None:
    """As vim, VS Code and most others save: a new file, renamed over the old one."""
    fresh = path.with_name(path.name + ".new~")
    fresh.write_text(content)
    fresh.chmod(0o600)
    fresh.replace(path)


def overwrite(path: Path, content: str) -> None:
    """As nano and `>` do: truncated, then written."""
    path.write_text(content)


class Ear:
    """What a watching engine told of its config, in order."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.heard: list[Event] = []

    async def listen(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self.heard.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, wanted: Callable[[], Any]) -> None:
        with anyio.fail_after(60):
            while not wanted():
                await anyio.sleep(0.005)
        await anyio.wait_all_tasks_blocked()  # what was told with it has been heard as well

    async def scope(self, scope: str) -> None:
        await self.until(lambda: self.engine.config.session.dm_scope == scope)

    async def quiet(self) -> None:
        """Long enough for a second telling of one edit to come."""
        await anyio.sleep(0.4)


Watching = Callable[..., Any]


@asynccontextmanager
async def watch_engine(
    open_engine: Open, config: str | None = text(), **options: Any
) -> AsyncIterator[Ear]:
    """An engine that watches its config, and what it tells."""
    async with open_engine(config, **options) as engine:
        ear = Ear(engine)
        async with engine.subscribe() as events, anyio.create_task_group() as tasks:
            tasks.start_soon(ear.listen, events)
            tasks.start_soon(engine.watch)
            await anyio.sleep(0.2)
            yield ear
            tasks.cancel_scope.cancel()


def path_of(ear: Ear) -> Path:
    assert ear.engine.config_path is not None
    return ear.engine.config_path
