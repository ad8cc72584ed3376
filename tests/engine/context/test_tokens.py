from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.context.tokens import (
    Calibration,
    chars4_message,
    chars4_text,
    estimate_message,
    estimate_request,
    estimate_text,
    usage_total,
)
from engine.models.protocol import (
    ChatMessage,
    Image,
    ModelRequest,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)

PROSE = (
    "When a person writes to the assistant in the evening, the message lands in the same "
    "conversation as in the morning, and the answer knows what had been said before. Tables of "
    "cases were produced by running the reference, and they say more than prose can."
)
PYTHON = """
def limit_turns(roles, limit):
    turns, start = 0, len(roles)
    for index in range(len(roles) - 1, -1, -1):
        if roles[index] == "user":
            turns += 1
            if turns > limit:
                return start
            start = index
    return 0
"""
RECORD = {"type": "message", "id": "14b062ae", "parentId": None, "n": [1, 20, 300], "ok": True}
LISTING = "-rw-r--r-- 1 ada staff 18324 Nov 20 18:57 window.py\n" * 5
BASE64 = base64.b64encode(random.Random(1).randbytes(3000)).decode()

# Characters a token in the o200k vocabulary, as measured for WIRE.md §8.
MEASURED = {
    "prose": (PROSE, 4.75),
    "python": (PYTHON, 4.72),
    "json": (json.dumps(RECORD, separators=(",", ":")), 2.72),
    "listing": (LISTING, 2.36),
    "base64": (BASE64, 1.48),
    "french": ("Le système suit la conception d'un projet plus ancien. " * 3, 5.04),
    "russian": ("Когда человек пишет вечером, сообщение попадает в тот же разговор. ", 4.56),
    "arabic": ("عندما يكتب شخص إلى المساعد في المساء تصل الرسالة إلى نفس المحادثة", 3.24),
    "japanese": ("人が夕方にアシスタントに書くと、メッセージは朝と同じ会話に届きます。", 1.44),
    "chinese": ("当一个人晚上给助手写信时，消息会进入与早上相同的对话。", 1.24),
    "emoji": ("😀🎉🚀👍🏽❤️🔥✨🙏😂" * 3, 0.68),
}


@pytest.mark.parametrize("name", MEASURED)
def test_estimate_is_mildly_over_and_never_strongly_under(name: str) -> None:
    text, chars_per_token = MEASURED[name]
    true = len(text) / chars_per_token
    assert 0.8 * true <= estimate_text(text) <= 1.55 * true


@given(st.text())
def test_estimate_of_any_text_is_positive_and_bounded_by_its_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    assert bool(text) <= estimate_text(text) <= 2 * size + 2
    # No text is cheaper than a dozen bytes a token: nothing hides from the count.
    assert estimate_text(text) >= size // 12


@given(st.text(), st.text())
def test_estimate_grows_with_the_text(one: str, other: str) -> None:
    assert estimate_text(one + other) >= max(estimate_text(one), estimate_text(other)) - 1
    assert estimate_text(one + other) <= estimate_text(one) + estimate_text(other) + 1


def test_lone_surrogates_count_too() -> None:
    assert estimate_text("\ud800 x") >= 1


@pytest.mark.parametrize(
    ("message", "chars"),
    [
        ({"role": "user", "content": "x" * 9}, 9),
        ({"role": "user", "content": [{"type": "text", "text": "x" * 9}] * 2}, 18),
        ({"role": "user", "content": [{"type": "image", "data": "…"}]}, 4800),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": "x" * 12}]}, 12),
        (
            {
                "role": "assistant",
                "content": [
                    {"type": "toolCall", "name": "read", "arguments": {"path": "a b", "n": 1}}
                ],
            },
            4 + len('{"path":"a b","n":1}'),
        ),
        ({"role": "toolResult", "content": [{"type": "text", "text": "x" * 5}]}, 5),
        ({"role": "custom", "content": "x" * 5}, 5),
        ({"role": "bashExecution", "command": "ls", "output": "a\nb"}, 5),
        ({"role": "compactionSummary", "summary": "x" * 21}, 21),
        ({"role": "branchSummary", "summary": "x" * 21}, 21),
        ({"role": "user", "content": "🎉🎉🎉"}, 6),
        ({"role": "user", "content": None}, 0),
        ({}, 0),
    ],
)
def test_the_references_count_is_characters_over_four(message: dict, chars: int) -> None:
    assert chars4_message(message) == -(-chars // 4)


def test_chars4_counts_utf16_units_rounded_up() -> None:
    assert [chars4_text(text) for text in ("", "a", "abcd", "abcde", "🎉🎉🎉")] == [0, 1, 1, 2, 2]


def test_a_picture_weighs_more_than_its_words() -> None:
    picture = {"role": "user", "content": [{"type": "image", "data": "AAAA", "mimeType": "x"}]}
    assert estimate_message(picture) > 1000


def test_everything_in_a_request_counts() -> None:
    base = ModelRequest("m", (ChatMessage("user", (Text("hello"),)),))
    sizes = [
        estimate_request(request)
        for request in (
            base,
            ModelRequest("m", base.messages, system="You are kind."),
            ModelRequest("m", base.messages, tools=(ToolSpec("read", "Reads.", {"a": 1}),)),
            ModelRequest("m", (*base.messages, ChatMessage("assistant", (Text("hi"),)))),
            ModelRequest("m", (ChatMessage("user", (Text("hello"), Image("", "image/png"))),)),
            ModelRequest("m", (*base.messages, ChatMessage("user", (ToolResult("1", "r", "x"),)))),
            ModelRequest(
                "m", (*base.messages, ChatMessage("assistant", (ToolCall("1", "r", {}),)))
            ),
        )
    ]
    assert all(size > sizes[0] for size in sizes[1:])


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        ({"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}, 10),
        ({"input": 1, "output": 2, "totalTokens": 99}, 99),
        ({"input": 5, "totalTokens": 0}, 5),
        ({}, 0),
        (None, 0),
        ({"input": "9", "output": -3, "cacheRead": True, "cacheWrite": float("nan")}, 0),
    ],
)
def test_usage_is_the_total_or_the_sum_of_its_parts(usage: object, total: int) -> None:
    assert usage_total(usage) == total


def test_calibration_learns_the_ratio() -> None:
    calibration = Calibration()
    for _ in range(20):
        calibration = calibration.learn(1000, 1500)
    assert calibration.ratio == pytest.approx(1.5)
    assert calibration.apply(1000) == 1500


def test_calibration_follows_a_change_but_not_one_report_alone() -> None:
    calibration = Calibration()
    for _ in range(10):
        calibration = calibration.learn(100, 100)
    once = calibration.learn(100, 200)
    assert 1.0 < once.ratio < 1.5
    for _ in range(20):
        once = once.learn(100, 200)
    assert once.ratio == pytest.approx(2.0, abs=0.01)


@given(st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**9))))
def test_calibration_stays_within_its_bounds(reports: list[tuple[int, int]]) -> None:
    calibration = Calibration()
    for estimated, reported in reports:
        calibration = calibration.learn(estimated, reported)
    assert Calibration.LEAST <= calibration.ratio <= Calibration.MOST


def test_calibration_is_a_value() -> None:
    first = Calibration()
    assert first.learn(100, 300) is not first
    assert first == Calibration()
    assert first.learn(0, 100) is first
