"""Takes the pictures of this folder anew, from the running app.

    python screenshots/take.py            # all of them, and the animated tour
    python screenshots/take.py tree       # those whose name begins so

The app runs on the state of `branchline --demo`, without a terminal, at a time that stands still
and with seeded ids: what did not change on the screen does not change in the file.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, chdir
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ |= {"TEXTUAL_ANIMATIONS": "none", "TZ": "UTC"}

from still import StillClock, forget_the_time, seed_ids  # noqa: E402
from svg import animated, tidy  # noqa: E402
from textual.pilot import Pilot  # noqa: E402
from textual.widgets import Input, TextArea  # noqa: E402

from engine import Engine  # noqa: E402
from engine.values import replace  # noqa: E402
from tui.app import BranchlineApp  # noqa: E402
from tui.demo.make import make_state  # noqa: E402
from tui.memory import load_memory, save_memory  # noqa: E402

Walk = Callable[[Pilot[None]], Awaitable[None]]

WIDE, SMALL = (120, 36), (80, 24)
DARK, LIGHT = "branchline-dark", "branchline-light"


@asynccontextmanager
async def stage(
    size: tuple[int, int], theme: str, *, tour: bool = False
) -> AsyncIterator[Pilot[None]]:
    """The app on the demo's state."""
    seed_ids()
    clock = StillClock()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        state = Path(".branchline")  # no path of this machine is in a picture
        await make_state(state, clock)
        memory = replace(load_memory(state), theme=theme)
        save_memory(state, memory if tour else replace(memory, tour=None))
        async with Engine.open(state, environ={}, clock=clock, paced=False) as engine:
            app = BranchlineApp(engine)
            async with app.run_test(size=size) as pilot:
                await pilot.pause(1)
                yield pilot


