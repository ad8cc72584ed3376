from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.models.protocol import UNPARSED, Done, Text, Thinking, ToolCall, ToolCallDelta, Usage
from tests.engine.models.recorded import (
    ANTHROPIC,
    OLLAMA,
    OPENAI,
    RECORDED,
    START,
    block,
    call,
    ending,
    lines,
    named,
    piece,
    sse,
)
from tests.engine.models.support import APIS, ask, decode, decoder, done, said

WORDS = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Some words"})
HELLO = {
    ANTHROPIC: named(START, *WORDS),
    OPENAI: sse(piece({"content": "Some words"}), done=False),
    OLLAMA: lines({"message": {"content": "Some words"}, "done": False}),
}


@pytest.mark.parametrize("api", APIS)
def test_an_end_before_the_stop_is_a_broken_connection(api: str) -> None:
    reader = decoder(api)
    assert said(reader.feed(HELLO[api])) == "Some words"
    with pytest.raises(ModelError, match="broke off") as caught:
        reader.finish()
    assert caught.value.kind == "connection"
    assert reader.text == "Some words"


@pytest.mark.parametrize("api", APIS)
def test_an_empty_stream_is_a_broken_connection(api: str) -> None:
    with pytest.raises(ModelError, match="broke off"):
        decoder(api).finish()


@pytest.mark.parametrize("api", APIS)
def test_what_is_no_json_is_an_error_of_the_server(api: str) -> None:
    with pytest.raises(ModelError, match="not JSON") as caught:
        decoder(api).feed(b"data: <html>\n\n")
    assert caught.value.kind == "server"


@pytest.mark.parametrize("api", [ANTHROPIC, OPENAI])
def test_events_that_say_nothing_are_passed_over(api: str) -> None:
    whole = named(START, *WORDS, *ending("end_turn")) if api == ANTHROPIC else HELLO[api]
    filled = b"data:\n\n: hi\n\ndata: \n\n" + whole
    reader = decoder(api)
    assert said(reader.feed(filled)) == "Some words"


def test_done_is_no_end_where_message_stop_is() -> None:
    reader = decoder(ANTHROPIC)
    assert said(reader.feed(HELLO[ANTHROPIC] + sse())) == "Some words"
    with pytest.raises(ModelError, match="broke off"):
        reader.finish()


def test_done_without_a_stop_reason_is_an_end() -> None:
    assert done(decode(OPENAI, [HELLO[OPENAI] + sse()])).stop_reason == "stop"


@pytest.mark.parametrize("api", APIS)
def test_nesting_beyond_reason_is_an_error_not_a_crash(api: str) -> None:
    deep = b"[" * 200_000
    with pytest.raises(ModelError):
        decoder(api).feed((b"" if api == OLLAMA else b"data: ") + deep + b"\n\n")


@pytest.mark.parametrize(
    ("api", "data", "kind"),
    [
        (
            ANTHROPIC,
            named(
                {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            ),
            "overloaded",
        ),
        (OPENAI, sse({"error": {"code": 502, "message": "upstream"}, "choices": []}), "server"),
        (OPENAI, sse({"error": {"code": 429, "message": "Rate limited"}}), "rate_limit"),
        (
            OPENAI,
            sse({"object": "error", "message": "max_model_len is 10", "code": 400}),
            "overflow",
        ),
        (OPENAI, sse(piece({"content": ""}, "error")), "server"),
        (OLLAMA, lines({"error": "model runner has unexpectedly stopped"}), "server"),
    ],
)
def test_an_error_inside_a_good_stream_is_raised(api: str, data: bytes, kind: str) -> None:
    reader = decoder(api)
    with pytest.raises(ModelError) as caught:
        reader.feed(HELLO[api] + data)
    assert caught.value.kind == kind
    assert reader.text == "Some words"


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("tool_use", "toolUse"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("something_new", "stop"),
    ],
)
def test_anthropic_stop_reasons(reason: str, stop: str) -> None:
    assert done(decode(ANTHROPIC, [named(START, *WORDS, *ending(reason))])).stop_reason == stop


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "refusal"),
        ("function_call", "stop"),
        ("eos", "stop"),
    ],
)
def test_openai_stop_reasons(reason: str, stop: str) -> None:
    data = sse(piece({"content": "a"}), piece({}, reason))
    assert done(decode(OPENAI, [data])).stop_reason == stop


def test_a_full_window_told_by_anthropic_is_an_overflow() -> None:
    with pytest.raises(ModelError) as caught:
        decode(ANTHROPIC, [named(START, *ending("model_context_window_exceeded", 0))])
    assert caught.value.kind == "overflow"


def test_an_empty_answer_in_a_full_window_is_an_overflow() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0}
    data = sse(piece({"content": ""}, "length"), {"choices": [], "usage": usage})
    with pytest.raises(ModelError) as caught:
        decode(OPENAI, [data], ask(context_window=1000))
    assert caught.value.kind == "overflow"
    assert done(decode(OPENAI, [data], ask(context_window=4000))).content == ()


def test_cumulative_usage_of_anthropic_keeps_the_last_numbers() -> None:
    data = named(START, *WORDS, *ending("end_turn", 10)[:1], *ending("end_turn", 11))
    assert done(decode(ANTHROPIC, [data])).usage == Usage(12, 11, cache_read=5, cache_write=3)


def test_a_stop_reason_without_message_stop_is_an_end() -> None:
    data = named(START, *WORDS, *ending("end_turn")[:1])
    assert done(decode(ANTHROPIC, [data])).content == (Text("Some words"),)


