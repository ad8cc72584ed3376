"""A lane: one simulated person with their conversation, and a composer to speak as them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Static

from engine.engine import Engine
from engine.errors import BranchlineError
from engine.events import Event
from engine.scenario.cast import Persona
from engine.text import safe_line
from engine.turns.commands import COMMANDS
from tui.later import later
from tui.look.glyphs import UNICODE, Glyphs
from tui.tracker import Tracker
from tui.widgets.chat.chat import Chat
from tui.widgets.chat.composer import Composer
from tui.widgets.chat.conversation import Conversation
from tui.widgets.drawn import drawn, entitle, put
from tui.widgets.simulator.lanelines import LaneFacts, badge, foot_line, head_lines, lane_title

__all__ = ["Lane", "LaneTalk"]

LONG_HEAD, SHORT_HEAD = 24, 12
"""Rows of a lane from which its head takes three rows, and one."""


class LaneTalk(Conversation):
    """The messages of a lane. Its keys leave the footer to the screen's."""

    HELP: ClassVar[str] = """\
    ## Simulator

    Write as several people at once and see who shares a memory. Each lane is somebody on a
    channel; what you write goes through the engine **as if it came from there**: routed, let in
    or not, stored and answered like a real message. **Tab** leads to the next lane.

    The **matrix** tells who shares a session under the dmScope in force and under the others:
    the same letter is the same memory. Its last line is the leak monitor's: who was answered with
    whose words in sight. **p** changes the scope, with its effect shown first.

    **S** opens a scenario: people with a script, on an engine and a clock of their own. **s**
    plays a step, **r** runs and pauses, **R** begins again; in between you may write as anybody.
    **w** keeps all that was done as a scenario file.

    **b** sends what stands in all composers at once, **O** in another order, **h** holds messages
    back until then. **d** delivers the last message again, **D** loses the next one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(one.key, one.action, one.description, id=one.id, show=False, tooltip=one.tooltip)
        for one in Binding.make_bindings(Conversation.BINDINGS)
    ]

    # As Textual has it, but a reply that grew is laid out once, not twice: the second time is for
    # scroll bars, and a lane has none.
    virtual_size = Reactive(Size(0, 0), layout=False)

    @dataclass
    class Below(Message):
        """The end went out of view, came back, or more came below: says what, "" at the end."""

        told: str

    _told = ""

    def _tell(self) -> None:
        super()._tell()
        more = f"{self._unseen:,} new below · End" if self._unseen else "more below · End"
        told = "" if self.following else more
        if told != self._told:
            self._told = told
            self.post_message(self.Below(told))


class LaneComposer(Composer):
    """The composer of a lane, and for whom it writes. Keys of one burst go where the ones before
    them led: `Tab` moves the focus before the next letter is looked at, and a letter that came for
    a lane that was left meanwhile is handed on."""

    LEADS: ClassVar[tuple[str, ...]] = ("lane(1)", "lane(-1)", "leave")
    """Actions of the screen that move the focus."""

    @dataclass
    class Spoke(Message):
        """Enter was pressed: who says what. The lane may be somebody else's when this is heard."""

        person: Persona
        text: str

    person: Persona | None = None

    def submit(self, text: str) -> None:
        if self.person is not None:
            self.post_message(self.Spoke(self.person, text))

    async def _on_key(self, event: events.Key) -> None:
        now = self.screen.focused
        if now is not None and now is not self:
            event.stop()
            event.prevent_default()
            now._forward_event(events.Key(event.key, event.character))
        elif not event.is_printable and not self.menu.is_open:
            found = self.screen.active_bindings.get(event.key)
            if found is not None and found.binding.action in self.LEADS:
                event.stop()
                event.prevent_default()
                await self.run_action(f"screen.{found.binding.action}")


