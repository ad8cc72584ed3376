"""`branchline agents`: who answers, and which messages they get."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from tui.cli.lazy import LazyGroup
from tui.cli.output import print_json, print_table, say, tell_problem
from tui.cli.place import here, json_option, place_options

if TYPE_CHECKING:
    from engine.config.schema import Binding, Config
    from engine.routing.router import AgentTable

__all__ = ["agents"]


@click.group(cls=LazyGroup)
def agents() -> None:
    """Show the agents of the config."""


def _described(binding: Binding) -> str:
    """A binding's match in words: `telegram, account work, peer dm:5`."""
    match = binding.match
    parts = [match.channel, f"account {match.account_id or 'default'}"]
    if match.peer is not None:
        parts.append(f"peer {match.peer.kind}:{match.peer.id}")
    if match.guild_id is not None:
        parts.append(f"guild {match.guild_id}")
    if match.team_id is not None:
        parts.append(f"team {match.team_id}")
    if match.roles:
        parts.append("roles " + " or ".join(map(str, match.roles)))
    return ", ".join(parts)


def _unlisted(config: Config, table: AgentTable) -> list[str]:
    """The agents of a config that lists none: the default one and those that bindings name."""
    bound = (table.resolve(each.agent_id) for each in config.bindings if each.type == "route")
    return list(dict.fromkeys((table.default, *bound)))


def _rows(config: Config) -> list[dict[str, Any]]:
    from engine.errors import ModelError
    from engine.models.registry import ModelRegistry
    from engine.routing.ids import normalize_agent_id
    from engine.routing.router import AgentTable

    table = AgentTable(config.agents)
    registry = ModelRegistry(config, os.environ)
    listed = {normalize_agent_id(agent.id): agent for agent in config.agents.list}
    rows = []
    for agent_id in [*listed] or _unlisted(config, table):
        agent = listed.get(agent_id)
        try:
            model, source = registry.default_ref(agent), registry.default_choice(agent).source
        except ModelError as error:
            model, source = "", str(error)
        rows.append(
            {
                "id": agent_id,
                "name": (agent.name if agent else None) or agent_id,
                "default": agent_id == table.default,
                "model": model,
                "modelSource": source,
                "workspace": agent.workspace if agent else None,
                "bindings": [
                    {"rule": f"bindings[{order}]", "match": _described(binding)}
                    for order, binding in enumerate(config.bindings)
                    if binding.type == "route" and table.resolve(binding.agent_id) == agent_id
                ],
            }
        )
    return rows


@agents.command("list")
@place_options
@json_option
@click.option("--bindings", "with_bindings", is_flag=True, help="Show what each agent gets.")
def list_agents(as_json: bool, with_bindings: bool) -> None:
    """List the agents, their models and, with --bindings, the messages bound to them."""
    loaded = here().load()
    rows = _rows(loaded.require())
    if as_json:
        if not with_bindings:
            for row in rows:
                del row["bindings"]
        print_json(rows)
        return
    table = [
        (
            row["id"],
            "default" if row["default"] else "",
            row["name"],
            row["model"],
            str(len(row["bindings"])),
        )
        for row in rows
    ]
    print_table(("AGENT", "", "NAME", "MODEL", ">BINDINGS"), table)
    for row in rows if with_bindings else ():
        say(f"\n{row['id']}" + ("  (and whatever no binding claims)" if row["default"] else ""))
        for binding in row["bindings"]:
            say(f"  {binding['rule']}: {binding['match']}")
    for problem in loaded.warnings:
        if (problem.path or "").startswith(("agents", "bindings")):
            tell_problem(problem)
