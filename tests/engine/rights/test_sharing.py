from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config, Session
from engine.rights.sharing import Sharing, Speaker, read_speaker
from engine.routing.envelope import Envelope, Peer, Sender
from engine.turns.origin import origin_of, principal_of

KEY = "agent:main:telegram:dm:x"


def who(text: str, **facts: Any) -> Speaker:
    """`channel[/account]:kind:peer[#thread][@sender]`, or `operator`, or a channel alone."""
    if text == "operator":
        return Speaker("operator", "operator")
    rest, _, sender = text.partition("@")
    rest, _, thread = rest.partition("#")
    channel, _, peer = rest.partition(":")
    channel, _, account = channel.partition("/")
    kind, _, peer_id = peer.partition(":")
    origin: dict[str, Any] = {"channel": channel, "accountId": account or "default", **facts}
    if kind:
        origin["peer"] = {"kind": kind, "id": peer_id}
    if sender or kind == "dm":
        origin["sender"] = {"id": sender or peer_id, "name": "N"}
    if thread:
        origin["threadId"] = thread
    found = read_speaker(origin)
    assert found is not None
    return found


def rules(scope: str = "per-channel-peer", **session: Any) -> Sharing:
    return Sharing(Config(session=Session(dm_scope=scope, **session)))  # type: ignore[arg-type]


def verdict(author: str, reader: str, sharing: Sharing, key: str = KEY) -> str:
    return sharing.judge(who(author), who(reader), key).verdict


@pytest.mark.parametrize(
    ("scope", "author", "reader", "wanted"),
    [
        ("per-channel-peer", "telegram:dm:1", "telegram:dm:1", "own"),
        ("per-channel-peer", "telegram:dm:1", "telegram:dm:2", "refused"),
        ("per-channel-peer", "telegram/a:dm:1", "telegram/b:dm:1", "shared"),
        ("per-account-channel-peer", "telegram/a:dm:1", "telegram/b:dm:1", "refused"),
        ("per-channel-peer", "telegram:dm:1", "discord:dm:1", "refused"),
        ("per-peer", "telegram:dm:1", "discord:dm:1", "exposed"),
        ("per-peer", "telegram:dm:1", "discord:dm:2", "refused"),
        ("main", "telegram:dm:1", "discord:dm:2", "exposed"),
        ("main", "telegram:dm:1#7", "telegram:dm:2", "refused"),
        ("main", "telegram:dm:1#7", "telegram:dm:2#7", "exposed"),
        ("main", "telegram:dm:1#7", "slack:dm:2#7", "refused"),
        ("main", "telegram:group:1@5", "telegram:dm:5", "own"),
        ("main", "telegram:dm:5", "telegram:group:1@5", "refused"),
        ("per-peer", "telegram:group:1@5", "telegram:group:1@6", "shared"),
        ("per-peer", "telegram:group:1@5", "telegram:group:1@5", "own"),
        ("per-peer", "telegram:group:1@5", "telegram:group:2@5", "refused"),
        ("per-peer", "telegram:group:1#3@5", "telegram:group:1@5", "refused"),
        ("per-peer", "telegram:group:1@5", "slack:group:1@5", "refused"),
        ("per-peer", "telegram:group:1@5", "telegram:channel:1@5", "refused"),
        ("per-peer", "telegram/a:group:1@5", "telegram/b:group:1@6", "shared"),
        ("main", "telegram", "telegram", "own"),
        ("main", "telegram", "slack", "exposed"),
        ("per-peer", "telegram", "slack:dm:1", "refused"),
        ("main", "telegram", "slack:dm:1", "exposed"),
        ("per-peer", "telegram:dm:U1", "telegram:dm: u1", "shared"),
        ("per-peer", "telegram:dm:1", "operator", "shared"),
        ("per-peer", "operator", "operator", "own"),
    ],
)
def test_each_rule(scope: str, author: str, reader: str, wanted: str) -> None:
    assert verdict(author, reader, rules(scope)) == wanted


@pytest.mark.parametrize(
    ("scope", "reader", "key", "wanted"),
    [
        ("main", "telegram:dm:1", "agent:main:main", "exposed"),
        ("main", "telegram:dm:1#7", "agent:main:main", "refused"),
        ("main", "telegram:dm:1#7", "agent:main:main:thread:7", "shared"),
        ("main", "telegram:dm:1", "agent:main:chat:notes", "exposed"),
        ("per-peer", "telegram:dm:1", "agent:main:main", "refused"),
        ("per-peer", "telegram:dm:1", "agent:main:chat:notes", "refused"),
        ("per-peer", "telegram", "agent:main:main", "exposed"),
        ("main", "telegram:group:1@5", "agent:main:main", "refused"),
        ("per-peer", "telegram:dm:1", "agent:main:dm:1", "shared"),
        ("per-peer", "telegram:group:1@5", "agent:main:telegram:group:1", "shared"),
    ],
)
def test_the_operators_words_are_shared_where_the_operator_put_them(
    scope: str, reader: str, key: str, wanted: str
) -> None:
    assert verdict("operator", reader, rules(scope), key) == wanted


