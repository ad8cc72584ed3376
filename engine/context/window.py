"""The window: what the model sees of a session, with a decision for every entry (SPEC §7).

The rules of the path are the reference's (pi and OpenClaw 2026.4.15, buildSessionContext): the
latest compaction on the path counts, its summary comes first, then the entries from its
`firstKeptEntryId`, then those after it. Limits, decisions and token counts are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct
from msgspec import field as msgfield

from engine.context.decisions import Decision, Decisions, no_message_reason
from engine.context.limits import Limits, TurnCount
from engine.context.stretch import Stretch, note, shown, stretch_of
from engine.context.tokens import Calibration, Estimator, estimate_message, usage_total
from engine.errors import Problem
from engine.sessions.entries import Entry, content_text
from engine.sessions.tree import Node, Tree

__all__ = [
    "SUMMARIES",
    "UNLIMITED",
    "Decision",
    "Window",
    "WindowMessage",
    "WindowSettings",
    "build_window",
]

SUMMARIES = frozenset({"compactionSummary", "branchSummary"})
"""Roles that no limit ever drops."""

_CORRECTABLE = frozenset({"user", "assistant", "toolResult", "custom"})
"""Roles whose content a correction may replace (reference); it can leave out any."""

_PINNED = frozenset({"compaction", "branch_summary"})
_LOOKED_AT = _PINNED | {"context_edit"}
"""Types of entries that matter behind a limit's cut."""


class WindowMessage(Struct, frozen=True):
    """One message the model gets.

    Attributes:
        role: as in transcripts: user, assistant, toolResult, custom, bashExecution,
            compactionSummary, branchSummary.
        content: the transcript's (a string or blocks), after any correction; the summary of a
            summary; the command of a bashExecution.
        tokens: estimated, calibrated.
        data: the whole entry as it stands in the file.
    """

    role: str
    content: Any
    entry_id: str
    tokens: int
    data: Mapping[str, Any] = msgfield(default_factory=dict)

    @property
    def text(self) -> str:
        """The words alone, untrusted and unchanged; "" for a message of tool calls only."""
        return content_text(self.content)

    @property
    def message(self) -> Mapping[str, Any]:
        """The `message` object of the entry, `{}` where it has none."""
        found = self.data.get("message")
        return found if isinstance(found, dict) else {}

    @property
    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        """The toolCall blocks of an assistant message."""
        return _tool_calls(self.content) if self.role == "assistant" else ()

    @property
    def tool_call_id(self) -> str | None:
        """The call that a toolResult answers."""
        found = self.message.get("toolCallId") if self.role == "toolResult" else None
        return found if isinstance(found, str) else None


class Window(Struct, frozen=True):
    """What `build_window` returns.

    Attributes:
        tokens: what the next request weighs: the last reported usage plus an estimate of what
            came after it, or the estimate of all messages where no usage covers them.
        overhead: `tokens` less the sum of the messages' own: system prompt, tools and the error
            of the estimate as the usage reveals them; 0 without usage.
        model: provider and model id as the path says, or None.
    """

    leaf: str | None
    messages: tuple[WindowMessage, ...]
    decisions: Sequence[Decision]
    tokens: int
    model: tuple[str, str] | None
    thinking_level: str
    problems: tuple[Problem, ...] = ()
    overhead: int = 0


class WindowSettings(Struct, frozen=True):
    """What shapes a window besides the path."""

    limits: Limits = msgfield(default_factory=Limits)
    estimate: Estimator = estimate_message
    calibration: Calibration = msgfield(default_factory=Calibration)


UNLIMITED = WindowSettings()
"""No limits, the common estimator, nothing learned."""


def build_window(tree: Tree, leaf: str | None, settings: WindowSettings = UNLIMITED) -> Window:
    """What the model sees from `leaf`, and why.

    Pure: the same tree, leaf and settings give the same window. Only bodies that are in the
    window are read, besides the nearest settings; nothing behind the compaction is walked until
    somebody looks at those decisions.

    Args:
        tree: the session's tree.
        leaf: an entry id; None stands before the first entry and gives an empty window. An id
            that the tree does not have falls back to the last entry, as in the reference, with
            a problem.
    """
    problems: tuple[Problem, ...] = ()
    if leaf is not None and leaf not in tree.nodes:
        problems = (note(f"there is no entry {shown(leaf)}; the last entry is used instead"),)
        leaf = next(reversed(tree.nodes), None)
    stretch = stretch_of(tree, leaf)
    build = _Build(tree, settings, stretch)
    build.run()
    messages = build.messages()
    tokens = build.with_usage(messages)
    return Window(
        leaf,
        messages,
        build.decisions(),
        tokens,
        _model(tree, leaf),
        _thinking(tree, leaf),
        problems + stretch.problems,
        tokens - sum(message.tokens for message in messages),
    )


