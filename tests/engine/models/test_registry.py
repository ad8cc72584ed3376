from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from engine.config.schema import (
    Agent,
    AgentDefaults,
    Agents,
    Config,
    ModelChoice,
    Models,
    ModelSpec,
)
from engine.config.schema import Provider as ProviderConfig
from engine.errors import ModelError, ModelNotFound
from engine.models.registry import ModelRegistry

TINY = ModelSpec(id="tiny-random", context_window=2048, max_tokens=256, tools=False)
LOCAL = ProviderConfig(
    api="openai-completions",
    base_url="http://127.0.0.1:18080",
    models=(TINY, ModelSpec(id="org/big")),
)


def registry(environ: dict[str, str] | None = None, **models: Any) -> ModelRegistry:
    given: dict[str, Any] = {
        "providers": {"local": LOCAL},
        "aliases": {"fast": "local/tiny-random", "f": "fast"},
    }
    return ModelRegistry(Config(models=Models(**(given | models))), environ or {})


def agents(*listed: Agent, **defaults: Any) -> Agents:
    return Agents(defaults=AgentDefaults(**defaults), list=listed)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("local/tiny-random", "local/tiny-random"),
        ("fast", "local/tiny-random"),
        ("FAST", "local/tiny-random"),
        ("f", "local/tiny-random"),
        ("tiny-random", "local/tiny-random"),
        (" local/tiny-random ", "local/tiny-random"),
        ("Local/tiny-random", "local/tiny-random"),
        ("org/big", "local/org/big"),
        ("openrouter/moonshotai/kimi-k2", "openrouter/moonshotai/kimi-k2"),
        ("anthropic/claude-of-tomorrow", "anthropic/claude-of-tomorrow"),
        ("claude/x", "anthropic/x"),
        ("gemini/y", "google/y"),
        ("offline/echo", "offline/echo"),
        ("offline/echo-2k", "offline/echo-2k"),
    ],
)
def test_names_resolve(text: str, ref: str) -> None:
    assert registry().resolve(text) == ref


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("offline/ecko", "offline/echo"),
        ("tiny-randon", "local/tiny-random"),
        ("fsat", "fast"),
        ("nowhere/m", "models list"),
        ("", "models list"),
        ("local/", "local/"),
        ("/x", "models list"),
    ],
)
def test_unknown_names_are_refused_with_what_is_near(text: str, hint: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        registry().resolve(text)
    assert hint in (caught.value.remedy or "")


def test_a_bare_id_of_two_providers_is_refused_with_both() -> None:
    twice = {"local": LOCAL, "other": LOCAL}
    with pytest.raises(ModelNotFound, match=r"local/tiny-random or other/tiny-random"):
        registry(providers=twice).resolve("tiny-random")


def test_aliases_in_a_circle_end() -> None:
    with pytest.raises(ModelNotFound):
        registry(aliases={"a": "b", "b": "a"}).resolve("a")


def test_an_alias_beats_a_reference_of_the_same_spelling() -> None:
    found = registry(aliases={"anthropic/x": "local/tiny-random"}).resolve("anthropic/x")
    assert found == "local/tiny-random"


def test_a_configured_provider_beats_a_synonym() -> None:
    mine = {"claude": ProviderConfig(api="ollama", base_url="http://127.0.0.1:1")}
    assert registry(providers=mine).resolve("claude/x") == "claude/x"


def test_presets_can_be_shut_out() -> None:
    only = registry(mode="replace")
    with pytest.raises(ModelNotFound):
        only.resolve("anthropic/x")
    assert only.resolve("local/y") == "local/y"
    assert only.resolve("offline/echo") == "offline/echo"


def test_what_is_known_of_a_model() -> None:
    info = registry().info("fast")
    assert (info.ref, info.provider, info.model) == ("local/tiny-random", "local", "tiny-random")
    assert (info.context_window, info.max_tokens, info.tools) == (2048, 256, False)
    assert info.ready
    assert info.key_source is None


def test_sizes_where_nobody_says_any() -> None:
    assert registry().info("local/unheard-of").context_window == 32_000
    assert registry().info("anthropic/unheard-of").context_window == 200_000
    assert registry().info("offline/echo-2k").context_window == 2000


def test_a_model_without_its_key_is_not_ready_and_names_no_value() -> None:
    assert not registry().info("anthropic/x").ready
    keyed = registry({"ANTHROPIC_API_KEY": "sk-ant-secret"}).info("anthropic/x")
    assert keyed.key_source == "ANTHROPIC_API_KEY"
    assert "sk-ant-secret" not in repr(keyed)


@pytest.mark.parametrize(
    ("environ", "ref", "source"),
    [
        ({}, "offline/echo", "offline"),
        ({"OPENAI_API_KEY": "k"}, "openai/gpt-5.6-terra", "OPENAI_API_KEY"),
        (
            {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"},
            "anthropic/claude-sonnet-5-5",
            "ANTHROPIC_API_KEY",
        ),
        ({"ANTHROPIC_AUTH_TOKEN": "k"}, "anthropic/claude-sonnet-5-5", "ANTHROPIC_AUTH_TOKEN"),
        ({"GOOGLE_API_KEY": "k"}, "google/gemini-flash-latest", "GOOGLE_API_KEY"),
        ({"ANTHROPIC_API_KEY": "  "}, "offline/echo", "offline"),
        ({"OLLAMA_API_KEY": "k"}, "offline/echo", "offline"),
    ],
)
def test_a_first_start_takes_the_first_key_there_is(
    environ: dict[str, str], ref: str, source: str
) -> None:
    choice = ModelRegistry(Config(), environ).default_choice()
    assert (choice.ref, choice.source) == (ref, source)


def test_a_model_listed_in_the_config_beats_a_key_in_the_environment() -> None:
    assert registry({"OPENAI_API_KEY": "k"}).default_ref() == "local/tiny-random"


def test_the_agents_own_model_comes_before_the_defaults() -> None:
    coder = Agent(id="coder", model=ModelChoice(primary="f"))
    plain = Agent(id="plain")
    config = Config(
        agents=agents(
            coder, plain, model=ModelChoice(primary="offline/echo-2k", fallbacks=("local/x",))
        ),
        models=Models(providers={"local": LOCAL}, aliases={"f": "local/tiny-random"}),
    )
    found = ModelRegistry(config, {})
    assert found.default_ref("coder") == found.default_ref(coder) == "local/tiny-random"
    assert found.default_choice(coder).fallbacks == ("local/x",)
    assert found.default_choice(coder).source == "agents.list[0].model"
    assert found.default_ref("plain") == found.default_ref(None) == "offline/echo-2k"
    assert found.default_choice().source == "agents.defaults.model"


def test_a_default_that_does_not_exist_is_told() -> None:
    config = Config(agents=agents(model=ModelChoice(primary="offline/ecko")))
    with pytest.raises(ModelNotFound, match="ecko"):
        ModelRegistry(config, {}).default_ref()


def test_the_list_has_what_is_named_and_what_a_key_opens() -> None:
    refs = [info.ref for info in registry({"GROQ_API_KEY": "k"}).list()]
    assert refs == [
        "local/tiny-random",
        "local/org/big",
        "groq/llama-3.3-70b-versatile",
        "offline/echo",
        "offline/echo-2k",
    ]


def test_a_broken_provider_does_not_hide_the_others() -> None:
    broken = {"bad": ProviderConfig(models=(ModelSpec(id="x"),)), "local": LOCAL}
    found = registry(providers=broken)
    assert "local/tiny-random" in [info.ref for info in found.list()]
    with pytest.raises(ModelError, match="no baseUrl"):
        found.provider_for("bad/x")


def test_an_unknown_api_is_refused_by_name() -> None:
    odd = {"odd": ProviderConfig(api="openai-responses", base_url="http://127.0.0.1:1")}
    with pytest.raises(ModelError, match="openai-responses"):
        registry(providers=odd).provider_for("odd/x")


def test_env_of_the_config_adds_but_does_not_override() -> None:
    config = Config(env={"OPENAI_API_KEY": "config", "GROQ_API_KEY": "config"})
    found = ModelRegistry(config, {"OPENAI_API_KEY": "real"})
    openai, groq = found.endpoint("openai").key, found.endpoint("groq").key
    assert openai is not None
    assert groq is not None
    assert (openai.reveal(), groq.reveal()) == ("real", "config")


def test_one_provider_object_serves_a_model_for_good() -> None:
    found = registry()
    assert found.provider_for("fast")[0] is found.provider_for("local/tiny-random")[0]


def test_a_registry_imports_no_network_library() -> None:
    code = (
        "import sys; from engine.config.schema import Config; "
        "from engine.models.registry import ModelRegistry; import engine.models.door; "
        "r = ModelRegistry(Config(), {'OPENAI_API_KEY': 'k'}); r.list(); "
        "r.provider_for('openai/x'); r.provider_for('anthropic/x'); r.provider_for('ollama/x'); "
        "print([m for m in ('httpx', 'anyio', 'asyncio', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
