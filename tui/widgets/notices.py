"""Notices over the screen, where they cover neither what is written nor what is read.

They look for a free place from the upper right corner on. Where the pane in focus is all there is
to be seen, one line of row 0 has to do; the palette lists what was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.behind.notices import Notice
from tui.look.glyphs import Glyphs
from tui.widgets.lines import Banner, HintLine

__all__ = ["Notices", "drawn", "find_room"]

WIDTHS = (56, 52, 44, 32, 24)
"""Widths that are tried, in cells: the widest that has room is taken."""

BESIDE = 44
"""Cells that a notice must have beside inspector and list, so that it need not go over them."""

ROWS = (((100, 34), 6), ((80, 24), 4), ((0, 0), 2))
"""Rows of words at most, by the least width and height of the screen."""

_TONES = {"information": "$text-success", "warning": "$text-warning", "error": "$text-error"}


def find_room(size: Size, taken: Sequence[Region], height: Callable[[int], int]) -> Region | None:
    """A place of one of WIDTHS below row 0 and above the last row that touches nothing `taken`.

    Args:
        size: of the screen.
        taken: regions that stay in sight.
        height: rows needed at a width.

    Returns:
        The first place found, wide ones first, then from the top, then from the right. None: there
        is no room.
    """
    for width in WIDTHS:
        rows = height(width)
        ends = [size.width - 1, *(each.x for each in taken)]
        tops = sorted({1, *(each.bottom for each in taken)})
        for top in tops:
            for end in sorted(ends, reverse=True):
                place = Region(end - width, top, width, rows)
                fits = place.x >= 0 and end < size.width and place.bottom < size.height
                if fits and top >= 1 and not any(place.overlaps(each) for each in taken):
                    return place
    return None


def drawn(notice: Notice, width: int, most: int, glyphs: Glyphs) -> list[Content]:
    """The rows of a notice: sign and title, then its words, cut after `most` rows of them."""
    tone = _TONES[notice.severity]
    sign = {"information": glyphs.dot, "warning": glyphs.warning, "error": glyphs.broken}
    head = Content.styled(f"{sign[notice.severity]} {notice.title}".rstrip(), f"{tone} bold")
    room = width - 2
    words = Content(notice.text).wrap(room - 2) if notice.text else []
    if len(words) > most:
        more = words[most - 1].rstrip() + Content(glyphs.ellipsis)
        words = [*words[: most - 1], more.truncate(room - 2, ellipsis=True)]
    if not notice.title and words:
        rows = [Content.assemble((f"{sign[notice.severity]} ", tone), words[0])]
        rows += [Content("  ") + row for row in words[1:]]
    else:
        rows = [head.truncate(room, ellipsis=True), *(Content("  ") + row for row in words)]
    bar = Content.styled(glyphs.cursor, tone)
    return [bar + row.truncate(width - 1, pad=True) for row in rows]


def in_a_line(notice: Notice, width: int, glyphs: Glyphs) -> Content:
    """All of a notice that one row can hold."""
    tone = _TONES[notice.severity]
    title = f"{notice.title}: " if notice.title else ""
    words = " ".join(notice.texts[0].split()) if notice.texts else ""
    row = Content.assemble((f"{glyphs.cursor}{title}", f"{tone} bold"), words)
    return row.truncate(width, ellipsis=True, pad=True)


class Notices(Widget):
    """The notices of one screen, in one widget. A click puts one away."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Notices {
        layer: _toastrack; position: absolute; display: none;
        background: $panel; color: $foreground;
    }
    """

    def __init__(self, glyphs: Glyphs, put_away: Callable[[Notice], None]):
        super().__init__()
        self._glyphs = glyphs
        self._put_away = put_away
        self._notices: tuple[Notice, ...] = ()
        self._rows: list[tuple[Notice, Content]] = []
        self._known: object = None

    def show(self, notices: tuple[Notice, ...]) -> None:
        """Show these and no others."""
        self._notices = notices
        self._known = None
        self._place()

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._place, init=False)
        self.screen.screen_layout_refresh_signal.subscribe(self, self._place)
        self._place()

    def _place(self, *_: object) -> None:
        """Where there is room now. Looked for anew when the panes or the focus moved."""
        screen = self.screen
        focus = screen.focused
        over = tuple(self._taken()) if isinstance(screen, ModalScreen) else ()
        known = (screen.size, focus, focus.region if focus is not None else None, over)
        if not self.is_attached or (known == self._known and self.display == bool(self._notices)):
            return
        self._known = known
        self.display = bool(self._notices)
        if not self._notices:
            return
        size = screen.size
        place = self._room(size)
        if place is None:
            place = Region(0, 0, size.width, 1)
            newest = self._notices[-1]
            self._rows = [(newest, in_a_line(newest, size.width, self._glyphs))]
        else:
            self._rows = self._lines(place.width, size)
        self.styles.offset = place.offset
        self.styles.width, self.styles.height = place.width, place.height
        self.refresh()

    def _room(self, size: Size) -> Region | None:
        """Beside inspector and list, too, if a notice of some width has room there; else over
        one of them."""
        taken = list(self._taken())
        spared = [
            each.region for each in self.screen.query("Inspector, SessionList") if each.is_on_screen
        ]

        def height(width: int) -> int:
            return len(self._lines(width, size))

        place = find_room(size, [*taken, *spared], height) if spared else None
        if place is not None and place.width >= BESIDE:
            return place
        return find_room(size, taken, height)

    def _lines(self, width: int, size: Size) -> list[tuple[Notice, Content]]:
        most = next(rows for (w, h), rows in ROWS if size.width >= w and size.height >= h)
        return [
            (notice, row)
            for notice in self._notices
            for row in drawn(notice, width, most, self._glyphs)
        ]

    def _taken(self) -> Iterable[Region]:
        """What stays in sight: the pane in focus, every field, the lines that warn; of a dialog
        all of it."""
        screen = self.screen
        if isinstance(screen, ModalScreen):
            boxes = [each for each in screen.children if each is not self]
            kept: Iterable[Widget] = [*boxes, *(part for each in boxes for part in each.children)]
        else:
            focus = [*self._pane_in_focus()]
            stay = [*screen.query(Banner), *screen.query(HintLine)]
            kept = [*screen.query(TextArea), *screen.query(Input), *stay, *focus]
        return [each.region for each in kept if each.is_on_screen and each.region.area]

    def _pane_in_focus(self) -> Iterable[Widget]:
        """The widget in focus, and the pane or lane that it is a part of."""
        focused = self.screen.focused
        for node in focused.ancestors_with_self if focused is not None else ():
            pane = node is focused or node.has_class("pane") or node.has_class("-on")
            if isinstance(node, Widget) and pane:
                yield node

    def render(self) -> Content:
        return Content("\n").join(row for _, row in self._rows)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if 0 <= event.y < len(self._rows):
            self._put_away(self._rows[event.y][0])
