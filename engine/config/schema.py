"""The config's shape (SPEC §12): OpenClaw's names, camelCase in the file, frozen values here.

The string under a field says what it means, its unit and default; `config schema` prints it.
A value of this module is what the whole engine reads: it is made by engine.config.load, which
reports every problem with its place, and it never changes afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from engine.config.base import Amount, Count, Id, Positive, Value, masked
from engine.config.channels import Account, Channel, DmLimits, Group
from engine.config.matching import (
    Assign,
    AssignMatch,
    Binding,
    Match,
    PeerMatch,
    Permissions,
    Profile,
)
from engine.config.providers import Cost, KeyFile, Models, ModelSpec, Provider

__all__ = [
    "Account",
    "Agent",
    "AgentDefaults",
    "Agents",
    "Assign",
    "AssignMatch",
    "Binding",
    "Channel",
    "Compaction",
    "Config",
    "Cost",
    "DmLimits",
    "DmScope",
    "Group",
    "GroupChat",
    "History",
    "HistoryLimit",
    "KeyFile",
    "Maintenance",
    "Match",
    "MemoryFlush",
    "Messages",
    "ModelAlias",
    "ModelChoice",
    "ModelSpec",
    "Models",
    "NamedAgent",
    "PeerMatch",
    "Permissions",
    "Profile",
    "Provider",
    "Queue",
    "Reset",
    "SendMatch",
    "SendPolicy",
    "SendRule",
    "Session",
    "Ui",
    "Value",
]

DmScope = Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]


class ModelChoice(Value, frozen=True):
    primary: str | None = None
    """Model reference `provider/model` or an alias. Default: `offline/echo` without any key."""
    fallbacks: tuple[str, ...] = ()
    """References tried in order when the primary cannot answer."""


class ModelAlias(Value, frozen=True):
    alias: str | None = None
    """Short name for this model."""
    params: dict[str, Any] | None = None
    """Settings of the reference for this model; kept, not used here."""


class GroupChat(Value, frozen=True):
    mention_patterns: tuple[str, ...] | None = None
    """Patterns that count as addressing the agent in a group, besides a real mention. Default:
    messages.groupChat, else the agent's name, and its id after an @. Empty: none."""
    history_limit: Count | None = None
    """Unaddressed group messages kept as context. Default: history.group."""


class Agent(Value, frozen=True):
    id: str
    """Agent id: a-z 0-9 _ -, at most 64 characters."""
    default: bool = False
    """Whether messages that no binding claims go here. Default: the first agent listed."""
    name: str | None = None
    """Name shown to people. Default: the id."""
    workspace: str | None = None
    """Folder with AGENTS.md, SOUL.md and so on. Default: `<state>/workspace-<id>`."""
    model: ModelChoice | None = None
    """Model of this agent: a reference, or {primary, fallbacks}. Default: agents.defaults.model."""
    group_chat: GroupChat = GroupChat()
    """How the agent behaves in groups."""


class NamedAgent(Agent, frozen=True):
    """An entry of `agents` by name: an agent of that id, and bindings for its channels."""

    id: str = ""
    """Agent id. Default: the entry's name."""
    channels: tuple[str, ...] = ()
    """Channels, on all accounts, whose messages this agent gets."""
    scope: Literal["dm", "group", "all"] = "all"
    """dm: direct messages only; group: groups and channels only."""


class HistoryLimit(Value, frozen=True):
    max_messages: Count = 0
    """Most messages in the window; 0: no limit."""
    max_tokens: Count = 0
    """Most tokens in the window; 0: no limit."""


class History(Value, frozen=True):
    dm: HistoryLimit = HistoryLimit(max_messages=100, max_tokens=32000)
    """Limits for direct messages and the operator's chats."""
    group: HistoryLimit = HistoryLimit(max_messages=30, max_tokens=8000)
    """Limits for groups and channels."""


