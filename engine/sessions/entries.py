"""Transcript entries: the lines of a session file, format v3 of pi and OpenClaw (SPEC §5).

An Entry keeps the whole decoded object, so unknown types and fields survive untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

__all__ = [
    "ACTIVATION",
    "LABELS",
    "LEAF",
    "LIFE",
    "MODEL",
    "OUR_PREFIX",
    "Entry",
    "content_text",
    "is_bookkeeping",
]

OUR_PREFIX = "branchline."
"""`customType` of what only Branchline writes."""

LEAF = "branchline.leaf"
"""custom entry: the leaf was moved to `data.targetId` (null: before the first entry)."""

MODEL = "branchline.model"
"""custom entry: the session's model override, `data {model: ref | null, source}`."""

ACTIVATION = "branchline.activation"
"""custom entry: when the agent answers in a group, `data {activation: mention | always}`."""

LABELS = "branchline.labels"
"""custom entry: all labels that a person gave the session, `data {labels: [text]}`."""

LIFE = "branchline.life"
"""custom entry: the session ended or goes on, `data {event, reason, rule, key, index}`; see
engine.sessions.life."""

_BOOKKEEPING = frozenset({"label", "session_info", "model_change", "thinking_level_change"})


class Entry(Struct, frozen=True):
    """One line of a transcript. `data` is the whole JSON object as it stands in the file."""

    id: str
    type: str
    parent_id: str | None
    timestamp: str
    data: Mapping[str, Any]

    @property
    def message(self) -> Mapping[str, Any]:
        """The `message` object of a message entry, `{}` for any other."""
        found = self.data.get("message")
        return found if isinstance(found, dict) else {}

    @property
    def role(self) -> str | None:
        role = self.message.get("role")
        return role if isinstance(role, str) else None

    @property
    def custom_type(self) -> str | None:
        found = self.data.get("customType")
        return found if isinstance(found, str) else None

    @property
    def text(self) -> str:
        """The words of the entry: message content, summary, label or name; "" when there are none.

        Untrusted and unchanged; what is shown goes through engine.text first.
        """
        match self.type:
            case "message":
                return content_text(self.message.get("content"))
            case "compaction" | "branch_summary":
                return _as_text(self.data.get("summary"))
            case "custom_message":
                return content_text(self.data.get("content"))
            case "label":
                return _as_text(self.data.get("label"))
            case "session_info":
                return _as_text(self.data.get("name"))
        return ""


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def content_text(content: object) -> str:
    """The text of a message's content: a string, or the text blocks joined without a separator
    (the reference's rule for text that goes back to an editor)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        block["text"]
        for block in content
        if isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    )


def is_bookkeeping(type_: str, custom_type: str | None) -> bool:
    """Whether an entry only notes something (label, name, setting, leaf move) and so may never
    become the parent of a message that we write."""
    if type_ == "custom":
        return True
    return type_ in _BOOKKEEPING or (custom_type or "").startswith(OUR_PREFIX)
