"""The outbox: texts on their way, so that nothing written is lost before it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from engine.errors import BranchlineError
from engine.text import safe_line, safe_text
from engine.turns.order import Receipt
from tui.widgets.chat.chat import Chat
from tui.widgets.chat.composer import Composer, without

__all__ = ["PATIENCE", "Outbox"]

PATIENCE = 0.4
"""Seconds after which a message that is not on disk yet counts as waiting its turn."""


class _OnItsWay(Struct, eq=False):
    """A text that is not on disk, the model chosen for it alone, and whether it waits its turn."""

    ref: str
    text: str
    model: str | None = None
    waits: bool = False


class Outbox:
    """Sends for one composer, and keeps the drafts of the sessions that are not open.

    Args:
        fail: tells the person of an error.

    Attributes:
        ref: the session that the composer writes to.
    """

    def __init__(
        self,
        chat: Chat,
        composer: Composer,
        fail: Callable[[BranchlineError], None],
    ):
        self._chat = chat
        self._composer = composer
        self.ref = ""
        self._fail = fail
        self._drafts: dict[str, str] = {}
        self._sent: list[_OnItsWay] = []

    # drafts

    def load(self, drafts: dict[str, str]) -> None:
        """Take up drafts of the last start."""
        self._drafts = dict(drafts)

    def move(self, ref: str) -> None:
        """The composer goes to another session, at once: what is typed from here on is for that
        one. What stands in it stays with the session before."""
        self._keep_draft()
        self.ref = ref
        self._composer.set_draft(self._drafts.pop(ref, ""))

    def unsent(self) -> dict[str, str]:
        """Everything written and not on disk, by session: also what waits its turn."""
        self._keep_draft()
        found = dict(self._drafts)
        for one in self._sent:
            if one.waits:
                found[one.ref] = _both(one.text, found.get(one.ref, ""))
        return found

    def unused_models(self) -> dict[str, str]:
        """The models chosen for next messages, by session: also for what is on its way."""
        chosen = {one.ref: one.model for one in self._sent if one.model is not None}
        return {**chosen, **self._chat.next_models}

    def _keep_draft(self) -> None:
        if self._composer.draft.strip():
            self._drafts[self.ref] = self._composer.draft
        else:
            self._drafts.pop(self.ref, None)

    # sending

    @property
    def underway(self) -> bool:
        """Whether a text is on its way that does not wait for its turn, and is not on disk."""
        return not all(one.waits for one in self._sent)

    async def send(self, text: str, ref: str) -> None:
        """Send a text to a session and see it to disk; an error brings it back.

        Args:
            ref: what the composer wrote to when it was sent off; it may write to another by now.
        """
        sent = _OnItsWay(ref, text)
        self._sent.append(sent)
        try:
            receipt = await self._chat.send(ref, text)
            sent.model = receipt.order.model
            stored = asyncio.ensure_future(receipt.stored())
            done, _ = await asyncio.wait({stored}, timeout=PATIENCE)
            if not done and not receipt.finished:
                await self._wait_visibly(sent)
            await stored
            if not sent.waits:
                await self._taken(ref, text)
        except BranchlineError as error:
            self._fail(error)
            self._bring_back(ref, text, taken=sent.waits)
            self._chat.keep_model(ref, sent.model)
            return
        finally:
            self._sent.remove(sent)
        await self._answer_of_command(receipt, ref)

    async def _wait_visibly(self, sent: _OnItsWay) -> None:
        sent.waits = True
        await self._taken(sent.ref, sent.text)
        if sent.ref == self._chat.ref:
            self._chat.note(f"waits its turn: {safe_line(sent.text, limit=120)}")

    async def _taken(self, ref: str, text: str) -> None:
        """Take a text out of where it was written, wherever that stands by now."""
        if ref == self.ref:
            await self._composer.accepted(text)
            return
        draft = self._drafts.get(ref, "")
        if draft.startswith(text):
            del self._drafts[ref]
            if rest := without(text, draft):
                self._drafts[ref] = rest
        await self._composer.remember(text)

    def _bring_back(self, ref: str, text: str, *, taken: bool) -> None:
        """Put a text that was not stored back where it was written, unless it still stands there
        (then `taken` is False)."""
        if ref == self.ref and not taken:
            self._composer.refused(text)
            return
        if ref == self.ref:
            self._composer.set_draft(_both(text, self._composer.draft))
            return
        draft = self._drafts.get(ref, "")
        if taken or not draft.startswith(text):
            self._drafts[ref] = _both(text, draft)

    async def _answer_of_command(self, receipt: Receipt, ref: str) -> None:
        """What a slash command had to say stands in the conversation and is stored nowhere."""
        if receipt.entry_id is not None:
            return
        result = await receipt.result()
        if result.command and ref == self._chat.ref:
            self._chat.note(safe_text(result.text))


def _both(first: str, second: str) -> str:
    return f"{first}\n{second}" if second else first
