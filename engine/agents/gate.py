"""The gate: may this sender write here, and does the agent answer (SPEC §4).

One function decides, in this order: access by the channel's policy (a stranger may get a pairing
code), the number of sessions, whether a group's message is for the agent, whether an answer may go
out. It returns its reasons; nothing that is refused is stored, nothing that is allowed is lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Literal

from engine.agents.pairing_book import PairingBook
from engine.clock import Clock
from engine.rights.permissions import may_use
from engine.routing.access import Access, judge, sender_id
from engine.routing.keys import chat_type
from engine.routing.pairing import Asked
from engine.routing.send_policy import may_send
from engine.turns.commands import parse_command
from engine.turns.order import Admission, Order
from engine.turns.pool import SessionPool

__all__ = ["Gate"]

OWN = ("main", "chat", "subagent")


class Gate:
    """Decides for one state dir. Reads files, so it runs off the loop.

    Args:
        book: who was paired.
        pool: which sessions there are.
        clock: for codes that run out.
        below: a random number below its argument, for codes.

    Attributes:
        turned_away: how many messages met a full house since the start.
    """

    def __init__(
        self,
        book: PairingBook,
        pool: SessionPool,
        clock: Clock,
        *,
        below: Callable[[int], int] = secrets.randbelow,
    ):
        self.book = book
        self.turned_away = 0
        self._pool = pool
        self._clock = clock
        self._below = below

    def admit(self, order: Order) -> Admission:
        """Decide about a message.

        Raises:
            StoreError: the pairings or the session cannot be read.
        """
        if order.principal.is_operator:
            return Admission("answer", "the operator at the terminal")
        access = self._access(order)
        if access.decision == "pairing":
            return self._pair(order, access)
        if not access.allowed:
            return Admission("refused", access.reason, access.rule, access=access)
        if self._full(order):
            self.turned_away += 1
            session = order.setup.config.session
            reason = f"{session.max_concurrent} sessions are open"
            rule = "session.maxConcurrent"
            return Admission("refused", reason, rule, session.busy_message, access=access)
        return self._answer(order, access)

    def _access(self, order: Order) -> Access:
        envelope, config = order.envelope, order.setup.config
        access = judge(config, envelope)
        if access.allowed or access.reason_code in ("channel_disabled",):
            return access
        approved = self.book.read().approved_ids(envelope.channel, envelope.account_id)
        return judge(config, envelope, approved) if approved else access

    def _pair(self, order: Order, access: Access) -> Admission:
        envelope = order.envelope
        who = sender_id(envelope)
        name = envelope.sender.name if envelope.sender else ""
        asked: Asked = self.book.change(
            lambda pairings: pairings.ask(
                envelope.channel,
                envelope.account_id,
                who,
                now=self._clock.now(),
                below=self._below,
                name=name,
            )
        )
        request = asked.request
        if asked.outcome != "new" or request is None:
            reason = {
                "full": "too many strangers wait for approval on this channel",
                "approved": "approved a moment ago; the next message gets through",
            }.get(asked.outcome, "waits for approval; the code was told before")
            return Admission("pairing", reason, access.rule, access=access)
        reply = (
            f"I do not know you yet. Your pairing code is {request.code}. "
            "Ask my owner to approve it; it holds for one hour."
        )
        reason = "an unknown sender; a pairing code was made"
        return Admission("pairing", reason, access.rule, reply, request.code, access=access)

    def _full(self, order: Order) -> bool:
        """Whether a new sender meets a full house; the operator's own sessions do not count."""
        limit = order.setup.config.session.max_concurrent
        if limit is None or self._pool.has(order.session_key):
            return False
        records = self._pool.store.list()
        others = (
            record.key
            for record in records
            if record.kind == "session" and chat_type(record.key) not in OWN
        )
        return len(set(others)) >= limit

    def _answer(self, order: Order, access: Access) -> Admission:
        envelope, setup = order.envelope, order.setup
        activation = None
        if envelope.peer is not None and envelope.peer.kind != "dm":
            activation = self._activation(order.session_key)
        command = parse_command(envelope.text)
        hearing = setup.mentions.hear(
            order.agent_id,
            envelope,
            activation=activation,
            command=command is not None and may_use(order.principal, command[0]).allowed,
        )
        if hearing.decision == "ignore":
            return Admission(
                "refused", hearing.reason, hearing.rule, access=access, hearing=hearing
            )
        sending = may_send(
            setup.config.session.send_policy,
            order.session_key,
            channel=envelope.channel,
            chat_type=chat_type(order.session_key),
        )
        if hearing.decision == "answer" and sending.allowed:
            return Admission(
                "answer",
                hearing.reason,
                hearing.rule or access.rule,
                "",
                "",
                access,
                hearing,
                sending,
            )
        reason = hearing.reason if sending.allowed else "answers are not allowed here"
        rule = hearing.rule if sending.allowed else sending.rule
        return Admission("context", reason, rule, "", "", access, hearing, sending)

    def _activation(self, key: str) -> Literal["mention", "always"] | None:
        if not self._pool.has(key):
            return None
        with self._pool.using(key) as live:
            return live.activation
