"""The panel of the tour, above the footer: where one is, what was just seen, what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.demo.tour import CHAPTERS, Step, Tour
from tui.home import home_of
from tui.look.glyphs import ASCII, UNICODE, Glyphs
from tui.look.tones import MUTED

__all__ = ["TourPanel", "spelled"]

END_KEYS = ("tour.show", "app.quit", "")
END = "That was the tour. `F8` puts it away; `^Q` leaves, and `branchline` alone is yours."

SHORT = 16
"""Rows of a screen below which only what to do next is said."""

ROOMY = 24
"""Rows of a screen below which what was just done is told only where one row holds it."""

_KEYS = ("F8 hide", "F9 skip")


_PLAIN = str.maketrans(
    {UNICODE.fold: ASCII.fold, UNICODE.warning: ASCII.warning, "“": '"', "”": '"'}
)
"""One sign for one: what is spelled out stays as wide as it is."""


def _said(text: str, glyphs: Glyphs) -> str:
    return text.translate(_PLAIN) if glyphs is ASCII else text


def spelled(text: str, glyphs: Glyphs, keys: Sequence[str] = ()) -> Content:
    """A text in which keys stand between backticks; those of `keys`, in order, in their place
    where they are not ""."""
    parts = _said(text, glyphs).split("`")
    for place, key in zip(range(1, len(parts), 2), keys, strict=False):
        parts[place] = key or parts[place]
    return Content.assemble(
        *((part, "$primary bold" if place % 2 else "") for place, part in enumerate(parts))
    )


class TourPanel(Widget):
    """One to a screen; without a tour, or with one put away, it takes no room.

    Args:
        tour: the tour; None where there is none.
        glyphs: the signs to draw with.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    TourPanel {
        height: auto; max-height: 6; background: $surface; color: $foreground;
        border-left: thick $accent; padding: 0 1; display: none;
    }
    TourPanel.-shown { display: block; }
    """

    def __init__(self, tour: Tour | None, glyphs: Glyphs = UNICODE):
        super().__init__()
        self._tour = tour
        self._glyphs = glyphs

    def on_mount(self) -> None:
        if self._tour is not None:
            self._deaf = self._tour.listen(self._draw)
            self._draw()

    def on_unmount(self) -> None:
        if self._tour is not None:
            self._deaf()

    def _draw(self) -> None:
        if self._tour is not None:
            self.set_class(not self._tour.hidden, "-shown")
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        tour = self._tour
        if tour is None or width <= 0:
            return []
        tight = self.app.size.height < SHORT
        lines = [] if tight else [self._head(tour, width)]
        if tour.last is not None and not tight:
            told = Content.assemble(
                (f"{self._glyphs.yes} ", "$text-success bold"), _said(tour.last.told, self._glyphs)
            )
            rows = told.stylize(MUTED, 2).wrap(width)
            lines += rows if len(rows) == 1 or self.app.size.height >= ROOMY else []
        step = tour.current
        sign = f"{self._glyphs.arrow} " if step is not None else ""
        ask, names = (step.ask, step.keys) if step is not None else (END, END_KEYS)
        asked = spelled(ask, self._glyphs, [self._moved(name) for name in names])
        return [*lines, *Content.assemble((sign, "$accent bold"), asked).wrap(width)]

    def _moved(self, name: str) -> str:
        """The key that the keymap gives a binding instead of its own; "" where it gives none."""
        keys = home_of(self).engine.config.keymap.get(name, "").split(",")[0].strip()
        return self.app.get_key_display(Binding(keys, "")) if keys else ""

    def _head(self, tour: Tour, width: int) -> Content:
        done = sum(step.id in tour.done for step in tour.steps)
        where = Content.assemble(("Tour ", "bold"), f"{done} of {len(tour.steps)}", "   ")
        keys = f" {self._glyphs.dot} ".join(_KEYS)
        room = width - cell_len(keys) - 1
        for chapters in (self._chapters(tour), self._chapter(tour.current)):
            line = Content.assemble(where, chapters)
            if line.cell_length <= room:
                gap = " " * (width - line.cell_length - cell_len(keys))
                return Content.assemble(line, gap, (keys, MUTED))
        return where.truncate(width)

    def _chapters(self, tour: Tour) -> Content:
        """All chapters, the one that is on marked."""
        here = tour.current.chapter if tour.current is not None else ""
        past = tour.done
        parts: list[tuple[str, str]] = []
        for name in CHAPTERS:
            if name == here:
                parts.append((f"{self._glyphs.closed} {name}   ", "$accent bold"))
            elif all(step.id in past for step in tour.steps if step.chapter == name):
                parts.append((f"{self._glyphs.yes} {name}   ", "$text-success"))
            else:
                parts.append((f"{self._glyphs.skipped} {name}   ", MUTED))
        return Content.assemble(*parts)

    def _chapter(self, step: Step | None) -> Content:
        return Content.styled(step.chapter if step is not None else "done", "$accent bold")
