from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config
from engine.routing.envelope import Envelope, Peer
from engine.routing.mentions import Mentions, read_activation
from engine.routing.wordpattern import (
    MAX_PROGRAM,
    MAX_TEXT,
    PatternError,
    WordPattern,
    clean,
)

# Patterns that make a backtracking matcher take exponential or cubic time.
EVIL = [
    ("(a+)+$", "a", "b"),
    ("(a|aa)+$", "a", "b"),
    ("(a|a)*$", "a", "b"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a", ""),
    (r"(\w+\s?)*!$", "ab ", "?"),
    ("(.*)(.*)(.*)(.*)x", "y", ""),
    ("(a?){50}a{50}$", "a", "b"),
    ("((((a*)*)*)*)*b", "a", "c"),
    (r"\b(@?claw)+\b$", "claw", "x"),
]


@pytest.mark.parametrize(("source", "part", "tail"), EVIL)
def test_the_work_grows_with_the_text_and_no_faster(source: str, part: str, tail: str) -> None:
    def work(length: int) -> int:
        return WordPattern(source).walk((part * length)[:length] + tail)[1]

    short, double, long = work(1000), work(2000), work(8000)
    assert double <= 2.1 * short
    assert long <= 8.4 * short
    assert long <= 8001 * 3 * MAX_PROGRAM


atoms = st.sampled_from(
    ["a", "b", "@", " ", ".", "[ab]", "[^a]", "[a-c]", r"\w", r"\W", r"\s", r"\d", r"\b", "^", "$"]
)
bare = {r"\b", "^", "$"}


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "{0,2}?"])
        ).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


patterns = st.recursive(atoms, grown, max_leaves=8)


@given(patterns, st.text(alphabet="abcAB1_@ -", max_size=12))
def test_it_finds_what_the_standard_library_finds(source: str, text: str) -> None:
    # `$` there also means "before a last newline"; the alphabet has none.
    expected = re.search(source, text, re.IGNORECASE) is not None
    assert WordPattern(source).search(text) == expected


@given(patterns, st.lists(st.text(alphabet="abAB1_@ ", max_size=8), max_size=8))
def test_what_it_remembers_never_changes_an_answer(source: str, texts: list[str]) -> None:
    used = WordPattern(source)
    assert [used.search(text) for text in texts] == [WordPattern(source).search(t) for t in texts]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("(?=a)", "look-around"),
        ("(?<name>a)", "look-around"),
        (r"(a)\1", "not supported"),
        (r"\pL", "not supported"),
        ("(a", "not closed"),
        ("a)", "closes nothing"),
        ("*a", "nothing to repeat"),
        ("a**", "nothing to repeat"),
        ("[a", "ends too early"),
        ("[z-a]", "range"),
        ("a\\", "ends too early"),
        (r"\xzz", "no character"),
        ("a{3,2}", "backwards"),
        ("a{1000000000}", "too much"),
        ("((a{50}){50}){50}", "too much|too large"),
        ("(" * 150 + "a" + ")" * 150, "longer than"),
        ("a" * 10_000, "longer than"),
        ("(((((a{9}){9}){9}){9}){9}){9}", "too much|too large"),
    ],
)
def test_a_pattern_that_cannot_be_bounded_is_refused_with_a_reason(source: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        WordPattern(source)


@given(st.text(alphabet="ab()[]{}|*+?^$\\.,-0123456789:=!<wdsbBxuQ", max_size=60))
def test_any_text_is_a_pattern_or_is_refused(source: str) -> None:
    try:
        found, steps = WordPattern(source).walk("abab 0123")
    except PatternError:
        return
    assert found in (True, False)
    assert steps <= 11 * 3 * MAX_PROGRAM


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        (r"\b@?claw\b", "Hello CLAW, are you there", True),
        (r"\b@?claw\b", "clawback", False),
        (r"\b@?claw\b", "cl\u200baw\u202e!", True),
        (r"\b@?小包\b", "你好小包在吗", True),
        ("İstanbul", "İSTANBUL", True),
        ("{", "a { b", True),
        ("a{,3}", "a{,3}", True),
        (r"[\]\-x]y", "-y", True),
        ("[A-C]x", "bx", True),
        ("(?i)Bot", "bot", True),
        ("", "anything", True),
    ],
)
def test_matching_in_chat_text(source: str, text: str, found: bool) -> None:
    assert WordPattern(source).search(text) == found


def test_only_the_beginning_of_a_huge_text_is_looked_at() -> None:
    assert len(clean("x" * (1 << 20))) == MAX_TEXT
    assert not WordPattern("bot").search("x" * MAX_TEXT + "bot")


def config(**top: Any) -> Config:
    return msgspec.convert(top, Config)


def group(text: str = "", group_id: str = "g", channel: str = "telegram", **more: Any) -> Envelope:
    return Envelope(channel, text=text, peer=Peer("group", group_id), **more)


NAMED = {"channels": {"telegram": {"groupPolicy": "open"}}}


def test_direct_messages_and_the_operator_are_answered() -> None:
    mentions = Mentions(config(**NAMED))
    for envelope in (
        Envelope("telegram", peer=Peer("dm", "1")),
        Envelope("terminal"),
        Envelope("telegram"),
    ):
        assert mentions.hear("main", envelope, activation="mention").code == "direct"


