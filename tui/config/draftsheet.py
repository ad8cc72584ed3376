"""A draft of the config that is looked at level by level, and changed one entry after the other:
each change is judged before it is taken, and all of them are shown before they are made."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.config.document import read_document
from engine.config.entries import written_at
from engine.config.keypath import MISSING
from engine.config.scan import KeyPath
from engine.config.shape import shape_at
from engine.errors import ConfigError, EditRefused, Problem
from engine.text import safe_line
from engine.values import replace
from tui.behind.configrows import Entry, agents_of, entries_of, trail
from tui.config.configwork import offer
from tui.config.draft import Draft, Step
from tui.config.entryforms import Asked, BadAnswer, remarks_of
from tui.config.inturn import InTurn
from tui.home import Home
from tui.widgets.dialogs.entryform import EntryForm, Remark
from tui.widgets.dialogs.sheet import Sheet
from tui.widgets.rowlist import RowList

if TYPE_CHECKING:
    from engine.config.schema import Config

__all__ = ["AGENTS", "DraftSheet"]

AGENTS: KeyPath = ("agents", "list")
"""Where all agents are listed, those by name too."""


class DraftSheet(Sheet):
    """A container of the config, and the draft.

    Args:
        home: the app.
        text: the file's.
        path: of the container that it begins with.
        at: of the entry that the cursor begins on.
    """

    def __init__(self, home: Home, text: str, path: KeyPath = (), at: KeyPath | None = None):
        super().__init__(home.glyphs)
        self.home = home
        self.draft = Draft.of(text)
        self.path = path
        self.value: Any = {}
        self._came: list[KeyPath] = []
        self._drawn = path
        self._wanted = at
        self._turns = InTurn(self, self._look)
        self._said = ""
        self._known: tuple[str | None, Sequence[Problem]] = (None, ())

    def on_mount(self) -> None:
        self.table.focus()
        self.act(self._nothing)

    async def _nothing(self) -> None:
        """Only look."""

    @property
    def at_rest(self) -> bool:
        """Whether all that was begun is done, and drawn."""
        return self._turns.at_rest

    def act(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something after what is being done, then draw anew; errors are told."""
        self._turns.act(work)

    async def _look(self) -> None:
        """Draw what the draft says here."""
        if not self.is_attached:
            return
        self.value = (await asyncio.to_thread(read_document, self.draft.text)).value or {}
        while self.path and not self._stands(self.path):
            self.path = self.path[:-1]
        while self._came[-1:] == [self.path]:
            self._came.pop()
        config = self.home.engine.config
        entries = await asyncio.to_thread(self.entries, self.value, config)
        changes = len(self.draft.steps)
        told = f"{changes} change" if changes == 1 else f"{changes} changes"
        told = f"{told}, not in force yet: w shows and writes" if self.draft.changes else ""
        self.draw(entries, f"Settings: {trail(self.path)}", self.keys(), self.when_empty(), told)
        if self._wanted is not None:
            self.table.go_to(self._wanted)
        elif self._drawn != self.path:
            self.table.cursor = 0
        self._wanted, self._drawn = None, self.path
        self.draw_about()
        if self._said:
            self.say_here(self._said)
            self._said = ""

    def _stands(self, path: KeyPath) -> bool:
        """Whether the draft says something there, or there may be something by that key."""
        if written_at(self.value, path) is not MISSING:
            return True
        box = shape_at(path[:-1], {})
        return box is not None and path[-1] in box.fields

    def entries(self, value: Any, config: Config) -> Sequence[Entry]:
        """The rows here. For a thread."""
        if self.path == AGENTS:
            infos = self.home.bridge.tracker.infos.values()
            return agents_of(value, config, Counter(info.agent_id for info in infos))
        return entries_of(value, self.path, config)

    def keys(self) -> tuple[str, ...]:
        """What the lower edge says, longest first."""
        raise NotImplementedError

    def when_empty(self) -> str:
        """What is said where there are no entries."""
        return "Nothing here yet; a adds an entry"

    def say_why(self, text: str) -> None:
        """Say why a key did nothing, once all is drawn."""
        self._said = text

    # from level to level

    def on_row_list_selected(self, event: RowList.Selected) -> None:
        entry = self.entry
        if entry is not None:
            self.act(partial(self.change, entry))

    def action_up(self) -> None:
        self.act(self._up)

    async def _up(self) -> None:
        """To where the person came from, else one level up."""
        if self.path:
            self._wanted = self.path
            self.path = self._came.pop() if self._came else self.path[:-1]

    def go_into(self, path: KeyPath) -> None:
        """Show what is in a container; Esc comes back."""
        self._came.append(self.path)
        self.path = path

    def action_leave(self) -> None:
        self.act(self._leave)

    async def _leave(self) -> None:
        """Back, or out; what was changed is not thrown away unasked."""
        if self._came:
            await self._up()
            return
        if self.draft.changes:
            from tui.widgets.dialogs.box import Option, Pick

            options = [
                Option("write", "show the difference", "then write it, or put it in force"),
                Option("leave", "leave without it", "nothing is changed"),
            ]
            about = safe_line(", ".join(self.draft.reasons), limit=300)
            chosen = await self.app.push_screen_wait(Pick("Not written yet", options, about=about))
            if chosen == "write":
                await self._write()
                return
            if chosen is None:
                return
        self.dismiss(None)

    async def change(self, entry: Entry) -> None:
        """What Enter does."""
        raise NotImplementedError

    # the draft

    async def ask(self, asked: Asked) -> None:
        """Show a form, and take what it makes into the draft."""
        form = EntryForm(asked.title, asked.fields, partial(self._judge, asked), self.glyphs)
        answers = await self.app.push_screen_wait(form)
        step = None if answers is None else asked.step(answers)
        if answers is not None and step is not None and await self.take(step):
            self._wanted = asked.place(answers)

    async def _judge(self, asked: Asked, answers: Mapping[str, str]) -> Sequence[Remark]:
        try:
            step = asked.step(answers)
            problems = () if step is None else await self.problems(step)
        except BadAnswer as bad:
            return [Remark(bad.field, str(bad))]
        except EditRefused as error:
            return [Remark(asked.fields[0].name, str(error))]
        return remarks_of(asked, answers, problems)

    async def problems(self, step: Step) -> Sequence[Problem]:
        """What would be wrong with one more change that is not wrong without it.

        Raises:
            EditRefused: it cannot be made.
        """
        edit = await asyncio.to_thread(step, self.draft.stepped)
        before = Counter(one.message for one in await self._problems_of(self.draft.stepped))
        found = []
        for one in await self._problems_of(edit.text):
            before[one.message] -= 1
            if before[one.message] < 0:
                found.append(one)
        return found

    async def _problems_of(self, text: str) -> Sequence[Problem]:
        if self._known[0] != text:
            try:
                setup = await asyncio.to_thread(self.home.engine.prepare_config, text)
                found: Sequence[Problem] = setup.snapshot.problems
            except ConfigError as error:
                found = error.problems
            if text != self.draft.stepped:
                return found
            self._known = text, found
        return self._known[1]

    async def take(self, step: Step) -> bool:
        """One more change in the draft, unless the config could not be used with it."""
        wrong = [one for one in await self.problems(step) if one.severity == "error"]
        if wrong:
            self.say_why(str(replace(wrong[0], file=None, line=None, column=None)))
            return False
        self.draft = await asyncio.to_thread(self.draft.with_step, step)
        return True

    def action_undo(self) -> None:
        self.act(self._undo)

    async def _undo(self) -> None:
        if self.draft.steps:
            self.draft = await asyncio.to_thread(self.draft.without_last)
        else:
            self.say_why("nothing was changed here; ^P, Undo config change takes back what was")

    def action_write(self) -> None:
        self.act(self._write)

    async def _write(self) -> None:
        """Show the difference in the file as it is by now, and do with it what is chosen."""
        engine = self.home.engine
        fresh = await engine.settings.text()
        draft, lost = await asyncio.to_thread(self.draft.on, fresh)
        if lost:
            self.say_why(f"the file changed; {lost} of the changes cannot be made in it any more")
        self.draft = draft
        if not draft.changes:
            self.say_why(self._said or "nothing is changed here")
            return
        in_force, missed = await asyncio.to_thread(draft.on, engine.setup.snapshot.text)
        edit = await asyncio.to_thread(draft.edit)
        memory = None if missed else in_force.text
        done = await offer(self.home, edit, "Change the config", in_memory=memory)
        if done is not None:
            self.dismiss(None)
