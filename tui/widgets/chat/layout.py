"""How a message is laid out in rows: pure functions of what it says and of the width.

They run in a thread for long messages (`prepare`) and on the loop for short ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from textual.content import Content

from tui.look.cells import fit
from tui.widgets.chat.markdown_safe import parse, plain
from tui.widgets.chat.pieces import DIM, Paragraph, Piece, Rows
from tui.widgets.chat.shown import Shown

__all__ = [
    "BODY_LIMIT",
    "PARSE_ON_LOOP",
    "Prepared",
    "body_rows",
    "cut",
    "framed",
    "header",
    "inside",
    "lay_out",
    "more_piece",
    "pieces_of",
    "prepare",
]

BODY_LIMIT = 20_000
"""Most characters of one message that are laid out; the rest waits in the pager."""

PARSE_ON_LOOP = 2000
"""Messages up to this many characters are parsed where they are mounted (about 2 ms)."""

PARSE_IN_PAGE = 300
"""The same for one of a page of messages."""

LINE_LIMIT = 1000
"""Most lines of one message that are laid out."""

_INDENT, _BAR = "  ", "┃ "
_GUTTER = 1  # the block cursor stands here
_LEAST = 8  # cells, however narrow the column
_LEAST_OF_A_NAME = 4  # cells of a model's name that still say something
_TITLES = {"person": "bold $text-secondary", "assistant": "bold $text-primary"}
_SEVERITIES = {"warning": "$text-warning", "error": "$text-error"}


@dataclass(slots=True)
class Prepared:
    """A message parsed, and laid out for `width` (0: not yet)."""

    pieces: tuple[Piece, ...]
    width: int = 0
    rows: Rows = field(default_factory=list)


def cut(text: str) -> tuple[str, int]:
    """`text` as far as it is laid out, and the number of characters left out."""
    shown = text[:BODY_LIMIT]
    if shown.count("\n") > LINE_LIMIT:
        shown = "\n".join(shown.split("\n", LINE_LIMIT)[:LINE_LIMIT])
    return shown, len(text) - len(shown)


def pieces_of(shown: Shown, *, unfold: bool = False) -> tuple[Piece, ...]:
    """The body of a message in pieces. Takes time with its length (see `prepare`)."""
    if not shown.body or (shown.folded and not unfold):
        return ()
    body, more = cut(shown.body)
    pieces = parse(body) if shown.markdown else plain(body)
    return (*pieces, more_piece(more)) if more else pieces


def more_piece(count: int) -> Piece:
    return Paragraph(Content.styled(f"… {count:,} more characters · v opens them all", DIM))


async def prepare(messages: Sequence[Shown], width: int) -> dict[str, Prepared]:
    """Parse and lay out the long ones among `messages` in a thread; the short ones cost little."""
    long = [one for one in messages if len(one.body) > PARSE_IN_PAGE and not one.folded]
    if not long:
        return {}
    return await asyncio.to_thread(lambda: {shown.key: _prepared(shown, width) for shown in long})


def _prepared(shown: Shown, width: int) -> Prepared:
    pieces = pieces_of(shown)
    return Prepared(pieces, width, lay_out(shown, pieces, width))


def body_rows(shown: Shown, piece: Piece, width: int) -> Rows:
    """A piece between the margins that say who speaks: a bar for people, none for replies."""
    return framed(shown, piece.rows(inside(shown, width)))


def inside(shown: Shown, width: int) -> int:
    """Cells between the margins."""
    return max(_LEAST, width - _GUTTER) - len(_bar(shown))


def framed(shown: Shown, rows: Rows) -> Rows:
    """Rows of a piece with the margins that say who speaks."""
    bar = _bar(shown)
    margin = Content.styled(bar, "$text-secondary" if bar == _BAR else "")
    rows = [margin + row for row in rows]
    return [row.stylize(DIM) for row in rows] if shown.aside else rows


def _bar(shown: Shown) -> str:
    return _BAR if shown.kind == "person" else _INDENT


def lay_out(shown: Shown, pieces: Sequence[Piece], width: int) -> Rows:
    """All rows of a message in `width` cells, one of which is the block cursor's."""
    body = [row for piece in pieces for row in body_rows(shown, piece, width)]
    return [*_head(shown, width), *body, *_tail(shown, width)]


