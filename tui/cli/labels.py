"""`branchline sessions label`: names of sessions, labels on them and on their entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.errors import BranchlineError
from engine.text import safe_line
from tui.cli.keeping import choose
from tui.cli.output import print_json, say, tell_error
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import complete_key, store_of
from tui.cli.working import in_use, run

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.sessions.records import SessionRecord

__all__ = ["label"]


@click.command()
@place_options
@json_option
@click.argument("key", required=False, shell_complete=complete_key)
@click.argument("text", required=False)
@click.option("--node", metavar="ID", help="Label this entry. Default: name the session.")
@click.option("--add", multiple=True, metavar="LABEL", help="Put a label on it; may be repeated.")
@click.option("--remove", multiple=True, metavar="LABEL", help="Take a label away.")
@click.option("--filter", "pattern", metavar="PATTERN", help="All whose key fits: * and ?.")
@click.option("--with-label", metavar="LABEL", help="Only those that carry this label.")
def label(
    key: str | None,
    text: str | None,
    as_json: bool,
    node: str | None,
    add: Sequence[str],
    remove: Sequence[str],
    pattern: str | None,
    with_label: str | None,
) -> int:
    """Name a session (TEXT; "" takes the name away), or put labels on sessions.

    Labels sort: `sessions list --label escalated`. A labelled session is never pruned.
    """
    if add or remove:
        if text is not None or node is not None:
            raise click.UsageError("--add and --remove label sessions; leave out TEXT and --node")
        records = choose([key] if key is not None else [], pattern, with_label)
        return _sort(records, add, remove, as_json=as_json)
    if key is None or text is None:
        raise click.UsageError("give KEY and TEXT, or labels with --add and --remove")
    if pattern is not None or with_label is not None:
        raise click.UsageError("--filter and --with-label go with --add and --remove")
    _name(key, text, node, as_json=as_json)
    return 0


def _name(key: str, text: str, node: str | None, *, as_json: bool) -> None:
    record = in_use(key)
    if node is None:
        record = store_of(here()).set_label(record, text)
    else:
        entry = node
        run(lambda engine: engine.branches.label(record.key, entry, text or None))
    if as_json:
        shape = {"sessionKey": record.key, "sessionId": record.session_id}
        print_json({**shape, "entryId": node, "label": text.strip() or None})


def _sort(
    records: list[SessionRecord], add: Sequence[str], remove: Sequence[str], *, as_json: bool
) -> int:
    done: list[dict[str, Any]] = []
    refused: list[tuple[SessionRecord, BranchlineError]] = []

    async def use(engine: Engine) -> None:
        for record in records:
            ref = record.key if record.kind == "session" else str(record.path)
            try:
                labels = await engine.keeping.label(ref, add, remove)
            except BranchlineError as error:
                refused.append((record, error))
                continue
            shape = {"sessionKey": record.key, "sessionId": record.session_id}
            done.append({**shape, "labels": list(labels)})

    if records:
        run(use)
    if as_json:
        failed = [{"sessionKey": one.key, "message": str(error)} for one, error in refused]
        print_json({"done": done, "refused": failed})
    else:
        for one in done:
            told = ", ".join(safe_line(name, limit=60) for name in one["labels"]) or "no labels"
            say(f"{safe_line(one['sessionKey'], limit=300)}: {told}")
        if not records:
            say("no session fits")
    for _, error in refused:
        tell_error(error)
    return 1 if refused else 0
