"""What a server says about its models: for `models probe` and for windows nobody configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from engine.errors import ModelError
from engine.models import anthropic, ollama, openai
from engine.models.endpoint import Endpoint
from engine.models.http import get_json, post_json
from engine.models.jsontext import as_list, as_map, as_text
from engine.models.protocol import ModelInfo

__all__ = ["FoundModel", "Probe", "fetch_models", "probe", "read_models"]

PAGES = 20


class FoundModel(Struct, frozen=True):
    """A model that a server offers; sizes in tokens, None where it does not say."""

    id: str
    context_window: int | None = None
    max_tokens: int | None = None


class Probe(Struct, frozen=True):
    """What became of asking a server.

    Attributes:
        reachable: whether it answered, be it with an error.
        models: how many models it offers; None when it did not say.
        found: whether the model asked for is among them; None when that is not known.
        context_window: what the server says, else what is assumed.
        key_source: where the key comes from, never the key.
        error: why it does not work, None when it does.
    """

    ref: str
    reachable: bool
    models: int | None
    found: bool | None
    context_window: int
    key_source: str | None
    error: ModelError | None = None


async def probe(ref: str, endpoint: Endpoint, info: ModelInfo) -> Probe:
    """Ask a model's server for its models. A failure is told in the result, not raised."""
    if endpoint.api == "offline":
        return Probe(ref, True, None, True, info.context_window, None)
    try:
        models = await fetch_models(endpoint)
        match = next((each for each in models if _same(each.id, info.model)), None)
        if match is not None and endpoint.api == "ollama":
            match = await _shown(endpoint, match)
    except ModelError as error:
        answered = error.status is not None
        return Probe(ref, answered, None, None, info.context_window, info.key_source, error=error)
    window = (match.context_window if match else None) or info.context_window
    return Probe(ref, True, len(models), match is not None, window, info.key_source)


async def fetch_models(endpoint: Endpoint) -> tuple[FoundModel, ...]:
    """The models a server offers, all pages of them.

    Raises:
        ModelError: nobody answered, or with an error.
    """
    if endpoint.api == "ollama":
        headers = ollama.build_headers(endpoint)
        return read_models(await get_json(endpoint, "/api/tags", headers=headers))
    if endpoint.api == "openai-completions":
        headers = openai.build_headers(endpoint)
        return read_models(await get_json(endpoint, "/models", headers=headers))
    found: list[FoundModel] = []
    path = "/v1/models?limit=1000"
    headers = anthropic.build_headers(endpoint)
    for _ in range(PAGES):
        page = as_map(await get_json(endpoint, path, headers=headers))
        found += read_models(page)
        last = as_text(page.get("last_id"))
        if not page.get("has_more") or not last:
            break
        path = f"/v1/models?limit=1000&after_id={quote(last, safe='')}"
    return tuple(found)


def read_models(document: Any) -> tuple[FoundModel, ...]:
    """The models in a list as any of the APIs writes it."""
    whole = as_map(document)
    return tuple(_read(as_list(whole.get("data")) or as_list(whole.get("models"))))


def _read(entries: list[Any]) -> Iterator[FoundModel]:
    for entry in map(as_map, entries):
        name = as_text(entry.get("id")) or as_text(entry.get("model")) or as_text(entry.get("name"))
        if name:
            meta = as_map(entry.get("meta"))
            window = _size(entry, "max_input_tokens", "context_length", "max_model_len")
            yield FoundModel(
                name, window or _size(meta, "n_ctx", "n_ctx_train"), _size(entry, "max_tokens")
            )


def _size(entry: Mapping[str, Any], *names: str) -> int | None:
    sizes = (entry.get(name) for name in names)
    return next((size for size in sizes if isinstance(size, int) and size > 0), None)


async def _shown(endpoint: Endpoint, model: FoundModel) -> FoundModel:
    """Ollama lists no sizes; `/api/show` has them as `<architecture>.context_length`."""
    headers = ollama.build_headers(endpoint)
    try:
        shown = await post_json(endpoint, "/api/show", {"model": model.id}, headers=headers)
    except ModelError:  # servers that imitate Ollama need not have it
        return model
    details = as_map(as_map(shown).get("model_info"))
    sizes = (size for name, size in details.items() if name.endswith(".context_length"))
    window = next((size for size in sizes if isinstance(size, int)), None)
    return FoundModel(model.id, window, model.max_tokens)


def _same(listed: str, wanted: str) -> bool:
    """Ids are equal, or differ in what servers leave out (`models/` before, `:latest` after)."""
    listed = listed.removeprefix("models/")
    return wanted in {listed, listed.removesuffix(":latest")}
