"""What a person does to a tree: continue, edit, fork, label, compact, compare, graft, hide, undo.

The screen shows; the engine decides and writes; here the two are joined. Every change can be
undone, and nothing is changed before the person has seen what it does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import getters
from textual.screen import Screen

from engine.agents.branch import DEFAULT_SUMMARY, Moved
from engine.errors import BranchlineError
from engine.sessions.navigate import Hidden, question_of
from engine.text import safe_line
from tui.cells import count
from tui.later import later
from tui.naming import is_stored
from tui.screens.sessions import SessionsScreen
from tui.widgets.dialogs.ask import Ask
from tui.widgets.treelines import Forest
from tui.widgets.treelist import TreeList

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.app import BranchlineApp
    from tui.widgets.dialogs.fork import ForkAbout, ForkChoice

__all__ = ["TreeActions"]

_UNDO = "u undoes it"


class TreeActions(Screen[None]):
    """The part of the tree screen that changes things."""

    list = getters.query_one(TreeList)
    ref: str
    forest: Forest | None
    _grafting: tuple[str, str] | None = None
    following = False
    """Whether the cursor goes with the leaf until the turn that was asked for has ended."""

    @property
    def home(self) -> BranchlineApp:
        return cast("BranchlineApp", self.app)

    @property
    def engine(self) -> Engine:
        return self.home.engine

    def current_entry(self) -> str | None:
        raise NotImplementedError

    def hint(self) -> None:
        """Bring the line under the list up to date."""
        raise NotImplementedError

    def load(self, *, at: str | None = None, to_leaf: bool = False) -> None:
        """Lay the tree out anew, the cursor on an entry or the leaf (else it stays)."""
        raise NotImplementedError

    # doing things

    def act(self, work: Callable[[], Awaitable[None]]) -> None:
        """Carry something out; an error of the engine is told."""
        later(self, partial(self._guarded, work), group="act", exclusive=False)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except BranchlineError as error:
            self.home.fail(error)

    def say(self, text: str, title: str) -> None:
        self.notify(safe_line(text), title=safe_line(title), markup=False, timeout=4)

    def _target(self) -> str | None:
        """The entry to be worked on; None (said) where nothing can be written."""
        name = self.current_entry()
        info = self.home.bridge.tracker.infos.get(self.ref)
        if name is not None and info is not None and is_stored(info):
            self.say("it is kept as it was; f forks it into a session of its own", "Stored")
            return None
        return name

    def _told(self, moved: Moved) -> None:
        if moved.entries:
            self.say(_UNDO, moved.what.capitalize())

    async def to_chat(self, ref: str, text: str | None = None) -> None:
        """To the conversation, ready to write; `text` goes into the composer."""
        await self.app.switch_mode("sessions")
        screen = self.app.screen
        if isinstance(screen, SessionsScreen):
            screen.take_up(ref, text)

    # continue, edit, regenerate, fork

    def on_row_list_selected(self) -> None:
        name = self._target()
        if name is not None:
            self.act(partial(self._continue, name))

    async def _continue(self, name: str, summary: str = "", label: str | None = None) -> None:
        moved = await self.engine.branches.move(self.ref, name, summary=summary, label=label)
        self._told(moved)
        await self.to_chat(self.ref, moved.editor)

    def action_edit(self) -> None:
        """Edit a person's message and send it again; of a reply, the message it answers."""
        name, forest = self._target(), self.forest
        if name is None or forest is None:
            return
        asked = question_of(forest.tree, name)
        if asked is None:
            self.say("nobody said anything before this", "Nothing to edit")
        else:
            self.act(partial(self._fork, asked.id, "edit"))

    def action_fork(self) -> None:
        name = self.current_entry()
        if name is not None:
            self.act(partial(self._fork, name, "continue"))

    async def _fork(self, name: str, kind: str) -> None:
        from tui.widgets.dialogs.fork import ForkDialog

        about = await self._about(name)
        choice = await self.app.push_screen_wait(ForkDialog(about, kind))
        if choice is None:
            return
        if choice.kind == "session":
            await self._new_session(name, choice.label)
        elif self._target() is not None:
            await self._chosen(name, choice)

    async def _chosen(self, name: str, choice: ForkChoice) -> None:
        branches = self.engine.branches
        if choice.kind == "continue":
            summary = DEFAULT_SUMMARY if choice.summarize else ""
            await self._continue(name, summary, choice.label or None)
            return
        self.following = True
        if choice.kind == "edit":
            receipt = await branches.edit(self.ref, name, choice.text)
        else:
            receipt = await branches.regenerate(self.ref, name)
        stored = await receipt.stored()
        if choice.label and stored is not None:
            await branches.label(self.ref, stored, choice.label)

    async def _about(self, name: str) -> ForkAbout:
        """What the fork dialog says of an entry."""
        from tui.widgets.dialogs.fork import ForkAbout

        assert self.forest is not None
        node = self.forest.tree.node(name)
        text = self.forest.tree.entry(name).text if node.role == "user" else None
        preview, room, problem = None, 0, ""
        try:
            preview = await self.engine.branches.preview_fork(self.ref, name)
            room = (await self.engine.xray(self.ref, name)).model.context_window
        except BranchlineError as error:
            problem = str(error)
        info = self.home.bridge.tracker.infos.get(self.ref)
        key = f"{info.key if info is not None else self.ref}:fork:…"
        return ForkAbout(name, text, node.role == "assistant", key, preview, room, problem)

    async def _new_session(self, name: str, label: str) -> None:
        forked = await self.engine.branches.fork(self.ref, name, name=label)
        self.say(f"{forked.session_key} · {count(forked.tokens)} tokens", "Forked")
        await self.home.bridge.load()
        await self.to_chat(forked.session_key)

    def action_regenerate(self) -> None:
        name = self._target()
        if name is not None:
            self.act(partial(self._regenerate, name))

    async def _regenerate(self, name: str, model: str | None = None) -> None:
        self.following = True
        receipt = await self.engine.branches.regenerate(self.ref, name, model=model)
        await receipt.stored()

    def action_regenerate_with(self) -> None:
        """Another reply, by a model that is chosen now."""
        name = self._target()
        if name is None:
            return

        def ask(ref: str) -> None:
            self.act(partial(self._regenerate, name, ref))

        models = [
            (safe_line(info.ref), lambda ref=info.ref: ask(ref), f"{count(info.context_window)}")
            for info in self.engine.setup.registry.list()
            if info.ready
        ]
        self.app.search_commands(models, placeholder="Answer again with…")

    # labels, names, bookmarks, hiding

    def action_label(self) -> None:
        name, forest = self._target(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._label, name, forest.tree.labels.get(name, "")))

    async def _label(self, name: str, former: str) -> None:
        text = await self._ask("Label", "An empty label takes it away.", former)
        if text is not None:
            self._told(await self.engine.branches.label(self.ref, name, text))

    def action_name_branch(self) -> None:
        name, forest = self._target(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._name_branch, name, forest.branch_names.get(name, "")))

    async def _name_branch(self, name: str, former: str) -> None:
        text = await self._ask("Name this branch", "An empty name takes it away.", former)
        if text is not None:
            self._told(await self.engine.branches.name_branch(self.ref, name, text or None))

    async def _ask(self, title: str, hint: str, former: str) -> str | None:
        value = safe_line(former, limit=80)
        return await self.app.push_screen_wait(
            Ask(title, hint=hint, check=lambda text: None, value=value)
        )

    def action_bookmark(self) -> None:
        name, forest = self._target(), self.forest
        if name is not None and forest is not None:
            on = name not in forest.marks.bookmarks
            self.act(partial(self._bookmark, name, on))

    async def _bookmark(self, name: str, on: bool) -> None:
        self._told(await self.engine.branches.bookmark(self.ref, name, on))

    def action_hide(self) -> None:
        """Leave an entry and what is below it out of the tree, or show it again."""
        name, forest = self._target(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._hide, name, None if name in forest.marks.hidden else "hide"))

    async def _hide(self, name: str, how: Hidden | None) -> None:
        self._told(await self.engine.branches.hide(self.ref, name, how))

    def action_undo(self) -> None:
        self.act(self._undo)

    async def _undo(self) -> None:
        before = self.forest.tree.leaf if self.forest is not None else None
        moved = await self.engine.branches.undo(self.ref)
        if moved.leaf != before:
            self.load(to_leaf=True)
        self.say("everything that was said stays in the tree", moved.what.capitalize())

    # compact, compare, graft

    def action_compact(self) -> None:
        name, forest = self._target(), self.forest
        if name is None or forest is None:
            return
        if name not in forest.outline.active:
            self.say("it is not on the way to the leaf; continue here first (Enter)", "Compact")
        else:
            self.act(partial(self._compact, name))

    async def _compact(self, name: str) -> None:
        from tui.widgets.dialogs.compaction import CompactionDialog

        result = await self.app.push_screen_wait(CompactionDialog(self.ref, name))
        if result is not None:
            tokens = f"{count(result.before)} → {count(result.after)}"
            self.say(f"{tokens} · {result.folded:,} folded · {_UNDO}", "Compacted")
            self.load(at=result.entry_id)

    def action_mark(self) -> None:
        """Mark an entry; with the second one, compare the branches that end there."""
        name = self.current_entry()
        if name is None:
            return
        marked = self.list.marked_ids
        if name in marked:
            self.list.set_marked(())
        elif not marked:
            self.list.set_marked((name,))
        else:
            self.list.set_marked((*marked, name))
            self.act(partial(self._compare, marked[0], name))
        self.hint()

    async def _compare(self, left: str, right: str) -> None:
        from tui.widgets.dialogs.diff import DiffDialog

        forest = self.forest
        diff = await self.engine.branches.diff(self.ref, left, right)
        self.list.set_marked(())
        self.hint()
        if forest is not None:
            await self.app.push_screen_wait(DiffDialog(diff, (left, right), forest.agent))

    def action_graft(self) -> None:
        """Take an entry up; then put a copy of it under another one, also of another session."""
        name = self.current_entry()
        if name is None:
            return
        if self._grafting is None:
            self._grafting = (self.ref, name)
        elif self._target() is not None:
            self.act(partial(self._graft, *self._grafting, name))
        self.hint()

    def stop_grafting(self) -> bool:
        """Whether something had been taken up."""
        held, self._grafting = self._grafting is not None, None
        self.hint()
        return held

    async def _graft(self, from_ref: str, name: str, under: str) -> None:
        from tui.widgets.dialogs.box import Option, Pick

        options = (
            Option("one", "this message", "a tool call keeps its result"),
            Option("all", "it and all below", "every branch that follows it"),
        )
        source, target = safe_line(name, limit=24), safe_line(under, limit=24)
        choice = await self.app.push_screen_wait(Pick(f"Copy {source} under {target}", options))
        self.stop_grafting()
        if choice is not None:
            moved = await self.engine.branches.graft(
                self.ref, name, under, subtree=choice == "all", from_key=from_ref
            )
            self._told(moved)
