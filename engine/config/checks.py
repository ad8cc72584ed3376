"""What types alone cannot say: ids that exist twice or not at all, references to nothing.

These look at what passed the type check, so one run reports both kinds of problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.config.findings import Finding, Severity, resemble, shown
from engine.config.providers import APIS, KNOWN_PROVIDERS
from engine.config.scan import KeyPath
from engine.config.sizes import read_size

__all__ = ["check_meaning"]

MAX_GUESSES = 50
"""References for which a likely meaning is looked up, of each kind: it is dear."""

_AGENT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NOT_IN_IDS = re.compile(r"[^a-z0-9_-]+")


def folded_agent_id(name: str) -> str:
    """The id that an agent's name stands for (reference: OpenClaw 2026.4.15, SPEC §3)."""
    name = name.strip().lower()
    if _AGENT_ID.fullmatch(name):
        return name
    return _NOT_IN_IDS.sub("-", name).strip("-")[:64] or "main"


def _agents(data: dict[str, Any]) -> list[tuple[KeyPath, str, dict[str, Any]]]:
    """(path of the id, id as written, entry) of every agent, listed or by name."""
    agents = data.get("agents", {})
    found: list[tuple[KeyPath, str, dict[str, Any]]] = []
    for index, entry in enumerate(agents.get("list", [])):
        if isinstance(entry, dict) and "id" in entry:
            found.append((("agents", "list", index, "id"), entry["id"], entry))
    for name, entry in agents.items():
        if name not in ("defaults", "list"):
            found.append((("agents", name), entry.get("id") or name, entry))
    return found


def _agent_ids(data: dict[str, Any], severity: Severity) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    defaults = 0
    for path, name, entry in _agents(data):
        folded = folded_agent_id(name)
        by_name = isinstance(path[-1], str) and len(path) == 2
        if name != folded and name.strip().lower() == folded:
            message = f"agent ids are lower case: {shown(name)} is read as `{folded}`"
            yield Finding(path, message, None, "warning", on_key=by_name)
        elif name != folded:
            yield Finding(
                path,
                f"{shown(name)} cannot be an agent id: a-z 0-9 _ -, beginning with a letter or"
                " digit, at most 64 characters",
                f'write "{folded}"',
                severity,
                on_key=by_name,
            )
        if folded in seen:
            message = f"the agent id {shown(name)} is used twice"
            yield Finding(path, message, "the first one counts", severity, on_key=by_name)
        seen.setdefault(folded, name)
        defaults += bool(entry.get("default"))
        if entry.get("default") and defaults > 1:
            place = path if by_name else (*path[:-1], "default")
            yield Finding(place, "a second default agent", "the first one counts", "warning")


def _default_agent(data: dict[str, Any]) -> str:
    agents = _agents(data)
    chosen = [name for _, name, entry in agents if entry.get("default")]
    return folded_agent_id((chosen or [name for _, name, _ in agents] or ["main"])[0])


def _agent_refs(data: dict[str, Any]) -> Iterator[Finding]:
    """Bindings and routing patterns that name an agent which is not there."""
    known = {folded_agent_id(name) for _, name, _ in _agents(data)} or {"main"}
    default = _default_agent(data)
    listed = "agents: " + ", ".join(sorted(known)[:12])
    budget = MAX_GUESSES
    named: list[tuple[KeyPath, str]] = []
    for index, entry in enumerate(data.get("bindings", [])):
        if isinstance(entry, dict) and "agentId" in entry and entry.get("type", "route") == "route":
            named.append((("bindings", index, "agentId"), entry["agentId"]))
    named.extend((("routing", pattern), name) for pattern, name in data.get("routing", {}).items())
    for path, name in named:
        if folded_agent_id(name) not in known:
            budget -= 1
            meant = resemble(name, known) if budget > 0 else None
            hint = f"did you mean '{meant}'?" if meant else listed
            message = f"no agent {shown(name)}: its messages go to the default agent `{default}`"
            yield Finding(path, message, hint, "warning")


