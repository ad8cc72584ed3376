from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.config.load import config_from_object
from engine.config.schema import Config
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.router import Router
from engine.scenario.cast import joined
from engine.scenario.matrix import matrix
from engine.scenario.play import Failure, Played
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.shipped import find_scenario, shipped_scenarios
from engine.scenario.troupe import Seen
from engine.values import replace
from tests.corpus import HOSTILE
from tui.look.glyphs import ASCII, UNICODE, Glyphs
from tui.screens.simulator_play import clock_step
from tui.widgets.dialogs.identity import facts_of_form, form_of, wrong_with
from tui.widgets.gauge import Fill
from tui.widgets.simulator.lanelines import (
    LaneFacts,
    badge,
    end_of,
    foot_line,
    head_lines,
    lane_title,
)
from tui.widgets.simulator.matrixlines import MatrixState, exposure_lines, matrix_lines
from tui.widgets.simulator.simulatorbar import SimulatorBarState, simulator_line
from tui.widgets.simulator.steplist import StepRows

PEOPLE = joined(
    [
        Envelope("telegram", peer=Peer("dm", "alice"), sender=Sender("alice", "Alice")),
        Envelope("telegram", peer=Peer("dm", "bob"), sender=Sender("bob", "Bob")),
        Envelope("whatsapp", peer=Peer("dm", "+1"), sender=Sender("+1", "Alice")),
        Envelope("discord", peer=Peer("channel", "x"), sender=Sender("c", "Carol"), guild_id="7"),
        Envelope("discord", peer=Peer("channel", "x"), sender=Sender("d", "Dave"), guild_id="7"),
    ]
)
SEEN = Seen("Bob", "Alice", "agent:main:main", "shared by dmScope main", False, 2, False)


def config(**session: object) -> Config:
    return config_from_object({"session": session})


def state(scope: str = "main", count: int = 5, *seen: Seen, **session: object) -> MatrixState:
    people = PEOPLE[:count]
    rows = matrix(config(dmScope=scope, **session), [one.envelope for one in people])
    return rows, people, seen


def rows(made: MatrixState, width: int, height: int, glyphs: Glyphs = UNICODE) -> list[str]:
    return [line.rstrip() for line in matrix_lines(made, width, height, glyphs).plain.split("\n")]


def test_the_matrix_as_it_is_drawn() -> None:
    links = {"alice": ["telegram:alice", "whatsapp:+1"]}
    made = state("per-channel-peer", 4, SEEN, identityLinks=links)
    assert rows(made, 116, 6) == [
        "                           1 Alice tg  2 Bob tg    3 Alice wa  4 Carol dc",
        "▸ per-channel-peer         A           B           C           D           "
        "✔ everybody has a memory of their own",
        "  main                     A           A           A           D           "
        "✘ 1, 2, 3 would share one memory",
        "  per-peer                 A           B           A           D           "
        "▲ 1, 3 would merge: identity link alice",
        "  per-account-channel-peer A           B           C           D           "
        "✔ everybody has a memory of their own",
        "✘ Bob is answered with words of Alice in sight: shared by dmScope main, 2 requests",
    ]


@pytest.mark.parametrize("width", [1, 20, 48, 76, 100, 116, 200])
@pytest.mark.parametrize("height", [1, 2, 6, 8])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_the_matrix_fits_wherever_it_is_drawn(width: int, height: int, glyphs: Glyphs) -> None:
    for scope in ("main", "per-peer"):
        found = rows(state(scope, 5, SEEN), width, height, glyphs)
        assert len(found) <= height
        assert max(map(cell_len, found)) <= width
        if glyphs is ASCII:
            assert "".join(found).replace("…", "").isascii()


def test_a_short_matrix_keeps_the_scope_in_force_and_what_was_seen() -> None:
    assert rows(state("main", 3, SEEN), 78, 2) == [
        "now 1A 2A 3A ✘   per-peer 1A 2B 3C ✔   per-channel-peer 1A 2B 3C ✔",
        "✘ Bob is answered with Alice in sight: shared by dmScope main",
    ]
    assert rows(state("main", 2, SEEN), 48, 1) == ["now 1A 2A ✘  Bob saw Alice"]
    assert rows(state("per-peer", 2), 48, 1) == ["now 1A 2B ✔"]


