"""`${VAR}` in the config's text values (PROVIDERS §3).

`${VAR}` is the variable, `${VAR:-default}` the default when it is unset or empty, `$${` a plain
`${`. Names are upper case. It is done on parsed values, never on the file's text, and once: what
a variable holds is not looked at again. Keys of providers stay as written until a request needs
them, so that a config value holds no secret of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.config.findings import is_private
from engine.config.scan import KeyPath

__all__ = ["environment", "expand", "expand_all"]

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with its variables filled in, and the names of those that are missing.

    A missing variable stays in the text as it is written.
    """
    missing: list[str] = []

    def fill(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name is None:
            return "${"
        value = environ.get(name) or default
        if value is None:
            missing.append(name)
            return match.group()
        return value

    return _VARIABLE.sub(fill, text), tuple(missing)


def expand_all(value: Any, environ: Mapping[str, str]) -> tuple[Any, list[tuple[KeyPath, str]]]:
    """A copy of a parsed config with variables filled in, and (path, name) of the missing ones.

    Private values (see engine.config.findings.is_private) are looked at but left as written.
    """
    missing: list[tuple[KeyPath, str]] = []
    root: list[Any] = [value]
    work: list[tuple[Any, Any, KeyPath]] = [(root, 0, ())]
    while work:
        target, slot, path = work.pop()
        found = target[slot]
        if isinstance(found, str):
            if "${" in found:
                text, names = expand(found, environ)
                missing.extend((path, name) for name in names)
                if not is_private(path):
                    target[slot] = text
        elif isinstance(found, dict):
            target[slot] = copy = dict(found)
            work.extend((copy, key, (*path, str(key))) for key in copy)
        elif isinstance(found, list):
            target[slot] = items = list(found)
            work.extend((items, index, (*path, index)) for index in range(len(items)))
    return root[0], missing


def environment(raw: Any, environ: Mapping[str, str]) -> dict[str, str]:
    """The process's variables, and those of the config's `env` that the process does not set."""
    block = raw.get("env") if isinstance(raw, dict) else None
    extra = {}
    if isinstance(block, dict):
        nested = block.get("vars")
        for source in (nested if isinstance(nested, dict) else {}, block):
            extra.update({key: text for key, text in source.items() if isinstance(text, str)})
    return {**extra, **environ}
