"""What a person does on the Routing screen: a draft of changes, and what becomes of it.

Nothing is in force or in the file before the person has seen the difference and what it moves.
One thing is done at a time (`turns`), so keys pressed quickly are carried out in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from engine.config.document import read_document
from engine.config.edit import Edit, append_item, move_item, remove_value, replace_text, set_value
from engine.config.keypath import MISSING, parse_path, value_at
from engine.errors import BranchlineError
from engine.text import safe_line
from engine.turns.order import Setup
from engine.values import replace
from tui.behind.bindingrows import BindingRow, Study, tier_name
from tui.behind.scopes import SCOPES
from tui.config import configwork
from tui.config.draft import Draft, Step
from tui.config.editor import AGENTS, open_editor
from tui.config.inturn import InTurn
from tui.screens.routing_panes import RoutingPanes
from tui.widgets.dialogs.ask import Ask
from tui.widgets.routing.scopepane import ScopePane

__all__ = ["RoutingActions"]

BINDINGS_PATH = ("bindings",)


class RoutingActions(RoutingPanes):
    """The part of the screen that changes things."""

    draft: Draft | None = None
    setup: Setup
    study: Study = Study((), ())
    _wanted: str | None = None
    """The rule that the cursor goes to once the rows are made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = InTurn(self, self.look)

    @property
    def at_rest(self) -> bool:
        """Whether all that was begun is done, and drawn."""
        return self.turns.at_rest

    async def look(self) -> None:
        """Read what file and force say, and draw it. The caller holds `turns.lock`."""
        raise NotImplementedError

    def act(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something after what is being done, then look anew; errors of the engine are told."""
        self.turns.act(work)

    @property
    def row(self) -> BindingRow | None:
        """The rule under the cursor."""
        return self.study.at(self.table.current)

    # the draft

    async def _take(self, step: Step) -> None:
        """One more change in the draft, unless the config could not be used with it."""
        if self.draft is not None:
            grown = await asyncio.to_thread(self.draft.with_step, step)
            await asyncio.to_thread(self.engine.prepare_config, grown.text)
            self.draft = grown

    def action_try_scope(self, step: int) -> None:
        self.act(partial(self._try_scope, step))

    async def _try_scope(self, step: int) -> None:
        if self.draft is None:
            return
        names = [name for name, _ in SCOPES]
        tried = self.draft.scope or self.setup.config.session.dm_scope
        await self._choose_scope(names[(names.index(tried) + step) % len(names)])

    def on_scope_pane_chosen(self, event: ScopePane.Chosen) -> None:
        self.act(partial(self._choose_scope, event.scope))

    async def _choose_scope(self, scope: Any) -> None:
        """Try a scope; what the draft says without trying one is none."""
        if self.draft is None:
            return
        self.show_pane_for_scope()
        plain = await asyncio.to_thread(self.draft.with_scope, None)
        setup = self.engine.setup
        if plain.changes:
            setup = await asyncio.to_thread(self.engine.prepare_config, plain.text)
        same = setup.config.session.dm_scope == scope
        self.draft = await asyncio.to_thread(self.draft.with_scope, None if same else scope)

    def show_pane_for_scope(self) -> None:
        """Where the preview cannot be seen, show it."""
        if self.has_class("-one") and not (self.has_class("-strip") and self.shown == "bindings"):
            self.go_to_pane("scope")

    # bindings

    def action_move_binding(self, step: int) -> None:
        self.act(partial(self._move, step))

    async def _move(self, step: int) -> None:
        here = self.study.at(self._wanted or self.table.current)
        if here is None or here.index is None:
            self.say_elsewhere(here)
            return
        tier = [row for row in self.study.rows if row.tier == here.tier and row.index is not None]
        at = tier.index(here) + step
        if not 0 <= at < len(tier):
            edge = "last" if step > 0 else "first"
            name = tier_name(here.tier)
            self.say(
                f"{edge} of its tier ({name}); between tiers the order decides nothing", "Move"
            )
            return
        target = tier[at].index
        assert target is not None
        await self._take(partial(move_item, path=BINDINGS_PATH, source=here.index, target=target))
        self._wanted = f"bindings[{target}]"

    def say_elsewhere(self, row: BindingRow | None) -> None:
        """Why a rule cannot be changed here."""
        if row is not None:
            place = "agents" if row.key == "default" else row.place
            self.say(f"this comes from {place}; Enter changes it there", "Not in bindings")

    def action_edit_binding(self) -> None:
        row = self.row
        if row is not None and row.index is not None:
            self.act(partial(self._edit, row.index))
        elif row is not None:
            self._edit_elsewhere(row)

    def _edit_elsewhere(self, row: BindingRow) -> None:
        """A rule that is none of `bindings`: where it stands, among the settings."""
        if row.key == "default":
            open_editor(self.home, AGENTS)
            return
        path = parse_path(row.place)
        open_editor(self.home, path if path[0] == "agents" else path[:-1], path)

    async def _edit(self, index: int) -> None:
        if self.draft is None:
            return
        path = (*BINDINGS_PATH, index)
        document = await asyncio.to_thread(read_document, self.draft.stepped)
        value = value_at(document.value, path)
        if isinstance(value, dict):
            fresh = await self._ask_binding(value, f"Binding [{index}]")
            if fresh is not None and fresh != value:
                await self._take(partial(set_value, path=path, value=fresh))

    def action_add_binding(self) -> None:
        self.act(self._add)

    async def _add(self) -> None:
        row = self.row
        agent = row.agent if row is not None else ""
        fresh = await self._ask_binding({"agentId": agent} if agent else {}, "New binding")
        if fresh is None or self.draft is None:
            return
        document = await asyncio.to_thread(read_document, self.draft.stepped)
        found = value_at(document.value, BINDINGS_PATH)
        await self._take(partial(append_item, path=BINDINGS_PATH, value=fresh))
        self._wanted = f"bindings[{0 if found is MISSING else len(found)}]"

    async def _ask_binding(self, value: dict[str, Any], title: str) -> dict[str, Any] | None:
        from tui.widgets.dialogs.bindingform import BindingForm

        table = self.setup.router.agents
        agents = sorted(table.known or {table.default})
        return await self.app.push_screen_wait(BindingForm(value, title, agents))

    def action_remove_binding(self) -> None:
        row = self.row
        if row is not None and row.index is not None:
            path = (*BINDINGS_PATH, row.index)
            self.act(partial(self._take, partial(remove_value, path=path)))
        else:
            self.say_elsewhere(row)

    # in force, in the file, and back

    async def pending(self) -> Edit | None:
        """What `w` would write: the draft, else what is in force and not in the file."""
        draft, room = self.draft, self.engine.settings
        if draft is None:
            return None
        if draft.changes:
            return await asyncio.to_thread(draft.edit)
        text = self.engine.setup.snapshot.text
        if not room.unsaved or text == draft.base:
            return None
        return await asyncio.to_thread(replace_text, draft.base, text, "what is in force")

    def action_apply(self) -> None:
        self.act(partial(self._offer, "memory"))

    def action_write(self) -> None:
        self.act(partial(self._offer, "write"))

    async def _offer(self, where: configwork.Where) -> None:
        edit = await self.pending()
        if edit is None:
            self.say("nothing is changed here: ← → tries a scope, J K move a binding", "Config")
            return
        done = await configwork.offer(self.home, edit, "Change the config", where=where)
        if done == "written":
            self.draft = None

    def action_undo(self) -> None:
        self.act(self._undo)

    async def _undo(self) -> None:
        """The draft's last step back, as long as it is not in force; else the config's."""
        draft = self.draft
        if draft is not None and draft.changes and draft.text != self.engine.setup.snapshot.text:
            self.draft = await asyncio.to_thread(draft.without_last)
            return
        await configwork.undo(self.home)

    def action_full_diff(self) -> None:
        self.act(self._full_diff)

    async def _full_diff(self) -> None:
        from tui.widgets.dialogs.textdiff import TextDiff

        edit = await self.pending()
        if edit is None:
            self.say("the file says what is in force: w has nothing to write", "No difference")
        else:
            await self.app.push_screen_wait(TextDiff(edit.diff, "What w would write"))

    def action_history(self) -> None:
        self.act(self._history)

    async def _history(self) -> None:
        from tui.widgets.dialogs.revisions import Revisions

        room = self.engine.settings
        kept, text = await room.revisions(), await room.text()
        dialog = Revisions(kept, text, room.rollback, self.home.glyphs)
        edit = await self.app.push_screen_wait(dialog)
        if edit is not None and await configwork.offer(self.home, edit, "Roll back", where="write"):
            self.draft = None

    def action_editor(self) -> None:
        self.act(self._editor)

    async def _editor(self) -> None:
        """The file in the person's editor, at the error or the rule under the cursor."""
        from tui.widgets.external import edit_file
        from tui.widgets.sessions.advice import config_errors

        room, row = self.engine.settings, self.row
        errors = config_errors(self.engine)
        line = errors[0].line if errors else None
        if line is None and row is not None:
            document = await asyncio.to_thread(read_document, await room.text())
            line = document.place(parse_path(row.place)).line
        await edit_file(self.app, room.path, line or 1)
        await room.reload()

    # a message for real

    def action_send(self) -> None:
        self.act(self._send)

    async def _send(self) -> None:
        envelope = self.form.envelope
        if envelope is None:
            self.say("name a channel first", "Send")
            return
        route = self.engine.route(envelope)
        sender = safe_line(envelope.sender.id, limit=40) if envelope.sender else "nobody"
        channel, agent = safe_line(envelope.channel, limit=40), safe_line(route.agent_id, limit=40)
        hint = f"{sender} says this on {channel}, and {agent} answers. Esc sends nothing."
        words = ""
        while said := await self.app.push_screen_wait(_say_what(hint, words)):
            words = said
            try:
                with self.home.unsent.words(route.session_key, partial(str, words)):
                    receipt = await self.engine.submit(replace(envelope, text=words))
                    await receipt.stored()
            except BranchlineError as error:
                self.home.fail(error)  # and asked again, with the words that were refused
                continue
            self.say(f"to {receipt.session_key}; F2 shows the session", "Sent")
            return


def _say_what(hint: str, words: str) -> Ask:
    def fault(text: str) -> str | None:
        return None if text else "Say what?"

    return Ask("Send for real", hint=hint, check=fault, value=words)
