"""`branchline sessions`: what is stored, as lists, histories, trees and windows.

These read files only: no engine is started, nothing on disk changes but the index's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.text import safe_line
from tui.cli.lazy import LazyGroup
from tui.cli.output import print_json, print_table, say, tell_problem
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import (
    complete_key,
    entry_object,
    has_label,
    moment,
    opened,
    own_label_of,
    pick_leaf,
    problem_object,
    record_object,
    state_of,
    store_of,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.errors import Problem
    from engine.sessions.outline import View
    from engine.sessions.records import SessionRecord
    from engine.sessions.transcript import Transcript
    from engine.sessions.tree import Node, Tree

__all__ = ["print_records", "sessions"]

LABEL = 60
"""Characters of a label or of first words that a list for people shows."""

PREVIEW = 200
"""Characters of an entry that a tree for people shows."""


ELSEWHERE = {
    "window": "tui.cli.window:window",
    "find": "tui.cli.search:find_sessions",
    "search": "tui.cli.search:search",
    "export": "tui.cli.export:export",
    "import": "tui.cli.importing:import_sessions",
    "fork": "tui.cli.branches:fork",
    "label": "tui.cli.labels:label",
    "compact": "tui.cli.branches:compact",
    "clear": "tui.cli.keeping:clear",
    "archive": "tui.cli.keeping:archive",
    "restore": "tui.cli.keeping:restore",
    "delete": "tui.cli.keeping:delete",
    "prune": "tui.cli.keeping:prune",
}
"""Commands of the group with modules of their own."""


@click.group(cls=LazyGroup, places=ELSEWHERE)
def sessions() -> None:
    """List, read and inspect sessions.

    KEY is a session key, an id or the beginning of one, a label, or a file's path.
    """


@sessions.command("list")
@place_options
@json_option
@click.option("--agent", "agent_id", help="Only sessions of this agent.")
@click.option("--tenant", metavar="ID", help="Only sessions of this tenant.")
@click.option("--archived", is_flag=True, help="Only what is archived, or was reset.")
@click.option(
    "--label", metavar="LABEL", help="Only those: active, idle, archived, trash, or one of yours."
)
def list_sessions(
    as_json: bool, agent_id: str | None, tenant: str | None, archived: bool, label: str | None
) -> None:
    """List all sessions and leftovers, the most recently active first."""
    store, own = store_of(here()), own_label_of(here())
    records = store.list(agent_id)
    if archived:
        records = [record for record in records if own(record) == "archived"]
    if label is not None:
        records = [record for record in records if has_label(record, own(record), label)]
    if tenant is not None:
        from engine.rights.people import in_tenant

        config = here().config()
        records = [record for record in records if in_tenant(record, config, tenant)]
    if as_json:
        print_json([record_object(record, own(record)) for record in records])
        return
    if not records:
        whose = f" of tenant {safe_line(tenant, limit=60)}" if tenant is not None else ""
        say(f"no sessions{whose} in {store.state_dir}")
    else:
        print_records(records, own)
    for problem in (*store.problems, *(each for record in records for each in record.problems)):
        tell_problem(problem)


def print_records(
    records: list[SessionRecord], own: Callable[[SessionRecord], str] = lambda record: "active"
) -> None:
    """Sessions as a table. `own` gives the label that one has by itself."""
    rows = [
        (
            record.key,
            safe_line(record.label or record.preview, limit=LABEL),
            str(record.messages),
            moment(record.last_active),
            f"{record.override} (override)" if record.override else record.model or "",
            ", ".join((state_of(record, own(record)), *record.labels)),
            record.session_id[:8],
        )
        for record in records
    ]
    heads = ("KEY", "LABEL OR FIRST WORDS", ">MESSAGES", "LAST ACTIVE", "MODEL", "STATE", "ID")
    print_table(heads, rows)


@sessions.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
def show(key: str, as_json: bool) -> None:
    """Show everything known of a session."""
    with opened(here(), key) as (record, transcript):
        shape = _details(record, transcript)
        problems = transcript.problems
    if as_json:
        print_json(shape)
        return
    for name, value in shape.items():
        if name in ("problems", "generations") or value in (None, "", []):
            continue
        text = moment(value) if name in ("created", "lastActive") else _plain(value)
        say(f"{name:<14} {safe_line(text, limit=400)}")
    for one in shape["generations"]:
        why = f"{one['kind']}, {one['reason']}" if one["reason"] else one["kind"]
        told = f"{moment(one['ended'])}  {why}, {one['messages']:,} messages: {one['file']}"
        say(f"{'before':<14} {safe_line(told, limit=400)}")
    _tell(problems)


def _details(record: SessionRecord, transcript: Transcript) -> dict[str, Any]:
    tree = transcript.tree
    tips = [node.id for node in tree.nodes.values() if not tree.children(node.id)]
    kinds = [node.type for node in tree.nodes.values()]
    shape = record_object(record, own_label_of(here())(record))
    shape |= {
        "path": str(record.path),
        "size": record.size,
        "entries": len(kinds),
        "leaf": tree.leaf,
        "tips": tips,
        "compactions": kinds.count("compaction"),
        "parentSession": transcript.header.get("parentSession"),
        "lineage": dict(record.lineage) if record.lineage else None,
        "origin": dict(record.origin) if record.origin else None,
        "generations": _generations(record),
        "problems": [problem_object(problem) for problem in transcript.problems],
    }
    return shape


def _generations(record: SessionRecord) -> list[dict[str, Any]]:
    """The conversations of a session's key that are over, the latest ended first."""
    if not record.agent_id or record.kind != "session":
        return []
    found = [one for one in store_of(here()).list(record.agent_id) if one.key == record.key]
    found = [one for one in found if one.ended]
    return [
        {
            "file": str(one.path),
            "kind": one.kind,
            "ended": one.ended,
            "reason": one.life.reason if one.life is not None else "",
            "rule": one.life.rule if one.life is not None else "",
            "messages": one.messages,
        }
        for one in sorted(found, key=lambda one: (-one.ended, one.path.name))
    ]


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return str(value)


