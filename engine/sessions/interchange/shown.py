"""What an export shows of each entry; the same for Markdown and HTML. Texts are untrusted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from engine.sessions.entries import OUR_PREFIX, Entry
from engine.sessions.pieces import Piece, pieces

if TYPE_CHECKING:
    from engine.sessions.nodes import Node
    from engine.sessions.transcript import Transcript
    from engine.sessions.tree import Tree

__all__ = ["Shown", "facts", "follow", "shown", "title_of"]

Kind = Literal["user", "assistant", "tool", "summary", "note", "data", "other"]


class Shown(Struct, frozen=True):
    """An entry for readers.

    Attributes:
        kind: how it looks; `data` is what a program noted, `other` of a type not known here.
        who: who says it, or what it is.
        when: its time as it stands in the file.
        label: the label it has.
        note: how a reply ended, a summary's numbers, a setting.
        parts: its texts.
    """

    id: str
    kind: Kind
    who: str
    when: str
    label: str
    note: str
    parts: tuple[Piece, ...]


def shown(tree: Tree, node: Node) -> Shown | None:
    """What is shown of an entry; None for bookkeeping, which shows at what it is about."""
    if node.type in ("label", "session_info") or (node.custom_type or "").startswith(OUR_PREFIX):
        return None
    entry = tree.entry(node.id)
    kind, who, note = _heading(entry)
    parts = tuple(pieces(entry.data))
    if kind in ("data", "other") and not parts:
        text = json.dumps(_rest(entry.data), ensure_ascii=False, indent=1)
        parts = (Piece("output", text, "data"),)
    label = tree.labels.get(node.id, "")
    return Shown(entry.id, kind, who, entry.timestamp, label, note, parts)


def _rest(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in ("id", "parentId", "type")}


def _heading(entry: Entry) -> tuple[Kind, str, str]:
    data, message = entry.data, entry.message
    match entry.type:
        case "message":
            return _speaker(entry, message)
        case "compaction":
            numbers = [data.get("tokensBefore"), data.get("tokensAfter")]
            return "summary", "compaction", " → ".join(f"{n:,}" for n in numbers if type(n) is int)
        case "branch_summary":
            return "summary", "summary of a branch", ""
        case "model_change":
            return "note", "model", f"{data.get('provider')}/{data.get('modelId')}"
        case "thinking_level_change":
            return "note", "thinking", str(data.get("thinkingLevel"))
        case "custom_message":
            return "tool", entry.custom_type or "message", ""
    kind: Kind = "data" if entry.type == "custom" else "other"
    return kind, entry.custom_type or entry.type, ""


def _speaker(entry: Entry, message: Mapping[str, Any]) -> tuple[Kind, str, str]:
    role = entry.role or "message"
    if role == "assistant":
        model = "/".join(str(message[n]) for n in ("provider", "model") if message.get(n))
        return "assistant", model or role, _ending(message)
    if role == "user":
        return "user", _sender(entry.data) or role, ""
    if role == "toolResult":
        return (
            "tool",
            f"result of {message.get('toolName') or 'a tool'}",
            ("failed" if message.get("isError") is True else ""),
        )
    return "tool", role, ""


def _sender(data: Mapping[str, Any]) -> str:
    origin = data.get("origin")
    sender = origin.get("sender") if isinstance(origin, dict) else None
    name = (sender.get("name") or sender.get("id")) if isinstance(sender, dict) else None
    return name if isinstance(name, str) else ""


def _ending(message: Mapping[str, Any]) -> str:
    reason = message.get("stopReason")
    if reason not in ("error", "aborted"):
        return ""
    text = message.get("errorMessage")
    return f"{reason}: {text}" if isinstance(text, str) and text else str(reason)


def title_of(transcript: Transcript, key: str) -> str:
    """What a session is called: its name, else its key, else its id."""
    return transcript.tree.name or key or transcript.id


def facts(transcript: Transcript, leaf: str | None, key: str) -> Iterator[tuple[str, str]]:
    """What the head of an export says of the session."""
    header = transcript.header
    for name, value in (
        ("Key", key),
        ("Id", transcript.id),
        ("Begun", header.get("timestamp")),
        ("Directory", header.get("cwd")),
        ("Forked from", header.get("parentSession")),
        ("Current entry", leaf),
    ):
        if isinstance(value, str) and value:
            yield name, value
    yield "Entries", f"{len(transcript.tree.nodes):,}"


def follow(tree: Tree, node_id: str, on_path: set[str]) -> tuple[str | None, list[str]]:
    """Where a reader goes on after an entry, and the branches that part there.

    Goes on along the path, else with the newest child; leaves that are only bookkeeping part
    nothing.
    """
    children = [name for name in tree.children(node_id) if not _only_notes(tree, name)]
    if not children:
        return None, []
    goes_on = next((name for name in children if name in on_path), children[-1])
    return goes_on, [name for name in children if name != goes_on]


def _only_notes(tree: Tree, name: str) -> bool:
    """Whether an entry is bookkeeping at the end of a branch."""
    node = tree.nodes[name]
    if node.type not in ("label", "session_info", "custom"):
        return False
    return not tree.children(name) and (node.type != "custom" or _ours(node))


def _ours(node: Node) -> bool:
    return (node.custom_type or "").startswith(OUR_PREFIX)
