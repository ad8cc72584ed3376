"""All problems at once, to be read in peace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.errors import Problem
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["Problems"]


class Problems(Dialog[None]):
    """A list of problems with their places and hints."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", id="dialog.close"),
    ]

    DEFAULT_CSS = """
    Problems { align: center middle; }
    Problems > VerticalScroll {
        width: 90; max-width: 94%; height: auto; max-height: 80%; padding: 1 2;
        background: $surface; border: round $border; border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    Problems Static { height: auto; margin-bottom: 1; }
    """

    def __init__(self, problems: Sequence[Problem], glyphs: Glyphs):
        super().__init__()
        self._problems = problems
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(f"Problems {len(self._problems)}")
            box.border_subtitle = Content("Esc close")
            if not self._problems:
                yield Static(Content("Nothing is wrong."), markup=False)
            for problem in self._problems:
                yield Static(self._content(problem), markup=False)

    def _content(self, problem: Problem) -> Content:
        error = problem.severity == "error"
        sign = self._glyphs.broken if error else self._glyphs.warning
        tone = "$text-error" if error else "$text-warning"
        spot = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
        place = " ".join(part for part in (spot, problem.path) if part)
        parts: list[Content | tuple[str, str]] = [
            (f"{sign} {problem.severity}  ", tone),
            Content(safe_line(problem.message, limit=1000)),
        ]
        if place:
            parts.append((f"\n  {safe_line(place)}", MUTED))
        if problem.hint:
            parts.append((f"\n  {safe_line(problem.hint)}", "italic"))
        return Content.assemble(*parts)
