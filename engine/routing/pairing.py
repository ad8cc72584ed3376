"""Pairing: a stranger gets a one-time code, the operator approves or rejects it (SPEC §4).

A value and functions that make the next value; who calls them keeps it in a file. Facts of the
reference (OpenClaw 2026.4.15): 8 characters without 0 O 1 I, valid for an hour, at most 3 open
requests per channel, over all its accounts. A request beyond that is refused until one is dealt
with or runs out, so that a newcomer cannot push out one that the operator is about to approve.
Who asks again gets the same code, and it lives no longer for that. Approval is for one account.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from engine.errors import Problem
from engine.routing.access import normalize_sender
from engine.routing.ids import normalize_account_id, token, trim
from engine.values import replace

__all__ = [
    "ALPHABET",
    "CODE_LENGTH",
    "MAX_PENDING",
    "VALID_MS",
    "Approval",
    "Asked",
    "Pairings",
    "Request",
    "read_pairings",
]

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8
VALID_MS = 60 * 60 * 1000
"""How long a code can be approved, in milliseconds."""

MAX_PENDING = 3
"""Open requests per channel."""

_MAX_TRIES = 100
_MAX_NAME = 200

Below = Callable[[int], int]
"""A random whole number from 0 to below n, fit for secrets (`secrets.randbelow`)."""


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody waits for approval. Times in ms since 1970; the code is for the operator's eyes
    and the sender's, so it is not in the repr that a log might print."""

    channel: str
    account_id: str
    sender_id: str
    name: str
    code: str = field(repr=False)
    created: int
    last_seen: int

    def is_open(self, now: int) -> bool:
        """Whether the code still counts. One from the future is void: the clock was moved."""
        return abs(now - self.created) <= VALID_MS


class Approval(Struct, frozen=True):
    """A sender who was let in on one account of a channel."""

    channel: str
    account_id: str
    sender_id: str
    name: str
    approved: int


class Asked(Struct, frozen=True):
    """What a stranger's message came to.

    `new`: tell the sender the code. `waiting`: they were told before; say nothing. `full`: too
    many wait on this channel; say nothing. `approved`: they may write already.
    """

    outcome: Literal["new", "waiting", "full", "approved"]
    request: Request | None = None


class Pairings(Struct, frozen=True):
    """All requests and approvals of a state dir."""

    requests: tuple[Request, ...] = ()
    approvals: tuple[Approval, ...] = ()

    def ask(
        self,
        channel: str,
        account_id: str,
        sender_id: str,
        *,
        now: int,
        below: Below,
        name: str = "",
    ) -> tuple[Pairings, Asked]:
        """A sender whom access answers with `pairing` has written.

        Raises:
            ValueError: the sender's id is blank; there is nobody to approve.
        """
        who = _who(channel, account_id, sender_id)
        if any(_place(approval) == who for approval in self.approvals):
            return self, Asked("approved")
        current = self.pruned(now)
        for at, request in enumerate(current.requests):
            if _place(request) == who:
                seen = replace(request, last_seen=now, name=_name(name) or request.name)
                kept = (*current.requests[:at], seen, *current.requests[at + 1 :])
                return replace(current, requests=kept), Asked("waiting", seen)
        if len(current.pending(now, channel)) >= MAX_PENDING:
            return current, Asked("full")
        code = _new_code({request.code for request in current.requests}, below)
        made = Request(*who, name=_name(name), code=code, created=now, last_seen=now)
        return replace(current, requests=(*current.requests, made)), Asked("new", made)

    def pending(self, now: int, channel: str | None = None) -> tuple[Request, ...]:
        """Requests that can be approved, oldest first; of one channel, or of all."""
        wanted = None if channel is None else token(channel)
        found = (one for one in self.requests if one.is_open(now))
        return tuple(
            sorted(
                (one for one in found if wanted is None or one.channel == wanted),
                key=lambda one: (one.created, one.code),
            )
        )

    def find(
        self, code: str, *, now: int, channel: str | None = None, account_id: str | None = None
    ) -> Request | None:
        """The open request with this code, in any case, with spaces or dashes in it.

        Takes the same time whichever code was given: all open ones are compared to their end.
        """
        given = "".join(char for char in code.upper() if char.isalnum()).encode()
        found = None
        for request in self.pending(now, channel):
            same = hmac.compare_digest(request.code.encode(), given)
            if same and (
                account_id is None or request.account_id == normalize_account_id(account_id)
            ):
                found = request
        return found

    def approve(
        self, code: str, *, now: int, channel: str | None = None, account_id: str | None = None
    ) -> tuple[Pairings, Approval | None]:
        """Let in the sender with this code; the code is spent. None: no open request has it."""
        request = self.find(code, now=now, channel=channel, account_id=account_id)
        current = self.pruned(now)
        if request is None:
            return current, None
        made = Approval(*_place(request), name=request.name, approved=now)
        approvals = (*(one for one in self.approvals if _place(one) != _place(made)), made)
        return Pairings(current._without(request), approvals), made

    def reject(
        self, code: str, *, now: int, channel: str | None = None, account_id: str | None = None
    ) -> tuple[Pairings, Request | None]:
        """Drop the request with this code; its sender may ask again. None: no request has it."""
        request = self.find(code, now=now, channel=channel, account_id=account_id)
        current = self.pruned(now)
        if request is None:
            return current, None
        return replace(current, requests=current._without(request)), request

    def revoke(self, channel: str, account_id: str, sender_id: str) -> tuple[Pairings, bool]:
        """Take back an approval. False: there was none."""
        who = _who(channel, account_id, sender_id)
        kept = tuple(one for one in self.approvals if _place(one) != who)
        return replace(self, approvals=kept), len(kept) < len(self.approvals)

    def approved_ids(self, channel: str, account_id: str = "") -> tuple[str, ...]:
        """Senders approved on an account of a channel, for engine.routing.access."""
        where = (token(channel), normalize_account_id(account_id))
        return tuple(
            one.sender_id for one in self.approvals if (one.channel, one.account_id) == where
        )

    def pruned(self, now: int) -> Pairings:
        """Without requests that ran out."""
        kept = tuple(one for one in self.requests if one.is_open(now))
        return self if len(kept) == len(self.requests) else replace(self, requests=kept)

    def _without(self, request: Request) -> tuple[Request, ...]:
        return tuple(one for one in self.requests if _place(one) != _place(request))

    def to_json(self) -> dict[str, Any]:
        """For a file that only its owner may read; `read_pairings` is the way back."""
        return {
            "version": 1,
            "requests": [
                {
                    "channel": one.channel,
                    "accountId": one.account_id,
                    "id": one.sender_id,
                    "name": one.name,
                    "code": one.code,
                    "createdAt": one.created,
                    "lastSeenAt": one.last_seen,
                }
                for one in self.requests
            ],
            "approved": [
                {
                    "channel": one.channel,
                    "accountId": one.account_id,
                    "id": one.sender_id,
                    "name": one.name,
                    "approvedAt": one.approved,
                }
                for one in self.approvals
            ],
        }