def test_links_name_who_is_one_person() -> None:
    linked = rules(identity_links={"ann": ("telegram:1", "Slack:U2"), "ben": ("3",)})
    assert verdict("telegram:dm:1", "slack:dm:u2", linked) == "shared"
    assert verdict("telegram:dm:3", "discord:dm:3", linked) == "shared"
    assert verdict("telegram:dm:1", "slack:dm:1", linked) == "refused"
    assert verdict("telegram:dm:1", "telegram:dm:ann", linked) == "refused"


@pytest.mark.parametrize(
    ("template", "author", "reader", "wanted"),
    [
        ("t-{tenant_id}-{user_id}", {"tenantId": "1"}, {"tenantId": "2"}, "refused"),
        ("t-{tenant_id}-{user_id}", {"tenantId": "1"}, {"tenantId": "1"}, "own"),
        ("all", {}, {}, "own"),
    ],
)
def test_a_key_format_looks_at_its_facts(
    template: str, author: dict[str, str], reader: dict[str, str], wanted: str
) -> None:
    sharing = rules(key_format=template)
    one, other = who("slack:dm:1", **author), who("slack:dm:1", **reader)
    assert sharing.judge(one, other, KEY).verdict == wanted


def test_a_key_format_without_the_user_exposes_and_says_so() -> None:
    sharing = rules(key_format="{channel}")
    assert verdict("slack:dm:1", "slack:dm:2", sharing) == "exposed"
    assert verdict("slack:dm:1", "telegram:dm:1", sharing) == "refused"
    assert verdict("slack:dm:1#4", "slack:dm:1", sharing) == "refused"
    assert verdict("slack:dm:1", "slack:dm:2", rules(key_format="{userId}")) == "refused"


@pytest.mark.parametrize(
    ("key", "reader", "wanted"),
    [
        ("agent:main:telegram:dm:1", "telegram:dm:1", "shared"),
        ("agent:main:telegram:dm:1:thread:4", "telegram:dm:1", "shared"),
        ("agent:main:telegram:dm:11", "telegram:dm:1", "refused"),
        ("agent:main:telegram:dm:2", "telegram:dm:1", "refused"),
        ("agent:main:telegram:group:1", "telegram:group:1@5", "shared"),
        ("agent:main:telegram:group:1", "telegram:group:2@5", "refused"),
        ("agent:main:telegram:group:1", "telegram:dm:1", "refused"),
        ("agent:main:main", "telegram:dm:1", "refused"),
        ("agent:main:main", "telegram", "exposed"),
        ("agent:main:subagent:x", "telegram:dm:1", "shared"),
        ("agent:main:telegram:dm:1:fork:9", "telegram:dm:1", "shared"),
        ("agent:main:anything", "operator", "shared"),
    ],
)
def test_words_without_an_author_go_by_the_sessions_key(key: str, reader: str, wanted: str) -> None:
    assert rules().leads_to(who(reader), key).verdict == wanted


def test_one_place_has_one_spelling() -> None:
    assert who("telegram:group:-1:topic:4").place == who("telegram:group:-1#4").place
    thread = who("discord:channel:99#99", parentPeer={"kind": "channel", "id": "1"})
    assert thread.place == who("discord:channel:99").place


ids = st.text("ab: ", max_size=4)
envelopes = st.builds(
    Envelope,
    channel=st.sampled_from(["telegram", "slack", "terminal"]),
    account_id=st.sampled_from(["default", "Work"]),
    peer=st.none() | st.builds(Peer, st.sampled_from(["dm", "group", "channel"]), ids),
    sender=st.none() | st.builds(Sender, ids, ids),
)


@given(envelopes)
def test_people_are_named_as_the_engine_names_them(envelope: Envelope) -> None:
    found = read_speaker(origin_of(envelope))
    assert found is not None
    assert found.principal == principal_of(envelope).id


@given(envelopes, envelopes, st.sampled_from(["main", "per-peer", "per-account-channel-peer"]))
def test_sharing_between_people_goes_both_ways_or_not_at_all(
    one: Envelope, other: Envelope, scope: str
) -> None:
    first, second = read_speaker(origin_of(one)), read_speaker(origin_of(other))
    assert first is not None and second is not None
    if not first.is_operator and not second.is_operator and first.principal != second.principal:
        ways = {
            rules(scope).judge(a, b, KEY).verdict for a, b in ((first, second), (second, first))
        }
        assert len(ways) == 1


@pytest.mark.parametrize("origin", [None, 7, {}, {"channel": 7}, {"provider": "telegram"}])
def test_an_origin_of_another_program_names_nobody(origin: object) -> None:
    assert read_speaker(origin) is None
