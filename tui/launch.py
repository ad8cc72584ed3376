"""Starting the app: what must happen before its modules are imported."""

from __future__ import annotations

import gc
from pathlib import Path

__all__ = ["run_app"]


def run_app(state_dir: Path, config_path: Path | None) -> int:
    """Run the app until it is left.

    While modules are imported and the first screen is built almost nothing becomes garbage;
    looking for it would take a fifth of the start. The app turns the collector on again after
    its first frame.

    Returns:
        The exit code: 0 after a normal end, 1 after a crash.

    Raises:
        BranchlineError: the state dir or the config cannot be opened.
    """
    gc.disable()
    try:
        from tui.app import run_app as run

        return run(state_dir, config_path)
    finally:
        gc.enable()
