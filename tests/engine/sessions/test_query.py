from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sessions.query import SessionText, filter_sessions, fuzzy_score, parse_query

CASES = json.loads((Path(__file__).parents[2] / "cases/tree.json").read_text("utf-8"))
SEARCH = [case for case in CASES if case["group"] == "sessionsearch"]


def sessions_of(rows: list[dict[str, Any]]) -> list[SessionText]:
    return [
        SessionText(row["id"], row.get("name"), row["cwd"], row["allMessagesText"], row["modified"])
        for row in rows
    ]


@pytest.mark.parametrize("case", SEARCH, ids=lambda case: case["title"])
def test_searches_find_what_the_reference_finds(case: dict[str, Any]) -> None:
    given_, expected = case["input"], case["expected"]
    found = filter_sessions(
        sessions_of(given_["sessions"]),
        given_["query"],
        sort=given_["sort"],
        names=given_["nameFilter"],
    )
    assert [one.id for one in found] == expected["ids"]
    query = parse_query(given_["query"])
    assert {
        "mode": query.mode,
        "tokens": [{"kind": token.kind, "value": token.value} for token in query.tokens],
        "error": query.error is not None,
    } == expected["parsed"]


ROWS = sessions_of(SEARCH[0]["input"]["sessions"])


def found(query: str, **more: Any) -> list[str]:
    return [one.id for one in filter_sessions(ROWS, query, **more)]


def test_words_are_and_ed_in_any_order() -> None:
    assert found("cve auth") == ["s-aaa", "s-eee"]
    assert found("auth nothing") == []


def test_an_unclosed_quote_is_a_character() -> None:
    tokens = parse_query('node "cve scan').tokens
    assert [(token.kind, token.value) for token in tokens] == [
        ("fuzzy", "node"),
        ("fuzzy", '"cve'),
        ("fuzzy", "scan"),
    ]


def test_quotes_end_words_and_empty_ones_say_nothing() -> None:
    tokens = parse_query('a"b  c"d ""').tokens
    assert [(token.kind, token.value) for token in tokens] == [
        ("fuzzy", "a"),
        ("phrase", "b  c"),
        ("fuzzy", "d"),
    ]


def test_only_named_sessions_when_asked() -> None:
    assert found("", names="named") == ["s-aaa", "s-ddd", "s-eee"]


def test_names_come_before_words_and_these_before_scattered_letters() -> None:
    rows = [
        SessionText("1", name="n-o-d-e", modified=9),
        SessionText("2", text="a node", modified=1),
        SessionText("3", cwd="/home/node", modified=2),
        SessionText("4", name="the node", modified=1),
        SessionText("5", name="Node", modified=1),
    ]
    best_first = ["5", "4", "3", "2", "1"]
    for query in ("node", "re:node", '"node"'):
        wanted = best_first if query == "node" else best_first[:-1]
        found = [one.id for one in filter_sessions(rows, query, sort="relevance")]
        assert sorted(found[:2]) == ["4", "5"] and found[2:] == wanted[2:], query
    assert [one.id for one in filter_sessions(rows, "node", sort="relevance")] == best_first
    assert [one.id for one in filter_sessions(rows, "node")] == ["1", "2", "3", "4", "5"]


def test_scattered_letters_in_what_was_said_are_no_match() -> None:
    assert filter_sessions([SessionText("i-d", text="x n x o x d x e")], "node") == []
    assert filter_sessions([SessionText("x-n-o-d-e")], "node") == []


def test_a_word_in_a_row_outweighs_the_same_letters_earlier() -> None:
    assert (fuzzy_score("ab", "a c ab") or 0) < (fuzzy_score("ab", "a cb") or 0)


def test_letters_and_digits_may_change_places() -> None:
    assert fuzzy_score("2v", "about v2") is not None
    assert fuzzy_score("v2", "about 2v") is not None
    assert fuzzy_score("2v", "v") is None


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("^nothing", "NOTHING", True),
        ("thing$", "a thing\n", False),
        (r"(?<a>x)\k<a>", "xx", True),
        (r"\yes", "yes", True),
        (r"\/w\/", "/w/", True),
        ("[[a]", "[", True),
        (r"\u0041b", "ab", True),
    ],
)
def test_patterns_are_read_as_javascript_reads_them(pattern: str, text: str, fits: bool) -> None:
    rows = [SessionText("", text=text)]
    assert bool(filter_sessions(rows, f"re:{pattern}")) is fits


@pytest.mark.parametrize(
    "pattern", ["(", "a++", "*", "[", "(a+)+b", "(a|a)*b", "((a*))*", r"\k<x>"]
)
def test_patterns_that_are_wrong_or_could_run_for_ever_are_refused(pattern: str) -> None:
    query = parse_query(f"re:{pattern}")
    assert query.error is not None and query.pattern is None
    assert found(f"re:{pattern}") == []


@given(st.text(), st.text())
def test_no_query_fails_on_any_text(query: str, text: str) -> None:
    filter_sessions([SessionText("id", "name", "/w", text)], query, sort="relevance")


@given(st.text(min_size=1), st.text(), st.text())
def test_what_is_in_a_text_is_found_in_it(word: str, before: str, after: str) -> None:
    assert fuzzy_score(word, before.lower() + word.lower() + after.lower()) is not None
