"""`branchline send`: one turn from the shell, streamed to stdout (SPEC §13)."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from engine.errors import InputRefused
from engine.text import safe_text
from tui.cli.output import print_json, say, tell_error, warn
from tui.cli.place import Place, here, json_option, place_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.engine import Engine, Receipt
    from engine.events import Event
    from engine.routing.envelope import Envelope
    from engine.turns.order import Admission, TurnResult

__all__ = ["send"]

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class _Order:
    """What the command line asks for."""

    envelope: Envelope
    session: str | None
    model: str | None
    stream: bool
    as_json: bool


def _read_text(text: str | None) -> str:
    """The message: the argument, or what comes through a pipe.

    Raises:
        InputRefused: it is too long, or not text.
    """
    from engine.routing.read import MAX_TEXT

    if text is not None and text != "-":
        return _decoded(os.fsencode(text))
    if text is None and sys.stdin.isatty():
        raise click.UsageError("give TEXT, or pipe it in")
    data = sys.stdin.buffer.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise InputRefused(
            f"the message is longer than {MAX_TEXT:,} bytes",
            remedy="Send it in parts, or as a file in the workspace",
        )
    return _decoded(data).rstrip("\r\n")


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"the message is not UTF-8 text (byte {error.start + 1:,})",
            remedy="Convert it first, e.g. with iconv",
        ) from None


def _envelope(text: str, facts: dict[str, Any]) -> Envelope:
    from engine.routing.envelope import OPERATOR_CHANNEL
    from engine.routing.read import read_envelope

    if not facts.get("channel"):
        if any(facts.values()):
            raise click.UsageError("--account, --peer, --sender and --thread need --channel")
        facts["channel"] = OPERATOR_CHANNEL
    found = read_envelope({**facts, "text": text, "timestamp": time.time_ns() // 1_000_000})
    if found.sender is None and found.peer is not None and found.peer.kind == "dm":
        from engine.routing.envelope import Sender
        from engine.values import replace

        return replace(found, sender=Sender(found.peer.id))
    return found


def _session_key(place: Place, ref: str | None) -> str | None:
    """The key of the session that a person means; a whole key may be one that is yet to be made.

    Raises:
        SessionNotFound: none, or more than one.
    """
    if ref is None:
        return None
    from engine.routing.keys import canonical_key, split_key
    from tui.cli.transcripts import find, store_of

    if split_key(ref) is not None:
        return canonical_key(ref)
    return find(store_of(place), ref).key


class _Printer:
    """Prints a turn's events: the reply to stdout as it comes, remarks to stderr."""

    def __init__(self, *, stream: bool):
        self._stream = stream
        self._in_line = False
        self.printed = False

    def hear(self, event: Event) -> None:
        """Tell one event of the turn."""
        from engine.events import (
            Noticed,
            ReplyDelta,
            SessionRenewed,
            TurnQueued,
            TurnRetrying,
            TurnWaiting,
        )
        from engine.events import TurnSwitched as Switched

        match event:
            case ReplyDelta(text=text) if text and self._stream:
                self._print(text)
            case Noticed(problem=problem):
                self._remark(str(problem))
            case SessionRenewed(reason=reason, messages=count):
                kept = f"the {count:,} messages so far are archived"
                self._remark(f"a fresh start, {reason}: {kept}")
            case TurnQueued(ahead=ahead):
                self._remark(f"waiting for earlier turns of this session: {ahead}")
            case TurnWaiting(holder_pid=pid):
                whom = f"process {pid}" if pid else "another process"
                self._remark(f"the session is busy in {whom}; waiting")
            case TurnRetrying(reason=reason, when=when):
                self._remark(f"{reason}; trying again {when}")
            case Switched(from_model=old, to_model=new, reason=reason):
                self._remark(f"{old} could not answer ({reason}); {new} does")

    def _print(self, text: str) -> None:
        sys.stdout.write(safe_text(text))
        sys.stdout.flush()
        self.printed = True
        self._in_line = not text.endswith("\n")

    def _remark(self, text: str) -> None:
        self.end_line()
        warn(text)

    def end_line(self) -> None:
        """Finish a line that the reply left open."""
        if self._in_line:
            sys.stdout.write("\n")
            self._in_line = False


class _Stopper:
    """Ctrl-C: the first stops the turn, and what has come is kept; the next ends the program."""

    def __init__(self, engine: Engine, key: str):
        import asyncio

        self.pressed = False
        self._loop = asyncio.get_running_loop()
        self._engine, self._key = engine, key
        self._stopping: object = None

    def __enter__(self) -> _Stopper:
        self._loop.add_signal_handler(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)

    def _press(self) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)
        self.pressed = True
        self._stopping = self._loop.create_task(self._engine.cancel(self._key))


