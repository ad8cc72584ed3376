from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from engine.engine import Engine
from engine.routing.envelope import Envelope
from engine.sessions.journal import last_step
from tests.corpus import HOSTILE, raw_controls
from tests.tui.driving import SMALL, TINY, WIDE, running, screen, until
from tests.tui.shown import lines, text
from tests.tui.trees import KEY, orders, said, write
from tui.app import BranchlineApp
from tui.screens.tree import TreeScreen
from tui.widgets.dialogs.ask import Ask
from tui.widgets.dialogs.box import Pick
from tui.widgets.dialogs.compaction import CompactionDialog
from tui.widgets.dialogs.fork import ForkDialog
from tui.widgets.tree.preview import Preview
from tui.widgets.tree.treelines import LIVE
from tui.widgets.tree.treelist import TreeList

App = BranchlineApp


def tree(app: App) -> TreeScreen:
    found = app.screen_stack[0]
    assert isinstance(found, TreeScreen)
    return found


@asynccontextmanager
async def opened(
    state: Path, entries: list[dict[str, Any]] | None, size: tuple[int, int] = WIDE
) -> AsyncIterator[tuple[App, Pilot[None], TreeScreen]]:
    """The tree of a session, its preview drawn; None: of the one that is there already."""
    if entries is not None:
        write(state, entries)
    async with running(state, size) as (app, pilot):
        screen(app).open_session(KEY)
        await until(pilot, lambda: screen(app).chat.ref == KEY)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen_stack[0], TreeScreen), "the tree")
        await until(pilot, lambda: tree(app).forest is not None, "the rows")
        await settled(pilot)
        yield app, pilot, tree(app)


async def settled(pilot: Pilot[None]) -> None:
    """Until the preview shows the entry under the cursor."""
    found = pilot.app.screen_stack[0]
    name = found.entry_here if isinstance(found, TreeScreen) else None
    if isinstance(found, TreeScreen) and found.preview.display and name is not None:
        await until(
            pilot,
            lambda: (
                found.preview.shown is not None
                and found.preview.shown.entry.id == name == found.entry_here
            ),
            "the preview",
        )
    await pilot.pause()


async def shows(pilot: Pilot[None], *told: str) -> None:
    await until(pilot, lambda: all(each in flat(pilot) for each in told), f"showing {told}")


def flat(pilot: Pilot[None]) -> str:
    return " ".join(text(pilot.app).split())


def rows(pilot: Pilot[None]) -> list[str]:
    """What the tree pane shows, line by line."""
    x, y, width, height = tree_of(pilot).list.content_region
    cut = [row[x : x + width].rstrip() for row in lines(pilot.app)[y : y + height]]
    return [row for row in cut if row.strip()]


def tree_of(pilot: Pilot[None]) -> TreeScreen:
    found = pilot.app.screen_stack[0]
    assert isinstance(found, TreeScreen)
    return found


async def leaf(app: App) -> str | None:
    return (await app.engine.tree(KEY)).leaf


async def test_the_tree_is_drawn_flat_with_the_active_branch_first(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, _screen):
        shown = rows(pilot)
        assert [line.split()[0] for line in shown[:2]] == ["●", "●"]
        assert "4 messages folded" in shown[2] and "Space opens" in shown[2]
        assert "about order 7" in shown[3] and "about order 8" in shown[4]
        assert "◆" in shown[5] and "27.1k → 4.3k" in shown[5]
        assert "⚑ csv" in shown[6] and "alice" in shown[6]
        assert "├─●" in shown[8] and "Make it stream" in shown[8]
        assert "calls lookup 1057" in shown[9]
        assert shown[10].endswith("◀ leaf") and "Use a generator" in shown[10]
        assert "└─○" in shown[11] and "What is the weather" in shown[11]
        assert shown[12].endswith("◁ tip") and len(shown) == 13


