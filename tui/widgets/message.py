"""One message of the chat column: one widget, drawn row by row.

A message is laid out for its width once and then only the rows in view are drawn, so a long one
costs no more than a short one while somebody types. A reply that streams in is parsed from its
last open block on; what stands before it is final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import chain

from textual.content import Content
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions
from textual.widget import Widget

from engine.text import safe_line, safe_text
from tui.cells import fit
from tui.widgets.markdown_safe import code_blocks, parse, parse_lines, plain
from tui.widgets.pieces import DIM, Paragraph, Piece, Rows
from tui.widgets.shown import Shown

__all__ = ["BODY_LIMIT", "LiveMessage", "MessageView", "prepare"]

BODY_LIMIT = 20_000
"""Most characters of one message that are laid out; the rest waits in the pager."""

PARSE_ON_LOOP = 2000
"""Messages up to this many characters are parsed where they are mounted (about 2 ms)."""

LINE_LIMIT = 1000
"""Most lines of one message that are laid out."""

_INDENT, _BAR = "  ", "┃ "
_GUTTER = 1  # the block cursor stands here
_TITLES = {"person": "bold $text-secondary", "assistant": "bold $text-primary"}
_SEVERITIES = {"warning": "$text-warning", "error": "$text-error"}
_REPARSE = 8
"""A streaming parse waits this many times as long as the last one took."""


def cut(text: str) -> tuple[str, int]:
    """`text` as far as it is laid out, and the number of characters left out."""
    shown = text[:BODY_LIMIT]
    if shown.count("\n") > LINE_LIMIT:
        shown = "\n".join(shown.split("\n", LINE_LIMIT)[:LINE_LIMIT])
    return shown, len(text) - len(shown)


def pieces_of(shown: Shown) -> tuple[Piece, ...]:
    """The body of a message in pieces. Takes time with its length (see `prepare`)."""
    if shown.kind == "rule" or not shown.body:
        return ()
    body, more = cut(shown.body)
    pieces = parse(body) if shown.markdown else plain(body)
    return (*pieces, _more(more)) if more else pieces


def _more(count: int) -> Piece:
    return Paragraph(Content.styled(f"… {count:,} more characters · v opens them all", DIM))


async def prepare(messages: Sequence[Shown]) -> dict[str, tuple[Piece, ...]]:
    """Parse the long ones among `messages` in a thread; the short ones cost nothing later."""
    long = [shown for shown in messages if len(shown.body) > PARSE_ON_LOOP]
    if not long:
        return {}
    return await asyncio.to_thread(lambda: {shown.key: pieces_of(shown) for shown in long})


class MessageView(Widget):
    """A message at rest.

    Args:
        shown: what to draw.
        pieces: its body, when it has been parsed elsewhere.
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

    def __init__(self, shown: Shown, pieces: tuple[Piece, ...] | None = None):
        super().__init__(classes="-tight" if shown.kind == "tool" else None)
        self.shown = shown
        self._late = pieces is None and shown.markdown and len(shown.body) > PARSE_ON_LOOP
        if pieces is None:
            pieces = plain(cut(shown.body)[0]) if self._late else pieces_of(shown)
        self._pieces = pieces
        self._laid: tuple[int, Rows] = (0, [])

    def on_mount(self) -> None:
        if self._late:  # shown as written for the moment that parsing takes
            self.run_worker(self._parse_late(), group="parse", exclusive=True)

    async def _parse_late(self) -> None:
        self._pieces = await asyncio.to_thread(pieces_of, self.shown)
        self._redraw()

    def _redraw(self) -> None:
        self._laid = (0, [])
        self.refresh(layout=True)

    def point(self, on: bool) -> None:
        """Put the block cursor here, or take it away."""
        self.set_class(on, "-cursor")
        self.refresh()  # a theme may give the cursor no background of its own

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
            self._laid = (width, self._lay_out(max(8, width - _GUTTER)))
        return self._laid[1]

    def _lay_out(self, width: int) -> Rows:
        bar = _BAR if self.shown.kind == "person" else _INDENT
        margin = Content.styled(bar, "$text-secondary" if bar == _BAR else "")
        head = self._header(width)
        return [*head, *(margin + row for row in self._body(width - len(bar))), *self._tail(width)]

    def _body(self, width: int) -> Rows:
        return list(chain.from_iterable(piece.rows(width) for piece in self._pieces))

    def _tail(self, width: int) -> Rows:
        room = width - len(_INDENT)
        return [
            Content.styled(_INDENT + fit(line, room).rstrip(), DIM) for line in self.shown.lines
        ]

    def _header(self, width: int) -> Rows:
        shown = self.shown
        match shown.kind:
            case "rule":
                return [_rule(shown, width)]
            case "note" | "tool":
                style = _SEVERITIES.get(shown.severity, DIM)
                text = Content.styled(shown.title, style)
                rows = text.wrap(width - len(_INDENT)) if shown.kind == "note" else None
                rows = rows or [Content.styled(fit(shown.title, width - len(_INDENT)), style)]
                return [Content(_INDENT) + row for row in rows]
        return [header(shown, width, right=shown.right)]

    def render_line(self, y: int) -> Strip:
        style = self.visual_style
        rows, width = self.rows(self.size.width), self.size.width
        if not 0 <= y < len(rows):
            return Strip.blank(width, style.rich_style)
        cursor = Content.styled("▌", "$text-accent") if self.has_class("-cursor") else Content(" ")
        row = self._selected(cursor + rows[y], y)
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