async def _follow(events: AsyncIterator[Event], receipt: Receipt, printer: _Printer) -> None:
    """Tell the events of one turn, until it ends."""
    from engine.events import Noticed, SessionRenewed, TurnEnded

    async for event in events:
        ours = getattr(event, "turn_id", None) == receipt.turn_id
        ours = ours or (
            isinstance(event, (Noticed, SessionRenewed))
            and event.session_key == receipt.session_key
        )
        if ours:
            printer.hear(event)
        if ours and isinstance(event, TurnEnded):
            return


async def _turn(engine: Engine, order: _Order) -> int:
    """Submit, follow to the end, print the outcome; the exit code."""
    import asyncio

    printer = _Printer(stream=order.stream)
    async with engine.subscribe() as events:
        receipt = await engine.submit(order.envelope, session_key=order.session, model=order.model)
        with _Stopper(engine, receipt.session_key) as stopper:
            following = asyncio.ensure_future(_follow(events, receipt, printer))
            ending = asyncio.ensure_future(receipt.result())
            await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
            if following.done() and following.exception() is not None:
                # Nobody reads our output any more, so nobody waits for the rest of the answer.
                await engine.cancel(receipt.session_key)
            result = await ending
            if result.command:
                following.cancel()
            await asyncio.wait({following})
    if not following.cancelled():
        following.result()
    printer.end_line()
    if order.as_json:
        print_json(_outcome(receipt, result))
    elif result.text and not printer.printed:
        say(result.text)
    if result.admission is not None:
        _tell_admission(result.admission)
    if stopper.pressed:
        return INTERRUPTED
    if result.error is not None:
        tell_error(result.error)
        return 1
    return 0


_OUTCOMES = {
    "context": "kept as context, not answered",
    "pairing": "not answered: asked for pairing",
    "refused": "not answered, nothing stored",
}


def _tell_admission(admission: Admission) -> None:
    """Why a message was not answered."""
    rule = f" ({admission.rule})" if admission.rule else ""
    warn(f"{_OUTCOMES[admission.outcome]}: {admission.reason}{rule}")


def _outcome(receipt: Receipt, result: TurnResult) -> dict[str, Any]:
    """The outcome in the shape of SPEC §13; `matchedBy` is null where --session chose, and
    `admission` is there only when the message was not answered."""
    route, usage = receipt.order.route, result.usage
    return {
        "agentId": receipt.order.agent_id,
        "sessionKey": receipt.session_key,
        "sessionId": receipt.session_id,
        "matchedBy": route.matched_by if route else None,
        "entryId": receipt.entry_id,
        "replyEntryId": result.reply_entry_id,
        "text": result.text,
        "model": result.model,
        "usage": usage
        and {
            "input": usage.input,
            "output": usage.output,
            "cacheRead": usage.cache_read,
            "cacheWrite": usage.cache_write,
            "total": usage.total,
        },
        "stopReason": result.stop_reason,
        **_admission(result.admission),
    }


def _admission(found: Admission | None) -> dict[str, Any]:
    """What the gate said of a message that was not answered; nothing for one that was."""
    if found is None:
        return {}
    facts = {"outcome": found.outcome, "reason": found.reason, "rule": found.rule}
    return {"admission": facts}


async def _send(place: Place, order: _Order) -> int:
    from engine.engine import Engine

    # A script gets the offline model's answer at once; a person sees it being written.
    paced = order.stream and sys.stdout.isatty()
    async with Engine.open(
        place.state_dir, config_path=place.config_for_engine(), environ=os.environ, paced=paced
    ) as engine:
        if engine.first_run:
            warn(f"wrote a first config, with all settings explained: {engine.config_path}")
        return await _turn(engine, order)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from tui.cli.transcripts import complete_key

    return complete_key(ctx, param, incomplete)


@click.command()
@place_options
@json_option
@click.argument("text", required=False)
@click.option("--channel", help="Channel it comes from. Default: the operator's terminal.")
@click.option("--account", "accountId", help="Account of the channel.")
@click.option("--peer", metavar="KIND:ID", help="dm:ID, group:ID or channel:ID.")
@click.option("--sender", help="Who writes. Default: the peer of a direct message.")
@click.option("--thread", "threadId", help="Thread or topic.")
@click.option(
    "--session",
    metavar="KEY",
    shell_complete=_complete,
    help="Session to write to, whatever routing says.",
)
@click.option("--model", help="Model for this turn only.")
@click.option("--no-stream", is_flag=True, help="Print the reply when it is whole.")
def send(
    text: str | None,
    session: str | None,
    model: str | None,
    no_stream: bool,
    as_json: bool,
    **facts: Any,
) -> int:
    """Send TEXT and print the reply as it comes.

    Without TEXT, or with -, the message is read from a pipe. Ctrl-C stops the reply and keeps
    what has come.
    """
    import asyncio

    place = here()
    envelope = _envelope(_read_text(text), facts)
    key = _session_key(place, session)
    order = _Order(envelope, key, model, stream=not (no_stream or as_json), as_json=as_json)
    return asyncio.run(_send(place, order))
