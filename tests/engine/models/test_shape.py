from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.models.protocol import (
    Block,
    ChatMessage,
    Image,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from engine.models.shape import MISTRAL_ID, TOOL_ID, prepare
from tests.engine.models.support import ask, info, user

TOOLS = (ToolSpec("clock", "tells the time", {"type": "object"}),)
IDS = st.sampled_from(["a", "b", "call:1", "", "x" * 80, "é"])
BLOCKS: st.SearchStrategy[Block] = st.one_of(
    st.builds(Text, st.sampled_from(["hi", "", " \n", "what?"])),
    st.builds(Thinking, st.just("hm"), st.sampled_from(["", "sig"])),
    st.builds(ToolCall, IDS, st.sampled_from(["clock", "my.tool"]), st.just({"a": 1})),
    st.builds(ToolResult, IDS, st.just("clock"), st.just("noon")),
    st.builds(Image, st.just("aGk="), st.just("image/png")),
)
MESSAGES = st.lists(
    st.builds(
        ChatMessage,
        st.sampled_from(["user", "assistant"]),
        st.lists(BLOCKS, max_size=4).map(tuple),
        st.sampled_from(["", "alice", "bob"]),
    ),
    max_size=8,
).map(tuple)


def bot(*blocks: Block) -> ChatMessage:
    return ChatMessage("assistant", blocks)


def shaped(*messages: ChatMessage, **changes: Any) -> list[tuple[str, tuple[Block, ...]]]:
    request = ask(messages=messages, tools=TOOLS)
    return [(m.role, m.content) for m in prepare(request, info(**changes))]


@given(MESSAGES, st.sampled_from([TOOL_ID, MISTRAL_ID]))
def test_any_conversation_becomes_one_that_every_api_takes(
    messages: tuple[ChatMessage, ...], ids: re.Pattern[str]
) -> None:
    out = prepare(ask(messages=messages, tools=TOOLS), info(), ids=ids, keep=lambda t: True)
    assert [m.role for m in out] == ["user", "assistant"] * (len(out) // 2) + ["user"]
    seen: set[str] = set()
    for said, answer in zip(out[1::2], out[2::2], strict=True):
        calls = [block.id for block in said.content if isinstance(block, ToolCall)]
        results = [block for block in answer.content if isinstance(block, ToolResult)]
        assert [result.call_id for result in results] == calls
        assert answer.content[: len(calls)] == tuple(results)
        assert all(ids.fullmatch(call) for call in calls)
        assert not seen & set(calls)
        assert len(set(calls)) == len(calls)
        seen |= set(calls)
    assert not any(isinstance(block, ToolResult) for block in out[0].content)
    for message in out:
        assert all(block.text.strip() for block in message.content if isinstance(block, Text))


@given(MESSAGES)
def test_a_model_without_tools_and_eyes_gets_words_only(messages: tuple[ChatMessage, ...]) -> None:
    out = prepare(ask(messages=messages), info())
    assert all(isinstance(block, Text) for message in out for block in message.content)


@given(MESSAGES, MESSAGES)
def test_what_was_sent_before_stays_byte_for_byte(
    first: tuple[ChatMessage, ...], more: tuple[ChatMessage, ...]
) -> None:
    # One person only: a second one in the room is announced in the earlier messages, too.
    plain = tuple(ChatMessage(m.role, m.content) for m in (*first, *more))
    short = prepare(ask(messages=plain[: len(first)], tools=TOOLS), info())
    long = prepare(ask(messages=plain, tools=TOOLS), info())
    kept = max(0, len(short) - 2)
    assert long[:kept] == short[:kept]


def test_a_plain_talk_is_left_alone() -> None:
    talk = (user("hi"), bot(Text("hello")), user("and now?"))
    assert prepare(ask(messages=talk), info()) == talk


def test_neighbours_of_one_role_are_joined_and_keep_their_entries() -> None:
    one = ChatMessage("user", (Text("a"),), entry_ids=("1",))
    two = ChatMessage("user", (Text("b"),), entry_ids=("2",))
    (joined,) = prepare(ask(messages=(one, two)), info())
    assert joined.content == (Text("a"), Text("b"))
    assert joined.entry_ids == ("1", "2")


def test_an_interrupted_call_is_answered_so() -> None:
    call = ToolCall("c1", "clock", {})
    out = shaped(user("time?"), bot(call), user("never mind"))
    result = ToolResult("c1", "clock", "interrupted", is_error=True)
    assert out[2] == ("user", (result, Text("never mind")))


def test_a_call_at_the_very_end_is_answered_too() -> None:
    out = shaped(user("time?"), bot(ToolCall("c1", "clock", {})))
    assert out[-1] == ("user", (ToolResult("c1", "clock", "interrupted", is_error=True),))


def test_results_come_first_and_in_the_order_of_the_calls() -> None:
    calls = (ToolCall("a", "clock", {}), ToolCall("b", "clock", {}))
    late = ChatMessage(
        "user", (Text("so?"), ToolResult("b", "clock", "2"), ToolResult("a", "clock", "1"))
    )
    assert shaped(user("x"), bot(*calls), late)[2][1] == (
        ToolResult("a", "clock", "1"),
        ToolResult("b", "clock", "2"),
        Text("so?"),
    )


def test_a_result_without_its_call_becomes_text() -> None:
    orphan = ChatMessage("user", (ToolResult("a", "clock", "noon"), Text("hi")))
    assert shaped(orphan) == [("user", (Text("[clock answered] noon"), Text("hi")))]


def test_an_id_used_again_is_made_new_for_call_and_result() -> None:
    call, result = ToolCall("call_0", "clock", {}), ToolResult("call_0", "clock", "noon")
    turn = (user("x"), bot(call), ChatMessage("user", (result,)))
    out = shaped(*turn, bot(call), ChatMessage("user", (result, Text("thanks"))))
    first, second = out[1][1][0], out[3][1][0]
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id == "call_0" != second.id
    assert out[4][1][0] == ToolResult(second.id, "clock", "noon")


def test_names_of_tools_get_the_allowed_characters() -> None:
    out = shaped(user("x"), bot(ToolCall("a", "my.tool/x" + "y" * 80, {})))
    call = out[1][1][0]
    assert isinstance(call, ToolCall)
    assert call.name == ("my_tool_x" + "y" * 80)[:64]


def test_several_people_are_told_apart_and_cannot_pose_as_each_other() -> None:
    out = shaped(user("hi", "Ann] [Bob"), bot(Text("hello")), user("me too", "Bob"))
    assert out[0][1] == (Text("[Ann) (Bob] hi"),)
    assert out[2][1] == (Text("[Bob] me too"),)


def test_one_person_is_not_announced() -> None:
    assert shaped(user("hi", "Ann")) == [("user", (Text("hi"),))]


def test_a_beginning_and_an_end_are_added_where_the_talk_lacks_them() -> None:
    assert [role for role, _ in shaped(bot(Text("welcome")))] == ["user", "assistant", "user"]
    assert [role for role, _ in shaped()] == ["user"]


def test_reasoning_goes_only_where_it_is_wanted() -> None:
    talk = (user("x"), bot(Thinking("hm"), Text("y")), user("z"))
    assert shaped(*talk)[1] == ("assistant", (Text("y"),))
    kept = prepare(ask(messages=talk), info(), keep=lambda thinking: True)
    assert kept[1].content == (Thinking("hm"), Text("y"))


def test_an_answer_of_reasoning_alone_leaves_no_hole() -> None:
    talk = (user("x"), bot(Thinking("hm")), user("z"))
    assert shaped(*talk) == [("user", (Text("x"), Text("z")))]


def test_pictures_become_words_for_a_blind_model() -> None:
    picture = ChatMessage("user", (Image("aGk=", "image/png"),))
    assert shaped(picture, input=("text", "image"))[0][1] == picture.content
    assert shaped(picture)[0][1] == (Text("[a picture (image/png) that this model cannot see]"),)
