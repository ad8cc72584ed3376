"""`branchline sessions search` and `find`: sessions by what was said, and by who said it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from engine.text import safe_line, safe_text
from tui.cli.output import bold, print_json, say, tell_problem, warn
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import (
    complete_key,
    find,
    problem_object,
    record_object,
    state_of,
    store_of,
)

if TYPE_CHECKING:
    from engine.sessions.records import SessionRecord
    from engine.sessions.search import Hit, SessionHits

__all__ = ["find_sessions", "search"]


@click.command()
@place_options
@json_option
@click.argument("query", nargs=-1, required=True)
@click.option(
    "--session",
    "key",
    metavar="KEY",
    shell_complete=complete_key,
    help="Only this session. Default: all of them.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Most hits."
)
@click.option("--all", "everything", is_flag=True, help="Also checkpoints, backups, deleted ones.")
def search(
    query: tuple[str, ...], as_json: bool, key: str | None, limit: int, everything: bool
) -> None:
    """Search whole sessions: messages, summaries, tool calls, labels, on every branch.

    All words must be in one entry, in any order and case. "Words in quotes" are a phrase;
    re:PATTERN is a regular expression.
    """
    from engine.sessions.search import SEARCHED, search_sessions

    store = store_of(here())
    records = [find(store, key)] if key else store.list()
    if not key and not everything:
        records = [record for record in records if record.kind in SEARCHED]
    readable = [record for record in records if record.state != "missing"]
    text = _joined(query)
    found = search_sessions(store, readable, text, limit=limit)
    if as_json:
        print_json(_shape(text, list(found), limit))
    else:
        _print(found, limit)


def _joined(query: tuple[str, ...]) -> str:
    """The query as typed. A shell takes quotes away; an argument of several words is a phrase."""
    if len(query) == 1:
        return query[0]
    return " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in query)


def _shape(query: str, results: list[SessionHits], limit: int) -> dict[str, Any]:
    hits = [_hit_object(result.record, hit) for result in results for hit in result.hits]
    return {
        "query": query,
        "hits": hits,
        "sessions": [result.record.key for result in results if result.named],
        "complete": len(hits) < limit,
        "problems": [problem_object(one) for result in results for one in result.problems],
    }


def _hit_object(record: SessionRecord, hit: Hit) -> dict[str, Any]:
    return {
        "key": record.key,
        "sessionId": record.session_id,
        "state": state_of(record),
        "entryId": hit.entry_id,
        "type": hit.type,
        "role": hit.role,
        "where": hit.where,
        "position": hit.position,
        "length": hit.length,
        "snippet": hit.snippet,
        "onPath": hit.on_path,
    }


def _print(found: Iterable[SessionHits], limit: int) -> None:
    count = 0
    quiet = True
    for result in found:
        quiet = False
        count += len(result.hits)
        _print_session(result)
    if count >= limit:
        warn(f"only the first {limit:,} hits are shown; --limit shows more")
    if quiet:
        warn("nothing found")


def _print_session(result: SessionHits) -> None:
    record = result.record
    label = f"  {safe_line(record.label, limit=60)}" if record.label else ""
    state = state_of(record)
    note = "" if state == "active" else f"  ({state})"
    say(safe_line(f"{record.key}{note}{label}", limit=400))
    for hit in result.hits:
        where = hit.role or hit.type if hit.where == "text" else hit.where
        mark = "●" if hit.on_path else "○"
        words = f"{_one(hit.before)}{bold(_one(hit.match))}{_one(hit.after)}"
        # The parts are safe already; say() would make the emphasis visible.
        sys.stdout.write(f"  {mark} {safe_line(hit.entry_id, limit=40)}  {where:<9}  {words}\n")
    for problem in result.problems:
        tell_problem(problem)


def _one(text: str) -> str:
    """A part of a snippet on one line; unlike safe_line it keeps the blank at either end."""
    return safe_text(text).replace("\n", " ").replace("\t", " ")


@click.command("find")
@place_options
@json_option
@click.option("--channel", required=True, help="The channel, as the config names it.")
@click.option("--user", required=True, metavar="ID", help="The user's id on that channel.")
@click.option("--agent", "agent_id", help="Only sessions of this agent.")
def find_sessions(as_json: bool, channel: str, user: str, agent_id: str | None) -> None:
    """List the sessions that a user of a channel has a part in.

    Sessions that began with them, that their key names (also as the person that identityLinks
    make of them), and in which they said something.
    """
    from engine.rights.people import find_user
    from tui.cli.sessions import print_records

    place = here()
    store = store_of(place)
    found = list(find_user(store, store.list(agent_id), place.config(), channel, user))
    if as_json:
        print_json([{**record_object(one.record), "matchedBy": one.how} for one in found])
    elif found:
        print_records([one.record for one in found])
    else:
        warn("no session of theirs")
