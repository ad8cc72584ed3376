from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Agent, Agents, Binding, Config, Match, PeerMatch, Session
from engine.routing import usage
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.preview import preview
from engine.routing.router import Router
from engine.routing.usage import NEVER, Tally, Use, bare, dm_sessions, use_by_rule
from engine.values import replace

CONFIG = Config(
    agents=Agents(list=(Agent(id="main", default=True), Agent(id="ops"))),
    bindings=(
        Binding(agent_id="ops", match=Match(channel="slack", team_id="T1")),
        Binding(agent_id="ops", match=Match(channel="tg", peer=PeerMatch(kind="dm", id="a"))),
        Binding(agent_id="ops", match=Match(channel="tg", account_id="*")),
    ),
    routing={"irc:*": "ops"},
)


def dm(name: str, channel: str = "tg", **more: Any) -> Envelope:
    return Envelope(channel, peer=Peer("dm", name), sender=Sender(name, name.upper()), **more)


def test_uses_are_told_by_the_rule_that_decides() -> None:
    tally = Tally()
    for when, envelope in enumerate(
        [dm("a"), dm("a", text="x", message_id="7"), dm("b"), dm("c", "irc"), dm("d", "web")], 1
    ):
        tally.add(envelope, when)
    seen = tally.seen()
    assert len(seen) == 4
    assert use_by_rule(Router(CONFIG), seen) == {
        "bindings[1]": Use(2, 2),
        "bindings[2]": Use(1, 3),
        'routing["irc:*"]': Use(1, 4),
        "default": Use(1, 5),
    }


def test_sessions_of_direct_messages_are_counted_under_any_scope() -> None:
    tally = Tally()
    group = Envelope("tg", peer=Peer("group", "g"))
    for envelope in (dm("a"), dm("a", "web"), dm("b"), dm("b", account_id="x"), group):
        tally.add(envelope, 1)
    counts = [
        len(dm_sessions(Config(session=Session(dm_scope=scope)), tally.seen()))
        for scope in ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")
    ]
    assert counts == [1, 2, 3, 4]


def test_too_many_sorts_of_messages_are_not_kept_and_it_is_known(monkeypatch: Any) -> None:
    monkeypatch.setattr(usage, "MOST", 3)
    tally = Tally()
    for number in range(9):
        tally.add(dm(str(number % 4)), number)
    assert not tally.whole
    assert sum(use.messages for use in tally.seen().values()) == 7


def test_people_keep_the_name_that_they_used_last() -> None:
    tally = Tally()
    for when, name in ((2, "Al"), (3, "Alice"), (1, "A"), (4, "")):
        tally.add(replace(dm("111"), sender=Sender("111", name)), when)
    tally.add(dm("b"), 1)
    assert sorted(tally.names().values()) == ["Alice", "B"]
    counted = {envelope: use.messages for envelope, use in tally.seen().items()}
    scope = Config(session=Session(dm_scope="per-peer"))
    found = preview(CONFIG, scope, counted, tally.names())
    assert (found.called("tg:111"), found.called("tg:b")) == ("Alice", "B")
    assert preview(CONFIG, scope, counted).called("tg:111") == "tg:111"


ENVELOPES = st.builds(
    Envelope,
    channel=st.sampled_from(["tg", "slack", "irc"]),
    text=st.text(max_size=3),
    peer=st.none() | st.builds(Peer, st.sampled_from(["dm", "group"]), st.sampled_from("abc")),
    sender=st.none() | st.builds(Sender, st.sampled_from("ab"), st.text(max_size=2)),
    team_id=st.sampled_from([None, "T1"]),
    thread_id=st.sampled_from([None, "t"]),
    message_id=st.none() | st.text(max_size=2),
    timestamp=st.integers(0, 5),
)


@given(st.lists(ENVELOPES, max_size=30))
def test_counting_loses_nothing_that_routing_looks_at(envelopes: list[Envelope]) -> None:
    router, tally = Router(CONFIG), Tally()
    for envelope in envelopes:
        assert router.route(bare(envelope)) == router.route(envelope)
        tally.add(envelope, envelope.timestamp)
    seen = tally.seen()
    plain = Counter(router.route(envelope).rule for envelope in envelopes)
    assert {name: use.messages for name, use in use_by_rule(router, seen).items()} == plain
    assert all(use != NEVER for use in seen.values())
    counted = {envelope: use.messages for envelope, use in seen.items()}
    other = Config(session=Session(dm_scope="per-peer"))
    nameless = replace(preview(CONFIG, other, envelopes), names={})  # routing looks at no name
    assert replace(preview(CONFIG, other, counted), names={}) == nameless


@given(ENVELOPES)
def test_a_route_names_the_rule_that_its_trace_says_won(envelope: Envelope) -> None:
    route = Router(CONFIG).route(envelope)
    [won] = [step.rule for step in route.trace if step.won]
    assert route.rule == won
