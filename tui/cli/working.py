"""What commands that change sessions share: an engine for as long as they need one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from engine.errors import CommandError
from engine.text import safe_line
from tui.cli.output import warn
from tui.cli.place import Place, here
from tui.cli.transcripts import find, store_of

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.sessions.records import SessionRecord

__all__ = ["in_use", "run"]

T = TypeVar("T")


async def _with_engine(place: Place, use: Callable[[Engine], Awaitable[T]]) -> T:
    from engine.engine import Engine

    async with Engine.open(
        place.state_dir, config_path=place.config_for_engine(), environ=os.environ, paced=False
    ) as engine:
        if engine.first_run:
            warn(f"wrote a first config, with all settings explained: {engine.config_path}")
        return await use(engine)


def run(use: Callable[[Engine], Awaitable[T]]) -> T:
    """Open the engine, use it, close it."""
    import anyio

    return anyio.run(_with_engine, here(), use)


def in_use(ref: str) -> SessionRecord:
    """The session that is meant, which must be one that can be written to.

    Raises:
        SessionNotFound: none, or more than one.
        CommandError: it is a leftover or a file elsewhere.
    """
    record = find(store_of(here()), ref)
    if record.kind != "session" or record.state == "missing":
        what = "file elsewhere" if record.kind == "file" else record.kind
        raise CommandError(
            f"{safe_line(record.path.name, limit=120)} is no session in use ({what})",
            remedy="Fork it first: `branchline sessions fork`",
        )
    return record
