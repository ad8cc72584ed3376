"""Other ways to write the same thing, brought to the schema's one form.

`before` changes what the file says just before a value is checked (a model written as a plain
reference); `after` moves what was checked to where the engine reads it (agents by name become
agents and bindings; the reference's places for aliases and compaction become ours).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.config.findings import Finding, resemble
from engine.config.providers import Provider
from engine.config.scan import KeyPath
from engine.config.schema import Agents, Config, ModelChoice, NamedAgent, PeerMatch, Reset

__all__ = ["after", "before", "extra_type"]

Form = Callable[[Any, KeyPath, list[Finding]], Any]

PROVIDER_NAMES = {"claude": "anthropic"}
"""Names that people give to providers."""


def _model(raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """`"a/b"` and `{provider: "a", name: "b"}` as `{primary: "a/b"}`."""
    if isinstance(raw, str):
        return {"primary": raw}
    if not isinstance(raw, dict) or not raw.keys() & {"provider", "name"}:
        return raw
    rest = {key: value for key, value in raw.items() if key not in ("provider", "name")}
    provider, name = raw.get("provider"), raw.get("name")
    if not isinstance(provider, str) or not isinstance(name, str):
        found.append(
            Finding(path, "a model needs both provider and name", 'or write "provider/name"')
        )
        return rest
    provider = provider.strip()
    rest["primary"] = f"{PROVIDER_NAMES.get(provider.lower(), provider)}/{name.strip()}"
    return rest


def _reset(raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """`"daily"` as `{mode: "daily"}`."""
    return {"mode": raw} if isinstance(raw, str) else raw


def _peer(raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """Kinds of peers in any case, as the reference takes them."""
    if isinstance(raw, dict) and isinstance(raw.get("kind"), str):
        return {**raw, "kind": raw["kind"].strip().lower()}
    return raw


def _provider(raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """`apiKey: null` means that no key is sent, which is not the same as saying nothing."""
    if not isinstance(raw, dict) or "apiKey" not in raw:
        return raw
    if raw["apiKey"] is None:
        return {**raw, "apiKey": False}
    return raw


def _config(raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """The reference's `env: {vars: {…}, shellEnv: {…}}` as plain variables; `$schema` dropped."""
    if not isinstance(raw, dict):
        return raw
    raw = {key: value for key, value in raw.items() if key != "$schema"}
    env = raw.get("env")
    nested = ("vars", "shellEnv")
    if isinstance(env, dict) and any(isinstance(env.get(key), dict) for key in nested):
        plain = {key: value for key, value in env.items() if key not in nested}
        extra = env.get("vars")
        raw["env"] = {**(extra if isinstance(extra, dict) else {}), **plain}
    return raw


_FORMS: dict[type, Form] = {
    ModelChoice: _model,
    Reset: _reset,
    PeerMatch: _peer,
    Provider: _provider,
    Config: _config,
}


def before(kind: type, raw: Any, path: KeyPath, found: list[Finding]) -> Any:
    """What to check in place of `raw`, given the type that the schema wants there."""
    form = _FORMS.get(kind)
    return form(raw, path, found) if form else raw


def extra_type(kind: type, key: str, raw: Any, *, foreign: bool) -> type | None:
    """The type of a key that the schema does not name, or None when the key is unknown.

    Only `agents` is open, for agents by name. An entry without channels whose name resembles
    `defaults` or `list` is a slip of the pen, not an agent; in a file of the reference, which
    knows no agents by name, it is a key of some other version.
    """
    if kind is not Agents or not isinstance(raw, dict):
        return None
    if "channels" in raw or "scope" in raw:
        return NamedAgent
    return None if foreign or resemble(key, ("defaults", "list")) else NamedAgent


def _bindings(agent_id: str, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The bindings that an agent by name stands for: its channels, on all their accounts."""
    scope = entry.pop("scope", "all")
    made = []
    for channel in entry.pop("channels", []):
        match: dict[str, Any] = {"channel": channel, "accountId": "*"}
        if scope != "all":
            match["peer"] = {"kind": scope, "id": "*"}
        comment = f"from agents.{agent_id}"
        made.append({"agentId": agent_id, "match": match, "comment": comment})
    return made


def _named_agents(config: dict[str, Any]) -> None:
    agents = config.get("agents", {})
    names = [key for key in agents if key not in ("defaults", "list")]
    for name in names:
        entry = agents.pop(name)
        entry["id"] = entry.get("id") or name
        config.setdefault("bindings", []).extend(_bindings(entry["id"], entry))
        agents.setdefault("list", []).append(entry)


def _reference_places(config: dict[str, Any]) -> None:
    defaults = config.get("agents", {}).get("defaults", {})
    compaction = defaults.get("compaction")
    if compaction:
        ours = config.get("compaction", {})
        merged = {**compaction, **ours}
        if "memoryFlush" in compaction and "memoryFlush" in ours:
            merged["memoryFlush"] = {**compaction["memoryFlush"], **ours["memoryFlush"]}
        config["compaction"] = merged
    aliases = {
        entry["alias"]: ref for ref, entry in defaults.get("models", {}).items() if "alias" in entry
    }
    if aliases:
        models = config.setdefault("models", {})
        models["aliases"] = {**aliases, **models.get("aliases", {})}


def _folded_channels(config: dict[str, Any]) -> None:
    channels = config.get("channels")
    if channels:
        config["channels"] = {name.strip().lower(): value for name, value in channels.items()}


def after(config: dict[str, Any]) -> dict[str, Any]:
    """The checked config, in camelCase, as the schema's Structs hold it."""
    _named_agents(config)
    _reference_places(config)
    _folded_channels(config)
    return config