def test_people_in_one_room_are_no_warning() -> None:
    made = state("per-channel-peer", 5)
    assert rows(made, 160, 6)[1].endswith("✔ everybody has a memory of their own; 4, 5 in one room")
    assert rows(made, 130, 6)[1].endswith("✔ all apart; 4, 5 in one room")


def test_what_was_seen_under_another_config_is_told_as_past() -> None:
    past = replace(SEEN, earlier=True)
    told = rows(state("per-peer", 2, past), 140, 6)[-1]
    assert told.startswith("✔ no lane saw text of another's since the config changed")
    assert "before: Bob saw Alice, shared by dmScope main" in told
    assert exposure_lines((past,), UNICODE) == ()
    assert "Bob" in exposure_lines((SEEN,), UNICODE)[-1]


def test_a_leak_that_was_stopped_is_told_as_stopped_and_left_to_the_red_line() -> None:
    stopped = replace(SEEN, blocked=True, rule="no rule shares these words")
    assert (
        "stopped: Bob would have seen words of Alice" in rows(state("main", 2, stopped), 140, 6)[-1]
    )
    assert exposure_lines((stopped,), UNICODE) == ()


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_names_in_the_matrix_are_harmless(name: str) -> None:
    value = HOSTILE[name]
    evil = Envelope("x", peer=Peer("dm", value[:50]), sender=Sender(value[:50], value[:100]))
    people = joined([evil])
    seen = Seen(value[:99], value[:99], value[:99], value[:99], False, 1, False)
    made = (matrix(config(), [evil]), people, (seen,))
    told = matrix_lines(made, 100, 8, UNICODE).plain
    facts = LaneFacts(1, people[0], Router(config()).route(evil), "A")
    told += head_lines(facts, 30, 3, UNICODE).plain
    told += lane_title(facts, long=True, width=30, glyphs=UNICODE)
    assert not any(ord(char) < 32 and char != "\n" for char in told)
    assert not any(char in told for char in "\x7f\x9b\u202e\u200b")


def lane(**changes: object) -> LaneFacts:
    person = PEOPLE[3]
    facts = LaneFacts(4, person, Router(config()).route(person.envelope), "D", "idle", 41)
    return replace(facts, fill=Fill(10_000, 32_000), **changes)


def test_a_lane_says_who_it_is_and_where_it_leads() -> None:
    facts = lane()
    assert head_lines(facts, 28, 3, UNICODE).plain.split("\n") == [
        "discord · guild 7           ",
        "channel x · as c            ",
        end_of("agent:main:discord:channel:x", 28, UNICODE),
    ]
    assert head_lines(facts, 20, 1, UNICODE).plain == "…n:discord:channel:x"
    assert lane_title(facts, long=False, width=28, glyphs=UNICODE) == "4 Carol"
    assert lane_title(facts, long=True, width=28, glyphs=UNICODE) == "4 Carol · dc channel x"
    assert lane_title(lane(current=True), long=False, width=28, glyphs=ASCII) == "> 4 Carol"
    assert badge("D", "ops", UNICODE).plain == "◆D ops"
    assert badge("AB", "ops", ASCII).plain == "AB ops"


@pytest.mark.parametrize("width", [8, 16, 26, 40, 80])
def test_the_foot_of_a_lane_fits(width: int) -> None:
    for facts in (lane(), lane(dropping=True, mention=True, held=3), lane(state="◐ answering")):
        assert foot_line(facts, width, UNICODE).cell_length <= width
    assert "drops next" in foot_line(lane(dropping=True), 40, UNICODE).plain
    assert "41 msgs" in foot_line(lane(), 40, UNICODE).plain


