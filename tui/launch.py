"""Starting the app, and what must happen before its modules are imported."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

__all__ = ["FRAMES", "run_app"]

FRAMES = 120
"""Frames a second at most, twice Textual's own. A key is drawn at the next tick of that clock, so
this halves the wait; nothing is drawn at a tick without a change. `TEXTUAL_FPS` overrides it."""


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
    os.environ.setdefault("TEXTUAL_FPS", str(FRAMES))
    gc.disable()
    try:
        import asyncio

        return asyncio.run(_run(state_dir, config_path))
    finally:
        gc.enable()


async def _run(state_dir: Path, config_path: Path | None) -> int:
    import contextlib

    from engine.engine import Engine
    from tui.app import BranchlineApp
    from tui.memory import save_memory

    async with Engine.open(state_dir, config_path=config_path, environ=os.environ) as engine:
        app = BranchlineApp(engine)
        await app.run_async()
        with contextlib.suppress(OSError):
            save_memory(engine.state_dir, app.memory)
        if app.farewell and not app.return_code:
            sys.stdout.write(f"{app.farewell}\n")
        return app.return_code or 0
