"""Reading a config file that somebody may be writing just now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.config.load import Loaded
from engine.errors import Problem

__all__ = ["read_settled"]

GRACE_SECONDS, MAX_READS = 0.1, 20
"""A file that cannot be used is read again after this long, and how often while it goes on
changing: its writer may not be done."""

Seen = tuple[str, tuple[Problem, ...]]
"""A file's text and what is wrong with it."""


async def read_settled(read: Callable[[], Awaitable[Loaded]], known: Seen | None) -> Loaded:
    """The file; one that cannot be used only after it was the same twice.

    Args:
        read: reads it once.
        known: what was seen of it before; it is taken as it is.
    """
    import anyio

    loaded = await read()
    for _ in range(MAX_READS):
        if loaded.config is not None or (loaded.text, loaded.problems) == known:
            break
        await anyio.sleep(GRACE_SECONDS)  # real time: it is the writer's that counts
        before = loaded
        loaded = await read()
        if (loaded.text, loaded.problems) == (before.text, before.problems):
            break
    return loaded
