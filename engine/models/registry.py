"""Which models there are and which one is meant (SPEC §9).

A reference is `provider/model`, split at its first slash, so that `openrouter/moonshotai/kimi-k2`
works. What a person writes is looked up as an alias, then as a reference, then as the bare id of
exactly one configured model. Models of a known provider need not be listed: ids are the
provider's business. Making a registry opens nothing and imports no network library.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.config.schema import Agent, Config, ModelChoice, ModelSpec
from engine.config.schema import Provider as ProviderConfig
from engine.errors import ModelError, ModelNotFound
from engine.models.endpoint import Endpoint, make_endpoint
from engine.models.presets import PRESETS, SYNONYMS, Preset
from engine.models.protocol import ModelInfo, Provider

if TYPE_CHECKING:
    from engine.models.catalog import Probe

__all__ = ["OFFLINE_REF", "Choice", "ModelInfo", "ModelRegistry"]

OFFLINE_REF = "offline/echo"
OFFLINE_MODELS = ("echo", "echo-2k")
LOCAL_WINDOW = 32_000
CLOUD_WINDOW = 200_000
ANSWER_LIMIT = 8192

_OFFLINE = re.compile(r"echo(?:-([1-9]\d{0,3})k)?")


class Choice(Struct, frozen=True):
    """The model an agent answers with when nobody chose another.

    Attributes:
        fallbacks: names tried in order when `ref` cannot answer, as the config writes them.
        source: the config path, or the variable whose key made the choice, or `offline`.
    """

    ref: str
    fallbacks: tuple[str, ...]
    source: str


class ModelRegistry:
    """All models of one config snapshot.

    Args:
        config: the snapshot.
        environ: environment variables; the config's `env` adds to them without overriding.
        paced: whether the offline model takes its time, so that a person sees it write.
    """

    def __init__(self, config: Config, environ: Mapping[str, str], *, paced: bool = True):
        self._paced = paced
        self._config = config
        self._environ: Mapping[str, str] = {**config.env, **environ}
        self._aliases = _aliases(config)
        self._configured = {name.lower(): entry for name, entry in config.models.providers.items()}
        replaced = config.models.mode == "replace"
        self._presets = {
            name: preset
            for name, preset in PRESETS.items()
            if not replaced or name == "offline" or name in self._configured
        }
        self._endpoints: dict[str, Endpoint] = {}
        self._providers: dict[str, Provider] = {}

    def resolve(self, text: str) -> str:
        """What a person or a config wrote → a reference.

        Raises:
            ModelNotFound: nothing (or more than one model) goes by that name.
        """
        found = self._lookup(text)
        if len(found) != 1:
            raise self._unknown(text.strip(), found)
        return found[0]

    def info(self, text: str) -> ModelInfo:
        """What is known of a model.

        Raises:
            ModelNotFound: see `resolve`.
            ModelError: its provider's settings cannot be used.
        """
        ref = self.resolve(text)
        provider, _, model = ref.partition("/")
        endpoint = self.endpoint(provider)
        entry = self._configured.get(provider) or ProviderConfig()
        spec = next((each for each in entry.models if each.id == model), None)
        preset = PRESETS.get(provider)
        window = _window(endpoint, preset, entry, spec or ModelSpec(id=model))
        spec = spec or ModelSpec(id=model, input=preset.input if preset else ("text",))
        limit = spec.max_tokens or entry.max_tokens or min(ANSWER_LIMIT, window // 4)
        return ModelInfo(
            ref=ref,
            provider=provider,
            model=model,
            api=endpoint.api,
            context_window=window,
            max_tokens=limit,
            key_source=endpoint.key_source,
            needs_key=endpoint.needs_key,
            input=spec.input,
            tools=spec.tools,
            reasoning=spec.reasoning,
            local=endpoint.local,
            name=spec.name or "",
        )

    def cost(self, ref: str) -> Any:
        """Prices of a model in dollars per million tokens (`input`, `output`, `cacheRead`,
        `cacheWrite`) as the config gives them, else None."""
        provider, _, model = ref.partition("/")
        entry = self._configured.get(provider) or ProviderConfig()
        return next((spec.cost for spec in entry.models if spec.id == model), None)

    def provider_for(self, text: str) -> tuple[Provider, ModelInfo]:
        """The adapter that speaks to a model, and what is known of the model.

        Raises:
            ModelNotFound, ModelError: as `info`.
        """
        info = self.info(text)
        provider = self._providers.get(info.ref)
        if provider is None:
            provider = _adapter(self.endpoint(info.provider), info, paced=self._paced)
            self._providers[info.ref] = provider
        return provider, info

    def endpoint(self, provider: str) -> Endpoint:
        """A provider's address and manners.

        Raises:
            ModelError: its settings cannot be used.
        """
        found = self._endpoints.get(provider)
        if found is None:
            found = make_endpoint(provider, self._configured.get(provider), self._environ)
            self._endpoints[provider] = found
        return found

    def default_choice(self, agent: Agent | str | None = None) -> Choice:
        """The model of an agent: its own → agents.defaults → what is there → offline.

        "What is there": the first model listed under a configured provider that is ready, else
        the first preset whose key is set in the environment (order and models: presets.py).

        Raises:
            ModelNotFound: the config names a model that does not exist.
        """
        defaults = self._config.agents.defaults.model or ModelChoice()
        own = self._agent_model(agent)
        fallbacks = own.fallbacks or defaults.fallbacks
        if own.primary:
            return Choice(self.resolve(own.primary), fallbacks, self._place_of(agent))
        if defaults.primary:
            return Choice(self.resolve(defaults.primary), fallbacks, "agents.defaults.model")
        ref, source = self._found()
        return Choice(ref, fallbacks, source)

    def default_ref(self, agent: Agent | str | None = None) -> str:
        """`default_choice(agent).ref`."""
        return self.default_choice(agent).ref

    def list(self) -> tuple[ModelInfo, ...]:
        """Every model the config names or a key makes usable, in a stable order.

        Models whose provider's settings cannot be used are left out: `provider_for` says why.
        """
        found: dict[str, ModelInfo] = {}
        for name in self._named():
            refs = self._lookup(name)
            if len(refs) != 1 or refs[0] in found:
                continue
            try:
                found[refs[0]] = self.info(refs[0])
            except ModelError:
                continue
        return tuple(found.values())

    def unready(self) -> tuple[ModelInfo, ...]:
        """Models of known providers that only lack their key, and that `list` leaves out."""
        listed = {info.provider for info in self.list()}
        found = []
        for provider, preset in self._presets.items():
            if preset.model and provider not in listed:
                with contextlib.suppress(ModelError):
                    found.append(self.info(f"{provider}/{preset.model}"))
        return tuple(info for info in found if not info.ready)

    def wanting(self, ref: str) -> tuple[str, ...]:
        """What a model still needs before it can be asked: the variables, any of which may hold
        its key; () when it is ready.

        Raises:
            ModelNotFound, ModelError: as `info`.
        """
        info = self.info(ref)
        if info.ready:
            return ()
        problem = self.endpoint(info.provider).key_problem
        return (problem.message,) if problem else self.endpoint(info.provider).key_names

    def aliases(self) -> dict[str, str]:
        """Short name → what it stands for, as written."""
        return dict(self._aliases)

    async def probe(self, text: str) -> Probe:
        """Ask a model's server whether it is there and what it knows. Never raises for a failure.

        Raises:
            ModelNotFound: see `resolve`.
        """
        from engine.models.catalog import probe

        ref = self.resolve(text)
        return await probe(ref, self.endpoint(ref.partition("/")[0]), self.info(ref))

    def _lookup(self, text: str) -> tuple[str, ...]:
        """All references that a name may stand for; one when it is clear."""
        wanted = text.strip()
        seen: set[str] = set()
        while (target := self._alias(wanted)) is not None and wanted not in seen:
            seen.add(wanted)
            wanted = target
        ref = self._as_ref(wanted)
        return (ref,) if ref is not None else self._owners(wanted)

    def _alias(self, text: str) -> str | None:
        if text in self._aliases:
            return self._aliases[text]
        folded = text.casefold()
        return next((to for name, to in self._aliases.items() if name.casefold() == folded), None)

    def _provider_id(self, name: str) -> str | None:
        name = name.strip().lower()
        if name not in self._configured and name not in PRESETS:
            name = SYNONYMS.get(name, name)
        if name in self._configured or name in self._presets:
            return name
        return None

    def _as_ref(self, text: str) -> str | None:
        head, slash, model = text.partition("/")
        provider = self._provider_id(head)
        if not slash or not model.strip() or provider is None:
            return None
        if provider == "offline" and not _OFFLINE.fullmatch(model):
            return None
        return f"{provider}/{model.strip()}"

    def _listed(self) -> Iterable[str]:
        for name, entry in self._configured.items():
            for spec in entry.models:
                yield f"{name}/{spec.id}"

    def _owners(self, model: str) -> tuple[str, ...]:
        return tuple(ref for ref in self._listed() if ref.partition("/")[2] == model)

    def _agent_model(self, agent: Agent | str | None) -> ModelChoice:
        if isinstance(agent, str):
            agent = next((each for each in self._config.agents.list if each.id == agent), None)
        return (agent.model if agent else None) or ModelChoice()

    def _place_of(self, agent: Agent | str | None) -> str:
        """The config path of an agent's own model."""
        name = agent.id if isinstance(agent, Agent) else agent
        if any(one.comment == f"from agents.{name}" for one in self._config.bindings):
            return f"agents.{name}.model"  # an agent by name: see engine.config.forms
        ids = [one.id for one in self._config.agents.list]
        return f"agents.list[{ids.index(name)}].model" if name in ids else "agents.list[].model"

    def _found(self) -> tuple[str, str]:
        for ref in self._listed():
            try:
                if self.info(ref).ready:
                    return ref, f"models.providers.{ref.partition('/')[0]}"
            except ModelError:
                continue
        for ref, name in self._keyed():
            return ref, name
        return OFFLINE_REF, "offline"

    def _keyed(self) -> Iterable[tuple[str, str]]:
        for provider, preset in self._presets.items():
            if not preset.model:
                continue
            try:
                source = self.endpoint(provider).key_source
            except ModelError:
                continue
            if source is not None:
                yield f"{provider}/{preset.model}", source

    def _named(self) -> Iterable[str]:
        yield from self._listed()
        choices = [self._config.agents.defaults.model]
        choices += [agent.model for agent in self._config.agents.list]
        for choice in choices:
            if choice is not None:
                yield from (ref for ref in (choice.primary, *choice.fallbacks) if ref)
        yield from self._aliases.values()
        yield from (ref for ref, _ in self._keyed())
        yield from (f"offline/{model}" for model in OFFLINE_MODELS)

    def _unknown(self, text: str, owners: tuple[str, ...]) -> ModelNotFound:
        if owners:
            return ModelNotFound(
                f"`{text}` could be {' or '.join(owners)}", remedy="Write the whole reference"
            )
        known = [*self._aliases, *dict.fromkeys(info.ref for info in self.list())]
        near = _near(text, known)
        listed = "`branchline models list` shows what there is"
        remedy = f"Did you mean {' or '.join(near)}?" if near else listed
        return ModelNotFound(f"no model goes by the name `{text}`", remedy=remedy)


