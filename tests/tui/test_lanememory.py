from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.cast import joined
from tests.tui.driving import running, until
from tui.behind.lanememory import kept_lanes, lanes_of
from tui.memory import AppMemory, load_memory, save_memory
from tui.screens.simulator import SimulatorScreen


def test_people_and_drafts_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    room = Envelope(
        "discord", "work", peer=Peer("group", "9"), sender=Sender("7", "A [b]"), thread_id="t"
    )
    people = joined([Envelope("telegram", peer=Peer("dm", "al"), sender=Sender("al", "Al")), room])
    kept = kept_lanes(people, lambda one: f"half a word of {one.name}")
    save_memory(tmp_path / "state", AppMemory(lanes=kept))
    found = lanes_of(load_memory(tmp_path / "state").lanes)
    assert joined([envelope for envelope, _ in found]) == people
    assert [draft for _, draft in found] == ["half a word of Al", "half a word of A [b]"]


@pytest.mark.parametrize(
    "broken",
    [{}, {"facts": 3}, {"facts": {"channel": 4}}, {"facts": [1]}, {"facts": {"peer": "x"}}],
)
def test_what_cannot_be_read_is_passed_over(broken: dict[str, Any]) -> None:
    good = {"facts": {"channel": "telegram", "peer": {"kind": "dm", "id": "a"}}, "draft": 7}
    ((envelope, draft),) = lanes_of([broken, good])
    assert envelope.channel == "telegram" and draft == ""


async def test_the_lanes_of_the_simulator_outlive_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("f4")
        await until(pilot, lambda: len(lanes(app.screen)) == 2, "two lanes")
        screen = app.screen
        assert isinstance(screen, SimulatorScreen)
        screen.house.live.add(joined([Envelope("signal", peer=Peer("dm", "zoe"))])[0])
        screen.place()
        screen.in_view[1].composer.set_draft("half a word")
        await app.keep_memory()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("f4")
        await until(pilot, lambda: len(lanes(app.screen)) == 3, "three lanes")
        assert lanes(app.screen) == [("Alice", ""), ("Bob", "half a word"), ("zoe", "")]


def lanes(screen: object) -> list[tuple[str, str]]:
    """Who is in the lanes in view, and what they wrote."""
    assert isinstance(screen, SimulatorScreen)
    seen = ((lane.person, lane.composer.draft) for lane in screen.in_view)
    return [(person.name, draft) for person, draft in seen if person is not None]
