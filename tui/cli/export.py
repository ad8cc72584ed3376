"""`branchline sessions export`: a session as Markdown, HTML or JSONL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import print_json, warn
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import complete_key, opened, pick_leaf, problem_object

if TYPE_CHECKING:
    from engine.sessions.interchange.export import Format

__all__ = ["export"]

_ENDINGS: dict[str, Format] = {
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
}


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.option(
    "--format",
    "how",
    type=click.Choice(["md", "html", "jsonl"]),
    help="Default: by the file's ending, else md.",
)
@click.option("--leaf", metavar="ID", help="End of the path. Default: the session's leaf.")
@click.option(
    "--branches/--path",
    "branches",
    default=None,
    help="Every branch, or the path alone. Default: the path for md and for jsonl "
    "with --leaf, else every branch.",
)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to. Default: standard output.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def export(
    key: str,
    as_json: bool,
    how: Format | None,
    leaf: str | None,
    branches: bool | None,
    target: Path | None,
    force: bool,
) -> None:
    """Write a session as Markdown, as HTML that stands alone, or as JSONL (a v3 transcript).

    Markdown and HTML can be shown to anybody's browser: nothing that was said in the session is
    active in them. JSONL keeps the lines as they are.
    """
    from engine.sessions.interchange.export import export_session

    if as_json and target is None:
        raise click.UsageError("--json tells about a file: give one with -o")
    how = how or (_ENDINGS.get(target.suffix.lower(), "md") if target else "md")
    if how == "jsonl" and target is None and sys.stdout.isatty():
        raise click.UsageError("JSONL holds raw text: write it to a file with -o, or into a pipe")
    everything = (how == "html" or (how == "jsonl" and not leaf)) if branches is None else branches
    with opened(here(), key) as (record, transcript):
        tip = pick_leaf(transcript.tree, leaf)
        made = export_session(transcript, how, leaf=tip, branches=everything, key=record.key)
        size = _write(made, target, force=force)
        if as_json:
            print_json(
                {
                    "key": record.key,
                    "sessionId": record.session_id,
                    "file": str(target),
                    "format": how,
                    "bytes": size,
                    "leaf": tip,
                    "branches": everything,
                    "problems": [problem_object(one) for one in transcript.problems],
                }
            )
        elif target is not None:
            warn(f"{size:,} bytes written to {target}")
        if unreadable := len(transcript.unreadable):
            warn(f"{unreadable:,} unreadable lines are not in the export")


def _write(made: Iterable[bytes], target: Path | None, *, force: bool) -> int:
    if target is None:
        sys.stdout.flush()
        size = _copy(made, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return size
    from engine.errors import StoreError

    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    if target.exists() and not force:
        raise StoreError("there is a file already", place=str(target), remedy="--force replaces it")
    try:
        # Transcripts are private; so is a copy of one, until its owner shares it.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            size = _copy(made, file)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def _copy(made: Iterable[bytes], file: Any) -> int:
    size = 0
    for piece in made:
        size += file.write(piece)
    return size
