from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tests.tui.test_markdown_safe import MARKDOWN
from tui.widgets.chat.growing import Growing
from tui.widgets.chat.layout import body_rows
from tui.widgets.chat.markdown_safe import parse_lines
from tui.widgets.chat.pieces import Paragraph, Piece, Rows
from tui.widgets.chat.shown import Shown

REPLY = Shown("live", "assistant", "mia")
WORDS = st.lists(
    st.sampled_from(
        ["a", "of", "longer", "漢字", "e\u0301", "unbelievably" * 3, "**", "`", "\n", "\t", "  "]
    ),
    max_size=60,
)


def whole(pieces: list[Piece], width: int) -> Rows:
    return [row for piece in pieces for row in body_rows(REPLY, piece, width)]


def looks(rows: Rows) -> list[tuple[str, object]]:
    return [(row.plain, row.spans) for row in rows]


@given(WORDS, st.integers(1, 30), st.booleans())
def test_rows_of_a_growing_text_are_those_of_the_whole(
    words: list[str], width: int, fold: bool
) -> None:
    growing, text = Growing(), ""
    for number, word in enumerate(words):
        text += word + " " * (number % 2)
        styled = Content(text).stylize("bold", 3, 9).stylize("red", len(text) // 2)
        pieces: list[Piece] = [Paragraph(styled, "- ", "  ", fold)]
        if number % 20 == 19:
            width += 3
        assert looks(growing.rows(REPLY, pieces, width)) == looks(whole(pieces, width))


@given(MARKDOWN, st.lists(st.integers(0, 400), max_size=12), st.integers(10, 40))
def test_rows_of_growing_blocks_are_those_of_the_whole(
    text: str, cuts: list[int], width: int
) -> None:
    growing = Growing()
    for cut in [*sorted(cut % (len(text) + 1) for cut in cuts), len(text)]:
        pieces = [piece for _, piece in parse_lines(text[:cut])]
        assert looks(growing.rows(REPLY, pieces, width)) == looks(whole(pieces, width))


def test_a_word_more_costs_no_more_in_a_long_paragraph() -> None:
    def cost(words: int) -> float:
        growing, text = Growing(), "some words " * words
        growing.rows(REPLY, [Paragraph(Content(text))], 60)
        best = 9.0
        for _ in range(20):
            text += "more "
            started = time.thread_time()
            growing.rows(REPLY, [Paragraph(Content(text))], 60)
            best = min(best, time.thread_time() - started)
        return best

    assert cost(1000) < 6 * cost(20), "fifty times the words"


def test_rows_that_are_full_stay_the_very_same() -> None:
    growing, text = Growing(), "some words " * 40
    before = growing.rows(REPLY, [Paragraph(Content(text))], 40)
    now = growing.rows(REPLY, [Paragraph(Content(text + "and more of them " * 5))], 40)
    same = [old is new for old, new in zip(before, now, strict=False)]
    assert all(same[:-2]) and len(now) > len(before)
