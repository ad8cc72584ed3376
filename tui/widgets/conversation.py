"""The conversation: the newest messages of one session, the reply as it comes, older on demand.

A Backlog says which messages are in memory and which of them should have a widget; everything
that changes it ends in `_sync`, which compares what should be mounted with what is. Scrolling
past either end mounts the neighbours; what is older than memory is asked for with `OlderWanted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from engine.engine import HistoryPage
from engine.events import TurnEnded
from engine.sessions.entries import Entry
from engine.text import safe_line, safe_text
from tui.widgets.backlog import PAGE, Backlog
from tui.widgets.external import ExternalError, page
from tui.widgets.markdown_safe import Piece
from tui.widgets.message import LiveMessage, MessageView, prepare
from tui.widgets.shown import Shown, agent_of, describe, note

__all__ = ["Conversation"]

_EMPTY = "Nothing has been said here yet.\nWrite below; Enter sends."


@dataclass(slots=True)
class _Live:
    """The reply being written: what has come so far, and how it is called."""

    turn_id: str
    model: str
    text: str = ""
    words: int = 0
    view: LiveMessage | None = None
    reply_entry_id: str | None = None


class _Older(Static):
    """The row above the oldest message: a click asks for more."""

    DEFAULT_CSS = "_Older { width: 1fr; height: 1; color: $text-muted; }"

    class Pressed(Message):
        """The row was clicked."""

    def __init__(self) -> None:
        super().__init__(Content(f"  ▲ {PAGE} older · Home"), classes="-older")

    def on_click(self) -> None:
        self.post_message(self.Pressed())


class Conversation(VerticalScroll):
    """One session's messages, read by `j` and `k` when focused.

    The screen feeds it: `show` when a session is chosen, `append` for each entry of that session,
    `turn_started`, `stream` and `turn_ended` for its turns, and `prepend` in answer to
    `OlderWanted`. Events of other sessions must not be passed; a `stream` of a turn that was
    not announced here is ignored.
    """

    HELP: ClassVar[str] = """\
## Conversation

| Key | Does |
|---|---|
| `j` `k` | next, previous message |
| `↑` `↓` `PgUp` `PgDn` | scroll |
| `Home` | oldest message loaded, then older ones |
| `End` | newest message, and follow |
| `y` | copy the message |
| `Y` | copy its last code block |
| `v` | open the message in the pager (`$PAGER`) |
| `Enter` | open what stands behind a ◆ or ⑂ row |

