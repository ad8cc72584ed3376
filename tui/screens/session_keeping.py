"""What becomes of whole conversations: names, labels, archive, trash; beginning one; as whom one
writes."""

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
from tui.people.naming import agent_name, is_stored, session_name
from tui.screens.session_actions import SessionActions
from tui.widgets.dialogs.box import Option, Pick

__all__ = ["SessionKeeping"]

LOOKED_AT = 200
"""Entries in which it is looked for whom one may write as."""


class SessionKeeping(SessionActions):
    """The part of the Sessions screen that keeps, ends and begins conversations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "rename", "Rename", id="sessions.rename", show=False),
        Binding("L", "label", "Labels", id="sessions.label", show=False),
        Binding("A", "archive", "Archive or restore", id="sessions.archive", show=False),
        Binding("D", "delete", "To the trash", id="sessions.delete", show=False),
        Binding("U", "bring_back", "Bring back", id="sessions.bring-back", show=False),
        Binding("E", "generations", "Earlier ones", id="sessions.generations", show=False),
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

    _ended: str | None = None
    """What was archived or deleted last in this run, to be brought back."""

    @property
    def ref_here(self) -> str:
        """The session under the cursor of the list, else the one that is open."""
        here = self.sessions.current if self.focused is self.sessions else None
        return here if isinstance(here, str) else self.chat.ref

    def _begin(self, work: Callable[[], Awaitable[None]], group: str = "keeping") -> None:
        later(self, partial(self._carry_out, work), group=group, exclusive=False)

    async def _carry_out(self, work: Callable[[], Awaitable[None]]) -> None:
        """An error of the engine is told."""
        try:
            await work()
        except BranchlineError as error:
            self.home.fail(error)

    def _name_of(self, ref: str) -> str:
        info = self.tracker.infos.get(ref)
        return session_name(info) if info is not None else safe_line(ref, limit=80)

    # names and labels

    def action_rename(self) -> None:
        self._begin(partial(self._rename, self.ref_here))

    async def _rename(self, ref: str) -> None:
        from tui.widgets.dialogs.ask import Ask

        info = self.tracker.infos.get(ref)
        if info is None:
            self.say("it is made by its first message", "Nothing to rename yet")
            return
        hint = "An empty name takes it away; the key stays as it is."
        name = await self.app.push_screen_wait(
            Ask("Rename", hint=hint, check=lambda text: None, value=safe_line(info.label or ""))
        )
        if name is not None:
            await self.engine.keeping.rename(ref, name)

    def action_label(self) -> None:
        self._begin(partial(self._label, self.ref_here))

    async def _label(self, ref: str) -> None:
        from tui.widgets.dialogs.ask import Ask

        info = self.tracker.infos.get(ref)
        if info is None:
            self.say("it is made by its first message", "Nothing to label yet")
            return
        # One with a comma in it is not for this field; it stays as it is.
        shown = {safe_line(word): word for word in info.labels[1:] if "," not in word}
        hint = "Words with commas between them, such as escalated. A label protects from retention."
        text = await self.app.push_screen_wait(
            Ask("Labels", hint=hint, check=lambda text: None, value=", ".join(shown), limit=400)
        )
        if text is None:
            return
        typed = [word.strip() for word in text.split(",") if word.strip()]
        wanted = [shown.get(word, word) for word in typed]
        gone = [word for word in shown.values() if word not in wanted]
        await self.engine.keeping.label(ref, wanted, gone)

    # ending and bringing back

    def action_archive(self) -> None:
        """Put it away; what is put away already comes back."""
        self._begin(partial(self._archive, self.ref_here))

    async def _archive(self, ref: str) -> None:
        info = self.tracker.infos.get(ref)
        if info is not None and is_stored(info):
            await self._restore(ref)
            return
        made = await self.engine.keeping.archive(ref)
        self._ended = made.ref
        await self._gone(ref, f"{self._name_of(ref)}: archived. U brings it back")

    def action_delete(self) -> None:
        self._begin(partial(self._delete, self.ref_here))

    async def _delete(self, ref: str) -> None:
        name = self._name_of(ref)
        about = f"{name} goes to the trash, from which U brings it back."
        options = [Option("delete", "To the trash", "the file is kept until retention empties it")]
        if await self.app.push_screen_wait(Pick("Delete", options, about=about)) is None:
            return
        made = await self.engine.keeping.delete(ref)
        self._ended = made.ref
        await self._gone(ref, f"{name}: in the trash. U brings it back")

    async def _gone(self, ref: str, told: str) -> None:
        """Away from a conversation that is over."""
        self.say(told, "Sessions")
        await self.home.bridge.load()
        if ref == self.chat.ref:
            self.open_session(self._route_home().session_key)
        self.draw()

    def action_bring_back(self) -> None:
        """The last one that was archived or deleted here."""
        if self._ended is None:
            self.say("nothing was archived or deleted since the start; E lists earlier ones", "")
            return
        ref, self._ended = self._ended, None
        self._begin(partial(self._restore, ref))

    async def _restore(self, ref: str) -> None:
        key = await self.engine.keeping.restore(ref)
        await self.home.bridge.load()
        self.say(f"{self._name_of(key)} goes on", "Brought back")
        self.open_session(key)

    def action_generations(self) -> None:
        """What this session's key held before."""
        self._begin(partial(self._generations, self.ref_here))

    async def _generations(self, ref: str) -> None:
        info = self.tracker.infos.get(ref)
        key = info.key if info is not None else ref
        found = await self.engine.keeping.generations(key)
        if not found:
            self.say("nothing came before it under this key", self._name_of(ref))
            return
        options = [
            Option(
                one.ref,
                f"{safe_line(one.label or one.preview, limit=40) or one.session_id[:8]}",
                f"{one.messages:,} messages, {safe_line(one.reason, limit=60)}",
            )
            for one in found[:20]
        ]
        about = "Earlier conversations of this key, the latest first. Enter opens one to be read."
        chosen = await self.app.push_screen_wait(Pick("Earlier ones", options, about=about))
        if chosen is not None:
            self.open_session(chosen)

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
        self.composer.border_title = Content(" · ".join(told))


def _place(envelope: Envelope) -> str:
    """`telegram dm 111`."""
    peer = envelope.peer
    where = f" {peer.kind} {peer.id}" if peer is not None else ""
    return safe_line(f"{envelope.channel}{where}", limit=50)
