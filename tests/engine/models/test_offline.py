from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.context.shape import SUMMARY_INTRO
from engine.context.tokens import estimate_request, estimate_text
from engine.errors import ModelError
from engine.models.offline import OfflineProvider
from engine.models.offline.answers import NOTE, PHRASES
from engine.models.offline.words import content_words
from engine.models.protocol import (
    ChatMessage,
    Done,
    ModelRequest,
    StreamEvent,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolSpec,
)
from engine.values import replace

OLD = ChatMessage("assistant", (Text(NOTE),))
SESSIONS = ToolSpec("sessions_list", "Lists sessions.", {"type": "object", "properties": {}})
WRITE = ToolSpec("write", "Writes a file.", {"type": "object"})
MEMORY = ToolSpec("memory_append", "Notes.", {"properties": {"path": {}, "note": {}}})


async def no_pause(seconds: float) -> None:
    assert 0 < seconds < 0.1


def person(text: str, name: str = "") -> ChatMessage:
    return ChatMessage("user", (Text(text),), name)


def asking(*said: str | ChatMessage, **fields: object) -> ModelRequest:
    """A request whose earlier messages were all answered; strings are the operator's."""
    messages: list[ChatMessage] = []
    for one in said:
        messages += [person(one) if isinstance(one, str) else one, OLD]
    return replace(ModelRequest("echo", tuple(messages[:-1])), **fields)


async def events(request: ModelRequest) -> list[StreamEvent]:
    return [event async for event in OfflineProvider(sleep=no_pause).stream(request)]


async def done(request: ModelRequest) -> Done:
    last = (await events(request))[-1]
    assert isinstance(last, Done)
    return last


async def reply(request: ModelRequest) -> str:
    content = (await done(request)).content
    return "".join(block.text for block in content if isinstance(block, Text))


ALICE = person("my password is hunter2", "Alice")
BOBS = person("the train leaves at nine", "Bob")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["remember the number 42", "what number?"], "You said: “remember the number 42”"),
        (["remember the number 42", "what numbers did I name?"], "42"),
        (["remember the number 42", "what number?", "what number?"], "42"),
        (["the number is 41", "the number is 43", "which number?"], "43"),
        (["my cat is called Tom", "my dog likes bones", "what is the cat called?"], "Tom"),
        (["can Carol come on Friday?", "and who comes Friday?"], "Carol"),
        ([ALICE, BOBS, person("what was the last message?", "Bob")], "by Bob: “the train"),
        ([ALICE, BOBS, person("what did I say first?", "Bob")], "by Alice: “my password"),
        ([ALICE, person("What is the password?", "Bob")], "Alice said: “my password is hunter2”"),
        ([ALICE, person("what did Alice say?", "Bob")], "hunter2"),
        (["hello", person("What was the last message?", "Bob")], "somebody unnamed: “hello”"),
        ([ALICE, BOBS, person("how much do you know?", "Bob")], "3 messages from 2 people"),
        (["how many messages do you have?"], "1 message from 1 person"),
        (["Is this my last message?"], "Nothing was said before"),
        (["the last message was odd"], "first I hear"),
        (["hello there", "last message"], "by you: “hello there”"),
        (["hello there", "tell me the first thing"], "by you: “hello there”"),
        (["запомни число 42", "какое число?"], "запомни число 42"),
        (["密码是四十二", "密码是什么？"], "密码是四十二"),
        (["パスワードは四十二です", "パスワードは何ですか？"], "四十二"),
        (["كلمة السر هي 42", "ما هي كلمة السر؟"], "42"),
        (["🎉🎉 tomorrow", "🚀", "🚀?"], "🚀"),
    ],
)
async def test_answers_come_from_the_window(said: list[str | ChatMessage], expected: str) -> None:
    assert expected in await reply(asking(*said))


@pytest.mark.parametrize("text", ["what number?", "remember the number 42", "?", "数字是什么"])
async def test_with_nothing_to_go_on_it_says_so_and_repeats(text: str) -> None:
    told = await reply(asking(text))
    assert "This is the first I hear of it" in told
    assert f"“{text}”" in told


async def test_asking_the_same_again_is_still_news() -> None:
    assert "first I hear" in await reply(asking("what number?", "what number?"))


async def test_it_is_honest_once_in_a_window() -> None:
    assert (await reply(asking("hi"))).startswith(NOTE)
    assert NOTE not in await reply(asking("hi", "hi again"))
    real = ChatMessage("assistant", (Text("I am a real model"),))
    request = ModelRequest("echo", (person("hi"), real, person("and now?")))
    assert NOTE in await reply(request)


