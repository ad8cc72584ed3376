"""The scenarios that come with the program."""

from __future__ import annotations

import difflib
from pathlib import Path

from engine.errors import ConfigError, Problem

__all__ = ["FOLDER", "find_scenario", "shipped_scenarios"]

FOLDER = Path(__file__).parent / "shipped"
_ENDING = ".scenario.json5"


def shipped_scenarios() -> dict[str, Path]:
    """Name → file, sorted by name."""
    files = sorted(FOLDER.glob(f"*{_ENDING}"))
    return {path.name.removesuffix(_ENDING): path for path in files}


def find_scenario(ref: str) -> Path:
    """The file of a scenario: a path, or the name of a shipped one.

    Raises:
        ConfigError: there is none.
    """
    path = Path(ref).expanduser()
    if path.is_file():
        return path
    known = shipped_scenarios()
    if ref in known:
        return known[ref]
    near = difflib.get_close_matches(ref, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "shipped ones: " + ", ".join(known)
    raise ConfigError((Problem("there is no such scenario", file=ref, hint=hint),))
