"""Reading a transcript: its lines into a tree of places, bodies read when asked for."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from engine.clock import iso
from engine.disk import Disk, explain, open_regular, read_range
from engine.errors import Problem, StoreError
from engine.sessions.entries import Entry
from engine.sessions.lines import Batch, batches, decode_line, encode_line, node_of
from engine.sessions.migrate import VERSION, from_flat, is_flat, stable_ids, upgrade, version_of
from engine.sessions.nodes import Node, make_entry, make_node
from engine.sessions.tree import Tree

__all__ = ["Form", "Loaded", "load"]

Form = Literal["v3", "old", "flat"]

_CACHED = 2048
_CACHED_LINE = 64 * 1024
_LISTED = 20


class Loaded:
    """What is known of a file, up to `size` bytes.

    Attributes:
        header: the header line; `{}` when it is damaged.
        form: `v3` is read in place; the others are brought to v3 in memory.
        tree: the entries.
        size: bytes taken in.
        torn: where the last line begins when it is no whole record, else None.
        joint: what must stand before the next record: a newline when the last one has none.
        unreadable: numbers of the lines that could not be read, from 1.
        read_only: why nothing may be appended, or None.
    """

    def __init__(self, disk: Disk, path: Path, fd: int, info: os.stat_result):
        self._disk = disk
        self._path = path
        self._fd = fd
        self._bodies: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._identity = (info.st_dev, info.st_ino)
        self._mtime_ns = info.st_mtime_ns
        self.header: Mapping[str, Any] = {}
        self.form: Form = "v3"
        self.tree = Tree(self._read)
        self.size = 0
        self.torn: int | None = None
        self.joint = b""
        self.unreadable: list[int] = []
        self.read_only: str | None = None
        self._lines = 0
        self._headless = True
        self._damaged = False
        self._foreign: list[dict[str, Any]] = []

    def __del__(self) -> None:
        # A transcript that nobody closed must not keep its descriptor for ever.
        with suppress(OSError):
            self.close()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._disk.close(fd)

    def is_at(self, there: os.stat_result) -> bool:
        """Whether this file is still the one at its path."""
        return (there.st_dev, there.st_ino) == self._identity

    def is_current(self, there: os.stat_result) -> bool:
        """Whether nothing was written since the last look."""
        if not self.is_at(there) or there.st_size != self.size:
            return False
        # A torn end may have been cut off and a record of the same length put in its place.
        return self.torn is None or there.st_mtime_ns == self._mtime_ns

    def can_extend(self, there: os.stat_result) -> bool:
        """Whether all that was read still stands, as far as sizes tell."""
        plain = self.form == "v3" and not self.joint
        return plain and self.is_at(there) and there.st_size >= self.whole

    @property
    def whole(self) -> int:
        """Bytes up to the end of the last whole record."""
        return self.size if self.torn is None else self.torn

    def extend(self, end: int) -> list[Node]:
        """Take in the bytes up to `end`.

        Returns:
            The new nodes, in file order.

        Raises:
            StoreError: the file cannot be read, or does not begin as a transcript does.
        """
        start = self.whole
        if self.torn is not None:
            # An unfinished last line is looked at again, now that there is more of it.
            self.size, self.torn = start, None
            self._lines -= 1
        fresh: list[Node] = []
        try:
            for batch in batches(self._disk, self._fd, start, end):
                fresh += self._take(batch)
            self._mtime_ns = self._disk.stat(self._fd).st_mtime_ns
        except OSError as error:
            raise explain(error, "could not read the session") from error
        return fresh

    def _take(self, batch: Batch) -> list[Node]:
        first = self._lines
        self._lines += len(batch.lines) or 1
        self.size = batch.offset + batch.length
        if not batch.lines:
            self.unreadable.append(self._lines)
            if not batch.complete:
                self.joint = b"\n"
            return []
        nodes, offset = [], batch.offset
        for number, line in enumerate(batch.lines, first + 1):
            node = self._take_line(line, offset, number, batch.complete)
            if node is not None:
                nodes.append(node)
            offset += len(line) + 1
        self.tree.extend(nodes)
        return nodes

    def _take_line(self, line: bytes, offset: int, number: int, complete: bool) -> Node | None:
        if self._headless:
            return self._take_first(line, offset, number, complete)
        if self.form != "v3":
            data = decode_line(line)
            if data is not None:
                self._foreign.append(data)
                return None
            node = None
        else:
            node = node_of(line, offset)
        if node is not None:
            if not complete:
                self.joint = b"\n"
            return node
        self._take_odd(line, offset, number, complete)
        return None

    def _take_odd(self, line: bytes, offset: int, number: int, complete: bool) -> None:
        """A line that is no entry: blank, a second header, torn, or unreadable."""
        blank = not line.strip()
        if not complete and self.form == "v3":
            if blank:
                self.joint = b"\n"
            elif decode_line(line) is None:
                self.torn = offset
                return
            else:
                self.joint = b"\n"
        if not blank:
            self.unreadable.append(number)

    def _take_first(self, line: bytes, offset: int, number: int, complete: bool) -> Node | None:
        """Until the header is found: the first readable line decides what the file is."""
        data = decode_line(line, first=offset == 0)
        if data is None:
            self._take_odd(line, offset, number, complete)
            self._damaged = self._damaged or b'"session"' in line
            return None
        self._headless = False
        if data.get("type") == "session" and isinstance(data.get("id"), str):
            self.header = data
            version = version_of(data)
            if version < VERSION:
                self.form = "old"
                self._foreign.append(data)
            elif version > VERSION:
                self.read_only = f"the transcript is of version {version}, newer than this program"
            self.joint = b"" if complete else b"\n"
            return None
        if is_flat(data):
            self.form = "flat"
            self._foreign.append(data)
            return None
        node = node_of(line, offset)
        if self._damaged and node is not None:
            self.joint = b"" if complete else b"\n"
            return node
        raise _no_transcript(self._path)

    def finish(self) -> None:
        """After the last byte: bring an older form to v3."""
        if self._headless and self.size == 0:
            self._begin_anew()
        if self._headless:
            raise _no_transcript(self._path)
        if self.form == "v3":
            return
        self.read_only = "the transcript is of an older form, which is read but not written"
        if self.form == "flat":
            name = self._path.name.partition(".")[0]
            lines = from_flat(self._foreign, name, self._mtime_ns // 1_000_000)
        else:
            lines = upgrade(self._foreign, stable_ids(str(self.header.get("id"))))
        self._foreign = []
        self.header, *entries = lines
        self.tree = Tree.from_entries(entries)

    def _begin_anew(self) -> None:
        """An empty file, as a program leaves that dies while making one, is a session without
        entries; its header is written with the first of them."""
        name = self._path.name.partition(".")[0]
        stamp = iso(self._mtime_ns // 1_000_000)
        head = {"type": "session", "version": VERSION, "id": name, "timestamp": stamp, "cwd": ""}
        self.header = head
        self.joint = encode_line(self.header)
        self._lines, self._headless = 1, False

    def add(self, record: Mapping[str, Any], offset: int, length: int) -> Entry:
        """A record of ours that now stands at `offset`, `length` bytes with its newline."""
        node = make_node(record, offset, length - 1)
        assert node is not None
        self.tree.add(node, record)
        self._lines += 1
        self.size = offset + length
        self.joint = b""
        self._keep(node, record)
        return make_entry(node, record)

    def cut(self, size: int) -> None:
        """The file was cut to `size` bytes, a line's end."""
        self.size, self.torn = size, None
        self._lines -= 1

    def _read(self, node: Node) -> Mapping[str, Any]:
        body = self._bodies.get(node.id)
        if body is not None:
            return body
        try:
            line = read_range(self._disk, self._fd, node.offset, node.length)
        except OSError as error:
            raise explain(error, "could not read the entry") from error
        body = decode_line(line, first=node.offset == 0)
        if body is None or not isinstance(body.get("id"), str) or not _same(node.id, body["id"]):
            raise StoreError(
                f"the entry {node.id} is not where it was: the file was changed from outside",
                place=str(self._path),
            )
        self._keep(node, body)
        return body

    def _keep(self, node: Node, body: Mapping[str, Any]) -> None:
        if node.length <= _CACHED_LINE:
            self._bodies[node.id] = body
            if len(self._bodies) > _CACHED:
                self._bodies.popitem(last=False)

    def problems(self, path: Path) -> list[Problem]:
        """What is wrong with the lines."""
        found = []
        file = str(path)
        if self.size == 0:
            text = "the file is empty; the session begins with its next entry"
            found.append(Problem(text, severity="warning", file=file))
        if not self.header:
            text = "the header line is damaged; the session is read without it"
            found.append(Problem(text, severity="warning", file=file))
        count = len(self.unreadable)
        if count:
            named = ", ".join(str(number) for number in self.unreadable[:_LISTED])
            more = " …" if count > _LISTED else ""
            what = "1 line unreadable" if count == 1 else f"{count:,} lines unreadable"
            text = f"{what}, kept as they are (line {named}{more})"
            line = self.unreadable[0]
            found.append(Problem(text, severity="warning", file=file, line=line))
        if self.torn is not None:
            text = f"the last record is not whole ({self.size - self.torn:,} bytes)"
            hint = "it is cut off and kept aside at the next write"
            found.append(Problem(text, severity="warning", file=file, line=self._lines, hint=hint))
        if self.read_only is not None:
            found.append(Problem(self.read_only, severity="warning", file=file))
        return found


def _same(node_id: str, written: str) -> bool:
    return node_id == written or node_id.startswith(written + "~")


def _no_transcript(path: Path) -> StoreError:
    return StoreError(
        "this is not a session transcript (its first line is no session header)", place=str(path)
    )


def load(disk: Disk, path: Path) -> Loaded:
    """Open and read a transcript.

    Raises:
        StoreError: it cannot be read, or is no transcript.
    """
    try:
        fd = open_regular(disk, path, os.O_RDONLY)
    except OSError as error:
        raise explain(error, "could not open the session") from error
    try:
        loaded = Loaded(disk, path, fd, disk.stat(fd))
    except OSError as error:
        disk.close(fd)
        raise explain(error, "could not open the session") from error
    try:
        with _no_collection():
            loaded.extend(disk.stat(fd).st_size)
        loaded.finish()
    except BaseException as error:
        loaded.close()
        if isinstance(error, OSError):
            raise explain(error, "could not open the session") from error
        raise
    return loaded


@contextmanager
def _no_collection() -> Iterator[None]:
    """100,000 new objects that all stay: looking for garbage among them is wasted time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