async def test_the_cursor_starts_on_the_leaf_and_the_preview_tells_the_window(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        assert screen_.list.current == "y"
        await shows(pilot, "CONTEXT THE MODEL SEES FROM HERE", "system prompt", "◆ c1 summary")
        await shows(pilot, "hidden behind ◆ 6 messages", "27.1k", "siblings 1 of 1")
        assert "depth 16 (ctx 10)" in flat(pilot) or "depth 15 (ctx 9)" in flat(pilot)
        await pilot.press("home")
        await settled(pilot)
        await shows(pilot, "m1 · alice", "depth 1 (ctx 1)")


async def test_what_a_compaction_folded_opens_with_one_key(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        screen_.list.go_to("c1")
        await pilot.press("space")
        await shows(pilot, "about order 3", "about order 6")
        assert screen_.list.current == "c1"
        await pilot.press("space")
        await shows(pilot, "4 messages folded")
        await pilot.press("home", "down", "down", "space")
        await shows(pilot, "about order 3")
        assert screen_.list.current == "m3"


async def test_a_branch_folds_and_opens(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        screen_.list.go_to("a")
        await pilot.press("space")
        await shows(pilot, "5 messages folded · 2 branches")
        assert screen_.list.current == "a"
        await pilot.press("space")
        await until(pilot, lambda: len(rows(pilot)) == 13)


async def test_branches_and_forks_are_a_key_away(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        await pilot.press("right_square_bracket")
        assert screen_.list.current == "w"
        await pilot.press("left_square_bracket")
        assert screen_.list.current == "x"
        await pilot.press("left_curly_bracket")
        assert screen_.list.current == "a"
        await pilot.press("end", "full_stop")
        assert screen_.list.current == "y"


async def test_views_show_less_or_everything(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        for view, count in (("user only", 7), ("labelled", 1), ("compactions", 1)):
            await pilot.press("v")
            await until(pilot, lambda v=view, n=count: _is(screen_, v, n), view)
            assert f"view: {view}" in lines(pilot.app)[0]
        await pilot.press("v")
        await shows(pilot, "the hidden result", "branchline.leaf", "→ q")


def _is(screen_: TreeScreen, view: str, count: int) -> bool:
    forest = screen_.forest
    return screen_.view == view and forest is not None and len(forest.outline) == count


async def test_search_finds_folded_and_hidden_words_and_goes_through_them(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        screen_.list.go_to("q")
        await pilot.press("space", "home", "slash", *"weather", "enter")
        await until(pilot, lambda: screen_.list.current == "w", "the folded hit")
        assert "1 of 1" in lines(pilot.app)[0]
        await pilot.press("home", "slash")
        screen_.query_one("#find", Input).value = "order"
        await pilot.press("enter")
        await until(pilot, lambda: len(screen_.hits) == 11, "hits")
        assert screen_.list.current == "m1"
        await pilot.press("n", "n", "n")
        assert screen_.list.current == "m4"
        await pilot.press("N")
        assert screen_.list.current == "m3"
        await pilot.press("slash")
        screen_.query_one("#find", Input).value = '"hidden result"'
        await pilot.press("enter")
        await until(pilot, lambda: screen_.list.current == "r", "the tool result")
        assert screen_.view == "all"
        await pilot.press("escape")
        assert not screen_.hits
        assert pilot.app.current_mode == "tree"


async def test_enter_moves_the_leaf_and_goes_to_the_conversation(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("w2")
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "sessions", "the conversation")
        assert await leaf(app) == "w2"
        await shows(pilot, "I cannot see it")
        assert screen(app).composer.has_focus
        await pilot.press("ctrl+t")
        await until(pilot, lambda: app.current_mode == "tree")
        await until(pilot, lambda: screen_.list.current == "w2", "the cursor on the new leaf")
        await pilot.press("u")
        await until(pilot, lambda: screen_.list.current == "y", "the old leaf")
        assert await leaf(app) == "y"


async def test_enter_on_a_persons_message_brings_its_words_to_the_composer(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("x")
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "sessions", "the conversation")
        assert screen(app).composer.draft == "Make it stream"
        assert await leaf(app) == "a"
        reopened = await app.engine.tree(KEY)
        assert {"x", "y", "w2"} <= reopened.nodes.keys()


async def test_words_in_the_composer_are_not_lost_to_those_that_come(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "sessions")
        screen(app).composer.set_draft("half a thought")
        await pilot.press("f3")
        screen_.list.go_to("x")
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "sessions")
        await until(pilot, lambda: "Make it stream" in screen(app).composer.draft)
        assert "half a thought" in screen(app).composer.draft


async def test_edit_and_resend_makes_a_sibling_and_the_leaf_moves_live(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("y")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ForkDialog), "the dialog")
        area = app.screen.query_one(TextArea)
        assert area.text == "Make it stream" and area.has_focus
        await pilot.press("space", *"twice", "enter")
        for _ in range(200):
            found = await app.engine.tree(KEY)
            if found.leaf != "y" and found.entry(str(found.leaf)).role == "assistant":
                break
            await pilot.pause(0.05)
        await until(pilot, lambda: not app.bridge.tracker.live, "the end of the turn")
        fresh = [node for node in found.path(found.leaf) if node.id not in {*"qaxtry"}][-2:]
        assert [node.role for node in fresh] == ["user", "assistant"]
        assert found.nodes[fresh[0].id].parent_id == "a"
        assert found.entry(fresh[0].id).text == "Make it stream twice"
        assert found.entry(fresh[0].id).data["origin"]["sender"]["name"] == "alice"
        await until(pilot, lambda: screen_.list.current == fresh[1].id, "the cursor on the leaf")
        await shows(pilot, "Make it stream twice", "◀ leaf")


async def test_regenerate_puts_a_second_reply_beside_the_first(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("w2")
        await pilot.press("r")
        await until(pilot, lambda: screen_.list.current not in ("w2", LIVE), "the new reply")
        found = await app.engine.tree(KEY)
        answer = found.node(found.leaf or "")
        assert answer.role == "assistant" and answer.parent_id == "w" and answer.id != "w2"


async def test_fork_shows_the_window_first_and_opens_a_session_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("w2")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, ForkDialog), "the dialog")
        await pilot.press("up")
        await shows(pilot, f"{KEY}:fork:…", "copies 13 entries", "tokens")
        assert len(app.bridge.tracker.infos) == 1
        await pilot.press("enter")
        await until(pilot, lambda: len(app.bridge.tracker.infos) == 2, "the new session")
        await until(pilot, lambda: screen(app).chat.ref.startswith(f"{KEY}:fork:"), "it is open")
        assert await leaf(app) == "y"


async def test_labels_bookmarks_names_and_hiding_are_shown_and_undone(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("w")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Ask), "the dialog")
        await pilot.press(*"rain", "enter")
        await shows(pilot, "⚑ rain")
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Ask), "the dialog")
        await pilot.press(*"sky", "enter")
        await shows(pilot, "┬ sky")
        await pilot.press("H")
        await until(pilot, lambda: "What is the weather" not in flat(pilot), "it is hidden")
        await pilot.press("u")
        await shows(pilot, "What is the weather", "⚑ rain")
        screen_.list.go_to("x")
        await pilot.press("b")
        await until(pilot, lambda: any("stream" in r and "⚑" in r for r in rows(pilot)))
        await pilot.press("u", "u", "u")
        await until(pilot, lambda: "⚑ rain" not in flat(pilot) and "┬ sky" not in flat(pilot))
        assert last_step(await app.engine.tree(KEY)) is None


