"""Dispatch: receipts from the moment a message is taken in to the end of its turn."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from engine.agents.desk import OrderDesk
from engine.agents.gate import Gate
from engine.agents.turn import Kitchen, end_duplicate, end_unanswered, in_thread, run_turn
from engine.agents.views import SessionView
from engine.errors import BranchlineError, Problem
from engine.events import Noticed, TurnedAway, TurnEnded, TurnQueued
from engine.routing.keys import canonical_key
from engine.text import safe_line
from engine.turns.commands import parse_command, run_command, waits_its_turn
from engine.turns.lanes import Lanes
from engine.turns.order import Admission, Order, Receipt, TurnResult

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Dispatch"]


class Dispatch:
    """Starts turns and commands, knows which are under way, stops them.

    Args:
        kitchen: what turns work with.
        gate: who may write, and what is answered.
        tasks: where they run.
        view: looks at a session, for commands that describe it.
        renew: called first in a turn's lane; a session that is over begins anew.
    """

    def __init__(
        self,
        kitchen: Kitchen,
        gate: Gate,
        tasks: TaskGroup,
        view: Callable[[str], Awaitable[SessionView]],
        renew: Callable[[Order], Awaitable[None]],
    ):
        self._kitchen = kitchen
        self._gate = gate
        self._doors = Lanes(math.inf)
        self._tasks = tasks
        self._view = view
        self._renew = renew
        self._receipts: dict[str, list[Receipt]] = {}

    def start(self, order: Order) -> Receipt:
        """Carry out an order, behind those of its session that came before."""
        import anyio

        receipt = Receipt(order, anyio.CancelScope())
        ahead = self._receipts.setdefault(order.session_key, [])
        if ahead:
            self._kitchen.publish(TurnQueued(order.session_key, order.turn_id, len(ahead)))
        ahead.append(receipt)
        self._tasks.start_soon(self._carry_out, receipt)
        return receipt

    def desk(self, order: Order) -> OrderDesk:
        """What commands may do for an order."""
        return OrderDesk(order, self._kitchen, self._view, self.cancel, self.start)

    async def cancel(self, session_key: str) -> bool:
        """Stop the first turn of a session that is running or waiting; False when none is."""
        for receipt in self._receipts.get(canonical_key(session_key), ()):
            if parse_command(receipt.order.envelope.text) is None:
                receipt.scope.cancel()
                return True
        return False

    async def _carry_out(self, receipt: Receipt) -> None:
        order = receipt.order
        try:
            if order.place is not None:
                # What is edited or answered again was let in when it was first said.
                await run_turn(receipt, self._kitchen, self._renew)
                return
            admission = await self._admit(order)
            command = parse_command(order.envelope.text)
            if admission.outcome in ("refused", "pairing"):
                self._turn_away(receipt, admission)
            elif admission.outcome == "context":
                await run_turn(receipt, self._kitchen, self._renew, admission)
            elif command is not None:
                await self._obey(receipt, *command)
            else:
                await run_turn(receipt, self._kitchen, self._renew)
        except Exception as error:
            # The outermost edge of a turn: whatever went wrong ends this turn, not the engine.
            self._failed(receipt, error)
        finally:
            waiting = self._receipts[order.session_key]
            waiting.remove(receipt)
            if not waiting:
                del self._receipts[order.session_key]

    async def _admit(self, order: Order) -> Admission:
        """Ask the gate. One message of a session after the other, so that they stay in order."""
        async with self._doors.turn(order.session_key):
            if order.principal.is_operator:
                return self._gate.admit(order)
            return await in_thread(self._gate.admit, order)

    def _turn_away(self, receipt: Receipt, admission: Admission) -> None:
        order = receipt.order
        self._kitchen.publish(
            TurnedAway(order.session_key, order.turn_id, order.envelope, admission)
        )
        if admission.code:
            self._kitchen.publish(Noticed(asks_to_be_let_in(order, admission)))
        result = TurnResult(None, admission.reply, "", None, "stop", admission=admission)
        end_unanswered(receipt, self._kitchen, result)

    async def _obey(self, receipt: Receipt, name: str, args: str) -> None:
        """Carry out a slash command; those that change the session wait their turn."""
        order = receipt.order
        lanes = self._kitchen.lanes
        lane = lanes.turn(order.session_key) if waits_its_turn(name) else nullcontext()
        with receipt.scope:
            async with lane:
                if self._kitchen.deliveries.seen(order.envelope):
                    end_duplicate(receipt, self._kitchen)
                    return
                self._kitchen.deliveries.note(order.envelope)
                done = await run_command(
                    self.desk(order), order.principal, order.session_key, name, args
                )
            receipt.finish(TurnResult(None, done.text, "", None, "stop", command=True))

    def _failed(self, receipt: Receipt, error: Exception) -> None:
        order = receipt.order
        if not isinstance(error, BranchlineError):
            error = BranchlineError(
                f"the turn failed: {type(error).__name__}: {error}",
                remedy="This is a fault in Branchline; what was stored is safe",
            )
        receipt.finish(TurnResult(None, "", "", None, "error", error))
        self._kitchen.publish(
            TurnEnded(order.session_key, order.turn_id, None, "error", "", error=error)
        )


def asks_to_be_let_in(order: Order, admission: Admission) -> Problem:
    """What the operator is told of a stranger who got a pairing code."""
    who = safe_line(order.principal.name, limit=60)
    return Problem(
        f"{who} ({safe_line(order.envelope.channel, limit=40)}) asks to be let in",
        severity="warning",
        hint=f"`branchline pairing approve {admission.code}` lets them in, `reject` does not",
    )
