"""The config's shape (SPEC §12): OpenClaw's names, camelCase in the file, frozen values here.

The string under a field says what it means, its unit and default; `config schema` prints it.
A value of this module is what the whole engine reads: it is made by engine.config.load, which
reports every problem with its place, and it never changes afterwards.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Agent",
    "AgentDefaults",
    "Agents",
    "Binding",
    "Channel",
    "Compaction",
    "Config",
    "DmScope",
    "GroupChat",
    "History",
    "HistoryLimit",
    "Match",
    "MemoryFlush",
    "Messages",
    "ModelChoice",
    "ModelSpec",
    "Models",
    "PeerMatch",
    "Provider",
    "Queue",
    "Session",
    "Ui",
]

DmScope = Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]
Id = str | int


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all config values."""


class ModelChoice(Value):
    primary: str | None = None
    """Model reference `provider/model` or an alias. Default: `offline/echo` without any key."""
    fallbacks: tuple[str, ...] = ()
    """References tried in order when the primary cannot answer."""


class GroupChat(Value):
    mention_patterns: tuple[str, ...] = ()
    """Patterns that count as addressing the agent in a group, besides a real mention."""
    history_limit: int | None = None
    """Unaddressed group messages kept as context. Default: history.group."""


class Agent(Value):
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


class AgentDefaults(Value):
    workspace: str | None = None
    """Folder for agents that name none. Default: `<state>/workspace`."""
    model: ModelChoice | None = None
    """Model for agents that name none. Default: a preset whose key is set, else offline/echo."""
    max_concurrent: int = 4
    """Turns that run at the same time, over all sessions."""
    timeout_seconds: int = 600
    """Longest a turn may run, in seconds."""


class Agents(Value):
    defaults: AgentDefaults = AgentDefaults()
    """What agents inherit."""
    list: tuple[Agent, ...] = ()
    """The agents. Empty: one agent `main`."""


class PeerMatch(Value):
    kind: str
    """dm (or direct), group or channel."""
    id: Id
    """Peer id as the channel gives it; `*` for any of this kind."""


class Match(Value):
    channel: str
    """Channel name; there is no wildcard."""
    account_id: Id | None = None
    """Account of the channel; `*` for any. Default: only the account `default`."""
    peer: PeerMatch | None = None
    """One conversation."""
    guild_id: Id | None = None
    """Discord server."""
    team_id: Id | None = None
    """Slack workspace."""
    roles: tuple[Id, ...] = ()
    """Member roles, any of which is enough; needs guildId to win tier 4."""


class Binding(Value):
    agent_id: str
    """Agent that gets matching messages."""
    match: Match
    """Fields of which all must hold."""
    type: str = "route"
    """Only `route` bindings route; other types are kept and ignored."""
    comment: str | None = None
    """Free text."""


class Session(Value):
    dm_scope: DmScope = "main"
    """Which direct messages share a session. The first-run config sets per-channel-peer."""
    main_key: str = "main"
    """Last part of the main session's key."""
    identity_links: dict[str, tuple[Id, ...]] = {}
    """Person → `channel:peerId` list; linked peers share their sessions (not under main)."""
    key_format: str | None = None
    """Template for the part of a key after `agent:<id>:`."""
    max_concurrent: int | None = None
    """Most sessions at a time; over it new senders get busyMessage. Default: no limit."""
    busy_message: str = "All lines are busy just now. Please try again in a little while."
    """What a sender hears when maxConcurrent is reached."""
    isolation: Literal["full", "partial"] = "full"
    """partial: sessions may read one shared, read-only knowledge folder."""
    lock_timeout_seconds: float = 60.0
    """How long a turn waits for a session that another process holds, in seconds."""
    reset: Any = None
    """When sessions expire. Default: never."""
    reset_by_type: Any = None
    """reset for dm, group, thread."""
    reset_by_channel: Any = None
    """reset for a channel."""
    ttl_days: float = 0
    """Days after which an unused session is archived; 0: never."""
    timeout_hours: float = 0
    """Hours of silence after which a session counts as idle; 0: never."""
    send_policy: Any = None
    """Rules that allow or deny answering."""
    maintenance: Any = None
    """Retention: pruneAfterDays, maxSessions, diskBudget."""


class Channel(Value):
    dm_policy: Literal["pairing", "allowlist", "open", "disabled"] = "pairing"
    """Who may write a direct message."""
    allow_from: tuple[Id, ...] = ()
    """Senders allowed by allowlist; `*` for everybody (needed by open)."""
    group_policy: Literal["allowlist", "open", "disabled"] = "allowlist"
    """Which groups are served."""
    group_allow_from: tuple[Id, ...] = ()
    """Senders allowed in groups. Default: allowFrom."""
    groups: dict[str, Any] = {}
    """Per group: requireMention and so on."""
    identify: tuple[str, ...] = ("id", "username", "anon")
    """Fields tried in order to identify a sender."""
    history_limit: int | None = None
    """User turns kept in the window for groups of this channel."""
    dm_history_limit: int | None = None
    """User turns kept in the window for direct messages of this channel."""
    dms: dict[str, Any] = {}
    """Per peer: {historyLimit}."""
    accounts: dict[str, Any] = {}
    """Accounts of this channel."""
    enabled: bool = True
    """Whether the channel is served."""


