from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.routing.identity import IdentityLinks
from engine.routing.ids import (
    chat_kind,
    is_valid_agent_id,
    normalize_account_id,
    normalize_agent_id,
    optional_account_id,
)
from engine.routing.keys import (
    KeyPeer,
    agent_of,
    canonical_key,
    chat_key,
    chat_type,
    fork_key,
    main_session_key,
    parse_key,
    peer_key,
    peer_of,
    split_key,
    subagent_key,
    thread_keys,
)

Cases = Callable[[str], list[dict[str, Any]]]


def rows(cases: Cases, op: str) -> list[dict[str, Any]]:
    found = [case for case in cases("rules") if case["op"] == op]
    assert found
    return found


def test_agent_id_cases(cases: Cases) -> None:
    for case in rows(cases, "agentId"):
        value = case["input"]["value"]
        got = {"normalized": normalize_agent_id(value), "valid": is_valid_agent_id(value)}
        assert got == case["expected"], case["name"]


def test_account_id_cases(cases: Cases) -> None:
    for case in rows(cases, "accountId"):
        value = case["input"]["value"]
        got = {"normalized": normalize_account_id(value), "optional": optional_account_id(value)}
        assert got == case["expected"], case["name"]


def test_peer_key_cases(cases: Cases) -> None:
    for case in rows(cases, "peerKey"):
        given_ = case["input"]
        key = peer_key(
            given_["agentId"],
            given_["channel"],
            chat_kind(given_.get("peerKind", "direct")) or "dm",
            given_.get("peerId"),
            account_id=given_.get("accountId"),
            dm_scope=given_.get("dmScope"),
            main_key=given_.get("mainKey"),
            links=IdentityLinks(given_.get("identityLinks")),
        )
        assert key == case["expected"]["sessionKey"], case["name"]


def test_thread_cases(cases: Cases) -> None:
    for case in rows(cases, "thread"):
        given_ = case["input"]
        keys = thread_keys(
            given_["baseSessionKey"],
            given_.get("threadId"),
            parent=given_.get("parentSessionKey"),
            suffix=given_.get("useSuffix", True),
        )
        got = {"sessionKey": keys.session_key, "parentSessionKey": keys.parent_session_key}
        assert got == case["expected"], case["name"]


def parsed_as_recorded(key: str) -> dict[str, Any]:
    found = parse_key(key)
    room = found.conversation
    return {
        "shape": found.shape,
        "parsed": {"agentId": found.agent_id, "rest": found.rest} if found.agent_id else None,
        "agentIdFromKey": found.owner,
        "isSubagent": found.is_subagent,
        "subagentDepth": found.subagent_depth,
        "isCron": found.is_cron,
        "isCronRun": found.is_cron_run,
        "isAcp": found.is_acp,
        "thread": {"baseSessionKey": found.base_key, "threadId": found.thread_id},
        "conversation": room
        and {
            "channel": room.channel,
            "kind": room.kind,
            "rawId": room.raw_id,
            "prefix": room.prefix,
        },
        "requestKey": found.request_key,
    }


def test_parse_cases(cases: Cases) -> None:
    for case in rows(cases, "parse"):
        assert parsed_as_recorded(case["input"]["key"]) == case["expected"], case["name"]


def test_cron_runs_are_told_from_cron_jobs() -> None:
    assert parse_key("agent:main:cron:job:run:1").is_cron_run
    assert not parse_key("agent:main:cron:job").is_cron_run
    assert parse_key("agent:main:cron:job:run:1").is_cron


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("agent:main:direct:123", "agent:main:dm:123"),
        ("agent:main:telegram:direct:123", "agent:main:telegram:dm:123"),
        ("AGENT:Main:Telegram:Work:DIRECT:U1 ", "agent:main:telegram:work:dm:u1"),
        ("agent:main:slack:direct:u1:thread:1.2", "agent:main:slack:dm:u1:thread:1.2"),
        ("agent:main:telegram:dm:direct:5", "agent:main:telegram:dm:direct:5"),
        ("agent:main:telegram:direct:direct", "agent:main:telegram:dm:direct"),
        ("agent:main:telegram:group:direct:5", "agent:main:telegram:group:direct:5"),
        ("agent:main:subagent:direct:x", "agent:main:subagent:direct:x"),
        ("agent:main:main:thread:direct:x", "agent:main:main:thread:direct:x"),
        ("agent:main:direct", "agent:main:direct"),
        ("agent:direct:main", "agent:direct:main"),
        ("agent:main:dm:a::B", "agent:main:dm:a::b"),
        ("Main", "main"),
    ],
)
def test_direct_and_dm_are_one_key(key: str, canonical: str) -> None:
    assert canonical_key(key) == canonical
    assert canonical_key(canonical) == canonical


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:main", "main"),
        ("agent:main:home", "main"),
        ("agent:main:main:thread:5", "main"),
        ("agent:main:direct:5", "dm"),
        ("agent:main:telegram:dm:5", "dm"),
        ("agent:main:telegram:work:direct:5:fork:1", "dm"),
        ("agent:main:telegram:group:-100:topic:4", "group"),
        ("agent:main:slack:channel:c1:thread:1.2", "channel"),
        ("agent:main:chat:plans", "chat"),
        ("agent:main:subagent:a", "subagent"),
        ("agent:main:cron:job1", "other"),
        ("agent:main:tenant-42-discord:g:c:u", "other"),
        ("group:abc", "other"),
        ("", "other"),
    ],
)
def test_chat_type(key: str, expected: str) -> None:
    assert chat_type(key) == expected


