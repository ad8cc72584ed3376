from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config, SendMatch, SendPolicy, SendRule
from engine.routing.send_policy import SessionFacts, may_send

Cases = Callable[[str], list[dict[str, Any]]]


def decide(case: dict[str, Any]) -> str:
    policy = msgspec.convert(case["config"], Config).session.send_policy
    given_, entry = case["input"], case["input"].get("entry", {})
    decision = may_send(
        policy,
        given_["sessionKey"],
        channel=given_.get("channel", ""),
        chat_type=given_.get("chatType", ""),
        session=SessionFacts(
            channel=entry.get("channel", ""),
            last_channel=entry.get("lastChannel", ""),
            chat_type=entry.get("chatType", ""),
            override=entry.get("sendPolicy", ""),
        ),
    )
    return "allow" if decision.allowed else "deny"


def test_every_recorded_decision(cases: Cases) -> None:
    rows = [case for case in cases("rules") if case["op"] == "sendPolicy"]
    assert len(rows) == 62
    assert [c["name"] for c in rows if decide(c) != c["expected"]["policy"]] == []


def policy(*rules: tuple[str, SendMatch], default: str = "allow") -> SendPolicy:
    return msgspec.convert(
        {
            "default": default,
            "rules": [{"action": action, "match": msgspec.to_builtins(m)} for action, m in rules],
        },
        SendPolicy,
    )


def test_a_denial_wins_over_an_earlier_permission_and_is_named() -> None:
    rules = policy(("allow", SendMatch()), ("deny", SendMatch(channel="telegram")))
    decision = may_send(rules, "agent:main:main", channel=" Telegram ")
    assert (decision.allowed, decision.rule) == (False, "session.sendPolicy.rules[1]")
    assert may_send(rules, "agent:main:main", channel="slack").rule == "session.sendPolicy.rules[0]"


def test_the_channel_is_the_messages_else_the_sessions_else_the_keys() -> None:
    rules = policy(("deny", SendMatch(channel="telegram")))
    known = SessionFacts(channel="slack", last_channel="telegram")
    key = "agent:main:telegram:group:1"
    assert not may_send(rules, key, channel="telegram", session=known).allowed
    assert may_send(rules, key, session=known).allowed
    last = SessionFacts(last_channel="Telegram")
    assert not may_send(rules, "agent:main:main", session=last).allowed
    assert may_send(rules, key, session=SessionFacts(last_channel="slack")).allowed
    assert not may_send(rules, key).allowed


@pytest.mark.parametrize("prefix", ["telegram:dm:", "telegram:direct:", "agent:main:telegram:d"])
@pytest.mark.parametrize("word", ["dm", "direct"])
def test_a_prefix_in_either_spelling_fits_a_key_in_either(prefix: str, word: str) -> None:
    rules = policy(("deny", SendMatch(key_prefix=prefix)))
    assert not may_send(rules, f"agent:main:telegram:{word}:1").allowed
    assert may_send(rules, f"agent:main:slack:{word}:1").allowed


def test_a_raw_prefix_needs_the_agent() -> None:
    rules = policy(("deny", SendMatch(raw_key_prefix="telegram:")))
    assert may_send(rules, "agent:main:telegram:group:1").allowed
    assert not may_send(rules, "telegram:group:1").allowed


@given(
    key=st.text(alphabet="agent:dmroupchlx1", max_size=30),
    channel=st.sampled_from(["", "telegram"]),
    default=st.sampled_from(["allow", "deny"]),
)
def test_with_no_rule_the_default_decides_and_a_sessions_own_word_wins(
    key: str, channel: str, default: str
) -> None:
    rules = policy(default=default)
    assert may_send(rules, key, channel=channel).allowed == (default == "allow")
    for word in ("allow", "deny"):
        own = may_send(rules, key, channel=channel, session=SessionFacts(override=word))
        assert own.allowed == (word == "allow")
    assert may_send(None, key).allowed


@given(
    st.lists(
        st.builds(
            SendRule,
            action=st.sampled_from(["allow", "deny"]),
            match=st.builds(
                SendMatch,
                channel=st.sampled_from([None, "telegram", "slack"]),
                chat_type=st.sampled_from([None, "dm", "group", "channel"]),
            ),
        ),
        max_size=6,
    )
)
def test_the_order_of_rules_never_matters(rules: list[SendRule]) -> None:
    forth, back = SendPolicy(rules=tuple(rules)), SendPolicy(rules=tuple(reversed(rules)))
    for key in ("agent:main:telegram:group:1", "agent:main:slack:dm:1", "agent:main:main"):
        assert may_send(forth, key).allowed == may_send(back, key).allowed


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("agent:main:whatsapp:120-7@g.us", "group"),
        ("120363@g.us", "group"),
        ("agent:main:discord:acc:guild-1:channel-2", "channel"),
        ("discord:guild-1:channel-2", "channel"),
    ],
)
def test_keys_of_early_versions_tell_their_kind(
    key: str, kind: Literal["group", "channel"]
) -> None:
    assert not may_send(policy(("deny", SendMatch(chat_type=kind))), key).allowed
    assert may_send(policy(("deny", SendMatch(chat_type="dm"))), key).allowed