def _tell(problems: list[Problem]) -> None:
    for problem in problems:
        tell_problem(problem)


@sessions.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.option("--leaf", metavar="ID", help="Entry to read up to. Default: the session's leaf.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest N entries.")
def history(key: str, as_json: bool, leaf: str | None, limit: int | None) -> None:
    """Print what was said on the way to the leaf, oldest first."""
    with opened(here(), key) as (record, transcript):
        tree = transcript.tree
        tip = pick_leaf(tree, leaf)
        path = tree.path(tip)
        path = path[-limit:] if limit else path
        if as_json:
            print_json(
                {
                    "key": record.key,
                    "sessionId": record.session_id,
                    "leaf": tip,
                    "entries": [_dated(tree, node) for node in path],
                    "problems": [problem_object(problem) for problem in transcript.problems],
                }
            )
            return
        for node in path:
            _print_entry(tree, node)
        _tell(transcript.problems)


def _dated(tree: Tree, node: Node) -> dict[str, Any]:
    return {**entry_object(tree, node), "timestamp": tree.entry(node.id).timestamp}


def _print_entry(tree: Tree, node: Node) -> None:
    entry = tree.entry(node.id)
    label = f"  [{tree.labels[node.id]}]" if node.id in tree.labels else ""
    who = entry.role or entry.type
    say(safe_line(f"── {who} · {entry.timestamp} · {node.id}{label}"))
    text = entry.text
    for call in _calls(entry.message.get("content")):
        text += f"\n→ {call}"
    if text.strip():
        say(text.strip("\n"))
    say("")


def _calls(content: object) -> list[str]:
    """The names of the tools that a message calls."""
    blocks = content if isinstance(content, list) else []
    return [
        safe_line(f"calls {block.get('name')}({block.get('arguments')})")
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "toolCall"
    ]


@sessions.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.option(
    "--all", "everything", is_flag=True, help="Also tool results, bookkeeping and what is hidden."
)
def tree(key: str, as_json: bool, everything: bool) -> None:
    """Print the tree of a session, every branch of it. JSON has all entries of the file."""
    with opened(here(), key) as (_, transcript):
        found = transcript.tree
        if as_json:
            on_path = {node.id for node in found.up(found.leaf)}
            nodes = [
                {**entry_object(found, node), "onPath": node.id in on_path, "depth": depth}
                for node, depth in walk(found)
            ]
            print_json(
                {
                    "header": dict(transcript.header),
                    "leaf": found.leaf,
                    "nodes": nodes,
                    "problems": [problem_object(problem) for problem in transcript.problems],
                }
            )
            return
        for line in _drawn(found, everything=everything):
            say(line)
        _tell(transcript.problems)


def _drawn(tree: Tree, *, everything: bool) -> list[str]:
    """A line an entry, as the app's tree lays them out: the active branch first, and only branches
    indent, so that a long talk stays at the left edge."""
    from engine.sessions.journal import marks_of
    from engine.sessions.outline import lay_out

    view: View = "all" if everything else "no tools"
    outline = lay_out(tree, view, hidden=marks_of(tree).hidden)
    lines = []
    for place, name in enumerate(outline.ids):
        entry, level = tree.entry(name), outline.segments[outline.segment_at(place)].level
        mark = "◉" if name == outline.leaf else "●" if name in outline.active else "○"
        label = f" [{tree.labels[name]}]" if name in tree.labels else ""
        words = safe_line(entry.text or entry.custom_type or "", limit=PREVIEW)
        lines.append(f"{'  ' * level}{mark} {name} {entry.role or entry.type}{label}  {words}")
    if left := len(tree.nodes) - len(outline):
        what = "entry is" if left == 1 else "entries are"
        lines.append(
            f"({left:,} {what} left out: tool results, bookkeeping, what is hidden. "
            "--all shows everything)"
        )
    return lines
