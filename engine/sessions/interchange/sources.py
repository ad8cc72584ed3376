"""Where imports come from: files, directories and zip archives, within limits.

Nothing is unpacked to disk and no link is followed. An archive that names paths outside itself,
or grows beyond measure when unpacked, is refused as a whole.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from engine.disk import Disk, explain, read_file
from engine.errors import StoreError
from engine.sessions.keys import canonical_key
from engine.sessions.records import read_name

__all__ = [
    "MAX_DEPTH",
    "MAX_FILE",
    "MAX_FILES",
    "MAX_RATIO",
    "MAX_TOTAL",
    "Source",
    "Sources",
    "find_sources",
]

MAX_FILE = 512 * 1024 * 1024
"""Bytes of one file, unpacked."""

MAX_TOTAL = 2 * 1024 * 1024 * 1024
"""Bytes of all files of an archive, unpacked."""

MAX_RATIO = 200
"""Bytes unpacked for each byte in an archive; text compresses to about a tenth."""

MAX_FILES = 50_000
"""Files of one directory or archive that are looked at."""

MAX_DEPTH = 12
"""Directories within directories."""

_SMALL = 1024 * 1024
"""Bytes up to which the ratio of a packed file does not matter."""

_EXPORT = re.compile(r"conversations[-_.]?\w*\.json", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


class Source(Struct, frozen=True):
    """One file to import.

    Attributes:
        name: how a report names it.
        stem: its name without the ending.
        read: its bytes; raises StoreError.
        modified: its change time in ms since 1970, 0 when unknown.
        key: the session key under which the index beside it lists it; "" for none.
        label: the name it has there.
    """

    name: str
    stem: str
    read: Callable[[], bytes]
    modified: int = 0
    key: str = ""
    label: str = ""


class Sources(Struct, frozen=True):
    """What there is to import, and what was left out, in words."""

    files: tuple[Source, ...]
    odd: tuple[str, ...] = ()


def find_sources(disk: Disk, path: Path) -> Sources:
    """The files at a path that can hold conversations.

    Raises:
        StoreError: there is nothing, it cannot be read, or it exceeds a limit (which it names).
    """
    try:
        info = path.stat()
    except FileNotFoundError:
        told = "there is nothing to import: no such file or directory"
        raise StoreError(told, place=str(path), remedy="Check the path") from None
    except OSError as error:
        raise explain(error, "could not look at what is to be imported") from error
    if stat.S_ISDIR(info.st_mode):
        return _in_directory(disk, path)
    if not stat.S_ISREG(info.st_mode):
        raise StoreError("this is neither a file nor a directory", place=str(path))
    if info.st_size > MAX_FILE:
        raise StoreError(f"the file is larger than {MAX_FILE:,} bytes", place=str(path))
    if zipfile.is_zipfile(path):
        return _in_archive(path, _reader(disk, path)())
    return Sources((_file(disk, path.resolve(), path.name),))


def _reader(disk: Disk, path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return read_file(disk, path, limit=MAX_FILE)
        except OSError as error:
            raise explain(error, "could not read the file") from error

    return read


def _file(disk: Disk, path: Path, name: str, entry: Mapping[str, Any] | None = None) -> Source:
    parts = read_name(path.name)
    entry = entry or {}
    label = entry.get("label")
    try:
        modified = path.stat().st_mtime_ns // 1_000_000
    except OSError:
        modified = 0
    return Source(
        name,
        parts.stem if parts is not None else path.name.partition(".")[0],
        _reader(disk, path),
        modified,
        canonical_key(str(entry["key"])) if "key" in entry else "",
        label if isinstance(label, str) else "",
    )


def _in_directory(disk: Disk, top: Path) -> Sources:
    """All transcripts and exports below a directory, a level at a time."""
    found: list[Source] = []
    left_out: dict[str, int] = {}
    level, looked = [top], 0
    for _ in range(MAX_DEPTH):
        below: list[Path] = []
        for directory in level:
            index = _index_of(disk, directory)
            for entry in _entries(directory):
                looked += 1
                if looked > MAX_FILES:
                    raise StoreError(f"there are more than {MAX_FILES:,} files", place=str(top))
                path = directory / entry.name
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                    continue
                kind = _wanted(entry)
                if kind == "":
                    name = str(path.relative_to(top))
                    found.append(_file(disk, path, name, index.get(entry.name)))
                elif kind is not None:
                    left_out[kind] = left_out.get(kind, 0) + 1
        level = below
    odd = [f"left out: {count:,} {kind}" for kind, count in left_out.items()]
    if level:
        odd.append(f"directories more than {MAX_DEPTH} deep were not looked into")
    return Sources(tuple(found), tuple(odd))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise explain(error, "could not list the directory") from error


def _wanted(entry: os.DirEntry[str]) -> str | None:
    """ "" for a file to import, None for one that is none of ours, else why it is left out."""
    parts = read_name(entry.name)
    if parts is None and not _EXPORT.fullmatch(entry.name):
        return None
    if not entry.is_file(follow_symlinks=False):
        return "links and special files"
    if parts is not None and parts.kind in ("checkpoint", "bak"):
        return "checkpoints and backups, which repeat what other files hold"
    return ""


def _index_of(disk: Disk, directory: Path) -> dict[str, dict[str, Any]]:
    """File name → what the index beside it says, with its key; nothing is written."""
    try:
        data = read_file(disk, directory / "sessions.json", limit=MAX_FILE)
        index = msgspec.json.decode(data)
    except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    named: dict[str, dict[str, Any]] = {}
    for key, entry in index.items() if isinstance(index, dict) else ():
        if not isinstance(entry, dict):
            continue
        for value in (entry.get("sessionFile"), f"{entry.get('sessionId')}.jsonl"):
            if isinstance(value, str):
                named.setdefault(value.replace("\\", "/").rpartition("/")[2], {**entry, "key": key})
    return named


def _in_archive(path: Path, data: bytes) -> Sources:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise StoreError(f"the archive cannot be read: {error}", place=str(path)) from error
    members = archive.infolist()
    _check_archive(path, members)
    wanted = [
        one for one in members if not one.is_dir() and _is_wanted(PurePosixPath(one.filename).name)
    ]
    return Sources(tuple(_member(path, archive, one) for one in wanted))


def _is_wanted(name: str) -> bool:
    return bool(_EXPORT.fullmatch(name)) or name.endswith(".jsonl")


def _check_archive(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what cannot be an export, before anything is unpacked."""
    place = str(path)
    if len(members) > MAX_FILES:
        raise StoreError(f"the archive holds more than {MAX_FILES:,} files", place=place)
    total = 0
    for one in members:
        name = one.orig_filename
        parts = name.replace("\\", "/").split("/")
        if "\0" in name or ".." in parts or name[:1] in ("/", "\\") or _DRIVE.match(name):
            raise StoreError(
                f"the archive names a path outside itself: {name[:120]!r}", place=place
            )
        if stat.S_ISLNK(one.external_attr >> 16):
            raise StoreError(f"the archive holds a link: {name[:120]!r}", place=place)
        total += one.file_size
        if one.file_size > max(MAX_RATIO * one.compress_size, _SMALL):
            raise StoreError(
                f"{name[:120]!r} would unpack to more than {MAX_RATIO} times its size", place=place
            )
        if one.file_size > MAX_FILE and _is_wanted(PurePosixPath(name).name):
            raise StoreError(f"{name[:120]!r} is larger than {MAX_FILE:,} bytes", place=place)
    if total > MAX_TOTAL:
        raise StoreError(f"the archive unpacks to more than {MAX_TOTAL:,} bytes", place=place)


def _member(path: Path, archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> Source:
    name = f"{path.name}/{one.filename}"

    def read() -> bytes:
        try:
            with archive.open(one) as file:
                data = file.read(min(one.file_size, MAX_FILE) + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            RuntimeError,
            NotImplementedError,
            EOFError,
        ) as error:
            raise StoreError(f"it cannot be unpacked: {error}", place=name) from error
        if len(data) > one.file_size:
            raise StoreError("it unpacks to more than the archive says", place=name)
        return data

    return Source(name, PurePosixPath(one.filename).name.partition(".")[0], read)