def _state_style(words: str) -> str:
    """Colour beside the sign and the word that say the same."""
    signs = {"✘": "$text-error", "■": "$text-warning", "▲": "$text-warning", "◐": "$text-accent"}
    return signs.get(words[:1], DIM)


def header(shown: Shown, width: int, *, right: str) -> Content:
    """`  mia ▸ model          1.2k tok · 2.1 s`: the left gives way when it is tight."""
    room = max(1, width - len(_INDENT))
    right = fit(right, room // 2).rstrip() if len(right) > room // 2 else right
    joint = " ▸ " if shown.kind == "assistant" and shown.detail else "  "
    left = Content.assemble(
        (shown.title, _TITLES.get(shown.kind, "bold")), (joint + shown.detail, DIM)
    )
    end = Content.styled(right, _state_style(right))
    left = left.truncate(max(1, room - end.cell_length - 2), ellipsis=True)
    gap = " " * max(0, room - left.cell_length - end.cell_length)
    return Content(_INDENT) + left + gap + end


def _rule(shown: Shown, width: int) -> Content:
    tail = " Enter ──" if shown.body and width >= 50 else ""
    head = fit(f"─{shown.title} ", min(width - len(tail), len(shown.title) + 2))
    line = head + "─" * max(0, width - len(head) - len(tail)) + tail
    return Content.styled(fit(line, width), DIM)


class LiveMessage(MessageView):
    """A reply while it is written. `feed` takes what arrives, `state` says what goes on."""

    def __init__(self, shown: Shown, text: str = ""):
        super().__init__(shown, ())
        self.text = text
        self.state = "◐ waiting"
        self._stable: list[Piece] = []
        self._stable_rows: tuple[int, int, Rows] = (0, 0, [])
        self._line = 0
        self._shown_to = 0
        self._again = 0.0
        if text:
            self.state = "◐ streaming"
            self._parse()

    def text_to_copy(self) -> str:
        return safe_text(self.text)

    def last_code(self) -> str | None:
        blocks = code_blocks(self.text)
        return safe_text(blocks[-1]) if blocks else None

    def feed(self, text: str, state: str) -> None:
        """Add to the reply and draw it again, later when the last parse was a long one."""
        self.text += text
        self.state = safe_line(state, limit=80)
        if time.monotonic() >= self._again:
            self._parse()
        else:
            self.set_timer(max(0.02, self._again - time.monotonic()), self._catch_up)
        self._redraw()

    def finished_pieces(self, text: str) -> tuple[Piece, ...] | None:
        """What was parsed on the way, if that is all of `text`; spares a second parse."""
        if text != self.text or self._shown_to < len(text) or len(text) > BODY_LIMIT:
            return None
        return (*self._stable, *self._pieces)

    def _catch_up(self) -> None:
        if self._shown_to < len(self.text) and time.monotonic() >= self._again:
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
        self._pieces = (*open_block, _more(more)) if more else open_block
        self._again = time.monotonic() + _REPARSE * (time.monotonic() - started)

    def _body(self, width: int) -> Rows:
        done, for_width, rows = self._stable_rows
        if for_width != width:
            done, rows = 0, []
        for piece in self._stable[done:]:
            rows.extend(piece.rows(width))
        self._stable_rows = (len(self._stable), width, rows)
        return [*rows, *super()._body(width)]

    def _header(self, width: int) -> Rows:
        return [header(self.shown, width, right=self.state)]