def test_spawned_forked_and_named_keys() -> None:
    assert subagent_key("My Bot", "A1") == "agent:my-bot:subagent:a1"
    assert fork_key("agent:main:telegram:dm:1", "7F") == "agent:main:telegram:dm:1:fork:7f"
    assert chat_key("main", " Summer Plans ") == "agent:main:chat:summer-plans"
    assert chat_key("main", "a:b") == "agent:main:chat:a-b"
    assert chat_key("main", " ") == "agent:main:chat:unnamed"
    assert main_session_key("", "Work ") == "agent:main:work"
    assert thread_keys("k", "9", word="topic").session_key == "k:topic:9"


plain = st.text(
    st.characters(codec="ascii", categories=("Ll", "Nd"), include_characters="+-_.@#"),
    min_size=1,
)
ids = st.text(min_size=1).filter(lambda text: peer_key("a", "x", "group", text)[-7:] != "unknown")
scopes = st.sampled_from(["per-peer", "per-channel-peer", "per-account-channel-peer"])
kinds = st.sampled_from(["dm", "group", "channel"])


@given(plain, plain, kinds, ids, scopes)
def test_keys_parse_back(agent: str, channel: str, kind: Any, peer: str, scope: Any) -> None:
    key = peer_key(agent, channel, kind, peer, dm_scope=scope, account_id="acc")
    assert canonical_key(key) == key
    assert agent_of(key) == normalize_agent_id(agent)
    if channel not in ("subagent", "chat", "cron", "acp", "hook", "thread", "topic", "fork"):
        assert chat_type(key) == kind
    parts = split_key(key)
    assert parts is None or parts[0] == normalize_agent_id(agent)


@given(plain, plain, plain, scopes, kinds, kinds)
def test_different_peers_have_different_keys(
    channel: str, one: str, other: str, scope: Any, kind: Any, other_kind: Any
) -> None:
    same = (one, kind) == (other, other_kind)
    first = peer_key("main", channel, kind, one, dm_scope=scope)
    second = peer_key("main", channel, other_kind, other, dm_scope=scope)
    assert (first == second) == same


@given(plain, plain, scopes)
def test_case_never_matters(channel: str, peer: str, scope: Any) -> None:
    lower = peer_key("main", channel, "dm", peer, dm_scope=scope, account_id="acc")
    upper = peer_key("MAIN", channel.upper(), "dm", peer.upper(), dm_scope=scope, account_id="ACC")
    assert lower == upper


def test_identity_links_lead_to_the_first_person_listed() -> None:
    links = IdentityLinks({" Alice ": ["telegram:111", 7], "bob": ["111", "slack:7"], " ": ["9"]})
    assert links.person("Telegram", " 111 ") == "Alice"
    assert links.person("discord", "111") == "bob"
    assert links.person("slack", "7") == "Alice"
    assert links.person("slack", "9") is None
    assert links.person("slack", "  ") is None
    assert IdentityLinks({"alice": ["bob"], "bob": ["telegram:5"]}).person("telegram", "5") == "bob"
    assert not IdentityLinks(None)


@pytest.mark.parametrize(
    ("key", "peer"),
    [
        ("agent:main:direct:U1", KeyPeer("", "", "dm", "u1")),
        ("agent:main:telegram:dm:a:b", KeyPeer("telegram", "", "dm", "a:b")),
        ("agent:main:slack:work:dm:u1:thread:1.2", KeyPeer("slack", "work", "dm", "u1")),
        ("agent:main:telegram:group:-1:topic:4", KeyPeer("telegram", "", "group", "-1")),
        ("agent:main:main", None),
        ("agent:main:chat:dm", None),
        ("telegram:dm:5", None),
    ],
)
def test_the_peer_of_a_key(key: str, peer: KeyPeer | None) -> None:
    assert peer_of(key) == peer


words = st.sampled_from(
    ["agent", "main", "direct", "dm", "group", "thread", "topic", "fork", "subagent", "chat",
     "cron", "Telegram", "5", "", " x\x1f", "\ufeff", "İ"]
)  # fmt: skip


@given(st.lists(words, max_size=7).map(":".join) | ids)
def test_the_store_reads_keys_as_routing_does(key: str) -> None:
    from engine.sessions.keys import canonical_key as stored_key

    for spelled in (key, f"agent:main:{key}"):
        assert stored_key(spelled) == canonical_key(spelled)


@given(plain, plain, kinds, ids, scopes)
def test_keys_that_are_made_are_canonical(
    agent: str, channel: str, kind: Any, peer: str, scope: Any
) -> None:
    from engine.sessions.keys import canonical_key as stored_key

    key = peer_key(agent, channel, kind, peer, dm_scope=scope)
    assert stored_key(key) == canonical_key(key) == key
