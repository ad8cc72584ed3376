"""Claude Code's session files: `~/.claude/projects/<directory>/<session>.jsonl`.

Each line is an object with a `type`; `user` and `assistant` lines hold messages in the shape of
Anthropic's API and are linked by `uuid` and `parentUuid`. The format is internal to Claude Code
and changes; what is not known here is passed over and counted, never a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from engine.sessions.interchange.blocks import assistant_lines, plain_text, user_lines
from engine.sessions.interchange.foreign import (
    Conversation,
    Line,
    Said,
    moment_of,
    text_of,
)

__all__ = ["is_claude_code", "read_claude_code"]

_TYPES = frozenset(
    {"user", "assistant", "summary", "system", "attachment", "progress", "file-history-snapshot",
     "queue-operation", "custom-title", "ai-title", "agent-name", "last-prompt", "mode"}
)  # fmt: skip
_KEPT = ("cwd", "gitBranch", "version", "requestId", "userType", "isMeta", "isSidechain", "agentId",
         "isApiErrorMessage")  # fmt: skip
_STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "toolUse",
    "max_tokens": "length",
}


def is_claude_code(line: Mapping[str, Any]) -> bool:
    """Whether a line is one of Claude Code's."""
    if line.get("type") not in _TYPES:
        return False
    marks = ("uuid", "leafUuid", "sessionId", "messageId", "parentUuid", "snapshot")
    return any(name in line for name in marks)


def read_claude_code(lines: Sequence[Mapping[str, Any]], stem: str) -> Conversation:
    """The conversation of one file.

    Args:
        lines: its readable lines in order.
        stem: the file's name without its ending, which is the session's id.
    """
    reader = _Reader()
    for line in lines:
        reader.take(line)
    made = Conversation("claude-code", stem or reader.session, reader.title(), reader.said)
    made.cwd = reader.cwd
    made.created = next((one.time for one in made.said if one.time is not None), 0)
    main = [one for one in made.said if one.lines and not one.side]
    made.leaf = main[-1].id if main else None
    made.about = {"sessionId": reader.session} if reader.session else {}
    made.odd = reader.odd()
    return made


class _Reader:
    """Goes through the lines of one file."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.session = ""
        self.cwd = ""
        self._names: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._summaries: dict[str, str] = {}
        self._passed: Counter[str] = Counter()
        self._before: dict[str, int] = {}
        self._nameless = 0
        self._rounds: dict[str, str] = {}
        self._tails: dict[str, str] = {}
        self._results: set[str] = set()

    def take(self, line: Mapping[str, Any]) -> None:
        kind = text_of(line.get("type"))
        self.session = self.session or text_of(line.get("sessionId"))
        self.cwd = self.cwd or text_of(line.get("cwd"))
        for name in ("customTitle", "aiTitle"):
            self._titles[name] = text_of(line.get(name)) or self._titles.get(name, "")
        if kind == "summary":
            self._summaries[text_of(line.get("leafUuid"))] = text_of(line.get("summary"))
        uuid = text_of(line.get("uuid"))
        if not uuid:
            if kind in ("user", "assistant"):
                self._nameless += 1
            elif kind != "summary":
                self._passed[kind or "nameless"] += 1
            return
        parent = text_of(line.get("parentUuid")) or text_of(line.get("logicalParentUuid"))
        self.said.append(
            Said(
                uuid,
                self._follow(kind, line, uuid, parent) or None,
                self._lines(kind, line, uuid, parent),
                moment_of(line.get("timestamp")),
                {name: line[name] for name in _KEPT if line.get(name) not in (None, False, "")},
                line.get("isSidechain") is True,
            )
        )

    def _follow(self, kind: str, line: Mapping[str, Any], uuid: str, parent: str) -> str:
        """What a line follows. The blocks of one reply are lines of their own, and results of
        calls made at once name different ones of them: they are put one after the other, so
        that no call is parted from its result."""
        message = line.get("message")
        message = message if isinstance(message, dict) else {}
        round_ = self._rounds.get(parent, "")
        own = text_of(message.get("id")) if kind == "assistant" else ""
        result = kind == "user" and _is_result(message.get("content"))
        if own and own != round_:
            self._rounds[uuid] = own
            self._tails[own] = uuid
            return self._end(parent)
        if round_ and (own or result):
            above = self._tails[round_]
            self._rounds[uuid] = round_
            self._tails[round_] = uuid
            self._results |= {uuid} if result else set()
            return above
        return self._end(parent)

    def _end(self, parent: str) -> str:
        """The last result of a round for what follows any of its results."""
        return self._tails[self._rounds[parent]] if parent in self._results else parent

    def _lines(
        self, kind: str, line: Mapping[str, Any], uuid: str, parent: str
    ) -> tuple[Line, ...]:
        message = line.get("message")
        message = message if isinstance(message, dict) else {}
        if kind == "user":
            if line.get("isCompactSummary") is True:
                return (self._compaction(message, parent),)
            return user_lines(message.get("content"), self._names)
        if kind == "assistant":
            return assistant_lines(message.get("content"), _head(message), self._names, uuid[:8])
        details = line.get("compactMetadata")
        before = details.get("preTokens") if isinstance(details, dict) else None
        if isinstance(before, int):
            self._before[uuid] = before
        self._passed[kind] += 1
        return ()

    def _compaction(self, message: Mapping[str, Any], parent: str) -> Line:
        # Nothing before such a summary is kept, which is what an empty id says.
        return {
            "type": "compaction",
            "summary": plain_text(message.get("content")),
            "firstKeptEntryId": "",
            "tokensBefore": self._before.get(parent, 0),
        }

    def title(self) -> str:
        """The name a person gave it, else one that was made up, else the newest summary; those
        of other conversations, which also stand in such files, do not count."""
        here = {one.id for one in self.said}
        summaries = [text for leaf, text in self._summaries.items() if leaf in here or not leaf]
        made = (self._titles.get("customTitle"), self._titles.get("aiTitle"), *summaries[-1:])
        return next(filter(None, made), "")

    def odd(self) -> list[str]:
        passed = [f"{count:,} {kind}" for kind, count in self._passed.most_common()]
        side = sum(one.side for one in self.said)
        return [
            *(["passed over, being no messages: " + ", ".join(passed)] if passed else []),
            *(
                [f"{self._nameless:,} messages without an id were passed over"]
                if self._nameless
                else []
            ),
            *([f"{side:,} messages of sub-agents stand on branches of their own"] if side else []),
        ]


def _is_result(content: object) -> bool:
    blocks = content if isinstance(content, list) else []
    return any(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks)


def _head(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an assistant message beside its content."""
    used = message.get("usage")
    head: dict[str, Any] = {
        "api": "anthropic-messages",
        "provider": "anthropic",
        "model": text_of(message.get("model")),
        "stopReason": _STOPS.get(text_of(message.get("stop_reason")), "stop"),
    }
    if isinstance(used, dict):
        counts = {
            ours: used[theirs] if type(used.get(theirs)) is int else 0
            for ours, theirs in (
                ("input", "input_tokens"),
                ("output", "output_tokens"),
                ("cacheRead", "cache_read_input_tokens"),
                ("cacheWrite", "cache_creation_input_tokens"),
            )
        }
        head["usage"] = {**counts, "totalTokens": sum(counts.values())}
    return head
