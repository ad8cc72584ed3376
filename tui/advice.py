"""One-line advice: how to connect a model, and what is wrong with the config."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import Problem
from engine.text import safe_line
from tui.glyphs import Glyphs

__all__ = ["broken_line", "connect_hint"]


def connect_hint(model: str | None, config: str) -> tuple[str, ...]:
    """How to connect a real model, in several lengths, longest first; () when one is connected."""
    if model is None or not model.startswith("offline/"):
        return ()
    return (
        f"Offline model, nothing is sent anywhere. To connect a real one set ANTHROPIC_API_KEY or "
        f"OPENAI_API_KEY and start again, or name it in {config}",
        "Offline model. To connect one: set ANTHROPIC_API_KEY or OPENAI_API_KEY, restart",
        "Offline. Set ANTHROPIC_API_KEY (or OPENAI_…), restart",
        "Offline: set ANTHROPIC_API_KEY, restart",
    )


def broken_line(errors: Sequence[Problem], revision: int, glyphs: Glyphs) -> str:
    """What is wrong with the config on disk; "" when nothing is."""
    if not errors:
        return ""
    first = errors[0]
    where = f"line {first.line}: " if first.line else ""
    path = f"{first.path}: " if first.path else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    said = safe_line(f"{where}{path}{first.message}", limit=300)
    return f"{glyphs.broken} config {said}{more}; revision {revision} stays in force"