def _near(text: str, known: list[str]) -> list[str]:
    """Up to three known names like `text`; a bare id is compared with bare ids, too."""
    bare = {ref.partition("/")[2] or ref: ref for ref in known}
    names = {**bare, **{name: name for name in known}}
    close = difflib.get_close_matches(text, list(names), n=4, cutoff=0.6)
    return list(dict.fromkeys(names[name] for name in close))[:3]


def _aliases(config: Config) -> dict[str, str]:
    """`models.aliases`, and the reference's `agents.defaults.models: {ref: {alias}}`."""
    found: dict[str, str] = {}
    listed: Any = getattr(config.agents.defaults, "models", None) or {}
    for ref, entry in listed.items():
        alias = entry.get("alias") if isinstance(entry, Mapping) else getattr(entry, "alias", None)
        if isinstance(alias, str) and alias.strip():
            found[alias.strip()] = ref
    return found | dict(config.models.aliases)


def _window(
    endpoint: Endpoint, preset: Preset | None, entry: ProviderConfig, spec: ModelSpec
) -> int:
    if endpoint.api == "offline":
        return offline_window(spec.id)
    default = LOCAL_WINDOW if endpoint.local else CLOUD_WINDOW
    if preset is not None and preset.local == endpoint.local:
        default = preset.context_window
    return spec.context_window or entry.context_window or default


def offline_window(model: str) -> int:
    """The window of an offline model in tokens: its name says it (`echo-2k`: 2,000)."""
    match = _OFFLINE.fullmatch(model)
    return int(match[1]) * 1000 if match and match[1] else LOCAL_WINDOW


def _adapter(endpoint: Endpoint, info: ModelInfo, *, paced: bool) -> Provider:
    if endpoint.api == "anthropic-messages":
        from engine.models.anthropic import AnthropicProvider

        return AnthropicProvider(endpoint, info)
    if endpoint.api == "ollama":
        from engine.models.ollama import OllamaProvider

        return OllamaProvider(endpoint, info)
    if endpoint.api == "openai-completions":
        from engine.models.openai import OpenAIProvider

        return OpenAIProvider(endpoint, info)
    from engine.models.offline import OfflineProvider

    return OfflineProvider() if paced else OfflineProvider(sleep=_at_once)


async def _at_once(seconds: float) -> None:
    import anyio.lowlevel

    await anyio.lowlevel.checkpoint()
