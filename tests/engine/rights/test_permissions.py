from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Binding, Config
from engine.rights.permissions import (
    USER_COMMANDS,
    PermissionTable,
    Principal,
    decide,
    may_call,
    may_use,
)
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.router import Router
from engine.values import replace

BOB = Principal("telegram:default:bob", "Bob")


def table(
    *assign: tuple[dict[str, Any], str], links: dict[str, list[str]] | None = None, **more: Any
) -> PermissionTable:
    permissions = {"assign": [{"match": m, "profile": p} for m, p in assign]} | more
    config = {"permissions": permissions, "session": {"identityLinks": links or {}}}
    return PermissionTable(msgspec.convert(config, Config))


def dm(peer: str, channel: str = "telegram", **more: Any) -> Envelope:
    return Envelope(channel, peer=Peer("dm", peer), **more)


def profile(found: PermissionTable, envelope: Envelope) -> tuple[str, str]:
    grant = found.grant(envelope)
    return grant.profile, grant.rule


def test_without_any_config_a_person_is_a_user_and_the_operator_admin() -> None:
    grant = table().grant(dm("bob"))
    bob = replace(BOB, grant=grant)
    for command in ("new", "model", "compact"):
        assert may_use(bob, command).allowed == may_use(BOB, command).allowed
        assert may_use(bob, command).allowed == (command in USER_COMMANDS)
    assert not may_call(bob, "exec").allowed
    operator = Principal("operator", grant=grant)
    assert may_use(operator, "model").allowed and may_call(operator, "exec").allowed
    assert table().grant(Envelope("terminal")).profile == "admin"
    assert table().grant(Envelope("terminal", peer=Peer("dm", "operator"))).profile == "user"


def test_the_decision_names_the_profile_and_the_rule_that_gave_it() -> None:
    grant = table(({"people": ["telegram:bob"]}, "admin")).grant(dm("bob"))
    found = may_use(replace(BOB, grant=grant), "model")
    assert found.allowed
    assert found.rule == "profile admin allows /model (permissions.assign[0])"
    refused = may_call(BOB, "exec")
    assert refused.rule == "profile user does not allow the tool exec (permissions.default)"


@pytest.mark.parametrize(
    ("patterns", "name", "allowed"),
    [
        (["*"], "anything", True),
        (["sessions_*"], "sessions_list", True),
        (["sessions_*"], "session_status", False),
        (["/New"], "new", True),
        (["ne"], "new", False),
        ([], "new", False),
        ([""], "new", False),
        (["*_list"], "sessions_list", True),
    ],
)
def test_a_star_stands_for_any_characters(patterns: list[str], name: str, allowed: bool) -> None:
    found = table(profiles={"user": {"commands": patterns, "tools": patterns}})
    person = replace(BOB, grant=found.grant(dm("bob")))
    assert decide(person, "command", name).allowed == allowed
    assert decide(person, "tool", name).allowed == allowed


LINKS = {"Alice": ["telegram:111", "discord:222"]}


@pytest.mark.parametrize(
    ("people", "envelope", "holds"),
    [
        (["alice"], dm("111"), True),
        (["ALICE"], dm("222", "discord"), True),
        (["alice"], dm("222"), False),
        (["alice"], dm("alice"), False),
        (["telegram:111"], dm("111"), True),
        (["Telegram:111"], dm("tg:111"), True),
        (["telegram:111"], dm("111", "discord"), False),
        (["telegram:5"], Envelope("telegram", peer=Peer("group", "g"), sender=Sender("5")), True),
        (["telegram:g"], Envelope("telegram", peer=Peer("group", "g"), sender=Sender("5")), False),
        (["telegram:5"], Envelope("telegram", peer=Peer("group", "g")), False),
        (["111"], dm("111"), False),
        ([111], dm("111"), False),
        (["bob"], dm("666", sender=Sender("666", "bob")), False),
        (["telegram:bob"], dm("bob", sender=Sender("mallory")), False),
        (["*"], dm("111"), False),
        (["telegram:*"], dm("111"), False),
    ],
)
def test_people_are_known_by_link_or_by_channel_and_id(
    people: list[Any], envelope: Envelope, holds: bool
) -> None:
    found = table(({"people": people}, "admin"), links=LINKS)
    assert (found.grant(envelope).profile == "admin") == holds


def test_with_a_channel_a_bare_id_is_enough() -> None:
    found = table(({"channel": "telegram", "people": [111]}, "admin"))
    assert found.grant(dm("111")).profile == "admin"
    assert found.grant(dm("111", "discord")).profile == "user"
    assert found.grant(dm("111", account_id="work")).profile == "user"


