from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config, Session
from engine.lifecycle.freshness import ResetPolicy, freshness, policy_for, reset_type

Cases = Callable[[str], list[dict[str, Any]]]
DAY = 86_400_000


def session(**fields: Any) -> Session:
    return msgspec.convert(fields, Session)


def judge(case: dict[str, Any]) -> dict[str, Any]:
    known = msgspec.convert(case["config"], Config).session
    given_ = case["input"]
    kind = reset_type(
        given_["sessionKey"],
        is_group=given_.get("isGroup", False),
        is_thread=given_.get("isThread", False),
    )
    policy = policy_for(known, kind, given_.get("channel") or "", default="daily")
    found = freshness(policy, given_["updatedAt"], given_["now"], UTC)
    return {
        "resetType": "direct" if kind == "dm" else kind,
        "mode": policy.mode,
        "atHour": policy.at_hour,
        "idleMinutes": policy.idle_minutes,
        "fresh": found.fresh,
        "dailyResetAt": found.daily_reset_at,
        "idleExpiresAt": found.idle_expires_at,
    }


def test_every_recorded_case(cases: Cases) -> None:
    rows = [case for case in cases("rules") if case["op"] == "reset"]
    assert len(rows) == 120
    assert [(c["name"], judge(c)) for c in rows if judge(c) != c["expected"]] == []


@given(updated=st.integers(-(2**53), 2**53), now=st.integers(-(2**53), 2**53))
def test_nothing_expires_where_the_config_says_nothing(updated: int, now: int) -> None:
    assert freshness(policy_for(session(), "dm"), updated, now).fresh


@pytest.mark.parametrize(
    ("fields", "mode", "rule"),
    [
        ({"idleMinutes": 5}, "idle", "session.idleMinutes"),
        ({"reset": {"idleMinutes": 5}}, "idle", "session.reset"),
        ({"reset": {"atHour": 5, "idleMinutes": 5}}, "daily", "session.reset"),
        ({"reset": {"mode": "none", "idleMinutes": 5}}, "none", "session.reset"),
        ({"resetByType": {"dm": {"mode": "daily"}}}, "daily", "session.resetByType.dm"),
        ({"resetByType": {"group": {"mode": "daily"}}}, "none", ""),
        ({"resetByChannel": {"x": {"mode": "idle"}}}, "idle", "session.resetByChannel.x"),
    ],
)
def test_the_mode_and_where_it_comes_from(fields: dict[str, Any], mode: str, rule: str) -> None:
    policy = policy_for(session(**fields), "dm", " X ")
    assert (policy.mode, policy.rule) == (mode, rule)


def test_none_outweighs_minutes_from_elsewhere() -> None:
    policy = policy_for(session(reset={"mode": "none"}, idleMinutes=1), "dm")
    assert freshness(policy, 0, 50 * DAY).fresh


def test_each_field_is_looked_for_in_the_type_first() -> None:
    known = session(
        reset={"mode": "daily", "atHour": 6, "idleMinutes": 9},
        resetByType={"direct": {"atHour": 7}, "dm": {"atHour": 8}, "thread": {"mode": "idle"}},
    )
    assert policy_for(known, "dm") == ResetPolicy("daily", 7, 9, "session.reset")
    assert policy_for(known, "thread") == ResetPolicy("idle", 6, 9, "session.resetByType.thread")


def test_both_edges_are_fresh() -> None:
    four = int(datetime(2026, 4, 15, 4, tzinfo=UTC).timestamp() * 1000)
    daily = ResetPolicy("daily")
    assert freshness(daily, four, four + DAY - 1, UTC).fresh
    assert freshness(daily, four, four, UTC).fresh
    over = freshness(daily, four - 1, four, UTC)
    assert (over.fresh, over.reason) == (False, "daily")
    idle = ResetPolicy("idle", idle_minutes=1)
    assert freshness(idle, four, four + 60_000, UTC).fresh
    assert freshness(idle, four, four + 60_001, UTC).reason == "idle"


def test_the_hour_is_the_walls_on_the_day_the_clocks_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = int(datetime(2026, 3, 29, 12, tzinfo=zone).timestamp() * 1000)
    found = freshness(ResetPolicy("daily", 4), now, now, zone)
    assert found.daily_reset_at is not None
    assert datetime.fromtimestamp(found.daily_reset_at / 1000, UTC).hour == 2
    morning = int(datetime(2026, 3, 29, 3, 30, tzinfo=zone).timestamp() * 1000)
    before = freshness(ResetPolicy("daily", 4), morning, morning, zone).daily_reset_at
    assert before == int(datetime(2026, 3, 28, 4, tzinfo=zone).timestamp() * 1000)


@given(
    now=st.integers(0, 4_000_000_000_000),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_the_latest_reset_is_past_and_less_than_two_days_ago(
    now: int, hour: int, zone: str
) -> None:
    at = freshness(ResetPolicy("daily", hour), now, now, ZoneInfo(zone)).daily_reset_at
    assert at is not None and at <= now < at + DAY + 2 * 3_600_000


def test_a_time_beyond_all_calendars_ends_nothing() -> None:
    assert freshness(ResetPolicy("daily"), 0, 10**18, UTC).fresh
