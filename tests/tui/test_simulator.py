from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.play import run_scenario
from engine.scenario.read import load_scenario
from engine.scenario.shipped import find_scenario
from engine.scenario.troupe import StageTroupe
from tests.corpus import HOSTILE
from tests.tui.driving import SMALL, TINY, WIDE, running, seed, shows, until
from tests.tui.shown import lines, text
from tui.app import BranchlineApp
from tui.screens.simulator import SimulatorScreen
from tui.widgets.dialogs.box import Choices
from tui.widgets.dialogs.identity import IdentityDialog
from tui.widgets.dialogs.scope import ScopeDialog
from tui.widgets.dialogs.write import WriteDialog
from tui.widgets.lines import Banner

LEAKY = """{
  // everybody writes to the same bot
  session: {
    dmScope: "main",  // the reference's default
  },
}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


async def simulator(app: BranchlineApp, pilot: Pilot[None]) -> SimulatorScreen:
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(app.screen, SimulatorScreen), "the screen")
    screen = app.screen
    assert isinstance(screen, SimulatorScreen)
    await until(pilot, lambda: bool(screen.people) and bool(screen.in_view), "people")
    await pilot.pause()
    return screen


def talk(screen: SimulatorScreen, place: int) -> str:
    """What stands in the conversation of a lane in view."""
    found = []
    for view in screen.in_view[place].conversation._in_order():
        found += [row.plain.strip() for row in view.rows(view.size.width or 80)]
    return " ".join(" ".join(found).split())


async def answered(pilot: Pilot[None], screen: SimulatorScreen, place: int, told: str) -> None:
    await until(pilot, lambda: told in talk(screen, place), told)


async def speak(pilot: Pilot[None], screen: SimulatorScreen, place: int, words: str) -> None:
    screen.go_to_lane(place, write=True)
    await pilot.pause()
    lane = screen.in_view[place - screen.first]
    lane.composer.set_draft(words)
    lane.composer.menu.close()
    await pilot.press("enter")


def matrix(pilot: Pilot[None]) -> str:
    panel = pilot.app.screen.query_one("#matrix")
    x, y, width, height = panel.region
    return "\n".join(row[x : x + width] for row in lines(pilot.app)[y : y + height])


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_two_people_under_main_share_a_memory_until_the_scope_is_changed_here(
    state: Path, size: tuple[int, int]
) -> None:
    file = state / "branchline.json5"
    file.write_text(LEAKY)
    async with running(state, size) as (app, pilot):
        screen = await simulator(app, pilot)
        await speak(pilot, screen, 0, "my password is tulip")
        await answered(pilot, screen, 0, "first I hear of it")
        await speak(pilot, screen, 1, "what was the last message?")
        await answered(pilot, screen, 1, "before this, by Alice: “my password is tulip”")
        await shows(pilot, "Bob")
        await until(pilot, lambda: "Bob" in matrix(pilot) and "Alice" in matrix(pilot), "verdict")
        assert "✘" in matrix(pilot)
        await until(pilot, lambda: bool(screen.query_one("#leak", Banner).variants), "the banner")
        assert "SHARED MEMORY: Bob" in text(app)
        assert "share one memory: each" not in text(app)  # no notice over what the banner says
        assert "2 people → 1 session" in text(app)

        await pilot.press("escape", "p")
        await until(pilot, lambda: isinstance(app.screen, ScopeDialog), "the preview")
        app.screen.query_one(Choices).chosen = 2
        await shows(pilot, "nobody's words become visible to anybody else")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.session.dm_scope == "per-channel-peer", "it")
        await until(pilot, lambda: "2 people → 2 sessions" in text(app), "two sessions")
        await answered(pilot, screen, 1, "what was said before stays in agent:main:main")
        await speak(pilot, screen, 1, "what was the last message?")
        await answered(pilot, screen, 1, "Nothing was said before this")
        await until(pilot, lambda: "✘" not in verdict_line(pilot), "the verdict")
        assert "tulip" not in talk(screen, 1)
        assert not screen.query_one("#leak", Banner).variants
        assert "SHARED MEMORY" not in text(app)
    assert file.read_text() == LEAKY.replace('"main"', '"per-channel-peer"')


def verdict_line(pilot: Pilot[None]) -> str:
    found = [row for row in matrix(pilot).splitlines() if "no lane saw" in row or "answered" in row]
    return found[-1] if found else "✘"


async def at(pilot: Pilot[None], screen: SimulatorScreen, name: str) -> None:
    """Open a shipped scenario."""
    screen.open_scenario(find_scenario(name))
    await until(pilot, lambda: screen.house.stage is not None, "the stage")
    await until(pilot, lambda: screen.playing and bool(screen.in_view), "its people")
    await pilot.pause()


def stage_of(screen: SimulatorScreen) -> StageTroupe:
    stage = screen.house.stage
    assert stage is not None
    return stage


async def test_a_scenario_is_stepped_through_and_what_fails_is_told(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await at(pilot, screen, "password-leak")
        assert [one.user for one in screen.people] == ["alice", "bob"]
        await shows(pilot, "password-leak 0/3", "Steps 0/3", "○ 1 alice: Remember")
        await pilot.press("s")
        await until(pilot, lambda: "password-leak 1/3" in text(app), "the first step")
        await answered(pilot, screen, 0, "my password is tulip-42")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ScopeDialog), "the preview")
        app.screen.query_one(Choices).chosen = 0
        await until(pilot, lambda: app.screen._seen == "main", "its effect")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "dmScope main" in text(app), "the stage's own scope")
        assert app.engine.config.session.dm_scope == "per-channel-peer", "the open engine's is not"
        await speak(pilot, screen, 0, "my password is tulip-42")
        await answered(pilot, screen, 0, "tulip-42")
        await pilot.press("escape", "s")
        await until(pilot, lambda: "password-leak 2/3" in text(app), "the second step")
        await shows(
            pilot, "✘ 2 bob: What is the password?", "expected the reply never contains", "got "
        )
        await pilot.press("s")
        await until(pilot, lambda: "password-leak 3/3 ✘" in text(app), "the end")
        assert not stage_of(screen).held
        await pilot.press("R")
        await until(pilot, lambda: "password-leak 0/3" in text(app), "afresh")
        assert "dmScope per-channel-peer" in text(app)
        await pilot.press("r")
        await until(pilot, lambda: "password-leak 3/3 ✔" in text(app), "it ran")
        await pilot.press("L")
        await until(pilot, lambda: "live r1" in text(app), "the open engine")
        assert [one.user for one in screen.people] == ["alice", "bob"]
        assert screen.house.stage is None


async def test_a_run_can_be_paused_and_a_restart_is_played(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await at(pilot, screen, "redelivery")
        steps = len(stage_of(screen).stage.scenario.steps)
        await pilot.press("r")
        await until(pilot, lambda: len(stage_of(screen).played) >= 1, "it runs")
        await pilot.press("r")
        await until(pilot, lambda: not screen.running, "paused")
        await pilot.pause(0.8)
        before = len(stage_of(screen).played)
        await pilot.pause(1)
        assert len(stage_of(screen).played) == before < steps
        engine = stage_of(screen).engine
        await pilot.press("r")
        await until(pilot, lambda: stage_of(screen).over, "the end")
        assert stage_of(screen).held
        assert stage_of(screen).engine is not engine, "it was restarted"
        assert screen.house.bridge.tracker.infos, "the news of the new engine are heard"


async def test_enter_on_a_step_plays_as_far_as_that(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await at(pilot, screen, "password-leak")
        screen.steps.focus()
        screen.steps.go_to(2)
        await pilot.press("enter")
        await until(pilot, lambda: len(stage_of(screen).played) == 2, "two steps")
        await until(pilot, lambda: not screen.running, "it stands")
        await pilot.pause(0.8)
        assert len(stage_of(screen).played) == 2


async def test_a_run_that_is_asked_for_more_leaves_no_step_in_the_midst_of_it(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await at(pilot, screen, "password-leak")
        steps = len(stage_of(screen).stage.scenario.steps)
        screen.run_to(1)
        await pilot.pause(0.05)
        for number in (2, steps):
            screen.run_to(number)
            screen.action_step()
            await pilot.pause(0.05)
        await until(pilot, lambda: not screen.running, "it stands")
        played = [one.step for one in stage_of(screen).played]
        assert played == [*range(1, steps + 1)] and stage_of(screen).over


async def test_what_was_done_by_hand_is_kept_as_a_scenario_that_does_it_again(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await pilot.press("escape", "w")
        await shows(pilot, "Nothing was done yet")
        await speak(pilot, screen, 0, "my code is 4711")
        await answered(pilot, screen, 0, "my code is 4711")
        await app.engine.set_scope("main")
        await until(pilot, lambda: "2 people → 1 session" in text(app), "one session")
        await speak(pilot, screen, 1, "what was the last message?")
        await answered(pilot, screen, 1, "what was the last message?")
        await pilot.press("escape", "d")
        await answered(pilot, screen, 1, "the engine knew it")
        await pilot.press("w")
        await shows(pilot, "Keep what was done")
        await pilot.press(*"mine", "enter")
        file = state / "scenarios" / "mine.scenario.json5"
        await until(pilot, file.exists, "the file")
        await pilot.press("w")
        await shows(pilot, "Keep what was done")
        await pilot.press(*"mine", "enter")
        await shows(pilot, "There is a scenario of that name already")
    assert file.stat().st_mode & 0o777 == 0o600
    scenario = load_scenario(file)
    assert [step.kind for step in scenario.steps] == ["say", "config", "say", "redeliver"]
    outcome = await run_scenario(scenario)
    assert outcome.failures == ()
    said = [one for step in outcome.steps for one in step.said]
    assert [one.key for one in said[:2]] == ["agent:main:telegram:dm:alice", "agent:main:main"]


async def test_messages_are_sent_at_once_in_another_order_held_back_and_lost(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        recorder = screen.house.troupe.recorder

        def kinds() -> list[str]:
            return [step.kind for step in screen.house.troupe.recorded("x").steps]

        for place, words in enumerate(("one", "two")):
            screen.in_view[place].composer.set_draft(words)
        await pilot.press("escape", "b")
        await answered(pilot, screen, 0, "one")
        await answered(pilot, screen, 1, "two")
        assert kinds() == ["atOnce"]
        assert [lane.composer.draft for lane in screen.in_view] == ["", ""]
        await pilot.press("escape", "b")
        await shows(pilot, "Everybody says")
        await pilot.press(*"all", "enter")
        await answered(pilot, screen, 1, "“all”")
        assert kinds() == ["atOnce", "atOnce"]
        await until(pilot, lambda: "recorded" in text(app), "the count")
        await pilot.press("escape", "h")
        for words in ("first", "second"):
            await speak(pilot, screen, 0, words)
            await answered(pilot, screen, 0, f"held back: {words}")
        assert len(recorder) == 2
        await until(pilot, lambda: "2 held" in text(app), "the mark")
        await pilot.press("escape", "O")
        await answered(pilot, screen, 0, "“first”")
        assert kinds()[2:] == ["reorder"]
        said = talk(screen, 0)
        assert said.index("┃ second") < said.rindex("┃ first") or "second" in said
        await pilot.press("escape", "D")
        await until(pilot, lambda: "drops next" in text(app), "the mark")
        await speak(pilot, screen, 0, "gone")
        await answered(pilot, screen, 0, "lost on its way: gone")
        assert kinds()[3:] == ["drop"]
        assert "drops next" not in text(app)


async def test_somebody_comes_in_by_the_form_which_tells_where_their_words_go(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, IdentityDialog), "the form")
        await shows(pilot, "Name: who is it?")
        await pilot.press("enter")
        assert isinstance(app.screen, IdentityDialog), "it is not done"
        await pilot.press(*"Carol")
        await shows(pilot, "agent:main:telegram:dm:carol", "a session of its own", "simulated")
        form = {"channel": "discord", "kind": "channel", "peer": "support", "guild": "742"}
        for name, value in form.items():
            app.screen.query_one(f"#field-{name}", Input).value = value
        await shows(pilot, "agent:main:discord:channel:support")
        app.screen.query_one("#field-kind", Input).value = "room"
        await shows(pilot, "Kind: dm, group or channel")
        app.screen.query_one("#field-kind", Input).value = "channel"
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: len(screen.people) == 3 and len(screen.in_view) == 3, "Carol")
        await shows(pilot, "discord · guild 742", "channel support · as Carol")
        await speak(pilot, screen, 2, "hello")
        await answered(pilot, screen, 2, "Carol said: “hello”")
        await pilot.press("escape", "e")
        await until(pilot, lambda: isinstance(app.screen, IdentityDialog), "the form")
        app.screen.query_one("#field-thread", Input).value = "7"
        await shows(pilot, "agent:main:discord:channel:support:thread:7")
        await pilot.press("enter")
        await until(pilot, lambda: "thread 7" in text(app), "elsewhere")
        await until(pilot, lambda: "Nothing has been said" in text(app), "nothing there yet")
        await pilot.press("x")
        await until(pilot, lambda: len(screen.in_view) == 2, "she left")


async def test_people_who_wrote_before_are_here_or_come_in_by_name(state: Path) -> None:
    people = {name: ["hello"] for name in ("ann", "ben", "cy", "dot", "eve")}
    await seed(state, people)
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        assert [one.name for one in screen.people] == ["Eve", "Dot", "Cy", "Ben"]
        await pilot.press("ctrl+n")
        await shows(pilot, "Somebody new", "Ann", "dm ann")
        await pilot.press(*"ann")
        await pilot.pause(0.4)
        await pilot.press("enter")
        await until(pilot, lambda: len(screen.people) == 5, "Ann")
        await shows(pilot, "5 Ann")
        assert screen.first == 1


async def test_a_stranger_is_told_a_code_and_let_in(state: Path) -> None:
    config = {"channels": {"telegram": {"dmPolicy": "pairing", "allowFrom": ["alice"]}}}
    (state / "branchline.json5").write_text(json.dumps(config))
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await speak(pilot, screen, 1, "let me in")
        await answered(pilot, screen, 1, "not let in yet: I do not know you yet")
        [request] = app.engine.pairing.read().requests
        assert request.code in talk(screen, 1)
        await pilot.press("escape", "a")
        await shows(pilot, "Pairing requests 1")
        await pilot.press("a", "escape")
        await speak(pilot, screen, 1, "here I am")
        await answered(pilot, screen, 1, "“here I am”")


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY])
async def test_lanes_page_where_not_all_fit(state: Path, size: tuple[int, int]) -> None:
    await seed(state, {name: [f"I am {name}"] for name in ("ann", "ben", "cy", "dot")})
    async with running(state, size) as (app, pilot):
        screen = await simulator(app, pilot)
        room = {120: 4, 80: 2, 50: 1}[size[0]]
        assert len(screen.in_view) == room
        seen = [lane.person.name for lane in screen.in_view if lane.person]
        assert seen == ["Dot", "Cy", "Ben", "Ann"][:room]
        tabs = screen.query_one("#tabs")
        assert tabs.display == (room < 4)
        await answered(pilot, screen, 0, "I am dot")
        await pilot.press("escape")
        for expected in ["Dot", "Cy", "Ben", "Ann", "Dot"][1:]:
            await pilot.press("tab")
            await pilot.pause()
            person = screen.current
            assert person is not None and person.name == expected
            assert screen.lane_of(person) is not None, "it came into view"
        if room < 4:
            await pilot.press(">")
            assert screen.first == room
            await shows(pilot, f"{room + 1} {['Dot', 'Cy', 'Ben', 'Ann'][room]}")
            await pilot.press("<")
            assert screen.first == 0
        await pilot.press("z")
        await until(pilot, lambda: len(screen.in_view) == 1, "one alone")
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.in_view) == room, "all again")


async def test_a_lane_that_was_scrolled_up_says_what_came_below(state: Path) -> None:
    await seed(state, {"ann": [f"word {number}" for number in range(12)]})
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        [lane] = screen.in_view
        await answered(pilot, screen, 0, "word 11")
        assert "below" not in str(lane.border_subtitle)
        await pilot.press("escape", "pageup")
        await until(pilot, lambda: "End" in str(lane.border_subtitle), "it is not at the end")
        await speak(pilot, screen, 0, "one more")
        await until(pilot, lambda: "2 new below" in str(lane.border_subtitle), "what came")
        await pilot.press("escape", "end")
        await until(pilot, lambda: "End" not in str(lane.border_subtitle), "at the end again")


async def test_keys_of_one_burst_go_where_those_before_them_led(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        for key in ("a", "b", "tab", "c", "d", "shift+tab", "e", "escape", "p"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, ScopeDialog), "p acted as a key")
        await pilot.press("escape")
        assert [lane.composer.draft for lane in screen.in_view] == ["abe", "cd"]


async def test_drafts_stay_with_their_person_when_lanes_page(state: Path) -> None:
    await seed(state, {name: ["hi"] for name in ("ann", "ben", "cy")})
    async with running(state, TINY) as (app, pilot):
        screen = await simulator(app, pilot)
        await pilot.press(*"half a", "tab", *"other")
        assert screen.in_view[0].composer.draft == "other"
        await pilot.press("shift+tab")
        await until(pilot, lambda: screen.in_view[0].composer.draft == "half a", "the draft")
        await pilot.press("escape", "b")
        await until(pilot, lambda: len(screen.house.troupe.recorder) == 1, "both went off")
        [step] = screen.house.troupe.recorded("x").steps
        assert sorted(one.text for one in step.messages) == ["half a", "other"]


HARMFUL = "\x1b\x07\x9b\u202e\u200b"


def evil(values: list[str]) -> Envelope:
    """Somebody whose every fact is hostile."""
    facts = [value[:60] or "x" for value in values]
    one = [facts[number % len(facts)] for number in range(8)]
    return Envelope(
        one[0],
        account_id=one[1],
        peer=Peer("group", one[2]),
        sender=Sender(one[3], values[0][:200]),
        guild_id=one[4],
        thread_id=one[5],
        member_role_ids=(one[6],),
        tenant_id=one[7],
    )


@pytest.mark.parametrize("size", [WIDE, TINY])
async def test_hostile_people_and_words_do_no_harm(state: Path, size: tuple[int, int]) -> None:
    values = list(HOSTILE.values())[:: 1 if size == WIDE else 4]
    said = [value[:2000] for value in values if value.strip()]
    async with running(state, size) as (app, pilot):
        screen = await simulator(app, pilot)

        def harmless() -> bool:
            return not any(char in text(app) for char in HARMFUL)

        for start in range(0, len(values), 8):
            some = values[start : start + 8]
            screen.come_in(evil(some))
            for value in some:
                if value.strip():
                    screen.speak(screen.people[-1], value[:2000])
                    await pilot.pause(0.05)
                    assert harmless(), value
            screen.ask_for(evil(some))
            await until(pilot, lambda: isinstance(app.screen, IdentityDialog), "the form")
            assert harmless(), some
            await pilot.press("escape")
        await pilot.press("escape", "ctrl+n")
        await pilot.pause(0.5)
        assert harmless()
        await pilot.press("escape")
        recorded = load_scenario(screen._write("evil"))
        assert [one.text for step in recorded.steps for one in step.messages] == said


@pytest.mark.parametrize("seed", range(int(os.environ.get("BRANCHLINE_TEST_SEEDS", "2"))))
@pytest.mark.parametrize("size", [WIDE, SMALL, TINY])
async def test_whatever_is_pressed_in_a_scenario_the_simulator_goes_on(
    state: Path, size: tuple[int, int], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDITOR", "VISUAL", "PAGER"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setattr(BranchlineApp, "action_quit", lambda self: None)
    chance = random.Random(f"{seed} {size}")
    typed = ["a", "space", "slash", "enter", "ctrl+j", "x", "escape", "tab", "3"]
    pressed: list[str] = []
    async with running(state, size, paced=False) as (app, pilot):
        screen = await simulator(app, pilot)
        await at(pilot, screen, chance.choice(["rush-hour", "pairing", "redelivery"]))
        for number in range(int(os.environ.get("BRANCHLINE_TEST_KEYS", "120"))):
            active = app.screen.active_bindings
            keys = [key for key, one in active.items() if one.enabled and key not in LEFT_OUT]
            key = chance.choice(chance.choice([keys, keys, typed]) or typed)
            pressed.append(key)
            app.simulate_key(key)
            if number % 3 == 0:
                await pilot.pause()
            assert app.is_running, " ".join(pressed[-20:])
        await until(pilot, lambda: len(lines(app)) == size[1], " ".join(pressed[-20:]))


LEFT_OUT = {"ctrl+q", "ctrl+c", "f2", "f3", "f5", "1", "2", "4"}


async def test_with_nobody_left_nothing_breaks_and_somebody_can_come(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await pilot.press("escape", "x", "x")
        await shows(pilot, "Nobody is here", "0 people")
        for key in ("tab", "o", "b", "d", "D", "e", "x", "z", "O", "h", "w", "less_than_sign"):
            await pilot.press(key, "escape")
        screen.come_in(Envelope("slack", peer=Peer("dm", "u1"), team_id="T1"))
        await shows(pilot, "1 u1", "slack · team T1", "dm u1")


async def test_a_scenario_that_cannot_be_used_is_told_and_leaves_all_as_it_was(state: Path) -> None:
    folder = state / "scenarios"
    folder.mkdir(mode=0o700)
    wrong = folder / "wrong.scenario.json5"
    wrong.write_text('{users: {}, steps: [{\n  as: "nobody", say: "x"}]}')
    config = folder / "config.scenario.json5"
    config.write_text('{config: {session: {dmScope: "none"}}, users: {}, steps: []}')
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        await pilot.press("escape", "S")
        await shows(pilot, "wrong", "config")
        await pilot.press("escape")
        screen.open_scenario(wrong)
        await shows(pilot, "there is no user nobody")
        screen.open_scenario(config)
        await shows(pilot, "dmScope")
        await pilot.pause(0.3)
        assert screen.house.stage is None
        await speak(pilot, screen, 0, "still here")
        await answered(pilot, screen, 0, "still here")


async def test_the_warning_of_shared_memory_can_be_put_away_until_there_is_more(
    state: Path,
) -> None:
    (state / "branchline.json5").write_text(LEAKY)
    async with running(state) as (app, pilot):
        screen = await simulator(app, pilot)
        banner = screen.query_one("#leak", Banner)
        for place, words in ((0, "my code is 4711"), (1, "hello")):
            await speak(pilot, screen, place, words)
            await answered(pilot, screen, place, words)
        await until(pilot, lambda: bool(banner.variants), "the banner")
        await pilot.press("escape", "X")
        await until(pilot, lambda: not banner.variants, "it is put away")
        assert "Bob" in matrix(pilot), "the matrix still tells of it"
        await speak(pilot, screen, 0, "and now?")
        await until(pilot, lambda: any("Alice is" in told for told in banner.variants), "more")
        await pilot.press("escape", "f2", "f4")
        await until(pilot, lambda: app.screen is screen and bool(banner.variants), "it stays")
