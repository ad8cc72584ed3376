"""What is kept of sessions, as a person decides it: archive, restore, rename, delete (SPEC §11).

Nothing here ends a session that is being answered, or that another program is writing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from engine.agents.lifetime import Lifetime, alone
from engine.agents.turn import Kitchen, in_thread
from engine.events import SessionChanged
from engine.routing.keys import canonical_key
from engine.sessions.records import ENDED, Kind, SessionRecord
from engine.sessions.shelf import Ending, put_aside, restore
from engine.turns.order import Setup

__all__ = ["Generation", "Keeping"]

_REASONS: dict[Kind, str] = {
    "archived": "archived",
    "reset": "a fresh start",
    "deleted": "moved to the trash",
}


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
        async with alone(self._kitchen, record.key, ref):
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
        if record.kind == "session":
            with pool.using(record.key, write=True) as live:
                live.transcript.set_name(label)
            pool.store.note(record, label=label.strip() or None)
        else:
            with closing(pool.store.open(record)) as transcript:
                transcript.set_name(label)
            pool.drop(str(record.path))
        return record.key

    async def generations(self, key: str, *, trash: bool = False) -> tuple[Generation, ...]:
        """The conversations of a key that are over, the latest ended first.

        Args:
            trash: also those in the trash.

        Raises:
            StoreError: the state dir cannot be read.
        """
        wanted = canonical_key(key)
        records = await in_thread(self._kitchen.pool.store.list)
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
        async with alone(self._kitchen, record.key, ref):

            def end() -> SessionRecord:
                return put_aside(store, record, ending, reason=reason)

            done = await in_thread(end)
        return generation_of(done)
