"""Keys that never print: the Secret type, where a provider's key comes from, and redaction."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from engine.config.expand import expand
from engine.config.providers import Provider
from engine.config.schema import Config
from engine.disk import Disk, open_regular, read_range
from engine.errors import Problem

__all__ = ["FoundKey", "Secret", "find_key", "known_secrets", "redact"]

_MAX_KEY = 65536
_LEAST = 6
"""Shorter texts are not searched for: they would blot out innocent words."""

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)S?(_\d+)?$")
_BARE_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)")
_SHAPES = re.compile(
    r"""(?P<head>(?:Bearer|Basic)\s+
      | (?:x-api-key|x-goog-api-key|api[-_]?key|authorization|access[-_]?token)['"]?\s*[:=]\s*['"]?
      | [?&](?:key|api_key|token|access_token)=
    )(?P<value>(?!(?:Bearer|Basic)\s|\$\{[A-Z_][A-Z0-9_]*\})[^\s'"&,;}\]]{4,})
    | (?P<bare>\b(?:sk|rk|pk)-[A-Za-z0-9_*.-]{6,}
      | \b(?:gsk|xai|hf|ghp|gho|github_pat)[-_][A-Za-z0-9_*-]{8,}
      | \bAIza[A-Za-z0-9_*-]{10,} | \bxox[abprs]-[A-Za-z0-9-]{8,})""",
    re.VERBOSE | re.IGNORECASE,
)


def _mask(text: str) -> str:
    return f"***{text[-4:]}" if len(text) >= 12 else "***"


class Secret:
    """A text that shows only its end. `reveal()` is the one way to it; do not log what it gives.

    Equal by content, so two configs with the same key are equal.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str):
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_mask(self._text)})"

    def __str__(self) -> str:
        return _mask(self._text)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not written anywhere")


def redact(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """Hide known secrets, and whatever has the shape of one, in text meant for people or logs."""
    known = {item.reveal() if isinstance(item, Secret) else item for item in secrets}
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _LEAST:
            text = text.replace(secret, _mask(secret))

    def hide(match: re.Match[str]) -> str:
        if match["bare"]:
            return _mask(match["bare"])
        return match["head"] + _mask(match["value"])

    return _SHAPES.sub(hide, text)


def known_secrets(config: Config, environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every secret that could turn up in a message: keys and headers in the config, and the
    variables whose names say that they hold one."""
    texts = [value for name, value in environ.items() if _SECRET_NAME.search(name)]
    texts.extend(value for name, value in config.env.items() if _SECRET_NAME.search(name))
    for provider in config.models.providers.values():
        texts.extend(expand(value, environ)[0] for value in provider.headers.values())
        if isinstance(provider.api_key, str):
            texts.append(expand(provider.api_key, environ)[0])
    return tuple(Secret(text) for text in dict.fromkeys(texts) if len(text) >= _LEAST)


class FoundKey(Struct, frozen=True):
    """A provider's key, where it came from (never the key itself), or what is wrong.

    `secret` is None without a problem when the provider needs none or nobody gave one.
    """

    secret: Secret | None
    source: str
    problem: Problem | None = None


def find_key(
    name: str,
    provider: Provider | None,
    environ: Mapping[str, str],
    disk: Disk,
    *,
    variables: Sequence[str] = (),
) -> FoundKey:
    """The key of a provider, resolved when it is needed and not before.

    Args:
        name: the provider's name, for messages.
        provider: its config entry, None when it has only a preset.
        environ: variables, with those of the config's `env` added (engine.config.environment).
        variables: the preset's variables, asked in order when the config says nothing.
    """
    given = provider.api_key if provider else None
    if given is False:
        return FoundKey(None, "none (apiKey: null)")
    if given is None:
        for variable in variables:
            if environ.get(variable):
                return FoundKey(Secret(environ[variable]), variable)
        return FoundKey(None, "none")
    if isinstance(given, str):
        return _from_text(name, given, environ)
    if isinstance(given, dict) and given.get("source") == "env":
        return _from_text(name, f"${{{given.get('id', '')}}}", environ)
    if isinstance(given, dict) and given.get("path"):
        return _from_file(name, given["path"], environ, disk)
    return FoundKey(None, "none", _problem(name, "the key cannot be read from this entry"))


def _problem(name: str, message: str, hint: str | None = None) -> Problem:
    return Problem(message, path=f"models.providers.{name}.apiKey", hint=hint)


def _from_text(name: str, text: str, environ: Mapping[str, str]) -> FoundKey:
    bare = _BARE_VARIABLE.fullmatch(text)
    text = f"${{{bare[1]}}}" if bare else text
    value, missing = expand(text, environ)
    if missing:
        hint = f"export {missing[0]}=… before you start, or write apiKey: null to send none"
        return FoundKey(None, "none", _problem(name, f"{missing[0]} is not set", hint))
    source = text[2:-1].partition(":-")[0] if text.startswith("${") else "config"
    return FoundKey(Secret(value.strip()) if value.strip() else None, source)


def _from_file(name: str, path: str, environ: Mapping[str, str], disk: Disk) -> FoundKey:
    file = Path(expand(path, environ)[0]).expanduser()
    try:
        fd = open_regular(disk, file, os.O_RDONLY)
        try:
            mode = stat.S_IMODE(disk.stat(fd).st_mode)
            data = read_range(disk, fd, 0, _MAX_KEY)
        finally:
            disk.close(fd)
    except OSError as error:
        message = f"the key file {file} cannot be read: {error.strerror or error}"
        return FoundKey(None, "none", _problem(name, message))
    if mode & 0o077:
        message = f"the key file {file} can be read by others (mode {mode:04o})"
        return FoundKey(None, "none", _problem(name, message, f"chmod 600 {file}"))
    text = data.decode("utf-8", "replace").strip()
    if not text or "\n" in text:
        message = f"the key file {file} must hold the key and nothing else"
        return FoundKey(None, "none", _problem(name, message))
    return FoundKey(Secret(text), f"file {file}")
