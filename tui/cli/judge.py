"""`branchline config lint` and `config preview`: what is risky, and what a change would move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import print_json, say
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.transcripts import problem_object

if TYPE_CHECKING:
    from engine.config.schema import Config
    from engine.routing.envelope import Envelope
    from engine.routing.lint import Lint
    from engine.routing.preview import Preview

__all__ = ["lint", "preview"]

SCOPES = ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")


def _recorded(place: Place) -> list[Envelope]:
    from engine.clock import SystemClock
    from engine.disk import Disk
    from engine.sessions.store import Store
    from engine.turns.recorded import recorded_envelopes

    return list(recorded_envelopes(Store(Disk(), place.state_dir, SystemClock())))


def _mode(place: Place) -> int:
    import stat

    try:
        return stat.S_IMODE(place.config_path.stat().st_mode)
    except OSError:
        return 0o600


def _finding(one: Lint) -> dict[str, Any]:
    from engine.turns.origin import origin_of

    return {
        "code": one.code,
        **problem_object(one.problem),
        "examples": [origin_of(example) for example in one.examples],
        "goesTo": one.goes_to,
    }


def _example(envelope: Envelope) -> str:
    peer = f"{envelope.peer.kind}:{envelope.peer.id}" if envelope.peer else "no peer"
    facts = [envelope.channel, f"account {envelope.account_id}", peer]
    facts += [f"guild {envelope.guild_id}"] if envelope.guild_id else []
    facts += [f"roles {', '.join(envelope.member_role_ids)}"] if envelope.member_role_ids else []
    facts += [f"team {envelope.team_id}"] if envelope.team_id else []
    return " · ".join(facts)


@click.command()
@place_options
@json_option
@click.argument("file", required=False)
def lint(file: str | None, as_json: bool) -> int:
    """Report what is legal and likely a mistake, each with a message that shows it.

    Exit 1 if anything was found.
    """
    from engine.routing.lint import lint as find

    place = here()
    if file is not None:
        place = Place(place.state_option, file)
    loaded = place.load()
    found = find(loaded, seen=_recorded(place), mode=_mode(place))
    if as_json:
        print_json(
            {
                "ok": not found and loaded.config is not None,
                "problems": [problem_object(problem) for problem in loaded.problems],
                "findings": [_finding(one) for one in found],
            }
        )
        return 1 if found or loaded.config is None else 0
    for problem in loaded.problems:
        say(f"{problem.severity}: {problem}")
    for one in found:
        say(f"{one.problem.severity}: {one.problem}")
        for example in one.examples:
            say(f"    for example {_example(example)}")
        if one.goes_to:
            say(f"    goes to {one.goes_to}")
    if not found and loaded.config is not None:
        say("nothing found")
    return 1 if found or loaded.config is None else 0


def _other(place: Place, scope: str | None, file: str | None) -> Config:
    """The config to compare with: FILE, or the one in force with another dmScope."""
    import msgspec

    if (scope is None) == (file is None):
        raise click.UsageError("give either --scope or the FILE of the other config")
    if file is not None:
        return Place(place.state_option, file).config()
    config = place.config()
    session = msgspec.structs.replace(config.session, dm_scope=scope)
    return msgspec.structs.replace(config, session=session)


@click.command()
@place_options
@json_option
@click.option("--scope", type=click.Choice(SCOPES), help="Only dmScope changes, to this.")
@click.argument("file", required=False)
def preview(scope: str | None, file: str | None, as_json: bool) -> int:
    """Show what another config would do to the conversations there are.

    The recorded messages are routed by both configs: what merges, what splits, what moves, and
    whose words would become visible to whom. Nothing is changed.
    """
    from engine.routing.preview import preview as compare

    place = here()
    found = compare(place.config(), _other(place, scope, file), _recorded(place))
    if as_json:
        print_json(found.to_json())
    else:
        _tell(found)
    return 0


def _tell(found: Preview) -> None:
    for title, changes, arrow in (
        ("MERGE", found.merges, "<-"),
        ("SPLIT", found.splits, "->"),
        ("MOVE", found.moves, "->"),
    ):
        for change in changes:
            say(f"{title:6} {change.key}")
            for share in change.parts:
                people = ", ".join(map(found.called, share.people))
                say(f"       {arrow} {share.key}  {_messages(share.messages)} of {people}")
    for share in found.kept:
        say(f"KEEP   {share.key}  {_messages(share.messages)}")
    for one in found.exposes:
        reader, author = found.called(one.reader), found.called(one.author)
        say(f"SEES   {reader} would see {_messages(one.messages)} of {author}")
    hidden = found.exposed - len(found.exposes)
    if hidden > 0:
        say(f"       and {hidden:,} more such pairs")
    told = [
        _counted(len(found.merges), "merge"),
        _counted(len(found.splits), "split"),
        _counted(len(found.moves), "move"),
        f"{len(found.kept)} kept; {_counted(found.exposed, 'exposure')}",
    ]
    say(f"{_messages(found.messages)}: {', '.join(told)}")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _messages(number: int) -> str:
    return _counted(number, "message")
