from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from engine.events import Event, ReplyDelta, TurnEnded, TurnStarted
from tui.bridge import Merger

EVENTS = st.one_of(
    st.builds(
        ReplyDelta,
        session_key=st.sampled_from("ab"),
        turn_id=st.sampled_from("12"),
        text=st.text(max_size=3),
        thinking=st.text(max_size=3),
    ),
    st.builds(
        TurnStarted,
        session_key=st.sampled_from("ab"),
        turn_id=st.sampled_from("12"),
        entry_id=st.just("e"),
        model=st.just("m"),
    ),
)


def flat(events: Sequence[Event], key: str) -> list[object]:
    """Per session: what is said between other events, letter by letter."""
    told: list[object] = []
    for event in events:
        if event.session_key != key:  # type: ignore[union-attr]
            continue
        if isinstance(event, ReplyDelta):
            told += [("text", event.turn_id, letter) for letter in event.text]
        else:
            told.append(event)
    return told


def thoughts(events: Sequence[Event], key: str) -> str:
    deltas = [event for event in events if isinstance(event, ReplyDelta)]
    return "".join(delta.thinking for delta in deltas if delta.session_key == key)


@given(st.lists(EVENTS, max_size=40))
def test_merging_loses_nothing_and_keeps_the_order_of_each_session(events: list[Event]) -> None:
    merger = Merger()
    for event in events:
        merger.add(event)
    batch = merger.drain()
    assert merger.drain() == ()
    for key in "ab":
        assert flat(batch, key) == flat(events, key)
        thinking = "".join(
            e.thinking for e in events if isinstance(e, ReplyDelta) and e.session_key == key
        )
        merged = "".join(
            e.thinking for e in batch if isinstance(e, ReplyDelta) and e.session_key == key
        )
        assert merged == thinking


@given(st.lists(EVENTS, max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_words_kept_for_later_come_in_their_place(events: list[Event], stops: list[int]) -> None:
    merger = Merger()
    told: list[Event] = []
    for number, event in enumerate(events):
        merger.add(event)
        if number in stops:
            told += merger.drain(half=True)
    while merger.holds:
        told += merger.drain(half=True)
    for key in "ab":
        assert flat(told, key) == flat(events, key)
        assert thoughts(told, key) == thoughts(events, key)


def test_sessions_take_turns() -> None:
    merger = Merger()
    told = []
    for _ in range(4):
        for key in "abcd":
            merger.add(ReplyDelta(key, "1", "x"))
        batch = merger.drain(half=True)
        told.append("".join(event.session_key for event in batch if isinstance(event, ReplyDelta)))
    assert told == ["ab", "cd", "ab", "cd"]


def test_a_thousand_tokens_of_two_sessions_become_two_events() -> None:
    merger = Merger()
    for number in range(1000):
        merger.add(ReplyDelta("ab"[number % 2], "1", "x"))
    batch = merger.drain()
    assert [len(event.text) for event in batch if isinstance(event, ReplyDelta)] == [500, 500]


def test_what_comes_after_the_end_is_not_merged_with_what_came_before() -> None:
    merger = Merger()
    merger.add(ReplyDelta("a", "1", "x"))
    merger.add(TurnEnded("a", "1", "e", "stop", "m"))
    merger.add(ReplyDelta("a", "2", "y"))
    assert [type(event).__name__ for event in merger.drain()] == [
        "ReplyDelta",
        "TurnEnded",
        "ReplyDelta",
    ]
