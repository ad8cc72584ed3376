"""What the engine tells: frozen events that the app, the command line and tests listen to.

Every event names its session by key. Text inside is untrusted and unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from engine.errors import BranchlineError, Problem
    from engine.models.protocol import StopReason, Usage
    from engine.routing.envelope import Envelope
    from engine.routing.preview import Preview
    from engine.sessions.entries import Entry
    from engine.turns.order import Admission

__all__ = [
    "CompactionEnded",
    "CompactionProgress",
    "CompactionStarted",
    "ConfigBroken",
    "ConfigChanged",
    "ConfigMoved",
    "EntryAppended",
    "Event",
    "LeakFound",
    "Noticed",
    "ReplyDelta",
    "SessionChanged",
    "SessionRenewed",
    "TurnEnded",
    "TurnQueued",
    "TurnRetrying",
    "TurnStarted",
    "TurnSwitched",
    "TurnWaiting",
    "TurnedAway",
]


class EntryAppended(Struct, frozen=True):
    """An entry is on disk. `foreign`: another process wrote it."""

    session_key: str
    entry: Entry
    foreign: bool = False


class TurnQueued(Struct, frozen=True):
    """A message waits for its turn; `ahead` turns come first in this session."""

    session_key: str
    turn_id: str
    ahead: int


class TurnWaiting(Struct, frozen=True):
    """The session is held by another process; the turn goes on when that one lets go."""

    session_key: str
    turn_id: str
    holder_pid: int | None


class TurnStarted(Struct, frozen=True):
    """The user's entry is on disk and the model is being asked."""

    session_key: str
    turn_id: str
    entry_id: str
    model: str


class ReplyDelta(Struct, frozen=True):
    """More of the reply. `thinking` is reasoning text, never part of the reply."""

    session_key: str
    turn_id: str
    text: str = ""
    thinking: str = ""


class TurnRetrying(Struct, frozen=True):
    """The call failed before anything was shown and is tried again in `seconds`."""

    session_key: str
    turn_id: str
    reason: str
    seconds: float

    @property
    def when(self) -> str:
        """For people: `now`, `in 4 s`."""
        return "now" if self.seconds < 0.5 else f"in {self.seconds:.0f} s"


class TurnSwitched(Struct, frozen=True):
    """`from_model` could not answer (`reason`); another model of the chain does."""

    session_key: str
    turn_id: str
    from_model: str
    to_model: str
    reason: str


class TurnEnded(Struct, frozen=True):
    """The turn is over and its outcome on disk (`reply_entry_id` None: nothing to keep)."""

    session_key: str
    turn_id: str
    reply_entry_id: str | None
    stop_reason: StopReason
    model: str
    usage: Usage | None = None
    error: BranchlineError | None = None


class TurnedAway(Struct, frozen=True):
    """The gate refused a message, or asked its sender for pairing; nothing of it was stored.
    `admission` says why, and what the sender is told."""

    session_key: str
    turn_id: str
    envelope: Envelope
    admission: Admission


class SessionChanged(Struct, frozen=True):
    """A session was made, renamed, reset, or its state, model or leaf moved; look again."""

    session_key: str


class SessionRenewed(Struct, frozen=True):
    """A session was over, so its next message began a cold one under the same key. `ref`: the file
    of the conversation that ended, `messages` long; `rule`: the place in the config that decided
    (`reason` says it for people)."""

    session_key: str
    reason: str
    rule: str
    ref: str
    messages: int


class CompactionStarted(Struct, frozen=True):
    """A summary is being written. `trigger`: threshold, overflow or command; `tokens`: what the
    next request would weigh; `messages`: how many are folded."""

    session_key: str
    trigger: str
    tokens: int
    messages: int


class CompactionProgress(Struct, frozen=True):
    """Step `done` of `total` is being written; `text` is the summary so far."""

    session_key: str
    done: int
    total: int
    text: str = ""


class CompactionEnded(Struct, frozen=True):
    """How it ended: `outcome` is done, failed, cancelled, or preview (nothing is written yet).
    Tokens before and after are of the next request; `entry_id` is what was stored of it."""

    session_key: str
    outcome: str
    entry_id: str | None
    before: int
    after: int
    folded: int = 0
    kept: int = 0
    reason: str = ""


class ConfigChanged(Struct, frozen=True):
    """Another config revision is in force. `changes`: dotted paths of what differs from the one
    before, where that is known; none where a broken file was mended and says what it said.
    `compared`: what it does to the conversations is worked out, and ConfigMoved tells it."""

    revision: int
    changes: tuple[str, ...] = ()
    compared: bool = False


class ConfigBroken(Struct, frozen=True):
    """The config file cannot be used as it is now; `revision` stays in force. `problems` say why,
    with line and column, and stay among the engine's until the file is mended."""

    revision: int
    problems: tuple[Problem, ...]


class ConfigMoved(Struct, frozen=True):
    """What the change of the file to `revision` did to the conversations that are there, told
    some time after ConfigChanged. `partial`: not all recorded messages were looked at."""

    revision: int
    moved: Preview
    partial: bool = False


class Noticed(Struct, frozen=True):
    """Something a person should know: a torn tail cut, unreadable lines, a risky setting."""

    problem: Problem
    session_key: str | None = None


class LeakFound(Struct, frozen=True):
    """A request held words of `author` and was to be answered to `reader` (principals).

    `blocked`: no rule shares them and nothing was sent; else the operator's own setting does
    (`rule`), told once for each session and pair. Told for the first time per pair and rule, and
    each time when blocked. `author` is "" where nobody knows whose words they are.
    """

    session_key: str
    reader: str
    author: str
    rule: str
    blocked: bool
    entry_ids: tuple[str, ...] = ()
    reader_name: str = ""
    author_name: str = ""


Event = (
    EntryAppended
    | TurnQueued
    | TurnWaiting
    | TurnStarted
    | ReplyDelta
    | TurnRetrying
    | TurnSwitched
    | TurnEnded
    | TurnedAway
    | SessionChanged
    | SessionRenewed
    | ConfigChanged
    | ConfigBroken
    | ConfigMoved
    | LeakFound
    | Noticed
    | CompactionStarted
    | CompactionProgress
    | CompactionEnded
)