class MemoryFlush(Value, frozen=True):
    enabled: bool = True
    """Whether a silent turn writes lasting notes shortly before compaction."""
    soft_threshold_tokens: Count = 4000
    """Tokens before the compaction threshold at which the flush runs."""


class Compaction(Value, frozen=True):
    enabled: bool = True
    """Whether sessions compact by themselves."""
    mode: str = "default"
    """The reference's choice of method; there is one here, so it is kept and not used."""
    threshold: Annotated[float, Meta(gt=0, le=1)] = 0.85
    """Part of the window at which compaction starts."""
    reserve_tokens: Count = 16384
    """Tokens kept free for the answer; scaled down for small windows."""
    reserve_tokens_floor: Count = 20000
    """Least reserve, in tokens; scaled down for small windows."""
    preserve_recent: Count = 10
    """Messages never folded."""
    keep_recent_tokens: Count = 20000
    """Tokens of recent talk kept as they are."""
    summary_max_tokens: Positive = 1024
    """Most tokens of a summary."""
    model: str | None = None
    """Model that writes summaries. Default: the session's."""
    memory_flush: MemoryFlush = MemoryFlush()
    """Notes written before compaction."""


class AgentDefaults(Value, frozen=True):
    workspace: str | None = None
    """Folder for agents that name none. Default: `<state>/workspace`."""
    model: ModelChoice | None = None
    """Model for agents that name none: a reference, {primary, fallbacks} or {provider, name}.
    Default: a preset whose key is set, else offline/echo."""
    models: dict[str, ModelAlias] = {}
    """Model reference → {alias}; the aliases join models.aliases."""
    compaction: Compaction | None = None
    """The reference's place for `compaction`; keys given at the top level win."""
    max_concurrent: Positive = 4
    """Turns that run at the same time, over all sessions."""
    timeout_seconds: Positive = 600
    """Longest a turn may run, in seconds."""


class Agents(Value, frozen=True):
    """Beside these two keys, `agents` may hold agents by name, each as NamedAgent describes:
    `"telegram-dm": {channels: ["telegram"], scope: "dm"}`."""

    defaults: AgentDefaults = AgentDefaults()
    """What agents inherit."""
    list: tuple[Agent, ...] = ()
    """The agents. Empty: one agent `main`."""


class Reset(Value, frozen=True):
    mode: Literal["none", "daily", "idle"] | None = None
    """none: sessions do not expire; daily: at atHour; idle: after idleMinutes of silence."""
    at_hour: Annotated[int, Meta(ge=0, le=23)] | None = None
    """Local hour of the daily reset. Default: 4."""
    idle_minutes: Count | None = None
    """Minutes of silence after which a session is over."""


class SendMatch(Value, frozen=True):
    channel: str | None = None
    """Channel name."""
    chat_type: Literal["dm", "direct", "group", "channel"] | None = None
    """Kind of conversation."""
    key_prefix: str | None = None
    """Beginning of the session key, with or without `agent:<id>:`."""
    raw_key_prefix: str | None = None
    """Beginning of the whole session key."""


class SendRule(Value, frozen=True):
    action: Literal["allow", "deny"]
    """What happens to an answer that matches."""
    match: SendMatch = SendMatch()
    """Fields of which all must hold; empty matches everything."""


class SendPolicy(Value, frozen=True):
    default: Literal["allow", "deny"] = "allow"
    """What holds when no rule matches."""
    rules: tuple[SendRule, ...] = ()
    """Rules in order; one that denies wins."""


class Maintenance(Value, frozen=True):
    prune_after_days: Amount = 0
    """Days after which an unused session goes to the trash; 0: never."""
    max_sessions: Count = 0
    """Most sessions kept; 0: no limit."""
    disk_budget: int | str | None = None
    """Most space for transcripts: bytes, or text such as `500MB`. Default: no limit."""
    trash_days: Amount = 0
    """Days after which what lies in the trash is erased; 0: only the disk budget takes from it."""