async def test_names_before_the_text_are_not_quoted_twice() -> None:
    request = asking(person("Alice: the code is 7", "Alice"), person("Bob: which code?", "Bob"))
    assert await reply(request) == "Alice said: “the code is 7”"


async def test_summaries_are_part_of_what_it_knows() -> None:
    summary = person(f"{SUMMARY_INTRO}\n\n- Alice: the number is 42\n- Bob: nice weather")
    told = await reply(asking(summary, "what number?"))
    assert "42" in told
    assert "summary" in told
    assert "weather" not in told
    assert "Nothing was said" in await reply(asking(summary, "what was the last message?"))
    assert "summary" in await reply(asking(summary, "how many messages are there?"))


async def test_of_a_long_message_the_closest_sentence_is_quoted() -> None:
    text = "The weather is fine. " * 40 + "The number is 42. " + "We had soup. " * 40
    told = await reply(asking(text, "what number?"))
    assert "The number is 42." in told
    assert len(told) < 500


async def test_it_streams_in_small_pieces_that_make_up_the_text() -> None:
    found = await events(asking("remember the number 42"))
    pieces = [event.text for event in found if isinstance(event, TextDelta)]
    last = found[-1]
    assert isinstance(last, Done)
    assert "".join(pieces) == last.content[0].text
    assert len(pieces) > 5
    assert [isinstance(event, Done) for event in found].count(True) == 1


async def test_the_same_request_gives_the_same_events() -> None:
    request = asking(ALICE, BOBS, "which train?")
    assert await events(request) == await events(request)


async def test_it_can_be_stopped_between_two_pieces() -> None:
    stream = OfflineProvider(sleep=no_pause).stream(asking("remember the number 42"))
    first = await anext(stream)
    assert isinstance(first, TextDelta)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_the_pause_is_real_without_an_injected_one() -> None:
    found = [event async for event in OfflineProvider().stream(asking("hi"))]
    assert isinstance(found[-1], Done)


async def test_usage_is_the_common_estimate() -> None:
    request = asking("remember the number 42", system="Be kind.", tools=(WRITE,))
    last = await done(request)
    assert last.usage is not None
    assert last.usage.input == estimate_request(request)


async def test_an_answer_is_cut_at_its_limit() -> None:
    last = await done(asking("remember the number 42", max_tokens=5))
    assert last.stop_reason == "length"
    assert last.usage is not None
    assert last.usage.output <= 5


@pytest.mark.parametrize(
    ("model", "window", "maximum"),
    [("echo-2k", None, 2000), ("echo", None, 32000), ("echo-2k", 500, 500), ("echo", 900, 900)],
)
async def test_too_long_a_request_overflows(model: str, window: int | None, maximum: int) -> None:
    small = asking("hi", model=model, context_window=window)
    assert (await done(small)).stop_reason == "stop"
    large = asking("word " * maximum, model=model, context_window=window)
    with pytest.raises(
        ModelError, match=rf"prompt is too long: \d+ tokens > {maximum} maximum"
    ) as e:
        await events(large)
    assert e.value.kind == "overflow"


async def test_it_calls_a_tool_that_is_offered_and_plainly_asked_for() -> None:
    found = await events(asking("list my sessions", tools=(SESSIONS,)))
    assert isinstance(found[0], ToolCallDelta)
    last = found[-1]
    assert isinstance(last, Done)
    assert last.stop_reason == "toolUse"
    assert last.content == (ToolCall(found[0].id, "sessions_list", {}),)


@pytest.mark.parametrize("text", ["list sessions", "remember the milk"])
async def test_it_calls_no_tool_that_is_not_offered(text: str) -> None:
    assert (await done(asking(text))).stop_reason == "stop"


@pytest.mark.parametrize("text", ["I remember sessions", "the list of sessions is long", "hello"])
async def test_it_calls_no_tool_that_was_not_asked_for(text: str) -> None:
    request = asking(text, tools=(SESSIONS, WRITE, MEMORY))
    assert (await done(request)).stop_reason == "stop"


