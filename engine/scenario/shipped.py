"""The scenarios that come with the program, and those that a person keeps in a state dir."""

from __future__ import annotations

import difflib
from pathlib import Path

from engine.errors import ConfigError, Problem

__all__ = ["ENDING", "FOLDER", "OWN", "find_scenario", "own_scenarios", "shipped_scenarios"]

FOLDER = Path(__file__).parent / "shipped"
ENDING = ".scenario.json5"
"""How the names of scenario files end."""

OWN = "scenarios"
"""The folder of a state dir in which a person's own scenarios are."""


def shipped_scenarios() -> dict[str, Path]:
    """Name → file, sorted by name."""
    return _named(FOLDER)


def own_scenarios(state_dir: Path) -> dict[str, Path]:
    """Those that a person keeps in a state dir: name → file, sorted by name."""
    return _named(state_dir / OWN)


def _named(folder: Path) -> dict[str, Path]:
    files = sorted(folder.glob(f"*{ENDING}"))
    return {path.name.removesuffix(ENDING): path for path in files}


def find_scenario(ref: str, state_dir: Path | None = None) -> Path:
    """The file of a scenario: a path, or the name of one's own or of a shipped one.

    Args:
        state_dir: where one's own are, in its folder OWN.

    Raises:
        ConfigError: there is none.
    """
    path = Path(ref).expanduser()
    if path.is_file():
        return path
    known = shipped_scenarios() | (own_scenarios(state_dir) if state_dir is not None else {})
    if ref in known:
        return known[ref]
    near = difflib.get_close_matches(ref, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "there are " + ", ".join(known)
    raise ConfigError((Problem("there is no such scenario", file=ref, hint=hint),))
