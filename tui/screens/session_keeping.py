"""What becomes of whole conversations: names, labels, archive, trash; of one, or of all marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from engine.errors import BranchlineError
from engine.text import safe_line
from tui.people.naming import is_stored, session_name
from tui.screens.session_beginning import SessionBeginning
from tui.widgets.dialogs.box import Option, Pick
from tui.widgets.sessions.sessionlist import SessionList

__all__ = ["SessionKeeping"]

NAMED = 6
"""Sessions that a question about several names; the others are counted."""


class SessionKeeping(SessionBeginning):
    """The part of the Sessions screen that keeps and ends conversations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "rename", "Rename", id="sessions.rename", show=False),
        Binding("L", "label", "Labels", id="sessions.label", show=False),
        Binding("A", "archive", "Archive or restore", id="sessions.archive", show=False),
        Binding("D", "delete", "To the trash", id="sessions.delete", show=False),
        Binding("U", "bring_back", "Bring back", id="sessions.bring-back", show=False),
        Binding("E", "generations", "Earlier ones", id="sessions.generations", show=False),
    ]

    _ended: tuple[str, ...] = ()
    """What was archived or deleted last in this run, to be brought back."""

    @property
    def ref_here(self) -> str | None:
        """The session to act on: in the list the one under the cursor, None on a row of another
        kind; elsewhere the one that is open."""
        if not self.sessions.has_focus or not len(self.sessions.rows):
            return self.chat.ref
        here = self.sessions.current
        return here if isinstance(here, str) else None

    def marked_refs(self) -> tuple[str, ...]:
        """The sessions that are marked in the list, in its order."""
        return self.sessions.marked_refs()

    @property
    def refs_here(self) -> tuple[str, ...]:
        """What is to be acted on: in the list all that are marked, else those that the row under
        the cursor stands for; elsewhere the session that is open."""
        if not self.sessions.has_focus or not len(self.sessions.rows):
            return (self.chat.ref,)
        return self.marked_refs() or self.sessions.refs_here

    def _with(self, work: Callable[[tuple[str, ...]], Awaitable[None]]) -> None:
        """Begin something with what is to be acted on."""
        refs = self.refs_here
        if refs:
            self._begin(partial(work, refs))
        else:
            self._say_nothing_here()

    def _with_one(self, work: Callable[[str], Awaitable[None]]) -> None:
        ref = self.ref_here
        if ref is not None:
            self._begin(partial(work, ref))
        else:
            self._say_nothing_here()

    def _say_nothing_here(self) -> None:
        self.say("put the cursor on a session; Space unfolds a row", "No session here")

    def _name_of(self, ref: str) -> str:
        info = self.tracker.infos.get(ref)
        return session_name(info) if info is not None else safe_line(ref, limit=80)

    def _names_of(self, refs: Sequence[str]) -> str:
        names = ", ".join(self._name_of(ref) for ref in refs[:NAMED])
        more = f" and {len(refs) - NAMED} more" if len(refs) > NAMED else ""
        return names + more

    async def _each(
        self, refs: Sequence[str], work: Callable[[str], Awaitable[str]]
    ) -> tuple[list[str], list[str]]:
        """Do something with each session. What it came to for those with which it was done, and
        the names of the others, for which why not is told.

        Raises:
            BranchlineError: there is only one, and it could not be done.
        """
        done, left = [], []
        for ref in refs:
            try:
                done.append(await work(ref))
            except BranchlineError as error:
                if len(refs) == 1:
                    raise
                left.append(self._name_of(ref))
                self.home.fail(error)
        return done, left

    # looking

    @on(SessionList.Peeked)
    def _peek(self, event: SessionList.Peeked) -> None:
        from tui.widgets.dialogs.peek import Peek

        def opened(ref: str | None) -> None:
            if ref is not None:
                self.open_session(ref)
                self.composer.focus()

        event.stop()
        self.app.push_screen(Peek(self.home, event.ref, self.sessions.step), opened)

    def action_read(self) -> None:
        """Call it read without opening it; what is read already is unread again."""
        refs = self.refs_here
        news = self.tracker.unread | set(self.tracker.needs)
        self.tracker.set_read(refs, bool(news & set(refs)))
        self.home.bridge.tell_again()

    # names and labels

    def action_rename(self) -> None:
        self._with_one(self._rename)

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
        self._with(self._label)

    async def _label(self, refs: Sequence[str]) -> None:
        """Add labels to all of them, and take away what all of them had."""
        from tui.widgets.dialogs.ask import Ask

        infos = [info for ref in refs if (info := self.tracker.infos.get(ref)) is not None]
        if not infos:
            self.say("it is made by its first message", "Nothing to label yet")
            return
        common = [word for word in infos[0].labels[1:] if all(word in one.labels for one in infos)]
        # One with a comma in it is not for this field; it stays as it is.
        shown = {safe_line(word): word for word in common if "," not in word}
        title, hint = "Labels", "Words with commas between them, such as escalated."
        if len(infos) > 1:
            title, hint = f"Labels of {len(infos)} sessions", f"{hint} Here: what all of them have."
        text = await self.app.push_screen_wait(
            Ask(
                title,
                hint=f"{hint} A label protects from retention.",
                check=lambda text: None,
                value=", ".join(shown),
                limit=400,
            )
        )
        if text is None:
            return
        typed = [word.strip() for word in text.split(",") if word.strip()]
        wanted = [shown.get(word, word) for word in typed]
        gone = [word for word in shown.values() if word not in wanted]

        async def label(ref: str) -> str:
            await self.engine.keeping.label(ref, wanted, gone)
            return ref

        await self._each([info.ref for info in infos], label)

    # ending and bringing back

    def action_archive(self) -> None:
        """Put it away; what is put away already comes back."""
        self._with(self._archive)

    async def _archive(self, refs: Sequence[str]) -> None:
        infos = [self.tracker.infos.get(ref) for ref in refs]
        if all(info is not None and is_stored(info) for info in infos):
            await self._restore(refs)
            return
        live = [ref for ref in refs if not self._is_over(ref)]

        async def archive(ref: str) -> str:
            return (await self.engine.keeping.archive(ref)).ref

        told = self._names_of(live)
        if len(live) > 1 and not await self._agreed(f"Archive {len(live)} sessions", told):
            return
        await self._gone(live, *await self._each(live, archive), f"{told}: archived")

    async def _agreed(self, title: str, names: str) -> bool:
        """Whether the person wants it of all of them."""
        options = [Option("yes", "Archive them", "each key begins anew; U brings all back")]
        return await self.app.push_screen_wait(Pick(title, options, about=names)) is not None

    def _is_over(self, ref: str) -> bool:
        info = self.tracker.infos.get(ref)
        return info is not None and is_stored(info)

    def action_delete(self) -> None:
        self._with(self._delete)

    async def _delete(self, refs: Sequence[str]) -> None:
        names = self._names_of(refs)
        verb, them = ("goes", "it") if len(refs) == 1 else ("go", "them")
        about = f"{names} {verb} to the trash, from which U brings {them} back."
        kept = "the file is kept" if len(refs) == 1 else f"{len(refs)} files are kept"
        options = [Option("delete", "To the trash", f"{kept} until retention empties it")]
        if await self.app.push_screen_wait(Pick("Delete", options, about=about)) is None:
            return

        async def delete(ref: str) -> str:
            return (await self.engine.keeping.delete(ref)).ref

        await self._gone(refs, *await self._each(refs, delete), f"{names}: in the trash")

    async def _gone(
        self, refs: Sequence[str], ended: list[str], left: list[str], told: str
    ) -> None:
        """Away from conversations that are over."""
        if ended:
            self._ended = tuple(ended)
            them = "it" if len(ended) == 1 else f"all {len(ended)}"
            but = f", not {', '.join(left)}" if left else ""
            self.say(f"{told}{but}. U brings {them} back", "Sessions")
        self.sessions.clear_marks()
        await self.home.bridge.load()
        ref = self.heading_for
        if ref in refs and ref not in self.tracker.infos:
            self.open_session(self._route_home().session_key)
        self.draw()

    def action_bring_back(self) -> None:
        """What was archived or deleted last here."""
        if not self._ended:
            self.say("nothing was archived or deleted since the start; E lists earlier ones", "")
            return
        self._begin(partial(self._restore, self._ended))

    async def _restore(self, refs: Sequence[str]) -> None:
        async def restore(ref: str) -> str:
            key = await self.engine.keeping.restore(ref)
            self._ended = tuple(one for one in self._ended if one != ref)
            return key

        keys, _ = await self._each(refs, restore)
        self.sessions.clear_marks()
        await self.home.bridge.load()
        if keys:
            verb = "goes" if len(keys) == 1 else "go"
            self.say(f"{self._names_of(keys)} {verb} on", "Brought back")
        if len(keys) == 1:
            self.open_session(keys[0])
        self.draw()

    def action_generations(self) -> None:
        """What this session's key held before."""
        self._with_one(self._generations)

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
