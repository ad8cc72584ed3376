"""Going on from an entry: continue, edit and send again, regenerate, fork; from the tree and from
the conversation alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from engine.branching.branch import DEFAULT_SUMMARY, Moved
from engine.errors import BranchlineError
from engine.sessions.navigate import question_of
from engine.sessions.tree import Tree
from tui.later import later
from tui.look.cells import count
from tui.people.naming import is_stored
from tui.screens.cockpit import CockpitScreen

if TYPE_CHECKING:
    from tui.widgets.dialogs.fork import ForkAbout, ForkChoice

__all__ = ["Forking"]


class Forking(CockpitScreen):
    """A screen on which a person goes on from an entry of a session."""

    undo_hint = "u in the tree (^T) undoes it"
    following = False
    """Whether the cursor goes with the leaf until the turn that was asked for has ended."""

    @property
    def session_ref(self) -> str:
        """The session that is worked on: its key, or the file of a leftover."""
        raise NotImplementedError

    @property
    def entry_here(self) -> str | None:
        """The entry under the cursor."""
        raise NotImplementedError

    # doing things

    def act(self, work: Callable[[], Awaitable[object]]) -> None:
        """Carry something out; an error of the engine is told."""
        later(self, partial(self._guarded, work), group="act", exclusive=False)

    async def _guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except BranchlineError as error:
            self.home.fail(error)

    def writable_here(self) -> str | None:
        """The entry to be worked on; None (said) where nothing can be written."""
        name = self.entry_here
        return name if name is not None and self.writable(self.session_ref) else None

    def writable(self, ref: str) -> bool:
        """Whether a session can be written to; said where it cannot."""
        info = self.tracker.infos.get(ref)
        if info is not None and is_stored(info):
            self.say("it is kept as it was; f forks it into a session of its own", "Stored")
            return False
        return True

    def say_wait(self) -> None:
        """What moves the leaf has its turn after the reply that is being written."""
        if self.session_ref in self.tracker.live:
            self.say("it is done when the reply that is being written has ended", "Waiting")

    def tell_moved(self, moved: Moved) -> None:
        """Say what was done to the tree."""
        if moved.entries:
            self.say(self.undo_hint, moved.what.capitalize())

    # continue, edit, regenerate, fork

    async def go_on(self, ref: str, name: str, summary: str = "", label: str | None = None) -> None:
        """Continue at an entry of a session, and write there."""
        self.say_wait()
        moved = await self.engine.branches.move(ref, name, summary=summary, label=label)
        if moved.entries:
            self.say(Forking.undo_hint, moved.what.capitalize())
        await self.home.to_chat(ref, moved.editor)

    def action_edit(self) -> None:
        """Edit a person's message and send it again; of a reply, the message it answers."""
        name = self.writable_here()
        if name is not None:
            self.act(partial(self._edit, self.session_ref, name))

    async def _edit(self, ref: str, name: str) -> None:
        tree = await self.engine.tree(ref)
        asked = question_of(tree, name)
        if asked is None:
            told = "only what a person said can be edited, and nobody said anything up to here"
            self.say(told, "Nothing to edit")
        else:
            await self._fork(ref, asked.id, "edit")

    def action_regenerate(self) -> None:
        """Another reply to the same message."""
        name = self.writable_here()
        if name is not None:
            self.act(partial(self.regenerate, self.session_ref, name))

    async def regenerate(self, ref: str, name: str, model: str | None = None) -> str | None:
        """Have a message answered once more, and wait until that is under way; what is answered."""
        self.following = True
        receipt = await self.engine.branches.regenerate(ref, name, model=model)
        return await receipt.stored()

    def action_regenerate_with(self) -> None:
        """Another reply, by a model that is chosen now."""
        name = self.writable_here()
        if name is not None:
            self.act(partial(self.regenerate_with, self.session_ref, name))

    async def regenerate_with(self, ref: str, name: str) -> str | None:
        """Ask for a model, then as `regenerate`; None when there is none."""
        from tui.commands.modelchoice import ask_model

        model = await ask_model(self.home, ref, "Answer again with…", "answer again")
        return None if model is None else await self.regenerate(ref, name, model)

    def action_fork(self) -> None:
        name = self.entry_here
        if name is not None:
            self.act(partial(self._fork, self.session_ref, name, "continue"))

    async def _fork(self, ref: str, name: str, kind: str) -> None:
        from tui.widgets.dialogs.fork import ForkDialog

        about = await self._about(ref, await self.engine.tree(ref), name)
        dialog = ForkDialog(about, kind)
        with self.home.unsent.words(ref, lambda: dialog.rewritten):
            choice = await self.app.push_screen_wait(dialog)
        if choice is None:
            return
        if choice.kind == "session":
            await self._new_session(ref, name, choice.label)
        elif self.writable(ref):
            await self._chosen(ref, name, choice)

    async def _chosen(self, ref: str, name: str, choice: ForkChoice) -> None:
        if choice.kind == "continue":
            summary = DEFAULT_SUMMARY if choice.summarize else ""
            await self.go_on(ref, name, summary, choice.label or None)
            return
        if choice.kind == "edit":
            stored = await self._send_again(ref, name, choice.text)
        elif choice.kind == "model":
            stored = await self.regenerate_with(ref, name)
        else:
            stored = await self.regenerate(ref, name)
        if choice.label and stored is not None:
            await self.engine.branches.label(ref, stored, choice.label)

    async def _send_again(self, ref: str, name: str, text: str) -> str | None:
        """With the model for the next message only, where one was chosen. What cannot be stored
        stands in the composer then."""
        chosen = self.home.next_models
        self.following = True
        try:
            with self.home.unsent.words(ref, lambda: text):
                receipt = await self.engine.branches.edit(ref, name, text, model=chosen.get(ref))
                stored = await receipt.stored()
        except BranchlineError as error:
            self.home.fail(error)
            await self.home.to_chat(ref, text)
            return None
        chosen.pop(ref, None)
        return stored

    async def _about(self, ref: str, tree: Tree, name: str) -> ForkAbout:
        """What the fork dialog says of an entry."""
        from tui.widgets.dialogs.fork import ForkAbout

        engine = self.engine
        node = tree.node(name)
        text = tree.entry(name).text if node.role == "user" else None
        preview, room, problem = None, 0, ""
        try:
            preview = await engine.branches.preview_fork(ref, name)
            room = (await engine.xray(ref, name)).model.context_window
        except BranchlineError as error:
            problem = str(error)
        info = self.tracker.infos.get(ref)
        key = f"{info.key if info is not None else ref}:fork:…"
        return ForkAbout(name, text, node.role == "assistant", key, preview, room, problem)

    async def _new_session(self, ref: str, name: str, label: str) -> None:
        forked = await self.engine.branches.fork(ref, name, name=label)
        self.say(f"{forked.session_key} · {count(forked.tokens)} tokens", "Forked")
        await self.home.bridge.load()
        await self.home.to_chat(forked.session_key)
