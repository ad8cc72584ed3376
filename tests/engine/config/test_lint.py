from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.lint import lint_file
from engine.config.load import load_text
from engine.config.schema import Config
from engine.routing.bindings import BindingIndex
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.identity import IdentityLinks
from engine.routing.lint import Lint, lint, lint_config
from engine.routing.preview import person_of
from engine.routing.router import Router, facts_of


def config(**top: Any) -> Config:
    return msgspec.convert(top, Config)


def bound(*matches: dict[str, Any], agents: str = "abcdef", **top: Any) -> Config:
    listed = [{"agentId": agents[at], "match": match} for at, match in enumerate(matches)]
    return config(bindings=listed, **top)


def codes(found: tuple[Lint, ...]) -> list[tuple[str, str | None]]:
    return [(one.code, one.problem.path) for one in found]


def winner(router: Router, envelope: Envelope) -> str:
    return next(step.rule for step in router.route(envelope).trace if step.won)


def proved(found: tuple[Lint, ...], held: Config) -> None:
    """Every example does what is said of it."""
    router = Router(held)
    for one in found:
        if len(one.examples) == 1:
            assert winner(router, one.examples[0]) == one.goes_to, one
            if one.code != "account_unknown":
                assert one.problem.path not in (None, one.goes_to)
        elif one.code == "link_without_channel":
            links = IdentityLinks(held.session.identity_links)
            assert {person_of(envelope, links) for envelope in one.examples} == {one.goes_to}
        elif one.examples:
            first, second = one.examples
            assert first != second
            assert {router.route(envelope).session_key for envelope in (first, second)} == {
                one.goes_to
            }
        else:
            assert one.code in ("file", "mention_pattern", "link_twice")


TELEGRAM = {"channel": "telegram"}
ALICE = {"channel": "telegram", "peer": {"kind": "dm", "id": "alice"}}


@pytest.mark.parametrize(
    ("matches", "code"),
    [
        ([TELEGRAM, TELEGRAM], "binding_duplicate"),
        ([ALICE, {**ALICE, "peer": {"kind": "direct", "id": " alice "}}], "binding_duplicate"),
        ([{**ALICE, "accountId": "*"}, ALICE], "binding_shadowed"),
        ([ALICE, {**ALICE, "guildId": "g"}], "binding_shadowed"),
        (
            [
                {**TELEGRAM, "guildId": "g", "roles": ["r", "s"]},
                {**TELEGRAM, "guildId": "g", "roles": ["s"]},
            ],
            "binding_shadowed",
        ),
        (
            [
                {**TELEGRAM, "peer": {"kind": "group", "id": "*"}},
                {**TELEGRAM, "peer": {"kind": "channel", "id": "*"}},
            ],
            "binding_duplicate",
        ),
        ([TELEGRAM, {**ALICE, "peer": {"kind": "dm", "id": " "}}], "binding_unreachable"),
        ([TELEGRAM, {"channel": " "}], "binding_unreachable"),
    ],
)
def test_a_binding_that_never_decides_is_found_with_a_message_that_shows_it(
    matches: list[dict[str, Any]], code: str
) -> None:
    held = bound(*matches)
    found = lint_config(held)
    assert codes(found) == [(code, "bindings[1]")]
    assert len(found[0].examples) == 1
    proved(found, held)


@pytest.mark.parametrize(
    "matches",
    [
        [ALICE, {**ALICE, "accountId": "*"}],
        [{**TELEGRAM, "accountId": "*"}, TELEGRAM],
        [{**TELEGRAM, "guildId": "g"}, {**TELEGRAM, "guildId": "g", "roles": ["r"]}],
        [TELEGRAM, {"channel": "slack"}],
        [{**TELEGRAM, "peer": {"kind": "dm", "id": "*"}}, {**TELEGRAM, "accountId": "*"}],
        [{**TELEGRAM, "peer": {"kind": "dm", "id": "*"}}, ALICE],
    ],
)
def test_bindings_that_can_decide_are_left_alone(matches: list[dict[str, Any]]) -> None:
    assert lint_config(bound(*matches)) == ()


