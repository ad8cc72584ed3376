from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from engine import Engine
from engine.config.edit import set_value
from engine.config.load import load_text
from tests.bench.test_bench_config import commented_config
from tests.bench.work import bests
from tests.engine.conftest import answer, dm
from tests.tui.driving import running
from tests.tui.shown import text

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

EDITS = 15
SCOPES = ("per-peer", "per-channel-peer")


def config(number: int, size: int) -> str:
    body = commented_config(size)
    return body.replace("{\n", f'{{\n  session: {{ dmScope: "{SCOPES[number % 2]}" }},\n', 1)


async def live(engine: Engine, content: str) -> float:
    """Seconds from the rename to the config in force, busy-looking every 2 ms."""
    assert engine.config_path
    fresh = engine.config_path.with_name("fresh")
    fresh.write_text(content)
    fresh.chmod(0o600)
    start = time.perf_counter()
    fresh.replace(engine.config_path)
    with anyio.fail_after(30):
        while engine.setup.snapshot.text != content:
            await anyio.sleep(0.002)
    return time.perf_counter() - start


@pytest.mark.parametrize("lanes", [0, 4])
async def test_from_a_saved_edit_of_15_kb_to_live(tmp_path: Path, lanes: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "branchline.json5").write_text(config(0, 15_000))
    async with Engine.open(state, environ={}, paced=True) as engine:

        async def talk(who: str) -> None:
            while True:
                await answer(engine, dm(who, "some words to be said again " * 10))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.watch)
            for number in range(lanes):
                tasks.start_soon(talk, f"user{number}")
            await anyio.sleep(0.3)
            taken = [await live(engine, config(number + 1, 15_000)) for number in range(EDITS)]
            tasks.cancel_scope.cancel()
    parsed = time.perf_counter()
    load_text(config(0, 15_000), {})
    parsed = time.perf_counter() - parsed
    median, worst = statistics.median(taken) * 1e3, max(taken) * 1e3
    print(
        f"\n{lanes} lanes streaming: edit to live {median:.0f} ms (worst {worst:.0f}) of {EDITS}, "
        f"of which reading and checking once {parsed * 1e3:.0f} ms"
    )
    assert len(taken) == EDITS


def test_setting_a_value_grows_with_the_text_and_no_faster() -> None:
    texts = config(0, 15_000), config(0, 120_000)
    change = ("session", "dmScope"), "main"
    small, large = bests(*(partial(set_value, text, *change) for text in texts), rounds=3)
    print(f"\nsetting a value in 15 KB {small * 1e3:.0f} ms; in 8 × the text {large / small:.1f} ×")
    assert large / small < 24


@pytest.mark.parametrize("mode", ["sessions", "routing"])
async def test_from_a_saved_edit_to_the_screen(tmp_path: Path, mode: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "branchline.json5").write_text(config(0, 15_000))
    force, screen = [], []
    async with running(state) as (app, pilot):
        engine = app.engine
        await app.switch_mode(mode)
        await pilot.pause(0.5)
        async with anyio.create_task_group() as tasks:

            async def talk(who: str) -> None:
                while True:
                    await answer(engine, dm(who, "some words to be said again " * 10))

            for number in range(4):
                tasks.start_soon(talk, f"user{number}")
            await anyio.sleep(0.5)
            for number in range(EDITS):
                revision = f"r{engine.revision + 1} "
                start = time.perf_counter()
                force.append(await live(engine, config(number + 1, 15_000)))
                with anyio.fail_after(30):
                    while revision not in text(app).split("\n", 1)[0]:
                        await anyio.sleep(0.002)
                screen.append(time.perf_counter() - start)
                await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()
    for name, taken in (("in force", force), ("on the screen", screen)):
        median, worst = statistics.median(taken) * 1e3, max(taken) * 1e3
        print(
            f"\n{mode}, 4 lanes streaming: save to {name} {median:.0f} ms (worst {worst:.0f}), "
            f"of {len(taken)} edits of 15 KB"
        )
    assert statistics.median(screen) < 40 * statistics.median(force)