class _Build:
    """One window in the making, from the newest entry back.

    Attributes:
        recent: nodes up to where a limit cuts, newest first.
        rest: what is behind that cut, first its newest node.
        summaries: nodes of the rest that stay in all the same, newest first.
        made: the message of each node read so far, None where it gives none.
        out: why entries are out.
        notes: what is to say of entries that are in, beyond the usual.
        full: whether a limit is used up.
    """

    def __init__(self, tree: Tree, settings: WindowSettings, stretch: Stretch):
        self.tree = tree
        self.settings = settings
        self.stretch = stretch
        self.recent: list[Node] = []
        self.behind: str | None = stretch.behind
        self.limit_reason = ""
        self.summaries: list[Node] = []
        self.edits: dict[str, tuple[object, str]] = {}
        self.made: dict[str, WindowMessage | None] = {}
        self.out: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.count = self.tokens = 0
        self.full = False

    def run(self) -> None:
        """Decide about every node of the stretch that must be looked at."""
        rest = self._take(iter(self.stretch.nodes))
        first = next(rest, None)
        if first is None:
            return
        self.behind = first.id
        for node in chain((first,), rest):
            if node.type in _LOOKED_AT and not self._silent(node):
                self.summaries.append(node)
                if self.make(node) is not None:
                    self.notes[node.id] = "a summary: no history limit drops it"
        self._drop_lone_results()

    def _take(self, walk: Iterator[Node]) -> Iterator[Node]:
        """Go back while the limits allow, and return what is left.

        The current turn (the newest user message and all that follows) is never cut: limits are
        about history, and a tool loop that loses its own steps would never end. Without any user
        message the limits hold from the end.
        """
        limits = self.settings.limits
        count, full_at = TurnCount(limits.turns), None
        for node in walk:
            place, turn_whole = len(self.recent), count.turns > 0
            if not self._silent(node) and node.type not in _PINNED:
                role = node.role if node.type == "message" else None
                if count.over(role, place):
                    return self._cut(count.start + 1, limits.turns_name, chain((node,), walk))
                if self._over(node):
                    if turn_whole:
                        return self._cut(place, limits.name, chain((node,), walk))
                    full_at = place if full_at is None else full_at
            self.recent.append(node)
        if full_at is not None and not count.turns:
            return self._cut(full_at, limits.name, ())
        return iter(())

    def _cut(self, place: int, name: str, behind: Iterable[Node]) -> Iterator[Node]:
        """End the window at `recent[place]`; returns what is out, with the walk behind it."""
        cut, self.recent = self.recent[place:], self.recent[:place]
        self.limit_reason = f"older than the history limit allows ({name})"
        return chain(cut, behind)

    def _over(self, node: Node) -> bool:
        """Count a node in; whether it is more than maxMessages and maxTokens allow."""
        limits = self.settings.limits
        if limits.max_messages < 1 and limits.max_tokens < 1:
            return False
        self.full = self.full or 0 < limits.max_messages <= self.count
        message = None if self.full else self.make(node)
        if message is not None:
            self.count, self.tokens = self.count + 1, self.tokens + message.tokens
            self.full = 0 < limits.max_tokens < self.tokens
        return self.full

    def _silent(self, node: Node) -> bool:
        """Whether the node gives no message, as far as its place tells; corrections are noted
        for what they correct, which lies further back."""
        reason = None if self._is_summary(node) else no_message_reason(node.type)
        if node.type == "context_edit":
            data = self.tree.entry(node.id).data
            target = data.get("targetId")
            if isinstance(target, str):
                self.edits.setdefault(target, (data.get("replacement"), node.id))
        elif node.id in self.edits and not isinstance(self.edits[node.id][0], dict):
            # reference: a replacement of null takes the entry out
            reason = f"left out by the correction {shown(self.edits[node.id][1])}"
        if reason is not None:
            self.out[node.id] = reason
        return reason is not None

    def _is_summary(self, node: Node) -> bool:
        compaction = self.stretch.compaction
        return compaction is not None and node.id == compaction.id

    def make(self, node: Node) -> WindowMessage | None:
        """The message of a node, read once; None (with a reason) when it gives none."""
        if node.id not in self.made:
            self.made[node.id] = self._read(node)
        return self.made[node.id]

    def _read(self, node: Node) -> WindowMessage | None:
        known = self.stretch.compaction if self._is_summary(node) else None
        entry = known or self.tree.entry(node.id)
        role, content = _role_and_content(entry)
        if node.id in self.edits:
            replacement, edit_id = self.edits[node.id]
            if isinstance(replacement, dict) and role in _CORRECTABLE:
                content = replacement.get("content", content)
                self.notes[node.id] = f"as corrected by {shown(edit_id)}"
        reason = _no_words_reason(entry, role, content)
        if reason is not None:
            self.out[node.id] = reason
            return None
        field_name = "summary" if role in SUMMARIES else "content"
        weighed = {**entry.message, "role": role, field_name: content}
        tokens = self.settings.calibration.apply(self.settings.estimate(weighed))
        return WindowMessage(role, content, entry.id, tokens, entry.data)

    def _drop_lone_results(self) -> None:
        """Take out results whose calls the limit cut off: neither goes without the other."""
        calls: set[str | None] = set()
        for node in reversed(self.recent):
            message = self.message(node)
            if message is None:
                continue
            calls.update(call.get("id") for call in message.tool_calls)
            if message.role == "toolResult" and message.tool_call_id not in calls:
                self.out[node.id] = "its tool call is older than the history limit allows"

    def message(self, node: Node) -> WindowMessage | None:
        """The message that a node has in the window, if it is in."""
        return None if node.id in self.out else self.make(node)

    def messages(self) -> tuple[WindowMessage, ...]:
        """The messages in the order the model reads them: the summary first, then the path's."""
        nodes = chain(reversed(self.summaries), reversed(self.recent))
        found = [message for node in nodes if (message := self.message(node))]
        found.sort(key=lambda message: message.role != "compactionSummary")
        return tuple(found)

    def decisions(self) -> Decisions:
        """A decision for each node of the path: those behind are made when asked for."""
        zones: list[tuple[str | None, str]] = [(None, self.stretch.reason)]
        if self.limit_reason:
            zones.insert(0, (self.stretch.oldest, self.limit_reason))
        recent = [self._decision(node) for node in reversed(self.recent)]
        known = [self._decision(node) for node in self.summaries]
        return Decisions(recent, self.tree, self.behind, known, zones)

    def _decision(self, node: Node) -> Decision:
        message = self.message(node)
        if message is None:
            return Decision(node.id, node.type, False, 0, self.out[node.id])
        return Decision(node.id, node.type, True, message.tokens, self._reason_in(node))

    def _reason_in(self, node: Node) -> str:
        if self._is_summary(node):
            return "the summary of what was folded before it"
        if node.id in self.notes:
            return self.notes[node.id]
        if node.type == "branch_summary":
            return "the summary of a branch that was left"
        return "on the path" if self.stretch.compaction is None else "on the path, not folded"

    def with_usage(self, messages: tuple[WindowMessage, ...]) -> int:
        """The weight of the next request: the newest usage that still covers what is before it,
        and the estimate of what came after; else the estimate of everything.

        Usage from before the compaction, before a correction, or from a longer history than the
        limits now let in says nothing about this window.
        """
        later = 0
        for node in self.recent if not self.limit_reason else ():
            if self._is_summary(node) or node.type == "context_edit":
                break
            message = self.message(node)
            if message is None:
                continue
            reported = _reported(message)
            if reported:
                return reported + later
            later += message.tokens
        return sum(message.tokens for message in messages)


