from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config
from engine.routing.access import Access, check_access, judge, normalize_sender, sender_id
from engine.routing.envelope import Envelope, Peer, Sender

Cases = Callable[[str], list[dict[str, Any]]]
POLICIES = [None, "pairing", "allowlist", "open", "disabled"]


def run(given_: dict[str, Any]) -> dict[str, Any]:
    found = check_access(
        is_group=given_["isGroup"],
        sender=given_["sender"],
        dm_policy=given_.get("dmPolicy"),
        group_policy=given_.get("groupPolicy"),
        allow_from=given_.get("allowFrom", ()),
        group_allow_from=given_.get("groupAllowFrom", ()),
        store_allow_from=given_.get("storeAllowFrom", ()),
        group_falls_back=given_.get("groupAllowFromFallbackToAllowFrom", True),
    )
    return {
        "decision": found.decision,
        "reasonCode": found.reason_code,
        "reason": found.reason,
        "effectiveAllowFrom": list(found.effective_allow_from),
        "effectiveGroupAllowFrom": list(found.effective_group_allow_from),
    }


def test_every_recorded_decision(cases: Cases) -> None:
    rows = [case for case in cases("rules") if case["op"] == "access"]
    assert len(rows) == 64
    wrong = [(c["name"], run(c["input"])) for c in rows if run(c["input"]) != c["expected"]]
    assert wrong == []


senders = st.lists(st.sampled_from(["u1", "u2", " u3 ", "*", "", 7]), max_size=3)


@given(
    group=st.booleans(),
    sender=st.sampled_from(["u1", "u2", "u3", "7", ""]),
    dm=st.sampled_from(POLICIES),
    room=st.sampled_from([None, "allowlist", "open", "disabled"]),
    allow=senders,
    group_allow=senders,
    store=senders,
    back=st.booleans(),
)
def test_the_decision_table(
    group: bool,
    sender: str,
    dm: str | None,
    room: str | None,
    allow: list[str | int],
    group_allow: list[str | int],
    store: list[str | int],
    back: bool,
) -> None:
    found = check_access(
        is_group=group,
        sender=sender,
        dm_policy=dm,
        group_policy=room,
        allow_from=allow,
        group_allow_from=group_allow,
        store_allow_from=store,
        group_falls_back=back,
    )

    def tidy(ids: list[str | int]) -> list[str]:
        return [str(one).strip() for one in ids if str(one).strip()]

    in_groups = tidy(group_allow) if group_allow or not back else tidy(allow)
    in_dms = tidy(allow) + ([] if dm == "allowlist" else tidy(store))
    if group:
        expected = room == "open" or (
            room != "disabled" and ("*" in in_groups or (sender and sender in in_groups))
        )
    else:
        listed = "*" in in_dms or (sender and sender in in_dms)
        expected = dm == "open" or (dm != "disabled" and listed)
        assert (found.decision == "pairing") == (dm in (None, "pairing") and not listed)
    assert found.allowed == bool(expected)


def test_a_paired_sender_is_let_in_by_dm_but_never_in_a_group() -> None:
    for policy in ("pairing", None):
        dm = check_access(is_group=False, sender="u2", dm_policy=policy, store_allow_from=["u2"])
        assert dm.allowed
    room = check_access(is_group=True, sender="u2", store_allow_from=["u2"])
    assert room.reason_code == "group_policy_empty_allowlist"


def config(channel: dict[str, Any], name: str = "telegram") -> Config:
    return msgspec.convert({"channels": {name: channel}}, Config)


def dm(peer: str, channel: str = "telegram", **more: Any) -> Envelope:
    return Envelope(channel, peer=Peer("dm", peer), **more)


def room(sender: str | None, group: str = "-100", **more: Any) -> Envelope:
    who = Sender(sender) if sender is not None else None
    return Envelope("telegram", peer=Peer("group", group), sender=who, **more)


def test_the_operator_gets_in_whatever_the_config_says() -> None:
    strict = config({"dmPolicy": "disabled", "enabled": False}, "terminal")
    assert judge(strict, Envelope("terminal")).reason_code == "operator"
    assert judge(strict, Envelope("Terminal", peer=Peer("dm", "x"))).decision == "block"


def test_a_channel_that_is_not_named_is_simulated_and_open() -> None:
    for envelope in (dm("anyone", "webchat"), Envelope("webchat", peer=Peer("group", "g"))):
        assert judge(config({}), envelope).reason_code == "channel_simulated"


def test_a_named_channel_has_the_defaults_of_its_policies() -> None:
    assert judge(config({}), dm("u1")).decision == "pairing"
    assert judge(config({}), dm("u1"), approved=["U1"]).allowed
    assert judge(config({}), room("u1")).reason_code == "group_policy_empty_allowlist"
    assert judge(config({}), Envelope("TELEGRAM ", peer=Peer("dm", "u1"))).decision == "pairing"


def test_open_needs_a_star() -> None:
    shut = config({"dmPolicy": "open", "allowFrom": ["u1"]})
    assert judge(shut, dm("u2")).reason_code == "dm_policy_not_allowlisted"
    assert 'without "*"' in judge(shut, dm("u2")).reason
    assert judge(shut, dm("u1")).reason_code == "dm_policy_allowlisted"
    assert judge(config({"dmPolicy": "open", "allowFrom": ["*"]}), dm("u2")).allowed


def test_a_message_without_a_sender_gets_no_code() -> None:
    assert judge(config({}), Envelope("telegram")).reason_code == "sender_unknown"
    assert judge(config({}), dm("  ")).reason_code == "sender_unknown"
    assert not judge(config({"allowFrom": ["telegram:"]}), dm("")).allowed
    open_ = config({"dmPolicy": "open", "allowFrom": ["*"]})
    assert judge(open_, Envelope("telegram")).allowed