def test_several_bindings_together_can_shadow_one() -> None:
    guild = {**TELEGRAM, "guildId": "g"}
    held = bound(
        {**guild, "roles": ["r"]}, {**guild, "roles": ["s"]}, {**guild, "roles": ["r", "s"]}
    )
    (found,) = lint_config(held)
    assert found.code == "binding_shadowed"
    assert "bindings[0], bindings[1]" in found.problem.message
    proved((found,), held)


def test_a_channel_wide_binding_decides_nothing_when_every_account_is_taken() -> None:
    rules = (TELEGRAM, {**TELEGRAM, "accountId": "*"})
    assert lint_config(bound(*rules)) == ()
    held = bound(*rules, channels={"telegram": {}})
    found = lint_config(held)
    assert codes(found) == [("binding_unreachable", "bindings[1]")]
    proved(found, held)
    more = bound(*rules, channels={"telegram": {"accounts": {"default": {}, "work": {}}}})
    assert lint_config(more) == ()


def test_an_account_that_is_not_there() -> None:
    held = bound(
        {**TELEGRAM, "accountId": "wrok"}, channels={"telegram": {"accounts": {"Work": {}}}}
    )
    found = lint_config(held)
    assert codes(found) == [("account_unknown", "bindings[0].match.accountId")]
    assert found[0].problem.hint == "accounts: work"
    proved(found, held)


ids = st.sampled_from(["1", "2", "*", " "])
matches = st.fixed_dictionaries(
    {"channel": st.sampled_from(["telegram", "slack"])},
    optional={
        "accountId": st.sampled_from(["*", "work", "another"]),
        "peer": st.fixed_dictionaries(
            {"kind": st.sampled_from(["dm", "direct", "group", "channel"]), "id": ids}
        ),
        "guildId": st.sampled_from(["g", "h"]),
        "teamId": st.just("t"),
        "roles": st.lists(st.sampled_from(["r", "s"]), max_size=2),
    },
)
messages = st.builds(
    Envelope,
    channel=st.sampled_from(["telegram", "slack"]),
    account_id=st.sampled_from(["default", "work", "another", "third"]),
    peer=st.one_of(
        st.none(),
        st.builds(Peer, st.sampled_from(["dm", "group", "channel"]), st.sampled_from(["1", "3"])),
    ),
    parent_peer=st.one_of(
        st.none(), st.builds(Peer, st.just("group"), st.sampled_from(["1", "2"]))
    ),
    guild_id=st.sampled_from([None, "g"]),
    team_id=st.sampled_from([None, "t"]),
    member_role_ids=st.sampled_from([(), ("r",), ("s",), ("r", "s")]),
)


@given(st.lists(matches, max_size=6), st.lists(messages, max_size=8))
def test_what_is_said_to_never_decide_never_does_and_the_rest_can(
    given_: list[dict[str, Any]], talk: list[Envelope]
) -> None:
    held = bound(*given_)
    router = Router(held)
    found = lint_config(held)
    proved(found, held)
    dead = {one.problem.path for one in found}
    for envelope in talk:
        assert winner(router, envelope) not in dead
    index = BindingIndex(held.bindings, router.agents.resolve)
    for rule in index.rules:
        if rule.name in dead:
            continue
        peer = None
        if rule.peer != "none":
            kind = "dm" if rule.peer_cls == "dm" else "group"
            peer = Peer(kind, "nobody" if rule.peer == "any" else rule.peer_id)  # type: ignore[arg-type]
        base = {
            "channel": rule.channel,
            "account_id": rule.account or "fourth",
            "peer": peer,
            "guild_id": rule.guild or None,
            "team_id": rule.team or None,
        }
        roles: list[tuple[str, ...]] = [(role,) for role in rule.roles] or [()]
        own = [Envelope(**base, member_role_ids=one) for one in roles]  # type: ignore[arg-type]
        reached = [index.find(facts_of(envelope)) for envelope in own]
        assert any(one and one[0].name == rule.name for one in reached), rule.name


def test_a_thousand_bindings_are_linted_with_one_look_up_each() -> None:
    many = [{**TELEGRAM, "peer": {"kind": "dm", "id": str(number)}} for number in range(1000)]
    held = config(bindings=[{"agentId": "a", "match": match} for match in [*many, many[500]]])
    assert codes(lint_config(held)) == [("binding_duplicate", "bindings[1000]")]


