"""Trying a dmScope: recorded messages are read once and routed as each scope would have it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine.config.schema import Config, DmScope
    from engine.engine import Engine
    from engine.routing.envelope import Envelope
    from engine.routing.preview import Preview

__all__ = ["SCOPES", "Trial", "with_scope"]

SCOPES: tuple[tuple[DmScope, str], ...] = (
    ("main", "all share one session and its memory"),
    ("per-peer", "each person id, whatever the channel"),
    ("per-channel-peer", "each person on each channel"),
    ("per-account-channel-peer", "and on each of your accounts"),
)
"""Every scope, and what it does."""


def with_scope(config: Config, scope: DmScope) -> Config:
    """A config with another `session.dmScope`."""
    session = msgspec.structs.replace(config.session, dm_scope=scope)
    return msgspec.structs.replace(config, session=session)


class Trial:
    """The recorded messages of a state dir, to try scopes on. Changes nothing."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._envelopes: list[Envelope] | None = None

    async def try_out(self, scope: DmScope) -> Preview:
        """What a scope would do to the conversations there are.

        Raises:
            StoreError: the sessions cannot be listed.
        """
        return await asyncio.to_thread(self._try_out, scope)

    def _try_out(self, scope: DmScope) -> Preview:
        from engine.routing.preview import preview

        if self._envelopes is None:
            self._envelopes = self._read()
        config = self._engine.config
        return preview(config, with_scope(config, scope), self._envelopes)

    def _read(self) -> list[Envelope]:
        from engine.clock import SystemClock
        from engine.disk import Disk
        from engine.sessions.store import Store
        from engine.turns.recorded import recorded_envelopes

        return list(recorded_envelopes(Store(Disk(), self._engine.state_dir, SystemClock())))
