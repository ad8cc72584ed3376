from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus import HOSTILE, raw_controls
from tests.tui.cli.conftest import Run, message

KEY = "agent:main:telegram:dm:alice"


def test_search_has_its_shape(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "search", "LEFT", "--json")
    assert ran.json == {
        "query": "LEFT",
        "hits": [
            {
                "key": KEY,
                "sessionId": "0a1b2c3d-0000-4000-8000-000000000001",
                "state": "active",
                "entryId": "c",
                "type": "message",
                "role": "user",
                "where": "text",
                "position": 0,
                "length": 4,
                "snippet": "left",
                "onPath": False,
            }
        ],
        "sessions": [],
        "complete": True,
        "problems": [],
    }
    told = branchline("sessions", "search", "left")
    assert KEY in told.out and "○ c" in told.out and (told.code, told.err) == (0, "")


def test_an_argument_of_several_words_among_others_is_a_phrase(branchline: Run, talk: Path) -> None:
    shape = branchline("sessions", "search", "hi there", "hi", "--json").json
    assert [hit["entryId"] for hit in shape["hits"]] == ["b"]
    assert branchline("sessions", "search", "there hi", "hi", "--json").json["hits"] == []


def test_sessions_are_found_by_their_keys_too(branchline: Run, talk: Path) -> None:
    assert branchline("sessions", "search", "telegram", "--json").json["sessions"] == [KEY]


def test_nothing_found_is_said_and_is_no_failure(branchline: Run, talk: Path) -> None:
    ran = branchline("sessions", "search", "zebra")
    assert (ran.code, ran.out) == (0, "") and "nothing found" in ran.err


@pytest.mark.parametrize("query", ["re:(", "re:(a+)+", " "])
def test_a_query_that_cannot_be_used_is_a_problem(branchline: Run, talk: Path, query: str) -> None:
    ran = branchline("sessions", "search", query)
    assert ran.code == 1 and ran.err.startswith("branchline: ")


def test_one_session_can_be_chosen(branchline: Run, talk: Path) -> None:
    assert branchline("sessions", "search", "left", "--session", KEY, "--json").json["hits"]
    assert branchline("sessions", "search", "left", "--session", "nobody").code == 1


def test_hostile_text_that_is_found_is_printed_safely(
    branchline: Run, write_session: Callable[..., Path]
) -> None:
    entries = [
        message(f"e{number}", None, "user", f"needle {text[:5000]} needle")
        for number, text in enumerate(HOSTILE.values())
    ]
    write_session("agent:main:main", entries)
    for more in ((), ("--json",)):
        ran = branchline("sessions", "search", "needle", *more)
        assert ran.code == 0 and raw_controls(ran.out) == set()
