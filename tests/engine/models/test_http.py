from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from engine.errors import ModelError
from engine.models.anthropic import AnthropicProvider
from engine.models.closing import closing
from engine.models.http import get_json
from engine.models.openai import OpenAIProvider
from engine.models.protocol import Done, Text, TextDelta
from engine.values import replace
from tests.engine.models.recorded import ANTHROPIC, OLLAMA, OPENAI, RECORDED, lines, piece, sse
from tests.engine.models.support import (
    APIS,
    RawServer,
    ask,
    collect,
    done,
    endpoint,
    head,
    info,
    provider,
    raw_server,
    said,
)

GOOD = sse(piece({"content": "Hi"}), piece({}, "stop"))
FIRST = sse(piece({"content": "Hi"}), done=False)


def kind(api: str) -> str:
    return "application/x-ndjson" if api == OLLAMA else "text/event-stream"


def body(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])


def header(request: bytes, name: str) -> str | None:
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None


async def fail(api: str, url: str, **config: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await collect(provider(api, url, **config))
    return caught.value


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_stream_comes_through_the_network(name: str) -> None:
    case = RECORDED[name]
    middle = len(case.data) // 2
    steps: list[bytes | float | None] = [head(kind=kind(case.api)), case.data[:middle], 0.01]
    async with raw_server([*steps, case.data[middle:]]) as server:
        end = done(await collect(provider(case.api, server.url)))
    assert [type(block) for block in end.content] == [type(block) for block in case.content]
    assert (end.stop_reason, end.usage) == (case.stop, case.usage)


async def test_deltas_arrive_before_the_answer_is_whole() -> None:
    async with (
        raw_server([head(), FIRST, None]) as server,
        closing(provider(OPENAI, server.url).stream(ask())) as events,
    ):
        assert await anext(events) == TextDelta("Hi")


@pytest.mark.parametrize("api", APIS)
async def test_cancelling_closes_the_connection(api: str) -> None:
    async with raw_server([head(kind=kind(api)), None]) as server:
        task = asyncio.create_task(collect(provider(api, server.url)))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.gone.wait(), 20)


@pytest.mark.parametrize("steps", [[None], [head(), None], [head(), FIRST, None]])
async def test_a_cancelled_scope_closes_the_connection(steps: list[bytes | float | None]) -> None:
    async with raw_server(steps) as server, anyio.create_task_group() as group:
        group.start_soon(collect, provider(OPENAI, server.url))
        while not server.requests:
            await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(20):
            await server.gone.wait()


async def test_closing_the_iterator_closes_the_connection() -> None:
    async with raw_server([head(), FIRST, None]) as server:
        async with closing(provider(OPENAI, server.url).stream(ask())) as events:
            await anext(events)
        await asyncio.wait_for(server.gone.wait(), 20)


async def test_the_connection_is_closed_at_done_even_if_the_server_lingers() -> None:
    async with raw_server([head(), GOOD, None]) as server:
        events = await collect(provider(OPENAI, server.url))
        assert said(events) == "Hi"
        await asyncio.wait_for(server.gone.wait(), 20)


async def test_a_connection_lost_after_the_stop_reason_costs_nothing() -> None:
    chunked = head("200 OK", "Transfer-Encoding: chunked")
    data = sse(piece({"content": "Hi"}), piece({}, "stop"), done=False)
    chunk = f"{len(data):x}\r\n".encode() + data + b"\r\n"
    async with raw_server([chunked, chunk]) as server:  # no last chunk: an unclean end
        assert said(await collect(provider(OPENAI, server.url))) == "Hi"


@pytest.mark.parametrize("clean", [True, False])
async def test_a_stream_that_breaks_keeps_what_had_arrived(clean: bool) -> None:
    first = head() if clean else head("200 OK", "Content-Length: 99999")
    async with raw_server([first, FIRST]) as server:
        error = await fail(OPENAI, server.url)
    assert error.kind == "connection"
    assert error.partial == "Hi"


