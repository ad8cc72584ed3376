"""Memory flush: shortly before compaction the agent may write lasting notes (SPEC §8).

Pure rules: when a flush is due, where its notes go, what becomes of the answer. A flush adds
nothing that a window holds, so it can never call for a compaction, and a compaction never calls
for a flush: each only notes that it happened.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

from msgspec import Struct

from engine.config.schema import MemoryFlush
from engine.context.compaction import Budget
from engine.sessions.tree import Tree

__all__ = [
    "ASK",
    "FLUSH",
    "NOTES_FOLDER",
    "NO_REPLY",
    "Scope",
    "flush_due",
    "flush_fields",
    "note_text",
    "notes_path",
    "read_answer",
]

FLUSH = "branchline.flush"
"""custom entry: a flush was made, `data {outcome, cycle, file}`."""

NO_REPLY = "NO_REPLY"
"""The answer that says there is nothing to write, and that nothing is shown."""

NOTES_FOLDER = "memory"
ASK = (
    "[A note from the program, not from a person: this conversation will soon be folded into a "
    "summary. Write down, in short lines, what should be remembered for good: lasting facts, "
    "preferences, decisions, promises. Your answer is filed as notes and shown to nobody. With "
    "nothing worth keeping, answer only NO_REPLY.]"
)

_LONGEST = 8000
_SILENT = re.compile(r"^\W*NO_REPLY\b|\bNO_REPLY\W*$")

Result = Literal["noted", "nothing", "failed"]


class Scope(Struct, frozen=True):
    """Whose notes: the operator's own, or those of one session (and, where several people share
    a session that is not a group, of one person in it)."""

    session_key: str = ""
    principal: str = ""

    @property
    def is_operator(self) -> bool:
        return not self.session_key

    @property
    def folder(self) -> str:
        """Path below the workspace. A digest: what people call themselves names no file."""
        if self.is_operator:
            return NOTES_FOLDER
        name = f"{self.session_key}\0{self.principal}".encode("utf-8", "surrogatepass")
        return f"{NOTES_FOLDER}/people/{hashlib.sha256(name).hexdigest()[:24]}"


def flush_due(
    tree: Tree, leaf: str | None, tokens: int, budget: Budget, config: MemoryFlush
) -> bool:
    """Whether notes should be written now: near the compaction's limit (`softThresholdTokens`
    before it, scaled down for small windows), and at most once per compaction cycle."""
    soft = min(config.soft_threshold_tokens, budget.limit // 8)
    if not config.enabled or tokens <= budget.limit - soft:
        return False
    entry_id = tree.ours.get(FLUSH)
    if entry_id is None:
        return True
    body = tree.entry(entry_id).data.get("data")
    return not isinstance(body, dict) or body.get("cycle") != _cycle(tree, leaf)


def _cycle(tree: Tree, leaf: str | None) -> str:
    return tree.nearest(leaf, "compaction") or ""


def flush_fields(tree: Tree, leaf: str | None, outcome: Result, file: str = "") -> dict[str, Any]:
    """The entry that a flush leaves, so that this cycle has no other."""
    body = {"outcome": outcome, "cycle": _cycle(tree, leaf)}
    return {"type": "custom", "customType": FLUSH, "data": body | ({"file": file} if file else {})}


def read_answer(text: str) -> str | None:
    """The notes in an answer; None for NO_REPLY, also with words around it, and for silence."""
    words = text.strip()
    if not words or _SILENT.search(words):
        return None
    return words[:_LONGEST]


def notes_path(scope: Scope, day: str) -> str:
    """Where a day's notes are, below the workspace. `day`: YYYY-MM-DD."""
    return f"{scope.folder}/{day}.md"


def note_text(notes: str, moment: str) -> str:
    """What is added to the file. `moment`: ISO time."""
    return f"## {moment}\n\n{notes.strip()}\n\n"
