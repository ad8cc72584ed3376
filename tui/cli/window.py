"""`branchline sessions window`: what the model would see of a session, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.text import safe_line
from tui.cli.output import print_json, print_table, say, tell_problem
from tui.cli.place import Place, here, json_option, place_options
from tui.cli.transcripts import complete_key, is_file, opened, problem_object

if TYPE_CHECKING:
    from engine.context.window import Window, WindowSettings

__all__ = ["window"]


def _settings(place: Place, ref: str, key: str) -> WindowSettings:
    """The history limits of a session; a file has none unless a config is given."""
    from engine.context.limits import limits_for
    from engine.context.window import UNLIMITED, WindowSettings
    from engine.routing.keys import chat_type, peer_of

    if is_file(ref) and not place.config_option:
        return UNLIMITED
    peer = peer_of(key)
    limits = limits_for(
        place.config(),
        chat_type(key),
        peer.channel if peer else "",
        peer.id if peer else None,
    )
    return WindowSettings(limits=limits)


def window_object(found: Window) -> dict[str, Any]:
    """A window in the shape of SPEC §13; its problems in the shape that all commands give them."""
    from engine.context.shape import window_json

    return window_json(found) | {"problems": [problem_object(one) for one in found.problems]}


def _print_window(found: Window) -> None:
    model = "/".join(found.model) if found.model else "none yet"
    say(f"{len(found.messages)} messages, {found.tokens:,} tokens; last model {model}")
    words = {message.entry_id: message for message in found.messages}
    rows = []
    for decision in found.decisions:
        message = words.get(decision.entry_id)
        rows.append(
            (
                "in" if decision.included else "out",
                decision.entry_id,
                message.role if message else decision.type,
                f"{decision.tokens:,}",
                decision.reason,
                safe_line(message.text, limit=60) if message else "",
            )
        )
    print_table(("", "ENTRY", "ROLE OR TYPE", ">TOKENS", "WHY", "WORDS"), rows)


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
@click.option("--leaf", metavar="ID", help="Entry to look from; `null` is before the first one.")
def window(key: str, as_json: bool, leaf: str | None) -> None:
    """Show what the model would see of a session, with a reason for every entry.

    A session is under the history limits of the config; a file has none unless --config is given.
    """
    from engine.context.window import build_window

    place = here()
    with opened(place, key) as (record, transcript):
        tree = transcript.tree
        settings = _settings(place, key, transcript.key or record.key)
        tip = tree.leaf if leaf is None else None if leaf in ("", "null", "none") else leaf
        found = build_window(tree, tip, settings)
        if as_json:
            shape = window_object(found)
            shape["problems"] += [problem_object(problem) for problem in transcript.problems]
            print_json(shape)
            return
        _print_window(found)
        for problem in (*found.problems, *transcript.problems):
            tell_problem(problem)
