"""From a file to a Config, with every problem at its line (SPEC §12).

`load_config` never raises for what a file holds: it returns a Loaded whose `config` is None when
any problem is an error, and the caller decides. An engine that already runs keeps the config it
has (see Snapshot); a program that cannot start without one calls `require()`.

Order of work: size, text encoding, JSON5, `${VAR}`, types, meaning. What survives one step is
looked at by the next, so one run reports all of it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec import field as msgfield

from engine.config.checks import check_meaning
from engine.config.document import MAX_BYTES, Document, Place, dotted, read_document
from engine.config.expand import environment, expand_all
from engine.config.findings import Finding, Severity
from engine.config.paths import is_foreign
from engine.config.scan import KeyPath
from engine.config.schema import Config
from engine.config.secrets import redact
from engine.config.validate import Checked, build, check_types
from engine.disk import Disk, open_regular, read_range
from engine.errors import ConfigError, Problem
from engine.values import replace

__all__ = ["Loaded", "Snapshot", "config_from_object", "load_config", "load_text"]

MAX_PROBLEMS = 200
"""Problems listed; the rest are counted."""


class Loaded(Struct, frozen=True):
    """What a config file came to.

    Attributes:
        config: the value, or None when some problem is an error.
        problems: errors and warnings in the order of the file.
        text: the file as it is; edits are made in it, so `${VAR}` and comments stay.
        foreign: the file is the reference's openclaw.json: unknown keys are warnings.
        document: the parsed text with the span of each value.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    text: str = ""
    path: Path | None = None
    foreign: bool = False
    document: Document = msgfield(default_factory=lambda: Document("", None, readable=False))

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where a value stands in the file; of what is not there, its nearest parent."""
        return self.document.place(path, key=key)

    def require(self) -> Config:
        """The config.

        Raises:
            ConfigError: it cannot be used; carries all problems.
        """
        if self.config is None:
            raise ConfigError(self.problems, remedy="Mend the file, or move it away to start fresh")
        return self.config


class Snapshot(Struct, frozen=True):
    """The config in force: a value that a turn keeps while it runs.

    `revision` counts configs, not reloads: it moves when another config comes into force.
    `problems` are those of the newest reading, also of one that was too broken to be used.
    """

    config: Config
    revision: int = 1
    problems: tuple[Problem, ...] = ()
    path: Path | None = None
    text: str = ""

    @property
    def broken(self) -> bool:
        """Whether the file on disk is not what runs."""
        return any(problem.severity == "error" for problem in self.problems)

    def after(self, loaded: Loaded) -> Snapshot:
        """What is in force once `loaded` was read: a broken edit leaves the last good config."""
        if loaded.config is None:
            return replace(self, problems=loaded.problems)
        same = loaded.config == self.config
        return Snapshot(
            config=self.config if same else loaded.config,
            revision=self.revision if same else self.revision + 1,
            problems=loaded.problems,
            path=loaded.path or self.path,
            text=loaded.text,
        )

    @classmethod
    def first(cls, loaded: Loaded) -> Snapshot:
        """The snapshot an engine starts with.

        Raises:
            ConfigError: there is no config to start with.
        """
        return cls(loaded.require(), 1, loaded.problems, loaded.path, loaded.text)


def load_config(disk: Disk, path: Path, environ: Mapping[str, str]) -> Loaded:
    """Read and check a config file; a link is followed, for it is the person's own."""
    foreign = is_foreign(path)
    try:
        data, mode = _read(disk, Path(os.path.realpath(path)))
    except OSError as error:
        return Loaded(None, (_unreadable(error, path),), path=path, foreign=foreign)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = Document(data[: error.start].decode("utf-8"), None, readable=False)
        line, column = place.at(len(place.text))
        message = f"not UTF-8 text: byte 0x{data[error.start]:02x}"
        problem = Problem(message, "error", str(path), line, column, hint="save it as UTF-8")
        return Loaded(None, (problem,), path=path, foreign=foreign)
    return load_text(text, environ, path=path, foreign=foreign, mode=mode)


def _read(disk: Disk, path: Path) -> tuple[bytes, int]:
    """A plain file's bytes, up to the limit, and its permission bits."""
    fd = open_regular(disk, path, os.O_RDONLY)
    try:
        info = disk.stat(fd)
        if info.st_size > MAX_BYTES:
            raise OSError(errno.EFBIG, f"larger than {MAX_BYTES:,} bytes", str(path))
        return read_range(disk, fd, 0, MAX_BYTES), stat.S_IMODE(info.st_mode)
    finally:
        disk.close(fd)


def _unreadable(error: OSError, path: Path) -> Problem:
    hints = {
        errno.ENOENT: "there is no such file",
        errno.EFBIG: "a config is a few kilobytes: is this the right file?",
        errno.EINVAL: "a config is a plain file",
        errno.EACCES: "check who owns it and its permissions",
    }
    message = f"cannot read the config: {error.strerror or error}"
    return Problem(message, "error", str(path), hint=hints.get(error.errno or 0))


