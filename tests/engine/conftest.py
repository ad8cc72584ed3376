from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Envelope, Peer, Sender

Open = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture
def open_engine(tmp_path: Path) -> Open:
    """Opens an engine on a state dir of the test's own, with a config text if one is given."""

    @asynccontextmanager
    async def open_(config: str | None = None, **options: Any) -> AsyncIterator[Engine]:
        state = options.pop("state_dir", tmp_path / "state")
        if config is not None:
            state.mkdir(parents=True, exist_ok=True)
            (state / "branchline.json5").write_text(config)
        options = {"environ": {}, "paced": False} | options
        async with Engine.open(state, **options) as engine:
            yield engine

    return open_


@pytest.fixture
def open_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the guard away that keeps people where routing leads them, so that what stands
    behind it (the leak monitor) can be seen to hold by itself."""
    monkeypatch.setattr("engine.engine.check_place", lambda order: None)


def said(text: str, **facts: Any) -> Envelope:
    """The operator says something at the terminal."""
    return Envelope("terminal", text=text, **facts)


def dm(who: str, text: str, channel: str = "telegram", **facts: Any) -> Envelope:
    """A person writes a direct message."""
    return Envelope(
        channel, text=text, peer=Peer("dm", who), sender=Sender(who, who.title()), **facts
    )


async def answer(engine: Engine, envelope: Envelope, **options: Any) -> str:
    """Send a message and wait for the words of the reply."""
    result = await (await engine.submit(envelope, **options)).result()
    assert result.error is None, result.error
    return result.text
