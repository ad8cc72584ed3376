"""`branchline models`: which there are, and whether their servers answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from tui.cli.lazy import LazyGroup
from tui.cli.output import print_json, print_table, say, tell_error
from tui.cli.place import Place, here, json_option, place_options

if TYPE_CHECKING:
    from engine.models.catalog import Probe
    from engine.models.protocol import ModelInfo
    from engine.models.registry import ModelRegistry

__all__ = ["NO_MODEL", "models", "probe_all", "probe_object", "registry_of"]

NO_MODEL = (
    "no language model answers yet; set ANTHROPIC_API_KEY or OPENAI_API_KEY, or write a provider "
    "into the config (`branchline config schema models.providers`)"
)


@click.group(cls=LazyGroup)
def models() -> None:
    """Show and try the models."""


def registry_of(place: Place) -> ModelRegistry:
    """The models of the config in force.

    Raises:
        ConfigError: the file cannot be used.
    """
    from engine.models.registry import ModelRegistry

    return ModelRegistry(place.config(), os.environ)


def _object(info: ModelInfo, default: str, aliases: dict[str, str]) -> dict[str, Any]:
    return {
        "ref": info.ref,
        "name": info.name or info.model,
        "provider": info.provider,
        "api": info.api,
        "contextWindow": info.context_window,
        "maxTokens": info.max_tokens,
        "ready": info.ready,
        "keySource": info.key_source,
        "default": info.ref == default,
        "aliases": [name for name, ref in aliases.items() if ref == info.ref],
    }


@models.command("list")
@place_options
@json_option
def list_models(as_json: bool) -> None:
    """List the models that the config names or a key makes usable."""
    registry = registry_of(here())
    default = registry.default_ref()
    rows = [_object(info, default, registry.aliases()) for info in registry.list()]
    if as_json:
        print_json(rows)
        return
    table = [
        (
            row["ref"],
            "default" if row["default"] else "",
            ", ".join(row["aliases"]),
            f"{row['contextWindow']:,}",
            row["api"],
            "ready" if row["ready"] else "needs a key",
            row["keySource"] or "",
        )
        for row in rows
    ]
    print_table(("MODEL", "", "ALIASES", ">WINDOW", "API", "STATE", "KEY FROM"), table)
    if default.startswith("offline/"):
        say(f"\n{NO_MODEL}")


def probe_all(registry: ModelRegistry, refs: list[str]) -> list[Probe]:
    """Ask each model's server, one after the other.

    Raises:
        ModelNotFound: a reference leads nowhere.
    """
    import asyncio

    async def ask() -> list[Probe]:
        return [await registry.probe(ref) for ref in refs]

    return asyncio.run(ask())


def probe_object(found: Probe) -> dict[str, Any]:
    """What a probe found; `error` is its one sentence, or null."""
    return {
        "ref": found.ref,
        "reachable": found.reachable,
        "models": found.models,
        "found": found.found,
        "contextWindow": found.context_window,
        "keySource": found.key_source,
        "error": str(found.error) if found.error else None,
    }


def _verdict(found: Probe) -> str:
    if found.error is not None:
        return "answers with an error" if found.reachable else "does not answer"
    return "answers, but does not list this model" if found.found is False else "answers"


@models.command()
@place_options
@json_option
@click.argument("refs", nargs=-1, metavar="[MODEL]...")
def probe(refs: tuple[str, ...], as_json: bool) -> int:
    """Ask the servers of MODELs whether they are there; of the default model when none is named."""
    registry = registry_of(here())
    found = probe_all(registry, list(refs) or [registry.default_ref()])
    if as_json:
        print_json([probe_object(each) for each in found])
    else:
        rows = [
            (
                each.ref,
                _verdict(each),
                "" if each.models is None else f"{each.models:,}",
                f"{each.context_window:,}",
                each.key_source or "",
            )
            for each in found
        ]
        print_table(("MODEL", "SERVER", ">MODELS", ">WINDOW", "KEY FROM"), rows)
        for each in found:
            if each.error is not None:
                tell_error(each.error)
    return 1 if any(each.error for each in found) else 0