async def test_undo_asks_before_it_takes_back_what_was_done_in_another_sitting(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders())
    async with Engine.open(tmp_path, environ={}) as engine:
        await engine.branches.label(KEY, "w", "rain")
    async with opened(tmp_path, None) as (app, pilot, _):
        await shows(pilot, "⚑ rain")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Pick), "the question")
        await shows(pilot, "Undo label of", "before the app was started")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Pick), "it is left")
        step = last_step(await app.engine.tree(KEY))
        assert step is not None
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Pick), "the question again")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "⚑ rain" not in flat(pilot), "it is taken back")


async def test_undo_says_how_much_was_said_since(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, _):
        await app.engine.branches.leave(KEY, "w2")
        for words in ("Is it raining", "And tomorrow"):
            receipt = await app.engine.submit(Envelope("terminal", words), session_key=KEY)
            await receipt.result()
        await shows(pilot, "And tomorrow")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Pick), "the question")
        await shows(pilot, "Undo move of", "More was said since", "4 messages since then stay")
        await pilot.press("2", "enter")
        await until(pilot, lambda: not isinstance(app.screen, Pick), "it is answered")
        while await leaf(app) != "y":
            await pilot.pause(0.05)


async def test_what_the_conversation_goes_on_with_cannot_be_hidden(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, _screen):
        await pilot.press("H")
        await shows(pilot, "on the path of the conversation", "Use a generator")


