"""The lanes of the Simulator screen: whose they are, which are in view, where the focus is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial, reduce

from textual import getters
from textual.widget import Widget
from textual.widgets import Input, TextArea

from engine.errors import BranchlineError
from engine.scenario.cast import Persona, persona_of
from engine.scenario.told import Said
from engine.scenario.values import Message, Step
from engine.text import safe_line
from engine.values import replace
from tui.behind.lanememory import kept_lanes
from tui.behind.playhouse import Playhouse
from tui.behind.unsent import above
from tui.later import later
from tui.screens.cockpit import CockpitScreen
from tui.widgets.chat.composer import without
from tui.widgets.simulator.lane import Lane
from tui.widgets.simulator.matrixpanel import MatrixPanel
from tui.widgets.simulator.simulatorbar import SimulatorBar
from tui.widgets.simulator.steplist import StepList

__all__ = ["LANE_WIDTH", "SHOWN", "LaneScreen"]

SHOWN = 4
"""Most lanes in view."""

LANE_WIDTH = 30
"""Cells that a lane needs at least."""


class LaneScreen(CockpitScreen):
    """People side by side, up to four in view."""

    house: Playhouse
    ready = False
    """Whether there is a house yet."""

    matrix_panel = getters.query_one(MatrixPanel)
    steps = getters.query_one(StepList)
    bar = getters.query_one(SimulatorBar)

    def __init__(self) -> None:
        super().__init__()
        self.first = 0
        """The place of the first lane in view."""
        self.at = 0
        """The place of the lane that has the focus, or had it last."""
        self.alone = False
        """Whether one lane is shown alone (`z`)."""
        self.dropping: set[Persona] = set()
        self.mentioning: set[Persona] = set()
        self.held: list[tuple[Persona, str]] = []
        self.holding = False
        self.last: dict[Persona, str] = {}
        """The id of what each said last."""
        self._drafts: dict[Persona, str] = {}
        self._slots: list[Lane] = []

    def draw(self) -> None:
        """Bring everything up to date; what did not change is not painted."""
        raise NotImplementedError

    # which lanes there are

    @property
    def people(self) -> list[Persona]:
        return self.house.troupe.people

    @property
    def current(self) -> Persona | None:
        """Whose lane has the focus."""
        return self.people[self.at] if self.at < len(self.people) else None

    @property
    def room(self) -> int:
        """How many lanes fit."""
        return 1 if self.alone else max(1, min(SHOWN, self.size.width // LANE_WIDTH))

    @property
    def slots(self) -> list[Lane]:
        """All lanes, whether they belong to somebody or not."""
        if not self._slots:
            self._slots = list(self.query(Lane))
        return self._slots

    @property
    def in_view(self) -> list[Lane]:
        """The lanes that belong to somebody, from left to right."""
        return [lane for lane in self.slots if lane.display and lane.person is not None]

    def lane_of(self, person: Persona) -> Lane | None:
        """Somebody's lane, when it is in view."""
        return next((lane for lane in self.in_view if lane.person == person), None)

    def place(self) -> None:
        """Give each lane in view to whom it belongs now."""
        people, room = self.people, self.room
        self.at = max(0, min(self.at, len(people) - 1))
        self.first = max(0, min(self.first, len(people) - room))
        if not self.first <= self.at < self.first + room:
            self.first = max(0, min(self.at, len(people) - room))
        seen = people[self.first : self.first + room]
        lanes = [
            (lane, seen[slot] if slot < len(seen) else None) for slot, lane in enumerate(self.slots)
        ]
        for lane, person in lanes:
            if lane.person != person:  # all of them first: a draft may be in another lane until now
                self._let_go(lane)
        for lane, person in lanes:
            lane.display = person is not None
            if person is not None:
                self._give(lane, person)
            lane.set_class(person is not None and person == self.current, "-on")

    def _let_go(self, lane: Lane) -> None:
        """A lane out of view belongs to nobody: it hears nothing, and its words wait here."""
        if lane.person is not None:
            self._drafts[lane.person] = lane.composer.draft
            lane.composer.set_draft("")
            lane.take_back()

    def _give(self, lane: Lane, person: Persona) -> None:
        if lane.person != person:
            lane.composer.set_draft(self._drafts.pop(person, ""))
        key = self.house.troupe.route(person).session_key
        lane.give(person, key, self.house.engine, self.house.tracker)

    def forget_lanes(self) -> None:
        """Another troupe is here: what was written is for its people no more."""
        for lane in self.slots:
            self._let_go(lane)
        self._unhold()
        self.first = self.at = 0
        self.dropping.clear()

    def _unhold(self) -> None:
        """What was held back stands with what its people were writing."""
        for person, text in reversed(self.held):
            self._drafts[person] = above(text, self._drafts.get(person, ""))
        self.held.clear()

    def taken(self, person: Persona, text: str, remember: Callable[[str], Awaitable[None]]) -> None:
        """What somebody said is on its way: out of what they have written, wherever that is."""
        later(self, partial(remember, text), group="taken", exclusive=False)
        if (lane := self.lane_of(person)) is not None:
            lane.composer.take_out(text)
        elif (draft := self._drafts.get(person, "")).startswith(text):
            self._drafts[person] = without(text, draft)

    def draft_of(self, person: Persona) -> str:
        """What somebody has written and not sent."""
        lane = self.lane_of(person)
        return lane.composer.draft if lane is not None else self._drafts.get(person, "")

    def unsaid_by(self, person: Persona) -> str:
        """What somebody wrote and is not on disk: on its way, held back, or being written."""
        texts = [one.text for one in self.house.live.unsaid if persona_of(one) == person]
        if self.house.stage is None:
            texts += [text for one, text in self.held if one == person]
        return reduce(
            lambda below, text: above(text, below), reversed(texts), self.draft_of(person)
        )

    def sends(self) -> bool:
        """Whether something is on its way that will be on disk in a moment."""
        live = self.home.bridge.tracker.live
        routes = (self.house.live.route(persona_of(one)) for one in self.house.live.unsaid)
        return any(route.session_key not in live for route in routes)

    def keep_lanes(self) -> None:
        """For the next start: who is here, and what they did not send. A scenario is not kept."""
        if self.house.live.people:
            lanes = kept_lanes(self.house.live.people, self.unsaid_by)
            self.home.memory = replace(self.home.memory, lanes=lanes)

    def clear_drafts(self) -> None:
        """All that was written is on its way."""
        for lane in self.in_view:
            lane.composer.set_draft("")
        self._drafts.clear()

    # focus

    def go_to_lane(self, place: int, *, write: bool | None = None) -> None:
        """To a lane, in the composer or in its messages as one was before."""
        if not self.people:
            return
        writing = self.writing if write is None else write
        self.at = place % len(self.people)
        self.place()
        self.draw()
        person = self.current
        lane = self.lane_of(person) if person is not None else None
        if lane is not None:
            self.set_focus(lane.composer if writing else lane.conversation)

    def on_descendant_focus(self) -> None:
        """A click into another lane takes the focus there."""
        node = self.focused
        lane = (
            next((one for one in node.ancestors if isinstance(one, Lane)), None) if node else None
        )
        if lane is not None and lane.person is not None and lane.person in self.people:
            at = self.people.index(lane.person)
            if at != self.at:
                self.at = at
                for one in self.slots:
                    one.set_class(one is lane, "-on")
                self.draw()

    def rounds(self) -> list[list[Widget]]:
        """While one writes Tab leads from composer to composer; else through conversations and
        the steps."""
        lanes = self.in_view
        steps: list[Widget] = [self.steps] if self.steps.display else []
        talks: list[Widget] = [lane.conversation for lane in lanes]
        return [[*talks, *steps], [lane.composer for lane in lanes]]

    def action_lane(self, by: int) -> None:
        """Tab: the next lane; while looking around also the steps, after the last one."""
        last = self.at + by in (-1, len(self.people))
        if self.focused is self.steps:
            self.go_to_lane(0 if by > 0 else len(self.people) - 1, write=False)
        elif last and not self.writing and self.steps.display:
            self.steps.focus()
        else:
            self.go_to_lane(self.at + by)

    def action_page(self, by: int) -> None:
        """The lanes before, or after, those in view."""
        self.first += by * self.room
        self.first = max(0, min(self.first, len(self.people) - self.room))
        self.at = self.first
        self.go_to_lane(self.at)

    def action_compose(self) -> None:
        self.go_to_lane(self.at, write=True)

    def action_leave(self) -> None:
        """Esc: out of the composer, else one lane alone is all of them again."""
        if isinstance(self.focused, (TextArea, Input)) or self.focused is None:
            self.go_to_lane(self.at, write=False)
        elif self.alone:
            self.action_zoom()
        else:
            self.go_to_lane(self.at, write=False)

    def action_zoom(self) -> None:
        """The lane in focus alone, or all again."""
        self.alone = not self.alone
        self.go_to_lane(self.at)

    # acting

    def act(self, step: Step) -> None:
        """Do something by hand; what came of it is said in the lanes."""
        # What is said is kept until it is on disk (keep_lanes), so nobody waits for its answer.
        group = "say" if step.messages and self.house.stage is None else "act"
        later(self, partial(self._act, step), group=group, exclusive=False)

    async def _act(self, step: Step) -> None:
        for message in step.messages:
            self._spoken(message, lost=step.kind == "drop")
        try:
            said = await self.house.troupe.play(step)
        except BranchlineError as error:
            self.home.fail(error)
            self._bring_back(step.messages)
            return
        finally:
            self.draw()
        self.tell_outcomes(said)
        self._bring_back([one.message for one in said if one.lost])
        self.house.after(step)

    def _spoken(self, message: Message, *, lost: bool) -> None:
        person = self.person_of(message)
        if person is None:
            return
        self.last[person] = message.id
        lane = self.lane_of(person)
        if lost and lane is not None:
            glyphs = self.home.glyphs
            lane.note(f"{glyphs.no} lost on its way: {safe_line(message.text, limit=200)}")

    def _bring_back(self, messages: Iterable[Message]) -> None:
        """What was refused stands in the composer again."""
        for message in messages:
            person = self.person_of(message)
            lane = self.lane_of(person) if person is not None else None
            if lane is not None:
                lane.composer.refused(message.text)
            elif person is not None:
                self._drafts[person] = above(message.text, self._drafts.get(person, ""))

    def person_of(self, message: Message) -> Persona | None:
        """Who of those here says a message."""
        person = persona_of(message)
        return person if person in self.people else None

    def tell_outcomes(self, said: tuple[Said, ...]) -> None:
        """Whatever is not in the conversation itself: codes, refusals, answers of commands."""
        for one in said:
            person = self.person_of(one.message)
            lane = self.lane_of(person) if person is not None else None
            if lane is not None:
                for told in _outcome(one):
                    lane.note(told)


def _outcome(said: Said) -> Iterator[str]:
    reply = safe_line(said.reply, limit=400)
    match said.outcome:
        case "duplicate":
            yield "delivered again: the engine knew it and did nothing"
        case "pairing":
            yield f"not let in yet: {reply}" if reply else "not let in yet"
        case "blocked":
            yield f"refused: {reply}" if reply else "refused: nothing was stored or answered"
        case "command":
            yield reply or "done"
        case "error" if said.lost:
            yield f"not sent: {reply}"
        case "refused":
            yield f"stopped by the leak monitor: {reply}"
