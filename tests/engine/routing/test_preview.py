from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Config
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.identity import IdentityLinks
from engine.routing.preview import MAX_EXPOSES, Exposure, Preview, Share, person_of, preview
from engine.routing.router import Router

SCOPES = ["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]


def config(scope: str = "per-channel-peer", links: Any = None, **more: Any) -> Config:
    session = {"dmScope": scope, "identityLinks": links or {}}
    return msgspec.convert({"session": session | more.pop("session", {})} | more, Config)


def dm(peer: str, channel: str = "telegram", **more: Any) -> Envelope:
    return Envelope(channel, peer=Peer("dm", peer), **more)


def pairs(found: Preview) -> set[tuple[str, str]]:
    return {(one.reader, one.author) for one in found.exposes}


def test_a_link_merges_one_persons_sessions_and_exposes_nobody() -> None:
    talk = [*[dm("alice")] * 41, *[dm("+1555", "whatsapp")] * 18, *[dm("bob")] * 2]
    linked = config("per-peer", {"alice": ["telegram:alice", "whatsapp:+1555"]})
    found = preview(config(), linked, talk)
    (merge,) = found.merges
    assert merge.key == "agent:main:dm:alice"
    assert [(part.key, part.people, part.messages) for part in merge.parts] == [
        ("agent:main:telegram:dm:alice", ("alice",), 41),
        ("agent:main:whatsapp:dm:+1555", ("alice",), 18),
    ]
    assert [move.key for move in found.moves] == ["agent:main:telegram:dm:bob"]
    assert found.exposes == ()


def test_main_exposes_everybody_to_everybody() -> None:
    people = ["telegram:a", "telegram:b", "slack:a", "operator"]
    talk = [dm("a"), dm("b"), dm("b"), dm("a", "slack"), Envelope("terminal")]
    found = preview(config(), config("main"), talk)
    assert pairs(found) == set(permutations(people, 2))
    assert Exposure("telegram:a", "telegram:b", ("agent:main:main",), 2) in found.exposes
    assert [merge.key for merge in found.merges] == ["agent:main:main"]


def test_back_from_main_splits_and_exposes_nobody() -> None:
    found = preview(config("main"), config(), [dm("a"), dm("b")])
    (split,) = found.splits
    assert (split.key, len(split.parts)) == ("agent:main:main", 2)
    assert found.exposes == () == found.merges


def test_the_same_id_on_two_channels_is_two_people_who_meet_under_per_peer() -> None:
    found = preview(config(), config("per-peer"), [dm("7"), dm("7", "slack")])
    assert pairs(found) == {("telegram:7", "slack:7"), ("slack:7", "telegram:7")}


def test_words_that_lie_in_a_session_already_are_exposed_to_whoever_is_led_there() -> None:
    before = config("per-peer", {"alice": ["telegram:1"]})
    after = config("per-peer", {"alice": ["telegram:2"]})
    found = preview(before, after, [dm("1"), dm("2")])
    assert found.exposes == (Exposure("alice", "telegram:1", ("agent:main:dm:alice",), 1),)
    assert found.merges == ()


def test_what_could_be_seen_before_is_not_exposed() -> None:
    group = [
        Envelope("telegram", peer=Peer("group", "g"), sender=Sender(who)) for who in ("a", "b")
    ]
    found = preview(config(), config("main"), [*group, dm("a"), dm("b"), dm("b")])
    assert [one.messages for one in found.exposes] == [2, 1]
    assert found.kept == (Share("agent:main:telegram:group:g", ("telegram:a", "telegram:b"), 2),)


def test_of_very_many_exposures_the_first_are_listed_and_all_counted() -> None:
    talk = [dm(f"{number:03}") for number in range(120)]
    found = preview(config(), config("main"), talk)
    assert found.exposed == 120 * 119
    assert len(found.exposes) == MAX_EXPOSES < found.exposed
    assert found.exposes[0] == Exposure("telegram:000", "telegram:001", ("agent:main:main",), 1)
    assert len(found.merges[0].parts) == 120


def test_an_agent_move_is_seen() -> None:
    moved = config(
        bindings=[{"agentId": "b", "match": {"channel": "slack"}}],
        agents={"list": [{"id": "a"}, {"id": "b"}]},
    )
    found = preview(
        config(agents={"list": [{"id": "a"}, {"id": "b"}]}), moved, [dm("x"), dm("x", "slack")]
    )
    (move,) = found.moves
    assert (move.key, move.parts[0].key) == ("agent:a:slack:dm:x", "agent:b:slack:dm:x")
    assert [share.key for share in found.kept] == ["agent:a:telegram:dm:x"]


@pytest.mark.parametrize(
    ("envelope", "person"),
    [
        (Envelope("terminal"), "operator"),
        (dm("tg:5"), "telegram:5"),
        (dm("X"), "telegram:x"),
        (dm("9"), "Nina"),
        (Envelope("slack", peer=Peer("group", "g"), sender=Sender("u")), "slack:u"),
        (Envelope("slack", peer=Peer("group", "g")), "slack:group:g"),
        (Envelope("slack"), "slack:unknown"),
    ],
)
def test_whose_words_a_message_holds(envelope: Envelope, person: str) -> None:
    assert person_of(envelope, IdentityLinks({"Nina": ["telegram:9"]})) == person


configs = st.builds(
    config,
    st.sampled_from(SCOPES),
    st.dictionaries(
        st.sampled_from(["ann", "ben", "a"]),
        st.lists(st.sampled_from(["telegram:a", "slack:a", "slack:b", "c"]), max_size=3),
        max_size=3,
    ),
    bindings=st.lists(
        st.fixed_dictionaries(
            {
                "agentId": st.sampled_from(["x", "y"]),
                "match": st.fixed_dictionaries(
                    {"channel": st.sampled_from(["telegram", "slack"])},
                    optional={"accountId": st.sampled_from(["*", "work"])},
                ),
            }
        ),
        max_size=2,
    ),
)
ids = st.sampled_from(["a", "b", "c"])
envelopes = st.lists(
    st.one_of(
        st.just(Envelope("terminal")),
        st.builds(
            Envelope,
            channel=st.sampled_from(["telegram", "slack"]),
            account_id=st.sampled_from(["default", "work"]),
            peer=st.builds(Peer, st.sampled_from(["dm", "group"]), ids),
            sender=st.one_of(st.none(), st.builds(Sender, ids)),
            thread_id=st.sampled_from([None, "7"]),
        ),
    ),
    max_size=12,
)


@given(configs, envelopes)
def test_with_the_same_config_everything_is_kept(same: Config, talk: list[Envelope]) -> None:
    found = preview(same, same, talk)
    keys = {Router(same).route(envelope).session_key for envelope in talk}
    assert {share.key for share in found.kept} == keys
    assert (found.merges, found.splits, found.moves, found.exposes) == ((), (), (), ())


@given(configs, configs, envelopes)
def test_every_message_is_in_one_place_of_each_side(
    old: Config, new: Config, talk: list[Envelope]
) -> None:
    found = preview(old, new, talk)
    before = {Router(old).route(envelope).session_key for envelope in talk}
    after = {Router(new).route(envelope).session_key for envelope in talk}
    merged = {part.key for merge in found.merges for part in merge.parts}
    lone = [*(s.key for s in found.splits), *(m.key for m in found.moves)]
    lone += [share.key for share in found.kept]
    assert len(set(lone)) == len(lone)
    assert set(lone) | merged == before
    reached = {merge.key for merge in found.merges} | {share.key for share in found.kept}
    reached |= {part.key for one in (*found.splits, *found.moves) for part in one.parts}
    assert reached == after
    assert found.messages == len(talk)


@given(configs, configs, envelopes)
def test_words_are_exposed_exactly_where_a_stranger_is_led_to_them(
    old: Config, new: Config, talk: list[Envelope]
) -> None:
    links = IdentityLinks(new.session.identity_links)
    who = [person_of(envelope, links) for envelope in talk]
    before = [Router(old).route(envelope).session_key for envelope in talk]
    after = [Router(new).route(envelope).session_key for envelope in talk]
    expected: dict[tuple[str, str], int] = {}
    for author, was, is_ in zip(who, before, after, strict=True):
        for reader in set(who) - {author}:
            theirs = {key for one, key in zip(who, after, strict=True) if one == reader}
            known = {key for one, key in zip(who, before, strict=True) if one == reader}
            if theirs & {was, is_} and was not in known:
                expected[reader, author] = expected.get((reader, author), 0) + 1
    found = preview(old, new, talk)
    assert {(e.reader, e.author): e.messages for e in found.exposes} == expected
    assert found.exposed == len(expected)
    alone = all(
        len({one for one, key in zip(who, after, strict=True) if key == wanted}) == 1
        for wanted in set(after)
    )
    if alone and not set(after) & set(before):
        assert found.exposes == ()


@given(configs, configs, envelopes, st.randoms(use_true_random=False))
def test_the_order_of_messages_does_not_matter_and_the_answer_is_json(
    old: Config, new: Config, talk: list[Envelope], chance: Any
) -> None:
    found = preview(old, new, talk)
    mixed = list(talk)
    chance.shuffle(mixed)
    assert preview(old, new, mixed) == found
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


def said(peer: str, name: str = "", channel: str = "telegram") -> Envelope:
    return dm(peer, channel, sender=Sender(peer, name))


def test_people_go_by_their_names_and_by_their_ids_where_names_do_not_tell() -> None:
    talk = [said("1", "Alice"), said("1", "Alice"), said("1", "Al"), said("2", "Bob"), said("3")]
    found = preview(config(), config("main"), talk)
    assert [found.called(f"telegram:{one}") for one in "123"] == ["Alice", "Bob", "telegram:3"]
    assert found.called("telegram:unheard") == "telegram:unheard"


@pytest.mark.parametrize("name", [" ALICE", "operator", "telegram:3", "carol", "slack:x"])
def test_a_name_that_could_be_somebody_else_comes_with_its_id(name: str) -> None:
    links = {"carol": ["telegram:9"]}
    talk = [said("1", "Alice"), said("2", name), said("3"), said("9")]
    found = preview(config(), config("main", links), talk)
    assert found.called("telegram:2") == f"{name} (telegram:2)"
    assert found.called("carol") == "carol"
    alone = preview(config(), config("main", links), [said("9", "Carol")])
    assert alone.called("carol") == "Carol"