def _tail(shown: Shown, width: int) -> Rows:
    room = max(_LEAST, width - _GUTTER) - len(_INDENT)
    rows: Rows = []
    for line in shown.lines:
        whole = Content.styled(line, _state_style(line))
        # A tool call is folded to one row; why something failed is read to its end.
        rows += whole.wrap(room) if line.startswith("✘") else [whole.truncate(room, ellipsis=True)]
    return [Content(_INDENT) + row for row in rows]


def _head(shown: Shown, width: int) -> Rows:
    room = max(_LEAST, width - _GUTTER)
    match shown.kind:
        case "rule":
            return [_rule(shown, room)]
        case "note" | "tool":
            style = _SEVERITIES.get(shown.severity, DIM)
            if shown.kind == "tool":
                rows = [Content.styled(fit(shown.title, room - len(_INDENT)), style)]
            else:
                rows = Content.styled(shown.title, style).wrap(room - len(_INDENT))
            return [Content(_INDENT) + row for row in rows]
    return [header(shown, width, right=shown.right)]


def _state_style(words: str) -> str:
    """Colour beside the sign and the word that say the same."""
    signs = {"✘": "$text-error", "■": "$text-warning", "▲": "$text-warning", "◐": "$text-accent"}
    return signs.get(words[:1], DIM)


def header(shown: Shown, width: int, *, right: str) -> Content:
    """`  mia ▸ model          1.2k tok · 2.1 s`: the left gives way when it is tight, a time of
    day or a date to a shorter one, or as a whole; the right, which has half of the room or what the
    left leaves, loses its last parts."""
    room = max(_LEAST, width - _GUTTER) - len(_INDENT)
    spare = room - cell_len(f"{shown.title} ▸ {shown.detail}") - 2
    right = _right(shown, right, max(room // 2, spare))
    left = _left(shown, max(1, room - cell_len(right) - 2 * bool(right)))
    end = Content.styled(right, _state_style(right))
    gap = " " * max(0, room - left.cell_length - end.cell_length)
    return Content(_INDENT) + left + gap + end


def _left(shown: Shown, room: int) -> Content:
    """Who speaks, and the model or when."""
    title = Content.styled(shown.title, DIM if shown.aside else _TITLES.get(shown.kind, "bold"))
    if shown.kind == "assistant":
        model = f" ▸ {shown.detail}" if shown.detail else ""
        fits = title.cell_length + len(" ▸ ") + _LEAST_OF_A_NAME <= room
        whole = title + Content.styled(model, DIM) if fits else title
        return whole.truncate(room, ellipsis=True)
    forms = (f"  {when}" for when in (shown.detail, shown.brief) if when)
    when = next((form for form in forms if title.cell_length + cell_len(form) <= room), "")
    return title.truncate(room, ellipsis=True) + Content.styled(when, DIM)


def _right(shown: Shown, right: str, room: int) -> str:
    """How it ended or how it stands, and how many branches part here."""
    parts = [part for part in right.split(" · ") if part]
    marks = [f"┬ {shown.beside:,} branches", f"┬ {shown.beside:,}"] if shown.beside else [""]
    for count in range(len(parts), -1, -1):
        for mark in marks:
            told = " · ".join(part for part in (*parts[:count], mark) if part)
            if told and cell_len(told) <= room:
                return told
    return fit(" · ".join(parts) or marks[-1], room).rstrip() if parts or shown.beside else ""


def _rule(shown: Shown, width: int) -> Content:
    tail = " Enter ──" if shown.body and width >= 50 else ""
    head = fit(f"─{shown.title} ", min(width - len(tail), len(shown.title) + 2))
    line = head + "─" * max(0, width - len(head) - len(tail)) + tail
    return Content.styled(fit(line, width), DIM)