def shown(pilot: Pilot[None]) -> str:
    """The text on the screen."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def sees(pilot: Pilot[None], *wanted: str) -> None:
    """Wait until the screen shows all of it."""
    for _ in range(200):
        await pilot.pause(0.05)
        text = shown(pilot)
        if all(one in text for one in wanted):
            return
    raise SystemExit(f"never shown: {wanted}\n{shown(pilot)}")


async def notices_go(pilot: Pilot[None]) -> None:
    """A picture without the notices of a moment."""
    pilot.app.clear_notifications()
    await pilot.pause(0.2)


async def types(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if char == " " else char for char in text), "enter")


# where the pictures are taken


async def sessions(pilot: Pilot[None]) -> None:
    await sees(pilot, "lisbon · your chat", "compacted")


async def tree(pilot: Pilot[None]) -> None:
    await pilot.press("f3")
    await sees(pilot, "Branch tree", "◀ leaf", "CONTEXT" if pilot.app.size.width > 100 else "ctx")


async def simulator(pilot: Pilot[None]) -> None:
    await pilot.press("f4")
    await sees(pilot, "1 Alice", "2 Bob", "Isolation matrix")
    await pilot.press("tab")
    await types(pilot, "what is the door code?")
    await sees(pilot, "SHARED MEMORY", "✘")
    await notices_go(pilot)


async def routing(pilot: Pilot[None]) -> None:
    await pilot.press("f5")
    await sees(pilot, "[3] 5 guild", "20h", "REVISIONS")
    await pilot.press("j")
    await sees(pilot, "never decides")
    await pilot.press("t")
    await sees(pilot, "bindings[0]", "agent    ops")
    await pilot.press("escape", "right", "right")
    await sees(pilot, "nobody's words become visible", '+    dmScope: "per-channel-peer"')
    await notices_go(pilot)


WALKS: dict[str, Walk] = {
    "sessions": sessions,
    "tree": tree,
    "simulator": simulator,
    "routing": routing,
}


async def picture(pilot: Pilot[None], title: str) -> str:
    """What is on the screen as SVG, no cursor caught in a blink."""
    for field in (*pilot.app.screen.query(TextArea), *pilot.app.screen.query(Input)):
        field.cursor_blink = False
    await pilot.pause(0.2)
    return pilot.app.export_screenshot(title=title, simplify=True)


async def take(name: str, walk: Walk, size: tuple[int, int], theme: str) -> None:
    async with stage(size, theme) as pilot:
        await walk(pilot)
        write(name, tidy(await picture(pilot, "Branchline")))


def write(name: str, svg: str) -> None:
    place = HERE / f"{name}.svg"
    place.write_text(svg, "utf-8")
    print(f"{place.relative_to(HERE.parent)}  {len(svg) // 1024} KB")  # noqa: T201


async def film() -> None:
    """The first steps of the tour, one picture after the other."""
    frames: list[tuple[str, float]] = []

    async def keep(pilot: Pilot[None], caption: str, seconds: float = 3.5) -> None:
        frames.append((await picture(pilot, caption), seconds))

    async with stage(WIDE, DARK, tour=True) as pilot:
        await sessions(pilot)
        await keep(pilot, "branchline --demo: three people, a tree, a leak to find")
        await types(pilot, "who has the key?")
        await sees(pilot, "A built-in model answers")
        await keep(pilot, "An assistant that quotes what it was told, without key or network")
        await tree(pilot)
        await keep(pilot, "F3  every chat is a tree: nothing is ever overwritten", 4)
        await pilot.press("x")
        await sees(pilot, "What the model sees from", "✔ in")
        await keep(pilot, "x  what the model sees from here, and why", 4)
        await pilot.press("escape")
        await pilot.press("G", "f")
        await sees(pilot, "continue here", "new session")
        await keep(pilot, "f  fork from any entry")
        await pilot.press("enter")
        await sees(pilot, "Is a night in the palace too much?")
        await notices_go(pilot)
        await pilot.press("f3")
        await sees(pilot, "Branch tree", "◀ leaf")
        await pilot.press("u")
        await sees(pilot, "Undone.")
        await notices_go(pilot)
        await pilot.press("f2", "escape")
        for _ in range(8):
            await pilot.press("k")
            if "▌─◆ compacted" in shown(pilot):
                break
        await pilot.press("enter")
        await sees(pilot, "this summary.")
        await keep(pilot, "◆  a compaction opens; the originals are all still there", 4)
        for _ in range(4):
            await pilot.press("k")
            if "Nothing is lost by compaction" in shown(pilot):
                break
        await simulator(pilot)
        await keep(pilot, "F4  Bob asks for the door code, and gets what Alice said", 5)
        await pilot.press("escape", "p")
        await sees(pilot, "Change dmScope")
        await pilot.press("down", "down")
        await sees(pilot, "nobody's words become visible")
        await keep(pilot, "p  what another dmScope would do, before it is done", 4)
        await pilot.press("enter")
        await sees(pilot, '+    dmScope: "per-channel-peer"')
        await keep(pilot, "the one line that changes; comments and layout stay", 4)
        await pilot.press("enter")
        await sees(pilot, "4 sessions", "Everybody has a memory")
        await pilot.press("o")
        await types(pilot, "what is the door code?")
        await sees(pilot, "Bob learns nothing")
        await notices_go(pilot)
        await keep(pilot, "asked again: Bob learns nothing", 5)
        await pilot.press("f5")
        await sees(pilot, "[3] 5 guild", "REVISIONS")
        await pilot.press("j", "t")
        await sees(pilot, "bindings[0]", "agent    ops", "Nothing was sent.")
        await notices_go(pilot)
        await keep(pilot, "F5  which message goes where, and why; a rule that can never win", 5)
    write("tour", animated(frames))


async def main(beginning: str) -> None:
    forget_the_time()
    for name, walk in WALKS.items():
        for theme in (DARK, LIGHT):
            full = f"{name}-{theme.removeprefix('branchline-')}"
            if full.startswith(beginning):
                await take(full, walk, WIDE, theme)
    if "sessions-80x24".startswith(beginning):
        await take("sessions-80x24", sessions, SMALL, DARK)
    if "tour".startswith(beginning):
        await film()


if __name__ == "__main__":
    asyncio.run(main("".join(sys.argv[1:2])))
