"""`branchline simulate`: play a scenario on a real engine and check what must hold (SPEC §14)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import bold, print_json, print_table, say, tell_error
from tui.cli.place import here, json_option, place_options

if TYPE_CHECKING:
    from engine.scenario.play import Failure, Outcome
    from engine.scenario.told import Leak

__all__ = ["simulate"]

SCOPES = ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")


def _list(*, as_json: bool) -> int:
    from engine.errors import ConfigError
    from engine.scenario.read import load_scenario
    from engine.scenario.shipped import own_scenarios, shipped_scenarios

    rows: list[dict[str, Any]] = []
    code = 0
    for name, path in (shipped_scenarios() | own_scenarios(here().state_dir)).items():
        try:
            found = load_scenario(path)
        except ConfigError as error:
            tell_error(error)
            code = 1
            continue
        rows.append({"name": name, "about": found.about, "steps": len(found.steps)})
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("NAME", ">STEPS", "ABOUT"),
            [(row["name"], str(row["steps"]), row["about"]) for row in rows],
        )
    return code


def _tell(outcome: Outcome) -> None:
    """The outcome for a person: each step, what failed in it, who saw whose words."""
    for played in outcome.steps:
        if not played.said:
            say(f"{played.step:>3}  {played.kind}")
        for said in played.said:
            say(f"{played.step:>3}  {said.message.user}: {said.message.text}")
            say(f"       {said.outcome} · {said.key}")
        for failure in played.failures:
            _tell_failure(failure)
    for failure in outcome.failures:
        if failure.step == 0:
            _tell_failure(failure)
    if outcome.leaks:
        say("")
    for leak in outcome.leaks:
        say(_leak_line(leak))
    say("")
    say(bold(f"{outcome.scenario.name}: {'passed' if outcome.passed else 'failed'}"))


def _tell_failure(failure: Failure) -> None:
    say(f"     ✗ expected: {failure.expected}")
    say(f"            got: {failure.got}")


def _leak_line(leak: Leak) -> str:
    words = ", ".join(f"“{word}”" for word in leak.words) or "words"
    verb = "would have been answered" if leak.blocked else "was answered"
    return f"{leak.reader} {verb} with {leak.author}'s {words} in {leak.session} ({leak.rule})"


@click.command()
@place_options
@json_option
@click.argument("scenario", required=False)
@click.option("--list", "listing", is_flag=True, help="List those that come along, and your own.")
@click.option("--scope", type=click.Choice(SCOPES), help="dmScope to begin with.")
@click.option("--seed", type=int, help="Seed of what is shuffled. Default: the scenario's.")
@click.option("--expect-leak", is_flag=True, help="Pass if and only if words were exposed.")
@click.option("--junit", metavar="FILE", help="Write a JUnit report as well.")
@click.option("--keep", metavar="DIR", help="Play in this folder, and keep it.")
def simulate(
    scenario: str | None,
    listing: bool,
    scope: Any,
    seed: int | None,
    expect_leak: bool,
    junit: str | None,
    keep: str | None,
    as_json: bool,
) -> int:
    """Play SCENARIO, a file or the name of one (--list), and check what it expects.

    Several people talk to a real engine on real files, with the offline model and a clock of the
    scenario's own. Exit code 1 when an expectation fails.
    """
    if listing:
        return _list(as_json=as_json)
    if scenario is None:
        raise click.UsageError("name a SCENARIO; --list shows those that come along")
    folder = Path(keep) if keep else None
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{keep} is not empty")
    import asyncio

    from engine.scenario.play import run_scenario
    from engine.scenario.read import load_scenario
    from engine.scenario.shipped import find_scenario

    found = load_scenario(find_scenario(scenario, here().state_dir))
    outcome = asyncio.run(
        run_scenario(found, scope=scope, seed=seed, expect_leak=expect_leak, state_dir=folder)
    )
    if junit:
        Path(junit).write_text(outcome.to_junit(), "utf-8")
    if as_json:
        print_json(outcome.to_json())
    else:
        _tell(outcome)
        if expect_leak:
            say("words were exposed, as expected" if outcome.passed else "no words were exposed")
    return 0 if outcome.passed else 1