async def test_times_have_their_day_where_only_another_branch_is_of_another_one(
    tmp_path: Path,
) -> None:
    lines_ = orders()
    for entry in lines_:
        if entry["id"] in ("w", "w2"):
            entry["timestamp"] = entry["timestamp"].replace("2026-01-31", "2026-01-15")
    async with opened(tmp_path, lines_) as (_, pilot, _):
        await shows(pilot, "15 Jan alice What is the weather", "31 Jan alice Parse a CSV")


async def test_a_key_that_has_nowhere_to_go_says_so_and_the_cursor_stays(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        screen_.list.go_to("m7")
        await pilot.press("right_square_bracket")
        await shows(pilot, "no other branch begins beside this one")
        await pilot.press("left_curly_bracket")
        await shows(pilot, "no fork above this row")
        await pilot.press("n")
        await shows(pilot, "nothing was searched for yet")
        assert screen_.list.current == "m7"
        screen_.list.go_to("y")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen_.list.current == "w", "the branch beside it")


async def test_two_marked_entries_are_compared_side_by_side(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        await pilot.press("d")
        await shows(pilot, "[d]")
        screen_.list.go_to("w2")
        await pilot.press("d")
        await shows(pilot, "11 entries in common", "up to a", "What is the weather")
        middle = [row for row in lines(pilot.app) if "alice w" in " ".join(row.split())]
        assert "Make it stream" in text(pilot.app) and middle
        await pilot.press("escape")
        await until(pilot, lambda: "[d]" not in flat(pilot))


async def test_a_graft_copies_under_another_entry(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("w")
        await pilot.press("g")
        await shows(pilot, "g puts a copy of w under an entry")
        screen_.list.go_to("y")
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, Pick), "the choice")
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(rows(pilot)) == 15, "two more rows")
        found = await app.engine.tree(KEY)
        copies = [found.entry(node.id) for node in found.path(found.leaf)][-2:]
        assert [copy.data.get("graftedFrom", {}).get("entryId") for copy in copies] == ["w", "w2"]
        await pilot.press("g", "escape")
        assert "g puts" not in flat(pilot)


async def test_compaction_is_shown_before_it_is_written_and_may_be_edited(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("x")
        await pilot.press("c")
        await shows(pilot, "Enter accept · e edit · Esc cancel", "folds", "keeps")
        assert len((await app.engine.tree(KEY)).nodes) == len(orders())
        await pilot.press("e", *" And more.", "escape")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CompactionDialog), "it is written")
        found = await app.engine.tree(KEY)
        name = found.nearest(found.leaf, "compaction")
        assert name is not None and name != "c1"
        assert found.entry(name).text.endswith("And more.")
        await until(pilot, lambda: screen_.list.current == name, "the new summary")
        await pilot.press("u")
        await until(pilot, lambda: screen_.list.current == "y", "the former leaf")
        assert await leaf(app) == "y"
        await shows(pilot, "Use a generator ◀ leaf", "◇")


async def test_a_refused_compaction_says_what_can_be_done(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_, pilot, screen_):
        screen_.list.go_to("m7")
        await pilot.press("c")
        await shows(pilot, "nothing stands before that entry", "Choose a later one")
        await pilot.press("escape")
        await pilot.press("f2", "escape", "c")
        await shows(pilot, "is recent enough to stay", "name the first message that is to stay")


async def test_a_cancelled_compaction_writes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        screen_.list.go_to("x")
        await pilot.press("c")
        await shows(pilot, "Esc cancel")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CompactionDialog))
        found = await app.engine.tree(KEY)
        assert found.nearest(found.leaf, "compaction") == "c1" and await leaf(app) == "y"
        screen_.list.go_to("w")
        await pilot.press("c")
        await shows(pilot, "not on the way to the leaf")


