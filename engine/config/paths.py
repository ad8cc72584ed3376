"""Where the state dir and the config file are (SPEC §5)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["CONFIG_NAME", "REFERENCE_NAME", "config_path", "is_foreign", "state_dir"]

CONFIG_NAME = "branchline.json5"
"""Our config file's name in a state dir."""

REFERENCE_NAME = "openclaw.json"
"""The reference's."""


def _absolute(text: str | Path, environ: Mapping[str, str]) -> Path:
    """An absolute path, with `~` as the environment's HOME. Links and `..` stay as they are."""
    text = str(text)
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    return Path(os.path.abspath(Path(text).expanduser()))


def state_dir(option: str | Path | None, environ: Mapping[str, str]) -> Path:
    """The state dir: `--state-dir`, else BRANCHLINE_STATE_DIR, else `~/.branchline`.

    It need not exist yet. An empty option or variable counts as not given.
    """
    chosen = option or environ.get("BRANCHLINE_STATE_DIR") or "~/.branchline"
    return _absolute(chosen, environ)


def config_path(option: str | Path | None, state: Path, environ: Mapping[str, str]) -> Path:
    """The config file: `--config`, else BRANCHLINE_CONFIG_PATH, else in the state dir.

    There it is `branchline.json5`, or `openclaw.json` when that is what the folder holds. The
    file need not exist yet.
    """
    chosen = option or environ.get("BRANCHLINE_CONFIG_PATH")
    if chosen:
        return _absolute(chosen, environ)
    ours, theirs = state / CONFIG_NAME, state / REFERENCE_NAME
    return theirs if not os.path.lexists(ours) and os.path.lexists(theirs) else ours


def is_foreign(path: Path) -> bool:
    """Whether a file is the reference's, by its name: unknown keys in it are no errors."""
    return path.name == REFERENCE_NAME or path.name.startswith(REFERENCE_NAME + ".")