@pytest.mark.parametrize("entry", ["123", 123, " 123 ", "telegram:123", "TG:123", "Telegram: 123"])
def test_a_sender_is_found_in_any_spelling(entry: str | int) -> None:
    listed = config({"dmPolicy": "allowlist", "allowFrom": [entry]})
    assert judge(listed, dm("123")).allowed
    assert judge(listed, dm("tg:123")).allowed
    assert not judge(listed, dm("1234")).allowed


def test_another_channels_prefix_is_part_of_the_id() -> None:
    listed = config({"dmPolicy": "allowlist", "allowFrom": ["discord:123"]})
    assert not judge(listed, dm("123")).allowed


def test_the_sender_is_judged_not_the_name_and_not_the_peer() -> None:
    listed = config({"dmPolicy": "allowlist", "allowFrom": ["alice"]})
    assert not judge(listed, dm("666", sender=Sender("666", "alice"))).allowed
    assert not judge(listed, dm("alice", sender=Sender("mallory"))).allowed


def test_an_account_wins_over_its_channel() -> None:
    both = config(
        {"dmPolicy": "disabled", "accounts": {"Work": {"dmPolicy": "allowlist", "allowFrom": [1]}}}
    )
    assert judge(both, dm("1")).reason_code == "dm_policy_disabled"
    found = judge(both, dm("1", account_id="work"))
    assert (found.decision, found.rule) == ("allow", "channels.telegram.accounts.Work.dmPolicy")


def groups(policy: str = "open", **entries: Any) -> Config:
    named = {key.replace("_", "-").replace("star", "*"): value for key, value in entries.items()}
    return config({"groupPolicy": policy, "groupAllowFrom": ["u1"], "groups": named})


def test_listed_groups_are_the_only_ones_served() -> None:
    some = groups(_100={})
    assert judge(some, room("u9")).allowed
    assert judge(some, room("u9", "-200")).reason_code == "group_not_listed"
    assert judge(groups(star={}, _100={}), room("u9", "-200")).allowed


def test_a_groups_own_list_holds_under_every_policy() -> None:
    own = groups(_100={"allowFrom": ["u2"]}, star={})
    assert judge(own, room("u2")).allowed
    assert judge(own, room("u1")).reason_code == "group_policy_not_allowlisted"
    assert judge(own, room("u1", "-200")).allowed
    nobody = config({"allowFrom": ["u1"], "groups": {"-100": {"allowFrom": []}}})
    assert judge(nobody, room("u1")).reason_code == "group_policy_empty_allowlist"
    off = groups("disabled", _100={"allowFrom": ["u2"]})
    assert judge(off, room("u2")).reason_code == "group_policy_disabled"


def test_a_group_can_be_switched_off_and_inherits_from_the_star() -> None:
    off = groups(_100={"enabled": False}, star={})
    assert judge(off, room("u1")).reason_code == "group_disabled"
    assert judge(groups(star={"enabled": False}, _100={}), room("u1")).decision == "block"
    assert judge(groups(star={"enabled": False}, _100={"enabled": True}), room("u1")).allowed


@pytest.mark.parametrize(
    "envelope",
    [
        room("u9", "-100:topic:42"),
        room("u9", "7", parent_peer=Peer("group", "-100")),
        room("u9", " -100 "),
    ],
)
def test_a_topic_and_a_thread_belong_to_their_group(envelope: Envelope) -> None:
    assert judge(groups(_100={}), envelope).allowed


@given(st.text(max_size=12), st.sampled_from(["telegram", "slack", "", "A b"]))
def test_normalising_a_sender_ignores_case_and_never_yields_a_star(text: str, name: str) -> None:
    found = normalize_sender(name, text)
    assert found == normalize_sender(name, text.lower())
    listed = judge(config({"dmPolicy": "allowlist", "allowFrom": ["x"]}), dm(text or " "))
    assert listed.allowed == (normalize_sender("telegram", text) == "x")


@given(
    channel=st.fixed_dictionaries(
        {},
        optional={
            "dmPolicy": st.sampled_from(POLICIES[1:]),
            "groupPolicy": st.sampled_from(["allowlist", "open", "disabled"]),
            "allowFrom": senders,
            "groupAllowFrom": senders,
            "groups": st.dictionaries(
                st.sampled_from(["*", "-100", "-200"]),
                st.fixed_dictionaries(
                    {}, optional={"enabled": st.booleans(), "allowFrom": senders}
                ),
            ),
            "enabled": st.booleans(),
        },
    ),
    sender=st.sampled_from(["u1", "u2", "7", ""]),
    in_group=st.booleans(),
    approved=st.lists(st.sampled_from(["u1", "u2"])),
)
def test_every_decision_names_its_rule(
    channel: dict[str, Any], sender: str, in_group: bool, approved: list[str]
) -> None:
    envelope = room(sender) if in_group else dm(sender)
    found: Access = judge(config(channel), envelope, approved)
    assert found.rule.startswith("channels.telegram.")
    assert found.reason
    if channel.get("enabled") is False:
        assert found.reason_code == "channel_disabled"
    if in_group:
        assert found.decision != "pairing"
        assert found == judge(config(channel), envelope, ())
    assert sender_id(envelope) == sender


def test_a_list_of_blanks_for_groups_lets_in_nobody() -> None:
    found = check_access(is_group=True, sender="u1", allow_from=["u1"], group_allow_from=[" "])
    assert (found.reason_code, found.effective_group_allow_from) == (
        "group_policy_empty_allowlist",
        (),
    )
