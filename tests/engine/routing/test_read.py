from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EnvelopeError
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.read import MAX_TEXT, parse_peer, read_envelope

FULL = Envelope(
    channel="discord",
    text="hi",
    account_id="work",
    peer=Peer("channel", "-5"),
    parent_peer=Peer("dm", "p"),
    thread_id="9",
    guild_id="1",
    team_id="t",
    member_role_ids=("r", "2"),
    tenant_id="42",
    sender=Sender("u", "Uma"),
    message_id="m",
    attachments=("a.png",),
    mentions_agent=True,
    timestamp=1_700_000_000_000,
    extra={"weird": [1]},
)


def test_camel_case_and_snake_case_read_alike() -> None:
    camel = {
        "channel": "discord", "text": "hi", "accountId": "work",
        "peer": {"kind": "Channel", "id": -5}, "parentPeer": "direct:p", "threadId": 9,
        "guildId": 1, "teamId": "t", "memberRoleIds": ["r", 2], "tenantId": 42.0,
        "sender": {"id": "u", "name": "Uma"}, "messageId": "m", "attachments": ["a.png"],
        "mentionsAgent": True, "timestamp": "2023-11-14T22:13:20Z", "weird": [1],
    }  # fmt: skip
    snake = {
        "channel": "discord", "text": "hi", "account_id": "work",
        "peer": {"kind": "channel", "id": "-5"}, "parent_peer": {"kind": "dm", "id": "p"},
        "thread_id": "9", "guild_id": "1", "team_id": "t", "member_role_ids": ["r", "2"],
        "tenant_id": "42", "sender": {"id": "u", "name": "Uma"}, "message_id": "m",
        "attachments": ["a.png"], "mentions_agent": True, "timestamp": 1_700_000_000_000,
        "weird": [1],
    }  # fmt: skip
    assert read_envelope(camel) == read_envelope(snake) == FULL


def test_null_is_as_good_as_absent() -> None:
    nulls = dict.fromkeys(
        ("text", "accountId", "peer", "parentPeer", "memberRoleIds", "sender", "timestamp")
    )
    assert read_envelope({"channel": "x", **nulls}) == Envelope("x")


@pytest.mark.parametrize(
    ("given_", "path"),
    [
        ([], "envelope"),
        (None, "envelope"),
        ({}, "channel"),
        ({"channel": 5}, "channel"),
        ({"text": 1}, "text"),
        ({"text": "x" * (MAX_TEXT + 1)}, "text"),
        ({"text": "é" * (MAX_TEXT // 2 + 1)}, "text"),
        ({"accountId": True}, "accountId"),
        ({"account_id": {}}, "accountId"),
        ({"accountId": "a", "account_id": "b"}, "account_id"),
        ({"peer": 5}, "peer"),
        ({"peer": "alice"}, "peer"),
        ({"peer": {"id": "x"}}, "peer.kind"),
        ({"peer": {"kind": "user", "id": "x"}}, "peer.kind"),
        ({"peer": {"kind": "dm", "id": []}}, "peer.id"),
        ({"peer": {"kind": "dm", "id": math.nan}}, "peer.id"),
        ({"parentPeer": {"kind": 5}}, "parentPeer.kind"),
        ({"memberRoleIds": "r1"}, "memberRoleIds"),
        ({"memberRoleIds": ["a", None]}, "memberRoleIds[1]"),
        ({"sender": 5}, "sender"),
        ({"sender": {"name": "x"}}, "sender.id"),
        ({"sender": {"id": "x", "name": 5}}, "sender.name"),
        ({"mentionsAgent": "yes"}, "mentionsAgent"),
        ({"timestamp": "soon"}, "timestamp"),
        ({"timestamp": math.inf}, "timestamp"),
        ({"guildId": False}, "guildId"),
    ],
)
def test_a_bad_field_is_named_by_its_path(given_: Any, path: str) -> None:
    base = (
        {"channel": "x"} if isinstance(given_, dict) and given_ and "channel" not in given_ else {}
    )
    with pytest.raises(EnvelopeError) as caught:
        read_envelope({**base, **given_} if isinstance(given_, dict) else given_)
    assert caught.value.path == path
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("number", "text"),
    [(-100123, "-100123"), (5.0, "5"), (1.5, "1.5"), (1e21, "1e+21"), (2**63, str(2**63))],
)
def test_numbers_are_ids(number: Any, text: str) -> None:
    assert read_envelope({"channel": "x", "peer": {"kind": "dm", "id": number}}).peer == Peer(
        "dm", text
    )


def test_a_peer_in_one_word_keeps_its_colons() -> None:
    assert parse_peer("channel:!room:server.org") == Peer("channel", "!room:server.org")
    assert parse_peer("dm:") == Peer("dm", "")
    with pytest.raises(EnvelopeError, match="dm:ID"):
        parse_peer("alice")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
names = st.sampled_from(
    ["channel", "peer", "parentPeer", "sender", "timestamp", "accountId", "text"]
)


@given(st.dictionaries(names, json_values) | json_values)
def test_nothing_but_an_envelope_or_its_error_comes_out(obj: Any) -> None:
    try:
        assert isinstance(read_envelope(obj), Envelope)
    except EnvelopeError as error:
        assert error.path
