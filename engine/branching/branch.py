"""The tree of a session, as a person works with it: go elsewhere, edit, regenerate, label, hide,
copy, compare, undo (SPEC §6).

What happens is decided by pure plans (engine.sessions.navigate, .graft, .journal); this room
takes the session, writes the plan in one append and tells everybody. What moves the leaf waits
for its turn; labels and marks do not.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.branching.fork import (
    Forked,
    ForkPreview,
    Lineage,
    fork_session,
    lineage_of,
    order_of,
    preview_fork,
)
from engine.branching.scribe import Scribe
from engine.context.summary import BRANCH_PROMPT
from engine.context.window import build_window
from engine.errors import CommandError
from engine.events import EntryAppended, SessionChanged
from engine.routing.keys import canonical_key
from engine.sessions import navigate
from engine.sessions.diff import BranchDiff, diff_branches
from engine.sessions.entries import Entry
from engine.sessions.graft import Source, graft
from engine.sessions.journal import Marks, Plan, Undoing, apply, last_step, marks_of, undo, undoing
from engine.sessions.transcript import fresh_id
from engine.sessions.tree import Tree
from engine.turns.commands import parse_command
from engine.turns.intake import check_text, make_order
from engine.turns.order import Order, Place, Receipt, Setup
from engine.turns.origin import envelope_of
from engine.turns.request import Kitchen, in_thread, prepare
from engine.values import replace

__all__ = ["DEFAULT_SUMMARY", "Moved", "TreeRoom"]

DEFAULT_SUMMARY = "default"
"""Asks for a summary of the branch that is left with the usual instruction."""

Make = Callable[[Tree], Plan]


class Moved(Struct, frozen=True):
    """What a change of the tree did.

    Attributes:
        what: the operation in a word or two.
        leaf: where the conversation goes on now.
        editor: text for the composer; None for none.
        entries: what was written; none when there was nothing to do.
        summary: of the branch that was left, "" without one.
    """

    session_key: str
    what: str
    leaf: str | None
    editor: str | None = None
    entries: tuple[Entry, ...] = ()
    summary: str = ""


class TreeRoom:
    """Changes to trees. Every method may raise SessionNotFound, SessionBusy, StoreError and, for
    an entry that is not there, EntryNotFound.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
        start: carries out an order.
    """

    def __init__(
        self, kitchen: Kitchen, setup: Callable[[], Setup], start: Callable[[Order], Receipt]
    ):
        self._kitchen = kitchen
        self._setup = setup
        self._start = start
        self.since = kitchen.clock.now()
        """When this sitting began, in ms since 1970: what was done before is of another one."""

    async def move(
        self, session_key: str, node: str, *, summary: str = "", label: str | None = None
    ) -> Moved:
        """Continue from an entry; on a person's message from before it, with its text for the
        composer.

        Args:
            summary: leave a summary of the branch that is left: DEFAULT_SUMMARY, or one's own
                instruction for it; "" for none.
            label: for the summary, else for the entry.

        Raises:
            ModelError, CompactionFailed: the summary could not be written; nothing moved.
        """
        key = canonical_key(session_key)
        async with self._kitchen.lanes.turn(key):
            text = await self._leave(key, node, summary) if summary else ""

            def make(tree: Tree) -> Plan:
                place = navigate.with_results(tree, node)
                return navigate.continue_at(tree, place, fresh_id, summary=text, label=label)

            return replace(await self._change(key, make), summary=text)

    async def _leave(self, key: str, node: str, about: str) -> str:
        """The summary of the branch that going to `node` leaves behind; "" when that is none."""
        with self._kitchen.pool.using(key) as live:
            tree = live.transcript.tree
            tree.node(node)
            left = set(navigate.abandoned(tree, tree.leaf, node).ids)
            window = await in_thread(build_window, tree, tree.leaf)
            messages = tuple(one for one in window.messages if one.entry_id in left)
            if not messages:
                return ""
            order = order_of(live, self._setup(), self._kitchen.clock.now())
            ready = await in_thread(prepare, order, live, self._kitchen)
            about = BRANCH_PROMPT if about == DEFAULT_SUMMARY else about
            scribe = Scribe(order, self._kitchen, ready, about=about)
            return await scribe.digest(window, messages, size=scribe.task.max_tokens)

    async def leave(self, session_key: str, target: str | None) -> Moved:
        """Put the leaf exactly there; None stands before the first entry (an empty context)."""
        key = canonical_key(session_key)
        async with self._kitchen.lanes.turn(key):
            return await self._change(
                key, lambda tree: navigate.move_leaf(tree, target, fresh_id, what="move")
            )

    async def edit(
        self, session_key: str, node: str, text: str, *, model: str | None = None
    ) -> Receipt:
        """Send a person's message again with other words: a sibling of the first one.

        Raises:
            CommandError: the entry is no person's message, or the text is a command.
            InputRefused: empty or too large.
        """
        check_text(text)
        if parse_command(text) is not None:
            raise CommandError("a command is no message", remedy="Type it into the composer")
        order, entry = await in_thread(self._order_at, session_key, node, model)
        if entry.role != "user":
            raise CommandError(
                "only what a person said can be edited and sent again",
                remedy="Choose the message above it, or have that answered again",
            )
        envelope = replace(order.envelope, text=text, message_id=None, attachments=())
        place = Place(entry.parent_id, "edit")
        return self._start(replace(order, envelope=envelope, place=place))

    async def regenerate(self, session_key: str, node: str, *, model: str | None = None) -> Receipt:
        """Have a message answered once more: a sibling of the first reply.

        Args:
            node: the reply, or the message that it answers.
            model: another model, for this answer only.

        Raises:
            CommandError: nobody said anything before that entry.
            ModelNotFound: the model leads nowhere.
        """
        order, entry = await in_thread(self._order_at, session_key, node, model, True)
        return self._start(replace(order, place=Place(entry.id, "regenerate", again=True)))

    def _order_at(
        self, session_key: str, node: str, model: str | None, question: bool = False
    ) -> tuple[Order, Entry]:
        """An order as the person who wrote an entry would give it, and that entry: `node` itself,
        or the message that it answers."""
        with self._kitchen.pool.using(canonical_key(session_key)) as live:
            tree = live.transcript.tree
            found = navigate.question_of(tree, node) if question else tree.node(node)
            if found is None:
                raise CommandError(
                    "nobody said anything before this that could be answered",
                    remedy="Choose a message, or a reply to one",
                )
            entry = tree.entry(found.id)
            now = self._kitchen.clock.now()
            envelope = envelope_of(entry.data.get("origin"))
            if envelope is None:
                envelope = order_of(live, self._setup(), now).envelope
            envelope = replace(envelope, text=entry.text, message_id=None, timestamp=now)
            order = make_order(
                self._setup(), envelope, now=now, session_key=live.record.key, model=model
            )
            parent = tree.nodes.get(entry.parent_id or "")
            return order, replace(entry, parent_id=parent.id if parent else None)

    async def label(self, session_key: str, node: str, text: str | None) -> Moved:
        """Put a label on an entry; None or "" takes it away."""
        return await self._change(
            session_key, lambda tree: navigate.label(tree, node, text, fresh_id)
        )

    async def bookmark(self, session_key: str, node: str, on: bool = True) -> Moved:
        """Set or take away a bookmark."""
        return await self._change(
            session_key, lambda tree: navigate.bookmark(tree, node, on, fresh_id)
        )

    async def name_branch(self, session_key: str, node: str, name: str | None) -> Moved:
        """Name the branch that an entry is on; None takes the name away.

        Raises:
            CommandError: another branch has that name.
        """
        return await self._change(
            session_key, lambda tree: navigate.name_branch(tree, node, name, fresh_id)
        )

    async def hide(
        self, session_key: str, node: str, how: navigate.Hidden | None = "hide"
    ) -> Moved:
        """Leave an entry and what is below it out of lists (hide, archive), or show it again
        (None).

        Raises:
            CommandError: the conversation goes on there just now.
        """
        return await self._change(
            session_key, lambda tree: navigate.hide(tree, node, how, fresh_id)
        )

    async def graft(
        self,
        session_key: str,
        node: str,
        under: str | None,
        *,
        subtree: bool = False,
        from_key: str | None = None,
    ) -> Moved:
        """Copy an entry (or it and all below) of this or another session under an entry.

        Raises:
            CommandError: it cannot be copied.
        """
        key = canonical_key(session_key)
        origin = canonical_key(from_key) if from_key else key
        with self._kitchen.pool.using(origin) as there:
            transcript = there.transcript
            source = Source(transcript.tree, transcript.id, there.record.key)
            async with self._kitchen.lanes.turn(key):
                return await self._change(
                    key,
                    lambda tree: graft(tree, source, node, under, fresh_id, subtree=subtree),
                )

    async def undoing(self, session_key: str) -> Undoing:
        """What `undo` would take back now.

        Raises:
            NothingToUndo: there is nothing.
        """

        def look() -> Undoing:
            with self._kitchen.pool.using(canonical_key(session_key)) as live:
                return undoing(live.transcript.tree)

        return await in_thread(look)

    async def undo(self, session_key: str, *, step: str | None = None) -> Moved:
        """Take back the newest change that is not taken back yet: a move, an edit's or a
        compaction's move, a label, a mark, a graft.

        Args:
            step: the change that is meant, as `undoing` named it.

        Raises:
            NothingToUndo: there is none, or another one came since.
        """
        key = canonical_key(session_key)
        async with self._kitchen.lanes.turn(key):
            return await self._change(key, lambda tree: undo(tree, fresh_id, step=step))

    async def can_undo(self, session_key: str) -> bool:
        """Whether there is a change to take back."""

        def look() -> bool:
            with self._kitchen.pool.using(canonical_key(session_key)) as live:
                return last_step(live.transcript.tree) is not None

        return await in_thread(look)

    async def marks(self, session_key: str) -> Marks:
        """Branch names, bookmarks, what is hidden."""

        def look() -> Marks:
            with self._kitchen.pool.using(canonical_key(session_key)) as live:
                return marks_of(live.transcript.tree)

        return await in_thread(look)

    async def diff(self, session_key: str, left: str, right: str) -> BranchDiff:
        """Compare the branches that end at two entries."""

        def look() -> BranchDiff:
            with self._kitchen.pool.using(session_key) as live:
                return diff_branches(live.transcript.tree, left, right)

        return await in_thread(look)

    async def preview_fork(self, ref: str, node: str) -> ForkPreview:
        """What a fork from an entry would begin with: its window and tokens. Changes nothing."""
        return await in_thread(preview_fork, self._kitchen, self._setup(), ref, node)

    async def fork(self, ref: str, node: str | None, *, name: str = "") -> Forked:
        """Copy the path to an entry into a session of its own, also while a turn runs.

        Args:
            ref: a session, or a leftover's file.
            node: None: the leaf.
            name: a name for the new session.
        """
        forked = await in_thread(fork_session, self._kitchen, self._setup(), ref, node, name)
        for key in (forked.parent_key, forked.session_key):
            self._kitchen.publish(SessionChanged(key))
        return forked

    async def lineage(self, ref: str) -> Lineage:
        """Where a session comes from, and the forks that were made of it."""

        def look() -> Lineage:
            with self._kitchen.pool.using(ref) as live:
                return lineage_of(live)

        return await in_thread(look)

    async def _change(self, session_key: str, make: Make) -> Moved:
        """Make a plan of the tree as it is and write it at once."""
        key = canonical_key(session_key)
        patience = self._setup().config.session.lock_timeout_seconds
        with self._kitchen.pool.using(key, write=True) as live:
            async with live.transcript.holding(patience):
                plan, entries = await in_thread(apply, live.transcript, make)
        for entry in entries:
            self._kitchen.publish(EntryAppended(key, entry))
        if entries:
            self._kitchen.pool.spoil(key)
            self._kitchen.publish(SessionChanged(key))
        return Moved(key, plan.what, plan.leaf, plan.editor, tuple(entries))
