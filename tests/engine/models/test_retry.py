from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import ManualClock
from engine.errors import ModelError, ModelErrorKind
from engine.models.protocol import Done, ModelRequest, Retrying, StreamEvent, Text, TextDelta
from engine.models.retry import RetryingProvider, pause_before
from tests.engine.models.support import ask

GOOD: list[StreamEvent] = [TextDelta("hi"), Done((Text("hi"),), "stop", None)]


class Scripted:
    """A provider that plays one script a call; an error in it is raised."""

    def __init__(self, *scripts: list[StreamEvent | ModelError]):
        self.scripts = list(scripts)
        self.calls = 0
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        try:
            for step in script:
                if isinstance(step, ModelError):
                    raise step
                yield step
        finally:
            self.closed += 1


def failure(kind: ModelErrorKind = "server", **fields: float | bool | None) -> ModelError:
    return ModelError("no luck", kind=kind, **fields)  # type: ignore[arg-type]


async def run(inner: Scripted, clock: ManualClock, chance: float = 0.0) -> list[StreamEvent]:
    wrapped = RetryingProvider(inner, clock, chance=lambda: chance)
    async with aclosing(wrapped.stream(ask())) as events:
        return [event async for event in events]


@pytest.mark.parametrize("kind", ["connection", "timeout", "rate_limit", "overloaded", "server"])
async def test_what_may_clear_is_tried_again(kind: ModelErrorKind) -> None:
    clock = ManualClock()
    inner = Scripted([failure(kind)], [failure(kind)], list(GOOD))
    events = await run(inner, clock)
    assert events == [Retrying("no luck", 0.5, 1), Retrying("no luck", 1.0, 2), *GOOD]
    assert clock.monotonic() == 1.5
    assert inner.closed == 3


@pytest.mark.parametrize("kind", ["auth", "billing", "overflow", "invalid", "cancelled"])
async def test_what_will_not_clear_fails_at_once(kind: ModelErrorKind) -> None:
    inner = Scripted([failure(kind, retryable=True)])
    with pytest.raises(ModelError) as caught:
        await run(inner, ManualClock())
    assert caught.value.kind == kind
    assert inner.calls == 1


async def test_after_two_retries_the_last_error_is_raised() -> None:
    inner = Scripted([failure()])
    with pytest.raises(ModelError, match="no luck"):
        await run(inner, ManualClock())
    assert inner.calls == 3


async def test_nothing_is_tried_again_once_something_was_shown() -> None:
    inner = Scripted([TextDelta("par"), failure("connection", retryable=True)])
    wrapped = RetryingProvider(inner, ManualClock())
    seen = []
    with pytest.raises(ModelError):
        async with aclosing(wrapped.stream(ask())) as events:
            async for event in events:
                seen.append(event)
    assert seen == [TextDelta("par")]
    assert inner.calls == 1


async def test_the_wait_asked_for_is_kept() -> None:
    clock = ManualClock()
    events = await run(Scripted([failure("rate_limit", retry_after=7.0)], list(GOOD)), clock)
    assert events[0] == Retrying("no luck", 7.0, 1)
    assert clock.monotonic() == 7.0


async def test_a_wait_of_more_than_a_minute_is_not_kept() -> None:
    inner = Scripted([failure("rate_limit", retry_after=61.0)], list(GOOD))
    with pytest.raises(ModelError):
        await run(inner, ManualClock())
    assert inner.calls == 1


async def test_the_server_can_forbid_a_retry() -> None:
    inner = Scripted([failure(retryable=False)], list(GOOD))
    with pytest.raises(ModelError):
        await run(inner, ManualClock())
    assert inner.calls == 1


async def test_closing_early_closes_the_provider() -> None:
    inner = Scripted(list(GOOD))
    async with aclosing(RetryingProvider(inner, ManualClock()).stream(ask())) as events:
        assert await anext(events) == TextDelta("hi")
    assert inner.closed == 1


@given(st.integers(0, 30), st.floats(0, 1))
def test_chance_only_shortens_pauses_and_they_end_at_eight_seconds(
    attempt: int, chance: float
) -> None:
    longest = min(0.5 * 2.0**attempt, 8.0)
    pause = pause_before(failure(), attempt, chance)
    assert pause is not None
    assert 0.75 * longest <= pause <= longest


@pytest.mark.parametrize("asked", [0.0, -5.0, None])
def test_a_senseless_wait_counts_as_none(asked: float | None) -> None:
    assert pause_before(failure("rate_limit", retry_after=asked), 0, 0.0) == 0.5
