from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.config.schema import Config
from engine.routing.access import judge
from engine.routing.envelope import Envelope, Peer
from engine.routing.pairing import (
    ALPHABET,
    CODE_LENGTH,
    MAX_PENDING,
    VALID_MS,
    Asked,
    Pairings,
    read_pairings,
)

NOW = 1_700_000_000_000


def dice(seed: int = 1) -> Callable[[int], int]:
    return random.Random(seed).randrange


def ask(
    pairings: Pairings, sender: str, *, now: int = NOW, channel: str = "telegram", **more: Any
) -> tuple[Pairings, Asked]:
    below = more.pop("below", dice(len(pairings.requests) + 1))
    return pairings.ask(channel, more.pop("account", ""), sender, now=now, below=below, **more)


def code_of(asked: Asked) -> str:
    assert asked.request is not None
    return asked.request.code


def test_a_code_has_eight_characters_that_cannot_be_taken_for_others() -> None:
    assert not set("0O1I") & set(ALPHABET)
    assert len(set(ALPHABET)) == 32
    _, asked = ask(Pairings(), "u1")
    assert asked.outcome == "new"
    assert len(code_of(asked)) == CODE_LENGTH == 8
    assert set(code_of(asked)) <= set(ALPHABET)


def test_who_asks_again_has_the_same_code_and_no_more_time() -> None:
    pairings, first = ask(Pairings(), "u1")
    pairings, again = ask(pairings, " U1", now=NOW + 1000, name="Una")
    assert again.outcome == "waiting"
    assert again.request is not None
    assert (again.request.code, again.request.created) == (code_of(first), NOW)
    assert (again.request.last_seen, again.request.name) == (NOW + 1000, "Una")
    assert len(pairings.requests) == 1


@pytest.mark.parametrize(
    ("later", "works"), [(0, True), (VALID_MS, True), (VALID_MS + 1, False), (-VALID_MS - 1, False)]
)
def test_a_code_works_for_an_hour(later: int, works: bool) -> None:
    pairings, asked = ask(Pairings(), "u1")
    after, approval = pairings.approve(code_of(asked), now=NOW + later)
    assert (approval is not None) == works
    assert after.approved_ids("telegram") == (("u1",) if works else ())
    assert after.requests == ()


def test_a_code_works_once() -> None:
    pairings, asked = ask(Pairings(), "u1")
    pairings, _ = pairings.approve(code_of(asked), now=NOW)
    assert pairings.approve(code_of(asked), now=NOW)[1] is None
    pairings, asked = ask(pairings, "u1")
    assert asked.outcome == "approved"


@pytest.mark.parametrize("spell", [str.lower, lambda c: f" {c[:4]}-{c[4:]} ", lambda c: c])
def test_a_code_may_be_typed_loosely(spell: Callable[[str], str]) -> None:
    pairings, asked = ask(Pairings(), "u1")
    assert pairings.approve(spell(code_of(asked)), now=NOW)[1] is not None


@pytest.mark.parametrize("wrong", ["", "ABCDEFGH", "ÀBCDEFGH", "x" * 100_000, "\ud800"])
def test_a_wrong_code_lets_nobody_in(wrong: str) -> None:
    pairings, _ = ask(Pairings(), "u1", below=lambda n: 3)
    try:
        after, approval = pairings.approve(wrong, now=NOW)
    except UnicodeEncodeError:
        pytest.fail("half a character broke the comparison")
    assert approval is None
    assert after == pairings


def test_three_wait_per_channel_and_the_fourth_is_refused_until_one_is_dealt_with() -> None:
    pairings = Pairings()
    codes = []
    for at, sender in enumerate(("u1", "u2", "u3")):
        pairings, asked = ask(pairings, sender, account=f"acc{at}", now=NOW + at)
        codes.append(code_of(asked))
    assert MAX_PENDING == 3
    assert ask(pairings, "u4")[1].outcome == "full"
    assert ask(pairings, "u1", account="acc0")[1].outcome == "waiting"
    assert ask(pairings, "u4", channel="slack")[1].outcome == "new"
    rejected, request = pairings.reject(codes[0], now=NOW)
    assert request is not None and request.sender_id == "u1"
    assert ask(rejected, "u4")[1].outcome == "new"
    assert ask(pairings, "u4", now=NOW + VALID_MS + 1)[1].outcome == "new"
    assert [one.sender_id for one in pairings.pending(NOW)] == ["u1", "u2", "u3"]


def test_an_approval_is_for_one_account_of_one_channel() -> None:
    pairings, asked = ask(Pairings(), "u1", account="Work")
    assert pairings.approve(code_of(asked), now=NOW, channel="slack")[1] is None
    assert pairings.approve(code_of(asked), now=NOW, account_id="home")[1] is None
    pairings, _ = pairings.approve(code_of(asked), now=NOW, channel="Telegram", account_id="work")
    assert pairings.approved_ids(" TELEGRAM", "WORK") == ("u1",)
    assert pairings.approved_ids("telegram") == ()
    assert pairings.approved_ids("slack", "work") == ()


