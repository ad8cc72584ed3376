"""Edits of the config file, half of them broken, from any editor, while four people are answered:
the app goes on, and never runs an old config without saying so."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.engine import Engine
from engine.errors import BranchlineError
from engine.routing.envelope import Envelope, Peer, Sender
from tests.engine.reload_support import SCOPES, overwrite, put
from tests.tui.driving import SMALL, WIDE, running, until
from tests.tui.shown import text
from tui.app import BranchlineApp

EDITS = int(os.environ.get("BRANCHLINE_TEST_EDITS", "12"))
"""How many edits; 200 for the long run."""

LIVE_SECONDS = float(os.environ.get("BRANCHLINE_TEST_LIVE", "5"))
"""Longest from a save to the screen; generous, for machines that do other things besides."""

PEOPLE = ("alice", "bob", "carol", "dave")


def switch(path: Path, content: str) -> None:
    """As dotfile managers do: the file is a link, which is turned to another one."""
    number = len(list(path.parent.glob("version-*")))
    target = path.parent / f"version-{number}"
    target.write_text(content)
    fresh = path.with_name("fresh-link")
    fresh.symlink_to(target)
    fresh.replace(path)


def config(scope: str, number: int, size: int = 15_000) -> str:
    """About 15 KB as a person writes it, comments and all."""
    rules = [
        f"    // person {at}, who wrote first on a Tuesday and is not to be mixed up with another\n"
        f'    {{ agentId: "main", match: {{ channel: "irc", peer: '
        f'{{ kind: "dm", id: "p{at}" }} }} }},\n'
        for at in range(size // 160)
    ]
    return (
        f'{{\n  // edit {number}\n  session: {{ dmScope: "{scope}" }}, // who shares\n'
        f"  bindings: [\n{''.join(rules)}  ],\n}}\n"
    )


def edits(seed: int, count: int) -> Iterator[tuple[str, str | None]]:
    """(a file's text, the scope it says, None when it is broken)."""
    chance = random.Random(seed)
    breaks: list[Callable[[str], str]] = [
        lambda whole: whole[: chance.randrange(1, len(whole) - 3)],
        lambda whole: whole.replace("dmScope", "dmScop", 1),
        lambda whole: whole.replace('"', "", 1),
        lambda whole: whole.replace(": {", ": ", 1),
        lambda whole: "\x00" + whole,
        lambda whole: "",
        lambda whole: "[" * 100 + whole,
        lambda whole: whole.replace('id: "p7"', "id: {}", 1),
    ]
    for number in range(count):
        scope = chance.choice(SCOPES)
        whole = config(scope, number)
        broken = chance.random() < 0.5
        yield (chance.choice(breaks)(whole), None) if broken else (whole, scope)


async def talk(engine: Engine, who: str) -> None:
    """Somebody who never stops, in a room of their own: a lane of its own under any scope."""
    while True:
        envelope = Envelope(
            "telegram", "some words to be said again " * 10, peer=Peer("group", who),
            sender=Sender(who, who.title()),
        )  # fmt: skip
        try:
            await (await engine.submit(envelope)).result()
        except BranchlineError:
            await asyncio.sleep(0.05)


def marked(app: BranchlineApp) -> bool:
    """Whether the screen says that the file is not what is in force."""
    shown = text(app)
    return "✖ config" in shown and " stay" in shown


async def look(pilot: Pilot[None], app: BranchlineApp, content: str, scope: str | None) -> None:
    """Wait until an edit is in force and on the screen, or its mark is."""
    clock, engine = asyncio.get_running_loop(), app.engine
    deadline = clock.time() + LIVE_SECONDS
    while clock.time() < deadline:
        if scope is None and engine.setup.snapshot.broken and marked(app):
            return
        live = engine.setup.snapshot.text == content and not engine.setup.snapshot.broken
        live = live and engine.config.session.dm_scope == scope
        if live and not marked(app) and f"r{engine.revision}" in text(app):
            return
        await pilot.pause(0.01)
    raise AssertionError(f"not seen: {scope} {content[:200]!r}\n{text(app)}")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("mode", "size"), [("routing", WIDE), ("sessions", SMALL)], ids=["routing", "sessions"]
)
async def test_whatever_is_saved_the_screen_tells_what_holds(
    tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    file = tmp_path / "branchline.json5"
    file.write_text(config("main", 0))
    chance = random.Random(mode)
    async with running(tmp_path, size) as (app, pilot):
        await app.switch_mode(mode)
        await pilot.pause()
        lanes = [asyncio.ensure_future(talk(app.engine, who)) for who in PEOPLE]
        try:
            await until(pilot, lambda: len(app.engine.busy) == len(PEOPLE), "all lanes stream")
            for content, scope in edits(7, EDITS):
                chance.choice((put, overwrite, switch))(file, content)
                await look(pilot, app, content, scope)
                assert app.is_running
            put(file, config("per-peer", -1))
            await look(pilot, app, config("per-peer", -1), "per-peer")
            assert app.engine.busy and not any(lane.done() for lane in lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)


async def test_a_turn_in_flight_keeps_its_config_and_the_next_one_has_the_new(
    tmp_path: Path,
) -> None:
    file = tmp_path / "branchline.json5"
    file.write_text(config("per-channel-peer", 0))
    async with running(tmp_path) as (app, pilot):
        envelope = Envelope(
            "telegram", "some words " * 60, peer=Peer("dm", "al"), sender=Sender("al", "Al")
        )
        first = await app.engine.submit(envelope)
        await first.stored()
        put(file, config("main", 1))
        await until(pilot, lambda: app.engine.revision == 2, "live")
        assert not first.finished
        assert (await first.result()).error is None
        assert first.session_key == "agent:main:telegram:dm:al"
        second = await app.engine.submit(envelope)
        assert second.session_key == "agent:main:main"
        await second.result()
