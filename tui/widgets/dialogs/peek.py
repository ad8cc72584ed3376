"""A look into a session: its last messages, without opening it or calling it read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.engine import SessionInfo
from engine.errors import BranchlineError
from engine.events import EntryAppended
from engine.sessions.entries import Entry
from engine.text import safe_line
from engine.values import replace
from tui.bridge import Batch
from tui.home import Home
from tui.later import later
from tui.look.tones import MUTED
from tui.people.naming import is_stored, title_of
from tui.tracker import Status
from tui.widgets.chat.layout import lay_out, pieces_of
from tui.widgets.chat.shown import Shown, agent_of, describe
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.drawn import drawn

__all__ = ["Peek"]

LAST = 12
"""Entries that are shown."""

LONGEST = 1500
"""Characters of a message that are shown."""


class Peek(Dialog[str | None]):
    """Shows a session's last messages; ends with its ref when it is to be opened, else None.

    Args:
        home: the app.
        ref: the session.
        step: moves on in the list; the ref it comes to, None at its end.
    """

    HELP = """\
    ## Peek

    The last messages of a session. Looking does not open it, does not call it read, and writes
    nothing. **j** and **k** go to the next one and the one before, arrows and page keys scroll.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="peek.open", tooltip="Open it, and write"),
        Binding("j", "step(1)", "Next", id="peek.next", tooltip="The next session of the list"),
        Binding("k", "step(-1)", "Before", id="peek.previous", tooltip="The session before"),
        Binding("escape,space,q", "close", "Close", id="dialog.close"),
    ]

    DEFAULT_CSS = f"""
    Peek {{ align: center middle; }}
    Peek > VerticalScroll {{ {BOX} height: 80%; scrollbar-gutter: stable; }}
    Peek Static {{ height: auto; width: 1fr; }}
    """

    def __init__(self, home: Home, ref: str, step: Callable[[int], str | None]):
        super().__init__()
        self._home = home
        self._step = step
        self._told: Content | None = None
        self.ref = ref

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_subtitle = Content("Enter open · j k next, before · Esc close")
            yield Static(markup=False)

    def on_mount(self) -> None:
        self._deaf = self._home.bridge.listen(self._hear)
        self.query_one(VerticalScroll).focus()
        self._look()

    def on_unmount(self) -> None:
        self._deaf()

    def _hear(self, batch: Batch) -> None:
        """Something more was said."""
        said = [event for event in batch if isinstance(event, EntryAppended)]
        if self.is_attached and any(event.session_key == self.ref for event in said):
            later(self, self._read, group="peek")

    def on_resize(self) -> None:
        later(self, self._read, group="peek")

    def _look(self) -> None:
        info = self._info
        name = title_of(info) if info is not None else safe_line(self.ref, limit=60)
        self.query_one(VerticalScroll).border_title = Content(name)
        later(self, self._read, group="peek")

    @property
    def _info(self) -> SessionInfo | None:
        return self._home.bridge.tracker.infos.get(self.ref)

    async def _read(self) -> None:
        """Read and draw; a session that cannot be read says why."""
        width = max(12, self.query_one(VerticalScroll).scrollable_content_region.width)
        try:
            page = await self._home.engine.history(self.ref, limit=LAST)
        except BranchlineError as error:
            self._draw(Content.styled(f"{error.title}: {safe_line(str(error), limit=400)}", MUTED))
            return
        agent = agent_of(self._info.key if self._info is not None else self.ref)
        today = datetime.now().strftime("%Y-%m-%d")
        rows = await asyncio.to_thread(_rows, page.entries, agent, today, width)
        if page.before is not None:
            rows.insert(0, Content.styled("Older ones are not shown here.", MUTED))
        self._draw(Content("\n").join([*self._head(), *(rows or [Content("Nothing was said.")])]))

    def _head(self) -> list[Content]:
        """How it stands, in words."""
        info, tracker = self._info, self._home.bridge.tracker
        if info is None:
            return []
        status = tracker.status(self.ref)
        words = [safe_line(info.state) if status is Status.STORED else status.value]
        words += [safe_line(label, limit=40) for label in info.labels[1:]]
        words.append(f"{info.messages:,} message{'' if info.messages == 1 else 's'}")
        dot = f" {self._home.glyphs.dot} "
        told = [Content.styled(dot.join(words), MUTED)]
        if why := tracker.reason(self.ref):
            told.append(Content.styled(why, "$text-error"))
        if is_stored(info):
            told.append(Content.styled("It is over: Enter opens it to be read.", MUTED))
        return [*told, Content("")]

    def _draw(self, told: Content) -> None:
        static, box = self.query_one(Static), self.query_one(VerticalScroll)
        static.update(drawn(self, told))
        self.call_after_refresh(partial(box.scroll_end, animate=False))

    def action_step(self, step: int) -> None:
        ref = self._step(step)
        if ref is not None:
            self.ref = ref
            self._look()

    def action_open(self) -> None:
        self.dismiss(self.ref)

    def action_close(self) -> None:
        self.dismiss(None)


def _rows(entries: tuple[Entry, ...], agent: str, today: str, width: int) -> list[Content]:
    """The messages as the chat draws them, long ones cut."""
    rows: list[Content] = []
    for entry in entries:
        shown = describe(entry, agent=agent, today=today)
        if shown is not None:
            short = _cut(shown)
            rows += [*lay_out(short, pieces_of(short), width), Content("")]
    return [row.rstrip() for row in rows[:-1]]


def _cut(shown: Shown) -> Shown:
    if len(shown.body) <= LONGEST:
        return shown
    more = f"{len(shown.body) - LONGEST:,} more characters"
    return replace(shown, body=f"{shown.body[:LONGEST]}…\n({more})")
