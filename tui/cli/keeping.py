"""`branchline sessions clear|archive|restore|delete|prune`: what is kept of sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.errors import BranchlineError, CommandError, SessionNotFound
from engine.text import safe_line
from tui.cli.output import print_json, print_table, say, tell_error, warn
from tui.cli.place import here, json_option, place_options
from tui.cli.transcripts import complete_key, find, has_label, moment, own_label_of, store_of
from tui.cli.working import in_use, run

if TYPE_CHECKING:
    from engine.agents.keeping import Generation
    from engine.agents.lifetime import Done
    from engine.engine import Engine
    from engine.lifecycle.retention import Kept, Plan, Rules, Step
    from engine.sessions.records import SessionRecord

__all__ = ["archive", "choose", "clear", "delete", "prune", "restore", "several"]

F = TypeVar("F", bound=Callable[..., Any])


def several(function: F) -> F:
    """Add what says which sessions are meant: KEYs, or a filter."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say which sessions are meant."),
        click.option("--with-label", metavar="LABEL", help="Only those that carry this label."),
        click.option("--filter", "pattern", metavar="PATTERN", help="All whose key fits: * and ?."),
        click.argument("keys", nargs=-1, metavar="[KEY]...", shell_complete=complete_key),
    ):
        function = option(function)
    return function


def choose(keys: Sequence[str], pattern: str | None, with_label: str | None) -> list[SessionRecord]:
    """The sessions that are meant.

    Raises:
        SessionNotFound: a KEY names none, or more than one.
        click.UsageError: neither KEYs nor a filter were given, or both.
    """
    filtered = pattern is not None or with_label is not None
    if filtered == bool(keys):
        raise click.UsageError("name sessions by KEY, or with --filter or --with-label")
    store = store_of(here())
    if keys:
        return [find(store, key) for key in keys]
    own = own_label_of(here())
    wanted = (pattern or "*").lower()
    return [
        record
        for record in store.list()
        if record.kind == "session" and record.state != "missing"
        if fnmatchcase(record.key, wanted)
        if with_label is None or has_label(record, own(record), with_label)
    ]


def _ref(record: SessionRecord) -> str:
    return record.key if record.kind == "session" else str(record.path)


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
def clear(key: str, as_json: bool) -> None:
    """Empty a session's context; the conversation stays in its tree, settings stay in force."""
    from engine.routing.envelope import OPERATOR_CHANNEL, Envelope

    record = in_use(key)

    async def use(engine: Engine) -> str:
        order = Envelope(OPERATOR_CHANNEL, "/clear")
        result = await (await engine.submit(order, session_key=record.key)).result()
        if result.error is not None:
            raise result.error
        return result.text

    told = run(use)
    if as_json:
        print_json({"sessionKey": record.key, "sessionId": record.session_id, "text": told})
    else:
        say(told)


@click.command()
@place_options
@json_option
@several
def archive(
    keys: Sequence[str], pattern: str | None, with_label: str | None, dry_run: bool, as_json: bool
) -> int:
    """Put sessions away. Their next message starts afresh; `restore` brings them back."""
    records = choose(keys, pattern, with_label)
    return _each(
        records,
        lambda engine, record: engine.keeping.archive(_ref(record)),
        "archived",
        dry_run=dry_run,
        as_json=as_json,
    )


@click.command()
@place_options
@json_option
@several
def delete(
    keys: Sequence[str], pattern: str | None, with_label: str | None, dry_run: bool, as_json: bool
) -> int:
    """Move sessions, or what is archived, to the trash; `restore` brings them back."""
    records = choose(keys, pattern, with_label)
    return _each(
        records,
        lambda engine, record: engine.keeping.delete(_ref(record)),
        "to the trash",
        dry_run=dry_run,
        as_json=as_json,
    )