async def test_silence_is_a_timeout_and_keeps_what_had_arrived() -> None:
    async with raw_server([head(), FIRST, None]) as server:
        error = await fail(OPENAI, server.url, timeout_seconds=0.2)
    assert error.kind == "timeout"
    assert error.partial == "Hi"
    assert "silent for 0.2 s" in error.message


async def test_nobody_there_is_told_with_the_place() -> None:
    async with raw_server([]) as server:
        url = server.url
    error = await fail(OPENAI, url)
    assert error.kind == "connection"
    assert "127.0.0.1" in error.message
    assert "running" in (error.remedy or "")


async def test_an_answer_that_is_no_http_is_a_broken_connection() -> None:
    async with raw_server([b"SSH-2.0-OpenSSH\r\n"]) as server:
        assert (await fail(OPENAI, server.url)).kind == "connection"


async def test_a_web_page_in_place_of_a_stream_is_told() -> None:
    page = head(kind="text/html") + b"<html>Sign in</html>"
    async with raw_server([page]) as server:
        error = await fail(OPENAI, server.url)
    assert "web page" in error.message
    assert "baseUrl" in (error.remedy or "")


async def test_one_whole_document_in_place_of_a_stream_is_read() -> None:
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    answer = json.dumps({"choices": [choice]}, indent=1).encode()
    async with raw_server([head(kind="application/json; charset=utf-8") + answer]) as server:
        assert said(await collect(provider(OPENAI, server.url))) == "Hi"
    message = {
        "type": "message",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    }
    async with raw_server([head(kind="application/json") + json.dumps(message).encode()]) as server:
        assert said(await collect(provider(ANTHROPIC, server.url))) == "Hi"


async def test_an_error_with_its_wait() -> None:
    reply = head("429 Too Many Requests", "Retry-After: 2", kind="application/json")
    async with raw_server([reply + b'{"error":{"message":"slow down"}}']) as server:
        error = await fail(OPENAI, server.url)
    assert (error.kind, error.status, error.retry_after) == ("rate_limit", 429, 2)
    assert "slow down" in error.message


async def test_a_huge_error_page_is_not_read_to_its_end() -> None:
    async with raw_server(
        [head("500 Oops", kind="text/html"), *[b"x" * 65536] * 400, None]
    ) as server:
        assert (await fail(OPENAI, server.url)).kind == "server"


async def test_usage_is_asked_for_once_more_without_where_that_was_refused() -> None:
    no = (
        head("400 Bad Request", kind="application/json")
        + b'{"error":"unknown field stream_options"}'
    )
    async with raw_server([no], [head(), GOOD], [head(), GOOD]) as server:
        asked = provider(OPENAI, server.url)
        assert said(await collect(asked)) == "Hi"
        assert said(await collect(asked)) == "Hi"
        sent = ["stream_options" in body(request) for request in server.requests]
    assert sent == [True, False, False]


async def test_another_refusal_is_raised_after_the_second_try() -> None:
    no = head("400 Bad Request", kind="application/json") + b'{"error":"no such tool"}'
    async with raw_server([no]) as server:
        assert (await fail(OPENAI, server.url)).kind == "invalid"
        assert len(server.requests) == 2


async def test_keys_go_where_they_belong() -> None:
    for api, name, value in (
        (ANTHROPIC, "x-api-key", "sk-test-key"),
        (OPENAI, "authorization", "Bearer sk-test-key"),
        (OLLAMA, "authorization", "Bearer sk-test-key"),
    ):
        async with raw_server([head("500 x")]) as server:
            await fail(api, server.url, api_key="sk-test-key", headers={"X-Team": "blue"})
            assert header(server.requests[0], name) == value
            assert header(server.requests[0], "x-team") == "blue"
            assert (header(server.requests[0], "user-agent") or "").startswith("branchline/")


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with raw_server([head(), GOOD]) as server:
        assert said(await collect(provider(OPENAI, server.url))) == "Hi"