async def test_the_x_ray_tells_every_entry_and_the_request_byte_for_byte(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        await pilot.press("x")
        await shows(pilot, "What the model sees from y", "✔ in", "Use a generator")
        await shows(pilot, "out", "folded into the summary")
        await pilot.press("b")
        await shows(pilot, '"messages": [')
        await pilot.press("y")
        assert app.clipboard.encode() == await app.engine.request_body(KEY, "y")
        await pilot.press("b", "home", "enter")
        await until(pilot, lambda: screen_.list.current == "m1", "the entry in the tree")


async def test_a_reply_is_seen_as_it_is_written_and_the_cursor_goes_with_it(
    tmp_path: Path, slow_model: str
) -> None:
    (tmp_path / "branchline.json5").write_text(slow_model)
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "sessions")
        screen(app).composer.set_draft("go on")
        await pilot.press("enter", "f3")
        await shows(pilot, "◀ leaf, live", "word3")
        assert screen_.list.current == LIVE
        live = app.bridge.tracker.live[KEY].text
        already = len(live)
        await until(pilot, lambda: len(live) > already, "more words")
        await app.engine.cancel(KEY)
        await until(pilot, lambda: not app.bridge.tracker.live, "it is stopped")
        await until(pilot, lambda: screen_.list.current not in (LIVE, "y"), "the new leaf")
        await shows(pilot, "stopped", "◀ leaf")


async def test_entries_of_another_process_show_up(tmp_path: Path) -> None:
    async with opened(tmp_path, orders()) as (_app, pilot, _screen):
        async with Engine.open(tmp_path, environ={}) as other:
            await other.branches.label(KEY, "w", "from elsewhere")
        await shows(pilot, "⚑ from elsewhere")


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY, (60, 16), (200, 60)])
async def test_it_fits_every_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, orders(), size) as (_, pilot, screen_):
        assert screen_.list.region.width > 20 and screen_.list.region.height > 5
        await pilot.press("end")
        await settled(pilot)
        assert any("I cannot see it" in row or "I can" in row for row in rows(pilot))
        assert all(len(row) <= size[0] for row in lines(pilot.app))


async def test_small_terminals_have_the_preview_below(tmp_path: Path) -> None:
    async with opened(tmp_path, orders(), SMALL) as (_, pilot, screen_):
        assert screen_.preview.region.y > screen_.list.region.y
        await shows(pilot, "model sees: system", "hidden: 6 folded 27.1k", "ctx here")
        await pilot.press("p")
        assert not screen_.preview.display
        await pilot.press("p", "tab", "z")
        assert screen_.preview.region.height > 18


async def test_a_nest_of_a_thousand_forks_draws(tmp_path: Path) -> None:
    entries, above = [said("n0", None, "user", "start")], "n0"
    for depth in range(1, 1001):
        entries.append(said(f"o{depth}", above, "assistant", f"left {depth}"))
        entries.append(said(f"n{depth}", above, "user", f"deep {depth}"))
        above = f"n{depth}"
    async with opened(tmp_path, entries) as (_, pilot, screen_):
        assert screen_.list.current == "n1000"
        await shows(pilot, "deep 1000", "⋯", "◀ leaf")
        await pilot.press("home", "space")
        await shows(pilot, "2,000 messages folded")


