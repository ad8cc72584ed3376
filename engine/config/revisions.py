"""Writing the config file, and the texts it had before (SPEC §12, RELIABILITY 11).

Every text written is kept beside the sessions, `<state>/config-revisions/000012.json5`: a comment
with number, time and reason on its first line, then the text byte for byte. A text that somebody
else wrote in between is kept too, so that going on from it loses nothing. A kernel lock in that
folder makes our own processes take turns; editors do not know it, so the file is compared with
what was read right before it is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from engine.clock import iso, parse_iso
from engine.config.document import MAX_BYTES
from engine.config.edit import Edit, replace_text
from engine.config.load import Loaded, load_text
from engine.config.paths import is_foreign
from engine.disk import (
    Disk,
    ensure_dir,
    explain,
    is_temporary,
    open_regular,
    read_file,
    read_range,
    sync_dir,
    write_atomic,
)
from engine.errors import BranchlineError, ConfigError, EditRefused

__all__ = [
    "FOLDER",
    "KEPT",
    "Revision",
    "check_edit",
    "keep_revision",
    "list_revisions",
    "read_text",
    "rollback_edit",
    "write_config",
]

FOLDER = "config-revisions"
KEPT = 20
"""Texts kept of each config file."""

_NAME = re.compile(r"(\d{6,12})\.json5")
_HEAD = 4096
_PATIENCE = 2.0
_PAUSE = 0.01


class Revision(Struct, frozen=True):
    """A text that the config file had.

    Attributes:
        number: counts up over all config files of a state dir.
        time: milliseconds since 1970.
        reason: what was changed, for people.
        path: the config file.
        text: the text.
    """

    number: int
    time: int
    reason: str
    path: str
    text: str


def read_text(disk: Disk, path: Path) -> str | None:
    """The config file's text as it is now, or None when there is no file; links are followed.

    Raises:
        EditRefused: it is no UTF-8 text.
        StoreError: it cannot be read.
    """
    found = _read(disk, Path(os.path.realpath(path)))
    return None if found is None else found[0]


def _read(disk: Disk, target: Path) -> tuple[str, int] | None:
    """(text, permissions) of the file itself."""
    try:
        fd = open_regular(disk, target, os.O_RDONLY)
        try:
            info = disk.stat(fd)
            if info.st_size > MAX_BYTES:
                raise OSError(errno.EFBIG, f"larger than {MAX_BYTES:,} bytes", str(target))
            data = read_range(disk, fd, 0, MAX_BYTES)
        finally:
            disk.close(fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain(error, "cannot read the config") from error
    try:
        return data.decode("utf-8"), stat.S_IMODE(info.st_mode)
    except UnicodeDecodeError:
        raise EditRefused("the config is no UTF-8 text", place=str(target)) from None


def check_edit(edit: Edit, path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """What the edited text comes to.

    Raises:
        ConfigError: something is wrong with it that was not wrong before. Mending a broken config
            step by step is allowed.
    """
    foreign = path is not None and is_foreign(path)
    loaded = load_text(edit.text, environ, path=path, foreign=foreign)
    if loaded.config is None:
        before = load_text(edit.source, environ, path=path, foreign=foreign)
        known = {(problem.path, problem.message) for problem in before.errors}
        fresh = [each for each in loaded.errors if (each.path, each.message) not in known]
        if fresh:
            raise ConfigError(tuple(fresh), remedy="The config was not changed")
    return loaded


def write_config(
    disk: Disk, path: Path, edit: Edit, *, state_dir: Path, now: int, reason: str = ""
) -> Revision:
    """Write an edited text, and keep it as a revision; the one before is kept too.

    The file is replaced in one step, with its permissions (0600 for a new one); where it is a
    link, the file that it leads to. Blocks for the disk, and up to two seconds for another process
    that does the same.

    Args:
        now: the time, in milliseconds since 1970.
        reason: for the list; by default the edit's own.

    Returns:
        The new revision; when nothing changes, the newest there is.

    Raises:
        EditRefused: the file is not as it was when it was read; nothing was written.
        StoreError: it could not be written; the old text stands.
    """
    folder = state_dir / FOLDER
    target = Path(os.path.realpath(path))
    data = edit.text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        raise EditRefused(f"the config would be larger than {MAX_BYTES:,} bytes")
    try:
        with _held(disk, folder):
            _sweep(disk, target.parent, f".{target.name}.")
            found = _read(disk, target)
            _refuse_other(found, edit, path)
            if found is not None:
                _keep(disk, folder, Revision(0, now, "as found in the file", str(path), found[0]))
            new = Revision(0, now, reason or edit.reason, str(path), edit.text)
            kept = _keep(disk, folder, new)
            if found is not None and not edit.changes:
                return kept
            try:
                ensure_dir(disk, target.parent)
                mode = found[1] if found else 0o600
                # What an editor saved while this was written is not overwritten either.
                still = partial(_refuse_changed, disk, target, edit, path)
                write_atomic(disk, target, data, mode=mode, exact=True, may_replace=still)
            except (OSError, BranchlineError):
                _forget_unwritten(disk, folder, target, kept)
                raise
            _prune(disk, folder, str(path))
            return kept
    except OSError as error:
        raise explain(error, "could not write the config") from error


def _refuse_changed(disk: Disk, target: Path, edit: Edit, path: Path) -> None:
    _refuse_other(_read(disk, target), edit, path)


def _refuse_other(found: tuple[str, int] | None, edit: Edit, path: Path) -> None:
    """Refuse an edit that was made in another text than stands in the file."""
    if (found[0] if found else "") != edit.source:
        remedy = "Read it again and make the change there"
        message = "the file was changed since it was read"
        raise EditRefused(message, place=str(path), remedy=remedy)


def keep_revision(
    disk: Disk, path: Path, text: str, *, state_dir: Path, now: int, reason: str
) -> Revision:
    """Keep a text that somebody else wrote into the file; nothing is done when it is the newest.

    Raises:
        StoreError: it could not be kept.
    """
    folder = state_dir / FOLDER
    try:
        with _held(disk, folder):
            kept = _keep(disk, folder, Revision(0, now, reason, str(path), text))
            _prune(disk, folder, str(path))
            return kept
    except OSError as error:
        raise explain(error, "could not keep the config's text") from error


def list_revisions(disk: Disk, path: Path, *, state_dir: Path) -> tuple[Revision, ...]:
    """The texts kept of a config file, the newest first; what cannot be read is passed over.

    Raises:
        StoreError: the folder cannot be read.
    """
    try:
        found = _list(disk, state_dir / FOLDER)
    except OSError as error:
        raise explain(error, "cannot read the revisions") from error
    return tuple(one for one in found if one.path == str(path))


def rollback_edit(disk: Disk, path: Path, number: int, *, state_dir: Path) -> Edit:
    """The edit that brings a kept text back; writing it makes a new revision.

    Raises:
        EditRefused: there is no revision of that number.
        StoreError: the file or the folder cannot be read.
    """
    kept = list_revisions(disk, path, state_dir=state_dir)
    chosen = next((one for one in kept if one.number == number), None)
    if chosen is None:
        have = f"There are {kept[-1].number} to {kept[0].number}" if kept else "There are none yet"
        raise EditRefused(f"there is no revision {number}", remedy=have)
    return replace_text(read_text(disk, path) or "", chosen.text, f"back to revision {number}")


@contextmanager
def _held(disk: Disk, folder: Path) -> Iterator[None]:
    """The folder to ourselves; the lock dies with its process."""
    ensure_dir(disk, folder)
    fd = open_regular(disk, folder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not disk.lock(fd):
            if time.monotonic() > deadline:
                raise EditRefused("another process is writing the config", remedy="Try again")
            time.sleep(_PAUSE)
        yield
    finally:
        disk.close(fd)


def _sweep(disk: Disk, folder: Path, start: str) -> None:
    """Remove what a process that died while writing left behind."""
    with contextlib.suppress(OSError):
        for file in disk.files(folder):
            if file.name.startswith(start) and is_temporary(file.name):
                disk.unlink(folder / file.name)


def _keep(disk: Disk, folder: Path, revision: Revision) -> Revision:
    """Write a revision under the next number, unless its text is the newest of its file."""
    kept = _list(disk, folder)
    newest = next((one for one in kept if one.path == revision.path), None)
    if newest is not None and newest.text == revision.text:
        return newest
    number = max((one.number for one in kept), default=0) + 1
    head = {
        "revision": number,
        "time": iso(revision.time),
        "reason": revision.reason[:500],
        "path": revision.path,
    }
    text = f"// {json.dumps(head)}\n{revision.text}"
    _sweep(disk, folder, ".")
    try:
        write_atomic(disk, _file(folder, number), text.encode("utf-8", "surrogatepass"))
    except OSError:
        with contextlib.suppress(OSError):
            disk.unlink(_file(folder, number))
        raise
    return Revision(number, revision.time, revision.reason, revision.path, revision.text)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.json5"


def _list(disk: Disk, folder: Path) -> list[Revision]:
    """All that can be read, the newest first."""
    try:
        names = [file.name for file in disk.files(folder)]
    except FileNotFoundError:
        return []
    numbers = sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))
    found = (_load(disk, _file(folder, number), number) for number in reversed(numbers))
    return [one for one in found if one is not None]


def _load(disk: Disk, file: Path, number: int) -> Revision | None:
    try:
        data = read_file(disk, file, limit=MAX_BYTES + _HEAD)
        head, _, text = data.decode("utf-8").partition("\n")
        facts = json.loads(head.removeprefix("//"))
        when, reason, path = (str(facts.get(name, "")) for name in ("time", "reason", "path"))
    except (OSError, ValueError, AttributeError):
        return None
    return Revision(number, parse_iso(when) or 0, reason, path, text)


def _forget_unwritten(disk: Disk, folder: Path, target: Path, kept: Revision) -> None:
    """Take a revision back that did not come into the file after all."""
    with contextlib.suppress(OSError, EditRefused):
        found = _read(disk, target)
        if found is None or found[0] != kept.text:
            disk.unlink(_file(folder, kept.number))


def _prune(disk: Disk, folder: Path, path: str) -> None:
    """Only the newest stay. What cannot be removed does not matter now."""
    with contextlib.suppress(OSError):
        old = [one for one in _list(disk, folder) if one.path == path][KEPT:]
        for one in old:
            disk.unlink(_file(folder, one.number))
        if old:
            sync_dir(disk, folder)
