"""`branchline config get`, `set`, `unset`, `revisions`, `rollback`: one value at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import print_json, print_table, say, tell_problem
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.transcripts import problem_object

if TYPE_CHECKING:
    from engine.config.edit import Edit
    from engine.config.scan import KeyPath

__all__ = ["get", "revisions", "rollback", "set_", "unset"]

_DRY = click.option("--dry-run", is_flag=True, help="Show the change; write nothing.")


def _text(place: Place) -> str:
    """What the file says; without one, what the first run would write, unless --config names it."""
    from engine.config.first_run import FIRST_CONFIG
    from engine.config.revisions import read_text
    from engine.disk import Disk

    text = read_text(Disk(), place.config_path)
    if text is not None:
        return text
    return "{}\n" if place.config_option else FIRST_CONFIG


def _default(place: Place, path: KeyPath) -> Any:
    """The value in force where the file says nothing."""
    from engine.config.keypath import MISSING
    from engine.config.reference import value_in_force

    config = place.load().config
    found = ... if config is None else value_in_force(config, path)
    return MISSING if found is ... else found


def _nearest(path: str) -> str:
    """The setting that somebody may have meant, as a question; "" when none is like it."""
    from difflib import get_close_matches

    from engine.config.reference import describe

    names = {one.path.casefold(): one.path for one in describe()}
    near = get_close_matches(path.casefold(), [*names], n=2, cutoff=0.8)
    return f"Did you mean {' or '.join(names[name] for name in near)}?" if near else ""


@click.command()
@place_options
@json_option
@click.argument("path")
def get(path: str, as_json: bool) -> int:
    """Print the value at PATH (`agents.list[0].model`), or its default; secrets are hidden.

    Exit 1 if there is neither.
    """
    import json

    from engine.config.document import read_document
    from engine.config.edit import hidden
    from engine.config.keypath import MISSING, parse_path, settled, value_at
    from engine.errors import EditRefused

    place = here()
    document = read_document(_text(place))
    steps = settled(document.value, parse_path(path))
    value, source = value_at(document.value, steps), "file"
    if value is MISSING:
        value, source = _default(place, steps), "default"
    if value is MISSING:
        remedy = _nearest(path) or "`branchline config schema` lists what a config may hold"
        raise EditRefused("nothing is set there", place=path, remedy=remedy)
    value = hidden(value, steps)
    if as_json:
        line, column = document.place(steps) if source == "file" else (None, None)
        print_json({"path": path, "value": value, "source": source, "line": line, "column": column})
    else:
        say(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
    return 0


def _carry_out(place: Place, edit: Edit, *, dry_run: bool, as_json: bool) -> int:
    """Check an edit, show it, and write it unless it is a dry run."""
    import os

    from engine.clock import SystemClock
    from engine.config.edit import replace_text
    from engine.config.revisions import check_edit, read_text, write_config
    from engine.disk import Disk

    disk, path = Disk(), place.config_path
    loaded = check_edit(edit, path, os.environ)
    number = None
    if not dry_run and edit.changes:
        if read_text(disk, path) is None:
            edit = replace_text("", edit.text, edit.reason)
        now = SystemClock().now()
        number = write_config(disk, path, edit, state_dir=place.state_dir, now=now).number
    if as_json:
        print_json(
            {
                "file": str(path),
                "changed": edit.changes,
                "written": number is not None,
                "revision": number,
                "diff": edit.diff,
                "problems": [problem_object(problem) for problem in loaded.problems],
            }
        )
        return 0
    if not edit.changes:
        say(f"{path}: nothing to change")
    elif edit.diff:
        say(edit.diff, end="")
    for problem in loaded.problems:
        tell_problem(problem)
    if number is not None:
        say(f"{path}: written, revision {number}")
    return 0


@click.command("set")
@place_options
@json_option
@_DRY
@click.argument("path")
@click.argument("value")
def set_(path: str, value: str, dry_run: bool, as_json: bool) -> int:
    """Set the value at PATH to VALUE and print the difference.

    VALUE is JSON5; a bare word is a text. Only that value changes in the file, comments and
    layout stay. An item is added to a list by its next position: `bindings[2]`.
    """
    from engine.config.edit import set_value
    from engine.config.keypath import parse_path, parse_value

    place = here()
    edit = set_value(_text(place), parse_path(path), parse_value(value))
    return _carry_out(place, edit, dry_run=dry_run, as_json=as_json)


@click.command()
@place_options
@json_option
@_DRY
@click.argument("path")
def unset(path: str, dry_run: bool, as_json: bool) -> int:
    """Take the value at PATH out of the file, so that its default holds."""
    from engine.config.edit import remove_value
    from engine.config.keypath import parse_path

    place = here()
    edit = remove_value(_text(place), parse_path(path))
    return _carry_out(place, edit, dry_run=dry_run, as_json=as_json)


@click.command()
@place_options
@json_option
def revisions(as_json: bool) -> int:
    """List the texts that the config file had, the newest first."""
    from engine.clock import iso
    from engine.config.revisions import list_revisions, read_text
    from engine.disk import Disk

    place = here()
    found = list_revisions(Disk(), place.config_path, state_dir=place.state_dir)
    now = read_text(Disk(), place.config_path)
    shown = [(one, one.text == now) for one in found]
    if as_json:
        print_json(
            [
                {
                    "revision": one.number,
                    "time": iso(one.time),
                    "reason": one.reason,
                    "inForce": same,
                }
                for one, same in shown
            ]
        )
    elif not found:
        say(f"{place.config_path}: no revisions yet")
    else:
        rows = [
            (str(one.number), iso(one.time), "in force" if same else "", one.reason)
            for one, same in shown
        ]
        print_table((">REVISION", "TIME", "STATE", "REASON"), rows)
    return 0


@click.command()
@place_options
@json_option
@_DRY
@click.argument("number", type=int)
def rollback(number: int, dry_run: bool, as_json: bool) -> int:
    """Bring revision NUMBER back, as a new revision, and print the difference."""
    from engine.config.revisions import rollback_edit
    from engine.disk import Disk

    place = here()
    edit = rollback_edit(Disk(), place.config_path, number, state_dir=place.state_dir)
    return _carry_out(place, edit, dry_run=dry_run, as_json=as_json)