async def test_notes_go_to_the_memory_tool_or_to_a_file_of_their_own() -> None:
    noted = (await done(asking("Remember: buy milk", tools=(WRITE, MEMORY)))).content[0]
    assert isinstance(noted, ToolCall)
    assert (noted.name, noted.arguments) == ("memory_append", {"note": "buy milk"})
    one, other = [
        (await done(asking(text, tools=(WRITE,)))).content[0]
        for text in ("remember milk", "remember tea")
    ]
    assert isinstance(one, ToolCall)
    assert isinstance(other, ToolCall)
    assert one.arguments["content"] == "milk\n"
    assert one.arguments["path"] != other.arguments["path"]


@pytest.mark.parametrize(("failed", "expected"), [(False, "says:\nmain"), (True, "failed: main")])
async def test_a_tools_answer_is_told(failed: bool, expected: str) -> None:
    call = ToolCall("call_offline_1", "sessions_list", {})
    request = ModelRequest(
        "echo",
        (
            person("list sessions"),
            ChatMessage("assistant", (call,)),
            ChatMessage("user", (ToolResult(call.id, call.name, "main", is_error=failed),)),
        ),
        tools=(SESSIONS,),
    )
    last = await done(request)
    assert last.stop_reason == "stop"
    assert f"sessions_list {expected}" in last.content[0].text
    later = replace(request, messages=(*request.messages, OLD, person("list sessions")))
    again = (await done(later)).content[0]
    assert isinstance(again, ToolCall)
    assert again.id == "call_offline_2"


async def test_a_summary_keeps_names_numbers_and_open_questions() -> None:
    chatter = [f"well that is quite nice really {'so' * n}" for n in range(1, 40)]
    request = asking(
        *chatter[:20],
        person("Carol pays 42 euros", "Alice"),
        *chatter[20:],
        person("who brings the cake?", "Bob"),
        purpose="summary",
        max_tokens=60,
    )
    told = await reply(request)
    assert "Alice: Carol pays 42 euros" in told
    assert "Bob: who brings the cake?" in told
    assert estimate_text(told) <= 60
    assert NOTE not in told


async def test_a_summary_takes_over_an_earlier_one() -> None:
    summary = person(f"{SUMMARY_INTRO}\n\n- Alice: the number is 42")
    told = await reply(asking(summary, "buy 7 apples", purpose="summary"))
    assert told == "- Alice: the number is 42\n- buy 7 apples"


VOCABULARY = """
    what who number the my last first message remember Alice 42 7 train? Zürich 密码 число 🎉 how
    many said it's a/b.py hello. sessions list you I
"""
WORDS = st.sampled_from(VOCABULARY.split())
SAID = st.lists(WORDS, max_size=8).map(" ".join)
MESSAGES = st.lists(
    st.builds(person, SAID, st.sampled_from(["", "Alice", "Bob", "Žofie"])), min_size=1, max_size=6
)


def plain_words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


OWN = plain_words(" ".join([NOTE, *PHRASES.values()]))


@given(MESSAGES, st.sampled_from(["reply", "summary"]))
async def test_no_reply_holds_a_word_that_is_not_in_the_request_or_its_own(
    messages: list[ChatMessage], purpose: str
) -> None:
    request = ModelRequest("echo", tuple(messages), purpose=purpose)  # type: ignore[arg-type]
    spoken = " ".join(f"{m.name} {b.text}" for m in messages for b in m.content)  # type: ignore[union-attr]
    counts = {str(number) for number in range(len(messages) + 1)}
    assert plain_words(await reply(request)) <= plain_words(spoken) | OWN | counts


@given(st.lists(st.text(max_size=80), max_size=8), st.integers(1, 60))
async def test_a_summary_never_outgrows_its_limit(said: list[str], room: int) -> None:
    request = asking("hi", *said, purpose="summary", max_tokens=room)
    assert estimate_text(await reply(request)) <= room


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
async def test_any_text_is_answered(said: list[str]) -> None:
    assert await reply(asking(*said))


@given(st.text(max_size=60), st.sampled_from([" and", ". ", "?"]))
async def test_what_shares_no_word_is_never_quoted(secret: str, tail: str) -> None:
    told = await reply(asking(f"zq{secret}", f"hello{tail}"))
    shared = content_words(f"zq{secret}") & content_words(f"hello{tail}")
    assert bool(shared) or "first I hear" in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("number", "Numbers"),
        ("city", "cities"),
        ("name", "names"),
        ("box", "boxes"),
        ("password", "password's"),
        ("likes", "liked"),
    ],
)
def test_endings_do_not_matter(one: str, other: str) -> None:
    assert content_words(one) == content_words(other) != frozenset()
