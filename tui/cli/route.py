"""`branchline route`: which agent and session a message goes to, and why (SPEC §13)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from engine.errors import EnvelopeError
from tui.cli.output import print_json_line, print_table, say, tell_problem
from tui.cli.place import Place, here, json_option, place_options

if TYPE_CHECKING:
    from engine.routing.router import Route, Router

__all__ = ["route", "route_object"]

_PARTS = ("agents", "bindings", "routing", "session")
"""Parts of the config that routing depends on."""


def route_object(route: Route, *, explain: bool = False) -> dict[str, Any]:
    """A route in the shape of SPEC §13."""
    shape: dict[str, Any] = {
        "agentId": route.agent_id,
        "accountId": route.account_id,
        "sessionKey": route.session_key,
        "mainSessionKey": route.main_session_key,
        "matchedBy": route.matched_by,
    }
    if explain:
        shape["trace"] = [
            {
                "rule": step.rule,
                "agentId": step.agent_id,
                "tier": step.tier,
                "won": step.won,
                "failed": step.failed
                and {
                    "field": step.failed.field,
                    "wanted": step.failed.wanted,
                    "got": step.failed.got,
                },
            }
            for step in route.trace
        ]
    return shape


class _Routers:
    """Routers as lines ask for them: the file's, and that of the last config in a line."""

    def __init__(self, place: Place):
        self._place = place
        self._file: Router | None = None
        self._raw: object = None
        self._given: Router | None = None

    def of_file(self) -> Router:
        """The router of the config file, read when first needed.

        Raises:
            ConfigError: the file cannot be used.
        """
        if self._file is None:
            from engine.routing.router import Router

            loaded = self._place.load()
            self._file = Router(loaded.require())
            for problem in (*loaded.warnings, *self._file.problems):
                if (problem.path or "").startswith(_PARTS):
                    tell_problem(problem)
        return self._file

    def of_object(self, raw: object) -> Router:
        """The router of a config that stands in a line.

        Raises:
            EnvelopeError: it is no object.
        """
        if not isinstance(raw, dict):
            raise EnvelopeError("needs an object", path="config")
        if self._given is None or raw != self._raw:
            from engine.config.load import config_from_object
            from engine.routing.router import Router

            self._given, self._raw = Router(config_from_object(raw)), raw
        return self._given


def _decode(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise EnvelopeError("is not UTF-8 text", path="line") from None
    except RecursionError:
        raise EnvelopeError("is nested too deeply", path="line") from None
    except ValueError as error:
        raise EnvelopeError(f"is not JSON ({error})", path="line") from None


def _route_line(line: bytes, routers: _Routers) -> Route:
    from engine.routing.read import read_envelope

    found = _decode(line)
    if isinstance(found, dict) and "input" in found and "channel" not in found:
        router = routers.of_object(found["config"]) if "config" in found else routers.of_file()
        return router.route(read_envelope(found["input"]))
    envelope = read_envelope(found)
    return routers.of_file().route(envelope)


def _route_lines(routers: _Routers, *, explain: bool) -> int:
    code = 0
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        try:
            print_json_line(route_object(_route_line(line, routers), explain=explain))
        except EnvelopeError as error:
            code = 1
            print_json_line({"error": {"path": error.path, "message": error.message}})
    return code


def _print_route(found: Route, *, explain: bool) -> None:
    say(f"agent    {found.agent_id}")
    say(f"session  {found.session_key}")
    say(f"account  {found.account_id}")
    say(f"matched  {found.matched_by}")
    if not explain:
        return
    say("")
    rows = []
    for step in found.trace:
        if step.won:
            verdict = "decides"
        elif step.failed is None:
            verdict = "would, too"
        else:
            failed = step.failed
            verdict = f"{failed.field}: wanted {failed.wanted}, found {failed.got or 'none'}"
        rows.append((step.rule, step.tier, step.agent_id, verdict))
    print_table(("RULE", "TIER", "AGENT", "VERDICT"), rows)


@click.command()
@place_options
@json_option
@click.option("--explain", is_flag=True, help="Show every binding looked at, and why it failed.")
@click.option("--channel", help="Route one message of this channel instead of reading stdin.")
@click.option("--account", "account_id", help="Account of the channel.")
@click.option("--peer", metavar="KIND:ID", help="dm:ID, group:ID or channel:ID.")
@click.option("--parent-peer", metavar="KIND:ID", help="What a thread belongs to.")
@click.option("--thread", "thread_id", help="Thread or topic.")
@click.option("--guild", "guild_id", help="Discord server.")
@click.option("--team", "team_id", help="Slack workspace.")
@click.option("--role", "member_role_ids", multiple=True, help="Role of the sender; repeatable.")
@click.option("--tenant", "tenant_id", help="Tenant, for session.keyFormat.")
@click.option("--sender", help="Who writes.")
def route(as_json: bool, explain: bool, **facts: Any) -> int:
    """Show which agent and which session messages go to.

    Reads one JSON envelope a line, or {"config": …, "input": …}, and answers each with one line;
    a bad line is answered with its error. With --channel, routes one message.
    """
    routers = _Routers(here())
    given = {name: value for name, value in facts.items() if value}
    if not given:
        if sys.stdin.isatty():
            raise click.UsageError("give envelopes as JSON lines on stdin, or --channel and more")
        return _route_lines(routers, explain=explain)
    if "channel" not in given:
        raise click.UsageError("--channel is needed to route one message")
    from engine.routing.read import read_envelope

    given["member_role_ids"] = list(given.get("member_role_ids", ()))
    found = routers.of_file().route(read_envelope(given))
    if as_json:
        print_json_line(route_object(found, explain=explain))
    else:
        _print_route(found, explain=explain)
    return 0