def load_text(
    text: str,
    environ: Mapping[str, str],
    *,
    path: Path | None = None,
    foreign: bool = False,
    mode: int = 0o600,
) -> Loaded:
    """Check config text.

    Args:
        path: named in the problems.
        foreign: the text is of the reference's openclaw.json.
        mode: the file's permission bits; a literal key that others can read is a warning.
    """
    document = read_document(text)
    file = str(path) if path else None
    problems = _faults(document, file, foreign=foreign)
    config = None
    if document.readable:
        checked, findings = _check(document.value, environ, foreign=foreign)
        if mode & 0o044:
            findings.extend(_open_keys(document.value, path))
        problems.extend(_problems(document, findings, file))
        if not any(problem.severity == "error" for problem in problems):
            config = build(checked)
    problems.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
    return Loaded(config, tuple(problems), text, path, foreign, document)


def _check(raw: Any, environ: Mapping[str, str], *, foreign: bool) -> tuple[Checked, list[Finding]]:
    raw, missing = expand_all(raw, environment(raw, environ))
    checked = check_types(raw, foreign=foreign)
    findings = [*checked.findings, *check_meaning(checked.data, foreign=foreign)]
    unknown = set(checked.unknown)
    for path, name in missing:
        if not any(path[:length] in unknown for length in range(1, len(path) + 1)):
            findings.append(_missing(path, name, foreign=foreign))
    return checked, findings


def _missing(path: KeyPath, name: str, *, foreign: bool) -> Finding:
    """A variable that is not set. A provider or channel may never be used: a warning there."""
    lazy = foreign or path[0] in ("channels", "env") or path[:2] == ("models", "providers")
    message = f"the environment variable {name} is not set"
    hint = f"export {name}=…, or give a default: ${{{name}:-…}}"
    return Finding(path, message, hint, "warning" if lazy else "error")


def _open_keys(raw: Any, path: Path | None) -> list[Finding]:
    """Keys written out in a file that others can read."""
    models = raw.get("models") if isinstance(raw, dict) else None
    providers = models.get("providers") if isinstance(models, dict) else None
    found = []
    for name, entry in providers.items() if isinstance(providers, dict) else ():
        key = entry.get("apiKey") if isinstance(entry, dict) else None
        if isinstance(key, str) and key and not key.startswith("$"):
            place = ("models", "providers", name, "apiKey")
            hint = f"chmod 600 {path}" if path else "keep keys in environment variables"
            message = "a key is written here and others can read this file"
            found.append(Finding(place, message, hint, "warning"))
    return found


def _faults(document: Document, file: str | None, *, foreign: bool) -> list[Problem]:
    found = []
    for fault in document.faults:
        line, column = document.at(fault.offset)
        severity: Severity = "warning" if foreign and fault.mild else "error"
        message, hint = redact(fault.message), fault.hint and redact(fault.hint)
        found.append(Problem(message, severity, file, line, column, hint=hint))
    return found


def _problems(document: Document, findings: list[Finding], file: str | None) -> list[Problem]:
    """The findings at their places; beyond MAX_PROBLEMS they are only counted."""
    placed = [(document.place(finding.path, key=finding.on_key), finding) for finding in findings]
    placed.sort(key=lambda pair: pair[0])
    made = [_problem(place, finding, file) for place, finding in placed[:MAX_PROBLEMS]]
    rest = placed[MAX_PROBLEMS:]
    if rest:
        wrong = any(finding.severity == "error" for _, finding in rest)
        message, (line, column) = f"{len(rest):,} more problems", rest[0][0]
        made.append(Problem(message, "error" if wrong else "warning", file, line, column))
    return made


def _problem(place: Place, finding: Finding, file: str | None) -> Problem:
    return Problem(
        redact(finding.message),
        finding.severity,
        file,
        place.line,
        place.column,
        dotted(finding.path) or None,
        finding.hint and redact(finding.hint),
    )


def _blame(path: KeyPath) -> KeyPath:
    """What to leave out when the value at `path` is unusable.

    A binding is left out whole: without its unusable part it would claim more messages.
    """
    return path[:2] if path[:1] == ("bindings",) and len(path) > 2 else path


def config_from_object(raw: object) -> Config:
    """The config that an object holds, taking what is usable and leaving out the rest.

    For `branchline route` with `{config, input}` lines (SPEC §13): never raises, reports nothing,
    and takes whatever the reference would route with. Variables are not filled in.
    """
    skip: frozenset[KeyPath] = frozenset()
    while True:
        checked = check_types(raw, foreign=True, skip=skip)
        wrong = {_blame(item.path) for item in checked.findings if item.severity == "error"}
        # Leaving out the same again would go on for ever.
        if () in wrong or (wrong and wrong <= skip):
            return Config()
        if not wrong:
            return build(checked)
        skip |= wrong
