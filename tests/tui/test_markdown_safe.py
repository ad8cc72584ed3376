from __future__ import annotations

import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.text import safe_text
from tests.corpus import HOSTILE, raw_controls
from tui.widgets.chat.markdown_safe import code_blocks, parse, plain

WIDTHS = (1, 2, 7, 40, 120)

PARTS = (
    ["a", "word ", "*", "**", "_", "`", "```", "\n", "\n\n", "    ", "> ", "- ", "1. ", "# ", "|"],
    ["|-|-|", "[x](y)", "![", "](", "<b>", "~~", "---", "\t", "\\", "&#27;", "&#x202e;"],
    ["\x1b[2J", "\u202e", "漢字", "👩\u200d👩\u200d👧", "[/]", "[@click=app.quit]"],
)
MARKDOWN = st.lists(st.sampled_from([one for line in PARTS for one in line]), max_size=60).map(
    "".join
)


def shown(text: str, width: int = 60) -> list[str]:
    return [row.plain for piece in parse(text) for row in piece.rows(width)]


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_nothing_hostile_gets_through_at_any_width(name: str) -> None:
    text = HOSTILE[name][:20_000]
    for pieces in (parse(text), plain(text)):
        for width in WIDTHS:
            rows = [row for piece in pieces for row in piece.rows(width)]
            assert not raw_controls("".join(row.plain for row in rows))
            for row in rows:
                assert row.cell_length <= max(width, 6) or width < 8, row.plain[:80]


@given(MARKDOWN)
@example("> > - \n")
@example("- ```\n  a\n- | a |\n  |-|\n")
def test_any_markdown_is_laid_out_within_its_width(text: str) -> None:
    for width in (20, 80):
        for piece in parse(text):
            for row in piece.rows(width):
                assert row.cell_length <= width
                assert "\n" not in row.plain
                assert not raw_controls(row.plain)


@given(MARKDOWN)
def test_styles_hold_no_action_and_no_link(text: str) -> None:
    for piece in parse(text):
        for row in piece.rows(80):
            for span in row.spans:
                assert isinstance(span.style, str)
                assert "@" not in span.style and "link" not in span.style


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), min_size=1, max_size=30))
def test_no_word_is_lost(words: list[str]) -> None:
    text = " ".join(words)
    for width in (9, 30):
        joined = " ".join(shown(f"- **{text}**\n\n> {text}\n\n{text}", width)).split()
        for word in set(words):
            assert joined.count(word) >= 3 * words.count(word)


def test_entities_cannot_bring_back_what_was_made_safe() -> None:
    assert shown("a&#27;b&#x202e;c&ZeroWidthSpace;d") == ["a�b<U+202E>c<U+200B>d"]


def test_a_link_shows_where_it_leads() -> None:
    assert shown("[bank](https://evil.example/a)") == ["bank (https://evil.example/a)"]
    assert shown("<https://one.example>") == ["https://one.example"]
    assert shown("[https://one.example](https://two.example)") == [
        "https://one.example (https://two.example)"
    ]
    assert shown("![cat](https://x.example/c.png)") == ["[picture: cat] (https://x.example/c.png)"]
    assert shown("[x](action:app.quit)") == ["x (action:app.quit)"]


def test_html_and_reference_definitions_stay_visible() -> None:
    assert shown("<script>alert(1)</script>") == ["<script>alert(1)</script>"]
    assert shown("<div style='display:none'>\nwords\n</div>")[1] == "words"
    assert shown("[hidden]: these words do not vanish") == ["[hidden]: these words do not vanish"]


def test_blocks_look_like_what_they_are() -> None:
    text = "# Head\ntext\n\n- a\n- b\n  1. c\n     d\n\n> said\n\n```py\nx = 1\n```\n"
    assert shown(text) == [
        "Head", "", "text", "", "• a", "• b", "  1. c", "     d", "", "▎ said", "",
        "╭ py", "│ x = 1",
    ]  # fmt: skip


def test_a_table_keeps_its_columns_and_wraps_within_the_width() -> None:
    text = "| name | amount |\n|---|---:|\n| one | 5 |\n| two words here | 1000 |"
    assert shown(text) == [
        "name            amount",
        "──────────────  ──────",
        "one                  5",
        "two words here    1000",
    ]
    assert all(len(row) <= 16 for row in shown(text, 16))
    assert "words" in " ".join(shown(text, 16))


def test_what_is_left_out_of_a_large_table_is_counted() -> None:
    text = "|a|b|\n|-|-|\n" + "|1|2|\n" * 900
    rows = shown(text)
    assert len(rows) < 300
    assert "1,402 more cells" in rows[-1]
    wide = "|" + "a|" * 50 + "\n|" + "-|" * 50
    assert "30 more cells" in shown(wide, 200)[-1]


def test_code_keeps_its_spaces_and_is_never_wrapped_between_words() -> None:
    assert shown("```\na  b\n\tc\n```") == ["│ a  b", "│     c"]
    assert shown("```\n" + "word " * 5 + "\n```", 12) == ["│ word word ", "│ word word ", "│ word "]


def test_code_blocks_are_found_as_written() -> None:
    text = "a\n```py\nx\n```\n\n- in a list\n  ```\n  y\n  ```\n\n    z\n"
    assert code_blocks(text)[:2] == ["x\n", "y\n"]


@pytest.mark.parametrize("width", [80, 5])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000, "![" * 10_000, "[](" * 6000, "*a_ " * 5000, "**a" * 6000, "`" * 20_000,
        "> " * 10_000 + "x", "- " * 10_000, "|" + "a|" * 10_000 + "\n|" + "-|" * 10_000,
        ">" * 50 + "a\n" * 10_000, "a\n" * 10_000, "# a\n" * 5000, "<" * 20_000, "&amp;" * 4000,
        "```python\n" + "(" * 10_000, "```js\n" + "/*" * 5000, 
        "\n".join(f"{' ' * n}- a" for n in range(190)),
    ],
)  # fmt: skip
def test_pathological_text_costs_no_more_than_many_times_plain_text(text: str, width: int) -> None:
    ordinary = "The quick *brown* fox `jumps` over it. " * 8 + "\n\n"
    ordinary *= 20_000 // len(ordinary)

    def cost(words: str) -> float:
        best = 9.0
        for _ in range(2):
            started = time.thread_time()
            for piece in parse(words):
                piece.rows(width)
            best = min(best, time.thread_time() - started)
        return best

    assert cost(text) < 25 * cost(ordinary), "quadratic where it should be linear"


def test_deep_nesting_does_not_recurse_in_a_small_stack() -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            for depth in (20, 40, 400):
                text = "\n".join("  " * n + "- x" for n in range(depth))
                assert sum("x" in row for row in shown(text)) == depth
                assert any("x" in row for row in shown("> - " * depth + "x"))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failed, failed


def test_plain_text_is_shown_as_written() -> None:
    text = "# no *heading* [x](y)\n  indented\n\n[bold]b[/]"
    rows = [row.plain for piece in plain(text) for row in piece.rows(60)]
    assert rows == safe_text(text).split("\n")
