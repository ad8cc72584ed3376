"""How often bindings decide and how many sessions there are, from what came in (SPEC §2).

What came in is kept as distinct messages with a count each, so that another config, or another
look, costs the number of different senders and places, not the number of messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from engine.config.schema import Config
from engine.routing.envelope import Envelope
from engine.routing.router import Router
from engine.values import replace

__all__ = ["NEVER", "Seen", "Tally", "Use", "bare", "dm_sessions", "use_by_rule"]

MOST = 50_000
"""Distinct messages kept; further ones only add to those."""


class Use(Struct, frozen=True):
    """How many messages, and when the last one came, in milliseconds since 1970 (0: never)."""

    messages: int
    last: int

    def __add__(self, other: Use) -> Use:
        return Use(self.messages + other.messages, max(self.last, other.last))


NEVER = Use(0, 0)

Seen = Mapping[Envelope, Use]
"""Messages without what no routing looks at, with their number."""


def bare(envelope: Envelope) -> Envelope:
    """A message without its words, its id and its time: what routing looks at is left."""
    sender = envelope.sender
    return replace(
        envelope,
        text="",
        message_id=None,
        attachments=(),
        mentions_agent=False,
        timestamp=0,
        extra={},
        sender=replace(sender, name="") if sender is not None else None,
    )


class Tally:
    """Counts messages by what routing looks at. `whole` is False once some were left out."""

    def __init__(self) -> None:
        self._seen: dict[Envelope, Use] = {}
        self._names: dict[Envelope, tuple[int, str]] = {}
        self.whole = True

    def add(self, envelope: Envelope, when: int) -> None:
        """Count a message that came at `when` (milliseconds since 1970)."""
        key = bare(envelope)
        before = self._seen.get(key)
        if before is None and len(self._seen) >= MOST:
            self.whole = False
            return
        self._seen[key] = (before or NEVER) + Use(1, when)
        name = envelope.sender.name if envelope.sender is not None else ""
        if name and when >= self._names.get(key, (when, ""))[0]:
            self._names[key] = when, name

    def seen(self) -> Seen:
        """What was counted so far; later messages do not change it."""
        return dict(self._seen)

    def names(self) -> dict[Envelope, str]:
        """What the senders of what was counted called themselves last, where they did. It is not
        made safe."""
        return {envelope: name for envelope, (_, name) in self._names.items()}


def use_by_rule(router: Router, seen: Seen) -> dict[str, Use]:
    """For each rule that decides any of the messages (`bindings[3]`, `default`) its use."""
    found: dict[str, Use] = defaultdict(lambda: NEVER)
    for envelope, use in seen.items():
        found[router.route(envelope).rule] += use
    return dict(found)


def dm_sessions(config: Config, seen: Seen) -> dict[str, int]:
    """For each session that direct messages go to under a config, how many went there."""
    router, found = Router(config), defaultdict[str, int](int)
    for envelope, use in seen.items():
        if envelope.peer is not None and envelope.peer.kind == "dm":
            found[router.route(envelope).session_key] += use.messages
    return dict(found)
