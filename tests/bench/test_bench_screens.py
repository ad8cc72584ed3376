"""Every screen with 500 sessions, a tree of 10,000 entries and a conversation of 5,000 messages:
a key to its frame, a message more, ten thousand turns. The numbers are printed with `-s`."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.routing.envelope import Envelope, Peer
from tests.bench.frames import Frame, frame, frames, line
from tests.bench.test_bench_app import make_sessions
from tests.bench.test_bench_tree import entries
from tests.tui.driving import running, screen, until
from tests.tui.trees import KEY, said, write
from tui.app import BranchlineApp
from tui.commands.jump import Jump
from tui.screens.routing import RoutingScreen
from tui.screens.tree import TreeScreen
from tui.widgets.chat.message import MessageView
from tui.widgets.dialogs.dialog import Commands
from tui.widgets.dialogs.help import HelpDialog
from tui.widgets.routing.trypane import Field
from tui.widgets.rowlist import RowList

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

TURNS = int(os.environ.get("BRANCHLINE_BENCH_TURNS", "1000"))
LONG = "agent:main:chat:long"


def linear(count: int) -> list[dict[str, Any]]:
    """A conversation without a fork."""
    names = [f"{number:08x}" for number in range(count)]
    return [
        said(name, names[at - 1] if at else None, ("user", "assistant")[at % 2], f"words {at} " * 9)
        for at, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("busy")
    make_sessions(state, 500)
    write(state, entries(10_000, 300))
    write(state, linear(5000), key=LONG)
    return state


async def opened(app: BranchlineApp, pilot: Pilot[None], key: str) -> None:
    screen(app).open_session(key)
    await until(pilot, lambda: screen(app).chat.ref == key, key)
    await pilot.pause(0.5)


def told(name: str, found: list[Frame]) -> None:
    print(line(name, found))


async def test_a_key_on_every_screen(busy: Path) -> None:
    async with running(busy) as (app, pilot):
        print()
        await opened(app, pilot, LONG)
        home = screen(app)
        home.sessions.focus()
        told("sessions, down the list", await frames(app, home.sessions.action_move))
        home.conversation.focus()
        home.conversation.action_oldest()
        await pilot.pause(0.3)
        told("conversation, block cursor", await frames(app, _down(home.conversation), 30))
        home.composer.focus()
        told("composer, a letter", await frames(app, lambda step: home.composer.insert("x")))
        await opened(app, pilot, KEY)
        await app.switch_mode("tree")
        tree = app.screen_stack[0]
        assert isinstance(tree, TreeScreen)
        await until(pilot, lambda: tree.forest is not None, "the tree")
        await pilot.pause(0.5)
        tree.list.cursor = 0
        told("tree, down the tree", await frames(app, tree.list.action_move))


async def test_a_key_on_the_routing_screen(busy: Path) -> None:
    (busy / "branchline.json5").write_text(json.dumps({"bindings": bindings(100)}))
    async with running(busy) as (app, pilot):
        print()
        await app.switch_mode("routing")
        routing = app.screen
        assert isinstance(routing, RoutingScreen)
        await until(pilot, lambda: len(routing.table.rows) > 100, "the bindings")
        await pilot.pause(0.5)
        told("routing, down the bindings", await frames(app, _round(routing.table)))
        routing.action_try_message()
        await pilot.pause(0.3)
        field = routing.focused
        assert isinstance(field, Field)
        told("routing, a letter of a trial", await frames(app, lambda step: _put(field), 40))


def bindings(count: int) -> list[dict[str, Any]]:
    peers = ({"kind": "channel", "id": f"c{number}"} for number in range(count))
    return [{"agentId": "main", "match": {"channel": "discord", "peer": peer}} for peer in peers]


def _round(rows: RowList) -> Callable[[int], object]:
    """Down a list, and from its end to its beginning."""

    def move(step: int) -> None:
        rows.cursor = (rows.cursor + step) % len(rows.rows)

    return move


def _put(field: Field) -> None:
    """A letter, and it is gone at the next key."""
    field.value = "telegram" if len(field.value) == 8 + 1 else "telegramx"


async def test_what_lies_over_a_screen_opens_at_once(busy: Path) -> None:
    async with running(busy) as (app, pilot):
        print()
        await opened(app, pilot, LONG)
        letters: list[Frame] = []

        async def over(kind: type, open_it: Callable[[], object]) -> list[Frame]:
            found = []
            for _ in range(12):
                found.append(await frame(app, open_it, kind))
                await pilot.pause(0.3)
                if kind is Commands:
                    field = app.screen.query_one(Input)
                    letters.append(await frame(app, partial(setattr, field, "value", "s")))
                    await pilot.pause(0.3)
                await app.screen.dismiss()
                await until(pilot, lambda: len(app.screen_stack) == 1)
                await pilot.pause(0.1)
            return found[1:]  # the first one imports what it is made of

        told("palette, opened", await over(Commands, app.action_command_palette))
        told("palette, a letter", letters)
        told("jump mode, opened", await over(Jump, screen(app).action_jump))
        told("help, opened", await over(HelpDialog, app.action_help))


def _down(conversation: Any) -> Callable[[int], object]:
    """A step up and down in turn, so that each changes something."""
    steps = [0]

    def move(step: int) -> None:
        steps[0] += 1
        conversation.action_move(1 if steps[0] % 2 else -1)

    return move


async def test_a_message_costs_the_same_at_fifty_and_at_five_thousand(tmp_path: Path) -> None:
    # With ten there is less on the screen to be drawn; with fifty it is full.
    print()
    calls = {}
    for count in (10, 50, 5000):
        state = tmp_path / str(count)
        write(state, linear(count), key=LONG)
        async with running(state, paced=False) as (app, pilot):
            await opened(app, pilot, LONG)
            works = [await one_more(app, pilot, n) for n in range(10)]
            with counted() as made:
                for number in range(10):
                    await one_more(app, pilot, number)
            calls[count] = made[0] / 10
        work = statistics.median(works)
        print(f"a message more at {count:5,}: {work:6.1f} ms of work, {calls[count]:9,.0f} calls")
    assert calls[5000] < 1.5 * calls[50]


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many functions this thread calls: the same on any machine, whatever else it does."""
    made = [0]

    def count(code: object, event: str, arg: object) -> None:
        made[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield made
    finally:
        sys.setprofile(None)


async def one_more(app: BranchlineApp, pilot: Pilot[None], number: int) -> float:
    """Work (ms of this process) from sending a message until its reply stands on the screen."""
    start = time.process_time()
    envelope = Envelope("terminal", f"message {number} more")
    receipt = await app.engine.submit(envelope, session_key=LONG)
    result = await receipt.result()
    shown = screen(app).conversation
    for _ in range(200):
        await asyncio.sleep(0.01)
        if any(view.shown.key == result.reply_entry_id for view in shown.query(MessageView)):
            break
    return (time.process_time() - start) * 1000


def resident() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def test_memory_stays_flat_over_many_turns_with_the_app_open(tmp_path: Path) -> None:
    people, sizes = 50, []
    async with running(tmp_path, paced=False) as (app, pilot):
        for number in range(TURNS):
            envelope = Envelope("telegram", f"turn {number}", peer=Peer("dm", str(number % people)))
            receipt = await app.engine.submit(envelope)
            await receipt.result()
            if number == people:
                await opened(app, pilot, receipt.session_key)
            if number % (TURNS // 4) == TURNS // 4 - 1:
                await pilot.pause()
                sizes.append(resident())
    print(f"\n{TURNS:,} turns: memory by quarters {', '.join(f'{s:.0f}' for s in sizes)} MB")
    assert sizes[-1] - sizes[1] < 60
