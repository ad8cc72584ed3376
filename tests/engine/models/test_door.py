from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

import pytest

from engine.clock import ManualClock
from engine.config.schema import Config
from engine.errors import ModelError, ModelErrorKind, ModelNotFound
from engine.models.door import ModelDoor, without_private
from engine.models.protocol import (
    ChatMessage,
    Done,
    ModelInfo,
    ModelRequest,
    Provider,
    Retrying,
    StreamEvent,
    Switched,
    Text,
    TextDelta,
    Thinking,
)
from engine.models.registry import ModelRegistry
from tests.engine.models.support import ask, info, user
from tests.engine.models.test_retry import GOOD, Scripted, failure


class Registry(ModelRegistry):
    """A registry whose providers are scripts, by reference."""

    def __init__(self, **scripts: Scripted):
        super().__init__(Config(), {})
        self.scripts = scripts
        self.asked: list[ModelRequest] = []

    def provider_for(self, text: str) -> tuple[Provider, ModelInfo]:
        if text not in self.scripts:
            raise ModelNotFound(f"no model goes by the name `{text}`")
        return self.scripts[text], info(ref=f"local/{text}", model=text, context_window=5000)


async def run(
    registry: Registry, ref: str, fallbacks: Iterable[str] = (), request: ModelRequest | None = None
) -> tuple[list[StreamEvent], list[ModelRequest]]:
    sent: list[ModelRequest] = []
    door = ModelDoor(registry, ManualClock(), checks=(sent.append,), chance=lambda: 0.0)
    async with aclosing(door.stream(request or ask(), ref, fallbacks=fallbacks)) as events:
        return [event async for event in events], sent


async def test_the_request_gets_the_models_id_and_window() -> None:
    events, sent = await run(Registry(a=Scripted(list(GOOD))), "a")
    assert events == GOOD
    assert (sent[0].model, sent[0].context_window) == ("a", 5000)


async def test_every_send_passes_the_checks() -> None:
    registry = Registry(a=Scripted([failure()], [failure()], list(GOOD)))
    _, sent = await run(registry, "a")
    assert len(sent) == 3


async def test_a_check_that_raises_keeps_the_request_in() -> None:
    def refuse(request: ModelRequest) -> None:
        raise ValueError("not yours")

    script = Scripted(list(GOOD))
    door = ModelDoor(Registry(a=script), ManualClock(), checks=(refuse,))
    with pytest.raises(ValueError, match="not yours"):
        async with aclosing(door.stream(ask(), "a")) as events:
            await anext(events)
    assert script.calls == 0


@pytest.mark.parametrize(
    "kind", ["auth", "billing", "rate_limit", "overloaded", "timeout", "server", "connection"]
)
async def test_another_model_answers_and_the_change_is_told(kind: ModelErrorKind) -> None:
    registry = Registry(a=Scripted([failure(kind)]), b=Scripted(list(GOOD)))
    events, sent = await run(registry, "a", ["b"])
    told = [event for event in events if not isinstance(event, Retrying)]
    assert told == [Switched("a", "b", "no luck"), *GOOD]
    assert sent[-1].model == "b"


@pytest.mark.parametrize("kind", ["overflow", "invalid", "cancelled"])
async def test_a_fault_of_the_request_is_not_passed_on(kind: ModelErrorKind) -> None:
    other = Scripted(list(GOOD))
    with pytest.raises(ModelError) as caught:
        await run(Registry(a=Scripted([failure(kind)]), b=other), "a", ["b"])
    assert caught.value.kind == kind
    assert other.calls == 0


async def test_a_model_that_the_provider_does_not_know_is_passed_over() -> None:
    missing = failure("invalid", status=404)
    events, _ = await run(Registry(a=Scripted([missing]), b=Scripted(list(GOOD))), "a", ["b"])
    assert events[-1] == GOOD[-1]


async def test_a_fallback_that_does_not_exist_is_passed_over() -> None:
    registry = Registry(a=Scripted([failure("auth")]), c=Scripted(list(GOOD)))
    events, _ = await run(registry, "a", ["b", "c"])
    switches = [event for event in events if isinstance(event, Switched)]
    assert [(each.from_ref, each.to_ref) for each in switches] == [("a", "b"), ("b", "c")]


async def test_nothing_is_passed_on_after_something_was_shown() -> None:
    broken = failure("connection")
    other = Scripted(list(GOOD))
    with pytest.raises(ModelError) as caught:
        await run(Registry(a=Scripted([TextDelta("par"), broken]), b=other), "a", ["b"])
    assert caught.value is broken
    assert other.calls == 0


async def test_a_strict_choice_has_no_fallback() -> None:
    with pytest.raises(ModelError, match="no luck"):
        await run(Registry(a=Scripted([failure("auth")]), b=Scripted(list(GOOD))), "a")


async def test_when_all_fail_one_error_names_each() -> None:
    registry = Registry(a=Scripted([failure("auth")]), b=Scripted([failure("billing")]))
    with pytest.raises(ModelError, match=r"a: no luck; b: no luck") as caught:
        await run(registry, "a", ["b", "a"])
    assert caught.value.kind == "billing"


async def test_another_model_gets_its_own_window_and_no_signed_reasoning() -> None:
    talk = (user("x"), ChatMessage("assistant", (Thinking("hm", "sig"), Text("y"))), user("z"))
    registry = Registry(a=Scripted([failure("auth")]), b=Scripted(list(GOOD)))
    request = ask(messages=talk, context_window=100_000)
    _, sent = await run(registry, "a", ["b"], request)
    assert sent[0].messages == talk
    assert [request.context_window for request in sent] == [100_000, 5000]
    assert sent[1].messages == without_private(talk)
    assert sent[1].messages[1].content == (Text("y"),)


async def test_closing_early_closes_the_provider() -> None:
    script = Scripted(list(GOOD))
    door = ModelDoor(Registry(a=script), ManualClock())
    async with aclosing(door.stream(ask(), "a")) as events:
        await anext(events)
    assert script.closed == 1


async def test_the_offline_model_answers_through_the_door() -> None:
    door = ModelDoor(ModelRegistry(Config(), {}), ManualClock())
    async with aclosing(door.stream(ask("hello there"), "offline/echo")) as events:
        told = [event async for event in events]
    assert isinstance(told[-1], Done)
    assert "".join(e.text for e in told if isinstance(e, TextDelta))
