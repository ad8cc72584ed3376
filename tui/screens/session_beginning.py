"""Beginning conversations: with an agent, as a person; as whom one writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from engine.errors import BranchlineError
from engine.routing.envelope import Envelope, Peer
from engine.routing.keys import chat_key
from engine.scenario.cast import Persona, known_people
from engine.text import safe_line
from engine.turns.intake import identified
from engine.turns.origin import envelope_of
from tui.later import later
from tui.look.tones import MUTED
from tui.people.naming import agent_name
from tui.screens.session_actions import SessionActions
from tui.widgets.dialogs.box import Option, Pick
from tui.widgets.drawn import entitle

__all__ = ["SessionBeginning"]

LOOKED_AT = 200
"""Entries in which it is looked for whom one may write as."""


class SessionBeginning(SessionActions):
    """The part of the Sessions screen that begins conversations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "N",
            "new_session",
            "New with…",
            id="sessions.new-with",
            show=False,
            tooltip="A chat with another agent, or as a person",
        ),
        Binding("a", "write_as", "Write as…", id="sessions.write-as", show=False),
    ]

    def _begin(self, work: Callable[[], Awaitable[None]], group: str = "keeping") -> None:
        later(self, partial(self._carry_out, work), group=group, exclusive=False)

    async def _carry_out(self, work: Callable[[], Awaitable[None]]) -> None:
        """An error of the engine is told."""
        try:
            await work()
        except BranchlineError as error:
            self.home.fail(error)

    # beginning one

    def action_new_chat(self) -> None:
        self._begin(partial(self._new_own, self._route_home().agent_id), group="dialog")

    def action_new_session(self) -> None:
        self._begin(self._new, group="dialog")

    async def _new(self) -> None:
        """A chat of one's own with an agent, or as somebody."""
        agents = self._agents()
        options = [
            Option(name, f"Your own chat with {agent_name(self.engine.config, name)}", "")
            for name in agents
        ]
        options.append(Option("", "As a person", "somebody on a channel, judged as a real one"))
        chosen = await self.app.push_screen_wait(Pick("New session", options))
        if chosen:
            await self._new_own(chosen)
        elif chosen is not None:
            await self._new_person()

    def _agents(self) -> Sequence[str]:
        home = self._route_home().agent_id
        named = [agent.id for agent in self.engine.config.agents.list]
        return list(dict.fromkeys((home, *named)))

    async def _new_own(self, agent: str) -> None:
        from tui.widgets.dialogs.ask import Ask

        def fault(name: str) -> str | None:
            key = chat_key(agent, name)
            if not name:
                return "A chat needs a name"
            return f"There is a chat {key} already" if key in self.tracker.infos else None

        hint = f"A chat of your own with {safe_line(agent)}; it is made by your first message."
        name = await self.app.push_screen_wait(
            Ask("New chat", hint=hint, check=fault, placeholder="name, such as plans")
        )
        if name is not None:
            self.open_session(chat_key(agent, name))
            self.composer.focus()

    async def _new_person(self) -> None:
        from tui.widgets.dialogs.identity import IdentityDialog

        empty = Envelope("telegram", peer=Peer("dm", ""))
        found = await self.app.push_screen_wait(
            IdentityDialog("New session as a person", empty, self._where)
        )
        if found is not None:
            key = self.engine.route(identified(found, self.engine.config)).session_key
            self.chat.speak_as(key, known_people([found])[0])
            self.open_session(key)
            self.composer.focus()

    def _where(self, envelope: Envelope) -> Content:
        """Where a message with these facts goes."""
        route = self.engine.route(identified(envelope, self.engine.config))
        exists = "goes on" if route.session_key in self.tracker.infos else "is new"
        rows = [
            Content.assemble(
                (f"{self.home.glyphs.arrow} agent ", MUTED), (safe_line(route.agent_id), "bold"),
                (f"   by {route.matched_by}", MUTED),
            ),
            Content(f"  {safe_line(route.session_key, limit=70)}"),
            Content.styled(f"  the session {exists}", MUTED),
        ]  # fmt: skip
        return Content("\n").join(rows)

    # as whom

    def action_write_as(self) -> None:
        """Whether one writes here as oneself, or as a person of this session."""
        self._begin(self._write_as, group="dialog")

    async def _write_as(self) -> None:
        ref = self.chat.ref
        page = await self.engine.history(ref, limit=LOOKED_AT)
        people = known_people(
            origin
            for entry in page.entries
            if (origin := envelope_of(entry.data.get("origin"))) is not None
        )
        now = self.chat.speakers.get(ref)
        options = [Option("", "Yourself", "the operator, as now" if now is None else "")]
        options += [
            Option(str(number), safe_line(one.name, limit=40), _place(one.envelope))
            for number, one in enumerate(people)
        ]
        about = "A message written as somebody is routed and judged as if that person had sent it."
        at = next((str(at) for at, one in enumerate(people) if one == now), "")
        chosen = await self.app.push_screen_wait(Pick("Write as", options, chosen=at, about=about))
        if chosen is None:
            return
        speaker: Persona | None = people[int(chosen)] if chosen else None
        self.chat.speak_as(ref, speaker)
        self.draw()
        self.composer.focus()

    def draw_speaker(self) -> None:
        """The composer says as whom one writes, and which model answers the next message only."""
        speaker = self.chat.speakers.get(self.chat.ref)
        model = self.chat.next_models.get(self.chat.ref)
        told = []
        if model is not None:
            name = safe_line(model, limit=50)
            told.append(f"{self.home.glyphs.override} next message only: {name}")
        if speaker is not None:
            told.append(f"as {safe_line(speaker.name, limit=30)} · {_place(speaker.envelope)}")
        entitle(self.composer, Content(" · ".join(told)))


def _place(envelope: Envelope) -> str:
    """`telegram dm 111`."""
    peer = envelope.peer
    where = f" {peer.kind} {peer.id}" if peer is not None else ""
    return safe_line(f"{envelope.channel}{where}", limit=50)
