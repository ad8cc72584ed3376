"""The scribe: has summaries written, in as many requests as it takes (SPEC §8).

Summaries of folded talk and of branches that are left behind both come from here; like every
request they go out through the one model door.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.context.compaction import Fold, join_summaries
from engine.context.summary import (
    LEAST_ROOM,
    SummaryTask,
    pack,
    room_for,
    summary_request,
    talk_of,
)
from engine.context.window import Window, WindowMessage
from engine.errors import BranchlineError, ModelError
from engine.events import CompactionProgress
from engine.models.protocol import ChatMessage, Retrying, Switched, TextDelta, ThinkingDelta
from engine.turns.order import Order
from engine.turns.reply import Answer, ask
from engine.turns.request import Kitchen, Prepared, in_thread
from engine.values import replace

__all__ = ["CompactionFailed", "Scribe", "write_summary"]


class CompactionFailed(BranchlineError):
    """Nothing was folded. `gainless`: because nothing would have been gained by it; `stopped`:
    because a person said so."""

    title = "Not compacted"

    def __init__(
        self,
        message: str,
        *,
        gainless: bool = False,
        stopped: bool = False,
        remedy: str | None = None,
    ):
        super().__init__(message, remedy=remedy)
        self.gainless = gainless
        self.stopped = stopped


async def write_summary(
    order: Order, kitchen: Kitchen, ready: Prepared, fold: Fold, focus: str = ""
) -> tuple[str, str]:
    """Have the summary of a fold written, in as many requests as it takes.

    Returns:
        The summary and the reference of the model that wrote it.

    Raises:
        ModelError: no model could write it.
        CompactionFailed: the model wrote nothing.
    """
    scribe = Scribe(order, kitchen, ready, focus)
    most = scribe.task.max_tokens
    share = most // 3 if fold.split and fold.folded else 0
    previous = fold.previous
    text = previous.text if previous is not None else ""
    ids = (previous.entry_id,) if previous is not None else ()
    if fold.folded:
        text = await scribe.digest(fold.window, fold.folded, text, ids, size=most - share)
    prefix = ""
    if fold.prefix:
        prefix = await scribe.digest(fold.window, fold.prefix, prefix=True, size=share or most)
    summary = join_summaries(text.strip(), prefix.strip())
    if not summary:
        raise CompactionFailed("the model wrote no summary", remedy="Try another compaction.model")
    return summary, scribe.answer.ref


class Scribe:
    """Asks for the summaries of one compaction, or of one branch.

    Args:
        ready: the request of the session's next turn; its model writes, unless the config names
            another for summaries.
        focus: what should be kept above all.
        about: a further instruction.
    """

    def __init__(
        self, order: Order, kitchen: Kitchen, ready: Prepared, focus: str = "", about: str = ""
    ):
        registry = order.setup.registry
        own = order.setup.config.compaction.model
        info = registry.info(own) if own else ready.info
        self._order = order
        self._kitchen = kitchen
        self._fallbacks = (ready.info.ref,) if own else ready.fallbacks
        self._done = 0
        self._room = 0
        self.answer = Answer(info.ref)
        self._ref = info.ref
        self.task = SummaryTask(
            info.model,
            info.context_window,
            max(1, min(ready.budget.summary_tokens, info.max_tokens, info.context_window // 5)),
            order.session_key,
            order.principal.id,
            focus.strip(),
            about.strip(),
        )

    async def digest(
        self,
        window: Window,
        messages: tuple[WindowMessage, ...],
        so_far: str = "",
        ids: tuple[str, ...] = (),
        *,
        prefix: bool = False,
        size: int,
    ) -> str:
        """The summary of messages, chunk after chunk, each taking over the one before. A chunk
        that does not fit after all is cut finer.

        Args:
            so_far: a summary to take over, and the entries that it stands for.
            prefix: the messages are the beginning of a turn that goes on.
            size: most tokens of this summary.
        """
        task = replace(self.task, prefix=prefix, max_tokens=max(1, size))
        room = room_for(task)
        rest = list(await in_thread(talk_of, window, messages))
        text = so_far
        while rest:
            if room < LEAST_ROOM:
                raise CompactionFailed(
                    f"the window of {self._ref} is too small to write summaries with",
                    remedy="Set compaction.model to a model with a larger window",
                )
            chunk, *others = pack(rest, room)
            try:
                text = await self._ask(task, chunk, text, ids, len(others))
            except ModelError as error:
                if error.kind != "overflow":
                    raise
                room //= 2
                continue
            ids = tuple(dict.fromkeys((*ids, *(name for m in chunk for name in m.entry_ids))))
            rest = rest[len(chunk) :]
        return text

    async def _ask(
        self,
        task: SummaryTask,
        chunk: tuple[ChatMessage, ...],
        so_far: str,
        ids: tuple[str, ...],
        to_come: int,
    ) -> str:
        self._done += 1
        total = self._done + to_come
        answer = self.answer = Answer(self._ref)
        await ask(
            answer,
            self._order.setup.door,
            summary_request(task, chunk, so_far, ids),
            fallbacks=self._fallbacks,
            heard=self._teller(self._done, total),
        )
        if answer.error is not None:
            raise answer.error
        if answer.stop_reason not in ("stop", "length") or not answer.text.strip():
            raise CompactionFailed(
                "the model wrote no summary", remedy="Try again, or another compaction.model"
            )
        return answer.text.strip()

    def _teller(
        self, done: int, total: int
    ) -> Callable[[TextDelta | ThinkingDelta | Retrying | Switched], None]:
        key, publish, answer = self._order.session_key, self._kitchen.publish, self.answer
        publish(CompactionProgress(key, done, total))

        def tell(event: TextDelta | ThinkingDelta | Retrying | Switched) -> None:
            if isinstance(event, TextDelta):
                publish(CompactionProgress(key, done, total, answer.text))

        return tell
