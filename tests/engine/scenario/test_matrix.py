from __future__ import annotations

from typing import Any

import pytest

from engine.config.load import config_from_object
from engine.config.schema import Config
from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.matrix import Check, letter, matrix

ALICE_TG = Envelope("telegram", peer=Peer("dm", "alice"), sender=Sender("alice", "Alice"))
BOB_TG = Envelope("telegram", peer=Peer("dm", "bob"), sender=Sender("bob", "Bob"))
ALICE_WA = Envelope("whatsapp", peer=Peer("dm", "+1555"), sender=Sender("+1555", "Alice"))
CAROL = Envelope("discord", peer=Peer("channel", "support"), sender=Sender("c", "Carol"))
DAVE = Envelope("discord", peer=Peer("channel", "support"), sender=Sender("d", "Dave"))


def config(**session: Any) -> Config:
    return config_from_object({"session": session})


def test_the_drawing_of_the_design_comes_out() -> None:
    links = {"alice": ["telegram:alice", "whatsapp:+1555"]}
    rows = matrix(config(dmScope="per-channel-peer"), [ALICE_TG, BOB_TG, ALICE_WA, CAROL])
    assert [(row.scope, row.now, "".join(row.letters)) for row in rows] == [
        ("per-channel-peer", True, "ABCD"),
        ("main", False, "AAAD"),
        ("per-peer", False, "ABCD"),
        ("per-account-channel-peer", False, "ABCD"),
    ]
    assert rows[1].checks == (Check("exposed", (0, 1, 2), "shared by dmScope main"),)
    assert [row.mixed for row in rows] == [False, True, False, False]
    assert [row.sessions for row in rows] == [4, 2, 4, 4]
    linked = matrix(
        config(dmScope="per-peer", identityLinks=links), [ALICE_TG, BOB_TG, ALICE_WA, CAROL]
    )
    assert "".join(linked[0].letters) == "ABAD"
    assert linked[0].checks == (Check("shared", (0, 2), "identityLinks: both are alice"),)
    assert not linked[0].mixed


def test_a_room_is_for_meeting() -> None:
    for row in matrix(config(), [CAROL, DAVE]):
        assert row.letters == ("A", "A")
        assert row.checks == (Check("shared", (0, 1), "the same group", room=True),)
        assert not row.mixed


def test_a_key_format_that_leaves_out_the_user_mixes_people() -> None:
    for row in matrix(config(keyFormat="{channel}"), [ALICE_TG, BOB_TG, ALICE_WA]):
        assert row.letters == ("A", "A", "C")
        assert [check.verdict for check in row.checks] == ["exposed"]


def test_people_without_an_id_are_told_apart_as_the_engine_does() -> None:
    nobody = Envelope("webchat", peer=Peer("dm", ""), extra={"ip": "1"})
    other = Envelope("webchat", peer=Peer("dm", ""), extra={"ip": "2"})
    rows = matrix(config(dmScope="per-channel-peer"), [nobody, other])
    assert rows[0].letters == ("A", "B")


def test_nobody_is_a_matrix_too() -> None:
    assert [row.letters for row in matrix(config(), [])] == [()] * 4


@pytest.mark.parametrize(("place", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB")])
def test_letters_go_on_after_z(place: int, name: str) -> None:
    assert letter(place) == name