class HistoryLimit(Value):
    max_messages: int = 0
    """Most messages in the window; 0: no limit."""
    max_tokens: int = 0
    """Most tokens in the window; 0: no limit."""


class History(Value):
    dm: HistoryLimit = HistoryLimit(max_messages=100, max_tokens=32000)
    """Limits for direct messages and the operator's chats."""
    group: HistoryLimit = HistoryLimit(max_messages=30, max_tokens=8000)
    """Limits for groups and channels."""


class MemoryFlush(Value):
    enabled: bool = True
    """Whether a silent turn writes lasting notes shortly before compaction."""
    soft_threshold_tokens: int = 4000
    """Tokens before the compaction threshold at which the flush runs."""


class Compaction(Value):
    enabled: bool = True
    """Whether sessions compact by themselves."""
    threshold: float = 0.85
    """Part of the window at which compaction starts."""
    reserve_tokens: int = 16384
    """Tokens kept free for the answer; scaled down for small windows."""
    reserve_tokens_floor: int = 20000
    """Least reserve, in tokens; scaled down for small windows."""
    preserve_recent: int = 10
    """Messages never folded."""
    keep_recent_tokens: int = 20000
    """Tokens of recent talk kept as they are."""
    summary_max_tokens: int = 1024
    """Most tokens of a summary."""
    model: str | None = None
    """Model that writes summaries. Default: the session's."""
    memory_flush: MemoryFlush = MemoryFlush()
    """Notes written before compaction."""


class ModelSpec(Value):
    id: str
    """The provider's id of the model."""
    name: str | None = None
    """Name shown to people. Default: the id."""
    context_window: int | None = None
    """Tokens the model can hold. Default: asked of the server, else 32k local, 200k cloud."""
    max_tokens: int | None = None
    """Most tokens the model may write. Default: 8192, less for small windows."""
    input: tuple[str, ...] = ("text",)
    """What it reads: text, image."""
    tools: bool = True
    """Whether it can call tools."""
    reasoning: bool = False
    """Whether it thinks before it answers."""
    cost: Any = None
    """Price per million tokens: {input, output, cacheRead, cacheWrite}."""
    compat: Any = None
    """Switches for servers that differ."""


class Provider(Value):
    api: str | None = None
    """anthropic-messages, openai-completions, ollama or offline. Default: the preset's."""
    base_url: str | None = None
    """Where the API is. Default: the preset's."""
    api_key: Any = None
    """Key, `${VAR}`, {source: "file", path}, or null to send none. Default: the preset's
    environment variable."""
    headers: dict[str, str] = {}
    """Headers to add."""
    extra_body: dict[str, Any] = {}
    """Fields to add to each request body."""
    timeout_seconds: float | None = None
    """Longest silence of a stream, in seconds. Default: 120 cloud, 300 local."""
    max_tokens_field: str | None = None
    """max_tokens or max_completion_tokens. Default: by host."""
    stream_usage: bool = True
    """Whether to ask for token counts in the stream."""
    anthropic_version: str | None = None
    """anthropic-version header. Default: by host."""
    allow_insecure: bool = False
    """Send a key over plain http to another machine."""
    models: tuple[ModelSpec, ...] = ()
    """Models whose sizes are known."""
    context_window: int | None = None
    """Context window for models of this provider that say none."""
    max_tokens: int | None = None
    """Answer limit for models of this provider that say none."""


class Models(Value):
    mode: str = "merge"
    """merge: the presets stay available beside `providers`."""
    providers: dict[str, Provider] = {}
    """Providers by name."""
    aliases: dict[str, str] = {}
    """Short names for references."""
    record: Literal["off", "record", "replay", "auto"] = "off"
    """Whether requests and answers are kept and replayed."""


class Queue(Value):
    mode: Literal["collect", "followup", "steer", "interrupt"] = "collect"
    """What happens to messages that come during a turn."""
    debounce_ms: int = 0
    """Milliseconds of quiet before collected messages are answered."""


class Messages(Value):
    queue: Queue = Queue()
    """Messages that arrive during a turn."""


class Ui(Value):
    theme: str | None = None
    """Theme of the app. Default: branchline-dark."""
    glyphs: Literal["unicode", "ascii"] = "unicode"
    """Set of signs drawn; ascii for terminals that draw them badly."""


class Config(Value):
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
    """Queueing."""
    ui: Ui = Ui()
    """Looks."""
    keymap: dict[str, str] = {}
    """Binding id → keys."""
    env: dict[str, str] = {}
    """Environment variables to add; existing ones win."""
    tools: Any = None
    """Session tools and their visibility."""
    permissions: Any = None
    """Permission profiles."""
