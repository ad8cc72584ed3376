from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from engine.clock import ManualClock
from engine.config.schema import Config, Models
from engine.config.schema import Provider as ProviderConfig
from engine.errors import ModelError
from engine.models.door import ModelDoor
from engine.models.protocol import (
    ChatMessage,
    ModelRequest,
    Retrying,
    StreamEvent,
    Switched,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolSpec,
    Usage,
)
from engine.models.registry import ModelRegistry
from tests.aimock.server import KEY, Aimock
from tests.engine.models.recorded import ANTHROPIC, OLLAMA, OPENAI
from tests.engine.models.support import APIS, ask, done, said, user

pytestmark = [pytest.mark.aimock, pytest.mark.timeout(600)]
CLOCK = ToolSpec("get_time", "tells the time", {"type": "object", "properties": {}})


class Talk:
    """A door to the server for one test, whose requests the server can tell from others'."""

    def __init__(self, server: Aimock, api: str, **changes: Any):
        self.server = server
        self.test_id = uuid4().hex
        self.clock = ManualClock()
        given = {"api_key": KEY, "base_url": server.url, "headers": {"X-Test-Id": self.test_id}}
        entry = ProviderConfig(api=api, **(given | changes))
        self.registry = ModelRegistry(Config(models=Models(providers={"mock": entry})), {})
        self.door = ModelDoor(self.registry, self.clock, chance=lambda: 0.0)

    async def run(
        self, request: ModelRequest | str, ref: str = "mock/m", fallbacks: Iterable[str] = ()
    ) -> list[StreamEvent]:
        asked = ask(request) if isinstance(request, str) else request
        async with aclosing(self.door.stream(asked, ref, fallbacks=fallbacks)) as events:
            return [event async for event in events]

    async def fail(self, text: str) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await self.run(text)
        return caught.value

    def asked(self) -> int:
        return len(self.server.journal(self.test_id))


@pytest.mark.parametrize("api", APIS)
async def test_a_streamed_answer_with_its_usage(aimock: Aimock, api: str) -> None:
    events = await Talk(aimock, api).run("say hello")
    end = done(events)
    assert end.content == (Text("Hello from a server. Grüße, 你好 👋🏽!"),)
    assert said(events) == "Hello from a server. Grüße, 你好 👋🏽!"
    assert len(events) > 4
    assert end.stop_reason == "stop"
    # aimock's Ollama counts nothing and says 0, which is no number of tokens.
    assert end.usage == (None if api == OLLAMA else Usage(input=21, output=9))
    assert end.model == "m"


@pytest.mark.parametrize("api", [ANTHROPIC, OPENAI])
async def test_reasoning_is_told_apart(aimock: Aimock, api: str) -> None:
    end = done(await Talk(aimock, api).run("think first"))
    thought, answer = end.content
    assert isinstance(thought, Thinking)
    assert thought.text == "Two and two."
    assert answer == Text("Four.")