def test_routing_patterns_that_an_earlier_one_covers() -> None:
    held = config(routing={"slack:*": "a", "slack:T1*:*": "b", "slack:dm:7": "c", "irc:*": "d"})
    found = lint_config(held)
    assert codes(found) == [
        ("pattern_shadowed", 'routing["slack:T1*:*"]'),
        ("pattern_shadowed", 'routing["slack:dm:7"]'),
    ]
    proved(found, held)
    turned = config(routing={"slack:dm:7": "c", "slack:T1*:*": "b", "slack:*": "a"})
    assert lint_config(turned) == ()


def test_main_with_an_open_door() -> None:
    door = {"dmPolicy": "open", "allowFrom": ["*"]}
    held = config(channels={"telegram": door, "slack": {}})
    found = lint_config(held)
    assert codes(found) == [("main_open", "channels.telegram.allowFrom")]
    assert found[0].goes_to == "agent:main:main"
    proved(found, held)
    apart = config(channels={"telegram": door}, session={"dmScope": "per-channel-peer"})
    assert lint_config(apart) == ()
    shut = config(channels={"telegram": {**door, "dmPolicy": "disabled"}})
    assert lint_config(shut) == ()


def test_an_account_can_open_the_door_too() -> None:
    held = config(
        channels={"telegram": {"dmPolicy": "disabled", "accounts": {"w": {"dmPolicy": "open"}}}}
    )
    assert lint_config(held) == ()
    opened = config(channels={"telegram": {"accounts": {"w": {"allowFrom": ["*"]}}}})
    found = lint_config(opened)
    assert codes(found) == [("main_open", "channels.telegram.accounts.w")]
    proved(found, opened)


def dm(who: str, channel: str = "telegram", text: str = "") -> Envelope:
    return Envelope(channel, text=text, peer=Peer("dm", who))


def test_a_second_sender_seen_is_named_without_their_words() -> None:
    talk = [dm("ann", text="my password is 123"), dm("ann"), dm("ben")]
    held = config()
    found = lint_config(held, seen=talk)
    assert codes(found) == [("dm_shared", "session.dmScope")]
    assert "telegram:ann, telegram:ben" in found[0].problem.message
    assert "123" not in repr(found)
    proved(found, held)
    assert lint_config(held, seen=talk[:2]) == ()
    assert lint_config(config(session={"dmScope": "per-peer"}), seen=talk) == ()
    linked = config(session={"identityLinks": {"ann": ["telegram:ann", "telegram:ben"]}})
    assert lint_config(linked, seen=talk) == ()


def shared(template: str) -> tuple[list[str], Config, tuple[Lint, ...]]:
    held = config(session={"keyFormat": template, "dmScope": "per-peer"})
    found = lint_config(held)
    return [one.problem.message for one in found], held, found


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("tenant-{tenant_id}-{channel}:{server_id}:{channel_id}:{user_id}", []),
        ("{channel}:{peer_kind}:{peer_id}:{user_id}", []),
        ("{channel}:{channel_id}", ["leaves out the user"]),
        ("{channelId}:{userId}", ["two channels"]),
        ("{channel}:{user_id}", ["direct message and the same", "two groups"]),
        ("fixed", ["leaves out the user", "two channels", "direct message and", "two groups"]),
        ("{channel}:{channel_id}:{user_id}{thread_id}", ["{user_id} and {thread_id} run into"]),
        ("{channel}:{tenant_id}-{channel_id}-{user_id}", ["{tenant_id} and {channel_id}", "{chan"]),
        ("{channel}:{peer_kind}-{peer_id}:{user_id}", []),
    ],
)
def test_a_key_format_that_lets_conversations_meet(template: str, words: list[str]) -> None:
    said, held, found = shared(template)
    assert len(said) == len(words), said
    for text, word in zip(said, words, strict=True):
        assert word in text
    proved(found, held)


NAMES = "user_id channel channel_id tenant_id peer_id thread_id account_id server_id guild_id"
pieces = st.sampled_from(
    [*(f"{{{name}}}" for name in (NAMES + " team_id peer_kind").split()), ":", "-", "x", ""]
)


@given(st.lists(pieces, min_size=1, max_size=8).map("".join))
def test_every_collision_that_is_reported_is_one(template: str) -> None:
    _, held, found = shared(template)
    proved(found, held)