def _choices(choice: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(choice, dict):
        return
    if isinstance(choice.get("primary"), str):
        yield (*path, "primary"), choice["primary"]
    for index, ref in enumerate(choice.get("fallbacks", [])):
        if isinstance(ref, str):
            yield (*path, "fallbacks", index), ref


def _model_refs(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """(path, reference) of every place that names a model."""
    agents = data.get("agents", {})
    defaults = agents.get("defaults", {})
    yield from _choices(defaults.get("model"), ("agents", "defaults", "model"))
    for path, _, entry in _agents(data):
        parent = path if len(path) == 2 else path[:-1]
        yield from _choices(entry.get("model"), (*parent, "model"))
    for name, ref in data.get("models", {}).get("aliases", {}).items():
        yield ("models", "aliases", name), ref
    for holder, path in (
        (data, ("compaction",)),
        (defaults, ("agents", "defaults", "compaction")),
    ):
        ref = holder.get("compaction", {}).get("model")
        if isinstance(ref, str):
            yield (*path, "model"), ref


def _end(ref: str, aliases: dict[str, str]) -> str | None:
    """What a reference stands for once no alias is left; None when aliases go in a circle."""
    seen: set[str] = set()
    while ref in aliases:
        if ref in seen:
            return None
        seen.add(ref)
        ref = aliases[ref].strip()
    return ref


def _aliases(data: dict[str, Any]) -> dict[str, str]:
    """Every alias with what it stands for; those under models.aliases win."""
    named = data.get("agents", {}).get("defaults", {}).get("models", {})
    found = {entry["alias"]: ref for ref, entry in named.items() if entry.get("alias")}
    return {**found, **data.get("models", {}).get("aliases", {})}


def _models(data: dict[str, Any]) -> Iterator[Finding]:
    """References that lead nowhere. A model unknown to a known provider may well exist."""
    entries = data.get("models", {}).get("providers", {})
    providers = KNOWN_PROVIDERS | set(entries)
    aliases = _aliases(data)
    ids = {
        spec["id"]
        for entry in entries.values()
        for spec in entry.get("models", ())
        if isinstance(spec, dict) and "id" in spec
    }
    budget = MAX_GUESSES
    for path, ref in _model_refs(data):
        end = _end(ref.strip(), aliases)
        if end is None:
            yield Finding(path, f"the alias {shown(ref)} leads in a circle", None, "warning")
            continue
        provider, slash, _ = end.partition("/")
        if end in ids or (slash and provider in providers):
            continue
        known = providers if slash else (aliases.keys() | ids) - {path[-1]}
        budget -= 1
        meant = resemble(provider if slash else end, sorted(known)) if budget > 0 else None
        hint = f"did you mean '{meant}'?" if meant else "write provider/model"
        what = f"no provider `{provider}`" if slash else "neither provider/model nor an alias"
        yield Finding(path, f"the model {shown(ref)} leads nowhere: {what}", hint, "warning")


def _providers(data: dict[str, Any], severity: Severity) -> Iterator[Finding]:
    for name, entry in data.get("models", {}).get("providers", {}).items():
        path: KeyPath = ("models", "providers", name)
        api = entry.get("api")
        if api is not None and api not in APIS:
            message = f"the protocol {shown(api)} is not spoken here: {name} cannot be used"
            meant = resemble(api, APIS)
            hint = f"did you mean '{meant}'?" if meant else "one of " + ", ".join(sorted(APIS))
            yield Finding((*path, "api"), message, hint, severity)
        key = entry.get("apiKey")
        if key is True:
            message = "a key is text, ${VAR}, {source, path}, or null to send none"
            yield Finding((*path, "apiKey"), message)
        if isinstance(key, dict):
            needed = "id" if key.get("source") == "env" else "path"
            if "source" not in key or needed not in key:
                message = f"`{needed if 'source' in key else 'source'}` is missing"
                yield Finding((*path, "apiKey"), message, '{source: "file", path: "~/key"}')


def _channels(data: dict[str, Any]) -> Iterator[Finding]:
    for name, entry in data.get("channels", {}).items():
        if entry.get("dmPolicy") == "open" and "*" not in entry.get("allowFrom", ()):
            yield Finding(
                ("channels", name, "dmPolicy"),
                'open lets nobody in until allowFrom holds "*"',
                'add allowFrom: ["*"]',
                "warning",
            )


def _maintenance(data: dict[str, Any]) -> Iterator[Finding]:
    size = data.get("session", {}).get("maintenance", {}).get("diskBudget")
    if isinstance(size, int | str) and read_size(size) is None:
        path = ("session", "maintenance", "diskBudget")
        yield Finding(path, f"{shown(size)} is no size", 'write bytes, or text such as "500MB"')


def check_meaning(data: dict[str, Any], *, foreign: bool = False) -> list[Finding]:
    """Check what the type check let pass (its `data`).

    Args:
        foreign: the file is the reference's, which takes more and means less by it: what it
            would accept is a warning.
    """
    severity: Severity = "warning" if foreign else "error"
    return [
        *_agent_ids(data, severity),
        *_agent_refs(data),
        *_models(data),
        *_providers(data, severity),
        *_channels(data),
        *_maintenance(data),
    ]
