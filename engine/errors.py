"""Every error the engine raises, in one tree.

```
BranchlineError                message, place, remedy
├── ConfigError                the config cannot be used; carries every Problem found
├── EditRefused            the config was not changed: not possible as asked, or not safely
├── EnvelopeError              a message from a channel lacks or misspells a field
├── SessionError
│   ├── SessionNotFound        no session by that key, id, label or path (with near matches)
│   ├── EntryNotFound          no such node in this session's tree
│   ├── SessionBusy            another process (or turn) holds the session; names the holder
│   ├── SessionReadOnly        an earlier write failed; the session takes no more until reopened
│   └── StoreError             disk full, failed fsync, wrong file under a path, unsafe id …
├── ModelError                 a model call failed; `kind` says how (see ModelErrorKind)
│   ├── ModelNotFound          a model reference that resolves to nothing
│   └── LeakRefused            the request held words that its reader may not see
├── CommandError               a slash command or its arguments cannot be carried out
└── InputRefused               a message that is too large, empty or not text
```

Messages are for people: they say what is wrong, `place` says where, `remedy` what to do.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = [
    "BranchlineError",
    "CommandError",
    "ConfigError",
    "EditRefused",
    "EntryNotFound",
    "EnvelopeError",
    "InputRefused",
    "LeakRefused",
    "ModelError",
    "ModelErrorKind",
    "ModelNotFound",
    "Problem",
    "SessionBusy",
    "SessionError",
    "SessionNotFound",
    "SessionReadOnly",
    "StoreError",
]

ModelErrorKind = Literal[
    "auth",  # 401/403: wrong or missing key
    "billing",  # 402, insufficient quota: will not clear by waiting
    "rate_limit",  # 429 that clears
    "overloaded",  # 529/503: the service is short of capacity
    "server",  # other 5xx
    "timeout",  # no answer, or silence in mid-stream
    "connection",  # refused, reset, DNS, truncated stream
    "overflow",  # the request does not fit the model's context window
    "invalid",  # 400/404/422: the request itself is wrong
    "cancelled",  # the person stopped it
]


class Problem(Struct, frozen=True):
    """One thing that is wrong, with where and what to do; shown as a notice, never only logged.

    `line` and `column` are 1-based; `path` is dotted (`agents.list[0].id`).
    """

    message: str
    severity: Literal["error", "warning"] = "error"
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        spot = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = ": ".join(part for part in (spot, self.path) if part)
        text = f"{head}: {self.message}" if head else self.message
        return f"{text} ({self.hint})" if self.hint else text


class BranchlineError(Exception):
    """The root. `str(error)` is one clear sentence with place and remedy."""

    title = "Something went wrong"

    def __init__(self, message: str, *, place: str | None = None, remedy: str | None = None):
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text.rstrip('.')}. {self.remedy}" if self.remedy else text


class ConfigError(BranchlineError):
    """The config file cannot be used. `problems` holds all of them, not only the first."""

    title = "Config problem"

    def __init__(self, problems: tuple[Problem, ...], *, remedy: str | None = None):
        self.problems = problems
        errors = [problem for problem in problems if problem.severity == "error"]
        first = str(errors[0]) if errors else "the config cannot be used"
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(first + more, remedy=remedy)


class EditRefused(BranchlineError):
    """An edit of the config that cannot be made as asked, or not safely; the file is as it was."""

    title = "Config not changed"


class EnvelopeError(BranchlineError):
    """A message from a channel that cannot be read; `path` is the field at fault."""

    title = "Unusable message"

    def __init__(self, message: str, *, path: str, remedy: str | None = None):
        super().__init__(message, place=path, remedy=remedy)
        self.path = path


class SessionError(BranchlineError):
    title = "Session problem"


class SessionNotFound(SessionError):
    title = "No such session"


class EntryNotFound(SessionError):
    title = "No such entry"


class SessionBusy(SessionError):
    """Somebody else is writing. `pid` is None when the holder left no name."""

    title = "Session busy"

    def __init__(self, message: str, *, pid: int | None = None, remedy: str | None = None):
        super().__init__(message, remedy=remedy)
        self.pid = pid


class SessionReadOnly(SessionError):
    title = "Session is read-only"


class StoreError(SessionError):
    title = "Could not write"


class ModelError(BranchlineError):
    """A model call that failed.

    Attributes:
        kind: what sort of failure, deciding retry and failover.
        status: HTTP status, if there was one.
        retry_after: seconds the service asked us to wait, if it said.
        partial: text that had already arrived.
    """

    title = "Model problem"

    def __init__(
        self,
        message: str,
        *,
        kind: ModelErrorKind,
        status: int | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        partial: str = "",
        place: str | None = None,
        remedy: str | None = None,
    ):
        super().__init__(message, place=place, remedy=remedy)
        self.kind: ModelErrorKind = kind
        self.status = status
        self.retry_after = retry_after
        self.retryable = retryable
        self.partial = partial


class ModelNotFound(ModelError):
    title = "Unknown model"

    def __init__(self, message: str, *, remedy: str | None = None):
        super().__init__(message, kind="invalid", remedy=remedy)


class LeakRefused(ModelError):
    """A request that was not sent: it held another person's words and no rule shares them.

    The message names nobody, for it may reach the person who was to be answered. `found` is for
    the operator's eyes: who would have seen whose words (engine.agents.leak.Sighting).
    """

    title = "Leak stopped"

    def __init__(self, found: tuple[object, ...] = ()):
        super().__init__(
            "this answer would have shown one person's words to another: nothing was sent",
            kind="invalid",
            retryable=False,
            remedy="The operator can see whose, in the app and with `branchline sessions`",
        )
        self.found = found


class CommandError(BranchlineError):
    title = "Command"


class InputRefused(BranchlineError):
    title = "Message refused"
