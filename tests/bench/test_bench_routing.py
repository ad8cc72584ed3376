from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.config.schema import Binding, Config, Match, PeerMatch, Session
from engine.routing.envelope import Envelope, Peer
from engine.routing.router import Router
from tests.bench.work import bests

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

ROUNDS, CALLS = 60, 200

MESSAGES = (
    Envelope("discord", account_id="work", peer=Peer("channel", "c5"), guild_id="g5"),
    Envelope(
        "discord",
        account_id="work",
        peer=Peer("channel", "none"),
        parent_peer=Peer("channel", "no"),
        guild_id="g6",
        team_id="none",
        member_role_ids=("a", "r3", "b"),
    ),
    Envelope("telegram", peer=Peer("dm", "7")),
    Envelope("slack"),
)


def bindings(count: int) -> Config:
    def match(place: int) -> Match:
        fields = (
            {"peer": PeerMatch(kind="channel", id=f"c{place}")},
            {"peer": PeerMatch(kind="channel", id="*"), "guild_id": f"x{place}"},
            {"guild_id": f"g{place}", "roles": (f"r{place}",)},
            {"guild_id": f"g{place}"},
            {"account_id": f"a{place}"},
        )[place % 5]
        return Match(channel="discord", **{"account_id": "work", **fields})  # type: ignore[arg-type]

    return Config(
        bindings=tuple(Binding(agent_id="main", match=match(place)) for place in range(count)),
        session=Session(dm_scope="per-channel-peer"),
    )


def calls(router: Router, envelope: Envelope) -> Callable[[], None]:
    def work() -> None:
        for _ in range(CALLS):
            router.route(envelope)

    return work


def test_a_thousand_bindings_route_as_fast_as_ten(capsys: pytest.CaptureFixture[str]) -> None:
    few, many = Router(bindings(10)), Router(bindings(1000))
    ratios = []
    for envelope in MESSAGES:
        took = bests(calls(few, envelope), calls(many, envelope), rounds=ROUNDS)
        ten, thousand = (seconds / CALLS * 1e6 for seconds in took)
        ratios.append(thousand / ten)
        with capsys.disabled():
            print(
                f"\nroute {envelope.channel}: {ten:.1f} µs with 10 bindings, "
                f"{thousand:.1f} µs with 1,000, ratio {thousand / ten:.2f}",
                end="",
            )
    assert max(ratios) <= 3  # 1.0 where nothing else runs; a search through all would be 100