class Session(Value, frozen=True):
    dm_scope: DmScope = "main"
    """Which direct messages share a session. The first-run config sets per-channel-peer."""
    main_key: str = "main"
    """Last part of the main session's key."""
    identity_links: dict[str, tuple[Id, ...]] = {}
    """Person → `channel:peerId` list; linked peers share their sessions (not under main)."""
    key_format: str | None = None
    """Template for the part of a key after `agent:<id>:`."""
    max_concurrent: Positive | None = None
    """Most sessions at a time; over it new senders get busyMessage. Default: no limit."""
    busy_message: str = "All lines are busy just now. Please try again in a little while."
    """What a sender hears when maxConcurrent is reached."""
    isolation: Literal["full", "partial"] = "full"
    """partial: sessions may read one shared, read-only knowledge folder."""
    lock_timeout_seconds: Amount = 60.0
    """How long a turn waits for a session that another process holds, in seconds."""
    reset: Reset | None = None
    """When sessions expire. Default: never."""
    reset_by_type: dict[Literal["dm", "direct", "group", "thread"], Reset] | None = None
    """reset for dm, group, thread."""
    reset_by_channel: dict[str, Reset] = {}
    """reset for a channel."""
    idle_minutes: Count | None = None
    """The reference's older way to write reset {mode: "idle", idleMinutes}."""
    ttl_days: Amount = 0
    """Days after which an unused session is archived; 0: never."""
    timeout_hours: Amount = 0
    """Hours of silence after which a session counts as idle; 0: never."""
    send_policy: SendPolicy | None = None
    """Rules that allow or deny answering. Default: allow."""
    maintenance: Maintenance | None = None
    """Retention. Default: nothing is removed."""


class Queue(Value, frozen=True):
    mode: Literal["collect", "followup", "steer", "interrupt"] = "collect"
    """What happens to messages that come during a turn."""
    debounce_ms: Count = 0
    """Milliseconds of quiet before collected messages are answered."""


class Messages(Value, frozen=True):
    queue: Queue = Queue()
    """Messages that arrive during a turn."""
    group_chat: GroupChat = GroupChat()
    """How agents behave in groups; an agent's own groupChat wins."""


class Ui(Value, frozen=True):
    theme: str | None = None
    """Theme of the app. Default: branchline-dark."""
    glyphs: Literal["unicode", "ascii"] = "unicode"
    """Set of signs drawn; ascii for terminals that draw them badly."""
    motion: Literal["full", "reduced"] = "full"
    """Whether anything moves or blinks by itself; TEXTUAL_ANIMATIONS=none asks for reduced, too."""
    bell: bool = True
    """Ring the terminal's bell, once, when somebody or something waits for you."""
    title: bool = True
    """Show the open session and how many need you in the terminal's title; it is given back."""


class Config(Value, frozen=True):
    agents: Agents = Agents()
    """Who answers."""
    bindings: tuple[Binding, ...] = ()
    """Which messages go to which agent."""
    routing: dict[str, str] = {}
    """Patterns over base keys → agent id, tried before the default agent."""
    session: Session = Session()
    """How conversations are told apart."""
    channels: dict[str, Channel] = {}
    """Policies per channel; a channel not named is a simulated one and open."""
    models: Models = Models()
    """Where models are."""
    history: History = History()
    """How much past goes into a window."""
    compaction: Compaction = Compaction()
    """How long sessions are folded."""
    messages: Messages = Messages()
    """What happens to messages that arrive during a turn, and in groups."""
    ui: Ui = Ui()
    """How the app looks."""
    keymap: dict[str, str] = {}
    """Binding id → keys."""
    env: dict[str, str] = {}
    """Environment variables to add; existing ones win."""
    tools: dict[str, Any] | None = None
    """Session tools and their visibility."""
    permissions: Permissions = Permissions()
    """Who may use which commands and tools."""

    def __repr__(self) -> str:
        return masked(self, ("env",))
