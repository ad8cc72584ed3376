"""The tree of 100,000 entries beside a plain list of as many rows; the numbers are printed with
`-s`."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.pilot import Pilot
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.sessions.outline import VIEWS, lay_out
from engine.sessions.rows import TreeRows
from engine.sessions.search import search_tree
from engine.sessions.transcript import Transcript
from tests.bench.frames import frames, line, spread
from tests.bench.work import best
from tests.tui.driving import running, screen, until
from tests.tui.trees import KEY, said, write
from tui.screens.tree import TreeScreen
from tui.widgets.tree.grove import grow
from tui.widgets.tree.treelist import TreeList

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

COUNT, FORKS = 100_000, 3_000


def entries(count: int, forks: int) -> Iterator[dict[str, Any]]:
    """A long conversation that was taken up again at random places."""
    chance = random.Random(7)
    above = None
    for number in range(count):
        if forks and number > 10 and chance.random() < forks / count:
            above = f"{chance.randrange(number):08x}"
        role = "assistant" if number % 2 else "user"
        yield said(f"{number:08x}", above, role, f"message {number} of a long talk " * 3)
        above = f"{number:08x}"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("tree")
    write(state, entries(COUNT, FORKS))
    return state


class PlainList(ScrollView, can_focus=True):
    """The least a Line-API list can be: a cursor and a line of text to a row."""

    cursor = 0

    def on_mount(self) -> None:
        self.virtual_size = Size(self.size.width, COUNT)

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        return Strip([Segment(f"{'>' if row == self.cursor else ' '} row {row}")])

    def move(self, step: int) -> None:
        self.cursor = min(max(0, self.cursor + step), COUNT - 1)
        if not self.scroll_offset.y <= self.cursor < self.scroll_offset.y + self.size.height:
            self.scroll_to(y=self.cursor - (self.size.height - 1) * (step > 0), animate=False)
        self.refresh()


class PlainApp(App[None]):
    def compose(self) -> ComposeResult:
        yield PlainList()


async def at_the_session(app: Any, pilot: Pilot[None]) -> None:
    screen(app).open_session(KEY)
    await until(pilot, lambda: screen(app).chat.ref == KEY)
    await pilot.pause(0.5)


async def at_the_tree(app: Any, pilot: Pilot[None]) -> TreeScreen:
    """From the key until the rows are there."""
    await app.switch_mode("tree")
    found = app.screen_stack[0]
    assert isinstance(found, TreeScreen)
    while found.forest is None:
        await asyncio.sleep(0.005)
    return found


def test_laying_out_against_walking_the_tree(large: Path) -> None:
    path = next((large / "agents" / "main" / "sessions").glob("*.jsonl"))
    transcript = Transcript.open(path)
    tree = transcript.tree

    def walk() -> int:
        stack, seen = list(tree.children(None)), 0
        while stack:
            seen += 1
            stack += tree.children(stack.pop())
        return seen

    assert walk() == COUNT
    plain = best(walk, 3)
    for view in VIEWS:
        took = best(partial(lay_out, tree, view), 3)
        print(f"lay out {view:12} {took * 1000:6.0f} ms, {took / plain:5.1f} walks of the tree")
        assert took < 40 * plain
    ready = best(lambda: grow(tree, "no tools", agent="main"), 3)
    print(f"ready to be shown  {ready * 1000:6.0f} ms, {ready / plain:5.1f} walks (aim: 1 s)")
    outline = lay_out(tree)
    folds = outline.ids[:: COUNT // 200]
    folding = best(lambda: TreeRows(outline, folds), 3)
    print(f"200 folds          {folding * 1000:6.2f} ms")
    assert folding < plain
    search = best(lambda: search_tree(transcript, "message 77777"), 2)
    print(f"search             {search * 1000:6.0f} ms (aim: 1 s)")
    transcript.close()


async def test_a_key_in_the_tree_against_a_plain_list_of_the_same_size(large: Path) -> None:
    plain_app = PlainApp()
    async with plain_app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        least = await frames(plain_app, plain_app.query_one(PlainList).move)
    async with running(large) as (app, pilot):
        await at_the_session(app, pilot)
        start = time.perf_counter()
        found = await at_the_tree(app, pilot)
        ready = time.perf_counter() - start
        await pilot.pause(0.5)
        rows = found.list
        rows.cursor = 0
        ours = await frames(app, rows.action_move)
        rows.cursor = len(rows.rows) - 300
        far = await frames(app, rows.action_move)
        fold = await frames(app, lambda step: _fold(rows), 20)
        print(f"\nopened and shown  {ready:.2f} s (aim: 1 s, the transcript is open)")
        print(line("plain list", least))
        print(line("tree, top", ours))
        print(line("tree, end (aim: p95 20 ms)", far))
        print(line("fold", fold))
        ratio = spread(ours, 1)[0] / spread(least, 1)[0]
        print(f"work of a key: {ratio:.1f} x that in a plain list")
        assert ratio < 10 and spread(far, 1)[0] < 5 * spread(ours, 1)[0]


def _fold(rows: TreeList) -> None:
    rows.cursor = 5
    rows.action_fold()


async def test_a_key_costs_the_same_in_a_small_and_a_large_tree(
    large: Path, tmp_path: Path
) -> None:
    write(tmp_path, entries(1000, 30))
    costs = []
    for state in (tmp_path, large):
        async with running(state) as (app, pilot):
            await at_the_session(app, pilot)
            found = await at_the_tree(app, pilot)
            await pilot.pause(0.5)
            found.list.cursor = 0
            costs.append(spread(await frames(app, found.list.action_move, 100), 1)[0])
    print(f"\nwork of a key at 1,000 entries {costs[0]:.1f} ms, at 100,000 {costs[1]:.1f} ms")
    assert costs[1] < 5 * costs[0]
