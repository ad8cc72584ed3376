"""An order: one message and what is to be done with it, and the receipt its sender holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from engine.config.load import Snapshot
from engine.config.schema import Config
from engine.errors import BranchlineError
from engine.models.door import ModelDoor
from engine.models.protocol import StopReason, Usage
from engine.models.registry import ModelRegistry
from engine.rights.permissions import PermissionTable, Principal
from engine.routing.access import Access
from engine.routing.envelope import Envelope
from engine.routing.mentions import Hearing, Mentions
from engine.routing.router import Route, Router
from engine.routing.send_policy import SendDecision

if TYPE_CHECKING:
    import anyio

__all__ = ["Admission", "Order", "Place", "Receipt", "Setup", "TurnResult"]


class Setup(Struct, frozen=True):
    """A config in force and what is made of it. A turn keeps the one it started with."""

    snapshot: Snapshot
    router: Router
    registry: ModelRegistry
    door: ModelDoor
    mentions: Mentions
    permissions: PermissionTable

    @property
    def config(self) -> Config:
        return self.snapshot.config


class Place(Struct, frozen=True):
    """Where in the tree a turn goes on, when that is not the leaf.

    Attributes:
        target: the entry; None stands before the first.
        what: the operation, for the journal.
        again: the message at `target` is answered once more; none is added.
    """

    target: str | None
    what: str
    again: bool = False


class Order(Struct, frozen=True):
    """What a turn is to do, fixed when the message came in.

    Attributes:
        session_key: where the message lands.
        route: how it was routed; None when the sender named the session.
        model: a reference for this turn only.
        place: where to go first, for what is edited and sent again or answered again.
    """

    turn_id: str
    envelope: Envelope
    session_key: str
    agent_id: str
    principal: Principal
    setup: Setup
    route: Route | None = None
    model: str | None = None
    place: Place | None = None


class Admission(Struct, frozen=True):
    """What becomes of a message at the gate, and why (see engine.agents.gate).

    Attributes:
        outcome: answer it; keep it as context; a pairing code was due; or refused, not stored.
        reason: for people.
        rule: the place in the config that decided, "" where none did.
        reply: what the sender is told, "" for nothing.
        code: the pairing code that was made for this sender.
    """

    outcome: Literal["answer", "context", "pairing", "refused"]
    reason: str
    rule: str = ""
    reply: str = ""
    code: str = ""
    access: Access | None = None
    hearing: Hearing | None = None
    sending: SendDecision | None = None


class TurnResult(Struct, frozen=True):
    """How a turn ended. `error` is None for a whole answer; `text` is the answer's words, also
    of a broken one, or what a command had to say (then `command` is True). `duplicate`: the
    channel delivered the message a second time; nothing was stored or answered. `admission`: what
    the gate said of a message that was not answered; `text` is then what its sender is told."""

    reply_entry_id: str | None
    text: str
    model: str
    usage: Usage | None
    stop_reason: StopReason
    error: BranchlineError | None = None
    command: bool = False
    duplicate: bool = False
    admission: Admission | None = None


@dataclass(eq=False)
class Receipt:
    """What the sender of a message holds: follow it with `stored` and `result`."""

    order: Order
    scope: anyio.CancelScope
    entry_id: str | None = None
    session_id: str | None = None
    _result: TurnResult | None = None
    _stored: anyio.Event = field(init=False)
    _done: anyio.Event = field(init=False)

    def __post_init__(self) -> None:
        import anyio

        self._stored, self._done = anyio.Event(), anyio.Event()

    @property
    def session_key(self) -> str:
        return self.order.session_key

    @property
    def turn_id(self) -> str:
        return self.order.turn_id

    @property
    def finished(self) -> bool:
        return self._result is not None

    def store(self, session_id: str, entry_id: str) -> None:
        """Note that the message is on disk."""
        self.session_id, self.entry_id = session_id, entry_id
        self._stored.set()

    def finish(self, result: TurnResult) -> None:
        """Note the outcome; the first one counts."""
        if self._result is None:
            self._result = result
            self._stored.set()
            self._done.set()

    async def stored(self) -> str | None:
        """Wait until the message is on disk; its entry id, None for a command.

        Raises:
            BranchlineError: it could not be stored; nothing of it was kept.
        """
        await self._stored.wait()
        if self.entry_id is None and self._result is not None and self._result.error is not None:
            raise self._result.error
        return self.entry_id

    async def result(self) -> TurnResult:
        """Wait for the turn's end. A failed turn does not raise: see `TurnResult.error`."""
        await self._done.wait()
        assert self._result is not None
        return self._result