Two signs beside words: `┃` stands before what people wrote, a reply has none.
"""

    BINDING_GROUP_TITLE = "Conversation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Next", id="conversation.next", show=False),
        Binding("k", "move(-1)", "Previous", id="conversation.previous", show=False),
        Binding("enter", "open", "Open", id="conversation.open", show=False),
        Binding("y", "copy", "Copy", id="conversation.copy", tooltip="Copy the message"),
        Binding("Y", "copy_code", "Copy code", id="conversation.copy_code"),
        Binding("v", "pager", "Pager", id="conversation.pager", tooltip="Open in the pager"),
        Binding("home,g", "oldest", "Oldest", id="conversation.oldest", show=False),
        Binding("end,G", "follow", "Follow", id="conversation.follow"),
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
    class OlderWanted(Message):
        """The person wants messages older than `before` (as in HistoryPage); see `prepend`."""

        before: str

    @dataclass
    class Opened(Message):
        """Enter on a message: the screen may show what is behind it (◆, ⑂)."""

        entry: Entry

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = datetime.now,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ):
        super().__init__(id=id, classes=classes)
        self.session_key = ""
        self._now = now
        self._log = Backlog()
        self._pieces: dict[str, tuple[Piece, ...]] = {}
        self._views: dict[str, MessageView] = {}
        self._asked: str | None = None
        self._live: _Live | None = None
        self._older: _Older | None = None
        self._empty: Static | None = None
        self._cursor: str | None = None
        self._unseen = 0
        self._notes = 0
        self._loading = False
        self._holding = False
        self._said = ""

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
        self._log, self._cursor, self._asked = Backlog(), None, None
        self._unseen = 0
        self._live = _Live(*live) if live is not None else None
        self._loading = True
        self._sync()
        items = self._described(page.entries)
        pieces = await prepare(items)
        if self.session_key != session_key:
            return  # another session was chosen while this one was parsed
        self._pieces = pieces
        self._log.load(items, page.before)
        self._loading = False
        self._sync()
        self.anchor()
        self._tell()
        if self.has_focus:
            self.call_after_refresh(self.on_focus)

    async def prepend(self, page: HistoryPage) -> None:
        """Put older entries on top; what is in view stays where it is."""
        log = self._log
        items = self._described(page.entries)
        pieces = await prepare(items)
        if self._log is not log:
            return  # another session is shown by now
        self._pieces |= pieces
        self._asked = None
        self._slide(-min(PAGE, log.prepend(items, page.before)))

    def append(self, entry: Entry) -> None:
        """A new entry of this session; one that finishes the live reply takes its place."""
        if self._log.holds(entry.id):
            return
        shown = self._describe(entry)
        if shown is None:
            return
        live = self._live
        if live is not None and shown.kind == "assistant":
            self._finish_live(live, shown)
        self._add(shown)

    def turn_started(self, turn_id: str, model: str) -> None:
        """The model is being asked."""
        self._drop_live()
        self._live = _Live(turn_id, model)
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
        """The turn is over: a reply without an entry stays as a note, an error is said."""
        live = self._live
        if live is not None and live.turn_id == event.turn_id:
            waited_for = event.reply_entry_id
            if waited_for is None or self._log.holds(waited_for):
                self._drop_live()
            else:
                live.reply_entry_id = waited_for  # its entry is still on the way
        if event.error is not None:
            self.note(f"{event.error.title}: {event.error}", "error")
        elif event.stop_reason == "aborted":
            self.note("stopped", "warning")

    def note(self, text: str, severity: str = "information") -> None:
        """A line of ours below the newest message; stored nowhere."""
        self._notes += 1
        self._add(note(f"note-{self._notes}", text, severity))

    @property
    def following(self) -> bool:
        """Whether the newest message is in view and stays so."""
        return not self._anchor_released and self._log.at_end

    @property
    def current(self) -> Entry | None:
        """The entry under the block cursor."""
        view = self._current_view()
        return view.shown.entry if view is not None else None

    # --- the list -------------------------------------------------------------------------

    def _describe(self, entry: Entry) -> Shown | None:
        today = self._now().strftime("%Y-%m-%d")
        return describe(entry, agent=agent_of(self.session_key), today=today)

    def _described(self, entries: Iterable[Entry]) -> list[Shown]:
        return [shown for entry in entries if (shown := self._describe(entry)) is not None]

    def _add(self, shown: Shown) -> None:
        follow = self.following
        self._log.add(shown, follow=follow)
        self._unseen = 0 if follow else self._unseen + 1
        self._sync()
        self._tell()

    def _drop_live(self) -> None:
        live, self._live = self._live, None
        if live is not None and live.view is not None:
            live.view.remove()

    def _finish_live(self, live: _Live, shown: Shown) -> None:
        """The live text is on disk now. A turn with tools goes on with the next answer."""
        view, live.view, live.text, live.words = live.view, None, "", 0
        if view is not None:
            if (pieces := view.finished_pieces(shown.body)) is not None:
                self._pieces[shown.key] = pieces
            view.remove()
        if live.reply_entry_id == shown.key:
            self._live = None

    def _sync(self) -> None:
        """Make the mounted widgets be what the backlog and the live reply say."""
        if not self.is_attached:
            return
        want = self._log.mounted
        keys = {item.key for item in want}
        with self.app.batch_update():
            gone = {key: self._views.pop(key) for key in [*self._views] if key not in keys}
            for key in gone:
                self._pieces.pop(key, None)
            if gone:
                self.remove_children([*gone.values()])
            self._sync_edges()
            missing: list[Widget] = []
            for item in want:
                view = self._views.get(item.key)
                if view is not None:
                    self._mount(missing, before=view)
                    missing = []
                else:
                    view = MessageView(item, self._pieces.get(item.key))
                    self._views[item.key] = view
                    missing.append(view)
            live = self._live.view if self._live is not None else None
            self._mount(missing, before=live)

    def _mount(self, widgets: list[Widget], *, before: Widget | None) -> None:
        if widgets:
            self.mount_all(widgets, before=before)

    def _sync_edges(self) -> None:
        """The row for older messages, the hint in an empty session, the live reply."""
        if self._log.has_older != (self._older is not None):
            if self._older is None:
                self._older = _Older()
                self.mount(self._older, before=0 if self.children else None)
            else:
                self._older.remove()
                self._older = None
        live = self._live
        if live is not None and (live.view is not None) != self._log.at_end:
            if live.view is None:
                shown = Shown(
                    "live", "assistant", agent_of(self.session_key), safe_line(live.model)
                )
                live.view = LiveMessage(shown, live.text)
                self.mount(live.view)
            else:
                live.view.remove()
                live.view = None
        empty = (
            not self._log.items and live is None and bool(self.session_key) and not self._loading
        )
        if empty != (self._empty is not None):
            if self._empty is None:
                self._empty = Static(Content(_EMPTY), classes="-empty")
                self.mount(self._empty)
            else:
                self._empty.remove()
                self._empty = None

    # --- reading --------------------------------------------------------------------------

    @property
    def scroll_offset(self) -> Offset:
        """As Textual has it, but a short conversation begins at the top: an anchored container
        scrolls to a negative offset to keep its content at the bottom."""
        x, y = super().scroll_offset
        return Offset(x, max(0, y))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._holding:
            return
        if new_value < old_value and new_value <= 1:
            self._reach_up()
        elif new_value > old_value and new_value >= self.max_scroll_y:
            self._slide(PAGE)
        if self.following:
            self._unseen = 0
        self._tell()

    def _reach_up(self) -> None:
        """More at the top: from memory, else from the engine."""
        before = self._log.before
        if self._log.start > 0:
            self._slide(-PAGE)
        elif before is not None and self._asked != before:
            self._asked = before
            self.post_message(self.OlderWanted(before))

    def _slide(self, by: int) -> None:
        """Mount other messages; what is in view stays where it is."""
        held = self._first_in_view()
        offset = held.virtual_region.y - round(self.scroll_y) if held is not None else 0
        if self._log.slide(by) and held is not None:
            self._holding = True
            self.call_after_refresh(self._hold, held, offset)
        self._sync()

    def _hold(self, view: Widget, offset: int) -> None:
        self._holding = False
        if view.is_attached:
            self.scroll_to(y=view.virtual_region.y - offset, animate=False, immediate=True)

    def _first_in_view(self) -> MessageView | None:
        top = self.scroll_y
        return next((v for v in self._in_order() if v.virtual_region.bottom > top), None)

    def _in_order(self) -> list[MessageView]:
        """The mounted messages from oldest to newest, the live one last."""
        views = [view for item in self._log.mounted if (view := self._views.get(item.key))]
        live = self._live.view if self._live is not None else None
        return [*views, live] if live is not None else views

    def _tell(self) -> None:
        """The border's lower edge says whether the end is in view, and what is new below."""
        if self.following:
            says = "auto-follow ▼"
        elif self._unseen:
            says = f"── {self._unseen:,} new below · End to follow ──"
        else:
            says = "End to follow"
        if self._said != says:
            self._said = says
            self.border_subtitle = Content(says)

    def release_anchor(self) -> None:
        super().release_anchor()
        self._tell()

    def on_focus(self) -> None:
        views = self._in_order()
        if views and self._current_view() is None:
            bottom = self.scroll_y + self.size.height
            seen = [view for view in views if view.virtual_region.y < bottom]
            self._point(seen[-1] if seen else views[-1], scroll=False)
        else:
            self._point(self._current_view(), scroll=False)

    def on_blur(self) -> None:
        view = self._current_view()
        if view is not None:
            view.remove_class("-cursor")

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, MessageView):
            self._point(event.widget, scroll=False)

    def on__older_pressed(self, event: _Older.Pressed) -> None:
        event.stop()
        self._reach_up()

    def _current_view(self) -> MessageView | None:
        return next((v for v in self._in_order() if v.shown.key == self._cursor), None)

    def _point(self, view: MessageView | None, *, scroll: bool = True) -> None:
        """Move the block cursor."""
        before = self._current_view()
        if before is not None and before is not view:
            before.remove_class("-cursor")
        if view is None:
            return
        self._cursor = view.shown.key
        view.set_class(self.has_focus, "-cursor")
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
        """Enter: the screen shows what is behind the message."""
        entry = self.current
        if entry is not None:
            self.post_message(self.Opened(entry))

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