def test_groups_of_people() -> None:
    found = table(
        ({"groups": ["family", "work"]}, "trusted"),
        groups={"family": ["alice", "telegram:9"], "work": []},
        profiles={"trusted": {"commands": ["*"], "tools": ["read"]}},
        links=LINKS,
    )
    assert found.grant(dm("111")).profile == "trusted"
    assert found.grant(dm("9")).profile == "trusted"
    assert found.grant(dm("10")).profile == "user"


def test_people_come_before_groups_of_people_and_these_before_bindings_tiers() -> None:
    found = table(
        ({"channel": "telegram", "accountId": "*"}, "channel"),
        ({"channel": "telegram", "peer": {"kind": "dm", "id": "9"}}, "peer"),
        ({"groups": ["all"]}, "group"),
        ({"people": ["telegram:1"]}, "person"),
        ({"people": ["telegram:1"]}, "later"),
        groups={"all": ["telegram:1", "telegram:2"]},
        profiles={name: {} for name in ("channel", "peer", "group", "person", "later")},
    )
    assert profile(found, dm("1")) == ("person", "permissions.assign[3]")
    assert profile(found, dm("2")) == ("group", "permissions.assign[2]")
    assert profile(found, dm("9")) == ("peer", "permissions.assign[1]")
    assert profile(found, dm("10")) == ("channel", "permissions.assign[0]")
    assert profile(found, dm("1", "slack")) == ("user", "permissions.default")


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"peer": {"kind": "dm", "id": "1"}},
        {"channel": " "},
        {"accountId": "*"},
        {"roles": ["admin"], "people": ["telegram:1"]},
    ],
)
def test_a_match_that_leaves_open_who_or_where_holds_for_nobody(match: dict[str, Any]) -> None:
    found = table((match, "admin"))
    assert found.grant(dm("1", member_role_ids=("admin",))).profile == "user"
    assert [problem.path for problem in found.problems] == ["permissions.assign[0].match"]


def test_an_unknown_profile_or_group_allows_nothing_and_is_a_problem() -> None:
    found = table(
        ({"people": ["telegram:1"]}, "admni"), ({"groups": ["nope"]}, "admin"), default="nobody"
    )
    for peer in ("1", "2"):
        person = replace(BOB, grant=found.grant(dm(peer)))
        assert not may_use(person, "help").allowed
    assert len(found.problems) == 3


def test_a_profile_of_ones_own_replaces_the_built_in_one() -> None:
    found = table(profiles={"user": {"commands": ["help"]}})
    person = replace(BOB, grant=found.grant(dm("bob")))
    assert may_use(person, "help").allowed and not may_use(person, "new").allowed


def test_a_threads_own_place_comes_before_its_parents() -> None:
    found = table(
        ({"channel": "telegram", "peer": {"kind": "group", "id": "2"}}, "parent"),
        ({"channel": "telegram", "peer": {"kind": "group", "id": "1"}}, "own"),
        profiles={"parent": {}, "own": {}},
    )
    thread = Envelope("telegram", peer=Peer("group", "1"), parent_peer=Peer("group", "2"))
    assert found.grant(thread).profile == "own"
    assert found.grant(replace(thread, peer=Peer("group", "3"))).profile == "parent"


peers = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["dm", "group"]), "id": st.sampled_from(["1", "2", "*"])}
    ),
)
matches = st.fixed_dictionaries(
    {"channel": st.sampled_from(["telegram", "slack"])},
    optional={
        "accountId": st.sampled_from(["*", "work"]),
        "peer": peers,
        "guildId": st.just("g"),
        "roles": st.lists(st.sampled_from(["r", "s"]), max_size=2),
    },
)


@given(
    st.lists(matches, max_size=5),
    st.builds(
        Envelope,
        channel=st.sampled_from(["telegram", "slack"]),
        account_id=st.sampled_from(["default", "work"]),
        peer=st.one_of(
            st.none(),
            st.builds(Peer, st.sampled_from(["dm", "group"]), st.sampled_from(["1", "2", "3"])),
        ),
        parent_peer=st.one_of(st.none(), st.builds(Peer, st.just("group"), st.just("2"))),
        guild_id=st.sampled_from([None, "g"]),
        member_role_ids=st.sampled_from([(), ("r",), ("r", "s")]),
    ),
)
def test_a_place_is_matched_as_bindings_match_it(
    found: list[dict[str, Any]], envelope: Envelope
) -> None:
    names = [f"p{order}" for order in range(len(found))]
    given_profiles = {name: {} for name in names}
    permissions = table(*zip(found, names, strict=True), profiles=given_profiles)
    bindings = [
        msgspec.convert({"agentId": name, "match": match}, Binding)
        for match, name in zip(found, names, strict=True)
    ]
    route = Router(Config(bindings=tuple(bindings))).route(envelope)
    expected = "user" if route.matched_by == "default" else route.agent_id
    assert permissions.grant(envelope).profile == expected
