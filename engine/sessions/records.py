"""What the store says of a session, and how the names of its files are read."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from engine.errors import Problem
from engine.sessions.life import Life, moment_of

__all__ = ["ENDED", "FileName", "Kind", "SessionRecord", "read_name", "was_put_aside"]

Kind = Literal[
    "session",
    "archived",
    "reset",
    "deleted",
    "bak",
    "checkpoint",
    "original",
    "older",
    "file",
]
"""`session`: what its key points to. `archived`: put away by a person or a rule. Leftovers of the
reference and of resets: `reset`, `deleted` (the trash), `bak`, `checkpoint`. `original`: an older
form that was migrated into another file. `older`: a second file that claims the same key. `file`:
opened by its path."""

ENDED = frozenset({"archived", "reset", "deleted"})
"""Kinds of sessions that are over; each can become its key's session again."""


class SessionRecord(Struct, frozen=True):
    """One transcript as the index and its summary describe it.

    Attributes:
        key: the session key in our spelling.
        agent_id: whose directory it lies in; "" for a file elsewhere.
        session_id: the id in its header.
        path: the file.
        kind: see Kind.
        created: ms since 1970.
        last_active: ms since 1970, of the newest message.
        messages: message entries in the file, on all branches.
        heard: those that others than the operator wrote, replies among them.
        trouble: why the last message is a reply that failed (untrusted), else "".
        label: the name a person gave it.
        labels: what a person sorted it by.
        preview: the first words said (untrusted).
        model: `provider/model` of the newest reply.
        state: `active`, or what the index says.
        override: the model that a person chose for it, None for the config's.
        life: the last thing that happened to it as a whole: how it ended, or that it goes on.
        size: bytes.
        origin: what the channel said of the first message (index field `origin`).
        lineage: `parentKey`, `parentSession`, `parentEntry` of a fork or a spawned session.
        problems: what is wrong with it.
        index_key: the key as it stands in the index; "" when it is not in there.
        entry: the whole index entry.
    """

    key: str
    agent_id: str
    session_id: str
    path: Path
    kind: Kind = "session"
    created: int = 0
    last_active: int = 0
    messages: int = 0
    heard: int = 0
    trouble: str = ""
    label: str | None = None
    labels: tuple[str, ...] = ()
    preview: str = ""
    model: str | None = None
    state: str = "active"
    size: int = 0
    origin: Mapping[str, Any] | None = None
    lineage: Mapping[str, Any] | None = None
    life: Life | None = None
    override: str | None = None
    problems: tuple[Problem, ...] = ()
    index_key: str = ""
    entry: Mapping[str, Any] | None = None

    @property
    def ended(self) -> int:
        """When it was put aside, in ms since 1970; 0 for one in use. As the transcript says, else
        its file's name, else when it was last active."""
        if self.kind not in ENDED:
            return 0
        if self.life is not None and self.life.event != "restore" and self.life.at:
            return self.life.at
        parts = read_name(self.path.name)
        return (moment_of(parts.detail) if parts else None) or self.last_active

    @property
    def used(self) -> int:
        """When it was last of use to somebody, in ms since 1970: something was said, or it was
        taken out of the archive."""
        back = self.life.at if self.life is not None and self.life.event == "restore" else 0
        return max(self.last_active, back)


class FileName(Struct, frozen=True):
    """A file name taken apart: the session file's stem, the kind, and the time or id after it."""

    stem: str
    kind: Kind
    detail: str = ""


_CHECKPOINT = re.compile(r"(.+?)\.checkpoint\.([^.]+)\.jsonl")
_ARCHIVE = re.compile(r"(.+?)\.jsonl\.(archived|reset|deleted|bak)(?:\.(.+))?")
_ENDINGS: dict[str, Kind] = {
    "archived": "archived",
    "reset": "reset",
    "deleted": "deleted",
    "bak": "bak",
}
_PLAIN = re.compile(r"(.+)\.jsonl")


def was_put_aside(path: Path) -> bool:
    """Whether a session's file is gone because it was reset, archived or deleted: it lies beside,
    under another name. Looks at the directory."""
    if path.exists():
        return False
    stem = path.name.removesuffix(".jsonl")
    return any(
        (parts := read_name(one.name)) is not None and parts.stem == stem and parts.kind in ENDED
        for one in path.parent.glob(f"{glob.escape(stem)}.jsonl.*")
    )


def read_name(name: str) -> FileName | None:
    """What a file in a sessions directory is, by its name; None for what is no transcript."""
    if name.startswith(".") or name.endswith(".lock") or ".torn." in name:
        return None
    if found := _CHECKPOINT.fullmatch(name):
        return FileName(found[1], "checkpoint", found[2])
    if found := _ARCHIVE.fullmatch(name):
        return FileName(found[1], _ENDINGS[found[2]], found[3] or "")
    if found := _PLAIN.fullmatch(name):
        return FileName(found[1], "session")
    return None
