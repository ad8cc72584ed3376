"""What can be done with the people of the Simulator screen, and with what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from textual import on
from textual.content import Content

from engine.errors import BranchlineError
from engine.routing.envelope import Envelope, Peer
from engine.scenario.cast import SAMPLE, Persona, joined, known_people
from engine.scenario.values import Message, Step, StepKind
from engine.text import safe_line
from engine.turns.intake import identified
from tui.behind.lanememory import lanes_of
from tui.commands.offers import Offer, Offers
from tui.config import isolation
from tui.later import later
from tui.look.tones import MUTED
from tui.screens.simulator_lanes import SHOWN, LaneScreen
from tui.widgets.chat.conversation import Conversation
from tui.widgets.simulator.lane import Lane
from tui.widgets.simulator.lanelines import account_line, end_of, peer_line

__all__ = ["PeopleScreen", "known_in"]

KNOWN, MESSAGES = 100, 200
"""Sessions, and messages of each, in which people are looked for; the latest."""

NEW = Envelope("telegram", peer=Peer("dm", ""))
"""What stands in the form for somebody new."""


def known_in(screen: LaneScreen) -> tuple[Persona, ...]:
    """The people who wrote to the engine that is open, the latest first. Reads files."""
    from engine.clock import SystemClock
    from engine.disk import Disk
    from engine.sessions.store import Store
    from engine.turns.recorded import recorded_lately

    store = Store(Disk(), screen.engine.state_dir, SystemClock())
    messages = recorded_lately(store, sessions=KNOWN, each=MESSAGES)
    return known_people(message.envelope for message in messages)


class PeopleScreen(LaneScreen):
    """Adding and removing people, and speaking as them."""

    async def begin(self) -> None:
        """Who was here at the last start, else who wrote lately; else two people to try with."""
        kept = lanes_of(self.home.memory.lanes)
        try:
            known = () if kept else await asyncio.to_thread(known_in, self)
        except BranchlineError as error:
            self.home.fail(error)
            known = ()
        found = known[:SHOWN] or joined(SAMPLE)
        if not self.stands or self.house.live.people:
            return
        here = kept or [(one.envelope, "") for one in found]
        for one, (_, draft) in zip(joined([each for each, _ in here]), here, strict=True):
            self.house.live.add(one)
            self._drafts[one] = draft
        self.home.keepers.append(self.keep_lanes)
        self.home.underway.append(self.sends)
        self.go_to_lane(0, write=True)

    # speaking

    @on(Lane.Spoke)
    def _spoke(self, event: Lane.Spoke) -> None:
        event.stop()
        if event.person in self.people:
            self.taken(event.person, event.text, event.lane.composer.remember)
            self.speak(event.person, event.text)

    def speak(self, person: Persona, text: str) -> None:
        """Somebody says something: delivered, held back, or lost, as was asked for."""
        if self.holding:
            self.held.append((person, text))
            lane = self.lane_of(person)
            if lane is not None:
                lane.note(f"held back: {safe_line(text, limit=200)}")
            self.draw()
            return
        kind: StepKind = "drop" if person in self.dropping else "say"
        self.dropping.discard(person)
        self.act(Step(kind, (self._message(person, text),)))

    def _message(self, person: Persona, text: str) -> Message:
        return self.house.troupe.message(person, text, mention=person in self.mentioning)

    @on(Conversation.Opened)
    def _opened(self, event: Conversation.Opened) -> None:
        event.stop()
        self.action_compose()

    def _waiting(self) -> list[tuple[Persona, str]]:
        """What was held back, and what stands in the composers, from left to right."""
        drafts = [(one, self.draft_of(one)) for one in self.people]
        return [*self.held, *(each for each in drafts if each[1].strip())]

    def action_at_once(self) -> None:
        """Everything that is written goes off at once; with nothing written, ask for a text that
        everybody says."""
        if not self._release("atOnce"):
            later(self, self._broadcast, group="dialog")

    def action_shuffle(self) -> None:
        """Everything that is written arrives one by one, in another order."""
        if not self._release("reorder"):
            self.say("Write in several lanes first, or hold messages back with h", "Shuffle")

    def _release(self, kind: StepKind) -> bool:
        waiting = self._waiting()
        if not waiting:
            return False
        self.held.clear()
        self.holding = False
        self.clear_drafts()
        messages = tuple(self._message(person, text) for person, text in waiting)
        self.act(Step(kind, messages))
        return True

    async def _broadcast(self) -> None:
        from tui.widgets.dialogs.ask import Ask

        hint = "Sent by everybody at the same moment"
        ask = Ask("Everybody says", hint=hint, check=_message_fault, limit=4000)
        text = await self.app.push_screen_wait(ask)
        if text and self.people:
            messages = tuple(self._message(person, text) for person in self.people)
            self.act(Step("atOnce", messages))

    def action_hold(self) -> None:
        """Keep messages back until `b` or `O` lets them go."""
        self.holding = not self.holding
        if self.holding:
            self.say("Messages are held back; b sends them at once, O in another order", "Hold")
        elif self.held:
            self._release("atOnce")
        self.draw()

    def action_again(self) -> None:
        """The channel delivers what this person said last once more."""
        person = self.current
        last = self.last.get(person) if person is not None else None
        if last is None:
            self.say("Nothing was said here yet", "Deliver again")
        else:
            self.act(Step("redeliver", value=last))

    def action_drop_next(self) -> None:
        """The next message of this person is lost on its way, or not."""
        if (person := self.current) is not None:
            self.dropping ^= {person}
            self.draw()

    def action_mention(self) -> None:
        """Whether messages of this person address the agent, as a mention in a group does."""
        if (person := self.current) is not None:
            self.mentioning ^= {person}
            self.draw()

    def action_approve(self) -> None:
        """Let this person in (a scenario), or see who asks (the engine that is open)."""
        person = self.current
        if self.house.stage is None:
            isolation.show_pairings(self.home)
        elif person is not None:
            self.act(Step("approve", value=person.user))

    # people

    def action_add(self) -> None:
        later(self, self._add, group="dialog")

    async def _add(self) -> None:
        from tui.widgets.dialogs.dialog import Commands

        try:
            known = await asyncio.to_thread(known_in, self)
        except BranchlineError as error:
            self.home.fail(error)
            known = ()
        screen = self
        here = {one.envelope for one in self.people}
        fresh = [one for one in known if one.envelope not in here]
        if not fresh:
            await self._ask_for(NEW, None)
            return

        class Known(Offers):
            SHOWN = 200

            def offers(self) -> Iterator[Offer]:
                yield "Somebody new …", "Fill in who it is", partial(screen.ask_for, NEW)
                for one in fresh:
                    told = f"{account_line(one.envelope)} · {peer_line(one.envelope)}"
                    yield safe_line(one.name, limit=60), told, partial(screen.come_in, one.envelope)

        self.app.push_screen(Commands(providers=[Known], placeholder="Who comes in?"))

    def ask_for(self, envelope: Envelope) -> None:
        """Ask who comes in, with something in the form already."""
        later(self, partial(self._ask_for, envelope, None), group="dialog")

    async def _ask_for(self, envelope: Envelope, old: Persona | None) -> None:
        from tui.widgets.dialogs.identity import IdentityDialog

        title = "Somebody new" if old is None else f"Who {safe_line(old.name, limit=40)} is"
        found = await self.app.push_screen_wait(IdentityDialog(title, envelope, self._told))
        if found is None:
            return
        if old is None or old not in self.people:
            self.come_in(found)
            return
        new = self.house.troupe.person(found)
        if new in self.people:
            self.go_to_lane(self.people.index(new))
            return
        self.house.troupe.replace(old, new)
        for marks in (self.dropping, self.mentioning):
            marks.discard(old)
        self.go_to_lane(self.people.index(new))

    def come_in(self, envelope: Envelope) -> None:
        """Somebody comes in, to the right of all others, or is here already."""
        one = self.house.troupe.person(envelope)
        if one not in self.people:
            self.house.troupe.add(one)
        self.go_to_lane(self.people.index(one), write=True)

    def action_identity(self) -> None:
        if (person := self.current) is not None:
            later(self, partial(self._ask_for, person.envelope, person), group="dialog")

    def action_remove(self) -> None:
        """This person leaves; what they said stays."""
        if (person := self.current) is not None:
            self.house.troupe.remove(person)
            self.place()
            self.draw()
            self.go_to_lane(self.at, write=False)

    def _told(self, envelope: Envelope) -> Content:
        """Where a message with these facts goes, and whether it may."""
        from engine.routing.access import judge

        engine, glyphs = self.house.engine, self.home.glyphs
        there = identified(envelope, engine.config)
        route = engine.route(there)
        access = judge(engine.config, there)
        letter = next(
            (
                number
                for number, one in enumerate(self.people, 1)
                if self.house.troupe.route(one).session_key == route.session_key
            ),
            None,
        )
        shared = f"the session of lane {letter}" if letter else "a session of its own here"
        sign = glyphs.yes if access.allowed else glyphs.no
        rows = [
            Content.assemble(
                (f"{glyphs.arrow} agent ", MUTED), (safe_line(route.agent_id), "bold"),
                (f"   by {route.matched_by}", MUTED),
            ),
            Content.assemble("  ", (end_of(route.session_key, 66, glyphs), "$text-primary")),
            Content.styled(f"  {shared}", MUTED),
            Content.styled(f"{sign} {safe_line(access.reason, limit=120)}", MUTED),
        ]  # fmt: skip
        return Content("\n").join(rows)

    def action_copy_key(self) -> None:
        if (person := self.current) is not None:
            self.copy(self.house.troupe.route(person).session_key, "Key")


def _message_fault(text: str) -> str | None:
    return None if text else "What do they say?"
