"""`branchline pairing`: strangers who asked to be let in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from engine.errors import BranchlineError
from tui.cli.lazy import LazyGroup
from tui.cli.output import print_json, print_table, say
from tui.cli.place import here, json_option, place_options

if TYPE_CHECKING:
    from engine.agents.pairing_book import PairingBook

__all__ = ["pairing"]


def _book() -> tuple[PairingBook, int]:
    """The pairings of the state dir, and the time."""
    from engine.agents.pairing_book import PairingBook
    from engine.clock import SystemClock
    from engine.disk import Disk

    clock = SystemClock()
    return PairingBook(Disk(), here().state_dir, clock), clock.now()


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M")


def _who(one: Any) -> dict[str, Any]:
    return {
        "channel": one.channel,
        "accountId": one.account_id,
        "id": one.sender_id,
        "name": one.name,
    }


def _unknown(code: str) -> BranchlineError:
    return BranchlineError(
        f"no open request has the code {code!r}",
        remedy="Codes hold for one hour; `branchline pairing list` shows those that wait",
    )


@click.group(cls=LazyGroup)
def pairing() -> None:
    """Let strangers in, or not."""


@pairing.command("list")
@place_options
@json_option
def list_(as_json: bool) -> None:
    """List who waits for approval, and who was let in."""
    book, now = _book()
    found = book.read()
    waiting = found.pending(now)
    if as_json:
        print_json(
            {
                "waiting": [
                    {**_who(one), "code": one.code, "created": one.created} for one in waiting
                ],
                "approved": [{**_who(one), "approved": one.approved} for one in found.approvals],
            }
        )
        return
    rows = [
        (one.code, one.channel, one.account_id, one.sender_id, one.name, _when(one.created))
        for one in waiting
    ]
    rows += [
        ("approved", one.channel, one.account_id, one.sender_id, one.name, _when(one.approved))
        for one in found.approvals
    ]
    if rows:
        print_table(("CODE", "CHANNEL", "ACCOUNT", "ID", "NAME", "SINCE"), rows)
    else:
        say("nobody asked to be let in")


@pairing.command()
@place_options
@json_option
@click.argument("code")
def approve(code: str, as_json: bool) -> None:
    """Let in the sender with CODE, at once and for good."""
    book, now = _book()
    made = book.change(lambda pairings: pairings.approve(code, now=now))
    if made is None:
        raise _unknown(code)
    if as_json:
        print_json(_who(made))
    else:
        say(f"{made.name or made.sender_id} may write on {made.channel} now")


@pairing.command()
@place_options
@json_option
@click.argument("code")
def reject(code: str, as_json: bool) -> None:
    """Drop the request with CODE; its sender may ask again."""
    book, now = _book()
    dropped = book.change(lambda pairings: pairings.reject(code, now=now))
    if dropped is None:
        raise _unknown(code)
    if as_json:
        print_json(_who(dropped))
    else:
        say(f"the request of {dropped.name or dropped.sender_id} is dropped")


@pairing.command()
@place_options
@json_option
@click.argument("channel")
@click.argument("sender")
@click.option("--account", default="default", help="Account of the channel.")
def revoke(channel: str, sender: str, account: str, as_json: bool) -> None:
    """Take back the approval of SENDER on CHANNEL."""
    book, _ = _book()
    if not book.change(lambda pairings: pairings.revoke(channel, account, sender)):
        raise BranchlineError(
            f"{sender!r} is not approved on {channel}",
            remedy="`branchline pairing list` shows who is",
        )
    if as_json:
        print_json({"channel": channel, "accountId": account, "id": sender})
    else:
        say(f"{sender} has to ask again on {channel}")
