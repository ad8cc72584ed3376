from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.errors import CommandError
from engine.events import ConfigChanged
from engine.routing.envelope import Envelope, Peer, Sender
from engine.scenario.cast import Persona, joined
from engine.scenario.play import run_scenario
from engine.scenario.read import load_scenario, read_scenario
from engine.scenario.record import patch_between, routing_part
from engine.scenario.shipped import find_scenario, shipped_scenarios
from engine.scenario.stage import merged
from engine.scenario.troupe import LiveTroupe, StageTroupe, Troupe
from engine.scenario.values import Message, Scenario, Step
from engine.scenario.write import scenario_text
from engine.values import replace

ALICE = Envelope("telegram", peer=Peer("dm", "alice"), sender=Sender("alice", "Alice"))
BOB = Envelope("telegram", peer=Peer("dm", "bob"), sender=Sender("bob", "Bob"))
ROOM = Envelope("discord", peer=Peer("group", "g1"), sender=Sender("c", "Carol"))
SECRET = "my password is tulip"


@asynccontextmanager
async def live(state: Path, config: dict[str, Any], *who: Envelope) -> AsyncIterator[LiveTroupe]:
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "branchline.json5").write_text(json.dumps(config))
    async with Engine.open(state, environ={}, paced=False) as engine:
        yield LiveTroupe(engine, joined(who or (ALICE, BOB, ROOM)))


