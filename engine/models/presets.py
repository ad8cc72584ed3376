"""Providers known by name: where they are, which API they speak, which variable holds the key.

Everything here can be overridden under `models.providers.<id>` in the config. `model` is what a
first start without any model in the config uses when the provider's key is set in the
environment; it is a starting point, not advice.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["APIS", "PRESETS", "SYNONYMS", "Preset"]

APIS = ("anthropic-messages", "openai-completions", "ollama", "offline")
"""The wire formats this version speaks."""


class Preset(Struct, frozen=True):
    """A provider's defaults.

    Attributes:
        keys: environment variables that may hold the key, the first that is set wins.
        urls: environment variables that may hold the base URL.
        model: used when nothing else is said and a key is set; "" means never by itself.
        needs_key: whether calls without a key make no sense.
        local: whether the server usually runs on this machine.
        context_window: tokens, for models of which nothing is known.
        input: what its models read, where the config does not list them.
    """

    api: str
    base_url: str = ""
    keys: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    model: str = ""
    needs_key: bool = True
    local: bool = False
    context_window: int = 200_000
    input: tuple[str, ...] = ("text",)


def _compatible(base_url: str, key: str, model: str, context_window: int = 128_000) -> Preset:
    return Preset(
        "openai-completions", base_url, keys=(key,), model=model, context_window=context_window
    )


def _keyless(base_url: str) -> Preset:
    return Preset(
        "openai-completions", base_url, needs_key=False, local=True, context_window=32_000
    )


PRESETS: dict[str, Preset] = {
    "anthropic": Preset(
        "anthropic-messages",
        "https://api.anthropic.com",
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        urls=("ANTHROPIC_BASE_URL",),
        model="claude-sonnet-5-5",
        input=("text", "image"),
    ),
    "openai": Preset(
        "openai-completions",
        "https://api.openai.com/v1",
        keys=("OPENAI_API_KEY",),
        urls=("OPENAI_BASE_URL",),
        model="gpt-5.6-terra",
        input=("text", "image"),
    ),
    "openrouter": _compatible(
        "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter/auto"
    ),
    "google": Preset(
        "openai-completions",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        model="gemini-flash-latest",
        input=("text", "image"),
    ),
    "groq": _compatible(
        "https://api.groq.com/openai/v1", "GROQ_API_KEY", "llama-3.3-70b-versatile"
    ),
    "mistral": _compatible("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral-large-latest"),
    "deepseek": _compatible("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "deepseek-chat"),
    "xai": _compatible("https://api.x.ai/v1", "XAI_API_KEY", "grok-4"),
    "together": _compatible(
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    ),
    "ollama": Preset(
        "ollama",
        "http://127.0.0.1:11434",
        keys=("OLLAMA_API_KEY",),
        urls=("OLLAMA_HOST",),
        needs_key=False,
        local=True,
        context_window=32_000,
    ),
    "lmstudio": _keyless("http://127.0.0.1:1234/v1"),
    "llamacpp": _keyless("http://127.0.0.1:8080/v1"),
    "vllm": _keyless("http://127.0.0.1:8000/v1"),
    "offline": Preset("offline", needs_key=False, local=True, context_window=32_000),
}
"""By provider id, in the order in which keys are looked for at a first start."""

SYNONYMS: dict[str, str] = {
    "claude": "anthropic",
    "gemini": "google",
    "grok": "xai",
    "x-ai": "xai",
    "lm-studio": "lmstudio",
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "togetherai": "together",
}
"""Other names people write, taken only where no configured provider has that very name."""
