"""Takes the pictures of this folder anew, from the running app.

    python screenshots/take.py

It fills a state directory of its own by sending messages through the engine, with a clock that
stands still and seeded ids, opens the app without a terminal and writes what it shows as SVG.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import secrets
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ |= {"TEXTUAL_ANIMATIONS": "none", "TZ": "UTC"}

from engine import Engine, Envelope, ManualClock, Peer, Sender  # noqa: E402
from tui.app import BranchlineApp  # noqa: E402
from tui.screens.sessions import SessionsScreen  # noqa: E402

NOON = 1_795_435_200_000
"""2026-11-23 12:00 UTC, in milliseconds."""

CONFIG = """\
{
  agents: { list: [{ id: "mia", default: true }, { id: "ops" }] },
  bindings: [
    { agentId: "ops", match: { channel: "discord", guildId: "742" } },
    { agentId: "mia", match: { channel: "telegram", accountId: "*" } },
    { agentId: "mia", match: { channel: "telegram", peer: { kind: "dm", id: "alice" } } },
  ],
  session: { dmScope: "per-channel-peer", identityLinks: { alice: ["telegram:alice"] } },
}
"""


def person(channel: str, name: str, text: str, **facts: object) -> Envelope:
    return Envelope(
        channel,
        text=text,
        peer=Peer("dm", name.lower()),
        sender=Sender(name.lower(), name),
        **facts,  # type: ignore[arg-type]
    )


def support(name: str, text: str) -> Envelope:
    return Envelope(
        "discord",
        text=text,
        peer=Peer("channel", "support"),
        guild_id="742",
        sender=Sender(name.lower(), name),
    )


TALK = [
    person("whatsapp", "Alice", "Same address as before, please."),
    support("Carol", "The deploy on Friday failed at step 3."),
    support("Bob", "Which step failed on Friday?"),
    person("slack", "Bob", "My invoice 2041 is still open."),
    Envelope("terminal", text="Remember that the demo is on Tuesday at 14:00."),
    person("telegram", "Alice", "My orders are #1042, shipped, and #1057, pending."),
    person("telegram", "Alice", "Please deliver #1057 to the office."),
    person("telegram", "Alice", "Which of my orders is pending?"),
]


@asynccontextmanager
async def stage(
    size: tuple[int, int], theme: str, *, tree: bool = False
) -> AsyncIterator[BranchlineApp]:
    """The app on a fresh state directory in which everything of TALK was said."""
    seeded_ids()
    clock = ManualClock(NOON)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / ".branchline"
        state.mkdir()
        (state / "branchline.json5").write_text(CONFIG)
        async with Engine.open(state, environ={}, clock=clock, paced=False) as engine:
            for envelope in TALK:
                clock.advance(47)
                await (await engine.submit(envelope)).result()
            if tree:
                await branch_out(engine)
            app = BranchlineApp(engine)
            async with app.run_test(size=size) as pilot:
                app.theme = theme
                screen = app.screen_stack[0]
                assert isinstance(screen, SessionsScreen)
                screen.open_session("agent:mia:telegram:dm:alice")
                await pilot.pause(1)
                if tree:
                    await pilot.press("f3")
                    await pilot.pause(1)
                yield app


def seeded_ids() -> None:
    """Ids that are the same at every run, for this process only."""
    chance = random.Random(7)
    secrets.token_hex = lambda count=4: chance.randbytes(count or 4).hex()
    uuid.uuid4 = lambda: uuid.UUID(int=chance.getrandbits(128), version=4)


def tidy(svg: str) -> str:
    """The same picture gets the same text (Textual numbers its classes by process, and row 0 shows
    the hour), and no font is fetched from anywhere when somebody looks at it."""
    svg = svg.replace(f"{datetime.now():%H:%M}", "12:07")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    numbers = itertools.count(1)
    names: dict[str, str] = {}
    return re.sub(
        r"terminal-\d+",
        lambda match: names.setdefault(match.group(), f"terminal-{next(numbers)}"),
        svg,
    )


async def branch_out(engine: Engine) -> None:
    """Give Alice's session forks, a label and a named branch."""
    key = "agent:mia:telegram:dm:alice"
    page = await engine.history(key, limit=20)
    asked = [entry.id for entry in page.entries if entry.role == "user"]
    await (await engine.branches.edit(key, asked[1], "Please deliver #1057 to my home.")).result()
    await (await engine.branches.edit(key, asked[1], "Cancel #1057, please.")).result()
    await engine.branches.label(key, asked[2], "first try")
    await engine.branches.move(key, page.entries[-1].id)


async def take(name: str, size: tuple[int, int], theme: str, *, tree: bool = False) -> None:
    async with stage(size, theme, tree=tree) as app:
        picture = HERE / f"{name}.svg"
        picture.write_text(tidy(app.export_screenshot(title="Branchline")), "utf-8")
        print(picture.relative_to(HERE.parent))  # noqa: T201


async def main() -> None:
    await take("sessions-dark", (120, 40), "branchline-dark")
    await take("sessions-light", (120, 40), "branchline-light")
    await take("sessions-80x24", (80, 24), "branchline-dark")
    await take("tree-dark", (120, 40), "branchline-dark", tree=True)
    await take("tree-light", (120, 40), "branchline-light", tree=True)


if __name__ == "__main__":
    asyncio.run(main())