@asynccontextmanager
async def staged(scenario: Scenario, folder: Path) -> AsyncIterator[StageTroupe]:
    opened: asyncio.Future[StageTroupe] = asyncio.get_running_loop().create_future()

    async def own() -> None:
        async with StageTroupe.open(scenario, folder) as troupe:
            opened.set_result(troupe)
            await troupe.serve()

    owner = asyncio.ensure_future(own())
    await asyncio.wait({opened, owner}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield opened.result()
    finally:
        owner.cancel()
        await asyncio.wait({owner})


def said(troupe: Troupe, who: int, text: str) -> Step:
    return Step("say", (troupe.message(troupe.people[who], text),))


async def test_people_of_the_open_engine_are_judged_as_real_ones(tmp_path: Path) -> None:
    guarded = {"channels": {"telegram": {"dmPolicy": "pairing"}}}
    async with live(tmp_path / "s", guarded, ALICE) as troupe:
        [told] = await troupe.play(said(troupe, 0, "hello"))
        assert told.outcome == "pairing"
        assert troupe.engine.pairing.read().requests[0].code in told.reply
        assert await troupe.engine.sessions() == ()


async def test_a_leak_is_told_and_once_the_scope_changed_it_was_earlier(tmp_path: Path) -> None:
    async with live(tmp_path / "s", {"session": {"dmScope": "main"}}, ALICE, BOB) as troupe:
        await troupe.play(said(troupe, 0, SECRET))
        [told] = await troupe.play(said(troupe, 1, "what was the last message?"))
        assert "tulip" in told.reply
        [seen] = troupe.seen()
        assert (seen.reader, seen.author, seen.rule) == ("Bob", "Alice", "shared by dmScope main")
        assert (seen.blocked, seen.requests, seen.earlier) == (False, 1, False)
        revision = await troupe.engine.set_scope("per-channel-peer")
        troupe.take([ConfigChanged(revision)])
        assert [one.earlier for one in troupe.seen()] == [True]
        [again] = await troupe.play(said(troupe, 1, "what was the last message?"))
        assert "tulip" not in again.reply
        assert [one.earlier for one in troupe.seen()] == [True]
        assert [row.letters for row in troupe.matrix()[:2]] == [("A", "B"), ("A", "A")]


async def test_what_is_for_scenarios_is_refused_in_the_open_engine(tmp_path: Path) -> None:
    async with live(tmp_path / "s", {}, ALICE) as troupe:
        for step in (Step("wait", value=60.0), Step("restart"), Step("config", value={})):
            with pytest.raises(CommandError, match="Open a scenario"):
                await troupe.play(step)
        assert len(troupe.recorder) == 0


async def test_a_message_comes_twice_and_one_is_lost(tmp_path: Path) -> None:
    async with live(tmp_path / "s", {}, ALICE) as troupe:
        first = troupe.message(troupe.people[0], "hello")
        await troupe.play(Step("say", (first,)))
        lost = troupe.message(troupe.people[0], "never comes")
        assert await troupe.play(Step("drop", (lost,))) == ()
        again = await troupe.play(Step("redeliver", value=first.id, times=2))
        assert [one.outcome for one in again] == ["duplicate", "duplicate"]
        [info] = await troupe.engine.sessions()
        assert info.messages == 2


async def test_people_come_go_and_write_from_elsewhere(tmp_path: Path) -> None:
    async with live(tmp_path / "s", {"session": {"dmScope": "per-peer"}}, ALICE, BOB) as troupe:
        alice, bob = troupe.people
        troupe.replace(bob, Persona("bob", "room", ROOM))
        assert troupe.route(troupe.people[1]).session_key == "agent:main:discord:group:g1"
        troupe.add(bob, 0)
        troupe.remove(alice)
        assert [one.via for one in troupe.people] == ["telegram", "room"]


async def test_who_was_somebody_else_before_is_told_apart_in_a_recording(tmp_path: Path) -> None:
    topic = replace(ROOM, thread_id="7", guild_id="742")
    async with live(tmp_path / "s", {"session": {"dmScope": "per-peer"}}, topic) as troupe:
        carol = troupe.people[0]
        keys = [(await troupe.play(said(troupe, 0, "x")))[0].key]
        plain = troupe.person(ROOM)
        assert plain != carol
        troupe.replace(carol, plain)
        keys += [one.key for one in await troupe.play(said(troupe, 0, "y"))]
        assert troupe.person(replace(topic, text="z", message_id="1")) == carol
        text = scenario_text(troupe.recorded("by-hand"))
    outcome = await run_scenario(read_scenario(text, tmp_path / "x"))
    assert outcome.failures == ()
    assert [one.key for step in outcome.steps for one in step.said] == keys
    assert keys == ["agent:main:discord:group:g1:thread:7", "agent:main:discord:group:g1"]


async def test_a_recording_of_the_open_engine_goes_to_the_same_places(tmp_path: Path) -> None:
    config = {
        "agents": {"list": [{"id": "mia"}, {"id": "ops", "default": True}]},
        "bindings": [{"agentId": "mia", "match": {"channel": "telegram"}}],
        "session": {"dmScope": "main"},
    }
    async with live(tmp_path / "s", config) as troupe:
        keys = [(await troupe.play(said(troupe, who, "x")))[0].key for who in (0, 1, 2)]
        both = tuple(troupe.message(troupe.people[who], "now") for who in (0, 1))
        keys += [one.key for one in await troupe.play(Step("atOnce", both))]
        revision = await troupe.engine.set_scope("per-peer")
        troupe.take([ConfigChanged(revision)])
        keys += [one.key for one in await troupe.play(said(troupe, 1, "y"))]
        text = scenario_text(troupe.recorded("by-hand"))
    assert len(set(keys)) == 3
    scenario = read_scenario(text, tmp_path / "x")
    outcome = await run_scenario(scenario)
    assert outcome.failures == ()
    assert [one.key for step in outcome.steps for one in step.said] == keys
    assert "messageId" not in text
    assert "hand-" not in text


async def test_a_stage_is_stepped_through_with_words_by_hand_in_between(tmp_path: Path) -> None:
    scenario = load_scenario(find_scenario("password-leak"))
    async with staged(scenario, tmp_path / "s") as troupe:
        assert [one.user for one in troupe.people] == ["alice", "bob"]
        first = await troupe.step()
        assert first is not None
        assert (first.step, first.failures) == (1, ())
        await troupe.play(Step("config", value={"session": {"dmScope": "main"}}))
        [told] = await troupe.play(said(troupe, 0, SECRET))
        assert told.key == "agent:main:main"
        second = await troupe.step()
        assert second is not None
        assert "another session than secret's" not in [one.expected for one in second.failures]
        assert (await troupe.step()) is not None
        assert troupe.over
        assert await troupe.step() is None
        assert not troupe.held
        assert "bob sees alice's" in troupe.failures[0].got
        assert ("Bob", "Alice") in [(one.reader, one.author) for one in troupe.seen()]


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
async def test_a_shipped_scenario_holds_on_a_stage_too(name: str, tmp_path: Path) -> None:
    async with staged(load_scenario(find_scenario(name)), tmp_path / "s") as troupe:
        while await troupe.step():
            pass
        assert troupe.over
        assert troupe.held


async def test_a_restart_waits_until_nobody_speaks(tmp_path: Path) -> None:
    scenario = read_scenario(
        '{users: {a: {channel: "telegram", peer: "dm:1"}}, steps: []}', tmp_path / "x"
    )
    async with staged(scenario, tmp_path / "s") as troupe:
        before = troupe.engine
        told, _ = await asyncio.gather(
            troupe.play(said(troupe, 0, "hello")), troupe.play(Step("restart"))
        )
        assert told[0].outcome == "answered"
        assert troupe.engine is not before
        assert (await troupe.play(said(troupe, 0, "again")))[0].outcome == "answered"


SCOPES = ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")
acts = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 2)),
    st.tuples(st.sampled_from(("atOnce", "reorder", "drop")), st.integers(0, 2)),
    st.tuples(st.just("redeliver"), st.integers(0, 9)),
    st.tuples(st.just("scope"), st.sampled_from(SCOPES)),
    st.tuples(st.sampled_from(("undo", "restart")), st.none()),
    st.tuples(st.just("wait"), st.sampled_from((1.5, 60.0, 86400.0))),
)
STAGE = """{users: {
  alice: {channel: "telegram", peer: "dm:1", name: "Alice"},
  bob: {name: "Bob", on: {telegram: {peer: "dm:2"}, slack: {peer: "dm:1", team: "T"}}},
}, steps: []}"""


