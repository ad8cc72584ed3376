"""The memory flush carried out: one silent request, its notes appended to the right file.

Nothing of it is shown and nothing of it enters the conversation (SPEC §8).
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from engine.clock import iso
from engine.context.memory import (
    ASK,
    Result,
    flush_due,
    flush_fields,
    note_text,
    notes_path,
    read_answer,
)
from engine.disk import Disk, ensure_dir, explain, open_regular, write_all
from engine.errors import BranchlineError, Problem
from engine.events import EntryAppended, Noticed
from engine.models.protocol import ChatMessage, Text
from engine.routing.keys import chat_type
from engine.sessions.tree import Tree
from engine.turns.order import Order
from engine.turns.origin import envelope_of, principal_of
from engine.turns.pool import LiveSession
from engine.turns.reply import Answer, ask
from engine.turns.request import Kitchen, Prepared, in_thread, notes_scope
from engine.values import replace

__all__ = ["flush_when_due"]

ANSWER_TOKENS = 600
"""Most tokens of what a flush may write."""

LOOKED_AT = 20_000
"""Messages looked at to see whether others wrote in the operator's session; with more than these
nothing is noted."""


async def flush_when_due(
    order: Order, session: LiveSession, kitchen: Kitchen, prepared: Prepared
) -> None:
    """Let the agent write lasting notes when compaction is near; at most once per cycle.

    A failure costs the notes and nothing else: it is noted, and the turn goes on.
    """
    config = order.setup.config.compaction
    tree = session.transcript.tree
    if not config.enabled:
        return
    if not flush_due(tree, tree.leaf, prepared.weight, prepared.budget, config.memory_flush):
        return
    if await in_thread(_mixed, order, tree):
        return
    result, file = await _flush(order, kitchen, prepared)
    entry = await in_thread(session.transcript.append, flush_fields(tree, tree.leaf, result, file))
    kitchen.publish(EntryAppended(session.key, entry))


def _mixed(order: Order, tree: Tree) -> bool:
    """Whether the operator's own session holds words of others, perhaps in a summary only: then
    nobody's notes are safe."""
    if chat_type(order.session_key) not in ("main", "chat"):
        return False
    users = (node for node in tree.up(tree.leaf) if node.role == "user")
    for node in islice(users, LOOKED_AT):
        spoke = envelope_of(tree.entry(node.id).data.get("origin"))
        if spoke is not None and principal_of(spoke).id != order.principal.id:
            return True
    return next(users, None) is not None


async def _flush(order: Order, kitchen: Kitchen, prepared: Prepared) -> tuple[Result, str]:
    """Ask, and file what is answered: what became of it, and the file's name."""
    answer = Answer(prepared.info.ref)
    request = replace(
        prepared.request,
        messages=(*prepared.request.messages, ChatMessage("user", (Text(ASK),))),
        purpose="flush",
        max_tokens=min(ANSWER_TOKENS, prepared.info.max_tokens),
    )
    door = order.setup.door
    try:
        await ask(answer, door, request, fallbacks=prepared.fallbacks, heard=lambda event: None)
    except BranchlineError as error:
        answer.error = error
    if answer.error is not None:
        _complain(order, kitchen, answer.error)
        return "failed", ""
    notes = read_answer(answer.text)
    if notes is None:
        return "nothing", ""
    moment = iso(kitchen.clock.now())
    file = notes_path(notes_scope(order), moment[:10])
    try:
        await in_thread(_file, kitchen.disk, kitchen.workspace(order), file, notes, moment)
    except BranchlineError as error:
        _complain(order, kitchen, error)
        return "failed", ""
    return "noted", file


def _complain(order: Order, kitchen: Kitchen, error: BranchlineError) -> None:
    text = f"no notes were written before compaction: {error}"
    kitchen.publish(Noticed(Problem(text, "warning"), order.session_key))


def _file(disk: Disk, workspace: Path, file: str, notes: str, moment: str) -> None:
    path = workspace / file
    try:
        ensure_dir(disk, path.parent)
        fd = open_regular(disk, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            write_all(disk, fd, note_text(notes, moment).encode("utf-8", "replace"))
            disk.fsync(fd)
        finally:
            disk.close(fd)
    except OSError as error:
        raise explain(error, "could not write notes") from error
