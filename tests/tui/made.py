"""Values of the engine, made by hand: for tests that need no engine."""

from __future__ import annotations

from engine.config.schema import Agent, Agents, Config
from engine.engine import SessionInfo
from engine.values import replace

NOW = 1_800_000_000_000

CONFIG = Config(agents=Agents(list=(Agent(id="mia", name="Mia"), Agent(id="ops"))))


def info(key: str, name: str = "", **changes: object) -> SessionInfo:
    """A session of a Telegram dm, last used a minute ago."""
    made = SessionInfo(
        key=key,
        session_id="f8280000-1111-2222-3333-44444444843d",
        agent_id=key.split(":")[1],
        label=None,
        messages=4,
        created=NOW - 3_600_000,
        last_active=NOW - 60_000,
        model=None,
        state="idle",
        kind="session",
        chat_type="dm",
        channel="telegram",
        peer_name=name,
        preview="",
        ref=key,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
