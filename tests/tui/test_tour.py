from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from engine.routing.envelope import Envelope
from engine.turns.order import TurnResult
from tests.tui.driving import SMALL, TINY, WIDE, running, say, screen, shows, until
from tests.tui.shown import lines, text
from tui import modes
from tui.app import BranchlineApp
from tui.demo.make import make_state
from tui.demo.story import PEOPLE
from tui.demo.tour import CHAPTERS, STEPS, Sight, Tour
from tui.memory import load_memory, save_memory
from tui.widgets.tourpanel import TourPanel


@asynccontextmanager
async def touring(
    folder: Path, size: tuple[int, int] = WIDE
) -> AsyncIterator[tuple[BranchlineApp, Pilot[None], Tour]]:
    state = folder / "demo"
    await make_state(state)
    async with running(state, size) as (app, pilot):
        assert app.tour is not None
        yield app, pilot, app.tour


async def ask_as_bob(app: BranchlineApp) -> TurnResult:
    facts = PEOPLE["bob"]
    envelope = Envelope(
        facts.channel, "What is the door code?", peer=facts.peer, sender=facts.sender
    )
    return await (await app.engine.submit(envelope)).result()


async def ticked(pilot: Pilot[None], tour: Tour, *names: str) -> None:
    await until(pilot, lambda: set(names) <= tour.done, f"steps {names} of {tour.done}")


