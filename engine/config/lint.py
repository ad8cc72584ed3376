"""What is legal in a config file and likely a mistake, as far as the file's text alone says it.

What takes a router to see (bindings, keys, who meets whom) is in engine.routing.lint, which
calls this too; what makes a value unusable is found on loading.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.config.findings import Finding
from engine.config.scan import KeyPath

__all__ = ["lint_file"]

MAX_EXACT = 2**53 - 1
"""Largest whole number that every reader of JSON keeps exactly."""

OTHERS_READ = 0o044

_ID_KEYS = frozenset({"accountId", "guildId", "teamId", "roles", "allowFrom", "groupAllowFrom"})
_ID_KEYS |= {"people", "identityLinks"}


def lint_file(raw: Any, mode: int = 0o600) -> list[Finding]:
    """Look at a parsed config file, before variables are filled in.

    Args:
        raw: what the file holds (`Loaded.document.value`).
        mode: the file's permission bits.
    """
    found = list(_numbers(raw))
    if mode & OTHERS_READ:
        found += _open_secrets(raw)
    return found


def _ids(raw: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that stands where an id belongs, with its place."""
    todo: list[tuple[KeyPath, Any, bool]] = [((), raw, False)]
    while todo:
        path, value, is_id = todo.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                peer_id = key == "id" and path[-1:] == ("peer",)
                todo.append(((*path, key), inner, is_id or peer_id or key in _ID_KEYS))
        elif isinstance(value, list):
            todo += [((*path, at), inner, is_id) for at, inner in enumerate(value)]
        elif is_id:
            yield path, value


def _numbers(raw: Any) -> Iterator[Finding]:
    """Ids written as numbers that do not come out as they were meant."""
    ids = sorted(_ids(raw), key=lambda pair: repr(pair[0]))
    # A telephone number or an id with leading zeros loses them as a number.
    texts = {
        bare: text
        for _, text in ids
        if isinstance(text, str) and (bare := text.strip().lstrip("+0")) != text.strip()
    }
    for path, value in ids:
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if isinstance(value, float) and not value.is_integer():
            message = f"{value} is a number with a fraction, which no id is"
            yield Finding(path, message, "write the id as text, in quotes", "warning")
        elif abs(value) > MAX_EXACT:
            message = "as a number this id is too long to be kept exactly by every program"
            yield Finding(path, message, f'write "{int(value)}", in quotes', "warning")
        elif str(int(value)) in texts:
            other = texts[str(int(value))]
            message = f'{int(value)} as a number is another id than "{other}", which is also here'
            yield Finding(path, message, f'write "{other}" if they are the same', "warning")


def _open_secrets(raw: Any) -> Iterator[Finding]:
    """Secrets written out in a file that others can read; keys of providers are found on
    loading."""
    if not isinstance(raw, dict):
        return
    places: list[tuple[KeyPath, Any]] = []
    models = raw.get("models")
    providers = models.get("providers") if isinstance(models, dict) else None
    for name, entry in providers.items() if isinstance(providers, dict) else ():
        headers = entry.get("headers") if isinstance(entry, dict) else None
        for header, value in headers.items() if isinstance(headers, dict) else ():
            if any(word in str(header).lower() for word in ("auth", "key", "token", "cookie")):
                places.append((("models", "providers", name, "headers", header), value))
    env = raw.get("env")
    for name, value in env.items() if isinstance(env, dict) else ():
        if any(word in str(name).upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            places.append((("env", name), value))
    for path, value in places:
        if isinstance(value, str) and value and "$" not in value:
            message = "a secret is written here and others can read this file"
            yield Finding(path, message, "chmod 600 the file, or keep it elsewhere", "warning")