@pytest.mark.parametrize("api", APIS)
async def test_tools_are_called_and_their_results_understood(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    request = ask("use the clock", tools=(CLOCK,))
    events = await talk.run(request)
    end = done(events)
    assert end.stop_reason == "toolUse"
    words, first, second = end.content
    assert words == Text("Looking.")
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert (first.name, first.arguments) == ("get_time", {"tz": "Europe/Berlin"})
    assert (second.name, second.arguments) == ("get_time", {})
    assert first.id != second.id
    pieces = [event for event in events if isinstance(event, ToolCallDelta) and event.index == 0]
    assert "".join(piece.arguments for piece in pieces) == '{"tz":"Europe/Berlin"}'
    results = (
        ToolResult(first.id, "get_time", "12:00"),
        ToolResult(second.id, "get_time", "11:00"),
    )
    answered = ask(
        messages=(
            user("use the clock"),
            ChatMessage("assistant", end.content),
            ChatMessage("user", results),
        ),
        tools=(CLOCK,),
    )
    assert said(await talk.run(answered)) == "It is noon in Berlin."


@pytest.mark.parametrize("api", [ANTHROPIC, OPENAI])  # aimock's Ollama always says stop
async def test_an_answer_at_its_limit_says_so(aimock: Aimock, api: str) -> None:
    assert done(await Talk(aimock, api).run("cut short")).stop_reason == "length"


@pytest.mark.parametrize("api", APIS)
async def test_a_wrong_key_is_refused_and_not_tried_again(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api, api_key="sk-wrong-key-123")
    error = await talk.fail("say hello")
    assert (error.kind, error.status) == ("auth", 401)
    assert "sk-wrong" not in str(error)
    assert "models.providers.mock.apiKey" in (error.remedy or "")
    assert talk.clock.monotonic() == 0


@pytest.mark.parametrize("api", APIS)
async def test_a_rate_limit_is_waited_out_as_long_as_asked(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    events = await talk.run("too fast")
    assert isinstance(events[0], Retrying)
    assert events[0].seconds == 7
    assert said(events) == "In time."
    assert talk.clock.monotonic() == 7
    assert talk.asked() == 2


@pytest.mark.parametrize("api", APIS)
async def test_an_overloaded_service_is_asked_again(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    events = await talk.run("overloaded once")
    assert [type(event) for event in events[:1]] == [Retrying]
    assert said(events) == "Back again."
    assert talk.asked() == 2


@pytest.mark.parametrize("api", APIS)
async def test_an_overloaded_service_is_given_up_after_three_tries(
    aimock: Aimock, api: str
) -> None:
    talk = Talk(aimock, api)
    with pytest.raises(ModelError) as caught:
        await talk.run("anything", "mock/down")
    assert (caught.value.kind, caught.value.status) == ("overloaded", 529)
    assert talk.asked() == 3


@pytest.mark.parametrize("api", APIS)
async def test_another_model_stands_in(aimock: Aimock, api: str) -> None:
    events = await Talk(aimock, api).run("anything", "mock/down", ["mock/up"])
    switches = [event for event in events if isinstance(event, Switched)]
    assert [(each.from_ref, each.to_ref) for each in switches] == [("mock/down", "mock/up")]
    assert said(events) == "I stand in."


@pytest.mark.parametrize(
    ("api", "text"),
    [
        (ANTHROPIC, "too long for anthropic"),
        (OPENAI, "too long for openai"),
        (OLLAMA, "too long for ollama"),
    ],
)
async def test_an_overflow_is_told_at_once(aimock: Aimock, api: str, text: str) -> None:
    talk = Talk(aimock, api, stream_usage=False)
    error = await talk.fail(text)
    assert error.kind == "overflow"
    assert talk.asked() == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_stream_cut_in_the_middle_keeps_its_text(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    error = await talk.fail("break off")
    assert error.kind == "connection"
    assert error.partial
    assert "one two three four five six seven eight nine ten".startswith(error.partial)
    assert talk.asked() == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_slow_stream_is_cancelled_at_once(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    heard = asyncio.Event()

    async def listen() -> None:
        async with aclosing(talk.door.stream(ask("take your time"), "mock/m")) as events:
            async for _ in events:
                heard.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(heard.wait(), 30)
    task.cancel()
    # The whole answer takes 14 s; a cancel that waits for it would not be one.
    finished, _ = await asyncio.wait([task], timeout=10)
    assert finished
    assert task.cancelled()


@pytest.mark.parametrize("api", APIS)
async def test_a_probe_counts_the_models(aimock: Aimock, api: str) -> None:
    talk = Talk(aimock, api)
    found = await talk.registry.probe("mock/up")
    assert found.error is None
    assert found.reachable
    assert found.models is not None
    assert found.models > 1
    assert found.found
    assert found.key_source == "config"
    assert not (await talk.registry.probe("mock/nonesuch")).found


async def test_a_probe_of_a_wrong_key_or_place_is_a_result(aimock: Aimock) -> None:
    wrong = await Talk(aimock, OPENAI, api_key="sk-wrong-key-123").registry.probe("mock/m")
    assert wrong.reachable
    assert wrong.error is not None
    assert wrong.error.kind == "auth"
    nowhere = await Talk(aimock, OPENAI, base_url="http://127.0.0.1:9/v1").registry.probe("mock/m")
    assert not nowhere.reachable
    assert nowhere.error is not None
    assert nowhere.error.kind == "connection"
