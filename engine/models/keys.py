"""Where keys come from: the config's `apiKey`, else the provider's environment variable."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import ModelError

__all__ = ["Key", "find_key"]

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}|\$([A-Z_][A-Z0-9_]*)")
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
        setting: the config's `apiKey`: text, `${VAR}`, {source: "env"|"file", …}, a secret
            object with `reveal()`, or nothing.
        names: variables to look at when the config says nothing.

    Raises:
        ModelError: a key file that cannot be used, or a form we do not know.
    """
    if setting is None or setting is msgspec.UNSET:
        return _from_environ(names, environ)
    place = f"models.providers.{provider}.apiKey"
    if isinstance(setting, Key):
        return setting
    if hasattr(setting, "reveal"):
        return _named(setting.reveal(), str(getattr(setting, "source", "") or "config"))
    if isinstance(setting, str):
        return _from_text(setting, environ)
    if isinstance(setting, Mapping):
        return _from_mapping(setting, environ, place)
    raise _unusable(place, "a key is text, `${VARIABLE}` or {source, …}")


def _named(value: str, source: str) -> Key | None:
    value = value.strip()
    return Key(value, source) if value else None


def _from_environ(names: tuple[str, ...], environ: Mapping[str, str]) -> Key | None:
    for name in names:
        if found := _named(environ.get(name, ""), name):
            return found
    return None


def _from_text(text: str, environ: Mapping[str, str]) -> Key | None:
    match = _VARIABLE.fullmatch(text.strip())
    if match is None:
        return _named(text, "config")
    name = match[1] or match[3]
    return _named(environ.get(name) or match[2] or "", name)


def _from_mapping(setting: Mapping[str, Any], environ: Mapping[str, str], place: str) -> Key | None:
    source = setting.get("source")
    if source == "env" and isinstance(setting.get("id"), str):
        return _from_environ((setting["id"],), environ)
    if source == "file" and isinstance(setting.get("path"), str):
        return _from_file(Path(setting["path"]).expanduser(), place)
    raise _unusable(place, 'use {source: "env", id: "VARIABLE"} or {source: "file", path: "…"}')


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