async def test_the_first_three_chapters_tick_off_as_a_person_does_them(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        assert tour.done == frozenset()
        assert tour.current is STEPS[0]
        await shows(pilot, "Tour 0 of", "Your own chat:")
        await say(pilot, "Who has the key?")
        await ticked(pilot, tour, "talk")
        await shows(pilot, "✔ A built-in model answers", "F3 opens this one")
        await pilot.press("f3")
        await ticked(pilot, tour, "tree")
        await until(pilot, lambda: "◀ leaf" in text(app))
        await pilot.press("x")
        await ticked(pilot, tour, "xray")
        await pilot.press("escape", "G", "f")
        await until(pilot, lambda: "Fork from" in text(app))
        await pilot.press("enter")
        await ticked(pilot, tour, "fork")
        await until(pilot, lambda: app.current_mode == "sessions")
        await shows(pilot, "Is a night in the palace too much?")
        await pilot.press("f3")
        await until(pilot, lambda: app.current_mode == "tree" and "◀ leaf" in text(app))
        await pilot.press("u")
        await ticked(pilot, tour, "undo")
        await pilot.press("f2")
        await shows(pilot, "Who has the key?", "compacted")
        await pilot.press("escape")
        for _ in range(12):
            await pilot.press("k")
            if (at := screen(app).conversation.current) is not None and at.type == "compaction":
                break
        await pilot.press("enter")
        await ticked(pilot, tour, "fold")
        assert "originals" not in tour.done
        await pilot.press("k")
        await ticked(pilot, tour, "originals")
        assert tour.current is not None
        assert tour.current.chapter == "Leak"
        assert app.memory.tour == ("talk", "tree", "xray", "fork", "undo", "fold", "originals")


async def test_the_leak_is_found_closed_and_found_gone(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        assert "4711" in (await ask_as_bob(app)).text
        await ticked(pilot, tour, "leak")
        assert tour.done == {"leak"}  # what others say is not the person's own talk
        await app.engine.set_scope("per-channel-peer")
        await ticked(pilot, tour, "scope")
        assert not {"again", "edit"} & tour.done
        assert "4711" not in (await ask_as_bob(app)).text
        await ticked(pilot, tour, "again")
        config = app.engine.config_path
        assert config is not None
        text = config.read_text("utf-8").replace('name: "Ops"', 'name: "Operations"')
        config.write_text(text, "utf-8")
        await ticked(pilot, tour, "edit")


async def test_a_binding_that_never_wins_is_tried_and_taken_out(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        await pilot.press("f5")
        await until(pilot, lambda: "[3] 5 guild" in text(app) and "20h" in text(app))
        await pilot.press("j", "t")
        await ticked(pilot, tour, "why")
        await shows(pilot, "bindings[0]")
        await pilot.press("escape", "escape", "x", "w")
        await until(pilot, lambda: "Written in a hurry" in text(app))
        assert "edit" not in tour.done
        await pilot.press("enter")
        await ticked(pilot, tour, "edit")
        config = app.engine.config_path
        assert config is not None
        written = config.read_text("utf-8")
        assert written.count("agentId") == 3
        assert "// Who shares a memory" in written


async def test_it_is_put_away_comes_back_and_passes_over_steps(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        panel = screen(app).query_one(TourPanel)
        assert panel.display
        await pilot.press("f8")
        assert not panel.display
        await pilot.press("f8")
        assert panel.display
        await pilot.press("f9")
        assert tour.done == frozenset()
        assert tour.current is STEPS[1]
        await say(pilot, "Who has the key?")  # what was passed over may still be done
        await ticked(pilot, tour, "talk")
        for _ in STEPS:
            await pilot.press("f9")
        assert tour.current is None
        await shows(pilot, "That was the tour.")
        tour.restart()
        assert tour.current is STEPS[0]


async def test_it_goes_on_where_it_was_left(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        await pilot.press("f3")
        await ticked(pilot, tour, "tree")
        save_memory(app.engine.state_dir, app.memory)
    async with running(tmp_path / "demo") as (again, pilot):
        assert again.tour is not None
        assert again.tour.done == {"tree"}
        assert load_memory(tmp_path / "demo").tour == ("tree",)


async def test_an_ordinary_state_has_no_tour(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        assert app.tour is None
        await pilot.press("f8", "f9")
        assert not screen(app).query_one(TourPanel).display


async def test_it_leaves_room_on_a_small_screen(tmp_path: Path) -> None:
    async with touring(tmp_path, SMALL) as (app, pilot, tour):
        for step in STEPS:
            app.memory = type(app.memory)(tour=tuple(one.id for one in STEPS if one is not step))
            tour.last = STEPS[STEPS.index(step) - 1]
            tour.show(True)
            await pilot.pause()
            panel = screen(app).query_one(TourPanel)
            assert panel.size.height == 3, step.id
            assert screen(app).conversation.size.height >= 10


def bindings() -> dict[str, list[str]]:
    """Keys of every binding, by its id."""
    found: dict[str, list[str]] = {}
    from tui.widgets.dialogs.fork import ForkDialog
    from tui.widgets.dialogs.xray import XrayDialog

    for node in (BranchlineApp, *modes.nodes(), ForkDialog, XrayDialog):
        for kind in node.__mro__:
            for one in vars(kind).get("BINDINGS", ()):
                if isinstance(one, Binding) and one.id:
                    found.setdefault(one.id, []).extend(one.key.split(","))
    return found


SPELLED = {"Enter": "enter", "Esc": "escape", "Tab": "tab"} | {f"F{n}": f"f{n}" for n in range(10)}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_the_keys_it_names_are_those_of_the_bindings(step) -> None:  # type: ignore[no-untyped-def]
    known = bindings()
    named = re.findall("`([^`]+)`", step.ask)
    for key, name in zip(named, step.keys, strict=True):
        assert SPELLED.get(key, key) in known[name]


def test_every_step_has_a_chapter_a_name_of_its_own_and_is_not_done_by_nothing() -> None:
    assert CHAPTERS == ("Talk", "Branch", "Compaction", "Leak", "Routing")
    assert len({step.id for step in STEPS}) == len(STEPS)
    nothing = Sight(mode="sessions", scope="main")
    assert not [step.id for step in STEPS if step.done(nothing)]


async def test_the_palette_brings_it_back(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        await pilot.press("f8")
        assert tour.hidden
        await pilot.press("ctrl+p", *"showthetour")
        await until(pilot, lambda: "Show the tour" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: not tour.hidden)


async def test_where_there_is_little_room_only_the_next_step_is_told(tmp_path: Path) -> None:
    async with touring(tmp_path, TINY) as (app, pilot, tour):
        await pilot.press("f3")
        await ticked(pilot, tour, "tree")
        await pilot.press("f2")
        panel = screen(app).query_one(TourPanel)
        assert panel.size.height <= 2
        await shows(pilot, "→ Your own chat")


async def test_on_a_low_screen_what_was_done_is_told_only_in_one_row(tmp_path: Path) -> None:
    async with touring(tmp_path, (60, 20)) as (app, pilot, tour):
        await pilot.press("f3")
        await ticked(pilot, tour, "tree")
        panel = app.screen.query_one(TourPanel)
        await until(pilot, lambda: 0 < panel.size.height <= 3, "the panel, and room above it")
        assert "✔ Each row" not in text(app)
        await pilot.resize_terminal(60, 24)
        await shows(pilot, "✔ Each row")


async def test_an_ordinary_first_start_offers_the_demo_and_help(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await shows(pilot, "New here? F1 helps, and `branchline --demo`")
        await say(pilot, "hello")
        await until(pilot, lambda: "New here?" not in text(app))


async def test_in_ascii_every_sign_of_it_is_plain(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    await make_state(state)
    config = state / "branchline.json5"
    text = config.read_text("utf-8")
    config.write_text(text.replace("  session: {", '  ui: { glyphs: "ascii" },\n  session: {', 1))
    async with running(state) as (app, pilot):
        assert app.tour is not None
        panel = screen(app).query_one(TourPanel)
        for step in STEPS:
            app.tour.last = step
            app.tour.skip()
            app.tour.last = step
            app.tour.show(True)
            await pilot.pause()
            x, y, width, height = panel.region
            rows = [row[x : x + width] for row in lines(app)[y : y + height]]
            assert "\n".join(rows).isascii(), rows


async def test_the_palette_says_where_the_demo_is(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, _):
        await pilot.press("ctrl+p", *"pathofthestate")
        await until(pilot, lambda: "Copy the path of the state" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.clipboard == str(app.engine.state_dir))


async def test_a_key_that_the_keymap_moved_is_told_as_it_is_now(tmp_path: Path) -> None:
    async with touring(tmp_path) as (app, pilot, tour):
        config = app.engine.config_path
        assert config is not None
        moved = 'keymap: { "tree.xray": "E" },\n  session: {'
        config.write_text(config.read_text("utf-8").replace("session: {", moved, 1), "utf-8")
        await until(pilot, lambda: app.engine.config.keymap == {"tree.xray": "E"})
        await pilot.press("f9", "f3")
        await ticked(pilot, tour, "tree")
        await shows(pilot, "→ E: what the model would see from here")
