"""What a person does to a tree besides going on in it: regenerate, label, compact, compare, graft,
hide, undo.

The screen shows; the engine decides and writes; here the two are joined. Every change can be
undone, and nothing is changed before the person has seen what it does.
"""

from __future__ import annotations

import time
from functools import partial

from textual import getters

from engine.sessions.journal import Undoing
from engine.sessions.navigate import Hidden
from engine.text import safe_line
from tui.look.cells import count
from tui.screens.forking import Forking
from tui.widgets.dialogs.ask import Ask
from tui.widgets.tree.treelines import Forest
from tui.widgets.tree.treelist import TreeList

__all__ = ["TreeActions", "undo_about", "undo_title", "undone_words"]


def undo_title(undoing: Undoing) -> str:
    """`Undo compaction of 12 Mar 10:40`."""
    when = time.localtime(undoing.when / 1000)
    of = f" of {when.tm_mday} {time.strftime('%b %H:%M', when)}" if undoing.when else ""
    return f"Undo {safe_line(undoing.what, limit=40)}{of}"


def undo_about(undoing: Undoing) -> str:
    """Why it is asked."""
    if not undoing.later:
        return "This was done before the app was started."
    return "More was said since this was done."


def undone_words(undoing: Undoing) -> str:
    """What becomes of what was said since."""
    if not undoing.leaves:
        return "nothing that was said is concerned"
    if undoing.leaves == 1:
        return "the message since then stays in the tree, on a branch of its own"
    return f"the {undoing.leaves:,} messages since then stay in the tree, on a branch of their own"


class TreeActions(Forking):
    """The part of the tree screen that changes things."""

    list = getters.query_one(TreeList)
    undo_hint = "u undoes it"
    ref: str
    forest: Forest | None
    _grafting: tuple[str, str] | None = None

    @property
    def session_ref(self) -> str:
        return self.ref

    def hint(self) -> None:
        """Bring the line under the list up to date."""
        raise NotImplementedError

    def load(self, *, at: str | None = None, to_leaf: bool = False) -> None:
        """Lay the tree out anew, the cursor on an entry or the leaf (else it stays)."""
        raise NotImplementedError

    def on_row_list_selected(self) -> None:
        name = self.writable_here()
        if name is not None:
            self.act(partial(self.go_on, self.session_ref, name))

    # labels, names, bookmarks, hiding

    def action_label(self) -> None:
        name, forest = self.writable_here(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._label, name, forest.tree.labels.get(name, "")))

    async def _label(self, name: str, former: str) -> None:
        text = await self._ask("Label", "An empty label takes it away.", former)
        if text is not None:
            self.tell_moved(await self.engine.branches.label(self.ref, name, text))

    def action_name_branch(self) -> None:
        name, forest = self.writable_here(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._name_branch, name, forest.branch_names.get(name, "")))

    async def _name_branch(self, name: str, former: str) -> None:
        text = await self._ask("Name this branch", "An empty name takes it away.", former)
        if text is not None:
            self.tell_moved(await self.engine.branches.name_branch(self.ref, name, text or None))

    async def _ask(self, title: str, hint: str, former: str) -> str | None:
        value = safe_line(former, limit=80)
        return await self.app.push_screen_wait(
            Ask(title, hint=hint, check=lambda text: None, value=value)
        )

    def action_bookmark(self) -> None:
        name, forest = self.writable_here(), self.forest
        if name is not None and forest is not None:
            on = name not in forest.marks.bookmarks
            self.act(partial(self._bookmark, name, on))

    async def _bookmark(self, name: str, on: bool) -> None:
        self.tell_moved(await self.engine.branches.bookmark(self.ref, name, on))

    def action_hide(self) -> None:
        """Leave an entry and what is below it out of the tree, or show it again."""
        name, forest = self.writable_here(), self.forest
        if name is not None and forest is not None:
            self.act(partial(self._hide, name, None if name in forest.marks.hidden else "hide"))

    async def _hide(self, name: str, how: Hidden | None) -> None:
        self.tell_moved(await self.engine.branches.hide(self.ref, name, how))

    def action_undo(self) -> None:
        self.act(self._undo)

    async def _undo(self) -> None:
        before = self.forest.tree.leaf if self.forest is not None else None
        self.say_wait()
        undoing = await self.engine.branches.undoing(self.ref)
        earlier = undoing.when < self.engine.branches.since
        if (earlier or undoing.later) and not await self._sure(undoing):
            return
        moved = await self.engine.branches.undo(self.ref, step=undoing.step)
        if moved.leaf != before:
            self.load(to_leaf=True)
        self.say("everything that was said stays in the tree", moved.what.capitalize())

    async def _sure(self, undoing: Undoing) -> bool:
        """Whether a change is to be taken back that is not the last deed of this sitting."""
        from tui.widgets.dialogs.box import Option, Pick

        options = (
            Option("keep", "leave it", "nothing changes"),
            Option("undo", "take it back", undone_words(undoing)),
        )
        dialog = Pick(undo_title(undoing), options, about=undo_about(undoing))
        return await self.app.push_screen_wait(dialog) == "undo"

    # compact, compare, graft

    def action_compact(self) -> None:
        name, forest = self.writable_here(), self.forest
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
            self.say(f"{tokens} · {result.folded:,} folded · {self.undo_hint}", "Compacted")
            self.load(at=result.entry_id)

    def action_mark(self) -> None:
        """Mark an entry; with the second one, compare the branches that end there."""
        name = self.entry_here
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
            names = (forest.branch_names.get(left, left), forest.branch_names.get(right, right))
            await self.app.push_screen_wait(DiffDialog(diff, names, forest.agent))

    def action_graft(self) -> None:
        """Take an entry up; then put a copy of it under another one, also of another session."""
        name = self.entry_here
        if name is None:
            return
        if self._grafting is None:
            self._grafting = (self.ref, name)
        elif self.writable_here() is not None:
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
            self.tell_moved(moved)
