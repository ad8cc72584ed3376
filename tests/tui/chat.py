"""A bare app around the chat column, entries to fill it with, and eyes to look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from textual.app import App, ComposeResult
from textual.content import Content
from textual.message import Message

from engine.engine import HistoryPage
from engine.sessions.entries import Entry
from engine.turns.commands import COMMANDS
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation
from tui.widgets.chat.prompt_history import PromptHistory

KEY = "agent:mia:telegram:dm:alice"
WHEN = "2026-11-20T16:01:02.000Z"


def message(entry_id: str, role: str, text: str, *, at: str = WHEN, **fields: Any) -> Entry:
    origin = fields.pop("origin", None)
    content = fields.pop("content", [{"type": "text", "text": text}])
    data: dict[str, Any] = {
        "type": "message",
        "id": entry_id,
        "message": {"role": role, "content": content, **fields},
    }
    if origin is not None:
        data["origin"] = origin
    return Entry(entry_id, "message", None, at, data)


def other(entry_id: str, type_: str, **data: Any) -> Entry:
    return Entry(entry_id, type_, None, WHEN, {"type": type_, "id": entry_id, **data})


def talk(count: int, start: int = 0) -> tuple[Entry, ...]:
    """`count` messages, by turns of a person and the assistant."""
    return tuple(
        message(f"m{n}", "user", f"question {n}")
        if n % 2 == 0
        else message(f"m{n}", "assistant", f"answer {n}", model="echo")
        for n in range(start, start + count)
    )


class ChatApp(App[None]):
    """The chat column alone. `fired` collects what must never be fired by text."""

    def __init__(
        self,
        history: PromptHistory | None = None,
        arguments: dict[str, Sequence[str]] | None = None,
    ):
        super().__init__()
        self.conversation = Conversation(now=lambda: datetime(2026, 11, 20, 17, 0))
        self.composer = Composer(
            history, commands=COMMANDS, arguments=lambda: dict(arguments or {})
        )
        self.composer.cursor_blink = False
        self.fired: list[str] = []
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.conversation
        yield self.composer

    def action_fire(self, what: str = "") -> None:
        self.fired.append(what)

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.fired.append(url)

    def on_conversation_older_wanted(self, event: Conversation.OlderWanted) -> None:
        self.heard.append(event)

    def on_conversation_opened(self, event: Conversation.Opened) -> None:
        self.heard.append(event)

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.heard.append(event)

    async def fill(
        self,
        entries: Sequence[Entry],
        before: str | None = None,
        key: str = KEY,
        live: tuple[str, str, str] | None = None,
    ) -> None:
        page = HistoryPage(tuple(entries), before)
        await self.conversation.show(Content("Alice"), page, session_key=key, live=live)
        for _ in range(500):  # what was mounted is laid out when the machine gets round to it
            if all(child.is_mounted and child.size.height for child in self.conversation.children):
                return
            await asyncio.sleep(0.01)


def screen_rows(app: App[Any]) -> list[str]:
    """What stands on the screen, row by row."""
    return [
        "".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()
    ]


def screen_text(app: App[Any]) -> str:
    return "\n".join(screen_rows(app))
