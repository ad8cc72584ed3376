from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Session
from engine.lifecycle.expiry import (
    DAY,
    Ending,
    Over,
    Where,
    ending,
    expires,
    label_of,
    over,
    where_of,
)
from engine.sessions.life import Life
from engine.sessions.records import Kind, SessionRecord

NOW = 1_800_000_000_000
ALICE = "agent:main:telegram:dm:alice"


def session(**fields: Any) -> Session:
    return msgspec.convert(fields, Session)


def record(kind: Kind = "session", **fields: Any) -> SessionRecord:
    return SessionRecord(ALICE, "main", "s", Path("/s/s.jsonl"), kind, **fields)


def judge(config: Session, silent: float, where: Where | None = None) -> Over | None:
    return over(config, ALICE, NOW - round(silent), NOW, where or Where("telegram"), UTC)


@pytest.mark.parametrize(
    ("fields", "any_rule"),
    [
        ({}, False),
        ({"reset": {"mode": "none"}}, True),
        ({"ttlDays": 1}, True),
        ({"idleMinutes": 5}, True),
        ({"resetByChannel": {}}, False),
        ({"resetByType": {}}, False),
        ({"resetByType": {"dm": {}}}, True),
        ({"resetByChannel": {"x": {}}}, True),
        ({"timeoutHours": 1}, False),
    ],
)
def test_whether_any_rule_ends_sessions(fields: dict[str, Any], any_rule: bool) -> None:
    assert expires(session(**fields)) is any_rule


@given(silent=st.integers(0, 4000 * DAY))
def test_what_ends_is_ended_by_a_rule_that_the_config_has(silent: int) -> None:
    assert judge(session(timeoutHours=1), silent) is None
    found = judge(session(ttlDays=3), silent)
    assert (found is not None) == (silent > 3 * DAY)
    both = judge(session(ttlDays=3, reset={"mode": "idle", "idleMinutes": 60}), silent)
    assert (both is not None) == (silent > 3_600_000)


@given(a=st.integers(0, 100 * DAY), b=st.integers(0, 100 * DAY))
def test_more_silence_never_makes_a_session_fresh_again(a: int, b: int) -> None:
    config = session(ttlDays=30, reset={"mode": "daily", "atHour": 4, "idleMinutes": 600})
    if judge(config, min(a, b)) is not None:
        assert judge(config, max(a, b)) is not None


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (60, "1 hour"),
        (90, "90 minutes"),
        (1, "1 minute"),
        (1440, "1 day"),
        (2880, "2 days"),
        (120, "2 hours"),
    ],
)
def test_the_reason_names_the_silence(minutes: int, told: str) -> None:
    found = judge(session(reset={"mode": "idle", "idleMinutes": minutes}), minutes * 60_000 + 1)
    assert found == Over(f"nothing was said for more than {told}", "session.reset")


def test_half_a_day_is_told_in_its_largest_whole_unit() -> None:
    found = judge(session(ttlDays=0.5), DAY)
    assert found == Over("nothing was said for more than 12 hours", "session.ttlDays")


def test_where_a_session_s_messages_come_from() -> None:
    assert where_of(record()) == Where("")
    origin = {"channel": "slack", "threadId": "7"}
    assert where_of(record(origin=origin)) == Where("slack", is_thread=True)
    room = SessionRecord("agent:main:discord:group:x", "main", "s", Path("/s"))
    assert where_of(room).channel == "discord"


def test_the_label_that_a_session_has_by_itself() -> None:
    config = session(timeoutHours=2)
    hour = 3_600_000
    young, old = record(last_active=NOW - 2 * hour), record(last_active=NOW - 2 * hour - 1)
    assert (label_of(young, config, NOW), label_of(old, config, NOW)) == ("active", "idle")
    assert label_of(old, session(), NOW) == "active", "without timeoutHours nothing is idle"
    back = record(last_active=0, life=Life("restore", at=NOW - hour))
    assert label_of(back, config, NOW) == "active"
    kinds = {kind: label_of(record(kind), config, NOW) for kind in ("archived", "reset", "deleted")}
    assert kinds == {"archived": "archived", "reset": "archived", "deleted": "trash"}
    assert label_of(record("checkpoint"), config, NOW) == "checkpoint"
    assert label_of(record(state="missing"), config, NOW) == "missing"


def ends(config: Session, key: str = ALICE) -> Ending:
    return ending(config, key, NOW, Where("telegram"), UTC)


def test_how_a_session_will_end_is_told_with_its_rule() -> None:
    assert ends(session()) == Ending(None, "not by itself", "")
    both = session(reset={"mode": "daily", "atHour": 4}, ttlDays=30)
    assert ends(both).rule == "session.reset" and ends(both).told == "daily at 04:00"
    assert 0 < (ends(both).at or 0) - NOW <= DAY
    idle = session(reset={"mode": "idle", "idleMinutes": 90})
    assert ends(idle) == Ending(NOW + 90 * 60_000, "after 90 minutes of silence", "session.reset")
    old = session(ttlDays=2)
    assert ends(old) == Ending(NOW + 2 * DAY, "after 2 days of silence", "session.ttlDays")
    rooms = session(resetByType={"group": {"mode": "idle", "idleMinutes": 60}})
    assert ends(rooms).at is None
    assert ends(rooms, "agent:main:telegram:group:g").rule == "session.resetByType.group"


@given(
    st.sampled_from(["none", "daily", "idle"]),
    st.integers(0, 23),
    st.integers(1, 5000),
    st.integers(0, 9),
    st.integers(0, DAY),
)
def test_it_ends_when_that_is_told_and_not_before(
    mode: str, hour: int, minutes: int, days: int, later: int
) -> None:
    reset = {"mode": mode, "atHour": hour, "idleMinutes": minutes}
    config, used, where = session(reset=reset, ttlDays=days), NOW + later, Where("telegram")
    at = ending(config, ALICE, used, where, UTC).at
    if at is None:
        assert over(config, ALICE, used, used + 1000 * DAY, where, UTC) is None
    else:
        assert over(config, ALICE, used, at - 1, where, UTC) is None
        assert over(config, ALICE, used, at + 1, where, UTC) is not None
