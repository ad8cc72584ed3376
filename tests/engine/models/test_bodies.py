from __future__ import annotations

import json
from typing import Any

import pytest

from engine.models import anthropic, ollama, openai
from engine.models.endpoint import Endpoint, make_endpoint
from engine.models.jsontext import dumps
from engine.models.protocol import (
    ChatMessage,
    Image,
    ModelInfo,
    ModelRequest,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from engine.values import replace
from tests.engine.models.recorded import ANTHROPIC, OLLAMA, OPENAI
from tests.engine.models.support import APIS, ask, endpoint, info, user

TOOLS = (
    ToolSpec("clock", "tells the time", {"type": "object"}),
    ToolSpec("list", "lists", {"type": "object"}),
)
TALK = (
    user("time in Berlin?"),
    ChatMessage(
        "assistant",
        (
            Thinking("zone", "sig+/="),
            Thinking("", "opaque", redacted=True),
            Thinking("unsigned"),
            Text("Looking."),
            ToolCall("toolu_1", "clock", {"tz": "Berlin"}),
            ToolCall("toolu_2", "list", {}),
        ),
    ),
    ChatMessage(
        "user",
        (
            ToolResult("toolu_1", "clock", "noon"),
            ToolResult("toolu_2", "list", "no such list", is_error=True),
            Text("thanks"),
        ),
    ),
)
REQUEST = ask(messages=TALK, tools=TOOLS, system="Be brief.", session_key="agent:main:main")
CACHE = {"cache_control": {"type": "ephemeral"}}


def body(api: str, request: ModelRequest = REQUEST, **more: Any) -> dict[str, Any]:
    place: Endpoint = more.pop("endpoint", None) or endpoint(api)
    model: ModelInfo = more.pop("info", None) or info(api)
    build = {
        ANTHROPIC: anthropic.build_body,
        OPENAI: openai.build_body,
        OLLAMA: ollama.build_body,
    }[api]
    return build(request, place, model, **more)


def preset(name: str, **environ: str) -> Endpoint:
    return make_endpoint(name, None, environ)


def test_anthropic_body() -> None:
    assert body(ANTHROPIC) == {
        "model": "m",
        "max_tokens": 1000,
        "stream": True,
        "tools": [
            {"name": "clock", "description": "tells the time", "input_schema": {"type": "object"}},
            {"name": "list", "description": "lists", "input_schema": {"type": "object"}} | CACHE,
        ],
        "system": [{"type": "text", "text": "Be brief."} | CACHE],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "time in Berlin?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "zone", "signature": "sig+/="},
                    {"type": "redacted_thinking", "data": "opaque"},
                    {"type": "text", "text": "Looking."},
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "clock",
                        "input": {"tz": "Berlin"},
                    },
                    {"type": "tool_use", "id": "toolu_2", "name": "list", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "content": "no such list",
                        "is_error": True,
                    },
                    {"type": "text", "text": "thanks"} | CACHE,
                ],
            },
        ],
    }


def test_openai_body() -> None:
    function = {"name": "clock", "description": "tells the time", "parameters": {"type": "object"}}
    sent = body(OPENAI)
    assert sent["tools"][0] == {"type": "function", "function": function}
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["max_tokens"] == 1000
    assert not {"store", "service_tier", "prompt_cache_key", "reasoning_effort"} & set(sent)
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "time in Berlin?"},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "clock", "arguments": '{"tz":"Berlin"}'},
                },
                {
                    "id": "toolu_2",
                    "type": "function",
                    "function": {"name": "list", "arguments": "{}"},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "noon"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no such list"},
        {"role": "user", "content": "thanks"},
    ]


