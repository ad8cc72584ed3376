"""Session keys: which conversation a message belongs to (SPEC §3).

```
agent:<agentId>:<mainKey>                                main session
agent:<agentId>:dm:<peer>                                per-peer
agent:<agentId>:<channel>:dm:<peer>                      per-channel-peer
agent:<agentId>:<channel>:<accountId>:dm:<peer>          per-account-channel-peer
agent:<agentId>:<channel>:group|channel:<id>             groups and channels
…:thread:<id>  …:topic:<id>  …:fork:<id>                 parts of and forks from a conversation
agent:<agentId>:subagent:<id>                            spawned sessions
agent:<agentId>:chat:<name>                              further chats of the operator
```

Keys are lower-cased as a whole and ids stand in them unescaped, colons and all: those are the
forms that recorded cases and existing state dirs hold. Within one dmScope a key names one
conversation, with these exceptions, which the forms force:

- ids that differ only in case (`U1`, `u1`), or in white space around them, are one peer;
- an empty peer id is the peer `unknown`;
- a peer whose id itself ends in `:thread:7` has the key of thread 7 of the peer before it;
- a peer whose id is the name of a person in identityLinks has that person's key;
- a channel whose name holds `:dm:` or `:group:` can imitate another channel's peer.

Ids put into a keyFormat have their colons escaped; what a template then leaves out is for lint.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from engine.config.schema import DmScope
from engine.routing.envelope import PeerKind
from engine.routing.identity import IdentityLinks
from engine.routing.ids import (
    DEFAULT_AGENT,
    normalize_account_id,
    normalize_agent_id,
    token,
    trim,
)

__all__ = [
    "MAIN_KEY",
    "UNKNOWN",
    "ChatType",
    "Conversation",
    "KeyPeer",
    "ParsedKey",
    "ThreadKeys",
    "agent_of",
    "canonical_key",
    "chat_key",
    "chat_type",
    "conversation_of",
    "fork_key",
    "main_session_key",
    "parse_key",
    "peer_key",
    "peer_of",
    "split_key",
    "subagent_key",
    "thread_keys",
]

MAIN_KEY = "main"
UNKNOWN = "unknown"

ChatType = Literal["main", "dm", "group", "channel", "chat", "subagent", "other"]
"""What sort of conversation a key names; `other`: cron, acp, a keyFormat's own …"""

_FAMILIES = frozenset({"subagent", "chat", "cron", "acp", "hook", "dashboard"})
_PARTS = frozenset({"thread", "topic", "fork"})
_KIND_WORDS = frozenset({"dm", "direct", "group", "channel"})
_OWN: dict[str, ChatType] = {"subagent": "subagent", "chat": "chat"}
_ROOMS: dict[str, Literal["group", "channel"]] = {"group": "group", "channel": "channel"}
_THREAD = re.compile(r"(.*):thread:(.*)", re.DOTALL | re.IGNORECASE | re.ASCII)
_PART = re.compile(r":(?:thread|topic|fork):")
_CRON_RUN = re.compile(r"cron:[^:]+:run:[^:]+")


def main_session_key(agent_id: str | None, main_key: str | None = None) -> str:
    """The key of an agent's main session; a blank `main_key` is `main`."""
    return f"agent:{normalize_agent_id(agent_id)}:{token(main_key or '') or MAIN_KEY}"


def peer_key(
    agent_id: str | None,
    channel: str,
    kind: PeerKind = "dm",
    peer_id: str | None = None,
    *,
    account_id: str | None = None,
    dm_scope: DmScope | None = None,
    main_key: str | None = None,
    links: IdentityLinks | None = None,
) -> str:
    """The key of the conversation with a peer (reference: OpenClaw 2026.4.15).

    Args:
        agent_id: any spelling; blank is `main`.
        channel: any case; blank is `unknown`.
        kind: of the peer; only a dm depends on the scope and the links.
        peer_id: blank in a dm is the main session, in a group or channel `unknown`.
        account_id: used by per-account-channel-peer only.
        dm_scope: None is `main`.
        main_key: last part of the main session's key.
        links: who is who.
    """
    agent = normalize_agent_id(agent_id)
    room = token(channel) or UNKNOWN
    peer = trim(peer_id or "")
    if kind != "dm":
        return f"agent:{agent}:{room}:{kind}:{(peer or UNKNOWN).lower()}"
    if not peer or dm_scope is None or dm_scope == "main":
        return main_session_key(agent, main_key)
    if links and (person := links.person(channel, peer)):
        peer = person
    peer = peer.lower()
    if dm_scope == "per-peer":
        return f"agent:{agent}:dm:{peer}"
    if dm_scope == "per-channel-peer":
        return f"agent:{agent}:{room}:dm:{peer}"
    return f"agent:{agent}:{room}:{normalize_account_id(account_id)}:dm:{peer}"


