"""What the chat column says about an entry: a pure step from transcript to words.

Nothing here is safe to print yet except `title`, `detail`, `right` and `lines`, which are single
lines that passed `safe_line`; `body` is the untouched text and is made safe where it is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from engine.agents.views import Begun
from engine.clock import parse_iso
from engine.sessions.entries import Entry, is_bookkeeping
from engine.text import safe_line, safe_text
from engine.values import replace
from tui.look.cells import count

__all__ = [
    "Kind",
    "Shown",
    "agent_of",
    "begun",
    "describe",
    "in_group",
    "note",
    "set_aside",
    "thousands",
    "unanswered",
]

Kind = Literal["person", "assistant", "tool", "rule", "note"]
"""How a message is drawn: a person's words, a reply, a folded tool line, a ◆ row, a dim note."""

_TITLE_LIMIT, _LINE_LIMIT, _ARGUMENT_LIMIT = 60, 500, 160
_STOPS = {"error": "✘ error", "aborted": "■ stopped", "length": "▲ cut at the limit"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of the chat column.

    Attributes:
        key: unique in the column: the entry's id, or the note's own.
        title: who speaks, or what a folded line says.
        detail: after the title: the model, or the time of day; `brief` where that has no room.
        right: at the right end of the header: tokens, seconds, how it ended.
        body: untrusted text, empty when the header says everything.
        lines: folded lines below the body: tool calls.
        aside: kept as context and not answered.
        beside: how many branches part here, where there are several, else 0.
        severity: of a note: information, warning or error.
    """

    key: str
    kind: Kind
    title: str
    detail: str = ""
    brief: str = ""
    right: str = ""
    body: str = ""
    lines: tuple[str, ...] = ()
    severity: str = "information"
    aside: bool = False
    beside: int = 0
    entry: Entry | None = None

    @property
    def markdown(self) -> bool:
        """Whether the body is Markdown: what models write is, what people type is not."""
        return self.kind in ("assistant", "rule")

    @property
    def folded(self) -> bool:
        """Whether the body is shown only when the person asks for it."""
        return self.kind in ("rule", "tool") and bool(self.body)


def _line(value: object, limit: int = _TITLE_LIMIT) -> str:
    """A string field as one safe line; anything but a string is nothing."""
    return safe_line(value, limit=limit) if isinstance(value, str) else ""


def agent_of(session_key: str) -> str:
    """The agent's id in `agent:<agentId>:…`; `assistant` for any other key."""
    parts = session_key.split(":", 2)
    named = len(parts) > 1 and parts[0] == "agent" and parts[1]
    return safe_line(parts[1], limit=_TITLE_LIMIT) if named else "assistant"


def begun(how: Begun) -> str:
    """How a session began that followed another one of its key."""
    count = "1 message" if how.messages == 1 else f"{how.messages:,} messages"
    why = ", ".join(filter(None, (how.reason, how.rule and f"by {how.rule}")))
    return f"A fresh start ({why or 'reset'}). The {count} before are kept as an earlier session."


def note(key: str, text: str, severity: str = "information") -> Shown:
    """A line of ours between the messages, stored nowhere."""
    sign = {"warning": "▲", "error": "✘"}.get(severity, "·")
    return Shown(key, "note", f"{sign} {safe_line(text, limit=_LINE_LIMIT)}", severity=severity)


def in_group(entry: Entry) -> bool:
    """Whether a person said this where others read along, so that it may stand unanswered."""
    origin = entry.data.get("origin")
    peer = origin.get("peer") if isinstance(origin, dict) else None
    kind = peer.get("kind") if isinstance(peer, dict) else None
    return entry.role == "user" and kind in ("group", "channel")


def unanswered(entries: Sequence[Entry], *, open_end: bool) -> set[str]:
    """Ids of messages in groups that were kept as context: the next one is not an answer.

    Args:
        entries: of a path, oldest first.
        open_end: whether more may come after the last one.
    """
    talk = [entry for entry in entries if entry.type == "message"]
    after: list[Entry | None] = [*talk[1:], None]
    return {
        entry.id
        for entry, following in zip(talk, after, strict=False)
        if in_group(entry) and (following.role == "user" if following is not None else not open_end)
    }


def set_aside(shown: Shown) -> Shown:
    """The same message, marked as not answered."""
    return replace(shown, aside=True, right="· not answered")


def describe(entry: Entry, *, agent: str, today: str) -> Shown | None:
    """What to show of an entry, or None for bookkeeping.

    Args:
        entry: any entry, from any writer: no field is taken for granted.
        agent: whom assistant messages are by.
        today: the local date, `2026-01-31`; older entries show their day.
    """
    if is_bookkeeping(entry.type, entry.custom_type):
        return None
    match entry.type:
        case "message":
            return _message(entry, agent, today)
        case "compaction":
            return Shown(entry.id, "rule", _compaction(entry), body=entry.text, entry=entry)
        case "branch_summary":
            return Shown(entry.id, "rule", "┬ summary of a branch", body=entry.text, entry=entry)
        case "custom_message":
            name = safe_line(entry.custom_type or "note", limit=_TITLE_LIMIT)
            if entry.data.get("display") is False:
                return Shown(entry.id, "tool", f"· {name}: not shown", entry=entry)
            return _spoken(entry, name, today, entry.text)
    named = safe_line(entry.type, limit=_TITLE_LIMIT) or "nameless"
    return Shown(entry.id, "tool", f"· unknown entry: {named}", entry=entry)


def _message(entry: Entry, agent: str, today: str) -> Shown:
    match entry.role:
        case "user":
            return _spoken(entry, _sender(entry), today, _words(entry))
        case "assistant":
            return _reply(entry, agent)
        case "toolResult":
            return Shown(entry.id, "tool", _tool_result(entry), body=entry.text, entry=entry)
        case "bashExecution":
            command = _line(entry.message.get("command"), _LINE_LIMIT)
            return Shown(entry.id, "tool", f"◂ shell {command}", entry=entry)
    role = safe_line(entry.role or "nobody", limit=_TITLE_LIMIT)
    return _spoken(entry, role, today, _words(entry))


def _spoken(entry: Entry, name: str, today: str, body: str) -> Shown:
    when, brief = _when(entry, today)
    return Shown(entry.id, "person", name, when, brief, body=body, entry=entry)


def _reply(entry: Entry, agent: str) -> Shown:
    message = entry.message
    right = [_STOPS.get(_line(message.get("stopReason")), ""), _tokens(message), _seconds(entry)]
    lines = tuple(
        _tool_call(block) for block in _blocks(message) if block.get("type") == "toolCall"
    )
    if message.get("stopReason") == "error" and isinstance(message.get("errorMessage"), str):
        lines += ("✘ " + safe_line(message["errorMessage"], limit=_LINE_LIMIT),)
    return Shown(
        entry.id,
        "assistant",
        agent,
        _line(message.get("model")),
        "",
        " · ".join(part for part in right if part),
        entry.text,
        lines,
        entry=entry,
    )


def _words(entry: Entry) -> str:
    pictures = sum(1 for block in _blocks(entry.message) if block.get("type") == "image")
    if not pictures:
        return entry.text
    says = "[1 picture]" if pictures == 1 else f"[{pictures} pictures]"
    return f"{entry.text}\n{says}" if entry.text else says


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return (
        [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    )


def _sender(entry: Entry) -> str:
    """The name of who wrote it: the origin's sender, else the person at this terminal."""
    origin = entry.data.get("origin")
    sender = origin.get("sender") if isinstance(origin, dict) else None
    if isinstance(origin, dict) and origin.get("channel") == "terminal":
        return "you"
    if isinstance(sender, dict):
        for field in ("name", "id"):
            if isinstance(sender.get(field), str) and sender[field].strip():
                return safe_line(sender[field], limit=_TITLE_LIMIT)
    return "you"


def _when(entry: Entry, today: str) -> tuple[str, str]:
    """(when it was said, the same in short): the time of day of today's, else the day too, which
    is all that the short form says: `20 Nov`, of another year `Nov 2025`."""
    moment = parse_iso(entry.timestamp)
    if moment is None:
        return "", ""
    try:
        local = datetime.fromtimestamp(moment / 1000)
    except (OverflowError, OSError, ValueError):
        return "", ""
    day = local.strftime("%Y-%m-%d")
    if day == today:
        return local.strftime("%H:%M"), ""
    brief = f"{local.day} {local:%b}" if day[:4] == today[:4] else f"{local:%b %Y}"
    return f"{day} {local:%H:%M}", brief


def thousands(value: object) -> str:
    """A number of tokens in short, "?" for what is not one."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
    return count(int(value)) if whole else "?"  # type: ignore[call-overload]


def _tokens(message: Mapping[str, Any]) -> str:
    usage = message.get("usage")
    output = usage.get("output") if isinstance(usage, dict) else None
    return f"{thousands(output)} tok" if output and thousands(output) != "?" else ""


def _seconds(entry: Entry) -> str:
    """From the message's own time, the start of the call (reference: OpenClaw 2026.4.15), to the
    entry on disk. Nothing is said of a writer that puts the end in both places."""
    start, end = entry.message.get("timestamp"), parse_iso(entry.timestamp)
    if not isinstance(start, int) or end is None or not 50 <= end - start < 3_600_000:
        return ""
    return f"{(end - start) / 1000:.1f} s"


def _tool_call(block: Mapping[str, Any]) -> str:
    name = _line(block.get("name")) or "tool"
    return f"▸ {name} {_arguments(block.get('arguments'))}".rstrip()


def _arguments(value: object) -> str:
    if not value:
        return ""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return "(arguments that cannot be shown)"
    return safe_line(text, limit=_ARGUMENT_LIMIT)


def _tool_result(entry: Entry) -> str:
    message = entry.message
    name = _line(message.get("toolName")) or "tool"
    word = "✘ failed" if message.get("isError") else "ok"
    size = len(entry.text)
    return f"◂ {name} {word} · {size:,} characters · {safe_line(entry.text, limit=80)}"


def _compaction(entry: Entry) -> str:
    data = entry.data
    details = data.get("details")
    folded = details.get("folded") if isinstance(details, dict) else data.get("folded")
    folded = len(folded) if isinstance(folded, list) else folded
    parts = ["◆ compacted"]
    if isinstance(folded, int) and not isinstance(folded, bool):
        parts[0] += f" {folded:,} messages"
    if "tokensBefore" in data:
        after = f" → {thousands(data['tokensAfter'])}" if "tokensAfter" in data else " tokens"
        parts.append(thousands(data["tokensBefore"]) + after)
    return safe_line(safe_text(" · ".join(parts)))