class Lane(Vertical):
    """One of the lanes side by side. Whom it is given to may change; `give` says to whom.

    Args:
        fail: tells the person of an error.
    """

    DEFAULT_CSS = """
    Lane {
        width: 1fr; height: 1fr; min-width: 12;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-subtitle-color: $foreground;
        &.-on { border: heavy $border; border-title-style: bold; }
        & > .head, & > .foot { width: 1fr; height: auto; padding: 0 1; }
        & > .head { border-bottom: solid $border-blurred; }
        & > .head.-none { display: none; }
        & > Conversation { border: none; scrollbar-size-vertical: 0; }
        & > Conversation:focus { border: none; }
        & > Composer {
            border: none; border-top: dashed $border-blurred;
            min-height: 2; max-height: 6; padding: 0 1;
        }
        & > Composer:focus { border: none; border-top: solid $border; }
    }
    """

    conversation = getters.query_one(Conversation)
    composer = getters.query_one(LaneComposer)

    @dataclass
    class Spoke(Message):
        """Enter was pressed in the lane's composer, by the one who had the lane then."""

        lane: Lane
        person: Persona
        text: str

    @dataclass
    class Looked(Message):
        """The session's state was read again."""

        lane: Lane

    def __init__(self, fail: Callable[[BranchlineError], None], *, id: str):  # noqa: A002
        super().__init__(id=id)
        self._fail = fail
        self.person: Persona | None = None
        self.chat: Chat | None = None
        self.facts: LaneFacts | None = None
        self._glyphs = UNICODE
        self._source: object = None
        self._key = ""
        self._before = ""
        self._below = ""
        self._said: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(classes="head", markup=False)
        yield LaneTalk()
        yield Static(classes="foot", markup=False)
        yield LaneComposer(commands=COMMANDS)

    # whose it is

    def give(self, person: Persona, key: str, engine: Engine, tracker: Tracker) -> None:
        """Give the lane to somebody who writes to a session; nothing happens when it is so."""
        if self.person != person or self.chat is None or self._source is not tracker:
            self._stop_reading()
            self.person, self._source, self._key, self._before = person, tracker, "", ""
            self.composer.person = person
            self.chat = Chat(engine, tracker, self.conversation, Content, reads=False)
            name = safe_line(person.name, limit=40)
            self.composer.placeholder = Content(f"{name} says …")
        if key != self._key:
            self._before, self._key = self._key, key
            later(self, self._open, group="open")

    def take_back(self) -> None:
        """The lane belongs to nobody."""
        self._stop_reading()
        self.person = self.chat = self.composer.person = None

    def _stop_reading(self) -> None:
        """What is read for the one before must not be shown to the next."""
        for group in ("open", "refresh", "older"):
            self.workers.cancel_group(self, group)

    async def _open(self) -> None:
        chat, key, before = self.chat, self._key, self._before
        if chat is None:
            return
        await self._read(chat.open(key))
        if before and chat.ref == key and chat.view is None:
            told = (
                f"from here on this person writes to {key}; what was said before stays in {before}"
            )
            chat.note(told)

    async def _refresh(self) -> None:
        if self.chat is not None:
            await self._read(self.chat.refresh())

    async def _read(self, reading: Awaitable[None]) -> None:
        try:
            await reading
        except BranchlineError as error:
            self._fail(error)
        self.post_message(self.Looked(self))

    def take(self, batch: tuple[Event, ...]) -> None:
        """Hear what the engine told."""
        if self.chat is not None and self.chat.take(batch):
            later(self, self._refresh, group="refresh")

    def note(self, text: str) -> None:
        """Say something in the conversation that is stored nowhere."""
        if self.chat is not None:
            self.chat.note(text)

    # what it says

    def tell(self, facts: LaneFacts, glyphs: Glyphs) -> None:
        """Bring title, head and foot up to date; what did not change is not painted."""
        self.facts, self._glyphs = facts, glyphs
        width, height = self.content_size.width - 2, self.size.height
        said = (facts, width, height, glyphs)
        if width <= 0 or said == self._said:
            return
        self._said = said
        rows = 3 if height >= LONG_HEAD else 1 if height >= SHORT_HEAD else 0
        title = lane_title(facts, long=rows < 3, width=width, glyphs=glyphs)
        entitle(self, drawn(self, Content(title)))
        self._badge()
        head, foot = self.query_one(".head", Static), self.query_one(".foot", Static)
        head.set_class(rows == 0, "-none")
        if rows:
            put(head, drawn(self, head_lines(facts, width, rows, glyphs)))
        put(foot, drawn(self, foot_line(facts, width, glyphs)))
        self.composer.busy = facts.state not in ("idle", "")

    def _badge(self) -> None:
        """The lower edge: what came below, whose memory this is, and who answers."""
        facts = self.facts
        if facts is not None:
            mark = badge(facts.letter, facts.route.agent_id, self._glyphs)
            told = f"{self._below}  " if self._below else ""
            entitle(self, subtitle=drawn(self, Content(told) + mark))

    @on(LaneTalk.Below)
    def _more_below(self, event: LaneTalk.Below) -> None:
        event.stop()
        self._below = event.told
        self._badge()

    def on_resize(self) -> None:
        if self.facts is not None:
            self.tell(self.facts, self._glyphs)

    # speaking

    @on(LaneComposer.Spoke)
    def _spoke(self, event: LaneComposer.Spoke) -> None:
        event.stop()
        self.post_message(self.Spoke(self, event.person, event.text))

    @on(Conversation.OlderWanted)
    def _older_wanted(self, event: Conversation.OlderWanted) -> None:
        event.stop()
        later(self, lambda: self._older(event.before), group="older")

    async def _older(self, before: str) -> None:
        if self.chat is None:
            return
        try:
            await self.chat.older(before)
        except BranchlineError as error:
            self._fail(error)

    def on_click(self, event: events.Click) -> None:
        """A click beside the text fields goes to the composer."""
        if event.widget in (self, *self.query(Static)):
            self.composer.focus()
