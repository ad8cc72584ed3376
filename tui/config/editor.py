"""Changing any setting in the app: lists, maps and objects entry by entry, as a draft that is shown
as a difference and then written, comments and layout kept, or put in force in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from engine.config.document import read_document
from engine.config.edit import hidden, rename_key
from engine.config.entries import add_item, move_entry, put_entry, remove_entry, written_at
from engine.config.keypath import MISSING
from engine.config.scan import KeyPath
from engine.config.shape import names_model, shape_at
from engine.errors import BranchlineError, EditRefused
from tui.behind.configrows import Entry, trail
from tui.config.draft import Step
from tui.config.draftsheet import AGENTS, DraftSheet
from tui.config.entryforms import Asked, BadAnswer, change_of, new_item_of, new_key_of, text_of
from tui.home import Home
from tui.later import later
from tui.widgets.dialogs.entryform import FormField

__all__ = ["AGENTS", "ConfigEditor", "open_editor"]


def open_editor(app: Home, path: KeyPath = (), at: KeyPath | None = None) -> None:
    """Edit what the config says at a path, the cursor on the entry `at`."""
    later(app, partial(_open, app, path, at), group="dialog", exclusive=False)


async def _open(app: Home, path: KeyPath, at: KeyPath | None) -> None:
    from tui.config.agenteditor import AgentEditor

    try:
        text = await app.engine.settings.text()
        await asyncio.to_thread(_readable, text)
    except BranchlineError as error:
        app.fail(error)
        return
    await app.push_screen_wait(AgentEditor(app, text, path, at))


def _readable(text: str) -> None:
    """Raises: EditRefused: nothing can be changed in this text."""
    document = read_document(text)
    hard = [fault for fault in document.faults if not fault.mild]
    if not document.readable or hard or not isinstance(document.value, dict):
        remedy = "Mend the file first: e on the Routing screen opens it"
        raise EditRefused("the config file cannot be read as it is now", remedy=remedy)


class ConfigEditor(DraftSheet):
    """Entries of the config, level by level; see DraftSheet."""

    HELP = """\
    ## Settings

    What the config says here; dim is what holds while it says nothing. **Enter** changes a value
    or goes into a list or a group of settings, **Backspace** one level up. **a** adds an entry,
    **d** takes one out, **r** renames it, **J K** put it in another place, **e** changes it as
    text (JSON5). Secrets are never shown; what you type in their place is not either.

    All of it is a draft: **u** takes the last change back, **w** shows the difference and what it
    moves, and then writes it into the file, comments and layout kept, or puts it in force in
    memory only. *Undo config change* takes either back.
    """

    def keys(self) -> tuple[str, ...]:
        return (
            "Enter change · a add · d remove · J K move · u undo · w write · Esc back",
            "Enter change · a add · d remove · w write · Esc",
            "Enter · a · d · w write · Esc",
            "w write · Esc",
        )

    async def change(self, entry: Entry) -> None:
        """What Enter does."""
        if entry.path[:1] == ("bindings",) and len(entry.path) == 2:
            await self._binding(entry.path, entry.raw)
        elif entry.holds:
            self.go_into(entry.path)
        elif names_model(entry.path):
            ref = await self.pick_model(trail(entry.path), default=entry.path[-1] == "model")
            if ref:
                await self.take(partial(put_entry, path=entry.path, value=ref))
            elif ref == "" and entry.written:
                await self.take(partial(remove_entry, path=entry.path))
        else:
            await self.ask(change_of(entry))

    async def _binding(self, path: KeyPath, value: Any) -> None:
        from tui.widgets.dialogs.bindingform import BindingForm

        table = self.home.engine.setup.router.agents
        form = BindingForm(
            value if isinstance(value, dict) else {}, trail(path), sorted(table.known or {"main"})
        )
        fresh = await self.app.push_screen_wait(form)
        if fresh is None or fresh == value:
            return
        if value is MISSING:
            index = path[-1]
            assert isinstance(index, int)
            await self.take(partial(add_item, path=path[:-1], index=index, value=fresh))
        else:
            await self.take(partial(put_entry, path=path, value=fresh))
        self._wanted = path

    async def pick_model(self, title: str, *, default: bool = False) -> str | None:
        """By the same list as everywhere; "" for the default, None for no change."""
        from tui.widgets.dialogs.models import ModelPicker

        registry = self.home.engine.setup.registry
        picker = ModelPicker(
            title,
            registry,
            self.glyphs,
            ways=("file", "config") if default else ("file",),
            verb="take it",
            back="the default" if default else "",
        )
        picked = await self.app.push_screen_wait(picker)
        return None if picked is None else picked.ref or ""

    def action_add(self) -> None:
        self.act(self.add)

    async def add(self) -> None:
        """One more entry, behind the one under the cursor."""
        here = written_at(self.value, self.path)
        shape = shape_at(self.path, here)
        if isinstance(here, list) or (shape is not None and shape.sort == "list"):
            size = len(here) if isinstance(here, list) else 0
            entry = self.entry
            index = self.rows.entries.index(entry) + 1 if entry is not None else size
            await self._add_item((*self.path, index))
        elif shape is None or shape.sort != "object" or shape.open:
            taken = list(here) if isinstance(here, dict) else []
            await self.ask(new_key_of(self.path, taken))
        else:
            self.say_why("every key there may be is here already: Enter gives one a value")

    async def _add_item(self, path: KeyPath) -> None:
        box, index = path[:-1], path[-1]
        assert isinstance(index, int)
        if box == ("bindings",):
            await self._binding(path, MISSING)
        elif names_model(path):
            ref = await self.pick_model(f"New in {trail(box)}")
            if ref and await self.take(partial(add_item, path=box, index=index, value=ref)):
                self._wanted = path
        else:
            await self.ask(new_item_of(box, index))

    def action_remove(self) -> None:
        self.act(self._remove)

    async def _remove(self) -> None:
        entry = self.entry
        if entry is None:
            return
        if not entry.written:
            self.say_why(f"the file says nothing of {entry.name}: this is what holds without it")
        else:
            await self.take_out(entry)

    async def take_out(self, entry: Entry) -> None:
        """Take an entry out that the file has."""
        await self.take(partial(remove_entry, path=entry.path))

    def action_rename(self) -> None:
        self.act(self._rename)

    async def _rename(self) -> None:
        entry = self.entry
        if entry is None:
            return
        box = shape_at(self.path, written_at(self.value, self.path))
        free = box is None or box.sort != "object" or box.open
        fixed = box is not None and entry.name in box.fields
        if not entry.written or not isinstance(entry.path[-1], str) or not free or fixed:
            self.say_why("this has no name of its own that could be another")
        else:
            await self.rename(entry, rename_key)

    async def rename(self, entry: Entry, edit: Callable[..., Any], name: str = "") -> None:
        """Ask for another name, and give it by `edit(text, path, name)`."""
        before = name or str(entry.path[-1])

        def step(answers: Mapping[str, str]) -> Step | None:
            fresh = answers["value"].strip()
            if not fresh:
                raise BadAnswer("value", "give it a name")
            return None if fresh == before else partial(edit, path=entry.path, name=fresh)

        def place(answers: Mapping[str, str]) -> KeyPath:
            fresh = answers["value"].strip()
            named = isinstance(entry.path[-1], str)
            return (*entry.path[:-1], fresh) if named else entry.path

        field = FormField("value", "name", before, "a name")
        await self.ask(Asked(f"Rename {entry.name}", (field,), step, place))

    def action_as_text(self) -> None:
        self.act(self._as_text)

    async def _as_text(self) -> None:
        entry = self.entry
        if entry is None:
            return
        if entry.shape is not None and entry.shape.private:
            self.say_why("a secret is not shown; Enter asks for another")
        elif entry.written and hidden(entry.raw, entry.path) != entry.raw:
            self.say_why("this holds a secret, which is not shown; Enter goes in")
        else:
            await self.ask(text_of(entry))

    def action_shift(self, step: int) -> None:
        self.act(partial(self._shift, step))

    async def _shift(self, step: int) -> None:
        entry = self.entry
        box = shape_at(self.path, written_at(self.value, self.path))
        ordered = box is None or box.sort != "object" or box.open
        if entry is None or not entry.written or not ordered:
            self.say_why("the order of these decides nothing")
            return
        place = self.rows.entries.index(entry) + step
        if not 0 <= place < len(self.rows.entries):
            self.say_why("this is the first" if step < 0 else "this is the last")
            return
        path = entry.path
        if await self.take(partial(move_entry, path=path, step=step)):
            last = path[-1]
            self._wanted = (*path[:-1], last + step) if isinstance(last, int) else path

    def action_make_default(self) -> None:
        """Only where there are agents."""
