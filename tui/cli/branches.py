"""`branchline sessions fork|compact`: the changes to a tree that a script may want."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from engine.errors import CommandError
from engine.text import safe_line
from tui.cli.output import print_json, say, warn
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import complete_key, find, store_of
from tui.cli.working import in_use, run

if TYPE_CHECKING:
    from engine.branching.compact import CompactionPreview, CompactionResult
    from engine.context.loss import Loss
    from engine.engine import Engine
    from engine.sessions.records import SessionRecord

__all__ = ["compact", "fork"]

_SORTS = ("names", "numbers", "ids", "paths", "questions")


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.argument("node", required=False)
@click.option("--name", default="", help="A name for the new session.")
@click.option("--preview", is_flag=True, help="Only say what the fork would begin with.")
def fork(key: str, node: str | None, as_json: bool, name: str, preview: bool) -> None:
    """Copy the path to an entry (by default the leaf) into a session of its own."""
    record = find(store_of(here()), key)
    ref = record.key if record.kind == "session" else str(record.path)
    if preview:
        _preview_fork(record, ref, node, as_json=as_json)
        return
    made = run(lambda engine: engine.branches.fork(ref, node, name=name))
    if as_json:
        print_json(
            {
                "sessionKey": made.session_key,
                "sessionId": made.session_id,
                "parentSession": made.parent_session,
                "parentKey": made.parent_key,
                "leaf": made.leaf,
                "tokens": made.tokens,
            }
        )
    else:
        say(f"{made.session_key}  from {made.parent_key} at {made.leaf}, {made.tokens:,} tokens")


def _preview_fork(record: SessionRecord, ref: str, node: str | None, *, as_json: bool) -> None:
    from contextlib import closing

    if node is None:
        with closing(store_of(here()).open(record)) as transcript:
            node = transcript.tree.leaf
    if node is None:
        raise CommandError("the session has no entry to fork from")
    at = node
    shown = run(lambda engine: engine.branches.preview_fork(ref, at))
    if as_json:
        print_json(
            {
                "sessionKey": None,
                "sessionId": None,
                "parentSession": str(record.path),
                "parentKey": record.key,
                "leaf": shown.leaf,
                "tokens": shown.tokens,
                "entries": shown.entries,
            }
        )
    else:
        count = len(shown.window.messages)
        seen = f"the model would see {count:,} messages, {shown.tokens:,} tokens"
        say(f"{shown.entries:,} entries up to {shown.leaf}; {seen}")


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.option("--focus", default="", metavar="TEXT", help="What the summary should keep above all.")
@click.option("--keep-from", metavar="ID", help="Everything from this entry on stays.")
@click.option("--preview", is_flag=True, help="Write the summary and store nothing.")
def compact(key: str, focus: str, as_json: bool, keep_from: str | None, preview: bool) -> int:
    """Fold the older part of a session into a summary. Exit code 1 when nothing was folded.

    The originals stay in the session; moving its leaf back undoes a compaction.
    """
    record = in_use(key)

    async def use(engine: Engine) -> dict[str, Any]:
        if preview:
            return await _preview(engine, record.key, focus, keep_from)
        return _outcome(await engine.compaction.compact(record.key, focus, keep_from=keep_from))

    shape = run(lambda engine: _stoppable(engine, record.key, use))
    if as_json:
        print_json(shape)
    else:
        _print(shape)
    return 0 if shape["outcome"] in ("done", "preview") else 1


async def _stoppable(
    engine: Engine, key: str, use: Callable[[Engine], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Ctrl-C stops the summary, so that the session keeps how the attempt ended."""
    import asyncio

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, engine.compaction.cancel, key)
    try:
        return await use(engine)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _preview(engine: Engine, key: str, focus: str, keep_from: str | None) -> dict[str, Any]:
    """A preview in the shape of an outcome, also of one that comes to nothing."""
    from engine.branching.scribe import CompactionFailed

    try:
        return _previewed(await engine.compaction.preview(key, focus, keep_from=keep_from))
    except CompactionFailed as error:
        view = await engine.view(key)
        return {
            "outcome": "failed",
            "entryId": None,
            "summary": "",
            "tokensBefore": view.tokens,
            "tokensAfter": view.tokens,
            "folded": 0,
            "kept": len(view.window.messages),
            "missing": _missing(None),
            "reason": str(error),
        }


def _previewed(shown: CompactionPreview) -> dict[str, Any]:
    return {
        "outcome": "preview",
        "entryId": None,
        "summary": shown.summary,
        "tokensBefore": shown.before,
        "tokensAfter": shown.after,
        "folded": shown.folded,
        "kept": shown.kept,
        "missing": _missing(shown.loss),
        "reason": "",
    }


def _outcome(result: CompactionResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "entryId": result.entry_id,
        "summary": result.summary,
        "tokensBefore": result.before,
        "tokensAfter": result.after,
        "folded": result.folded,
        "kept": result.kept,
        "missing": _missing(result.missing),
        "reason": result.reason,
    }


def _missing(found: Loss | None) -> dict[str, list[str]]:
    return {sort: list(getattr(found, sort, ())) for sort in _SORTS}


def _print(shape: dict[str, Any]) -> None:
    numbers = f"{shape['tokensBefore']:,} → {shape['tokensAfter']:,} tokens"
    counts = f"{shape['folded']:,} messages folded, {shape['kept']:,} kept"
    if shape["outcome"] in ("done", "preview"):
        say(f"{shape['outcome']}: {numbers}, {counts}\n\n{shape['summary']}")
    else:
        warn(f"{shape['outcome']}: {shape['reason']}")
    for sort, found in shape["missing"].items():
        if found:
            listed = ", ".join(safe_line(one, limit=80) for one in found[:20])
            say(f"\nnot in the summary, {sort}: {listed}" + (" …" if len(found) > 20 else ""))
