"""A process that changes trees as fast as it can, printing what is stored once it is.

python -m tests.engine.brancher STATE_DIR NAME SEED

Prints `key kind entry_id` for each entry that was acknowledged, and `key fork session_id`.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import anyio

from engine import BranchlineError, Engine
from engine.sessions.entries import Entry
from tests.engine.conftest import said

MAIN = "agent:main:main"


async def step(engine: Engine, chance: random.Random, name: str) -> None:
    tree = await engine.tree(MAIN)
    nodes = [node.id for node in tree.nodes.values() if node.type == "message"]
    one, other = chance.choice(nodes), chance.choice(nodes)
    room = engine.branches
    match chance.choice(["say", "move", "label", "fold", "graft", "hide", "fork", "undo", "edit"]):
        case "say":
            await say(engine, name)
        case "move":
            report("move", (await room.move(MAIN, one)).entries)
        case "label":
            report("label", (await room.label(MAIN, one, name)).entries)
        case "hide":
            report("hide", (await room.hide(MAIN, one)).entries)
        case "undo":
            report("undo", (await room.undo(MAIN)).entries)
        case "graft":
            report("graft", (await room.graft(MAIN, one, other)).entries)
        case "fold":
            done = await engine.compaction.compact(MAIN)
            print(f"{MAIN} fold {done.entry_id}", flush=True)
        case "edit" if tree.node(one).role == "user":
            receipt = await room.edit(MAIN, one, f"{name} edited")
            print(f"{MAIN} edit {await receipt.stored()}", flush=True)
            await receipt.result()
        case "fork":
            forked = await room.fork(MAIN, one)
            print(f"{forked.session_key} fork {forked.session_id}", flush=True)


def report(kind: str, entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        print(f"{MAIN} {kind} {entry.id}", flush=True)


async def say(engine: Engine, name: str) -> None:
    receipt = await engine.submit(said(f"{name} order #{random.randrange(9999)} costs 7 euros"))
    print(f"{MAIN} say {await receipt.stored()}", flush=True)
    await receipt.result()


async def main(state: Path, name: str, seed: int) -> None:
    chance = random.Random(seed)
    async with Engine.open(state, environ={}, paced=False) as engine:
        await say(engine, name)
        print("ready", flush=True)
        while True:
            try:
                await step(engine, chance, name)
            except BranchlineError:
                # Nothing to undo, what is being said cannot be hidden: the next one then.
                continue


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