def test_a_revoked_sender_is_a_stranger_again() -> None:
    pairings, asked = ask(Pairings(), "u1")
    pairings, _ = pairings.approve(code_of(asked), now=NOW)
    pairings, gone = pairings.revoke("telegram", "", "telegram:U1")
    assert gone and pairings.approved_ids("telegram") == ()
    assert not pairings.revoke("telegram", "", "u1")[1]


def test_access_asks_for_a_code_and_lets_in_after_approval() -> None:
    config = msgspec.convert({"channels": {"telegram": {}}}, Config)
    envelope = Envelope("telegram", peer=Peer("dm", "tg:77"))
    assert judge(config, envelope).decision == "pairing"
    pairings, asked = ask(Pairings(), "tg:77")
    pairings, _ = pairings.approve(code_of(asked), now=NOW)
    assert judge(config, envelope, pairings.approved_ids("telegram")).allowed


@pytest.mark.parametrize("sender", ["", " ", "*", "telegram:", "telegram:*"])
def test_nobody_and_everybody_cannot_be_paired(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        ask(Pairings(), sender)


def test_a_code_is_not_in_the_repr() -> None:
    pairings, asked = ask(Pairings(), "u1")
    assert code_of(asked) not in repr(pairings)


def test_randomness_that_repeats_itself_is_noticed() -> None:
    pairings, _ = ask(Pairings(), "u1", below=lambda n: 0)
    with pytest.raises(RuntimeError):
        ask(pairings, "u2", below=lambda n: 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"requests": {}, "approved": 3},
        {"requests": [None, 3, {}, {"channel": "t", "id": "u", "code": "short", "createdAt": 1}]},
        {"approved": [{"channel": "t", "id": "*"}, {"channel": 1, "id": "u"}, {"id": "u"}]},
        {"approved": [{"channel": "t", "id": "u", "approvedAt": "yesterday"}]},
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_reported(value: object) -> None:
    pairings, problems = read_pairings(value)
    assert pairings == Pairings()
    assert problems


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["requests", "approved", "channel", "id", "code", "createdAt"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_file_can_be_read(value: object) -> None:
    pairings, _ = read_pairings(value)
    assert read_pairings(pairings.to_json()) == (pairings, ())


class PairingMachine(RuleBasedStateMachine):
    """Against a model that keeps one dict: (channel, account, sender) → code and birth."""

    def __init__(self) -> None:
        super().__init__()
        self.real = Pairings()
        self.below = dice(7)
        self.now = NOW
        self.open: dict[tuple[str, str, str], tuple[str, int]] = {}
        self.let_in: set[tuple[str, str, str]] = set()

    def expire(self) -> None:
        self.open = {
            who: (code, born)
            for who, (code, born) in self.open.items()
            if self.now - born <= VALID_MS
        }

    @rule(
        channel=st.sampled_from(["telegram", "slack"]),
        account=st.sampled_from(["", "work"]),
        sender=st.sampled_from(["u1", "u2", "u3", "u4"]),
    )
    def asks(self, channel: str, account: str, sender: str) -> None:
        who = (channel, account or "default", sender)
        self.expire()
        self.real, asked = self.real.ask(channel, account, sender, now=self.now, below=self.below)
        if who in self.let_in:
            assert asked.outcome == "approved"
        elif who in self.open:
            assert (asked.outcome, code_of(asked)) == ("waiting", self.open[who][0])
        elif sum(1 for one in self.open if one[0] == channel) >= MAX_PENDING:
            assert asked.outcome == "full"
        else:
            assert asked.outcome == "new"
            self.open[who] = (code_of(asked), self.now)

    @rule(data=st.data(), approve=st.booleans())
    def decides(self, data: st.DataObject, approve: bool) -> None:
        if not self.open:
            return
        who = data.draw(st.sampled_from(sorted(self.open)))
        code, _ = self.open[who]
        self.expire()
        if approve:
            self.real, approval = self.real.approve(code, now=self.now)
            assert (approval is not None) == (who in self.open)
            if who in self.open:
                self.let_in.add(who)
        else:
            self.real, request = self.real.reject(code, now=self.now)
            assert (request is not None) == (who in self.open)
        self.open.pop(who, None)

    @rule(minutes=st.integers(0, 50))
    def waits(self, minutes: int) -> None:
        self.now += minutes * 60_000

    @rule()
    def is_stored_and_read(self) -> None:
        self.real, problems = read_pairings(json.loads(json.dumps(self.real.to_json())))
        assert problems == ()

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.expire()
        listed = {
            (one.channel, one.account_id, one.sender_id): (one.code, one.created)
            for one in self.real.pending(self.now)
        }
        assert listed == self.open
        for channel in ("telegram", "slack"):
            for account in ("default", "work"):
                expected = {s for c, a, s in self.let_in if (c, a) == (channel, account)}
                assert set(self.real.approved_ids(channel, account)) == expected


TestPairingMachine = PairingMachine.TestCase
