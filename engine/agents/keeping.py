"""What is kept of sessions, as a person decides it: archive, restore, rename, delete (SPEC §11).

Nothing here ends a session that is being answered, or that another program is writing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.agents.lifetime import Lifetime, alone
from engine.agents.turn import Kitchen, in_thread
from engine.errors import CommandError
from engine.events import SessionChanged
from engine.lifecycle.expiry import OWN_LABELS
from engine.routing.keys import canonical_key
from engine.sessions.entries import LABELS
from engine.sessions.keys import agent_of
from engine.sessions.records import ENDED, Kind, SessionRecord
from engine.sessions.shelf import Ending, put_aside, restore
from engine.sessions.summary import read_labels
from engine.sessions.transcript import Transcript
from engine.sessions.tree import Tree
from engine.turns.order import Setup

if TYPE_CHECKING:
    from engine.sessions.search import SessionHits

__all__ = ["Generation", "Keeping"]

LONGEST = 40
"""Characters of a label."""

_REASONS: dict[Kind, str] = {
    "archived": "archived",
    "reset": "a fresh start",
    "deleted": "moved to the trash",
}


def check_label(text: str) -> str:
    """A label as it is kept.

    Raises:
        CommandError: it is empty, too long, or one that sessions have by themselves.
    """
    label = text.strip()
    if not label or len(label) > LONGEST:
        raise CommandError(f"a label has 1 to {LONGEST} characters")
    if label.casefold() in OWN_LABELS:
        raise CommandError(
            f"{label.casefold()} is a label that sessions get and lose by themselves",
            remedy="Take another word",
        )
    return label


def merged(tree: Tree, wanted: tuple[str, ...], gone: frozenset[str]) -> tuple[str, ...]:
    """The labels that a session has after some are added and others taken away."""
    entry = tree.ours.get(LABELS)
    now = read_labels(tree.entry(entry).data.get("data")) if entry is not None else ()
    left = [name for name in now if name.casefold() not in gone]
    have = {name.casefold() for name in left}
    return (*left, *(name for name in wanted if name.casefold() not in have))


class Generation(Struct, frozen=True):
    """A conversation of a key that is over. Times in ms since 1970. Texts are untrusted.

    Attributes:
        ref: what `view`, `history`, `window` and `restore` take: its file.
        kind: archived, reset or deleted (in the trash).
        ended: when it was put aside.
        reason: why, for people.
        rule: the place in the config that decided; "" for a person's own wish.
        messages: how many it holds, on all branches.
    """

    ref: str
    key: str
    session_id: str
    kind: Kind
    ended: int
    reason: str
    rule: str
    messages: int
    created: int
    last_active: int
    label: str | None
    preview: str
    model: str | None


def generation_of(record: SessionRecord) -> Generation:
    """What a list shows of a session that is over."""
    life = record.life
    told = life is not None and life.event != "restore"
    return Generation(
        str(record.path),
        record.key,
        record.session_id,
        record.kind,
        record.ended,
        (life.reason if told and life is not None else "") or _REASONS.get(record.kind, ""),
        life.rule if told and life is not None else "",
        record.messages,
        record.created,
        record.last_active,
        record.label,
        record.preview,
        record.model,
    )


class Keeping:
    """Ends sessions and brings them back.

    A `ref` is a session key, or the file of a leftover, as SessionInfo.ref and Generation.ref
    have it.

    Args:
        kitchen: what turns work with.
        setup: gives the config in force.
        state_dir: where everything is.

    Attributes:
        rules: what ends by itself.
    """

    def __init__(self, kitchen: Kitchen, setup: Callable[[], Setup], state_dir: Path):
        self._kitchen = kitchen
        self.rules = Lifetime(kitchen, setup, state_dir)

    async def search(self, query: str, *, limit: int = 1000) -> AsyncIterator[SessionHits]:
        """Sessions that hold what is looked for, the last active first, each as it is read; also
        archived and earlier ones, not the trash. `query` as of Engine.search; `limit`: most hits.

        Raises:
            CommandError: the query is empty, or its pattern cannot be used.
            StoreError: the sessions cannot be listed.
        """
        from engine.sessions.search import SEARCHED, search_sessions

        store = self._kitchen.pool.store
        records = [one for one in await in_thread(store.list) if one.kind in SEARCHED]
        records.sort(key=lambda one: -one.last_active)
        for record in records:
            if record.state == "missing":
                continue
            hits = search_sessions(store, [record], query, limit=limit)
            read: list[SessionHits] = await in_thread(list, hits)
            for found in read:
                limit -= len(found.hits)
                yield found
            if limit <= 0:
                return

    async def archive(self, ref: str, *, reason: str = "archived by hand") -> Generation:
        """Put a session away. Its key's next message starts afresh.

        Raises:
            SessionNotFound: there is none.
            SessionBusy: it is being answered here, or written by another program.
            StoreError: it could not be renamed; it is as it was.
        """
        return await self._end(ref, "archived", reason)

    async def delete(self, ref: str, *, reason: str = "deleted by hand") -> Generation:
        """Move a session, or one that is over, to the trash; `restore` brings it back.

        Raises:
            SessionNotFound, SessionBusy, StoreError: as `archive`.
        """
        return await self._end(ref, "deleted", reason)

    async def restore(self, ref: str) -> str:
        """Make what is over its key's session again; one that holds the key by now is archived.

        Returns:
            The key.

        Raises:
            SessionNotFound: there is none.
            CommandError: it is none of archived, reset and deleted.
            SessionBusy: the session that holds the key is being answered or written.
            StoreError: it could not be renamed; nothing is lost.
        """
        store = self._kitchen.pool.store
        record = await in_thread(store.resolve, ref)
        async with alone(self._kitchen, record, of_key=True):
            done = await in_thread(restore, store, record)
        return done.key

    async def rename(self, ref: str, label: str) -> None:
        """Name a session or one that is over, also while it is being answered; "" takes the name
        away.

        Raises:
            SessionNotFound: there is none.
            SessionBusy: another program is writing it.
            StoreError: it could not be written.
        """
        key = await in_thread(self._rename, ref, label)
        self._kitchen.publish(SessionChanged(key))

    def _rename(self, ref: str, label: str) -> str:
        pool = self._kitchen.pool
        record = pool.store.resolve(ref)
        with self._written(record) as transcript:
            transcript.set_name(label)
        pool.store.note(record, named=True)
        return record.key

    async def label(
        self, ref: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """Put labels on a session or one that is over, and take some away; also while it is being
        answered. A label protects it from retention.

        Returns:
            All its labels, as they are now.

        Raises:
            CommandError: a label is empty, too long, or one that sessions have by themselves.
            SessionNotFound: there is no such session.
            SessionBusy: another program is writing it.
            StoreError: it could not be written.
        """
        wanted = tuple(dict.fromkeys(check_label(name) for name in add))
        gone = frozenset(name.strip().casefold() for name in remove)
        key, labels = await in_thread(self._label, ref, wanted, gone)
        self._kitchen.publish(SessionChanged(key))
        return labels

    def _label(
        self, ref: str, wanted: tuple[str, ...], gone: frozenset[str]
    ) -> tuple[str, tuple[str, ...]]:
        pool = self._kitchen.pool
        record = pool.store.resolve(ref)
        with self._written(record) as transcript:
            labels = merged(transcript.tree, wanted, gone)
            body = {"type": "custom", "customType": LABELS, "data": {"labels": list(labels)}}
            if labels != merged(transcript.tree, (), frozenset()):
                transcript.append(body)
        pool.store.note(record)
        return record.key, labels

    @contextmanager
    def _written(self, record: SessionRecord) -> Iterator[Transcript]:
        """A session's transcript, to note something in it."""
        pool = self._kitchen.pool
        if record.kind == "session":
            with pool.using(record.key, write=True) as live:
                yield live.transcript
            return
        with closing(pool.store.open(record)) as transcript:
            yield transcript
        pool.drop(str(record.path))

    async def generations(self, key: str, *, trash: bool = False) -> tuple[Generation, ...]:
        """The conversations of a key that are over, the latest ended first.

        Args:
            trash: also those in the trash.

        Raises:
            StoreError: the state dir cannot be read.
        """
        wanted = canonical_key(key)
        agent = agent_of(wanted)
        records = await in_thread(self._kitchen.pool.store.list, agent)
        found = [
            generation_of(record)
            for record in records
            if record.key == wanted and record.kind in ENDED
            if trash or record.kind != "deleted"
        ]
        return tuple(sorted(found, key=lambda one: (-one.ended, one.ref)))

    async def _end(self, ref: str, ending: Ending, reason: str) -> Generation:
        store = self._kitchen.pool.store
        record = await in_thread(store.resolve, ref)
        async with alone(self._kitchen, record):

            def end() -> SessionRecord:
                return put_aside(store, record, ending, reason=reason)

            done = await in_thread(end)
        return generation_of(done)