def test_links_that_hold_for_more_than_they_seem_to() -> None:
    links = {"ann": ["telegram:1", "77"], "ben": ["discord:2", "Telegram:1"]}
    held = config(session={"identityLinks": links, "dmScope": "per-peer"})
    found = lint_config(held)
    assert codes(found) == [
        ("link_without_channel", "session.identityLinks.ann[1]"),
        ("link_twice", "session.identityLinks.ben[1]"),
    ]
    proved(found, held)


def test_mention_patterns_that_cannot_be_used() -> None:
    found = lint_config(config(messages={"groupChat": {"mentionPatterns": ["ok", "(?=x)"]}}))
    assert codes(found) == [("mention_pattern", "messages.groupChat.mentionPatterns[1]")]


def test_findings_of_a_file_have_their_place(tmp_path: Path) -> None:
    text = """{
  agents: {list: [{id: "a"}, {id: "b"}], chat: {channels: ["irc"]}},
  bindings: [
    {agentId: "a", match: {channel: "telegram"}},
    {agentId: "b", match: {channel: "telegram"}},
    {agentId: "a", match: {channel: "irc", peer: {kind: "dm", id: 12345678901234567890}}},
    {agentId: "a", match: {channel: "irc", accountId: "*"}},
  ],
  session: {dmScope: "per-peer"},
}"""
    loaded = load_text(text, {}, path=tmp_path / "branchline.json5")
    assert loaded.config is not None
    found = lint(loaded)
    assert [(one.code, one.problem.line, one.problem.path) for one in found] == [
        ("binding_duplicate", 2, "agents.chat"),
        ("binding_duplicate", 5, "bindings[1]"),
        ("file", 6, "bindings[2].match.peer.id"),
    ]
    assert found[1].problem.file == str(tmp_path / "branchline.json5")
    proved(tuple(one for one in found if one.examples), loaded.config)


def test_a_file_with_errors_is_still_looked_at() -> None:
    loaded = load_text("{nonsense: 1, bindings: [{match: {guildId: 12345678901234567890}}]}", {})
    assert loaded.config is None
    assert [one.code for one in lint(loaded)] == ["file"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"channels": {"t": {"allowFrom": [2**53 - 1, 123, "abc"]}}}, []),
        ({"channels": {"t": {"allowFrom": [2**53]}}}, ["too long"]),
        ({"channels": {"t": {"allowFrom": [1.5]}}}, ["fraction"]),
        ({"channels": {"t": {"allowFrom": ["+49123"], "groupAllowFrom": [49123]}}}, ["+49123"]),
        ({"session": {"identityLinks": {"a": ["007"], "b": [7]}}}, ["007"]),
        ({"compaction": {"reserveTokens": 2**60}}, []),
        ({"channels": {"t": {"allowFrom": [True, None, float("inf")]}}}, ["fraction"]),
        ([], []),
        (None, []),
    ],
)
def test_ids_written_as_numbers(raw: Any, words: list[str]) -> None:
    said = [finding.message for finding in lint_file(raw)]
    assert len(said) == len(words), said
    for text, word in zip(said, words, strict=True):
        assert word in text


def test_secrets_in_a_file_that_others_can_read() -> None:
    raw = {
        "env": {"MY_API_KEY": "sk-123456", "LANG": "de", "OTHER_TOKEN": "${TOKEN}"},
        "models": {"providers": {"x": {"headers": {"Authorization": "Bearer z", "X-Id": "1"}}}},
    }
    assert lint_file(raw, 0o600) == []
    found = lint_file(raw, 0o640)
    assert [finding.path[-1] for finding in found] == ["Authorization", "MY_API_KEY"]
    assert "123456" not in repr(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["env", "models", "providers", "headers", "allowFrom", "peer", "id"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_file_can_be_linted(raw: Any) -> None:
    for finding in lint_file(raw, 0o644):
        assert finding.severity == "warning"


def test_a_message_without_a_peer_takes_part_in_no_shared_session() -> None:
    talk = [Envelope("telegram", sender=Sender("a")), Envelope("telegram", sender=Sender("b"))]
    assert lint_config(config(), seen=talk) == ()
