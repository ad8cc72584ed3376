"""The `models` part of the config: where models are and what they can hold (SPEC §9)."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from engine.config.base import Amount, Positive, Value, masked

__all__ = ["APIS", "KNOWN_PROVIDERS", "Cost", "KeyFile", "ModelSpec", "Models", "Provider"]

_CLOUD = ("anthropic", "openai", "openrouter", "google", "groq", "mistral", "deepseek")
_LOCAL = ("ollama", "lmstudio", "llamacpp", "vllm", "offline")
KNOWN_PROVIDERS = frozenset((*_CLOUD, "xai", "together", *_LOCAL))
"""Providers that need no entry: each has a preset in engine.models."""

APIS = frozenset(("anthropic-messages", "openai-completions", "ollama", "offline"))
"""Protocols spoken here."""


class KeyFile(TypedDict, total=False):
    source: Literal["file", "env"]
    """file: the key is the content of a file; env: it is in an environment variable."""
    path: str
    """The file, with `~` for the home folder. It must be readable by its owner only."""
    id: str
    """The environment variable's name."""


class Cost(TypedDict, total=False):
    input: Amount
    """Price of a million tokens read."""
    output: Amount
    """Price of a million tokens written."""
    cacheRead: Amount
    """Price of a million tokens read from the provider's cache."""
    cacheWrite: Amount
    """Price of a million tokens put into the provider's cache."""


class ModelSpec(Value, frozen=True):
    id: str
    """The provider's id of the model."""
    name: str | None = None
    """Name shown to people. Default: the id."""
    context_window: Positive | None = None
    """Tokens the model can hold. Default: asked of the server, else 32k local, 200k cloud."""
    max_tokens: Positive | None = None
    """Most tokens the model may write. Default: 8192, less for small windows."""
    input: tuple[str, ...] = ("text",)
    """What it reads: text, image."""
    tools: bool = True
    """Whether it can call tools."""
    reasoning: bool = False
    """Whether it thinks before it answers."""
    cost: Cost | None = None
    """Price per million tokens: {input, output, cacheRead, cacheWrite}."""
    compat: dict[str, Any] | None = None
    """Switches for servers that differ."""


class Provider(Value, frozen=True):
    api: str | None = None
    """anthropic-messages, openai-completions, ollama or offline. Default: the preset's."""
    base_url: str | None = None
    """Where the API is. Default: the preset's."""
    api_key: str | KeyFile | bool | None = None
    """Key, `${VAR}`, {source: "file", path}, or null to send none. Default: the preset's
    environment variable. As a value: None is not given, False is null in the file."""
    headers: dict[str, str] = {}
    """Headers to add. `${VAR}` is filled in when a request is made."""
    extra_body: dict[str, Any] = {}
    """Fields to add to each request body."""
    timeout_seconds: Amount | None = None
    """Longest silence of a stream, in seconds. Default: 120 cloud, 300 local."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The request's field for the most tokens to write. Default: by host."""
    stream_usage: bool = True
    """Whether to ask for token counts in the stream."""
    anthropic_version: str | None = None
    """anthropic-version header. Default: by host."""
    allow_insecure: bool = False
    """Send a key over plain http to another machine."""
    models: tuple[ModelSpec, ...] = ()
    """Models whose sizes are known."""
    context_window: Positive | None = None
    """Context window, in tokens, for models of this provider that say none."""
    max_tokens: Positive | None = None
    """Answer limit, in tokens, for models of this provider that say none."""

    def __repr__(self) -> str:
        return masked(self, ("api_key", "headers", "extra_body"))


class Models(Value, frozen=True):
    mode: Literal["merge", "replace"] = "merge"
    """merge: the presets stay available beside `providers`."""
    providers: dict[str, Provider] = {}
    """Providers by name."""
    aliases: dict[str, str] = {}
    """Short names for references; those of agents.defaults.models are added."""
    record: Literal["off", "record", "replay", "auto"] = "off"
    """Whether requests and answers are kept and replayed."""
