"""`branchline doctor`: one look at everything that can be wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.clock import SystemClock
from engine.errors import BranchlineError, Problem
from tui.cli.output import print_json, say
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.surprises import surprises
from tui.cli.transcripts import problem_object, store_of

if TYPE_CHECKING:
    from engine.config.schema import Config

__all__ = ["doctor"]


def _told(error: BranchlineError, place: str | None = None) -> Problem:
    return Problem(error.message, file=error.place or place, hint=error.remedy)


def _check_state_dir(path: Path) -> Iterator[Problem]:
    if not path.exists():
        return
    if not path.is_dir():
        yield Problem("a file stands where the state dir belongs", file=str(path))
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Problem(
            "the state dir cannot be read and written",
            file=str(path),
            hint="check who owns it and its permissions",
        )
        return
    loose = [found for found in (path, *path.rglob("*")) if _is_loose(found)]
    if loose:
        count = f"{len(loose):,} files and folders" if len(loose) > 1 else "this"
        yield Problem(
            f"others on this machine can read {count}",
            "warning",
            file=str(loose[0]),
            hint=f"chmod -R go= {path}",
        )


def _is_loose(path: Path) -> bool:
    try:
        info = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(info.st_mode) and bool(info.st_mode & 0o077)


def _check_config(place: Place, config: Config | None) -> Iterator[Problem]:
    from engine.routing.router import Router

    yield from place.load().problems
    if config is not None:
        yield from Router(config).problems


def _check_sessions(place: Place) -> tuple[int, list[Problem]]:
    store = store_of(place)
    try:
        records = store.list()
    except BranchlineError as error:
        return 0, [_told(error, str(place.state_dir))]
    return len(records), [
        *store.problems,
        *(problem for record in records for problem in record.problems),
        *surprises(place.state_dir, place.config_path, records, SystemClock().now()),
    ]


def _check_models(config: Config, *, ask: bool) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The models that agents answer with, asked once each."""
    from engine.models.registry import ModelRegistry
    from tui.cli.models import probe_all, probe_object

    registry = ModelRegistry(config, os.environ)
    refs: dict[str, None] = {}
    problems = []
    for agent in config.agents.list or (None,):
        try:
            refs[registry.default_ref(agent)] = None
        except BranchlineError as error:
            problems.append(_told(error, "models"))
    if not ask:
        return [{"ref": ref} for ref in refs], problems
    found = probe_all(registry, list(refs))
    problems += [_told(each.error, each.ref) for each in found if each.error is not None]
    return [probe_object(each) for each in found], problems


def _examine(place: Place, *, ask: bool) -> dict[str, Any]:
    config = place.load().config
    problems = [*_check_state_dir(place.state_dir), *_check_config(place, config)]
    count, found = _check_sessions(place)
    problems += found
    models: list[dict[str, Any]] = []
    if config is not None:
        models, found = _check_models(config, ask=ask)
        problems += found
    return {
        "ok": not any(problem.severity == "error" for problem in problems),
        "stateDir": str(place.state_dir),
        "config": str(place.config_path),
        "sessions": count,
        "models": models,
        "problems": problems,
    }


@click.command()
@place_options
@json_option
@click.option("--no-network", is_flag=True, help="Do not ask the models' servers.")
def doctor(as_json: bool, no_network: bool) -> int:
    """Check state dir, config, sessions and models.

    Changes nothing. Exit code 1 when something is wrong.
    """
    found = _examine(here(), ask=not no_network)
    problems: list[Problem] = found["problems"]
    if as_json:
        print_json({**found, "problems": [problem_object(problem) for problem in problems]})
        return 0 if found["ok"] else 1
    say(f"state dir  {found['stateDir']}")
    say(f"config     {found['config']}")
    say(f"sessions   {found['sessions']:,}")
    for model in found["models"]:
        key = f", key from {model['keySource']}" if model.get("keySource") else ""
        known = "" if model.get("models") is None else f", {model['models']:,} models"
        answer = {True: "answers", False: "does not answer"}.get(
            model.get("reachable"), "not asked"
        )
        if model.get("reachable") and model.get("error"):
            answer = "answers with an error"
        say(f"model      {model['ref']}: {answer}{key}{known}")
    for problem in problems:
        say(f"{problem.severity}: {problem}")
    if not problems:
        say("nothing is wrong")
    if found["models"] and all(one["ref"].startswith("offline/") for one in found["models"]):
        from tui.cli.models import NO_MODEL

        say(NO_MODEL)
    return 0 if found["ok"] else 1
