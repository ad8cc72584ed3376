"""The scrolling part of the chat column: which messages have a widget, and what is in view.

A Backlog says which messages are in memory and which of them should have a widget; everything
that changes it ends in `_sync`, which compares what should be mounted with what is. Scrolling
past either end mounts the neighbours; what is older than memory is asked for with `OlderWanted`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Offset, Size
from textual.layout import DockArrangeResult
from textual.message import Message
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from engine.engine import HistoryPage
from engine.text import safe_line
from engine.values import replace
from tui.widgets.chat.backlog import PAGE, Backlog
from tui.widgets.chat.layout import Prepared
from tui.widgets.chat.message import LiveMessage, MessageView
from tui.widgets.chat.shown import Shown, agent_of
from tui.widgets.drawn import drawn
from tui.widgets.framed import FramedLines

__all__ = ["LIVE", "ChatScroll", "Live"]

LIVE = "live"
"""The key of the reply being written, which has no entry yet."""

ASK_AGAIN = 5.0
"""Seconds after which the same page is asked for again: the answer may have been an error."""

_EMPTY = "Nothing has been said here yet.\nWrite below; Enter sends."
_NEW_HERE = "New here? F1 helps, and `branchline --demo` (or ^P, demo) shows you around."


@dataclass(slots=True)
class Live:
    """The reply being written: what has come so far, and how it is called."""

    turn_id: str
    model: str
    text: str = ""
    words: int = 0
    view: LiveMessage | None = None
    reply_entry_id: str | None = None
    beside: int = 0


class _Older(Static):
    """The row above the oldest message: a click asks for more."""

    DEFAULT_CSS = "_Older { width: 1fr; height: 1; color: $text-muted; }"

    class Pressed(Message):
        """The row was clicked."""

    def __init__(self) -> None:
        super().__init__(Content(f"  ▲ {PAGE} older · Home"), classes="-older")

    def on_click(self) -> None:
        self.post_message(self.Pressed())


class ChatScroll(VerticalScroll):
    """Messages in a column, at most MOUNTED with a widget; see Conversation for what fills it."""

    @dataclass
    class OlderWanted(Message, namespace="conversation"):
        """The person wants messages older than `before` (as in HistoryPage); answer with
        `Conversation.prepend`."""

        before: str

    # As Textual has it, but without a second layout after the one that gave it: what the first one
    # arranged stays, and a scrollbar that comes or goes asks for its own.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None):  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._styles_cache = FramedLines()
        self.session_key = ""
        self._log = Backlog()
        self._prepared: dict[str, Prepared] = {}
        self._views: dict[str, MessageView] = {}
        self._live: Live | None = None
        self._branches: dict[str, int] = {}
        self._onward = 0
        """How many branches follow the newest message already."""
        self._older: _Older | None = None
        self._empty: Static | None = None
        self.new_here = False
        """Whether an empty page also says where to begin."""
        self._asked: tuple[str | None, float] = (None, 0.0)
        self._unseen = 0
        self._loading = False
        self._held: tuple[Widget, int] | None = None
        self._said = ""

    def on_mount(self) -> None:
        self._sync()

    def render_line(self, y: int) -> Strip:
        """Nothing of its own: the very same blank line, so that it is framed once."""
        return Strip.blank(self.size.width, self.visual_style.rich_style)

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

    def mark(self, page: HistoryPage) -> None:
        """Say at messages that are shown how many branches part there by now.

        Args:
            page: the newest entries, no older than what was appended last.
        """
        self._onward = page.onward
        self._mark_live()
        for entry in page.entries:
            beside = page.branches.get(entry.id, 0)
            if beside == self._branches.get(entry.id, 0):
                continue
            self._branches[entry.id] = beside
            self._log.replace(entry.id, partial(replace, beside=beside))
            self._prepared.pop(entry.id, None)
            if (view := self._views.get(entry.id)) is not None:
                view.mark(beside)

    def _mark_live(self) -> None:
        """A reply that is written beside others begins one branch more."""
        live = self._live
        if live is None:
            return
        live.beside = self._onward + 1 if self._onward else 0
        if live.view is not None:
            live.view.mark(live.beside)

    def _beside_others(self, shown: Shown) -> Shown:
        """A new message; where others follow the one before it already, it begins a branch more."""
        beside, self._onward = self._onward + 1, 0
        if beside == 1:
            return shown
        self._branches[shown.key] = beside
        return replace(shown, beside=beside)

    def _finish_live(self, live: Live, shown: Shown) -> None:
        """The live text is on disk now. A turn with tools goes on with the next answer."""
        view, live.view, live.text, live.words = live.view, None, "", 0
        live.beside = 0
        if view is not None:
            if (prepared := view.finished(shown.body)) is not None:
                self._prepared[shown.key] = prepared
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
                self._prepared.pop(key, None)
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
                    view = MessageView(item, self._prepared.get(item.key))
                    self._views[item.key] = view
                    missing.append(view)
            live = self._live.view if self._live is not None else None
            self._mount(missing, before=live)

    def _row_width(self) -> int:
        """The cells of a row once there is a scrollbar; a wrong guess only costs time."""
        return self.size.width - (0 if self.show_vertical_scrollbar else 1) - 1

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
                agent, model = agent_of(self.session_key), safe_line(live.model)
                shown = Shown("live", "assistant", agent, model, beside=live.beside)
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
                told = f"{_EMPTY}\n\n{_NEW_HERE}" if self.new_here else _EMPTY
                self._empty = Static(Content(told), classes="-empty")
                self.mount(self._empty)
            else:
                self._empty.remove()
                self._empty = None

    @property
    def following(self) -> bool:
        """Whether the newest message is in view and stays so."""
        return not self._anchor_released and self._log.at_end

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
            self.border_subtitle = drawn(self, Content(says))

    def release_anchor(self) -> None:
        super().release_anchor()
        self._tell()

    @property
    def scroll_offset(self) -> Offset:
        """As Textual has it, but a short conversation begins at the top: an anchored container
        scrolls to a negative offset to keep its content at the bottom."""
        x, y = super().scroll_offset
        return Offset(x, max(0, y))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._held is not None:
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
        elif before is not None:
            asked, at = self._asked
            if asked != before or time.monotonic() - at > ASK_AGAIN:
                self._asked = (before, time.monotonic())
                self.post_message(self.OlderWanted(before))

    def _slide(self, by: int) -> None:
        """Mount other messages; what is in view stays where it is."""
        view = self._first_in_view()
        if view is not None:
            self._held = (view, view.virtual_region.y - self.scroll_offset.y)
        if not self._log.slide(by):
            self._held = None
        self._sync()

    def arrange(self, size: Size, optimal: bool = False) -> DockArrangeResult:
        """As Textual has it; after `_slide` the scroll offset moves with the message held, in
        the same layout pass, so that nothing jumps. Textual sets an anchored offset alike."""
        result = super().arrange(size, optimal)
        held, self._held = self._held, None
        if held is None or self.following:
            return result
        view, offset = held
        y = next((one.region.y for one in result.placements if one.widget is view), None)
        if y is not None:
            self.set_reactive(Widget.scroll_y, max(0, y - offset))
            self.set_reactive(Widget.scroll_target_y, max(0, y - offset))
            self.vertical_scrollbar.position = max(0, y - offset)
        return result

    def _first_in_view(self) -> MessageView | None:
        top = self.scroll_y
        return next((v for v in self._in_order() if v.virtual_region.bottom > top), None)

    def _in_order(self) -> list[MessageView]:
        """The mounted messages from oldest to newest, the live one last."""
        views = [view for item in self._log.mounted if (view := self._views.get(item.key))]
        live = self._live.view if self._live is not None else None
        return [*views, live] if live is not None else views

    def on__older_pressed(self, event: _Older.Pressed) -> None:
        event.stop()
        self._reach_up()