def test_ollama_body() -> None:
    sent = body(OLLAMA, replace(REQUEST, context_window=4096, max_tokens=64))
    assert sent["options"] == {"num_ctx": 4096, "num_predict": 64}
    assert sent["stream"] is True
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "time in Berlin?"},
        {
            "role": "assistant",
            "content": "Looking.",
            "thinking": "unsigned",
            "tool_calls": [
                {"function": {"name": "clock", "arguments": {"tz": "Berlin"}}},
                {"function": {"name": "list", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "clock", "content": "noon"},
        {"role": "tool", "tool_name": "list", "content": "no such list"},
        {"role": "user", "content": "thanks"},
    ]


@pytest.mark.parametrize("api", APIS)
def test_no_sampling_parameters_are_sent(api: str) -> None:
    sent = json.dumps(body(api))
    assert not [name for name in ("temperature", "top_p", "top_k") if name in sent]


@pytest.mark.parametrize("api", APIS)
def test_equal_requests_are_equal_bytes(api: str) -> None:
    assert dumps(body(api)) == dumps(body(api))


@pytest.mark.parametrize("api", APIS)
def test_a_next_turn_begins_with_the_bytes_of_the_one_before(api: str) -> None:
    more = (*TALK, ChatMessage("assistant", (Text("You are welcome."),)), user("bye"))
    marked = json.dumps(body(api)["messages"][:-1])
    later = json.dumps(body(api, replace(REQUEST, messages=more))["messages"])
    assert later.startswith(marked[:-1])


def test_cache_marks_stay_within_the_four_that_are_allowed() -> None:
    assert json.dumps(body(ANTHROPIC)).count("cache_control") == 3


def test_keys_of_sessions_are_not_sent_as_words() -> None:
    home = preset("openai", OPENAI_API_KEY="k")
    sent = body(OPENAI, endpoint=home)
    assert len(sent["prompt_cache_key"]) == 32
    assert "agent:main" not in json.dumps(sent)


def test_what_only_openai_takes_goes_to_openai_only() -> None:
    home = preset("openai", OPENAI_API_KEY="k")
    request = replace(REQUEST, thinking="high")
    sent = body(OPENAI, request, endpoint=home)
    assert sent["max_completion_tokens"] == 1000
    assert "max_tokens" not in sent
    assert sent["reasoning_effort"] == "high"
    elsewhere = body(OPENAI, request)
    assert "reasoning_effort" not in elsewhere
    assert body(OPENAI, request, info=info(reasoning=True))["reasoning_effort"] == "high"


def test_a_call_without_words_has_null_content_at_openai_and_none_elsewhere() -> None:
    talk = (user("x"), ChatMessage("assistant", (ToolCall("a", "clock", {}),)))
    request = ask(messages=talk, tools=TOOLS)
    home = body(OPENAI, request, endpoint=preset("openai", OPENAI_API_KEY="k"))
    assert home["messages"][1]["content"] is None
    assert body(OPENAI, request)["messages"][1]["content"] == ""


def test_the_field_for_the_limit_can_be_chosen() -> None:
    chosen = endpoint(OPENAI, max_tokens_field="max_completion_tokens")
    assert body(OPENAI, endpoint=chosen)["max_completion_tokens"] == 1000


def test_usage_is_not_asked_for_when_told_so() -> None:
    assert "stream_options" not in body(OPENAI, ask_usage=False)


def test_mistral_gets_the_only_ids_it_takes() -> None:
    sent = body(OPENAI, endpoint=preset("mistral", MISTRAL_API_KEY="k"))
    ids = [call["id"] for call in sent["messages"][2]["tool_calls"]]
    assert [len(each) for each in ids] == [9, 9]
    assert [m["tool_call_id"] for m in sent["messages"][3:5]] == ids


@pytest.mark.parametrize("api", APIS)
def test_fields_of_the_config_are_added(api: str) -> None:
    more = endpoint(api, extra_body={"keep_alive": "5m", "options": {"seed": 1}})
    sent = body(api, endpoint=more)
    assert sent["keep_alive"] == "5m"
    assert sent["options"]["seed"] == 1
    if api == OLLAMA:
        assert sent["options"]["num_ctx"] == 32_000


@pytest.mark.parametrize("api", APIS)
def test_pictures_are_sent_to_models_that_see(api: str) -> None:
    picture = ChatMessage("user", (Text("what is it?"), Image("aGk=", "image/png")))
    sees = info(api, input=("text", "image"))
    sent = body(api, ask(messages=(picture,)), info=sees)["messages"][0]
    if api == ANTHROPIC:
        source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
        assert sent["content"][1] == {"type": "image", "source": source} | CACHE
    elif api == OPENAI:
        url = {"url": "data:image/png;base64,aGk="}
        assert sent["content"][1] == {"type": "image_url", "image_url": url}
    else:
        assert sent == {"role": "user", "content": "what is it?", "images": ["aGk="]}


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("claude-sonnet-5-5", "off", {}),
        (
            "claude-sonnet-5-5",
            "high",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        ),
        (
            "claude-opus-4-7",
            "minimal",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
            },
        ),
        (
            "claude-sonnet-4-5-20250929",
            "low",
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        ),
        ("claude-sonnet-5-5", "nonsense", {}),
    ],
)
def test_levels_of_thinking_for_old_and_new_models(
    model: str, level: str, sent: dict[str, Any]
) -> None:
    asked = body(
        ANTHROPIC, replace(REQUEST, thinking=level), info=info(model=model, max_tokens=8192)
    )
    assert {k: v for k, v in asked.items() if k in {"thinking", "output_config"}} == sent


def test_a_budget_that_does_not_fit_the_answer_is_not_asked_for() -> None:
    old = info(model="claude-haiku-4-5", max_tokens=1500)
    assert "thinking" not in body(ANTHROPIC, replace(REQUEST, thinking="low"), info=old)


def test_anthropic_headers_by_host_and_kind_of_key() -> None:
    home = anthropic.build_headers(preset("anthropic", ANTHROPIC_API_KEY="k1"))
    assert home["anthropic-version"] == "2026-10-21"
    assert home["x-api-key"] == "k1"
    assert "anthropic-beta" not in home
    token = anthropic.build_headers(preset("anthropic", ANTHROPIC_AUTH_TOKEN="k2"))
    assert token["authorization"] == "Bearer k2"
    assert "x-api-key" not in token
    other = anthropic.build_headers(endpoint(ANTHROPIC))
    assert other["anthropic-version"] == "2023-06-01"
    assert not {"x-api-key", "authorization"} & set(other)
    chosen = endpoint(ANTHROPIC, anthropic_version="2030-01-01")
    assert anthropic.build_headers(chosen)["anthropic-version"] == "2030-01-01"


def test_half_characters_and_infinite_numbers_do_not_reach_the_wire() -> None:
    assert dumps({"a": "x\ud800"}) == b'{"a":"x?"}'
    from engine.errors import ModelError

    with pytest.raises(ModelError, match="cannot be written as JSON"):
        dumps({"a": float("inf")})
