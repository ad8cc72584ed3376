from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text import MAX_MARKS, safe_line, safe_text, shorten
from tests.corpus import HOSTILE, raw_controls

ANY = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Cs", "Mn", "Zl", "Zp"]),
        st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u200d\ufe0f\u0301a👩"),
    )
)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_the_corpus_comes_through_raw(name: str) -> None:
    shown = safe_text(HOSTILE[name])
    assert not raw_controls(shown)
    shown.encode("utf-8")


@given(ANY)
def test_no_text_at_all_comes_through_raw(text: str) -> None:
    shown = safe_text(text)
    assert not raw_controls(shown)
    shown.encode("utf-8")


@given(ANY)
def test_making_safe_twice_changes_nothing_more(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@given(ANY, st.integers(1, 50))
def test_a_line_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    line = safe_line(text, limit=limit)
    assert "\n" not in line
    assert "\t" not in line
    assert len(line) <= limit
    assert not raw_controls(line)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=50))
def test_ordinary_text_is_untouched(text: str) -> None:
    fillers = "\u115f\u1160\u3164\uffa0"
    if not any(char in fillers for char in text):
        assert safe_text(text) == text


def test_people_can_see_that_something_was_there() -> None:
    assert safe_text("a\x1b[31mb") == "a␛[31mb"
    assert safe_text("a\x9bm\x7f") == "a<9b>m␡"
    assert safe_text("\u202eb\u200bc") == "<U+202E>b<U+200B>c"
    assert safe_text("a\r\nb\rc\x85d\u2028e") == "a\nb\nc\nd\ne"
    assert safe_text("\ud83d") == "\ufffd"


def test_emoji_and_scripts_that_need_joiners_keep_them() -> None:
    for text in ("👩‍👩‍👧‍👦", "❤️", "🏳️‍🌈", "می‌خواهم", "क्‍ष"):
        assert safe_text(text) == text


@pytest.mark.parametrize("storm", ["\u200d" * 100, "\ufe0f" * 100, "\u200d\ufe0f" * 100])
def test_joiners_do_not_come_in_storms(storm: str) -> None:
    shown = safe_text("👩" + storm + "👩")
    assert "\u200d\u200d" not in shown
    assert "\ufe0f\ufe0f" not in shown


def test_joiners_hide_nothing_inside_a_latin_word() -> None:
    assert "<U+200D>" in safe_text("pay\u200dpal")


def test_combining_marks_do_not_pile_up() -> None:
    shown = safe_text("z" + "\u0301" * 1000 + "y" + "\u0301" * 3)
    runs = [run for run in shown.replace("y", "z").split("z") if run]
    assert [len(run) for run in runs] == [MAX_MARKS, 3]
    assert all(unicodedata.combining(char) for run in runs for char in run)


def test_what_a_limit_cuts_is_counted() -> None:
    assert safe_text("x" * 2024, limit=1000) == "x" * 1000 + " … 1,024 more"
    assert safe_text("short", limit=1000) == "short"


def test_shortened_text_ends_in_an_ellipsis() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
    assert shorten("abcd", 1) == "…"