class ThreadKeys(Struct, frozen=True):
    """The key of a thread, and of the conversation it belongs to when that is known."""

    session_key: str
    parent_session_key: str | None = None


def thread_keys(
    base: str,
    thread_id: str | None,
    *,
    parent: str | None = None,
    suffix: bool = True,
    word: Literal["thread", "topic"] = "thread",
) -> ThreadKeys:
    """The key of a thread of `base`; a blank id is no thread.

    Args:
        base: key of the conversation, kept as it is.
        thread_id: trimmed and lower-cased.
        parent: key to report as the thread's parent.
        suffix: False where the thread has a peer id of its own, which `base` already holds.
        word: `topic` on Telegram.
    """
    thread = token(thread_id or "")
    if not thread:
        return ThreadKeys(base)
    return ThreadKeys(f"{base}:{word}:{thread}" if suffix else base, parent)


def subagent_key(agent_id: str, run_id: str) -> str:
    """The key of a session that an agent spawned."""
    return f"agent:{normalize_agent_id(agent_id)}:subagent:{token(run_id)}"


def fork_key(base: str, fork_id: str) -> str:
    """The key of a fork of the session `base` into a session of its own."""
    return f"{base}:fork:{token(fork_id)}"


def chat_key(agent_id: str, name: str) -> str:
    """The key of a further chat of the operator's own: `agent:<id>:chat:<name>`.

    White space and colons in the name become dashes; a blank name is `unnamed`.
    """
    slug = re.sub(r"[\s:]+", "-", token(name)).strip("-")
    return f"agent:{normalize_agent_id(agent_id)}:chat:{slug or 'unnamed'}"


class Conversation(Struct, frozen=True):
    """The group or channel that a key names. `raw_id` includes a thread or topic suffix."""

    channel: str
    kind: Literal["group", "channel"]
    raw_id: str
    prefix: str


class ParsedKey(Struct, frozen=True):
    """What can be read off a key of any origin (reference: OpenClaw 2026.4.15).

    `agent_id` and `rest` are None when the key is not of the form `agent:<id>:<rest>`;
    `owner` is the agent all the same (`main` by default). `base_key` and `thread_id` are the
    parts around the last `:thread:`. `request_key` is the key as its agent knows it.
    """

    shape: Literal["missing", "agent", "malformed_agent", "legacy_or_alias"]
    agent_id: str | None
    rest: str | None
    owner: str
    is_subagent: bool
    subagent_depth: int
    is_cron: bool
    is_cron_run: bool
    is_acp: bool
    base_key: str | None
    thread_id: str | None
    conversation: Conversation | None
    request_key: str | None


def split_key(key: str) -> tuple[str, str] | None:
    """Agent id and rest of `agent:<id>:<rest>`, lower-cased; None for any other key.

    Empty parts are passed over: `agent:main::x` is `("main", "x")`.
    """
    parts = [part for part in token(key).split(":") if part]
    if len(parts) < 3 or parts[0] != "agent":
        return None
    agent = trim(parts[1])
    return (agent, ":".join(parts[2:])) if agent else None


def agent_of(key: str) -> str:
    """The agent that a key belongs to; `main` when it names none."""
    found = split_key(key)
    return normalize_agent_id(found[0] if found else DEFAULT_AGENT)


