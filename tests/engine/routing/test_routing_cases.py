from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from engine.config.schema import Config
from engine.routing.read import read_envelope
from engine.routing.router import Route, Router

Cases = Callable[[str], list[dict[str, Any]]]


def shape(route: Route) -> dict[str, str]:
    return {
        "agentId": route.agent_id,
        "accountId": route.account_id,
        "sessionKey": route.session_key,
        "mainSessionKey": route.main_session_key,
        "matchedBy": route.matched_by,
    }


def test_every_recorded_route(cases: Cases) -> None:
    rows = cases("routing")
    assert len(rows) == 513
    wrong = []
    for case in rows:
        router = Router(msgspec.convert(case["config"], Config))
        route = router.route(read_envelope(case["input"]))
        if shape(route) != case["expected"]:
            wrong.append((case["name"], shape(route), case["expected"]))
    assert not wrong


def test_the_trace_names_every_binding_and_one_winner(cases: Cases) -> None:
    for case in cases("routing"):
        config = msgspec.convert(case["config"], Config)
        route = Router(config).route(read_envelope(case["input"]))
        (winner,) = [step for step in route.trace if step.won]
        assert (winner.tier, winner.agent_id) == (route.matched_by, route.agent_id), case["name"]
        routed = [i for i, binding in enumerate(config.bindings) if binding.type == "route"]
        assert [step.rule for step in route.trace] == [f"bindings[{i}]" for i in routed] + [
            "default"
        ]
