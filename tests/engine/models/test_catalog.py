from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import ModelError
from engine.models.catalog import FoundModel, fetch_models, probe, read_models
from tests.engine.models.recorded import ANTHROPIC, OLLAMA, OPENAI
from tests.engine.models.support import endpoint, head, info, raw_server


def reply(document: Any, status: str = "200 OK") -> list[bytes | float | None]:
    return [head(status, kind="application/json") + json.dumps(document).encode()]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"data": [{"id": "gpt"}]}, FoundModel("gpt")),
        (
            {"data": [{"id": "claude", "max_input_tokens": 200000, "max_tokens": 64000}]},
            FoundModel("claude", 200000, 64000),
        ),
        ({"data": [{"id": "kimi", "context_length": 131072}]}, FoundModel("kimi", 131072)),
        ({"data": [{"id": "vllm", "max_model_len": 4096}]}, FoundModel("vllm", 4096)),
        ({"data": [{"id": "gguf", "meta": {"n_ctx_train": 2048}}]}, FoundModel("gguf", 2048)),
        ({"models": [{"name": "qwen:latest", "size": 1}]}, FoundModel("qwen:latest")),
    ],
)
def test_lists_of_every_kind_of_server(document: Any, found: FoundModel) -> None:
    assert read_models(document) == (found,)


@pytest.mark.parametrize("junk", [None, [], "x", {}, {"data": None}, {"data": [None, 1, {}]}])
def test_a_list_that_is_none_is_empty(junk: Any) -> None:
    assert read_models(junk) == ()


async def test_all_pages_are_read() -> None:
    first = {"data": [{"id": "a"}], "has_more": True, "last_id": "a/1"}
    async with raw_server(
        reply(first), reply({"data": [{"id": "b"}], "has_more": False})
    ) as server:
        models = await fetch_models(endpoint(ANTHROPIC, server.url))
        assert [model.id for model in models] == ["a", "b"]
        assert server.requests[1].startswith(b"GET /v1/models?limit=1000&after_id=a%2F1 ")


async def test_pages_without_end_end() -> None:
    async with raw_server(
        reply({"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    ) as server:
        assert len(await fetch_models(endpoint(ANTHROPIC, server.url))) == 20


async def test_a_probe_finds_the_window() -> None:
    async with raw_server(reply({"data": [{"id": "m", "max_model_len": 4096}]})) as server:
        found = await probe("local/m", endpoint(OPENAI, server.url), info())
    assert (found.reachable, found.found, found.models) == (True, True, 1)
    assert found.context_window == 4096


async def test_a_probe_of_ollama_asks_for_the_size() -> None:
    shown = {"model_info": {"general.name": "q", "qwen.context_length": 8192}}
    async with raw_server(reply({"models": [{"name": "m:latest"}]}), reply(shown)) as server:
        found = await probe("local/m", endpoint(OLLAMA, server.url), info(OLLAMA))
        assert json.loads(server.requests[1].partition(b"\r\n\r\n")[2]) == {"model": "m:latest"}
    assert (found.found, found.context_window) == (True, 8192)


async def test_a_probe_of_an_unlisted_model_keeps_what_is_assumed() -> None:
    async with raw_server(reply({"data": [{"id": "other", "max_model_len": 1}]})) as server:
        found = await probe("local/m", endpoint(OPENAI, server.url), info())
    assert (found.found, found.context_window) == (False, 32_000)


async def test_a_server_without_a_list_is_reachable_but_in_error() -> None:
    async with raw_server(reply({"error": "not found"}, "404 Not Found")) as server:
        found = await probe("local/m", endpoint(OPENAI, server.url), info())
        assert found.reachable
        assert isinstance(found.error, ModelError)
        assert found.models is None


async def test_the_offline_model_is_always_there() -> None:
    place = endpoint("offline")
    found = await probe("offline/echo", place, info("offline"))
    assert (found.reachable, found.error) == (True, None)
