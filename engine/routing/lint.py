"""What is legal in a config and likely a mistake, with messages that show it (SPEC §12).

Every finding about routing carries example envelopes, and each is proved with the router before
it is reported: what is said of an example is what happens to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from engine.config.document import dotted
from engine.config.lint import lint_file
from engine.config.load import Loaded
from engine.config.schema import Config
from engine.errors import Problem
from engine.routing.bindinglint import lint_bindings, lint_patterns
from engine.routing.envelope import Envelope
from engine.routing.keylint import lint_key_format, lint_links, lint_main, lint_met
from engine.routing.lintfound import Found, LintCode
from engine.routing.mentions import Mentions
from engine.routing.router import Router
from engine.values import replace

__all__ = ["Lint", "LintCode", "lint", "lint_config"]


class Lint(Struct, frozen=True):
    """One finding.

    Attributes:
        code: what sort.
        problem: what to tell the person, with its place.
        examples: messages that show it: one that goes elsewhere than to its binding, or two that
            should be apart and share a session.
        goes_to: for one example the rule that claims it (`bindings[0]`); for two their key.
    """

    code: LintCode
    problem: Problem
    examples: tuple[Envelope, ...] = ()
    goes_to: str = ""


def lint(loaded: Loaded, *, seen: Iterable[Envelope] = (), mode: int = 0o600) -> tuple[Lint, ...]:
    """Lint a config file. Findings have line and column; what loading found is not repeated.

    Args:
        loaded: the file as it was read; with errors only its text is looked at.
        seen: recorded messages, to find people whose direct messages met.
        mode: the file's permission bits.
    """
    found = [
        Found("file", item.path, item.message, item.hint)
        for item in lint_file(loaded.document.value, mode)
    ]
    if loaded.config is not None:
        found += _config(loaded.config, seen)
    file = str(loaded.path) if loaded.path else None

    def placed(one: Found) -> Problem:
        line, column = loaded.place(one.path)
        return replace(_problem(one), file=file, line=line, column=column)

    return _sorted(found, placed)


def lint_config(config: Config, *, seen: Iterable[Envelope] = ()) -> tuple[Lint, ...]:
    """Lint a config that is no file, or not yet: findings have a path only."""
    return _sorted(_config(config, seen), _problem)


def _problem(one: Found) -> Problem:
    return Problem(one.message, "warning", path=dotted(one.path) or None, hint=one.hint)


def _sorted(found: Iterable[Found], problem: Callable[[Found], Problem]) -> tuple[Lint, ...]:
    made = [Lint(one.code, problem(one), one.examples, one.goes_to) for one in found]
    return tuple(sorted(made, key=lambda one: (one.problem.line or 0, one.problem.column or 0)))


def _config(config: Config, seen: Iterable[Envelope]) -> Iterator[Found]:
    router = Router(config)
    yield from lint_bindings(config)
    yield from lint_patterns(config)
    yield from lint_main(config, router)
    yield from lint_met(config, router, seen)
    yield from lint_key_format(config, router)
    yield from lint_links(config)
    for place, message, hint in Mentions(config).faults:
        yield Found("mention_pattern", place, f"this pattern {message}", hint)
