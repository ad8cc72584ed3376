from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import ManualClock
from engine.errors import CommandError
from engine.sessions import search
from engine.sessions.search import Hit, search_sessions, search_tree
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, new_transcript, reply, user


def ids(hits: list[Hit]) -> list[str]:
    return [hit.entry_id for hit in hits]


def write(path: Path, lines: list[dict[str, Any]], *, ascii_only: bool = False) -> Transcript:
    head = {"type": "session", "version": 3, "id": "s", "timestamp": "", "cwd": ""}
    text = "".join(json.dumps(line, ensure_ascii=ascii_only) + "\n" for line in (head, *lines))
    path.write_text(text, "utf-8")
    return Transcript.open(path)


def said(entry_id: str, parent: str | None, text: str) -> dict[str, Any]:
    return {**user(text), "id": entry_id, "parentId": parent, "timestamp": ""}


@pytest.fixture
def talk(tmp_path: Path) -> Transcript:
    transcript = new_transcript(tmp_path / "a.jsonl")
    first = transcript.append(user("We meet in Berlin on Monday"))
    left = transcript.append(user("a side branch about Straßburg"), parent=first.id)
    transcript.append(reply("left for good"), parent=left.id)
    transcript.append(reply("and the budget is 400"), parent=first.id)
    transcript.append({"type": "compaction", "summary": "They meet in Berlin", "tokensBefore": 9})
    return transcript


def test_hits_say_where_they_are_also_on_branches_that_were_left(talk: Transcript) -> None:
    (hit,) = search_tree(talk, "SIDE")
    assert (hit.where, hit.role, hit.position, hit.length) == ("text", "user", 2, 4)
    assert (hit.before, hit.match, hit.after) == ("a ", "side", " branch about Straßburg")
    assert not hit.on_path
    assert [found.on_path for found in search_tree(talk, "berlin")] == [True, True]


def test_summaries_are_searched(talk: Transcript) -> None:
    assert [hit.where for hit in search_tree(talk, "they meet")] == ["summary"]


def test_all_words_must_be_in_one_entry_in_any_order(talk: Transcript) -> None:
    assert len(search_tree(talk, "berlin meet")) == 2
    assert search_tree(talk, "berlin budget") == []


def test_phrases_pass_over_line_breaks(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "a.jsonl", "one two\n  three four")
    (hit,) = search_tree(transcript, '"two three"')
    assert (hit.position, hit.length, hit.match) == (4, 11, "two three")
    assert search_tree(transcript, '"three two"') == []


def test_places_in_texts_whose_folding_is_longer_are_those_of_the_text(talk: Transcript) -> None:
    (hit,) = search_tree(talk, "strassburg")
    assert (hit.match, hit.position) == ("Straßburg", 20)
    (hit,) = search_tree(talk, "burg")
    assert hit.match == "burg"


def test_tool_calls_results_and_thoughts_are_searched(tmp_path: Path) -> None:
    content = [
        {"type": "thinking", "thinking": "maybe the attic"},
        {"type": "toolCall", "id": "c", "name": "read", "arguments": {"path": "/etc/fstab"}},
    ]
    call = {"type": "message", "message": {"role": "assistant", "content": content}}
    result = {
        "role": "toolResult",
        "toolCallId": "c",
        "toolName": "read",
        "content": [{"type": "text", "text": "tmpfs /tmp"}],
    }
    transcript = new_transcript(tmp_path / "a.jsonl", "look")
    transcript.append_all([call, {"type": "message", "message": result}])
    found = {word: search_tree(transcript, word)[0].where for word in ("attic", "fstab", "tmpfs")}
    assert found == {"attic": "thinking", "fstab": "call", "tmpfs": "result"}


def test_a_label_is_found_at_its_entry_while_it_is_there(talk: Transcript) -> None:
    target = talk.tree.children(None)[0]
    talk.set_label(target, "Turning point")
    assert ids(search_tree(talk, "turning")) == [target]
    talk.set_label(target, "something else")
    assert search_tree(talk, "turning") == []


def test_patterns_and_their_faults(talk: Transcript) -> None:
    assert [hit.match for hit in search_tree(talk, r"re:\d{3}$")] == ["400"]
    for query in ("re:(", "re:(a+)+", "", '  ""'):
        with pytest.raises(CommandError):
            search_tree(talk, query)


def test_the_number_of_hits_is_bounded(tmp_path: Path) -> None:
    transcript = new_transcript(tmp_path / "a.jsonl", *["same"] * 9)
    assert len(search_tree(transcript, "same", limit=4)) == 4


def test_flat_files_are_searched(tmp_path: Path) -> None:
    path = tmp_path / "flat.jsonl"
    path.write_text('{"role":"user","content":"a needle","timestamp":1}\n', "utf-8")
    assert [hit.match for hit in search_tree(Transcript.open(path), "needle")] == ["needle"]


def test_entries_that_share_an_id_are_told_apart(tmp_path: Path) -> None:
    lines = [said("x", None, "first needle"), said("x", None, "second needle")]
    transcript = write(tmp_path / "a.jsonl", lines)
    assert ids(search_tree(transcript, "needle")) == ["x~1", "x"]


WORDS = st.text(st.sampled_from("sSſßẞkKK fﬁﬂiIİıéÉ漢字'\"/\\\n\tzŉn"), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(WORDS, WORDS, WORDS, st.booleans())
def test_no_line_that_holds_the_words_is_passed_over(
    tmp_path: Path, word: str, before: str, after: str, ascii_only: bool
) -> None:
    text = before + word.upper() + after
    transcript = write(tmp_path / "a.jsonl", [said("a", None, text)], ascii_only=ascii_only)
    query = word.replace('"', "").strip()
    if not query or query.startswith("re:"):
        return
    folded = text.casefold()
    expected = all(part in folded for part in query.casefold().split())
    assert bool(search_tree(transcript, query)) is expected


def test_every_character_that_folds_to_ascii_is_known() -> None:
    folding = {
        char
        for char in map(chr, range(0x80, sys.maxunicode + 1))
        if any(part.isascii() for part in char.casefold())
    }
    assert folding == set(search._FOLDS)


def test_search_goes_through_sessions_and_names_those_that_cannot_be_read(tmp_path: Path) -> None:
    store = Store(QuickDisk(), tmp_path, ManualClock())
    for key in ("agent:main:main", "agent:main:chat:needle-work", "agent:main:chat:none"):
        record = store.create(key, "main")
        with_ = store.open(record)
        with_.append(user("a needle" if key.endswith("main") else "nothing"))
        with_.close()
    broken = tmp_path / "agents/main/sessions/broken.jsonl"
    broken.write_text("no transcript\n", "utf-8")
    found = {one.record.key: one for one in search_sessions(store, store.list(), "needle")}
    assert set(found) == {
        "agent:main:main",
        "agent:main:chat:needle-work",
        "agent:main:explicit:broken",
    }
    assert [hit.match for hit in found["agent:main:main"].hits] == ["needle"]
    assert found["agent:main:chat:needle-work"].named
    assert found["agent:main:explicit:broken"].problems
