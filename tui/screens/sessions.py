"""The Sessions screen: sidebar, conversation with composer, inspector."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import var
from textual.widget import Widget
from textual.widgets import TextArea

from engine.errors import BranchlineError
from engine.events import ConfigChanged, Noticed, ReplyDelta
from engine.text import safe_line
from engine.turns.commands import COMMANDS
from engine.values import replace
from tui.behind.fills import threshold
from tui.bridge import Batch
from tui.later import later
from tui.screens.chat_branches import ChatBranches
from tui.screens.session_fills import SessionFills
from tui.screens.session_keeping import SessionKeeping
from tui.widgets.chat.chat import Chat
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation
from tui.widgets.chat.message import MessageView
from tui.widgets.chat.outbox import Outbox
from tui.widgets.chat.prompt_history import PromptHistory
from tui.widgets.drawn import entitle
from tui.widgets.linefield import LineField
from tui.widgets.lines import HintLine
from tui.widgets.rowlist import RowList
from tui.widgets.sessions import advice
from tui.widgets.sessions.inspector import Inspector
from tui.widgets.sessions.sessionlist import SessionList
from tui.widgets.sessions.statusbar import StatusBar

__all__ = ["SessionsScreen"]


FILTER = "name is:new label:vip"
"""What the filter takes, told in the cells that the narrowest sidebar has."""


class SessionsScreen(ChatBranches, SessionKeeping, SessionFills):
    """All sessions, and one of them open."""

    HELP = """\
    ## Two states

    **Writing**: the cursor is in the composer; only keys with Ctrl and F-keys act.
    **Looking around**: single letters act. **Esc** goes there, **o** goes back to writing.

    ## Who shares what

    The inspector tells whose words are in a session's memory. *Change dmScope…* among the
    commands (**^P**) shows what a scope would merge, split and expose before it is applied, and
    *Undo config change* takes it back. **P** lists strangers who ask to be let in. A red line
    tells of a leak that was stopped; **X** puts it away, and it stays among the *Problems*.
    """

    MODE = "sessions"
    PANES = (SessionList, Conversation, Composer, Inspector)
    NAVIGATE = frozenset(
        {"compose", "new_chat", "filter", "pane", "zoom", "copy_key", "pairings", "tree_here"}
        | {
            "rename",
            "label",
            "read",
            "archive",
            "delete",
            "bring_back",
            "generations",
            "write_as",
            "new_session",
        }
    )
    BINDING_GROUP_TITLE = "Sessions screen"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "compose", "Write", id="sessions.write", tooltip="To the composer"),
        Binding("n", "new_chat", "New", id="sessions.new", show=False),
        Binding("slash", "filter", "Filter", id="sessions.filter", show=False),
        Binding("m", "model", "Model", id="sessions.model", show=False),
        Binding("R", "read", "Read or unread", id="sessions.read", show=False),
        Binding(
            "R",
            "regenerate_with",
            "Reply again with another model",
            id="chat.regenerate-with",
            show=False,
        ),
        Binding("t", "tree_here", "Tree", id="sessions.tree", show=False),
        Binding("ctrl+t", "tree", "Tree", id="sessions.tree-now", show=False),
        Binding("i", "pane('inspector')", "Inspector", id="sessions.inspector", show=False),
        Binding("s", "pane('sidebar')", "Sidebar", id="sessions.sidebar", show=False),
        Binding("z", "zoom", "Zoom", id="sessions.zoom", show=False),
        Binding("y", "copy_key", "Copy key", id="sessions.copy-key", show=False),
        Binding(
            "P",
            "pairings",
            "Pairing requests",
            id="sessions.pairings",
            show=False,
            tooltip="Let strangers in, or not",
        ),
        Binding("ctrl+l", "model", "Model", id="sessions.model-now", show=False),
        Binding("ctrl+c", "stop", "Stop", id="sessions.stop", priority=True, key_display="^C"),
        Binding("ctrl+c", "copy", "Copy", id="sessions.copy", priority=True, show=False),
        Binding("escape", "leave", "Look around", id="sessions.leave", show=False),
    ]

    conversation = getters.query_one(Conversation)
    inspector = getters.query_one(Inspector)
    bar = getters.query_one(StatusBar)

    busy: var[bool] = var(False, bindings=True)
    """Whether the open session is being answered."""

    def __init__(self) -> None:
        super().__init__()
        self._placed = False
        self._refresh_wanted = False

    def row_0(self) -> StatusBar:
        return StatusBar(id="bar")

    def body(self) -> ComposeResult:
        yield HintLine()
        with Horizontal(id="panes"):
            with Vertical(id="sidebar"):
                yield SessionList(self.home.bridge.tracker, id="sessions")
                yield LineField(id="filter", compact=True, placeholder=FILTER)
            with Vertical(id="chat"):
                yield Conversation(id="conversation")
                yield Composer(
                    PromptHistory(self.home.engine.state_dir / "prompts.jsonl"),
                    commands=COMMANDS,
                    arguments=self._arguments,
                    id="composer",
                )
            yield Inspector(id="inspector")

    # start and news

    def on_mount(self) -> None:
        self.chat = Chat(self.engine, self.tracker, self.conversation, self._decorate)
        self.chat.next_models = self.home.next_models
        self.sessions.add_class("pane")
        self.inspector.add_class("pane")
        self.outbox = Outbox(self.chat, self.composer, self.home.fail)
        self.outbox.load(self.home.memory.drafts)
        self.home.keepers.append(self.leave)
        self.home.underway.append(lambda: self.outbox.underway)
        self.set_interval(20, self._ages)
        self.draw()
        self.composer.focus()
        self.open_session(self._first_session())

    def _first_session(self) -> str:
        """The session open last, else the operator's main one."""
        last = self.home.memory.last_session
        if last is not None and last in self.tracker.infos:
            return last
        return self._route_home().session_key

    def overhear(self, batch: Batch) -> bool:
        self._refresh_wanted = self.chat.take(batch) or any(
            isinstance(event, (ConfigChanged, Noticed)) for event in batch
        )
        return True

    def news(self, batch: Batch) -> None:
        if self._refresh_wanted:
            self._refresh_view()
        if not batch or any(not isinstance(event, ReplyDelta) for event in batch):
            self.draw()
            if self.stands:
                self.renew_fills()

    def again(self) -> None:
        self._refresh_view()
        self.renew_fills()

    def _ages(self) -> None:
        self.run_worker(self.home.keep_memory(), group="memory")
        if self.is_current and self.stands:
            self.sessions.show(self.engine.config, self.home.glyphs, _now())

    def draw(self) -> None:
        """Bring list, row 0 and inspector up to date; each repaints only what changed."""
        if not self.stands:
            return
        config, glyphs = self.engine.config, self.home.glyphs
        self.draw_warnings()
        self.sessions.show(config, glyphs, _now())
        if not self._placed:  # a new chat comes into the list with its first message
            self._placed = self.sessions.go_to(self.chat.ref)
        asking = len(self.home.pairings.waiting)
        self.bar.show(advice.bar_state(self.engine, self.tracker, asking), glyphs)
        self._inspect()
        self.draw_speaker()
        self.busy = self.composer.busy = self.chat.key in self.tracker.live

    def _inspect(self) -> None:
        state = advice.inspector_state(self.engine, self.tracker, self.chat)
        self.inspector.show(state, self.home.glyphs)
        entitle(self.conversation, self.chat.title())
        hint = advice.connect_hint(state.model, advice.short_path(self.engine.config_path))
        self.query_one(HintLine).variants = () if self.home.memory.hint_dismissed else hint

    def _decorate(self, name: str) -> Content:
        """The title over the column; where the inspector is out of sight, with the gauge."""
        tracker, ref = self.tracker, self.chat.ref
        info, fill = tracker.infos.get(ref), tracker.fills.get(ref)
        fill = None if self.pane_shown("inspector") else fill
        width = self.conversation.size.width - 6
        return advice.chat_title(name, info, fill, width, self.home.glyphs)

    def _arguments(self) -> dict[str, tuple[str, ...]]:
        """Values that slash commands take, for the composer's completion."""
        from tui.commands.modelchoice import model_refs

        return {"model": ("default", *model_refs(self.home))}

    def sights(self) -> Iterable[str]:
        """A compaction that is unfolded; the cursor on a message that it folded."""
        views = [view for view in self.query(MessageView) if view.shown.entry]
        if not views:
            return
        here = self.conversation.current if self.conversation.has_focus else None
        for place, view in enumerate(views):
            if view.shown.entry is None or view.shown.entry.type != "compaction":
                continue
            if view.unfolded:
                yield "fold open"
            if here is not None and here in [above.shown.entry for above in views[:place]]:
                yield "folded message"

    # opening and sending

    def open_session(self, key: str) -> None:
        """Show a session and keep the draft of the one before."""
        self.outbox.move(key)
        later(self, partial(self._open, key), group="open")

    async def _open(self, key: str) -> None:
        self.conversation.new_here = not self.tracker.infos
        try:
            await self.chat.open(key)
        except BranchlineError as error:
            self.home.fail(error)
            self.outbox.move(self.chat.ref)
            self._point_at(self.chat.ref)
            self._refresh_view()  # it may have been left before all of it was shown
            return
        if not self.stands:
            return
        self._point_at(key)
        self._take_view()
        self.look_up_fills()
        self.close_drawers()

    def _point_at(self, ref: str) -> None:
        self.sessions.mark(ref)
        self._placed = self.sessions.go_to(ref)

    def _refresh_view(self) -> None:
        later(self, self._refresh, group="view")

    async def _refresh(self) -> None:
        try:
            await self.chat.refresh()
        except BranchlineError as error:
            self.home.fail(error)
        self._take_view()

    def _take_view(self) -> None:
        if self.chat.view is not None:
            self.tracker.remember(self.chat.view, threshold(self.engine))
        self.draw()

    def filled(self, ref: str) -> None:
        if self.stands:
            self.sessions.paint_again((ref,))
            if ref == self.chat.ref:
                self._inspect()

    @on(RowList.Selected)
    def _selected(self, event: RowList.Selected) -> None:
        if isinstance(event.key, str):
            self.open_session(event.key)
            self.composer.focus()

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        self._send(event.text)

    @on(Conversation.OlderWanted)
    def _older_wanted(self, event: Conversation.OlderWanted) -> None:
        later(self, partial(self._older, event.before), group="older")

    async def _older(self, before: str) -> None:
        try:
            await self.chat.older(before)
        except BranchlineError as error:
            self.home.fail(error)

    # actions

    def action_compose(self) -> None:
        self.close_drawers()
        self.composer.focus()

    def action_leave(self) -> None:
        """Esc: out of the composer, else close what lies over the chat."""
        if self.sessions.has_focus and self.sessions.clear_marks():
            return
        if self.filter_line.has_class("-shown"):
            self._end_filter("")
        elif isinstance(self.focused, TextArea) or not (self.close_drawers() or self.unzoom()):
            self.conversation.focus()

    def run_command(self, text: str) -> None:
        """Send a slash command in the open session."""
        self._send(text)

    def _send(self, text: str) -> None:
        """To the session that the composer writes to now: another may be opened before it is
        sent."""
        work = partial(self.outbox.send, text, self.outbox.ref)
        later(self, work, group="send", exclusive=False)

    def leave(self) -> None:
        """Remember where the person was, and what to say at the end."""
        key = self.chat.ref
        self.home.memory = replace(
            self.home.memory,
            last_session=key,
            drafts=self.home.unsent.over(self.outbox.unsent()),
            next_models=self.outbox.unused_models(),
            seen=self.tracker.seen(),
            known_until=self.tracker.latest,
            needs=self.tracker.lasting(),
        )
        self.home.farewell = (
            f"You were in {safe_line(self.chat.name)} ({safe_line(key)}).\n"
            f"`branchline` goes on there."
        )

    # panes

    def pane_target(self, pane: str) -> Widget:
        return self.inspector if pane == "inspector" else self.sessions

    def zoom_name(self) -> str:
        if self.focused is self.inspector:
            return "inspector"
        return "list" if self.focused is self.sessions else "chat"

    def toggle_pane(self, pane: str) -> None:
        super().toggle_pane(pane)
        self._inspect()

    def on_resize(self) -> None:
        self.call_after_refresh(self._inspect)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop":
            return self.busy
        if action in ("read", "regenerate_with"):  # one key, as each pane has it
            on_message = isinstance(self.focused, Conversation)
            return on_message is (action == "regenerate_with") and not self.writing
        return super().check_action(action, parameters)


def _now() -> int:
    return time.time_ns() // 1_000_000
