from __future__ import annotations

from pathlib import Path

from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.cast import SAMPLE, cast_of, joined, known_people, persona, slug
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.shipped import find_scenario


def dm(name: str, who: str, channel: str = "telegram", **facts: object) -> Envelope:
    return Envelope(channel, peer=Peer("dm", who), sender=Sender(who, name), **facts)  # type: ignore[arg-type]


def test_one_name_on_two_channels_is_one_user_and_on_one_channel_two() -> None:
    people = joined(
        [dm("Alice", "1"), dm("Alice", "9", "whatsapp"), dm("Alice", "2"), dm("Bob", "3")]
    )
    assert [(one.user, one.via) for one in people] == [
        ("alice", "telegram"),
        ("alice", "whatsapp"),
        ("alice-2", "telegram"),
        ("bob", "telegram"),
    ]


def test_a_second_place_on_a_channel_is_an_identity_of_its_own() -> None:
    room = Envelope("telegram", peer=Peer("group", "g"), sender=Sender("1", "Alice"))
    people = joined([dm("Alice", "1"), room])
    assert [(one.user, one.via) for one in people] == [
        ("alice", "telegram"),
        ("alice", "telegram-2"),
    ]


def test_a_dm_without_a_sender_is_written_by_its_peer() -> None:
    made = persona(Envelope("webchat", peer=Peer("dm", "anon_1"), text="x", message_id="7"))
    assert made.envelope == Envelope("webchat", peer=Peer("dm", "anon_1"), sender=Sender("anon_1"))
    assert (made.name, made.user) == ("anon_1", "anon_1")


def test_known_people_come_once_per_place_the_latest_first() -> None:
    told = [
        dm("Alice", "1", text="a"),
        dm("Bob", "2", text="b"),
        Envelope("terminal", text="mine"),
        dm("Alice", "1", text="c", message_id="x"),
    ]
    assert [one.name for one in known_people(told)] == ["Alice", "Bob"]


def test_names_that_are_no_names_make_users_all_the_same() -> None:
    assert [slug(name) for name in ("  Ann-Marie  O'Neil ", "[/red]\x1b", "王")] == [
        "ann-marie-o-neil",
        "red",
        "王",
    ]
    assert slug("...") == "somebody"


def test_everybody_of_a_scenario_takes_part_from_each_place() -> None:
    topics = load_scenario(find_scenario("forum-topics"))
    cast = cast_of(topics)
    assert len(cast) == len(set(cast)) == 6
    assert [one.envelope.thread_id for one in cast] == ["7", None, None, "8", None, "7"]
    text = """{users: {bob: {on: {telegram: {peer: "dm:1"}, slack: {peer: "dm:U", team: "T"}}}},
               steps: [{as: "bob", say: "x", mention: true}, {as: "bob", say: "y"}]}"""
    cast = cast_of(read_scenario(text, Path("x")))
    assert [(one.via, one.envelope.team_id) for one in cast] == [("telegram", None), ("slack", "T")]


def test_the_sample_people_are_two() -> None:
    assert [one.name for one in joined(SAMPLE)] == ["Alice", "Bob"]
