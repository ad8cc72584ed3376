from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.context.loss import facts_in, loss
from engine.context.shape import SUMMARY_INTRO
from engine.context.summary import (
    LEAST_ROOM,
    SUMMARISE,
    SummaryTask,
    pack,
    room_for,
    summary_request,
    talk_of,
)
from engine.context.tokens import estimate_request
from engine.context.window import WindowMessage, build_window
from engine.models.protocol import Image, Text, Thinking, ToolCall
from engine.sessions.tree import Tree
from tests.engine.context.test_compaction import TALK, talked

TASK = SummaryTask("m", 2000, 400, "agent:main:main", "operator", focus="prices")


@settings(max_examples=150, deadline=None)
@given(TALK, st.integers(LEAST_ROOM, 600))
def test_every_chunk_fits_and_every_message_is_in_one(
    talk: list[tuple[str, int]], room: int
) -> None:
    tree = Tree.from_entries(talked([], [(kind, size * 9) for kind, size in talk]))
    window = build_window(tree, tree.leaf)
    chat = talk_of(window, window.messages)
    parts = pack(chat, room)
    assert [one.entry_ids for part in parts for one in part] == [one.entry_ids for one in chat]
    for part in parts:
        bare = SummaryTask("m", 10**9, 1)
        fixed = estimate_request(summary_request(bare, ()))
        assert estimate_request(summary_request(bare, part)) - fixed <= room


@given(st.integers(1500, 200_000), st.integers(1, 1000))
def test_a_request_with_all_its_parts_fits_the_window(window: int, most: int) -> None:
    most = min(most, window // 5)
    task = SummaryTask("m", window, most, focus="f", prefix=True)
    chunk = pack(talk_of(*long_talk(window)), room_for(task))[0]
    request = summary_request(task, chunk, "- word" * (most // 3), ("a",))
    assert estimate_request(request) + most <= window
    assert request.purpose == "summary"


def long_talk(size: int) -> tuple[Any, tuple[WindowMessage, ...]]:
    tree = Tree.from_entries(talked([], [("user", size), ("call", 1), ("result", size)]))
    window = build_window(tree, tree.leaf)
    return window, window.messages


def test_the_summary_so_far_comes_first_with_its_entries_and_the_task_last() -> None:
    window, messages = long_talk(3)
    request = summary_request(TASK, talk_of(window, messages), "- old", ("k", "a"))
    first, last = request.messages[0], request.messages[-1]
    assert first.content == (Text(f"{SUMMARY_INTRO}\n\n- old"),)
    assert first.entry_ids == ("k", "a")
    assert isinstance(last.content[0], Text)
    assert last.content[0].text.startswith(SUMMARISE)
    assert "prices" in last.content[0].text
    assert (request.session_key, request.principal) == ("agent:main:main", "operator")
    assert summary_request(TASK, ()).messages[0].content == last.content


def test_long_messages_keep_their_ends_and_say_what_is_left_out() -> None:
    text = "BEGIN " + "middle " * 3000 + "END"
    said = {"role": "user", "content": text}
    tree = Tree.from_entries([{"id": "a", "parentId": None, "type": "message", "message": said}])
    window = build_window(tree, "a")
    ((only,),) = pack(talk_of(window, window.messages), 200)
    assert isinstance(only.content[0], Text)
    short = only.content[0].text
    assert short.startswith("BEGIN")
    assert short.endswith("END")
    assert "characters left out" in short


def test_pictures_and_reasoning_stay_at_home() -> None:
    content = [
        {"type": "thinking", "thinking": "secret", "thinkingSignature": "s"},
        {"type": "text", "text": "see"},
        {"type": "toolCall", "id": "c", "name": "t", "arguments": {"x": "y" * 9000}},
    ]
    lines: list[dict[str, Any]] = [
        {
            "id": "a",
            "parentId": None,
            "type": "message",
            "message": {
                "role": "user",
                "content": [{"type": "image", "data": "A" * 9000, "mimeType": "image/png"}],
            },
        },
        {
            "id": "b",
            "parentId": "a",
            "type": "message",
            "message": {"role": "assistant", "content": content},
        },
    ]
    tree = Tree.from_entries(lines)
    window = build_window(tree, "b")
    parts = pack(talk_of(window, window.messages), 300)
    blocks = [block for part in parts for one in part for block in one.content]
    assert not any(isinstance(block, Image | Thinking) for block in blocks)
    (call,) = [block for block in blocks if isinstance(block, ToolCall)]
    assert len(str(call.arguments)) < 2000


def window_message(text: str, **data: Any) -> WindowMessage:
    return WindowMessage("user", text, "a", 1, data)


def test_the_loss_report_names_what_the_summary_lacks() -> None:
    text = (
        "Hello, I met Alice in Paris. Order #1042 costs 1,200 euros, see /var/log/x.log and "
        "ticket ABC-12 (commit 3f2a9bc). Mail bob@example.org. Who pays the rent in March? "
    )
    facts = facts_in(text)
    assert {"Alice", "Paris", "March"} <= set(facts.names)
    assert "1,200" in facts.numbers
    assert set(facts.ids) == {"#1042", "ABC-12", "3f2a9bc"}
    assert set(facts.paths) == {"/var/log/x.log", "bob@example.org"}
    assert facts.questions == ("Who pays the rent in March?",)
    summary = "Alice: order #1042 costs 1200 euros; log at /var/log/x.log."
    report = loss([window_message(text)], summary)
    assert "Paris" in report.names
    assert "Alice" not in report.names
    assert report.numbers == ()
    assert set(report.ids) == {"ABC-12", "3f2a9bc"}
    assert report.paths == ("bob@example.org",)
    assert report.questions == ("Who pays the rent in March?",)
    assert report.count == len(report.names) + 4
    assert loss([window_message(text)], text).count == 0


def test_the_first_word_of_a_line_in_a_list_is_no_name() -> None:
    facts = facts_in("- Which train?\n  * Still with Bob\n1. What about Ada\n2) Take it")
    assert set(facts.names) == {"Bob", "Ada"}


def test_the_loss_report_knows_who_spoke() -> None:
    said = window_message("hi", origin={"sender": {"id": "7", "name": "Zoe"}})
    assert loss([said], "somebody said hi").names == ("Zoe",)
    assert loss([said], "zoe said hi").names == ()


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_summary_that_says_everything_lacks_nothing(text: str, more: str) -> None:
    assert loss([window_message(text)], f"{text}\n{more}").count == 0


def test_a_huge_text_is_read_within_bounds() -> None:
    report = loss([window_message("7 " * 600_000)], "")
    assert report.unread > 0
    assert report.numbers == ("7",)