def _each(
    records: list[SessionRecord],
    end: Callable[[Engine, SessionRecord], Awaitable[Generation]],
    what: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Do it to each; one that is refused does not stop the others."""
    refused: list[tuple[SessionRecord, BranchlineError]] = []
    done: list[Generation] = []

    async def use(engine: Engine) -> None:
        for record in records:
            try:
                done.append(await end(engine, record))
            except BranchlineError as error:
                refused.append((record, error))

    if not dry_run and records:
        run(use)
    if as_json:
        planned = [{"sessionKey": one.key, "sessionId": one.session_id} for one in records]
        failed = [{"sessionKey": one.key, "message": str(error)} for one, error in refused]
        shown = planned if dry_run else [_generation(one) for one in done]
        print_json({"dryRun": dry_run, "done": shown, "refused": failed})
    else:
        for one in records if dry_run else done:
            say(f"{'would go ' if dry_run else ''}{what}: {safe_line(one.key, limit=300)}")
        if not records:
            say("no session fits")
    for _, error in refused:
        tell_error(error)
    return 1 if refused else 0


def _generation(one: Generation) -> dict[str, Any]:
    return {
        "sessionKey": one.key,
        "sessionId": one.session_id,
        "file": one.ref,
        "kind": one.kind,
        "ended": one.ended,
        "reason": one.reason,
        "rule": one.rule,
        "messages": one.messages,
    }


@click.command()
@place_options
@json_option
@click.argument("key", shell_complete=complete_key)
def restore(key: str, as_json: bool) -> None:
    """Bring an archived, reset or deleted session back under its key.

    KEY may be its file or id; a session key brings back the one that ended last. One that holds
    the key by now is archived.
    """
    record = _ended(key)
    restored = run(lambda engine: engine.keeping.restore(str(record.path)))
    if as_json:
        print_json({"sessionKey": restored, "sessionId": record.session_id})
    else:
        say(f"restored: {safe_line(restored, limit=300)} ({record.messages:,} messages)")


def _ended(ref: str) -> SessionRecord:
    """The session that is over and meant: itself, or the latest of a key; from the trash only
    where there is no other.

    Raises:
        SessionNotFound: there is none.
    """
    from engine.routing.keys import canonical_key
    from engine.sessions.records import ENDED

    store = store_of(here())
    try:
        found = find(store, ref)
    except SessionNotFound:
        found = None
    if found is not None and found.kind in ENDED:
        return found
    key = found.key if found is not None else canonical_key(ref)
    over = [one for one in store.list() if one.key == key and one.kind in ENDED]
    if not over:
        raise SessionNotFound(
            f"nothing of {safe_line(ref, limit=120)} is archived or in the trash",
            remedy="`branchline sessions list --archived` shows what is",
        )
    return max(over, key=lambda one: (one.kind != "deleted", one.ended))


@click.command()
@place_options
@json_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Unused so long.")
@click.option("--max-sessions", type=click.IntRange(min=1), metavar="N", help="Keep so many.")
@click.option("--disk-budget", metavar="SIZE", help="Keep so much, such as 500MB.")
@click.option(
    "--empty-trash", type=click.FloatRange(min=0), metavar="DAYS", help="In there so long."
)
@click.option("--clock-is-right", is_flag=True, help="After a jump of the clock: it is right.")
def prune(as_json: bool, dry_run: bool, clock_is_right: bool, **asked: Any) -> int:
    """Move what the rules take to the trash, and erase what has been there long enough.

    The rules are those of `session.maintenance`, or the ones given here instead. Sessions in use,
    named or labelled ones and the main session stay. Each deletion leaves a tombstone.
    """
    rules = _rules(**asked)

    async def use(engine: Engine) -> tuple[Plan, Done | None]:
        keeping = engine.keeping.rules
        if clock_is_right and not dry_run:
            await keeping.confirm_clock()
        plan = await keeping.plan(rules)
        if dry_run:
            return plan, None
        held = await keeping.doubt(rules)
        if held is not None:
            raise CommandError(held.message, remedy=f"{held.hint}")
        return plan, await keeping.carry_out(plan)

    if rules is None and not _configured():
        warn("no rule asks for anything: session.maintenance is not set; see --help")
    plan, done = run(use)
    steps = plan.steps if done is None else done.steps
    failed = () if done is None else done.kept
    _print_plan(plan, steps, (*plan.kept, *failed), dry_run=dry_run, as_json=as_json)
    return 1 if failed else 0


def _configured() -> bool:
    from engine.lifecycle.retention import rules_of

    return bool(rules_of(here().config().session.maintenance))


def _rules(
    *,
    older_than: float | None,
    max_sessions: int | None,
    disk_budget: str | None,
    empty_trash: float | None,
) -> Rules | None:
    """The rules of the command line; None where those of the config hold."""
    from engine.config.sizes import read_size
    from engine.lifecycle.expiry import DAY
    from engine.lifecycle.retention import Rules

    if older_than is None and max_sessions is None and disk_budget is None and empty_trash is None:
        return None
    size = read_size(disk_budget) if disk_budget is not None else None
    if disk_budget is not None and size is None:
        raise click.UsageError(f"--disk-budget: {disk_budget!r} is no size; write 500MB")
    return Rules(
        (older_than or 0) * DAY if older_than != 0 else 1,
        max_sessions or 0,
        size,
        (empty_trash or 0) * DAY if empty_trash != 0 else 1,
        place="by hand: ",
    )


def _print_plan(
    plan: Plan, steps: Sequence[Step], kept: Sequence[Kept], *, dry_run: bool, as_json: bool
) -> None:
    freed = sum(step.record.size for step in steps if step.action == "erase")
    if as_json:
        print_json(
            {
                "dryRun": dry_run,
                "steps": [_step(step) for step in steps],
                "kept": [
                    {**_who(one.record), "reason": one.reason, "rule": one.rule} for one in kept
                ],
                "held": plan.held,
                "freed": freed,
            }
        )
        return
    if steps:
        heads = ("ACTION", "KEY", "WHAT", "LAST USED", ">KB", "WHY", "RULE")
        print_table(heads, [_row(step) for step in steps])
    for one in kept:
        key = safe_line(one.record.key, limit=200)
        say(f"kept {key}: {safe_line(one.reason, limit=200)} ({one.rule})")
    trashed = sum(step.action == "trash" for step in steps)
    erased = len(steps) - trashed
    word = "would go" if dry_run else "went"
    say(f"{trashed:,} {word} to the trash, {erased:,} erased ({freed:,} of {plan.held:,} bytes)")


def _row(step: Step) -> tuple[str, ...]:
    one = step.record
    size = f"{one.size / 1024:,.0f}"
    return (step.action, one.key, one.kind, moment(one.used), size, step.reason, step.rule)


def _who(record: SessionRecord) -> dict[str, Any]:
    return {
        "sessionKey": record.key,
        "sessionId": record.session_id,
        "file": str(record.path),
        "kind": record.kind,
    }


def _step(step: Step) -> dict[str, Any]:
    one = step.record
    return {
        "action": step.action,
        **_who(one),
        "reason": step.reason,
        "rule": step.rule,
        "size": one.size,
        "messages": one.messages,
        "lastUsed": one.used,
    }
