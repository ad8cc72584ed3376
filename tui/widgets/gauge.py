"""The context gauge: how much of a model's window a session fills, as text and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

from tui.look.cells import count, percent
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED

__all__ = ["Fill", "gauge", "gauge_numbers", "labelled", "level"]


@dataclass(frozen=True, slots=True)
class Fill:
    """Tokens in use out of a window; `threshold` is the share at which compaction is due."""

    tokens: int
    window: int
    threshold: float = 0.85

    @property
    def part(self) -> float:
        return self.tokens / self.window if self.window > 0 else 0.0

    @property
    def tone(self) -> str:
        """Style variable: calm, near the threshold, over it."""
        if self.part >= self.threshold:
            return "$text-error"
        return "$text-warning" if self.part >= self.threshold * 0.85 else "$text-primary"


def gauge(fill: Fill, width: int, glyphs: Glyphs) -> Content:
    """`▕████   ┊░▏` in `width` cells: used, free, the threshold's tick, what is kept in reserve."""
    inner = max(3, width - 2)
    used = min(inner, round(fill.part * inner))
    if fill.tokens and not used:
        used = 1
    tick = min(inner - 1, round(fill.threshold * inner))
    rest = "".join(_cell(index, tick, glyphs) for index in range(used, inner))
    return Content.assemble(
        (glyphs.left, MUTED),
        (glyphs.full * used, fill.tone),
        (rest, MUTED),
        (glyphs.right, MUTED),
    )


def _cell(index: int, tick: int, glyphs: Glyphs) -> str:
    if index == tick:
        return glyphs.tick
    return glyphs.reserve if index > tick else glyphs.empty


def gauge_numbers(fill: Fill) -> str:
    """`19.6k of 32k`."""
    return f"{count(fill.tokens)} of {count(fill.window)}"


def level(part: float, glyphs: Glyphs) -> str:
    """One cell that grows with `part` (0 … 1)."""
    steps = glyphs.levels
    return steps[min(len(steps) - 1, max(0, int(part * len(steps))))]


def labelled(fill: Fill, width: int, glyphs: Glyphs) -> Content:
    """The gauge with its percentage behind it, for a title."""
    return gauge(fill, width, glyphs) + Content(f" {percent(fill.part)}")
