"""What the app and the command line look at: frozen pictures of sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec import field as msgfield

from engine.context.window import Window
from engine.errors import Problem
from engine.lifecycle.expiry import Ending
from engine.routing.keys import chat_type, conversation_of
from engine.routing.router import Route
from engine.sessions.entries import Entry, is_bookkeeping
from engine.sessions.records import Kind, SessionRecord
from engine.sessions.siblings import following, siblings_of
from engine.sessions.tree import Tree
from engine.turns.choice import Layers
from engine.turns.origin import envelope_of
from engine.turns.pool import LiveSession

__all__ = [
    "Begun",
    "Counts",
    "HistoryPage",
    "LiveReply",
    "ModelInForce",
    "SessionInfo",
    "SessionView",
    "Xray",
    "count",
    "info_of",
    "page_of",
]


class SessionInfo(Struct, frozen=True):
    """A line of the session list. Times in ms since 1970. Texts are untrusted.

    Attributes:
        state: `idle`, `busy` (a turn runs), `queued` (turns wait), or for leftovers what they are.
        kind: `session` for what a key points to; see engine.sessions.records.Kind.
        chat_type: main, dm, group, channel, chat, subagent, other.
        ref: what `view`, `history` and `window` take: the key, or the file of a leftover.
        labels: first the one it has by itself (`active`, `idle`, `archived` …; see
            engine.lifecycle.expiry.label_of), then those that a person gave it.
        model: of the newest reply.
        heard: messages that others than the operator wrote, replies among them.
        trouble: why the last message is a reply that failed, else "".
        override: the model that a person chose for the session; None for the config's.
    """

    key: str
    session_id: str
    agent_id: str
    label: str | None
    messages: int
    created: int
    last_active: int
    model: str | None
    state: str
    kind: Kind
    chat_type: str
    channel: str
    peer_name: str
    preview: str
    ref: str
    problems: tuple[Problem, ...] = ()
    labels: tuple[str, ...] = ()
    override: str | None = None
    heard: int = 0
    trouble: str = ""


class ModelInForce(Struct, frozen=True):
    """The model a session answers with. `source`: turn, session or config; `detail`: the config
    path or variable behind it."""

    ref: str
    source: str
    context_window: int
    detail: str = ""


class Counts(Struct, frozen=True):
    """What a tree holds: message entries, tips of branches, compactions."""

    messages: int
    branches: int
    compactions: int


class LiveReply(Struct, frozen=True):
    """A reply that is being written: its turn, its model, its words so far."""

    turn_id: str
    model: str
    text: str


class SessionView(Struct, frozen=True):
    """Everything the inspector shows of one session.

    Attributes:
        route: how the session's last message is routed by the config in force; None when its
            origin is not known. Its key may differ from the session's after a config change.
        layers: all that say which model answers; `model` is what comes of them.
        prompt_tokens: of the system prompt.
        tokens: what the next request weighs, system prompt included.
        ends: the rule that will end it, and when; None for one that is over.
    """

    info: SessionInfo
    route: Route | None
    model: ModelInForce
    layers: Layers
    prompt_tokens: int
    tokens: int
    window: Window
    leaf: str | None
    counts: Counts
    live: LiveReply | None = None
    problems: tuple[Problem, ...] = ()
    ends: Ending | None = None

    @property
    def branches(self) -> int:
        return self.counts.branches

    @property
    def compactions(self) -> int:
        return self.counts.compactions


class Xray(Struct, frozen=True):
    """What the next request from an entry would hold.

    Attributes:
        prompt_tokens: of the system prompt.
        tokens: what the request weighs, system prompt included.
        problems: why it could not be sent.
    """

    leaf: str
    window: Window
    model: ModelInForce
    prompt_tokens: int
    tokens: int
    problems: Sequence[Problem] = ()


class Begun(Struct, frozen=True):
    """Why a session began where another of its key ended, `messages` long (SPEC §11). `rule`: the
    place in the config that decided; "" for a person's own wish."""

    reason: str
    rule: str
    messages: int


class HistoryPage(Struct, frozen=True):
    """Entries of the path from the root to the leaf, oldest first. `before`: ask with it for the
    page of older ones; None when these are the oldest. `branches`: how many branches begin beside
    an entry, itself counted, where there are several; `onward`: how many follow the leaf already,
    so that what is said next begins one more. `begun`: with the oldest, how the session began, when
    it followed another."""

    entries: tuple[Entry, ...]
    before: str | None
    branches: Mapping[str, int] = msgfield(default_factory=dict)
    begun: Begun | None = None
    onward: int = 0


def info_of(record: SessionRecord, inside: int, own: str, label: str | None = None) -> SessionInfo:
    """A line of the list.

    Args:
        inside: turns running or waiting in the session.
        own: the label that the session has by itself.
        label: its name, where that is known better than the record does.
    """
    origin = envelope_of(record.origin)
    channel = name = ""
    if origin is None:
        conversation = conversation_of(record.key)
        channel = conversation.channel if conversation else ""
    else:
        channel = origin.channel
        name = origin.sender.name if origin.sender else ""
        name = name or (origin.peer.id if origin.peer else "")
    turns = "queued" if inside > 1 else "busy" if inside else "idle"
    return SessionInfo(
        key=record.key,
        session_id=record.session_id,
        agent_id=record.agent_id,
        label=label or record.label,
        messages=record.messages,
        created=record.created,
        last_active=record.last_active,
        model=record.model,
        state=turns if record.kind == "session" else record.kind,
        kind=record.kind,
        chat_type=chat_type(record.key),
        channel=channel,
        peer_name=name,
        preview=record.preview,
        ref=record.key if record.kind == "session" else str(record.path),
        problems=record.problems,
        labels=(own, *record.labels),
        override=record.override,
        heard=record.heard,
        trouble=record.trouble,
    )


def count(tree: Tree) -> Counts:
    """Look through a whole tree: in proportion to its size, so off the loop."""
    messages = compactions = 0
    ids: set[str | None] = set()
    parents: set[str | None] = set()
    for node in list(tree.nodes.values()):  # at once: another thread may add to it
        if node.type == "message":
            messages += 1
        elif is_bookkeeping(node.type, node.custom_type):
            continue
        elif node.type == "compaction":
            compactions += 1
        ids.add(node.id)
        parents.add(node.parent_id)
    return Counts(messages, len(ids - parents), compactions)


def page_of(live: LiveSession, before: str | None, limit: int) -> HistoryPage:
    """The newest `limit` entries of the path that a person reads, from `before` upwards."""
    tree = live.transcript.tree
    entries: list[Entry] = []
    branches: dict[str, int] = {}
    older: str | None = None
    for node in tree.up(before if before is not None else tree.leaf):
        if is_bookkeeping(node.type, node.custom_type):
            continue
        if len(entries) == limit:
            older = node.id
            break
        entries.append(tree.entry(node.id))
        beside = len(siblings_of(tree, node.id))
        if beside > 1:
            branches[node.id] = beside
    begun = begun_of(live.transcript.header) if older is None else None
    onward = len(following(tree, tree.anchor(tree.leaf))) if before is None and entries else 0
    return HistoryPage(tuple(reversed(entries)), older, branches, begun, onward)


def begun_of(header: Mapping[str, Any]) -> Begun | None:
    """What a session's header says of the one it followed."""
    told = header.get("begun")
    if not isinstance(told, dict):
        return None
    reason, rule, messages = told.get("reason"), told.get("rule"), told.get("messages")
    return Begun(
        reason if isinstance(reason, str) else "",
        rule if isinstance(rule, str) else "",
        messages if isinstance(messages, int) else 0,
    )
