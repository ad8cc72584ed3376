"""Engine: opens a state dir and wires the rooms together. It decides nothing itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from engine.config.schema import Config
from engine.context.window import Window
from engine.errors import BranchlineError, Problem
from engine.events import Event
from engine.models.protocol import StopReason, Usage
from engine.routing.envelope import Envelope
from engine.sessions.entries import Entry

__all__ = ["Engine", "HistoryPage", "ModelInForce", "Receipt", "SessionInfo", "SessionView"]


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A line of the session list. Times in ms since 1970; `state`: idle, busy, archived …"""

    key: str
    session_id: str
    agent_id: str
    label: str | None
    messages: int
    created: int
    last_active: int
    model: str | None
    state: str
    chat_type: str
    channel: str
    peer_name: str
    preview: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInForce:
    """The model a session answers with and where that comes from: config, session or turn."""

    ref: str
    source: str
    context_window: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SessionView:
    """Everything the inspector shows of one session."""

    info: SessionInfo
    route: object
    model: ModelInForce
    tokens: int
    leaf: str | None
    branches: int
    compactions: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries of the path root → leaf, oldest first. `before`: ask for older ones with it."""

    entries: tuple[Entry, ...]
    before: str | None


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended; `error` is None for a whole answer."""

    reply_entry_id: str | None
    text: str
    model: str
    usage: Usage | None
    stop_reason: StopReason
    error: BranchlineError | None = None


class Receipt:
    """What `submit` gives back once the message is on disk."""

    session_key: str
    session_id: str
    entry_id: str | None
    turn_id: str
    route: object

    async def result(self) -> TurnResult:
        """Wait for the turn's end. Never raises for a failed model call: see `error`."""
        raise NotImplementedError


class Engine:
    """One state dir, open."""

    state_dir: Path
    config: Config
    config_path: Path
    revision: int
    problems: tuple[Problem, ...]
    first_run: bool

    @classmethod
    def open(
        cls,
        state_dir: Path,
        *,
        config_path: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[Engine]:
        """Open a state dir (made if missing) for as long as the `async with` lasts."""
        raise NotImplementedError

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Hear every event from now on, in order."""
        raise NotImplementedError

    def route(self, envelope: Envelope) -> object: ...

    async def submit(
        self, envelope: Envelope, *, session_key: str | None = None, model: str | None = None
    ) -> Receipt:
        """Take a message in: route it, put it on disk, start (or queue) its turn."""
        raise NotImplementedError

    async def cancel(self, session_key: str) -> bool:
        """Stop the running turn of a session; False when none runs."""
        raise NotImplementedError

    def sessions(self) -> tuple[SessionInfo, ...]: ...

    async def view(self, session_key: str) -> SessionView: ...

    async def history(
        self, session_key: str, *, before: str | None = None, limit: int = 20
    ) -> HistoryPage: ...

    async def window(self, session_key: str, leaf: str | None = None) -> Window: ...

    async def set_override(self, session_key: str, model: str | None) -> ModelInForce: ...

    async def watch(self) -> None:
        """Take in what other processes write, until cancelled."""
