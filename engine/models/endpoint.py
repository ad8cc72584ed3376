"""Where a provider is and how to speak to it: config, preset and environment made one value.

Source of the base URL rules: the providers' own SDKs (OLLAMA_HOST parsing, `/v1` habits).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from engine.config.expand import expand
from engine.config.schema import Provider as ProviderConfig
from engine.config.secrets import Secret, find_key
from engine.disk import Disk
from engine.errors import ModelError, Problem
from engine.models.presets import APIS, PRESETS, Preset

__all__ = ["Endpoint", "base_url", "is_loopback", "make_endpoint", "parse_ollama_host"]

CLOUD_IDLE = 120.0
LOCAL_IDLE = 300.0
"""Longest silence of a stream in seconds: a local server may load the model first."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider's address and manners; nothing secret is in its repr.

    Attributes:
        key: the secret, or None to send no key.
        key_source: name of the variable, `config` or `file …`; None without a key.
        key_problem: why the key that the config names cannot be used.
        needs_key: whether a call without a key is refused before it is sent.
        key_names: variables in which the key is looked for.
        bearer: send the key as `Authorization: Bearer` where the API's own way differs.
        idle: longest silence of a stream, in seconds.
    """

    provider: str
    api: str
    url: str
    key: Secret | None = None
    key_source: str | None = None
    key_problem: Problem | None = None
    needs_key: bool = False
    key_names: tuple[str, ...] = ()
    bearer: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra_body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    idle: float = CLOUD_IDLE
    max_tokens_field: str | None = None
    stream_usage: bool = True
    anthropic_version: str | None = None
    allow_insecure: bool = False
    local: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine."""
    host = host.strip("[]").lower()
    named = host in {"localhost", "::1"} or host.endswith(".localhost")
    return named or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def make_endpoint(
    provider: str,
    config: ProviderConfig | None,
    environ: Mapping[str, str],
    disk: Disk | None = None,
) -> Endpoint:
    """Put a provider's settings together.

    Args:
        provider: its id.
        config: its entry under `models.providers`, if it has one.
        environ: environment variables, those of the config's `env` included.
        disk: where key files are read; None: the real one.

    Raises:
        ModelError: the API is not one we speak, or no base URL is known.
    """
    given, config = config, config or ProviderConfig()
    preset = PRESETS.get(provider) or Preset("openai-completions", needs_key=False)
    api = _api(provider, config.api or preset.api)
    url = "" if api == "offline" else base_url(api, _raw_url(provider, config, preset, environ))
    stripped = {name: environ[name].strip() for name in preset.keys if name in environ}
    environ = {**environ, **stripped}
    found = find_key(provider, given, environ, disk or Disk(), variables=preset.keys)
    local = is_loopback(urlsplit(url).hostname or "") if url else preset.local
    return Endpoint(
        provider=provider,
        api=api,
        url=url,
        key=found.secret,
        key_source=found.source if found.secret else None,
        key_problem=found.problem,
        needs_key=found.problem is not None or _needs_key(preset, config, local=local),
        key_names=preset.keys,
        bearer=bool(found.secret) and found.source == "ANTHROPIC_AUTH_TOKEN",
        headers={
            name: _filled(text, environ, f"models.providers.{provider}.headers.{name}")
            for name, text in config.headers.items()
        },
        extra_body=dict(config.extra_body),
        idle=config.timeout_seconds or (LOCAL_IDLE if local else CLOUD_IDLE),
        max_tokens_field=config.max_tokens_field,
        stream_usage=config.stream_usage,
        anthropic_version=config.anthropic_version,
        allow_insecure=config.allow_insecure,
        local=local,
    )


def _needs_key(preset: Preset, config: ProviderConfig, *, local: bool) -> bool:
    """Not on this machine, nor where the config says `apiKey: null`."""
    return preset.needs_key and not local and config.api_key is not False


def _filled(text: str, environ: Mapping[str, str], place: str) -> str:
    """Text of the config with its `${VAR}` filled in."""
    value, missing = expand(text, environ)
    if missing:
        raise ModelError(
            f"{missing[0]} is not set", kind="invalid", place=place, remedy=f"Set {missing[0]}"
        )
    return value


def _api(provider: str, api: str) -> str:
    if api in APIS:
        return api
    raise ModelError(
        f"the API `{api}` is not supported",
        kind="invalid",
        place=f"models.providers.{provider}.api",
        remedy=f"Use one of {', '.join(APIS)}",
    )


def _raw_url(
    provider: str, config: ProviderConfig, preset: Preset, environ: Mapping[str, str]
) -> str:
    if config.base_url:
        return _filled(config.base_url, environ, f"models.providers.{provider}.baseUrl")
    for name in preset.urls:
        if environ.get(name):
            return environ[name]
    if preset.base_url:
        return preset.base_url
    raise ModelError(
        f"provider `{provider}` has no baseUrl",
        kind="invalid",
        place=f"models.providers.{provider}.baseUrl",
        remedy="Say where its API is, for example http://127.0.0.1:8080/v1",
    )


def base_url(api: str, text: str) -> str:
    """Tidy a base URL the way the API wants it.

    Raises:
        ModelError: it is not an http(s) address.
    """
    try:
        parts = urlsplit(parse_ollama_host(text) if api == "ollama" else text.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed [
        usable = False
    if not usable:
        raise ModelError(
            f"`{_without_login(text)}` is not an http(s) address",
            kind="invalid",
            remedy="Write it like https://host/v1",
        )
    path = parts.path.rstrip("/")
    if api == "anthropic-messages":
        path = path.removesuffix("/v1")
    elif api == "openai-completions":
        path = path or "/v1"
    netloc = parts.netloc
    if parts.hostname == "0.0.0.0":  # what a server binds to is not where it can be reached
        netloc = netloc.replace("0.0.0.0", "127.0.0.1")
    return urlunsplit((parts.scheme, netloc, path, parts.query, ""))


def _without_login(text: str) -> str:
    return text.rpartition("@")[2]


def parse_ollama_host(text: str) -> str:
    """OLLAMA_HOST in all its forms → a base URL without `/v1` or `/api`.

    `host`, `host:port`, `:port`, `http(s)://…`; a bare host gets port 11434, a URL keeps its
    scheme's own port, and the server's bind address 0.0.0.0 means this machine.
    """
    text = text.strip() or "127.0.0.1"
    bare = "://" not in text
    parts = urlsplit(f"http://{text}" if bare else text)
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (11434 if bare else None)
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
