from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.driving import running
from tui.behind.broom import ENOUGH, LAST, LONG_REST, MANY, PATIENCE, Broom


class Ring:
    """Garbage that only a collector finds."""

    def __init__(self) -> None:
        self.itself = self


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def broom(watch: Watch) -> Iterator[Broom]:
    found = Broom(now=watch)
    found.take_over()
    yield found
    found.give_back()


def make_much(rounds: int = ENOUGH) -> None:
    """What is made between two large rounds."""
    kept: list[list[int]] = []
    while gc.get_count()[2] < rounds:
        kept.extend([] for _ in range(1000))


def ring() -> weakref.ref[Ring]:
    made = Ring()
    gc.collect(1)  # it gets old
    return weakref.ref(made)


def test_the_large_round_waits_for_a_rest(broom: Broom, watch: Watch) -> None:
    garbage = ring()
    broom.key_came()
    make_much()
    assert broom.look() == "" and garbage() is not None
    watch.now += 2
    broom.frame_came()
    assert broom.look() == ""
    watch.now += 0.3
    assert broom.look() == "large" and garbage() is None
    assert broom.look() == "", "nothing new was made"


def test_frames_alone_do_not_hold_it_off_for_ever(broom: Broom, watch: Watch) -> None:
    watch.now += 2
    make_much()
    broom.frame_came()
    assert broom.look() == ""
    make_much(MANY)
    assert broom.look() == "large"


def test_little_is_not_looked_for(broom: Broom, watch: Watch) -> None:
    gc.collect()
    watch.now += 10
    assert broom.look() == ""


def test_what_became_garbage_later_is_found_at_a_long_rest(broom: Broom, watch: Watch) -> None:
    held = Ring()
    garbage = weakref.ref(held)
    watch.now += 2
    make_much()
    assert broom.look() == "large"
    del held
    make_much()
    watch.now += 2
    assert broom.look() == "large" and garbage() is not None, "it was set aside"
    watch.now += LONG_REST
    assert broom.look() == "whole" and garbage() is None


def test_an_app_that_never_rests_long_is_looked_through_nevertheless(watch: Watch) -> None:
    broom = Broom(lambda: True, now=watch)
    broom.take_over()
    done = []
    for _ in range(PATIENCE + 1):
        make_much()
        watch.now += LONG_REST
        done.append(broom.look())
    broom.give_back()
    assert done == ["large"] * PATIENCE + ["whole"]


async def test_the_app_sweeps_while_it_runs_and_gives_back(tmp_path: Path) -> None:
    before = gc.get_threshold()
    async with running(tmp_path) as (_, pilot):
        await pilot.pause()
        assert gc.get_threshold()[2] == LAST and gc.isenabled()
        garbage = ring()
        make_much()
        await pilot.press("f3")
        assert garbage() is not None
        for _ in range(60):
            await pilot.pause(0.1)
            if garbage() is None:
                break
        assert garbage() is None
    assert gc.get_threshold() == before and not gc.get_freeze_count()
