"""One message of the chat column: one widget, drawn row by row.

A message is laid out for its width once and then only the rows in view are drawn, so a long one
costs no more than a short one while somebody types. A reply that streams in is parsed from its
last open block on; what stands before it is final.
"""

from __future__ import annotations

import asyncio
import time

from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions
from textual.widget import Widget

from engine.text import safe_line, safe_text
from engine.values import replace
from tui.widgets.chat.growing import Growing, alike
from tui.widgets.chat.layout import (
    BODY_LIMIT,
    PARSE_ON_LOOP,
    Prepared,
    body_rows,
    cut,
    header,
    lay_out,
    more_piece,
    pieces_of,
)
from tui.widgets.chat.markdown_safe import code_blocks, parse_lines, plain
from tui.widgets.chat.pieces import Paragraph, Piece, Rows
from tui.widgets.chat.shown import Shown, set_aside
from tui.widgets.drawn import drawn
from tui.widgets.framed import FramedLines

__all__ = ["LiveMessage", "MessageView"]

_REPARSE = 8
"""A streaming parse waits this many times as long as the last one took."""


class MessageView(Widget):
    """A message at rest.

    Args:
        shown: what to draw.
        prepared: its body, when it has been parsed elsewhere.
    """

    DEFAULT_CSS = """
    MessageView {
        height: auto;
        margin: 1 0 0 0;
        padding: 0 1 0 0;
        text-wrap: nowrap;
        text-overflow: clip;
        &.-cursor { background: $boost; }
        &.-tight { margin: 0; }
    }
    """

    # As Textual has it, but without a second layout after the one that gave it: nothing scrolls.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self, shown: Shown, prepared: Prepared | None = None):
        super().__init__(classes="-tight" if shown.kind == "tool" else None)
        self.shown = shown
        long = len(shown.body) > PARSE_ON_LOOP and not shown.folded
        self._late = prepared is None and shown.markdown and long
        if prepared is None:
            pieces = plain(cut(shown.body)[0]) if self._late else pieces_of(shown)
            prepared = Prepared(pieces)
        self._pieces = prepared.pieces
        self._laid = (prepared.width, prepared.rows)

    def on_mount(self) -> None:
        if self._late:  # shown as written for the moment that parsing takes
            self.run_worker(self._parse_late(), group="parse", exclusive=True)

    async def _parse_late(self) -> None:
        self._pieces = await asyncio.to_thread(pieces_of, self.shown)
        self._redraw()

    def _redraw(self) -> None:
        self._laid = (0, [])
        self.refresh(layout=True)

    def set_aside(self) -> None:
        """Mark the message as one that is not answered."""
        self.shown = set_aside(self.shown)
        self._redraw()

    def mark(self, beside: int) -> None:
        """Say how many branches part here (0: no more than this one)."""
        if self.shown.beside != beside:
            self.shown = replace(self.shown, beside=beside)
            self._redraw()

    def point(self, on: bool) -> None:
        """Put the block cursor here, or take it away."""
        self.set_class(on, "-cursor")
        self.refresh()  # a theme may give the cursor no background of its own

    def unfold(self) -> bool:
        """Show what is behind a folded row, or fold it again; False when nothing is."""
        if not self.shown.folded:
            return False
        self._pieces = () if self._pieces else pieces_of(self.shown, unfold=True)
        self._redraw()
        return True

    @property
    def unfolded(self) -> bool:
        """Whether what was folded away is shown."""
        return self.shown.folded and bool(self._pieces)

    def text_to_copy(self) -> str:
        """The words of the message, safe to paste anywhere, or its one line when it has none."""
        return safe_text(self.shown.body) if self.shown.body else self.shown.title

    def last_code(self) -> str | None:
        """The last code block of a Markdown message."""
        blocks = code_blocks(self.shown.body) if self.shown.markdown else []
        return safe_text(blocks[-1]) if blocks else None

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.rows(width))

    def rows(self, width: int) -> Rows:
        """All rows for `width` cells, the cursor's gutter not included."""
        if self._laid[0] != width:
            self._laid = (width, self._lay_out(width))
        return self._laid[1]

    def _lay_out(self, width: int) -> Rows:
        return lay_out(self.shown, self._pieces, width)

    def render_line(self, y: int) -> Strip:
        style = self.visual_style
        rows, width = self.rows(self.size.width), self.size.width
        if not 0 <= y < len(rows):
            return Strip.blank(width, style.rich_style)
        cursor = Content.styled("▌", "$text-accent") if self.has_class("-cursor") else Content(" ")
        row = self._selected(drawn(self, cursor + rows[y]), y)
        options = RenderOptions(self._get_style, self.styles.get_rules())
        strip = row.render_strips(max(1, width), 1, style, options)[0]
        return strip.adjust_cell_length(width, style.rich_style).apply_offsets(0, y)

    def _selected(self, row: Content, y: int) -> Content:
        selection = self.text_selection
        span = selection.get_span(y) if selection is not None else None
        if span is None:
            return row
        start, end = span
        style = Style.from_styles(self.screen.get_component_styles("screen--selection"))
        return row.stylize(style, start, len(row.plain) if end == -1 else end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        text = "\n".join(" " + row.plain for row in self.rows(self.size.width))
        return selection.extract(text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _first_change(before: Rows, now: Rows) -> int:
    """The first row below the header that is not as it was."""
    pairs = enumerate(zip(before[1:], now[1:], strict=False), 1)
    changed = (place for place, (old, new) in pairs if not alike(old, new))
    return next(changed, min(len(before), len(now)))


class LiveMessage(MessageView):
    """A reply while it is written. `feed` takes what arrives, `state` says what goes on."""

    def __init__(self, shown: Shown, text: str = ""):
        super().__init__(shown, Prepared(()))
        self._styles_cache = FramedLines()
        self.text = text
        self.state = "◐ waiting"
        self._stable: list[Piece] = []
        self._stable_rows: tuple[int, int, Rows] = (0, 0, [])
        self._growing = Growing()
        self._line = 0
        self._shown_to = 0
        self._strips: dict[int, tuple[object, Content, Strip]] = {}
        self._again = 0.0
        self._waiting = False
        if text:
            self.state = "◐ streaming"
            self._parse()

    def render_line(self, y: int) -> Strip:
        """As any message; rows that did not change since are not made anew: a reply grows by a
        row many times a second, and Textual forgets all of them each time."""
        rows = self.rows(self.size.width)
        if not 0 <= y < len(rows) or self.text_selection is not None:
            return super().render_line(y)
        look = (self.size.width, self.visual_style, self.has_class("-cursor"))
        kept = self._strips.get(y)
        if kept is None or kept[0] != look or not alike(kept[1], rows[y]):
            kept = self._strips[y] = look, rows[y], super().render_line(y)
        return kept[2]

    def text_to_copy(self) -> str:
        return safe_text(self.text)

    def last_code(self) -> str | None:
        blocks = code_blocks(self.text)
        return safe_text(blocks[-1]) if blocks else None

    def feed(self, text: str, state: str) -> None:
        """Add to the reply and draw it again, later when the last parse was a long one."""
        self.text += text
        self.state = safe_line(state, limit=80)
        wait = self._again - time.monotonic()
        if wait <= 0:
            self._parse()
        elif not self._waiting:
            self._waiting = True
            self.set_timer(max(0.02, wait), self._catch_up)
        self._redraw()

    def finished(self, text: str) -> Prepared | None:
        """What was parsed on the way, if that is all of `text`; spares a second parse."""
        if text != self.text or self._shown_to < len(text) or len(text) > BODY_LIMIT:
            return None
        return Prepared((*self._stable, *self._pieces))

    def _redraw(self) -> None:
        """Paint only what changed: the last rows mostly, and the header. A reply that got longer
        within its rows moves nothing else on the screen."""
        width, before = self._laid
        self._laid = (0, [])
        now = self.rows(width) if width > 0 else []
        if not now or not before:
            self.refresh(layout=True)
            return
        changed = _first_change(before, now)
        regions = [Region(0, changed, self.size.width, max(len(before), len(now)) - changed)]
        if not alike(before[0], now[0]):
            regions.append(Region(0, 0, self.size.width, 1))
        self.refresh(*regions, layout=len(now) != len(before))

    def _catch_up(self) -> None:
        self._waiting = False
        if self._shown_to < len(self.text):
            self._parse()
            self._redraw()

    def _parse(self) -> None:
        """Parse from the last open block on; blocks before it are final."""
        started = time.monotonic()
        body, more = cut(self.text)
        self._shown_to = len(self.text)
        lines = safe_text(body).split("\n")[self._line :]
        found = parse_lines("\n".join(lines))
        if self._stable:
            found.insert(0, (0, Paragraph(Content(""))))
        last = found[-1][0] if found else 0
        if 0 < last < len(lines) - 1:  # a block that begins in an unfinished line may yet vanish
            self._stable += [piece for line, piece in found if line < last]
            found = [(line, piece) for line, piece in found if line == last]
            self._line += last
        open_block = tuple(piece for _, piece in found)
        self._pieces = (*open_block, more_piece(more)) if more else open_block
        self._again = time.monotonic() + _REPARSE * (time.monotonic() - started)

    def _lay_out(self, width: int) -> Rows:
        done, for_width, rows = self._stable_rows
        if for_width != width:
            done, rows = 0, []
        for piece in self._stable[done:]:
            rows.extend(body_rows(self.shown, piece, width))
        self._stable_rows = (len(self._stable), width, rows)
        tail = self._growing.rows(self.shown, self._pieces, width)
        return [header(self.shown, width, right=self.state), *rows, *tail]
