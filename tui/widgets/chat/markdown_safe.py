"""Markdown from untrusted text, as plain rows of styled Content: no widgets, links or actions.

A message is parsed into pieces once; a piece is laid out in rows for a given width. Nothing in
the text becomes markup, a style, an action or a terminal link: an address is written out beside
the words it hides behind, raw HTML stays text, and every run of characters passes `safe_text`
after entities are decoded (`&#x202e;` is a character only then).

Costs are bounded: a paragraph longer than INLINE_LIMIT keeps its line breaks and nothing else,
and what is nested deeper than MAX_DEPTH is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from textual.content import Content, Span

from engine.text import safe_line, safe_text, shorten
from tui.widgets.chat.pieces import DIM, Grid, Paragraph, Piece

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = [
    "INLINE_LIMIT",
    "MAX_DEPTH",
    "code_blocks",
    "parse",
    "parse_lines",
    "plain",
]

INLINE_LIMIT = 4000
"""Most characters of one paragraph in which emphasis, code and links are looked for."""

MAX_DEPTH = 36
"""Deepest nesting of quotes and lists (each list counts twice) that is laid out."""

HIGHLIGHT_LIMIT = 4000
"""Most characters of a code block that get colours."""

GRID_ROWS, GRID_COLUMNS = 200, 20
"""Most rows and columns of a table that are laid out."""

_PARSER_NESTING = 40
_STAIRS = re.compile(r"^(?:[ \t]*>){12}", re.MULTILINE)
"""Twelve quote signs in a row: the parser takes quadratic time on what follows."""

_LINK_LIMIT = 200
_QUOTE, _CODE = "▎ ", "│ "
_INLINE_CODE, _HEADING = "$text-accent", "bold $text-primary"
_SPANS = {"em": "italic", "strong": "bold", "s": "strike", "link": "underline"}
# fmt: off
_LANGUAGES = frozenset({
    "bash", "c", "cpp", "css", "diff", "go", "html", "ini", "java", "javascript", "js",
    "json", "jsx", "kotlin", "lua", "php", "py", "python", "rb", "ruby", "rust", "sh",
    "shell", "sql", "swift", "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml", "zsh",
})
# fmt: on
"""Only these lexers run on foreign code: among the hundreds there are slow ones."""


def plain(text: str) -> tuple[Piece, ...]:
    """Text as it was written, made safe, with its own line breaks and nothing interpreted."""
    return (Paragraph(_text(text)),)


def _text(text: str, style: str = "") -> Content:
    safe = safe_text(text).expandtabs(4)
    return Content.styled(safe, style) if style else Content(safe)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _PARSER_NESTING})
    # Without "reference" a line such as `[a]: words` stays visible instead of vanishing.
    return parser.enable(["table", "strikethrough"]).disable(["inline", "reference"])


def parse(text: str) -> tuple[Piece, ...]:
    """The pieces of a Markdown message. Never raises, whatever the text holds."""
    return tuple(piece for _, piece in parse_lines(text))


def parse_lines(text: str) -> list[tuple[int, Piece]]:
    """As `parse`, each piece with the line (0-based) on which its outermost block begins."""
    env: dict[str, object] = {}
    text = safe_text(text)
    tokens = [] if _STAIRS.search(text) else _parser().parse(text, env)
    if (text and not tokens) or any(token.level >= MAX_DEPTH for token in tokens):
        return [(0, piece) for piece in plain(text)]
    builder = _Builder(env)
    for token in tokens:
        builder.add(token)
    return builder.pieces


def code_blocks(text: str) -> list[str]:
    """The code blocks of a Markdown message, in order, without their fences."""
    tokens = _parser().parse(text, {})
    return [token.content for token in tokens if token.type in ("fence", "code_block")]


@dataclass(slots=True)
class _Margin:
    """What one quote or list item writes before its rows; `first` only once."""

    first: str
    rest: str
    used: bool = False


@dataclass(slots=True)
class _Builder:
    """Turns block tokens into pieces, with a stack instead of recursion."""

    env: Mapping[str, object]
    pieces: list[tuple[int, Piece]] = field(default_factory=list)
    margins: list[_Margin] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    heading: bool = False
    gap: bool = False
    line: int = 0
    table: list[list[Content]] | None = None
    right: set[int] = field(default_factory=set)
    skipped: int = 0
    full: bool = False

    def add(self, token: Token) -> None:
        if token.level == 0 and token.map is not None:
            self.line = token.map[0]
        handler = getattr(self, f"_{token.type}", None)
        if handler is not None:
            handler(token)

    def _margin_texts(self) -> tuple[str, str]:
        first = "".join(one.rest if one.used else one.first for one in self.margins)
        for one in self.margins:
            one.used = True
        return first, "".join(one.rest for one in self.margins)

    def _put(self, piece_of: Content, *, fold: bool = False, inner: str = "") -> None:
        if self.gap and self.pieces:
            rest = "".join(one.rest if one.used else "" for one in self.margins)
            self.pieces.append((self.line, Paragraph(Content(""), rest, rest)))
        self.gap = False
        first, rest = self._margin_texts()
        self.pieces.append((self.line, Paragraph(piece_of, first + inner, rest + inner, fold)))

    def _blockquote_open(self, token: Token) -> None:
        self.margins.append(_Margin(_QUOTE, _QUOTE))

    def _blockquote_close(self, token: Token) -> None:
        self.margins.pop()
        self.gap = True

    def _bullet_list_open(self, token: Token) -> None:
        self.numbers.append(None)

    def _ordered_list_open(self, token: Token) -> None:
        start = token.attrs.get("start", 1)
        self.numbers.append(int(start))

    def _list_close(self, token: Token) -> None:
        self.numbers.pop()
        self.gap = self.gap or not self.numbers

    _bullet_list_close = _ordered_list_close = _list_close

    def _list_item_open(self, token: Token) -> None:
        number = self.numbers[-1]
        sign = "• " if number is None else f"{number}. "
        if number is not None:
            self.numbers[-1] = number + 1
        self.margins.append(_Margin(sign, " " * len(sign)))

    def _list_item_close(self, token: Token) -> None:
        if not self.margins[-1].used:  # an item without words still shows its sign
            self._put(Content(""))
        self.margins.pop()

    def _heading_open(self, token: Token) -> None:
        self.gap = self.heading = True

    def _heading_close(self, token: Token) -> None:
        self.heading = False
        self.gap = True

    def _paragraph_close(self, token: Token) -> None:
        self.gap = self.gap or not token.hidden

    def _hr(self, token: Token) -> None:
        self.gap = True
        self._put(Content.styled("─" * 24, DIM))
        self.gap = True

    def _fence(self, token: Token) -> None:
        code = safe_text(token.content).rstrip("\n").expandtabs(4)
        language = safe_line(token.info.split(" ")[0], limit=20).lower()
        self.gap = True
        if language:
            self._put(Content.styled(language, DIM), inner="╭ ")
        self._put(_coloured(code, language), fold=True, inner=_CODE)
        self.gap = True

    _code_block = _fence

    def _inline(self, token: Token) -> None:
        content = inline(token.content, self.env)
        if self.table is not None:
            self._cell(content)
        else:
            self._put(content.stylize(_HEADING) if self.heading else content)

    def _table_open(self, token: Token) -> None:
        self.table, self.right, self.skipped = [], set(), 0

    def _th_open(self, token: Token) -> None:
        if self.table and "right" in str(token.attrs.get("style", "")):
            self.right.add(len(self.table[0]))

    def _tr_open(self, token: Token) -> None:
        self.full = self.table is None or len(self.table) >= GRID_ROWS
        if self.table is not None and not self.full:
            self.table.append([])

    def _cell(self, content: Content) -> None:
        if self.table and not self.full and len(self.table[-1]) < GRID_COLUMNS:
            self.table[-1].append(content)
        else:
            self.skipped += 1

    def _table_close(self, token: Token) -> None:
        rows = tuple(tuple(row) for row in self.table or () if row)
        self.table = None
        if not rows:
            return
        self.gap = True
        first, rest = self._margin_texts()
        if self.pieces:
            self.pieces.append((self.line, Paragraph(Content(""), rest, rest)))
        self.pieces.append((self.line, Grid(rows, frozenset(self.right), first, self.skipped)))


def _coloured(code: str, language: str) -> Content:
    if language not in _LANGUAGES or len(code) > HIGHLIGHT_LIMIT:
        return Content(code)
    from textual.highlight import highlight

    return highlight(code, language=language, tab_size=4)


def inline(text: str, env: Mapping[str, object] | None = None) -> Content:
    """One paragraph: emphasis, code, and links written out; line breaks are kept."""
    if len(text) > INLINE_LIMIT:
        return _text(text)
    children: list[Token] = []
    parser = _parser()
    parser.inline.parse(text, parser, dict(env or {}), children)
    return _spans(children)


def _spans(children: Iterable[Token]) -> Content:
    parts: list[str] = []
    spans: list[Span] = []
    open_spans: list[tuple[str, int, str]] = []
    position = 0

    def put(text: str, style: str = "") -> None:
        nonlocal position
        if style:
            spans.append(Span(position, position + len(text), style))
        parts.append(text)
        position += len(text)

    for child in children:
        name, _, side = child.type.rpartition("_")
        if side == "open" and name in _SPANS:
            open_spans.append((name, position, str(child.attrs.get("href", ""))))
        elif side == "close" and open_spans:
            name, start, href = open_spans.pop()
            spans.append(Span(start, position, _SPANS[name]))
            if name == "link":
                put(_address(href, "".join(parts)[start:]), DIM)
        elif child.type in ("softbreak", "hardbreak"):
            put("\n")
        elif child.type == "image":
            alt = safe_line(child.content, limit=_LINK_LIMIT) or "no words"
            put(f"[picture: {alt}]")
            put(_address(str(child.attrs.get("src", "")), alt), DIM)
        else:
            put(_run(child.content), _INLINE_CODE if child.type == "code_inline" else "")
    return Content("".join(parts), spans)


def _run(text: str) -> str:
    return safe_text(text).replace("\t", " ")


def _address(href: str, words: str) -> str:
    """Where a link leads, unless its words say just that."""
    shown = shorten(safe_line(href, limit=_LINK_LIMIT), _LINK_LIMIT)
    return f" ({shown})" if shown and shown != words.strip() else ""