def _conversation(raw: str) -> Conversation | None:
    parts = [part for part in raw.split(":") if part]
    start = 2 if len(parts) >= 3 and token(parts[0]) == "agent" else 0
    body = parts[start:]
    if len(body) < 3:
        return None
    channel, kind, raw_id = token(body[0]), token(body[1]), trim(":".join(body[2:]))
    prefix = trim(":".join(parts[: start + 2]))
    if not channel or not raw_id or not prefix:
        return None
    room = _ROOMS.get(kind)
    return Conversation(channel, room, raw_id, prefix) if room else None


def conversation_of(key: str) -> Conversation | None:
    """The group or channel that a key names, as in `parse_key`."""
    return _conversation(trim(key))


def parse_key(key: str | None) -> ParsedKey:
    """Read a key of any origin; never fails."""
    raw = trim(key or "")
    lower = raw.lower()
    found = split_key(raw)
    agent, rest = found or (None, None)
    body = trim(rest or "")
    thread = _THREAD.fullmatch(raw)
    if found:
        shape: Literal["missing", "agent", "malformed_agent", "legacy_or_alias"] = "agent"
    elif lower.startswith("agent:"):
        shape = "malformed_agent"
    else:
        shape = "legacy_or_alias" if raw else "missing"
    return ParsedKey(
        shape=shape,
        agent_id=agent,
        rest=rest,
        owner=agent_of(raw),
        is_subagent=lower.startswith("subagent:") or body.startswith("subagent:"),
        subagent_depth=lower.count(":subagent:"),
        is_cron=body.startswith("cron:"),
        is_cron_run=_CRON_RUN.fullmatch(rest or "") is not None,
        is_acp=lower.startswith("acp:") or body.startswith("acp:"),
        base_key=thread[1] if thread else raw or None,
        thread_id=(trim(thread[2]) or None) if thread else None,
        conversation=_conversation(raw),
        request_key=(rest if found else raw) or None,
    )


def _kind_at(rest: list[str]) -> int | None:
    """Where in the parts after `agent:<id>:` the kind of peer stands, None for no peer's key."""
    for index, part in enumerate(rest[:3]):
        if part in _KIND_WORDS:
            return index if index + 1 < len(rest) else None
        if (index == 0 and part in _FAMILIES) or part in _PARTS:
            return None
    return None


def canonical_key(key: str) -> str:
    """The one spelling that we write: trimmed, lower-cased, `direct` as `dm`.

    Two keys are the same session exactly when their canonical keys are equal. Only the word in
    the kind's place is changed; a peer, thread or subagent called `direct` keeps its name.
    """
    lower = token(key)
    parts = lower.split(":")
    if len(parts) < 4 or parts[0] != "agent":
        return lower
    place = _kind_at(parts[2:])
    if place is None or parts[2 + place] != "direct":
        return lower
    parts[2 + place] = "dm"
    return ":".join(parts)


class KeyPeer(Struct, frozen=True):
    """The peer that a key names; `channel` and `account` are "" where the scope leaves them out."""

    channel: str
    account: str
    kind: PeerKind
    id: str


def peer_of(key: str) -> KeyPeer | None:
    """The peer that a key names, without thread, topic or fork; None when it names none.

    The id is lower-cased as keys are, and under identityLinks it is the person's name.
    """
    parts = canonical_key(key).split(":")
    rest = parts[2:]
    place = _kind_at(rest) if parts[0] == "agent" else None
    if place is None:
        return None
    peer = _PART.split(":".join(rest[place + 1 :]), maxsplit=1)[0]
    account = rest[1] if place == 2 else ""
    return KeyPeer(rest[0] if place else "", account, _ROOMS.get(rest[place], "dm"), peer)


def chat_type(key: str) -> ChatType:
    """What sort of conversation a key names. A thread or fork is of its conversation's type."""
    parts = canonical_key(key).split(":")
    rest = parts[2:] if parts[0] == "agent" else []
    if not rest:
        return "other"
    place = _kind_at(rest)
    if place is not None:
        return _ROOMS.get(rest[place], "dm")
    if rest[0] in _FAMILIES:
        return _OWN.get(rest[0], "other")
    return "main" if len(rest) == 1 or rest[1] in _PARTS else "other"
