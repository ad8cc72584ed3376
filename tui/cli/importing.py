"""`branchline sessions import`: conversations of other programs, taken in as sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.text import safe_line
from tui.cli.output import print_json, print_table, say, warn
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.transcripts import store_of

if TYPE_CHECKING:
    from engine.sessions.interchange.importing import Imported, Report

__all__ = ["import_sessions"]

_SHOWN = 6
"""Remarks on one conversation that people are shown; JSON has all."""


@click.command("import")
@place_options
@json_option
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--agent", metavar="ID", help="The agent that goes on with them. "
              "Default: the default agent.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would come in.")
def import_sessions(path: Path, as_json: bool, agent: str | None, dry_run: bool) -> int:
    """Take in conversations of other programs as sessions of your own.

    PATH is a transcript of pi or OpenClaw, a whole state dir, a JSONL file of Claude Code or
    ~/.claude/projects, or the data export of ChatGPT or Claude, zipped or not. Nothing there is
    changed. Importing the same thing again takes in nothing twice. Exit code 1 when something
    was refused.
    """
    from engine.sessions.interchange.importing import import_path

    place = here()
    report = import_path(store_of(place), path.expanduser(), _agent(place, agent), dry_run=dry_run)
    if as_json:
        print_json(_shape(report))
    else:
        _print(report)
    return 1 if report.count("refused") else 0


def _agent(place: Place, wanted: str | None) -> str:
    """The agent that is meant.

    Raises:
        CommandError: the config has agents, and not this one.
        ConfigError: the config cannot be used.
    """
    from engine.errors import CommandError
    from engine.routing.ids import normalize_agent_id
    from engine.routing.router import AgentTable

    agents = AgentTable(place.config().agents)
    if wanted is None:
        return agents.default
    if not agents.knows(wanted):
        known = ", ".join(sorted(agents.known))
        raise CommandError(
            f"there is no agent {safe_line(wanted, limit=64)!r}", remedy=f"Known: {known}"
        )
    return normalize_agent_id(wanted)


def _shape(report: Report) -> dict[str, Any]:
    return {
        "path": str(report.path),
        "agentId": report.agent_id,
        "dryRun": report.dry_run,
        "imported": report.count("new", "changed"),
        "present": report.count("present"),
        "refused": report.count("refused"),
        "sessions": [_object(one) for one in report.sessions],
        "remarks": list(report.odd),
    }


def _object(one: Imported) -> dict[str, Any]:
    return {
        "state": one.state,
        "source": one.source,
        "format": one.format or None,
        "originalId": one.original_id or None,
        "title": one.title or None,
        "key": one.key or None,
        "sessionId": one.session_id or None,
        "messages": one.messages,
        "entries": one.entries,
        "roots": one.roots,
        "remarks": list(one.odd),
    }


def _print(report: Report) -> None:
    taken = [one for one in report.sessions if one.state in ("new", "changed")]
    if taken:
        rows = [(one.key, safe_line(one.title, limit=60), f"{one.messages:,}") for one in taken]
        print_table(("KEY", "TITLE", ">MESSAGES"), rows)
    for one in report.sessions:
        for remark in one.odd[:_SHOWN]:
            warn(f"{one.source}: {remark}")
        if len(one.odd) > _SHOWN:
            warn(f"{one.source}: {len(one.odd) - _SHOWN:,} more remarks, see --json")
    for remark in report.odd:
        warn(remark)
    counts = {
        ("would be taken in" if report.dry_run else "taken in"): report.count("new"),
        "beside an earlier state of them": report.count("changed"),
        "here already": report.count("present"),
        "without a message": report.count("empty"),
        "refused": report.count("refused"),
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    say(said or "nothing to import was found")
    if report.count("refused"):
        warn("`branchline sessions import --help` lists what can be taken in")
