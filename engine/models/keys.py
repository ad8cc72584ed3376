"""Where keys come from: the config's `apiKey`, else the provider's environment variable."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import ModelError

__all__ = ["Key", "expand", "find_key"]

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")
_LIMIT = 64 * 1024


class Key:
    """A secret with the name of the place it came from. It prints as `***` and its source."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str):
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The secret itself: for a request's header only."""
        return self._value

    def __repr__(self) -> str:
        return f"Key(***, source={self.source!r})"


def find_key(
    provider: str, setting: Any, names: tuple[str, ...], environ: Mapping[str, str]
) -> Key | None:
    """The key of a provider, or None when there is none.

    Args:
        setting: the config's `apiKey`: text, `${VAR}`, {source: "env"|"file", …}; None when it
            is not given, False where the file says null: send no key.
        names: variables to look at when the config says nothing.

    Raises:
        ModelError: a key file that cannot be used, or a form we do not know.
    """
    if setting is None:
        return _from_environ(names, environ)
    if setting is False:
        return None
    place = f"models.providers.{provider}.apiKey"
    if isinstance(setting, str):
        return _from_text(setting, environ, place)
    if isinstance(setting, Mapping):
        return _from_mapping(setting, environ, place)
    raise _unusable(place, "A key is text, `${VARIABLE}` or {source, …}")


def expand(text: str, environ: Mapping[str, str], place: str) -> str:
    """Fill in `${VAR}` and `${VAR:-default}`; `$${` stays `${`.

    Raises:
        ModelError: a variable without a default is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        found = environ.get(match[1]) or match[2]
        if found is None:
            raise ModelError(
                f"{match[1]} is not set", kind="invalid", place=place, remedy=f"Set {match[1]}"
            )
        return found

    return _VARIABLE.sub(value, text)


def _named(value: str, source: str) -> Key | None:
    value = value.strip()
    return Key(value, source) if value else None


def _from_environ(names: tuple[str, ...], environ: Mapping[str, str]) -> Key | None:
    for name in names:
        if found := _named(environ.get(name, ""), name):
            return found
    return None


def _from_text(text: str, environ: Mapping[str, str], place: str) -> Key | None:
    match = _VARIABLE.fullmatch(text.strip())
    if match is None or match[1] is None:
        return _named(expand(text, environ, place), "config")
    return _named(environ.get(match[1]) or match[2] or "", match[1])


def _from_mapping(setting: Mapping[str, Any], environ: Mapping[str, str], place: str) -> Key | None:
    source = setting.get("source")
    if source == "env" and isinstance(setting.get("id"), str):
        return _from_environ((setting["id"],), environ)
    if source == "file" and isinstance(setting.get("path"), str):
        return _from_file(Path(setting["path"]).expanduser(), place)
    raise _unusable(place, 'Use {source: "env", id: "VARIABLE"} or {source: "file", path: "…"}')


def _from_file(path: Path, place: str) -> Key | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                raise _unusable(place, f"{path} can be read by others: chmod 600 it")
            text = file.read(_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        raise _unusable(place, f"{path}: {error.strerror or error}") from None
    return _named(text, f"file:{path}")


def _unusable(place: str, remedy: str) -> ModelError:
    return ModelError("the key cannot be used", kind="auth", place=place, remedy=remedy)