async def act(troupe: StageTroupe, kind: str, value: Any, sent: list[Message]) -> list[str]:
    def message(who: int) -> Message:
        sent.append(troupe.message(troupe.people[who % 3], f"words {len(sent)}"))
        return sent[-1]

    match kind:
        case "say" | "drop":
            step = Step(kind, (message(value),))
        case "atOnce" | "reorder":
            step = Step(kind, (message(value), message(value + 1), message(value)))
        case "redeliver":
            if not sent:
                return []
            step = Step("redeliver", value=sent[value % len(sent)].id, times=2)
        case "scope":
            step = Step("config", value={"session": {"dmScope": value}})
        case _:
            step = Step(kind, value=value)  # type: ignore[arg-type]
    return [one.key for one in await troupe.play(step)]


@given(st.lists(acts, min_size=1, max_size=8))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_done_by_hand_is_done_again_by_its_recording(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[str, Any]]
) -> None:
    keys: list[str] = []
    sent: list[Message] = []
    folder = tmp_path_factory.mktemp("stage")
    async with staged(read_scenario(STAGE, folder / "x"), folder / "s") as troupe:
        for kind, value in done:
            keys += await act(troupe, kind, value, sent)
        text = scenario_text(troupe.recorded("again"))
    outcome = await run_scenario(read_scenario(text, folder / "x"))
    assert outcome.failures == ()
    assert [one.key for step in outcome.steps for one in step.said] == keys


json_values = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("abc", max_size=2), json_values, max_size=4)


@given(objects, objects)
def test_a_patch_leads_from_one_config_to_the_other(old: Any, new: Any) -> None:
    patch = patch_between(old, new)
    assert merged(old, patch) == new
    assert patch_between(old, old) == {}


async def test_a_recording_holds_no_keys_of_providers(tmp_path: Path) -> None:
    config = {
        "models": {"providers": {"x": {"baseUrl": "http://x", "apiKey": "sk-secret"}}},
        "env": {"A": "sk-secret"},
        "channels": {"telegram": {"dmPolicy": "pairing", "allowFrom": ["1"]}},
    }
    async with live(tmp_path / "s", config, ALICE) as troupe:
        part = routing_part(troupe.engine.config)
        assert part["channels"] == {"telegram": {"allowFrom": ["1"]}}
        assert "sk-secret" not in json.dumps(part)
