"""`branchline config`: is it right, what can it hold, where is it; and its other commands."""

from __future__ import annotations

import os

import click

from tui.cli.lazy import LazyGroup
from tui.cli.output import print_json, say
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.transcripts import problem_object

__all__ = ["config"]


@click.group(
    cls=LazyGroup,
    places={
        "get": "tui.cli.configedit:get",
        "set": "tui.cli.configedit:set_",
        "unset": "tui.cli.configedit:unset",
        "revisions": "tui.cli.configedit:revisions",
        "rollback": "tui.cli.configedit:rollback",
        "lint": "tui.cli.judge:lint",
        "preview": "tui.cli.judge:preview",
    },
)
def config() -> None:
    """Check, explain and change the config."""


@config.command()
@place_options
@json_option
@click.argument("file", required=False)
def check(file: str | None, as_json: bool) -> int:
    """Report every problem of the config (or of FILE) with its line; exit 1 if one is an error."""
    place = here()
    if file is not None:
        place = Place(place.state_option, file)
    loaded = place.load()
    ok = loaded.config is not None
    if as_json:
        problems = [problem_object(problem) for problem in loaded.problems]
        print_json({"ok": ok, "problems": problems})
        return 0 if ok else 1
    for problem in loaded.problems:
        say(f"{problem.severity}: {problem}")
    if not os.path.lexists(place.config_path):
        say(f"{place.config_path}: there is no config yet; the defaults hold")
    elif ok:
        count = len(loaded.problems)
        say(f"{place.config_path}: usable" + (f", with {count} warnings" if count else ""))
    return 0 if ok else 1


@config.command()
@json_option
@click.argument("prefix", required=False, default="")
def schema(prefix: str, as_json: bool) -> None:
    """Print what a config may hold, only under PREFIX if given; as JSON Schema with --json."""
    from engine.config.reference import json_schema, readable

    if as_json:
        print_json(json_schema())
        return
    text = readable(prefix)
    if not text:
        raise click.UsageError(
            f"the config has no {prefix!r}; `branchline config schema` lists all"
        )
    say(text)


@config.command()
@place_options
@json_option
def path(as_json: bool) -> None:
    """Print where the config and the state dir are."""
    place = here()
    found = place.config_path
    if as_json:
        print_json(
            {
                "config": str(found),
                "exists": os.path.lexists(found),
                "stateDir": str(place.state_dir),
            }
        )
    else:
        say(str(found))
