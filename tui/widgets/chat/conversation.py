"""The conversation: the newest messages of one session, the reply as it comes, older on demand.

The screen feeds it entries and the pieces of a reply; ChatScroll keeps few of them mounted. Here
is what an entry means for the column, and the block cursor that reads, copies and opens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from engine.engine import HistoryPage
from engine.events import TurnEnded
from engine.sessions.entries import Entry
from engine.text import safe_text
from engine.values import replace
from tui.widgets.chat.backlog import PAGE, Backlog
from tui.widgets.chat.chatscroll import LIVE, ChatScroll, Live
from tui.widgets.chat.layout import prepare
from tui.widgets.chat.message import MessageView
from tui.widgets.chat.shown import (
    Shown,
    agent_of,
    begun,
    describe,
    note,
    set_aside,
    unanswered,
)
from tui.widgets.external import ExternalError, page

__all__ = ["Conversation"]


class Conversation(ChatScroll):
    """One session's messages, read by `j` and `k` when focused.

    The screen feeds it: `show` when a session is chosen, `append` for each entry of that session,
    `turn_started`, `stream` and `turn_ended` for its turns, and `prepend` in answer to
    `OlderWanted`. Events of other sessions must not be passed; a `stream` of a turn that was
    not announced here is ignored.
    """

    HELP: ClassVar[str] = """\
    ## Conversation

    The open session, from its oldest message to where it goes on. `┃` stands before what people
    wrote; a reply has none. **j k** go message by message, and what you do then is done with the
    message under the cursor: copy it, edit it and send it again, fork from it.

    `◆` stands for messages that were folded into a summary, `┬` says how many branches part at
    a message; **Enter** opens either, **[ ]** go to the branches beside this one.
    """

    BINDING_GROUP_TITLE = "Conversation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Next message", id="conversation.next", show=False),
        Binding("k", "move(-1)", "Message before", id="conversation.previous", show=False),
        Binding(
            "enter",
            "open",
            "Open",
            id="conversation.open",
            show=False,
            tooltip="Unfold a ◆, ┬ or tool row, and fold it again",
        ),
        Binding("y", "copy", "Copy", id="conversation.copy", tooltip="Copy the message"),
        Binding(
            "Y", "copy_code", "Copy code", id="conversation.copy_code", tooltip="The last block"
        ),
        Binding("v", "pager", "Pager", id="conversation.pager", tooltip="Open in the pager"),
        Binding(
            "home,g",
            "oldest",
            "Oldest",
            id="conversation.oldest",
            show=False,
            tooltip="The oldest loaded, then older ones",
        ),
        Binding("end,G", "follow", "Follow", id="conversation.follow", tooltip="The newest"),
    ]

    DEFAULT_CSS = """
    Conversation {
        layout: stream;
        width: 1fr;
        height: 1fr;
        border: round $border-blurred;
        border-title-color: $text;
        border-subtitle-color: $text-muted;
        padding: 0;
        scrollbar-size-vertical: 1;
        &:focus { border: heavy $border; }
        & > .-empty { color: $text-muted; padding: 1 3; width: 1fr; height: auto; }
    }
    """

    @dataclass
    class Opened(Message):
        """Enter on a message that has nothing folded."""

        entry: Entry

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = datetime.now,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ):
        super().__init__(id=id, classes=classes)
        self._now = now
        self._cursor: str | None = None
        self._notes = 0

    # --- what the screen calls -----------------------------------------------------------

    async def show(
        self,
        title: Content,
        page: HistoryPage,
        *,
        session_key: str,
        live: tuple[str, str, str] | None = None,
    ) -> None:
        """Show another session (or this one anew), its end in view.

        Args:
            title: for the border; made of safe text.
            page: its newest entries.
            session_key: whose they are; names the agent that answers.
            live: `(turn_id, model, text so far)` of the turn that runs there now.
        """
        self.session_key = session_key
        self.border_title = title
        self._drop_live()
        self._log, self._cursor, self._asked = Backlog(), None, (None, 0.0)
        self._unseen = 0
        self._branches, self._onward = dict(page.branches), page.onward
        self._live = Live(*live) if live is not None else None
        self._mark_live()
        self._loading = True
        self._sync()
        items = self._described(page, open_end=live is not None)
        prepared = await prepare(items, self._row_width())
        if self.session_key != session_key:
            return  # another session was chosen while this one was parsed
        self._prepared = prepared
        self._log.load(items, page.before)
        self._loading = False
        self._sync()
        self.anchor()
        self._tell()
        if self.has_focus:
            self._come_back()

    def begins_after(self, before: str) -> bool:
        """Whether what `before` asks for (as in OlderWanted) is what comes next on top."""
        return self._log.before == before

    async def prepend(self, page: HistoryPage, before: str) -> None:
        """Put older entries on top; what is in view stays where it is.

        Args:
            page: what was asked for.
            before: by this. Where the column begins elsewhere by now, nothing is done: another
                session is shown, or this one anew, or the page is there already.
        """
        if not self.begins_after(before):
            return
        self._branches |= page.branches
        items = self._described(page, open_end=True)
        log, prepared = self._log, await prepare(items, self._row_width())
        if self._log is not log or not self.begins_after(before):
            return
        self._prepared |= prepared
        self._asked = (None, 0.0)
        self._slide(-min(PAGE, log.prepend(items, page.before)))

    def append(self, entry: Entry) -> None:
        """A new entry of this session; one that finishes the live reply takes its place."""
        if self._log.holds(entry.id):
            return
        shown = self._describe(entry)
        if shown is None:
            return
        shown = self._beside_others(shown)
        live = self._live
        if live is not None and shown.kind == "assistant":
            self._finish_live(live, shown)
            if self._cursor == LIVE:
                self._cursor = shown.key
        self._add(shown)
        if self._cursor == shown.key:
            self._point(self._current_view(), scroll=False)

    def turn_started(self, turn_id: str, model: str) -> None:
        """The model is being asked."""
        self._drop_live()
        self._live = Live(turn_id, model)
        self._mark_live()
        self._sync()

    def stream(self, turn_id: str, text: str, thinking: str = "") -> None:
        """More of the reply. Unannounced turns are ignored."""
        live = self._live
        if live is None or live.turn_id != turn_id:
            return
        live.text += text
        live.words += len(thinking.split())
        state = "◐ streaming" if live.text else "◐ waiting"
        if not live.text and live.words:
            state = f"◐ thinking · {live.words:,} words"
        if live.view is not None:
            live.view.feed(text, state)

    def turn_ended(self, event: TurnEnded) -> None:
        """The turn is over. How it failed is said here only when no entry says it."""
        live = self._live
        if live is not None and live.turn_id == event.turn_id:
            waited_for = event.reply_entry_id
            if waited_for is None or self._log.holds(waited_for):
                self._drop_live()
            else:
                live.reply_entry_id = waited_for  # its entry is still on the way
        if event.reply_entry_id is not None:
            return
        if event.error is not None:
            self.note(f"{event.error.title}: {event.error}", "error")
        elif event.stop_reason == "aborted":
            self.note("stopped", "warning")

    def set_aside(self, entry_id: str) -> None:
        """A message was kept as context and is not answered."""
        self._log.replace(entry_id, set_aside)
        self._prepared.pop(entry_id, None)
        view = self._views.get(entry_id)
        if view is not None and not view.shown.aside:
            view.set_aside()

    def note(self, text: str, severity: str = "information") -> None:
        """A line of ours below the newest message; stored nowhere."""
        self._notes += 1
        self._add(note(f"note-{self._notes}", text, severity))

    @property
    def current(self) -> Entry | None:
        """The entry under the block cursor."""
        view = self._current_view()
        return view.shown.entry if view is not None else None

    def _describe(self, entry: Entry) -> Shown | None:
        today = self._now().strftime("%Y-%m-%d")
        shown = describe(entry, agent=agent_of(self.session_key), today=today)
        beside = self._branches.get(entry.id, 0)
        return replace(shown, beside=beside) if shown is not None and beside else shown

    def _described(self, page: HistoryPage, *, open_end: bool) -> list[Shown]:
        found = [shown for entry in page.entries if (shown := self._describe(entry)) is not None]
        aside = unanswered(page.entries, open_end=open_end)
        found = [set_aside(shown) if shown.key in aside else shown for shown in found]
        return found if page.begun is None else [note("begun", begun(page.begun)), *found]

    # --- reading --------------------------------------------------------------------------

    def on_focus(self) -> None:
        """Show the block cursor: where it was, else on the last message in view."""
        self.call_later(self._come_back)  # `has_focus` is set after this handler

    def _come_back(self) -> None:
        views = self._in_order()
        view = self._current_view()
        if views and view is None:
            bottom = self.scroll_offset.y + self.size.height
            seen = [one for one in views if one.virtual_region.y < bottom]
            view = seen[-1] if seen else views[-1]
        self._point(view, scroll=False)

    def on_blur(self) -> None:
        view = self._current_view()
        if view is not None:
            view.point(False)

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, MessageView):
            self._point(event.widget, scroll=False)

    def _current_view(self) -> MessageView | None:
        return next((v for v in self._in_order() if v.shown.key == self._cursor), None)

    def _point(self, view: MessageView | None, *, scroll: bool = True) -> None:
        """Move the block cursor."""
        before = self._current_view()
        if before is not None and before is not view:
            before.point(False)
        if view is None:
            return
        self._cursor = view.shown.key
        view.point(self.has_focus)
        if scroll:
            top = view.outer_size.height > self.size.height
            self.scroll_to_widget(view, animate=False, top=top, immediate=True)

    def action_move(self, by: int) -> None:
        """The block cursor to the next or previous message, loading more at either end."""
        views = self._in_order()
        current = self._current_view()
        if not views:
            return
        index = views.index(current) + by if current is not None else len(views) - 1
        if index < 0:
            self.scroll_home(animate=False)
            self._reach_up()
        elif index < len(views):
            self._point(views[index])
        elif not self._log.at_end:
            self._slide(PAGE)
        else:
            self.action_follow()

    def action_oldest(self) -> None:
        """To the oldest message in memory; from there, ask for older ones."""
        self.release_anchor()
        if self._log.start > 0:
            self._log.to_start()
            self._sync()
        elif self.scroll_y <= 0:
            self._reach_up()
        self.scroll_home(animate=False, immediate=True)
        views = self._in_order()
        self._point(views[0] if views else None, scroll=False)
        self._tell()

    def action_follow(self) -> None:
        """To the newest message, and stay there as more comes."""
        self._log.to_end()
        self._unseen = 0
        self._sync()
        views = self._in_order()
        self._point(views[-1] if views else None, scroll=False)
        self._anchor_released = False
        self.anchor()
        self._tell()

    def action_open(self) -> None:
        """Enter: unfold what stands behind a ◆, ┬ or tool row; any other is told to the screen."""
        view = self._current_view()
        if view is None:
            return
        if view.unfold():
            self.release_anchor()  # what was opened stays in view, not the end
            self.call_after_refresh(self._point, view)
        elif view.shown.entry is not None:
            self.post_message(self.Opened(view.shown.entry))

    def action_copy(self) -> None:
        """Copy the words of the message under the cursor."""
        view = self._current_view()
        if view is not None:
            self.app.copy_to_clipboard(view.text_to_copy())
            self.notify("Message copied", markup=False, timeout=2)

    def action_copy_code(self) -> None:
        """Copy the last code block of the message under the cursor."""
        view = self._current_view()
        code = view.last_code() if view is not None else None
        if code is None:
            self.notify("No code block in this message", markup=False, timeout=2)
            return
        self.app.copy_to_clipboard(code)
        self.notify("Code block copied", markup=False, timeout=2)

    async def action_pager(self) -> None:
        """The whole message in the person's pager."""
        view = self._current_view()
        if view is None:
            return
        try:
            await page(self.app, view.text_to_copy())
        except ExternalError as error:
            self.notify(safe_text(str(error)), title=error.title, severity="error", markup=False)