async def test_a_chat_that_nobody_has_written_to_has_an_empty_tree(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("ctrl+t")
        await until(pilot, lambda: app.current_mode == "tree")
        await shows(pilot, "Nothing to show", "0 messages")
        for key in ("e", "f", "l", "c", "d", "g", "r", "b", "H", "x", "o", "y", "n", "v", "space"):
            await pilot.press(key)
        await pilot.press("enter", "u", "escape")


async def test_a_stored_session_can_be_read_and_forked_only(tmp_path: Path) -> None:
    path = write(tmp_path, orders())
    path.rename(path.with_name(path.name + ".reset.2026-01-31T10-00-00.000Z"))
    async with running(tmp_path) as (app, pilot):
        ref = next(iter(app.bridge.tracker.infos))
        screen(app).open_session(ref)
        await until(pilot, lambda: screen(app).chat.ref == ref)
        await pilot.press("f3")
        await until(pilot, lambda: app.current_mode == "tree" and tree(app).forest is not None)
        await settled(pilot)
        before = path.with_name(path.name + ".reset.2026-01-31T10-00-00.000Z").read_bytes()
        for key in ("l", "c", "r", "b", "H", "enter"):
            await pilot.press(key)
        await shows(pilot, "it is kept as it was")
        assert app.current_mode == "tree"
        assert path.with_name(path.name + ".reset.2026-01-31T10-00-00.000Z").read_bytes() == before


async def test_the_tree_stays_readable_when_many_other_sessions_are_opened(tmp_path: Path) -> None:
    people = [f"agent:main:telegram:dm:p{number}" for number in range(70)]
    for key in people:
        write(tmp_path, [said("a", None, "user", "hello")], key)
    async with opened(tmp_path, orders()) as (app, pilot, screen_):
        for key in people:
            await app.engine.tree(key)
        screen_.list.go_to("c1")
        await pilot.press("space")
        await shows(pilot, "about order 3")
        assert "unreadable" not in flat(pilot)


async def test_every_session_of_a_real_state_dir_has_a_tree(sample_state: Path) -> None:
    async with running(sample_state) as (app, pilot):
        for ref in tuple(app.bridge.tracker.infos):
            await app.switch_mode("sessions")
            screen(app).open_session(ref)
            await until(pilot, lambda ref=ref: screen(app).chat.ref == ref)
            await pilot.press("f3")
            await until(
                pilot, lambda ref=ref: tree(app).ref == ref and tree(app).forest is not None
            )
            await settled(pilot)
            for key in ("v", "home", "end", "right_curly_bracket", "x"):
                await pilot.press(key)
            await pilot.pause(0.1)
            assert not raw_controls("".join(lines(app)))
            if app.screen is not app.screen_stack[0]:
                await pilot.press("escape")
            while tree(app).view != "no tools":
                await pilot.press("v")


def _grown(app: App, ref: str) -> bool:
    found = app.screen_stack[0]
    return isinstance(found, TreeScreen) and found.ref == ref and found.forest is not None


HARD = [name for name in HOSTILE if name not in ("one long line", "many lines")]


async def test_hostile_text_is_harmless_in_tree_preview_and_dialogs(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = []
    above: str | None = None
    for number, name in enumerate(HOSTILE):
        role = "assistant" if number % 2 else "user"
        entries.append(said(f"h{number}", above, role, HOSTILE[name]))
        above = f"h{number}"
    tail = {"parentId": above, "timestamp": "2026-01-31T11:00:00.000Z"}
    evil = "".join(HOSTILE[name][:40] for name in HARD)
    entries += [
        {"type": "label", "id": "l", "targetId": "h0", "label": evil, **tail},
        {"type": evil, "id": evil.encode("utf-8", "replace").decode()[:200], **tail},
    ]
    async with opened(tmp_path, entries) as (app, pilot, screen_):
        await pilot.press("home")
        for number in range(len(HOSTILE)):
            screen_.list.go_to(f"h{number}")
            await settled(pilot)
            assert not raw_controls("".join(lines(app)))
        for key in ("x", "b"):
            await pilot.press(key)
            await pilot.pause(0.2)
            assert not raw_controls("".join(lines(app)))
        await pilot.press("escape", "end", "f")
        await pilot.pause(0.2)
        assert not raw_controls("".join(lines(app)))
        await pilot.press("escape", "d", "home", "d")
        await shows(pilot, "in common")
        assert not raw_controls("".join(lines(app)))


async def test_every_key_of_the_tree_has_a_name_and_few_are_shown(tmp_path: Path) -> None:
    for node in (TreeScreen, TreeList, Preview):
        assert all(binding.id for binding in Binding.make_bindings(node.__dict__["BINDINGS"]))
    async with opened(tmp_path, orders()) as (_, _pilot, screen_):
        active = screen_.active_bindings.values()
        own = [each.binding for each in active if each.node in (screen_, screen_.list)]
        assert 5 <= len([each for each in own if each.show]) <= 8


async def test_signs_are_ascii_where_the_config_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "branchline.json5").write_text('{ui: {glyphs: "ascii"}}')
    async with opened(tmp_path, orders()) as (_, pilot, _screen):
        assert all(row.isascii() for row in rows(pilot)), rows(pilot)
