from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.config.edit import set_value
from engine.engine import Engine
from engine.errors import StoreError
from engine.events import LeakFound
from engine.routing.envelope import Envelope
from engine.sessions.journal import marks_of
from engine.turns.order import TurnResult
from tests.tui.driving import running, screen, shows
from tui.demo.make import make_state, open_state
from tui.demo.story import LISBON, MIGRATION, PEOPLE, SECRET, STORY
from tui.memory import load_memory

NOON = 1_795_435_200_000


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    await make_state(folder, ManualClock(NOON))
    return folder


async def ask(engine: Engine, who: str, text: str) -> TurnResult:
    facts = PEOPLE[who]
    envelope = Envelope(facts.channel, text, peer=facts.peer, sender=facts.sender)
    return await (await engine.submit(envelope)).result()


async def test_three_people_have_sessions_of_their_own_from_the_days_before(state: Path) -> None:
    async with Engine.open(state, environ={}) as engine:
        infos = {info.key: info for info in await engine.sessions()}
        assert engine.config.session.dm_scope == "main"
        assert {"Alice", "Bob"} <= {info.peer_name for info in infos.values()}
        assert "escalated" in infos["agent:ops:discord:channel:support"].labels
        assert "reset" in {info.state for info in infos.values()}
        for info in infos.values():
            assert NOON - STORY[0].ago * 60_000 <= info.last_active <= NOON
            assert not info.problems


async def test_the_tree_has_forks_names_a_label_and_a_compaction(state: Path) -> None:
    async with Engine.open(state, environ={}) as engine:
        tree = await engine.tree(LISBON)
        forks = [node for node in tree.nodes.values() if len(tree.children(node.id)) > 1]
        assert len(forks) >= 2
        assert set(marks_of(tree).branches) == {"palace", "casa"}
        assert set(tree.labels.values()) == {"booked"}
        folded = [node for node in tree.nodes.values() if node.type == "compaction"]
        assert len(folded) == 1
        window = await engine.window(LISBON)
        assert any(not decision.included for decision in window.decisions)
        view = await engine.view(LISBON)
        assert (view.model.ref, view.model.source) == ("offline/echo-2k", "session")
        lineage = await engine.branches.lineage(LISBON)
        assert len(lineage.forks) == 1


async def test_bob_gets_what_alice_said_until_the_scope_is_set_back(state: Path) -> None:
    async with Engine.open(state, environ={}, paced=False) as engine:
        heard = []
        async with engine.subscribe() as events:
            told = await ask(engine, "bob", "What is the door code?")
            assert SECRET in told.text
            async for event in events:
                if isinstance(event, LeakFound):
                    heard.append(event)
                    break
        assert not heard[0].blocked
        assert heard[0].author_name == "Alice"
        await engine.set_scope("per-channel-peer")
        told = await ask(engine, "bob", "What is the door code?")
        assert SECRET not in told.text
        told = await ask(engine, "bob", "Which invoice is not paid?")
        assert "2041" in told.text  # his own session of three days ago goes on


async def test_the_config_has_comments_revisions_and_a_rule_that_never_wins(state: Path) -> None:
    async with Engine.open(state, environ={}) as engine:
        revisions = await engine.settings.revisions()
        assert [one.number for one in revisions] == [2, 1]
        text = await engine.settings.text()
        before = (await engine.settings.rollback(1)).text
        assert set_value(text, ("session", "dmScope"), "per-channel-peer").text == before
        assert text.count("//") >= 6
        from engine.routing.lint import lint_config

        found = [str(one) for one in lint_config(engine.config)]
        assert any("never" in one for one in found)


async def test_a_stranger_waits_to_be_let_in(state: Path) -> None:
    async with Engine.open(state, environ={}, clock=ManualClock(NOON)) as engine:
        waiting = engine.pairing.read().pending(NOON)
        assert [one.channel for one in waiting] == ["signal"]


async def test_a_demo_that_is_there_is_opened_as_it_is(state: Path) -> None:
    before = sorted(path.name for path in state.rglob("*"))
    await open_state(state)
    assert sorted(path.name for path in state.rglob("*")) == before


async def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds no demo"):
        await open_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


async def test_the_app_opens_in_the_chat_with_the_tree(state: Path) -> None:
    assert load_memory(state).last_session == LISBON
    async with running(state) as (app, _):
        assert app.screen_stack[0].chat.ref == LISBON  # type: ignore[attr-defined]


async def test_the_list_shows_what_needs_the_operator_what_is_new_and_what_is_over(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        tracker = app.bridge.tracker
        assert set(tracker.needs) == {MIGRATION}
        assert "prompt is too long" in tracker.reason(MIGRATION)
        assert {info.kind for info in tracker.infos.values()} == {"session", "reset", "archived"}
        assert [tracker.infos[ref].preview[:11] for ref in tracker.unread] == ["The courier"]
        await shows(pilot, "needs you", "1 earlier", "1 put away", "escalated")
        await pilot.press("escape")
        screen(app).action_filter()
        await pilot.press(*"is:archived", "enter")
        await shows(pilot, "taxes", "archived", "done")
