"""What a list says of a session, folded over its lines without building a tree.

The rules for first message, count and time are the reference's (pi's session list): all message
entries count; the preview is the first words a person said; the time is that of the newest
message of a person or the model, else the header's, else the file's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import parse_iso
from engine.disk import Disk, explain, open_regular
from engine.errors import StoreError
from engine.sessions.entries import LABELS, LIFE, MODEL
from engine.sessions.life import Life, read_life
from engine.sessions.lines import batches, decode_line, too_deep
from engine.sessions.migrate import is_flat
from engine.sessions.overrides import read_override

__all__ = ["FORM", "Summary", "read_labels", "scan"]

FORM = 2
"""What a summary holds; one of another form was made by an earlier version and is made anew."""

PREVIEW = 400
"""Most characters kept of the first message."""

TROUBLE = 300
"""Likewise of an error."""

OWN = "terminal"
"""The channel of the operator, who speaks there without a peer."""


class Summary(msgspec.Struct, rename="camel", omit_defaults=True):
    """One file's summary. Times in ms since 1970 (0: unknown); `size` and `mtime_ns` say which
    state of the file it holds for; `heard` how many messages others than the operator wrote,
    replies among them; `trouble` why the last message is a reply that failed (untrusted), else "";
    `override` the session's own model ("": taken away, None: never set); `failure` why the file
    could not be read at all."""

    size: int = 0
    mtime_ns: int = 0
    session_id: str = ""
    key: str | None = None
    created: int = 0
    last_active: int = 0
    messages: int = 0
    heard: int = 0
    trouble: str = ""
    preview: str = ""
    name: str | None = None
    model: str | None = None
    unreadable: int = 0
    settled: bool = True
    header: dict[str, Any] = {}
    labels: tuple[str, ...] = ()
    life: Life | None = None
    override: str | None = None
    failure: str | None = None
    form: int = 0

    @property
    def resumable(self) -> bool:
        """Whether what was appended since can be added to it."""
        return self.settled and self.failure is None and self.size > 0

    @property
    def active(self) -> int:
        """When something was last said, else when the session began, else when it was written."""
        return self.last_active or self.created or self.mtime_ns // 1_000_000


class _Origin(msgspec.Struct, gc=False):
    channel: str | None = None
    peer: msgspec.Raw | None = None


class _Message(msgspec.Struct, gc=False):
    role: str | None = None
    timestamp: int | float | None = None
    content: msgspec.Raw | None = None
    provider: str | None = None
    model: str | None = None
    stop_reason: str | None = msgspec.field(name="stopReason", default=None)
    error_message: str | None = msgspec.field(name="errorMessage", default=None)


class _Line(msgspec.Struct, gc=False):
    type: str | None = None
    timestamp: str | None = None
    name: str | None = None
    role: str | None = None
    provider: str | None = None
    model_id: str | None = msgspec.field(name="modelId", default=None)
    custom_type: str | None = msgspec.field(name="customType", default=None)
    data: msgspec.Raw | None = None
    message: _Message | None = None
    origin: _Origin | None = None


_line = msgspec.json.Decoder(_Line).decode
_failed = (msgspec.MsgspecError, UnicodeError, RecursionError)


def scan(disk: Disk, path: Path, known: Summary | None = None) -> Summary:
    """The summary of a file as it is now.

    Args:
        disk: the door to files.
        path: a transcript.
        known: an earlier summary of the same file; only what came after it is read.

    Raises:
        StoreError: the file cannot be read, or is no transcript.
    """
    try:
        fd = open_regular(disk, path, os.O_RDONLY)
    except OSError as error:
        raise explain(error, "could not open the session") from error
    try:
        info = disk.stat(fd)
        if known is not None and known.resumable and known.size <= info.st_size:
            found, start = msgspec.structs.replace(known), known.size
        else:
            found, start = Summary(form=FORM), 0
        for batch in batches(disk, fd, start, info.st_size):
            if not batch.lines:
                found.unreadable += 1
            for line in batch.lines:
                _fold(found, line, path, first=batch.offset == 0)
            found.settled = batch.complete and bool(found.header)
        found.size, found.mtime_ns = info.st_size, info.st_mtime_ns
    except OSError as error:
        raise explain(error, "could not read the session") from error
    finally:
        disk.close(fd)
    if not found.header and found.size > 0:
        raise _no_transcript(path)
    return found


def _fold(found: Summary, line: bytes, path: Path, *, first: bool) -> None:
    if not found.header:
        _begin(found, line, path, first=first)
        return
    try:
        read = None if too_deep(line) else _line(line)
    except _failed:
        read = None
    if read is None:
        data = decode_line(line)
        if data is None:
            found.unreadable += bool(line.strip())
            return
        read = _loosely(data)
    if read.type is None and read.role is not None:
        _fold_flat(found, line, read.role)
    elif read.type == "message":
        found.messages += 1
        if read.message is not None:
            _fold_message(found, read.message, read.timestamp)
            _fold_heard(found, read.message, read.origin)
    elif read.type == "session_info":
        found.name = (read.name or "").strip() or None
    elif read.type == "model_change" and read.provider and read.model_id:
        found.model = f"{read.provider}/{read.model_id}"
    elif read.type == "custom" and read.data is not None:
        _fold_custom(found, read.custom_type, read.data, read.timestamp)


def _fold_custom(
    found: Summary, custom_type: str | None, raw: msgspec.Raw, stamp: str | None
) -> None:
    """What we note of a session as a whole."""
    if custom_type not in (LABELS, LIFE, MODEL):
        return
    body = (decode_line(b'{"data":' + bytes(raw) + b"}") or {}).get("data")
    if custom_type == LIFE:
        found.life = read_life(body, stamp) or found.life
    elif custom_type == MODEL:
        found.override = read_override(body)
    else:
        found.labels = read_labels(body)


def read_labels(body: object) -> tuple[str, ...]:
    """The labels that the `data` of an entry sets."""
    listed = body.get("labels") if isinstance(body, dict) else None
    names = listed if isinstance(listed, list) else []
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _begin(found: Summary, line: bytes, path: Path, *, first: bool) -> None:
    """The first readable line is the header, or makes the file a flat one."""
    data = decode_line(line, first=first)
    if data is None:
        found.unreadable += bool(line.strip())
        return
    stem = path.name.partition(".")[0]
    session_id = data.get("id")
    if data.get("type") == "session" and isinstance(session_id, str):
        found.header = {"type": "session", **data}
        found.session_id = session_id
        key, stamp = data.get("sessionKey"), data.get("timestamp")
        found.key = key if isinstance(key, str) else None
        found.created = (parse_iso(stamp) if isinstance(stamp, str) else None) or 0
    elif is_flat(data) or found.unreadable:
        found.header = {"type": "session", "id": stem}
        found.session_id = stem
        _fold(found, line, path, first=False)
    else:
        raise _no_transcript(path)


def _no_transcript(path: Path) -> StoreError:
    return StoreError("this is not a session transcript", place=str(path))


def _fold_message(found: Summary, message: _Message, stamp: str | None) -> None:
    if message.content is None or message.role not in ("user", "assistant"):
        return
    moment = message.timestamp
    if moment is None and stamp is not None:
        moment = parse_iso(stamp)
    if moment is not None:
        found.last_active = max(found.last_active, int(moment))
    if message.role == "assistant" and message.provider and message.model:
        found.model = f"{message.provider}/{message.model}"
    if message.role == "user" and not found.preview:
        found.preview = _words(message.content)


def _fold_heard(found: Summary, message: _Message, origin: _Origin | None) -> None:
    """What somebody who was away would want to know of."""
    if message.role not in ("user", "assistant"):
        return
    own = message.role == "user" and origin is not None and _is_operator(origin)
    found.heard += not own
    failed = message.role == "assistant" and message.stop_reason == "error"
    found.trouble = (message.error_message or "no answer came")[:TROUBLE] if failed else ""


def _is_operator(origin: _Origin) -> bool:
    return origin.channel == OWN and origin.peer is None


def _fold_flat(found: Summary, line: bytes, role: str) -> None:
    data = decode_line(line) or {}
    found.messages += 1
    found.heard += role in ("user", "assistant")
    stamp = data.get("timestamp")
    moment = parse_iso(stamp) if isinstance(stamp, str) else stamp
    if isinstance(moment, int | float) and 0 <= moment < 253e12:
        found.last_active = max(found.last_active, int(moment if moment > 1e11 else moment * 1000))
        found.created = found.created or found.last_active
    if role == "user" and not found.preview:
        found.preview = _words(msgspec.Raw(msgspec.json.encode(data.get("content"))))


def _words(raw: msgspec.Raw) -> str:
    """The text of a content, its blocks joined by spaces."""
    decoded = decode_line(b'{"content":' + bytes(raw) + b"}") or {}
    content = decoded.get("content")
    if isinstance(content, list):
        texts = [block.get("text") for block in content if isinstance(block, dict)]
        content = " ".join(text for text in texts if isinstance(text, str))
    return content[:PREVIEW] if isinstance(content, str) else ""


def _raw(data: Mapping[str, Any], name: str) -> msgspec.Raw | None:
    return msgspec.Raw(msgspec.json.encode(data[name])) if data.get(name) is not None else None


def _loosely(data: Mapping[str, Any]) -> _Line:
    """A line whose fields are not all of the expected types: keep those that are."""

    def text(source: Mapping[str, Any], name: str) -> str | None:
        value = source.get(name)
        return value if isinstance(value, str) else None

    body, origin = data.get("message"), data.get("origin")
    message = None
    if isinstance(body, dict):
        stamp = body.get("timestamp")
        known = isinstance(stamp, int | float) and not isinstance(stamp, bool)
        content = msgspec.Raw(msgspec.json.encode(body["content"])) if "content" in body else None
        message = _Message(
            text(body, "role"),
            stamp if known else None,
            content,
            text(body, "provider"),
            text(body, "model"),
            text(body, "stopReason"),
            text(body, "errorMessage"),
        )
    return _Line(
        text(data, "type"),
        text(data, "timestamp"),
        text(data, "name"),
        text(data, "role"),
        text(data, "provider"),
        text(data, "modelId"),
        text(data, "customType"),
        msgspec.Raw(msgspec.json.encode(data["data"])) if "data" in data else None,
        message,
        _Origin(text(origin, "channel"), _raw(origin, "peer"))
        if isinstance(origin, dict)
        else None,
    )
