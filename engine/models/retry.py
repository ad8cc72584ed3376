"""Trying again: only before anything was shown, only what may clear by itself (WIRE §7).

Rules of the OpenAI and Anthropic SDKs: two retries; pauses of 0.5 s doubling to at most 8 s,
which chance only shortens (by up to a quarter); `retry-after` is honoured; `x-should-retry` is
obeyed. Ours: a wait of more than a minute is not for somebody who sits and watches, so the call
fails (and may go to a fallback) instead.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable

from engine.clock import Clock
from engine.errors import ModelError
from engine.models.closing import closing
from engine.models.protocol import ModelRequest, Provider, Retrying, StreamEvent

__all__ = ["LONGEST_WAIT", "RETRIES", "RetryingProvider", "pause_before"]

RETRIES = 2
LONGEST_WAIT = 60.0
"""Seconds a service may ask us to wait before the call counts as failed."""

_MAY_CLEAR = frozenset({"connection", "timeout", "rate_limit", "overloaded", "server"})


def pause_before(error: ModelError, attempt: int, chance: float) -> float | None:
    """Seconds to wait before the next try, or None when there is to be none.

    Args:
        attempt: tries made so far that failed, from 0.
        chance: a random number from 0 to 1.
    """
    if error.kind not in _MAY_CLEAR or error.retryable is False:
        return None
    if error.retry_after is not None and error.retry_after > 0:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else None
    return min(0.5 * 2.0**attempt, 8.0) * (1 - 0.25 * chance)


class RetryingProvider:
    """A provider whose calls are tried again, each time told by a Retrying event.

    Args:
        inner: the provider that is asked.
        clock: where the pauses pass.
        chance: returns a number from 0 to 1.
        retries: how often to try again.
    """

    def __init__(
        self,
        inner: Provider,
        clock: Clock,
        *,
        chance: Callable[[], float] = random.random,
        retries: int = RETRIES,
    ):
        self._inner = inner
        self._clock = clock
        self._chance = chance
        self._retries = retries

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """As the inner provider; Retrying events come only before anything else.

        Raises:
            ModelError: the last failure.
        """
        for attempt in range(self._retries + 1):
            shown = False
            try:
                async with closing(self._inner.stream(request)) as events:
                    async for event in events:
                        shown = True
                        yield event
                return
            except ModelError as error:
                pause = pause_before(error, attempt, self._chance())
                if shown or pause is None or attempt == self._retries:
                    raise
                retrying = Retrying(error.message, pause, attempt + 1)
            yield retrying
            await self._clock.sleep(pause)
