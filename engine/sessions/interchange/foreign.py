"""Conversations of other programs, on their way to becoming transcripts.

A reader of a format makes `Said` values that keep the original's ids and links; `settle` turns
them into linked v3 lines and says what was odd. Every line made says where it comes from in its
field `imported`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from msgspec import Struct
from msgspec import field as msgfield

from engine.clock import iso, parse_iso
from engine.sessions.entries import LEAF
from engine.sessions.lines import encode_line

__all__ = [
    "IMPORTED",
    "Conversation",
    "ForeignFormat",
    "Said",
    "Settled",
    "counted",
    "moment_of",
    "settle",
    "text_of",
]

IMPORTED = "branchline.imported"
"""custom entry: where a session comes from, `data {format, id, file, fingerprint, …}`."""

ForeignFormat = Literal["pi", "flat", "claude-code", "chatgpt", "claude"]

Line = dict[str, Any]

_LISTED = 5


class Said(Struct, frozen=True):
    """One message of a foreign conversation.

    Attributes:
        id: as the source calls it.
        parent: the source's id of what it follows; None for a beginning.
        lines: v3 entries without id, parent and time, each following the one before; none for
            what is passed over, whose children then follow its parent.
        time: ms since 1970, None when the source does not say.
        fields: what else the source says of it; kept in `imported`.
        side: whether it is beside the conversation (a sub-agent's talk).
    """

    id: str
    parent: str | None
    lines: tuple[Line, ...] = ()
    time: int | None = None
    fields: Mapping[str, Any] = msgfield(default_factory=dict)
    side: bool = False


@dataclass(slots=True)
class Conversation:
    """A foreign conversation as it was read.

    Attributes:
        format: what wrote it.
        id: as the source calls it; the same at every reading.
        title: its name there; "" for none.
        said: in the source's order.
        leaf: the source's id of where it goes on; None: its last message.
        created: ms since 1970; 0 when unknown.
        cwd: its working directory, where it has one.
        about: what else is kept of it.
        odd: what a person should know, in words.
    """

    format: ForeignFormat
    id: str
    title: str = ""
    said: list[Said] = field(default_factory=list)
    leaf: str | None = None
    created: int = 0
    cwd: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


class Settled(Struct, frozen=True):
    """A conversation as a transcript's entries.

    Attributes:
        lines: whole v3 entries; the last two say where they come from and where the leaf is.
        leaf: the id of the entry that the conversation goes on from.
        messages: how many of the lines are messages.
        roots: lines without a parent, apart from bookkeeping.
        fingerprint: of what was said; equal when nothing changed.
    """

    format: ForeignFormat
    id: str
    title: str
    cwd: str
    lines: tuple[Line, ...]
    leaf: str | None
    messages: int
    roots: int
    fingerprint: str
    about: Mapping[str, Any]
    odd: tuple[str, ...]


def moment_of(value: object) -> int | None:
    """A source's time in ms: ISO text, seconds or milliseconds since 1970."""
    if isinstance(value, str):
        return parse_iso(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 253e12:
        return round(value if value > 1e11 else value * 1000)
    return None


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def counted(things: Sequence[str], what: str) -> list[str]:
    """One remark on several things, the first few of them named."""
    if not things:
        return []
    named = ", ".join(things[:_LISTED]) + (" …" if len(things) > _LISTED else "")
    return [f"{len(things):,} {what}: {named}"]


def settle(conversation: Conversation) -> Settled:
    """Link a conversation: ids of 8 digits, parents before children, every loose end a root."""
    said, odd = _unique(conversation)
    parents, more = _links(said)
    odd += more
    ends: dict[str, str | None] = {}
    lines: list[Line] = []
    names = _Names(f"{conversation.format}\n{conversation.id}")
    previous = conversation.created
    for one in _in_order(said, parents):
        previous = one.time if one.time is not None else previous
        above = ends.get(parents[one.id] or "")
        for number, body in enumerate(one.lines):
            name = names.make(f"{one.id}\n{number}")
            lines.append(_line(body, name, above, previous, _origin(conversation, one, number)))
            above = name
        ends[one.id] = above
    leaf = ends.get(conversation.leaf) if conversation.leaf is not None else None
    leaf = leaf or next(
        (ends[one.id] for one in reversed(said) if one.lines and not one.side), None
    )
    leaf = leaf or (lines[-1]["id"] if lines else None)
    return finish(conversation, lines, leaf, odd, names)


class _Names:
    """Ids for new entries, the same at every import of the same thing."""

    def __init__(self, seed: str, taken: Iterator[str] | tuple[str, ...] = ()):
        self._seed = seed
        self._taken = set(taken)

    def make(self, what: str) -> str:
        count = 0
        while True:
            text = f"{self._seed}\n{what}\n{count}".encode("utf-8", "replace")
            name = blake2b(text, digest_size=4).hexdigest()
            if name not in self._taken:
                self._taken.add(name)
                return name
            count += 1


def finish(
    conversation: Conversation,
    lines: list[Line],
    leaf: str | None,
    odd: Sequence[str] = (),
    names: _Names | None = None,
) -> Settled:
    """Add the name, where it comes from, and the leaf."""
    print_ = blake2b(digest_size=8)
    for line in lines:
        print_.update(encode_line(line))
    fingerprint = print_.hexdigest()
    names = names or _Names(conversation.id, tuple(str(line.get("id")) for line in lines))
    stamp = lines[-1]["timestamp"] if lines else iso(conversation.created)
    about = {"format": conversation.format, "id": conversation.id, "fingerprint": fingerprint}
    notes: list[Line] = []
    if conversation.title:
        notes.append({"type": "session_info", "name": conversation.title})
    about |= conversation.about
    notes.append({"type": "custom", "customType": IMPORTED, "data": about})
    notes.append({"type": "custom", "customType": LEAF, "data": {"targetId": leaf}})
    for note in notes:
        name = names.make(str(note.get("customType") or note["type"]))
        lines.append({**note, "id": name, "parentId": leaf, "timestamp": stamp})
    body = lines[: -len(notes)]
    known = {line["id"] for line in body}
    return Settled(
        conversation.format,
        conversation.id,
        conversation.title,
        conversation.cwd,
        tuple(lines),
        leaf,
        sum(line["type"] == "message" for line in body),
        sum(line["parentId"] is None or line["parentId"] not in known for line in body),
        fingerprint,
        about,
        (*conversation.odd, *odd),
    )


def _line(body: Line, name: str, above: str | None, time: int, origin: Line) -> Line:
    line = {**body, "id": name, "parentId": above, "timestamp": iso(time), "imported": origin}
    message = line.get("message")
    if isinstance(message, dict):
        line["message"] = {**message, "timestamp": time}
    return line


def _origin(conversation: Conversation, one: Said, number: int) -> Line:
    """The provenance of a line; the source's further fields stand in the first line only."""
    origin: Line = {"format": conversation.format, "id": one.id, "parentId": one.parent}
    if number:
        origin["part"] = number
    elif one.fields:
        origin["fields"] = dict(one.fields)
    return origin


def _unique(conversation: Conversation) -> tuple[list[Said], list[str]]:
    seen: dict[str, Said] = {}
    doubles = []
    for one in conversation.said:
        if one.id in seen:
            doubles.append(one.id)
        else:
            seen[one.id] = one
    return list(seen.values()), counted(doubles, "messages had an id that was there already")


def _links(said: Sequence[Said]) -> tuple[dict[str, str | None], list[str]]:
    """Parents that exist, and no way round: what is broken becomes a root and is told."""
    known = {one.id for one in said}
    lost = [one.id for one in said if one.parent is not None and one.parent not in known]
    parents = {one.id: one.parent if one.parent in known else None for one in said}
    done: set[str] = set()
    cut = []
    for start in parents:
        walked: set[str] = set()
        at: str | None = start
        while at is not None and at not in done and at not in walked:
            walked.add(at)
            at = parents[at]
        if at is not None and at in walked:
            parents[at] = None
            cut.append(at)
        done |= walked
    return parents, [
        *counted(lost, "messages name a parent that is not there and became roots"),
        *counted(cut, "messages were their own ancestors; they became roots"),
    ]


def _in_order(said: Sequence[Said], parents: Mapping[str, str | None]) -> Iterator[Said]:
    """Parents before children, otherwise as the source has them."""
    by_id = {one.id: one for one in said}
    done: set[str] = set()
    for one in said:
        waiting: list[str] = []
        at: str | None = one.id
        while at is not None and at not in done:
            waiting.append(at)
            done.add(at)
            at = parents[at]
        for name in reversed(waiting):
            yield by_id[name]