Place = tuple[str, str, str]


def _who(channel: str, account_id: str, sender_id: str) -> Place:
    sender = normalize_sender(channel, sender_id)
    if not sender or sender == "*":  # an approved star would let in everybody
        raise ValueError("a pairing needs a sender's id")
    return token(channel), normalize_account_id(account_id), sender


def _place(one: Request | Approval) -> Place:
    return one.channel, one.account_id, one.sender_id


def _name(name: str) -> str:
    return trim(name)[:_MAX_NAME]


def _new_code(taken: set[str], below: Below) -> str:
    for _ in range(_MAX_TRIES):
        code = "".join(ALPHABET[below(len(ALPHABET))] for _ in range(CODE_LENGTH))
        if code not in taken:
            return code
    raise RuntimeError("the source of randomness repeats itself")


def read_pairings(value: object) -> tuple[Pairings, tuple[Problem, ...]]:
    """What `to_json` wrote. Never raises: a record that cannot be read lets nobody in, and is
    reported."""
    problems: list[Problem] = []
    if not isinstance(value, Mapping):
        return Pairings(), (Problem("expected an object with requests and approved"),)
    requests = _records(value, "requests", _read_request, problems)
    approvals = _records(value, "approved", _read_approval, problems)
    return Pairings(tuple(requests), tuple(approvals)), tuple(problems)


def _records(
    value: Mapping[str, Any],
    part: str,
    read: Callable[[Mapping[str, Any]], Any],
    problems: list[Problem],
) -> list[Any]:
    rows = value.get(part, [])
    if not isinstance(rows, list):
        problems.append(Problem("expected a list", path=part))
        return []
    found: dict[Place, Any] = {}
    for order, row in enumerate(rows):
        try:
            made = read(row)
        except (ValueError, TypeError, KeyError, AttributeError):
            message = "this record cannot be read and lets nobody in"
            problems.append(Problem(message, path=f"{part}[{order}]"))
        else:
            found[_place(made)] = made
    return list(found.values())


def _time(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no time in milliseconds")
    return value


def _read_who(row: Mapping[str, Any]) -> Place:
    channel, account, sender = row["channel"], row.get("accountId", ""), row["id"]
    if not (isinstance(channel, str) and isinstance(account, str) and isinstance(sender, str)):
        raise ValueError("ids are text")
    return _who(channel, account, sender)


def _read_request(row: Mapping[str, Any]) -> Request:
    code = row["code"].strip().upper()
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        raise ValueError("no code")
    created = _time(row["createdAt"])
    seen = _time(row.get("lastSeenAt", created))
    return Request(*_read_who(row), _name(str(row.get("name") or "")), code, created, seen)


def _read_approval(row: Mapping[str, Any]) -> Approval:
    return Approval(
        *_read_who(row), _name(str(row.get("name") or "")), _time(row.get("approvedAt", 0))
    )
