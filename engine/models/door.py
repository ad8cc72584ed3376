"""The one door to the models: every request of the engine leaves here and nowhere else.

Replies, summaries, memory notes and sub-agents all come through `ModelDoor.stream`. What must
hold for every request (the leak check, the recorder) hangs here as a check; retries and the
chain of fallbacks are decided here.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

from engine.clock import Clock
from engine.errors import ModelError, ModelNotFound
from engine.models.closing import closing
from engine.models.protocol import (
    ChatMessage,
    ModelInfo,
    ModelRequest,
    Provider,
    Retrying,
    StreamEvent,
    Switched,
    Thinking,
)
from engine.models.registry import ModelRegistry
from engine.models.retry import RETRIES, RetryingProvider
from engine.values import replace

__all__ = ["Check", "ModelDoor", "fails_over"]

Check = Callable[[ModelRequest], None]
"""Called before each send, also of a retry; raises to keep the request in."""

_FAILOVER = frozenset({"auth", "billing", "rate_limit", "overloaded", "timeout", "server"})


def fails_over(error: ModelError) -> bool:
    """Whether another model may answer instead: not when the request itself is at fault."""
    if error.kind in _FAILOVER or error.kind == "connection":
        return True
    return isinstance(error, ModelNotFound) or (error.kind == "invalid" and error.status == 404)


class _Checked:
    """A provider whose every call passes the checks first."""

    def __init__(self, inner: Provider, checks: tuple[Check, ...]):
        self._inner = inner
        self._checks = checks

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        for check in self._checks:
            check(request)
        async with closing(self._inner.stream(request)) as events:
            async for event in events:
                yield event


class ModelDoor:
    """Sends requests to models.

    Args:
        registry: the models of a config snapshot; a new snapshot gets a new door.
        clock: where pauses pass.
        checks: what every request must pass before it is sent, in order.
        chance: returns a number from 0 to 1, for the pauses.
        retries: how often a failed call is tried again with the same model.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        clock: Clock,
        *,
        checks: tuple[Check, ...] = (),
        chance: Callable[[], float] = random.random,
        retries: int = RETRIES,
    ):
        self.registry = registry
        self.checks = checks
        self._clock = clock
        self._chance = chance
        self._retries = retries

    async def stream(
        self, request: ModelRequest, ref: str, *, fallbacks: Iterable[str] = ()
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask a model and tell what it answers, as it comes.

        Args:
            request: `model`, and `context_window` if None, are filled in from the registry.
            ref: a reference or alias.
            fallbacks: tried in order when `ref` cannot answer, each told by a Switched event. A
                model that the person chose for this session or turn is strict: give none.

        Raises:
            ModelError: nobody could answer, or the answer broke off (`partial` holds its text).
        """
        chain = list(dict.fromkeys(self._ref(name) for name in (ref, *fallbacks)))
        failures: list[tuple[str, ModelError]] = []
        for position, candidate in enumerate(chain):
            shown = False
            try:
                async with aclosing(self._ask(request, candidate, bool(failures))) as events:
                    async for event in events:
                        shown = shown or not isinstance(event, Retrying)
                        yield event
                return
            except ModelError as error:
                if shown or not fails_over(error):
                    raise
                failures.append((candidate, error))
                if position + 1 == len(chain):
                    raise _all_failed(failures) from error
            yield Switched(candidate, chain[position + 1], failures[-1][1].message)

    def _ref(self, name: str) -> str:
        """The reference behind an alias; a name that leads nowhere fails when its turn comes."""
        try:
            return self.registry.resolve(name)
        except ModelNotFound:
            return name

    async def _ask(
        self, request: ModelRequest, ref: str, switched: bool
    ) -> AsyncGenerator[StreamEvent, None]:
        provider, info = self.registry.provider_for(ref)
        request = fit(request, info)
        if switched:
            request = replace(
                request,
                context_window=info.context_window,
                messages=without_private(request.messages),
            )
        checked = _Checked(provider, self.checks)
        retrying = RetryingProvider(
            checked, self._clock, chance=self._chance, retries=self._retries
        )
        async with aclosing(retrying.stream(request)) as events:
            async for event in events:
                yield event


def fit(request: ModelRequest, info: ModelInfo) -> ModelRequest:
    """The request with its model's id and, where it says none, the model's window."""
    return replace(
        request,
        model=info.model,
        context_window=request.context_window or info.context_window,
    )


def without_private(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Messages without reasoning blocks: only the provider that signed them may read them."""
    return tuple(
        replace(
            message,
            content=tuple(block for block in message.content if not isinstance(block, Thinking)),
        )
        for message in messages
    )


def _all_failed(failures: list[tuple[str, ModelError]]) -> ModelError:
    """One error for the whole chain: each model with its reason, the last one's remedy."""
    last = failures[-1][1]
    if len(failures) == 1:
        return last
    reasons = "; ".join(f"{ref}: {error.message}" for ref, error in failures)
    return ModelError(
        f"no model could answer ({reasons})",
        kind=last.kind,
        status=last.status,
        retry_after=min((e.retry_after for _, e in failures if e.retry_after), default=None),
        remedy=failures[0][1].remedy or last.remedy,
    )
