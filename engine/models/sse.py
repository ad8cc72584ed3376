"""Cutting a byte stream into server-sent events or NDJSON lines, whatever the slices are.

Source: the event stream format of the HTML standard. Lines end with LF, CRLF or CR and nothing
else: U+2028, U+0085, vertical tab and form feed are legal inside JSON strings and models do write
them, so text-based line splitting would cut an event in two. Bytes are decoded only once a line
is whole, so a slice may fall inside a character.

Nothing here waits or reads: bytes go in, what is complete comes out.
"""

from __future__ import annotations

import re

from msgspec import Struct

from engine.errors import ModelError

__all__ = ["LINE_LIMIT", "LineSplitter", "SseEvent", "SseParser"]

LINE_LIMIT = 16 * 1024 * 1024
"""Most bytes of one line, and of one event; a stream beyond is broken off."""

_BOM = b"\xef\xbb\xbf"
_ANY_END = re.compile(rb"\r\n|\n|\r")
_LF_END = re.compile(rb"\r?\n")


class SseEvent(Struct, frozen=True):
    """One event; `event` is "" when the stream does not name it."""

    event: str
    data: str


class LineSplitter:
    """Bytes in, whole lines out, without their ends.

    Args:
        bare_cr: whether a CR alone ends a line (server-sent events: yes, NDJSON: no).
        limit: most bytes of a line.
    """

    def __init__(self, *, bare_cr: bool = True, limit: int = LINE_LIMIT):
        self._bare_cr = bare_cr
        self._limit = limit
        self._pending: list[bytes] = []
        self._size = 0
        self._held_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete.

        Raises:
            ModelError: a line is longer than the limit.
        """
        data = self._join_ends(data)
        first, *rest = (_ANY_END if self._bare_cr else _LF_END).split(data)
        self._pending.append(first)
        self._size += len(first)
        if self._size > self._limit:
            raise too_long(self._limit)
        if not rest:
            return []
        lines = [b"".join(self._pending), *rest[:-1]]
        self._pending = [rest[-1]]
        self._size = len(rest[-1])
        return lines

    def finish(self) -> bytes | None:
        """What stands after the last line end, or None when there is nothing."""
        rest = b"".join(self._pending) + (b"\r" if self._held_cr and not self._bare_cr else b"")
        self._pending, self._size, self._held_cr = [], 0, False
        return rest or None

    def _join_ends(self, data: bytes) -> bytes:
        """Keep a CRLF together that a slice has torn apart."""
        if self._bare_cr:
            # The line was given out at its CR; an LF that follows belongs to that end.
            if self._held_cr and data:
                self._held_cr = False
                data = data[1:] if data.startswith(b"\n") else data
                if not data:
                    return data
            self._held_cr = data.endswith(b"\r") or (self._held_cr and not data)
            return data
        if self._held_cr and data:
            self._held_cr = False
            data = b"\r" + data
        if data.endswith(b"\r"):
            self._held_cr = True
            data = data[:-1]
        return data


class SseParser:
    """Bytes in, server-sent events out.

    Comments, `id` and `retry` are skipped; several `data` lines are joined with LF; one space
    after the colon is dropped, and so is a byte order mark at the start of the stream.
    """

    def __init__(self, *, limit: int = LINE_LIMIT):
        self._lines = LineSplitter(limit=limit)
        self._limit = limit
        self._fresh = True
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete.

        Raises:
            ModelError: a line or an event is longer than the limit.
        """
        return [event for line in self._lines.feed(data) for event in self._line(line)]

    def finish(self) -> list[SseEvent]:
        """The event that the end of the stream left without its blank line, if there is one.

        The standard drops it; servers that close right after their last event are served.
        """
        rest = self._lines.finish()
        events = self._line(rest) if rest is not None else []
        return events + self._dispatch()

    def _line(self, line: bytes) -> list[SseEvent]:
        if self._fresh:
            line = line.removeprefix(_BOM)
            self._fresh = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            self._size += len(value)
            if self._size > self._limit:
                raise too_long(self._limit)
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return []

    def _dispatch(self) -> list[SseEvent]:
        event, data = self._event, self._data
        self._event, self._data, self._size = "", [], 0
        return [SseEvent(event, "\n".join(data))] if data else []


def too_long(limit: int) -> ModelError:
    return ModelError(f"the answer has a line of more than {limit:,} bytes", kind="server")
