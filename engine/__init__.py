"""Branchline's engine: routing, sessions, context, models and turns, without a screen.

What `__all__` names is the public surface; it loads on first use, so that `import engine` costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from engine._version import __version__

if TYPE_CHECKING:
    from engine.clock import Clock, ManualClock, SystemClock
    from engine.disk import Disk
    from engine.engine import Engine, HistoryPage, ModelInForce, SessionInfo, SessionView
    from engine.errors import BranchlineError, Problem
    from engine.events import Event
    from engine.routing.envelope import Envelope, Peer, Sender
    from engine.text import safe_line, safe_text

__all__ = [
    "BranchlineError",
    "Clock",
    "Disk",
    "Engine",
    "Envelope",
    "Event",
    "HistoryPage",
    "ManualClock",
    "ModelInForce",
    "Peer",
    "Problem",
    "Sender",
    "SessionInfo",
    "SessionView",
    "SystemClock",
    "__version__",
    "safe_line",
    "safe_text",
]

_HOMES = {
    "engine.clock": ("Clock", "ManualClock", "SystemClock"),
    "engine.disk": ("Disk",),
    "engine.engine": ("Engine", "HistoryPage", "ModelInForce", "SessionInfo", "SessionView"),
    "engine.errors": ("BranchlineError", "Problem"),
    "engine.events": ("Event",),
    "engine.routing.envelope": ("Envelope", "Peer", "Sender"),
    "engine.text": ("safe_line", "safe_text"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(
        {*globals().keys(), *__all__} - {"TYPE_CHECKING", "Any", "annotations", "importlib"}
    )