async def test_a_redirect_on_the_same_host_is_followed_with_the_body() -> None:
    moved = head("307 Temporary Redirect", "Location: /v2/chat", "Content-Length: 0")
    async with raw_server([moved], [head(), GOOD]) as server:
        assert said(await collect(provider(OPENAI, server.url, api_key="sk-test-key"))) == "Hi"
        assert server.requests[1].startswith(b"POST /v2/chat ")
        assert body(server.requests[0]) == body(server.requests[1])


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect"])
async def test_a_redirect_elsewhere_is_refused_and_takes_no_key_along(status: str) -> None:
    async with raw_server([head(), GOOD]) as other:
        moved = head(status, f"Location: {other.url}/v1/chat/completions", "Content-Length: 0")
        async with raw_server([moved]) as server:
            error = await fail(OPENAI, server.url, api_key="sk-test-key")
        assert other.requests == []
    assert error.kind == "invalid"
    assert "redirects to" in error.message


async def test_a_redirect_in_a_circle_ends() -> None:
    moved = head("307 x", "Location: /v1/chat/completions", "Content-Length: 0")
    async with raw_server([moved]) as server:
        assert "circle" in (await fail(OPENAI, server.url)).message


async def test_a_redirect_that_would_lose_the_body_is_refused() -> None:
    async with raw_server([head("302 Found", "Location: /other", "Content-Length: 0")]) as server:
        assert "redirects to" in (await fail(OPENAI, server.url)).message
        assert len(server.requests) == 1


async def test_a_key_is_not_sent_in_the_clear_to_another_machine() -> None:
    place = endpoint(OPENAI, "http://models.example/v1", api_key="sk-test-key")
    with pytest.raises(ModelError, match="unencrypted") as caught:
        await collect(OpenAIProvider(place, info()))
    assert "allowInsecure" in (caught.value.remedy or "")
    assert "sk-test" not in str(caught.value)


async def test_a_call_without_its_key_is_not_sent() -> None:
    async with raw_server([head(), GOOD]) as server:
        place = replace(
            endpoint(ANTHROPIC, server.url), needs_key=True, key_names=("ANTHROPIC_API_KEY",)
        )
        with pytest.raises(ModelError, match="no key") as caught:
            await collect(AnthropicProvider(place, info(ANTHROPIC)))
        assert caught.value.kind == "auth"
        assert "Set ANTHROPIC_API_KEY" in (caught.value.remedy or "")
        assert server.requests == []


@pytest.mark.parametrize("bad", ["sk-line\nbreak", "sk-schlüssel", "sk-\x00"])
async def test_a_key_that_cannot_be_a_header_is_refused_unseen(bad: str) -> None:
    async with raw_server([head(), GOOD]) as server:
        error = await fail(OPENAI, server.url, api_key=bad)
        assert server.requests == []
    assert error.kind == "auth"
    assert bad not in str(error)


async def test_documents_are_read_whole() -> None:
    server: RawServer
    async with raw_server([head(kind="application/json"), b'{"a"', 0.01, b": 1}"]) as server:
        assert await get_json(endpoint(OPENAI, server.url), "/x", headers={}) == {"a": 1}
        assert server.requests[0].startswith(b"GET /v1/x ")
    async with raw_server([head(), b"nothing"]) as server:
        assert await get_json(endpoint(OPENAI, server.url), "/x", headers={}) is None


async def test_a_query_in_the_base_url_stays_behind_the_path() -> None:
    async with raw_server([head(), GOOD]) as server:
        await collect(provider(OPENAI, server.url + "/v1?api-version=2"))
        assert server.requests[0].startswith(b"POST /v1/chat/completions?api-version=2 ")


async def test_ollama_reads_a_stream_labelled_as_json() -> None:
    data = lines({"message": {"content": "Hi"}, "done": False}, {"done": True})
    async with raw_server([head(kind="application/json") + data]) as server:
        events = await collect(provider(OLLAMA, server.url))
    assert isinstance(events[-1], Done)
    assert events[-1].content == (Text("Hi"),)