def test_arguments_that_are_no_json_are_kept_as_text() -> None:
    data = sse(call(0, id="a", name="x", arguments='{"b": oops'), piece({}, "tool_calls"))
    end = done(decode(OPENAI, [data]))
    assert end.content == (ToolCall("a", "x", {UNPARSED: '{"b": oops'}),)


def test_a_call_cut_off_by_the_limit_is_dropped() -> None:
    data = sse(
        piece({"content": "I call"}),
        call(0, id="a", name="x", arguments='{"b": 1}'),
        call(1, id="b", name="y", arguments='{"b": 1'),
        call(2, id="c", name="z", arguments=""),
        piece({}, "length"),
    )
    end = done(decode(OPENAI, [data]))
    assert end.content == (Text("I call"), ToolCall("a", "x", {"b": 1}))
    assert end.stop_reason == "length"


def test_a_limit_hit_inside_an_anthropic_call_drops_it() -> None:
    tool = block(
        1,
        {"type": "tool_use", "id": "t", "name": "x", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a": '},
    )
    end = done(decode(ANTHROPIC, [named(START, *WORDS, *tool, *ending("max_tokens"))]))
    assert end.content == (Text("Some words"),)


def test_the_id_and_name_of_a_call_are_told_once() -> None:
    data = sse(
        call(0, id="a", name="x", arguments=""),
        call(0, id="a", name="x", arguments="{"),
        call(0, id="a", name="x", arguments="}"),
        piece({}, "tool_calls"),
    )
    events = [e for e in decode(OPENAI, [data]) if isinstance(e, ToolCallDelta)]
    assert [(e.id, e.name, e.arguments) for e in events] == [
        ("a", "x", ""),
        ("", "", "{"),
        ("", "", "}"),
    ]


def test_calls_that_share_an_index_but_not_an_id_do_not_mix_when_the_server_changes_ids() -> None:
    # An id that changes without a name is a habit of old vLLM, not a second call.
    data = sse(
        call(0, id="a", name="x", arguments='{"b":'),
        call(0, id="other", arguments=" 1}"),
        piece({}, "tool_calls"),
    )
    assert done(decode(OPENAI, [data])).content == (ToolCall("a", "x", {"b": 1}),)


def test_further_choices_are_ignored() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]}
    data = sse(piece({"content": "yes"}), other, piece({}, "stop"))
    assert done(decode(OPENAI, [data])).content == (Text("yes"),)


def test_content_in_parts_and_a_refusal_are_text() -> None:
    data = sse(
        piece({"content": [{"type": "text", "text": "a"}, {"type": "x"}]}),
        piece({"refusal": "No."}, "stop"),
    )
    assert done(decode(OPENAI, [data])).content == (Text("aNo."),)


def test_a_thought_without_end_stays_a_thought() -> None:
    data = sse(piece({"content": "<think>Two and </thi"}, "length"))
    assert done(decode(OPENAI, [data])).content == (Thinking("Two and </thi"),)


def test_what_only_looks_like_a_tag_is_text() -> None:
    data = sse(piece({"content": " <thi"}, "stop"))
    assert done(decode(OPENAI, [data])).content == (Text(" <thi"),)


def test_a_lone_half_of_a_character_is_replaced() -> None:
    data = sse(r'{"choices":[{"index":0,"delta":{"content":"a\ud83d"},"finish_reason":"stop"}]}')
    assert done(decode(OPENAI, [data])).content == (Text("a\ufffd"),)


@pytest.mark.parametrize("junk", [None, 7, "x", [], [None], {"a": 1}])
@pytest.mark.parametrize("key", ["choices", "usage", "delta", "message", "content_block", "index"])
def test_fields_of_the_wrong_type_do_no_harm(key: str, junk: Any) -> None:
    noise = [{"type": kind, key: junk} for kind in ("content_block_start", "content_block_delta")]
    noise += [{"type": "message_delta", key: junk}, {"type": "message_start", key: junk}]
    data = named(START, *WORDS, *noise, *ending("end_turn"))
    assert said(decode(ANTHROPIC, [data])) == "Some words"
    chunk = {"choices": [{"index": 0, key: junk}], "usage": junk}
    data = sse({key: junk}, chunk, piece({"content": "a", "tool_calls": junk}), piece({}, "stop"))
    assert said(decode(OPENAI, [data])) == "a"
    data = lines(
        {key: junk, "message": {"tool_calls": None}}, {"message": {"content": "a"}, "done": True}
    )
    assert said(decode(OLLAMA, [data])) == "a"


NOISE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([case.data for case in RECORDED.values()]),
    st.sampled_from([b"\n\n", b"data: ", b"data: {}\n\n", b'{"done":true}\n', b"data: [DONE]\n\n"]),
)


@given(st.sampled_from(APIS), st.lists(NOISE, max_size=6))
def test_any_bytes_are_an_answer_or_a_model_error(api: str, parts: list[bytes]) -> None:
    try:
        events = decode(api, parts)
    except ModelError as error:
        assert error.message
    else:
        assert [isinstance(event, Done) for event in events] == [False] * (len(events) - 1) + [True]


@given(st.sampled_from(sorted(RECORDED)), st.data())
def test_a_changed_byte_never_crashes(name: str, data: st.DataObject) -> None:
    case = RECORDED[name]
    at = data.draw(st.integers(0, len(case.data) - 1))
    changed = case.data[:at] + data.draw(st.binary(max_size=3)) + case.data[at + 1 :]
    with contextlib.suppress(ModelError):
        assert done(decode(case.api, [changed]))