@pytest.mark.parametrize("width", [20, 50, 80, 120, 200])
def test_row_0_fits_and_keeps_what_matters(width: int) -> None:
    bar = SimulatorBarState(
        people=4, sessions=3, scope="main", scenario="password-leak", step=1, steps=3,
        verdict="held", now="2026-01-01 09:00:00", seed=7, lanes="1-2/4", recorded=3, clock="16:04",
    )  # fmt: skip
    told = simulator_line(bar, width, UNICODE).plain
    assert cell_len(told) <= width
    assert told.rstrip().endswith("16:04")
    assert "password-leak" in told or width < 30
    if width == 200:
        for part in (
            "4 people → 3 sessions",
            "dmScope main",
            "1/3",
            "seed 7",
            "3 recorded",
            "1-2/4",
        ):
            assert part in told


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_every_step_has_a_line(name: str) -> None:
    scenario = load_scenario(find_scenario(name))
    made = StepRows(scenario, (), (), 1, UNICODE)
    for place in range(len(made)):
        [line] = made.lines(place, 60)
        assert sum(cell_len(text) for text, _ in line) <= 60
        assert made.index_of(made.key(place)) == place
        assert made.height(place) == 1
    assert made.lines(0, 60)[0][0][0].startswith("◐")


def test_a_step_that_failed_says_what_was_expected_and_what_came() -> None:
    scenario = read_scenario(
        '{users: {a: {channel: "x", peer: "dm:1"}}, steps: [{as: "a", say: "hi"}],'
        " expect: {exposed: []}}",
        Path("x"),
    )
    failures = tuple(Failure(1, f"thing {number}", "") for number in range(5))
    made = StepRows(
        scenario, (Played(1, "say", 1, (), failures),), (Failure(0, "a", "b"),), 0, ASCII
    )
    told = ["".join(text for text, _ in line).rstrip() for line in made.lines(0, 60)]
    assert told[1:3] == ["     expected thing 0", "     got nothing"]
    assert told[-1] == "     and 2 more"
    assert len(told) == made.height(0)
    assert "".join(text for text, _ in made.lines(1, 60)[0]).startswith("n")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("90m", "wait", 5400.0), (" 1.5 s ", "wait", 1.5), ("2d", "wait", 172800.0)],
)
def test_the_clock_jumps_by_a_span(text: str, kind: str, value: float) -> None:
    step = clock_step(text)
    assert step is not None
    assert (step.kind, step.value) == (kind, value)


def test_the_clock_jumps_to_a_time_and_to_nothing_else() -> None:
    step = clock_step("2026-02-01T09:00:00Z")
    assert step is not None
    assert (step.kind, step.value) == ("clock", 1_769_936_400_000)
    assert clock_step("soon") is None


def test_a_form_gives_back_the_facts_it_was_filled_with() -> None:
    from engine.routing.read import read_envelope

    for one in PEOPLE:
        assert wrong_with(form_of(one.envelope)) == ""
        assert read_envelope(facts_of_form(form_of(one.envelope))) == one.envelope


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"channel": ""}, "Channel"),
        ({"kind": "room"}, "Kind"),
        ({"peer": "", "kind": "group"}, "Peer"),
        ({"peer": "", "name": ""}, "Name"),
        ({"kind": "group", "name": "", "sender": ""}, "Name or sender"),
        ({"parent": "nowhere"}, "parentPeer"),
    ],
)
def test_a_form_says_what_is_wrong_with_it(changes: dict[str, str], fault: str) -> None:
    assert wrong_with(form_of(PEOPLE[0].envelope) | changes).startswith(fault)


def test_a_lane_names_the_model_that_was_chosen_for_its_session() -> None:
    facts = lane(override="anthropic/claude-opus-5")
    assert lane_title(facts, long=False, width=40, glyphs=UNICODE).endswith(" ▲ claude-opus-5")
    assert "^ claude-opus-5" in lane_title(facts, long=False, width=40, glyphs=ASCII)
    assert cell_len(lane_title(facts, long=True, width=12, glyphs=UNICODE)) <= 12
