"""`branchline send`: one turn from the shell, streamed to stdout (SPEC §13)."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from engine.errors import InputRefused
from engine.text import safe_text
from tui.cli.output import print_json, say, tell_error, tell_problem, warn
from tui.cli.place import Place, here, json_option, place_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.engine import Engine
    from engine.events import Event
    from engine.routing.envelope import Envelope

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
        return text
    if text is None and sys.stdin.isatty():
        raise click.UsageError("give TEXT, or pipe it in")
    data = sys.stdin.buffer.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise InputRefused(
            f"the message is longer than {MAX_TEXT:,} bytes",
            remedy="Send it in parts, or as a file in the workspace",
        )
    try:
        return data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"the message is not UTF-8 text (byte {error.start:,})",
            remedy="Convert it first, e.g. with iconv",
        ) from None


def _envelope(text: str, facts: dict[str, Any]) -> Envelope:
    from engine.routing.envelope import OPERATOR_CHANNEL
    from engine.routing.read import read_envelope

    if not facts.get("channel"):
        if any(facts.values()):
            raise click.UsageError("--account, --peer, --sender and --thread need --channel")
        facts["channel"] = OPERATOR_CHANNEL
    found = read_envelope(
        {**facts, "text": text, "timestamp": time.time_ns() // 1_000_000, "mentionsAgent": True}
    )
    if found.sender is None and found.peer is not None and found.peer.kind == "dm":
        from dataclasses import replace

        from engine.routing.envelope import Sender

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


class _Turn:
    """One turn, followed to its end."""

    def __init__(self, engine: Engine, order: _Order):
        self.engine = engine
        self.order = order
        self.interrupted = False
        self._open_line = False
        self._turn_id: str | None = None
        self._key: str | None = None

    async def run(self) -> int:
        """Submit, stream, print the outcome; the exit code."""
        import asyncio

        loop = asyncio.get_running_loop()
        order = self.order
        async with self.engine.subscribe() as events:
            receipt = await self.engine.submit(
                order.envelope, session_key=order.session, model=order.model
            )
            self._turn_id, self._key = receipt.turn_id, receipt.session_key
            loop.add_signal_handler(signal.SIGINT, self._interrupt, loop)
            following = asyncio.create_task(self._follow(events))
            try:
                done = asyncio.ensure_future(receipt.result())
                await asyncio.wait({done, following}, return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    await self._gave_up(following)
                result = await done
                if not following.done():
                    await asyncio.wait({following}, timeout=1)
            finally:
                loop.remove_signal_handler(signal.SIGINT)
                following.cancel()
                with suppress(asyncio.CancelledError, BrokenPipeError):
                    await following
        if following.done() and not following.cancelled() and following.exception():
            raise BrokenPipeError
        return self._finish(receipt, result)

    async def _gave_up(self, following: Any) -> None:
        """The reader of our output went away: nobody waits for the answer any more."""
        if following.exception() is not None and self._key is not None:
            await self.engine.cancel(self._key)

    def _interrupt(self, loop: Any) -> None:
        """Ctrl-C: stop the turn and keep what came; a second one ends the program."""
        loop.remove_signal_handler(signal.SIGINT)
        self.interrupted = True
        if self._key is not None:
            self._stopping = loop.create_task(self.engine.cancel(self._key))

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        from engine.events import Noticed, TurnEnded

        async for event in events:
            if isinstance(event, Noticed):
                if event.session_key in (None, self._key):
                    self._remark(lambda problem=event.problem: tell_problem(problem))
            elif getattr(event, "turn_id", None) == self._turn_id:
                self._hear(event)
                if isinstance(event, TurnEnded):
                    return

    def _hear(self, event: Event) -> None:
        from engine.events import (
            ReplyDelta,
            TurnQueued,
            TurnRetrying,
            TurnSwitched,
            TurnWaiting,
        )

        match event:
            case ReplyDelta(text=text) if text and self.order.stream:
                sys.stdout.write(safe_text(text))
                sys.stdout.flush()
                self._open_line = not text.endswith("\n")
            case TurnQueued(ahead=ahead):
                warn(f"waiting for {ahead} earlier turns of this session")
            case TurnWaiting(holder_pid=pid):
                whom = f"process {pid}" if pid else "another process"
                warn(f"the session is busy in {whom}; waiting")
            case TurnRetrying(reason=reason, seconds=seconds):
                warn(f"{reason}; trying again in {seconds:.0f} s")
            case TurnSwitched(from_model=old, to_model=new, reason=reason):
                self._remark(lambda: warn(f"{old} could not answer ({reason}); {new} does"))

    def _remark(self, tell: Any) -> None:
        self._end_line()
        tell()

    def _end_line(self) -> None:
        if self._open_line:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self._open_line = False

    def _finish(self, receipt: Any, result: Any) -> int:
        order = self.order
        if order.as_json:
            print_json(_outcome(receipt, result))
        elif self._open_line:
            self._end_line()
        elif result.text and not (order.stream and not getattr(result, "command", False)):
            say(result.text)
        if self.interrupted:
            return INTERRUPTED
        if result.error is not None:
            tell_error(result.error)
            return 1
        return 0


def _outcome(receipt: Any, result: Any) -> dict[str, Any]:
    """The outcome in the shape of SPEC §13."""
    from engine.routing.keys import agent_of

    route, usage = receipt.route, result.usage
    return {
        "agentId": getattr(route, "agent_id", None) or agent_of(receipt.session_key),
        "sessionKey": receipt.session_key,
        "sessionId": receipt.session_id,
        "matchedBy": getattr(route, "matched_by", None),
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
    }


async def _send(place: Place, order: _Order) -> int:
    from engine.engine import Engine

    async with Engine.open(
        place.state_dir, config_path=place.config_for_engine, environ=os.environ
    ) as engine:
        return await _Turn(engine, order).run()


@click.command()
@place_options
@json_option
@click.argument("text", required=False)
@click.option("--channel", help="Channel it comes from. Default: the operator's terminal.")
@click.option("--account", "accountId", help="Account of the channel.")
@click.option("--peer", metavar="KIND:ID", help="dm:ID, group:ID or channel:ID.")
@click.option("--sender", help="Who writes. Default: the peer of a direct message.")
@click.option("--thread", "threadId", help="Thread or topic.")
@click.option("--session", metavar="KEY", help="Session to write to, whatever routing says.")
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