def _role_and_content(entry: Entry) -> tuple[str, Any]:
    match entry.type:
        case "compaction":
            return "compactionSummary", entry.text
        case "branch_summary":
            return "branchSummary", entry.text
        case "custom_message":
            return "custom", entry.data.get("content")
    role = entry.role or ""
    return role, entry.message.get("command" if role == "bashExecution" else "content")


def _no_words_reason(entry: Entry, role: str, content: object) -> str | None:
    """Why an entry of a type that usually gives a message gives none."""
    if not role:
        return "damaged: there is no message in it"
    if role == "branchSummary" and not content:
        return "an empty branch summary: nothing to send"
    if entry.message.get("excludeFromContext") is True:
        return "hidden from the model by the person who ran the command"
    return None


def _tool_calls(content: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(content, list):
        return ()
    blocks = (block for block in content if isinstance(block, dict))
    return tuple(block for block in blocks if block.get("type") == "toolCall")


def _reported(message: WindowMessage) -> int:
    """The context size an answer reported; a broken or stopped answer reports nothing usable."""
    if message.role != "assistant" or message.message.get("stopReason") in ("error", "aborted"):
        return 0
    return usage_total(message.message.get("usage"))


def _model(tree: Tree, leaf: str | None) -> tuple[str, str] | None:
    found = tree.nearest(leaf, "model")
    if found is None:
        return None
    entry = tree.entry(found)
    source, name = (entry.message, "model") if entry.type == "message" else (entry.data, "modelId")
    provider, model = source.get("provider"), source.get(name)
    return (provider, model) if isinstance(provider, str) and isinstance(model, str) else None


def _thinking(tree: Tree, leaf: str | None) -> str:
    found = tree.nearest(leaf, "thinking")
    level = tree.entry(found).data.get("thinkingLevel") if found is not None else None
    return level if isinstance(level, str) else "off"