def test_a_group_of_a_named_channel_wants_a_mention_unless_told_otherwise() -> None:
    mentions = Mentions(config(**NAMED))
    assert mentions.hear("main", group("hi")).decision == "context"
    assert mentions.hear("main", group("hi", mentions_agent=True)).code == "mentioned"
    assert mentions.hear("main", group("/status"), command=True).code == "command"


def test_in_a_group_of_a_simulated_channel_the_agent_answers() -> None:
    assert Mentions(config()).hear("main", group("hi")).code == "always"
    assert Mentions(config()).hear("main", group("hi"), activation="mention").code == (
        "not_addressed"
    )


@pytest.mark.parametrize(
    ("groups", "group_id", "answered"),
    [
        ({"g": {"requireMention": False}}, "g", True),
        ({"g": {"requireMention": False}}, "other", False),
        ({"*": {"requireMention": False}}, "other", True),
        ({"*": {"requireMention": False}, "g": {"requireMention": True}}, "g", False),
        ({"*": {"requireMention": False}, "g": {}}, "g", True),
        ({"G": {"requireMention": False}}, "g:topic:7", True),
    ],
)
def test_require_mention_is_looked_up_by_group_and_star(
    groups: dict[str, Any], group_id: str, answered: bool
) -> None:
    mentions = Mentions(config(channels={"telegram": {"groups": groups}}))
    assert (mentions.hear("main", group("hi", group_id)).decision == "answer") == answered


def test_activation_wins_over_the_config() -> None:
    mentions = Mentions(config(channels={"telegram": {"groups": {"g": {"requireMention": False}}}}))
    quiet = mentions.hear("main", group("hi"), activation="mention")
    assert (quiet.decision, quiet.rule) == ("context", "/activation mention")
    loud = Mentions(config(**NAMED)).hear("main", group("hi"), activation="always")
    assert (loud.decision, loud.rule) == ("answer", "/activation always")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("mention", "mention"), (" ALWAYS ", "always"), ("", None), ("never", None)],
)
def test_the_words_of_activation(word: str, expected: str | None) -> None:
    assert read_activation(word) == expected


def agents(*listed: dict[str, Any], **more: Any) -> Mentions:
    return Mentions(config(agents={"list": list(listed)}, **NAMED, **more))


def test_patterns_come_from_the_agent_then_from_all_then_from_the_name() -> None:
    shared = {"messages": {"groupChat": {"mentionPatterns": ["shared"]}}}
    mentions = agents(
        {"id": "a", "groupChat": {"mentionPatterns": ["own"]}},
        {"id": "b"},
        {"id": "c", "groupChat": {"mentionPatterns": []}},
        **shared,
    )
    assert mentions.hear("a", group("own")).rule == "agents.list[0].groupChat.mentionPatterns[0]"
    assert mentions.hear("a", group("shared")).decision == "context"
    assert (
        mentions.hear("b", group("a shared word")).rule == "messages.groupChat.mentionPatterns[0]"
    )
    assert mentions.hear("c", group("shared own @c")).decision == "context"


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("hey mia  the bot, hello", True),
        ("@Mia The Bot", True),
        ("miami the bot", False),
        ("@helper help", True),
        ("你好@helper", True),
        ("mail me@helper.example", False),
        ("helper", False),
        ("@helpers", False),
    ],
)
def test_an_agent_hears_its_name_and_its_id_after_an_at(text: str, answered: bool) -> None:
    mentions = agents({"id": "helper", "name": "Mia the Bot"})
    assert (mentions.hear("helper", group(text)).decision == "answer") == answered


def test_bad_patterns_are_problems_and_match_nothing() -> None:
    mentions = agents({"id": "a", "groupChat": {"mentionPatterns": ["(?=x)", " ", "good"]}})
    assert [problem.path for problem in mentions.problems] == [
        "agents.list[0].groupChat.mentionPatterns[0]",
        "agents.list[0].groupChat.mentionPatterns[1]",
    ]
    assert mentions.hear("a", group("x")).decision == "context"
    assert mentions.hear("a", group("good")).decision == "answer"


def test_with_no_context_wanted_an_unaddressed_message_is_ignored() -> None:
    mentions = agents({"id": "a", "groupChat": {"historyLimit": 0}})
    assert mentions.hear("a", group("hi")).decision == "ignore"
    assert mentions.hear("a", group("@a hi")).decision == "answer"
    everywhere = Mentions(config(messages={"groupChat": {"historyLimit": 0}}, **NAMED))
    assert everywhere.hear("main", group("hi")).decision == "ignore"


@given(
    name=st.text(max_size=30),
    text=st.text(max_size=30),
    activation=st.sampled_from([None, "mention", "always"]),
)
def test_any_name_and_text_can_be_judged(name: str, text: str, activation: Any) -> None:
    mentions = agents({"id": "a", "name": name})
    hearing = mentions.hear("a", group(text), activation=activation)
    assert hearing.reason
    if activation == "always":
        assert hearing.decision == "answer"
