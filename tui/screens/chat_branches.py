"""Branches seen from the conversation: go on from the message under the cursor, or beside it."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import getters
from textual.binding import Binding, BindingType

from engine.sessions.navigate import tip_of
from engine.sessions.siblings import siblings_of
from tui.look.cells import count
from tui.screens.forking import Forking
from tui.widgets.chat.chat import Chat
from tui.widgets.chat.conversation import Conversation

__all__ = ["ChatBranches"]


class ChatBranches(Forking):
    """The part of the Sessions screen that goes between branches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", id="chat.edit", show=False, tooltip="Edit and send again"),
        Binding("f", "fork", "Fork…", id="chat.fork", show=False, tooltip="Go on elsewhere"),
        Binding("c", "compact", "Compact", id="chat.compact", show=False, tooltip="Shown first"),
        Binding(
            "left_square_bracket", "branch(-1)", "Branch before", id="chat.branch-1", show=False
        ),
        Binding("right_square_bracket", "branch(1)", "Branch after", id="chat.branch", show=False),
    ]

    chat: Chat
    conversation = getters.query_one(Conversation)

    @property
    def session_ref(self) -> str:
        return self.chat.ref

    @property
    def entry_here(self) -> str | None:
        """The message under the block cursor, else where the conversation goes on."""
        current = self.conversation.current if self.conversation.has_focus else None
        if current is not None:
            return current.id
        return self.chat.view.leaf if self.chat.view is not None else None

    def action_compact(self) -> None:
        """Fold what is old enough, with a look at the summary first."""
        if self.writable_here() is not None:
            self.act(self._compact)

    async def _compact(self) -> None:
        from tui.widgets.dialogs.compaction import CompactionDialog

        result = await self.app.push_screen_wait(CompactionDialog(self.session_ref))
        if result is not None:
            tokens = f"{count(result.before)} → {count(result.after)}"
            self.say(f"{tokens} · {result.folded:,} folded · {self.undo_hint}", "Compacted")

    def action_branch(self, step: int) -> None:
        """To the branch that parts from this one at the message under the cursor, or above it."""
        name = self.writable_here()
        if name is not None:
            self.act(partial(self._beside, name, step))

    async def _beside(self, name: str, step: int) -> None:
        ref = self.session_ref
        tree = await self.home.engine.tree(ref)
        for node in tree.up(name):
            family = siblings_of(tree, node.id)
            if len(family) > 1 and node.id in family:
                place = (family.index(node.id) + step) % len(family)
                await self.home.engine.branches.leave(ref, tip_of(tree, family[place]))
                self.say(self.undo_hint, f"Branch {place + 1} of {len(family)}")
                return
        self.say("no other branch parts from this one at the cursor or above it", "One branch")
