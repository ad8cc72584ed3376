"""Sessions with branches, written as files: for the tests of the tree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DAY = "2026-01-31"
KEY = "agent:main:telegram:dm:alice"


def said(
    name: str, parent: str | None, role: str, text: str, at: str = "10:00", **more: Any
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": [{"type": "text", "text": text}]}
    if role == "assistant":
        message |= {"provider": "offline", "model": "echo", "stopReason": "stop"}
    entry = {"type": "message", "id": name, "parentId": parent, "message": message, **more}
    if role == "user":
        sender = {"id": "alice", "name": "alice"}
        peer = {"kind": "dm", "id": "alice"}
        entry["origin"] = {"channel": "telegram", "peer": peer, "sender": sender}
    return {**entry, "timestamp": f"{DAY}T{at}:00.000Z"}


def write(state: Path, entries: Iterable[Mapping[str, Any]], key: str = KEY) -> Path:
    """A transcript of these entries under a key; the index is made from it."""
    folder = state / "agents" / "main" / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"11111111-1111-4111-8111-{abs(hash(key)) % 10**12:012d}"
    head = {"type": "session", "version": 3, "id": name, "timestamp": f"{DAY}T09:00:00.000Z"}
    lines = [{**head, "cwd": "/w", "sessionKey": key}, *entries]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def orders() -> list[dict[str, Any]]:
    """Eight messages of which a compaction folds six, then a fork with a tool call on the active
    branch, whose first message has a label."""
    lines, above = [], None
    for number in range(1, 9):
        role = "user" if number % 2 else "assistant"
        lines.append(said(f"m{number}", above, role, f"about order {number}", f"09:{number:02d}"))
        above = f"m{number}"
    fold = {"type": "compaction", "id": "c1", "parentId": "m8", "summary": "Orders were asked for."}
    fold |= {"firstKeptEntryId": "m7", "tokensBefore": 27100, "tokensAfter": 4300}
    lines.append({**fold, "timestamp": f"{DAY}T09:30:00.000Z"})
    lines += [
        said("q", "c1", "user", "Parse a CSV of orders", "09:40"),
        said("a", "q", "assistant", "Here is a **version** with csv", "09:41"),
        said("w", "a", "user", "What is the weather", "09:42"),
        said("w2", "w", "assistant", "I cannot see it", "09:43"),
        said("x", "a", "user", "Make it stream", "09:50"),
        said("t", "x", "assistant", "", "09:51"),
        said("r", "t", "toolResult", "the hidden result", "09:52"),
        said("y", "r", "assistant", "Use a generator", "09:53"),
    ]
    call = {"type": "toolCall", "id": "1", "name": "lookup", "arguments": {"order": "1057"}}
    lines[-3]["message"]["content"] = [call]
    lines[-2]["message"] |= {"toolCallId": "1", "toolName": "lookup"}
    label = {"type": "label", "id": "l", "parentId": "y", "targetId": "q", "label": "csv"}
    leaf = {"type": "custom", "id": "k", "parentId": "y", "customType": "branchline.leaf"}
    return [*lines, label, {**leaf, "data": {"targetId": "y"}}]
