"""History limits: how much of the past goes into a window (SPEC §7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.config.schema import Channel, Config

__all__ = ["Limits", "TurnCount", "limit_turns", "limits_for"]


class Limits(Struct, frozen=True):
    """The limits of one session; 0 means no limit.

    Attributes:
        max_messages: most messages, summaries not counted.
        max_tokens: most tokens of those messages.
        turns: most user turns.
        name: the config path that `max_messages` and `max_tokens` come from, for reasons shown.
        turns_name: the config path that `turns` comes from.
    """

    max_messages: int = 0
    max_tokens: int = 0
    turns: int = 0
    name: str = "history"
    turns_name: str = "historyLimit"

    @property
    def any(self) -> bool:
        return self.max_messages > 0 or self.max_tokens > 0 or self.turns > 0


def limits_for(config: Config, chat_type: str, channel: str, peer_id: str | None = None) -> Limits:
    """The limits that a session's chat is under.

    Turn limits follow the reference (OpenClaw 2026.4.15): for direct messages
    `channels.<channel>.dms.<peer>.historyLimit`, else `dmHistoryLimit`; for groups and channels
    `historyLimit`. Unlike there they hold whatever the session's key looks like.

    Args:
        chat_type: `group` and `channel` are groups; everything else is a direct message.
        channel: name of the channel, "" when the session belongs to none.
        peer_id: the other side of a direct message.
    """
    group = chat_type in ("group", "channel")
    history = config.history.group if group else config.history.dm
    turns, turns_name = _turn_limit(config.channels.get(channel.strip().lower()), group, peer_id)
    return Limits(
        max(0, history.max_messages),
        max(0, history.max_tokens),
        max(0, turns or 0),
        "history.group" if group else "history.dm",
        f"channels.{channel}.{turns_name}",
    )


def _turn_limit(channel: Channel | None, group: bool, peer: str | None) -> tuple[int | None, str]:
    if channel is None:
        return None, ""
    if group:
        return channel.history_limit, "historyLimit"
    own = _peer_limit(channel.dms, peer) if peer else None
    if own is not None:
        return own, f"dms.{peer}.historyLimit"
    return channel.dm_history_limit, "dmHistoryLimit"


def _peer_limit(dms: Mapping[str, object], peer: str) -> int | None:
    """The limit of one peer; ids are matched as written, else without regard to case, because
    the reference looks them up by the lower-cased session key."""
    entry = dms.get(peer)
    if entry is None:
        folded = peer.lower()
        entry = next((value for name, value in dms.items() if name.lower() == folded), None)
    if not isinstance(entry, Mapping):
        return None
    found = entry.get("historyLimit", entry.get("history_limit"))
    return found if isinstance(found, int) and not isinstance(found, bool) else None


class TurnCount:
    """Counts user turns while a path is read back from its newest message.

    Attributes:
        turns: user messages taken in so far.
        start: place of the oldest of them: where the limit cuts once it is reached.
    """

    __slots__ = ("_limit", "start", "turns")

    def __init__(self, limit: int):
        self._limit = limit
        self.turns = self.start = 0

    def over(self, role: str | None, place: int) -> bool:
        """Take in the next older message; whether it is of a turn too many (and so is out)."""
        if role != "user":
            return False
        if 0 < self._limit <= self.turns:
            return True
        self.turns, self.start = self.turns + 1, place
        return False


def limit_turns(roles: Sequence[str | None], limit: int | None) -> int:
    """Where a turn limit cuts: the index of the first message it keeps.

    The last `limit` user messages and what follows each stay (reference: OpenClaw 2026.4.15,
    limitHistoryTurns); no limit, or one below 1, keeps everything.
    """
    count = TurnCount(limit or 0)
    for index in range(len(roles) - 1, -1, -1):
        if count.over(roles[index], index):
            return count.start
    return 0
