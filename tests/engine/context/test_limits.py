from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Channel, Config, History, HistoryLimit
from engine.context.limits import Limits, limit_turns, limits_for

CONFIG = Config(
    history=History(
        dm=HistoryLimit(max_messages=100, max_tokens=32000),
        group=HistoryLimit(max_messages=30, max_tokens=8000),
    ),
    channels={
        "telegram": Channel(
            history_limit=7,
            dm_history_limit=5,
            dms={"Alice": {"historyLimit": 2}, "bob": {"historyLimit": 0}, "eve": {"x": 1}},
        )
    },
)


@pytest.mark.parametrize(
    ("chat_type", "channel", "peer", "turns"),
    [
        ("dm", "telegram", "carol", 5),
        ("dm", "telegram", None, 5),
        ("dm", "telegram", "Alice", 2),
        ("dm", "telegram", "alice", 2),
        ("direct", "Telegram", "alice", 2),
        ("dm", "telegram", "bob", 0),
        ("dm", "telegram", "eve", 5),
        ("group", "telegram", "Alice", 7),
        ("channel", "telegram", None, 7),
        ("dm", "signal", "alice", 0),
        ("main", "", None, 0),
    ],
)
def test_turn_limit_comes_from_peer_then_channel(
    chat_type: str, channel: str, peer: str | None, turns: int
) -> None:
    assert limits_for(CONFIG, chat_type, channel, peer).turns == turns


@pytest.mark.parametrize(
    ("chat_type", "expected"),
    [("dm", (100, 32000)), ("main", (100, 32000)), ("group", (30, 8000)), ("channel", (30, 8000))],
)
def test_history_limits_come_with_the_chat_type(chat_type: str, expected: tuple[int, int]) -> None:
    limits = limits_for(CONFIG, chat_type, "telegram", "x")
    assert (limits.max_messages, limits.max_tokens) == expected


def test_reasons_can_name_the_place_in_the_config() -> None:
    limits = limits_for(CONFIG, "dm", "telegram", "alice")
    assert limits.name == "history.dm"
    assert limits.turns_name == "channels.telegram.dms.alice.historyLimit"


def test_nothing_set_is_no_limit() -> None:
    assert not Limits().any
    assert Limits(turns=1).any


ROLES = st.lists(st.sampled_from(["user", "assistant", "toolResult", "compactionSummary", None]))


@given(ROLES, st.one_of(st.none(), st.integers(-2, 6)))
def test_turn_limit_keeps_that_many_turns(roles: list[Any], limit: int | None) -> None:
    start = limit_turns(roles, limit)
    kept = roles[start:].count("user")
    if limit is None or limit < 1 or roles.count("user") <= limit:
        assert start == 0
    else:
        assert kept == limit
        assert roles[start] == "user"
