"""The window: what the model sees of a session, with a decision for every entry (SPEC §7).

The rules of the path are the reference's (pi and OpenClaw 2026.4.15, buildSessionContext): the
latest compaction on the path counts, its summary comes first, then the entries from its
`firstKeptEntryId`, then those after it. Limits, decisions and token counts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.context.decisions import Decision, Decisions, no_message_reason
from engine.context.limits import Limits, limit_turns
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


@dataclass(frozen=True, slots=True)
class WindowMessage:
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
    data: Mapping[str, Any] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class Window:
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


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """What shapes a window besides the path."""

    limits: Limits = field(default_factory=Limits)
    estimate: Estimator = estimate_message
    calibration: Calibration = field(default_factory=Calibration)


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
        Decisions(build.decisions(messages), tree, stretch.behind, stretch.reason),
        tokens,
        _model(tree, leaf),
        _thinking(tree, leaf),
        problems + stretch.problems,
        tokens - sum(message.tokens for message in messages),
    )


class _Build:
    """One window in the making: reads bodies as they are needed and notes a reason for each.

    Attributes:
        made: the message of each candidate read so far, None where it gives none.
        out: why entries are out.
        notes: what is to say of entries that are in, beyond the usual.
    """

    def __init__(self, tree: Tree, settings: WindowSettings, stretch: Stretch):
        self.tree = tree
        self.settings = settings
        self.stretch = stretch
        self.cut = 0
        self.edits: dict[str, tuple[object, str]] = {}
        self.made: dict[str, WindowMessage | None] = {}
        self.out: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.candidates: list[Node] = []

    def run(self) -> None:
        """Decide about every node of the stretch."""
        for node in self.stretch.nodes:
            if self._is_summary(node):
                continue
            reason = no_message_reason(node.type)
            if reason is None:
                self.candidates.append(node)
                continue
            self.out[node.id] = reason
            if node.type == "context_edit":
                self._note_edit(node)
        self.candidates = [node for node in self.candidates if not self._removed(node)]
        self.cut = self._limit() if self.settings.limits.any else 0
        for node in self.candidates[self.cut :]:
            self.make(node)
        if self.cut:
            self._drop_lone_results()

    def _is_summary(self, node: Node) -> bool:
        compaction = self.stretch.compaction
        return compaction is not None and node.id == compaction.id

    def _note_edit(self, node: Node) -> None:
        data = self.tree.entry(node.id).data
        target = data.get("targetId")
        if isinstance(target, str):
            self.edits[target] = (data.get("replacement"), node.id)

    def _removed(self, node: Node) -> bool:
        """Whether a correction takes the entry out (reference: a replacement of null)."""
        replacement, edit_id = self.edits.get(node.id, ({}, ""))
        if isinstance(replacement, dict):
            return False
        self.out[node.id] = f"left out by the correction {shown(edit_id)}"
        return True

    def make(self, node: Node) -> WindowMessage | None:
        """The message of a node, read once; None (with a reason) when it gives none."""
        if node.id not in self.made:
            self.made[node.id] = self._read(node)
        return self.made[node.id]

    def _read(self, node: Node) -> WindowMessage | None:
        entry = self.tree.entry(node.id)
        role, content = _role_and_content(entry)
        if node.id in self.edits:
            replacement, edit_id = self.edits[node.id]
            if isinstance(replacement, dict):
                content = replacement.get("content", content)
            self.notes[node.id] = f"as corrected by {shown(edit_id)}"
        reason = _no_words_reason(entry, role, content)
        if reason is not None:
            self.out[node.id] = reason
            return None
        tokens = self._tokens(entry, role, content)
        return WindowMessage(role, content, node.id, tokens, entry.data)

    def _tokens(self, entry: Entry, role: str, content: object) -> int:
        field_name = "summary" if role in SUMMARIES else "content"
        message = {**entry.message, "role": role, field_name: content}
        return self.settings.calibration.apply(self.settings.estimate(message))

    def _limit(self) -> int:
        """The index of the first candidate that the limits keep.

        The current turn (the newest user message and all that follows) is never cut: limits are
        about history, and a tool loop that loses its own steps would never end. Branch summaries
        before the cut stay.
        """
        limits = self.settings.limits
        roles = [node.role if node.type == "message" else None for node in self.candidates]
        start = limit_turns(roles, limits.turns)
        turn = next((i for i in range(len(roles) - 1, -1, -1) if roles[i] == "user"), len(roles))
        cut = self._fit(start, turn)
        name = limits.turns_name if cut == start else limits.name
        for node in self.candidates[:cut]:
            if node.type != "branch_summary":
                self.out[node.id] = f"older than the history limit allows ({name})"
            elif self.make(node) is not None:
                self.notes[node.id] = "a summary: no history limit drops it"
        return cut

    def _fit(self, start: int, turn: int) -> int:
        """Go back from the newest message while maxMessages and maxTokens allow."""
        limits = self.settings.limits
        if limits.max_messages < 1 and limits.max_tokens < 1:
            return start
        count = tokens = 0
        for index in range(len(self.candidates) - 1, start - 1, -1):
            node = self.candidates[index]
            if node.type == "branch_summary":
                continue
            if index < turn and 0 < limits.max_messages <= count:
                return index + 1
            message = self.make(node)
            if message is None:
                continue
            count, tokens = count + 1, tokens + message.tokens
            if index < turn and 0 < limits.max_tokens < tokens:
                return index + 1
        return start

    def _drop_lone_results(self) -> None:
        """Take out results whose calls the limit cut off: neither goes without the other."""
        calls: set[str | None] = set()
        for node in self.candidates[self.cut :]:
            message = self.made[node.id]
            if message is None:
                continue
            calls.update(call.get("id") for call in message.tool_calls)
            if message.role == "toolResult" and message.tool_call_id not in calls:
                self.out[node.id] = "its tool call is older than the history limit allows"

    def message(self, node: Node) -> WindowMessage | None:
        """The message that a node has in the window, if it is in."""
        if self._is_summary(node) and self.stretch.compaction is not None:
            entry = self.stretch.compaction
            role, summary = _role_and_content(entry)
            tokens = self._tokens(entry, role, summary)
            return WindowMessage(role, summary, entry.id, tokens, entry.data)
        return self.made.get(node.id) if node.id not in self.out else None

    def messages(self) -> tuple[WindowMessage, ...]:
        """The messages in the order the model reads them: the summary first, then the path's."""
        found = [message for node in self.stretch.nodes if (message := self.message(node))]
        found.sort(key=lambda message: message.role != "compactionSummary")
        return tuple(found)

    def decisions(self, messages: tuple[WindowMessage, ...]) -> list[Decision]:
        """A decision for each node of the stretch, in path order."""
        tokens = {message.entry_id: message.tokens for message in messages}
        return [
            Decision(node.id, node.type, True, tokens[node.id], self._reason_in(node))
            if node.id in tokens
            else Decision(node.id, node.type, False, 0, self.out[node.id])
            for node in self.stretch.nodes
        ]

    def _reason_in(self, node: Node) -> str:
        if self._is_summary(node):
            return "the summary of what was folded before it"
        if node.id in self.notes:
            return self.notes[node.id]
        if node.type == "branch_summary":
            return "the summary of a branch that was left"
        if self.stretch.compaction is None:
            return "on the path"
        return "on the path, not folded"

    def with_usage(self, messages: tuple[WindowMessage, ...]) -> int:
        """The weight of the next request: the newest usage that still covers what is before it,
        and the estimate of what came after; else the estimate of everything.

        Usage from before the compaction, before a correction, or from a longer history than the
        limits now let in says nothing about this window.
        """
        later = 0
        for node in reversed(self.stretch.nodes) if not self.cut else ():
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
