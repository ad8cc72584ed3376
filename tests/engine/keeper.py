"""A process that ends sessions and brings them back as fast as it can, printing what is stored.

python -m tests.engine.keeper STATE_DIR NAME SEED

Prints `said TEXT` for each message that is stored, `did WHAT` for each operation that was
acknowledged, and `erasing SESSION_ID` before it erases one.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import anyio

from engine import BranchlineError, Engine
from engine.agents.keeping import Generation
from engine.lifecycle.expiry import DAY
from engine.lifecycle.retention import Kept, Plan, Rules, Step
from tests.engine.conftest import said

KEYS = [f"agent:main:chat:{name}" for name in ("a", "b", "c")]


async def step(engine: Engine, chance: random.Random, name: str, number: int) -> None:
    key, keep = chance.choice(KEYS), engine.keeping
    over = await keep.generations(key, trash=True)
    doing = ["say", "say", "archive", "restore", "restore", "delete", "new", "label", "prune"]
    match chance.choice([*doing, "erase"]):
        case "say":
            text = f"{name}-{number}"
            receipt = await engine.submit(said(text), session_key=key)
            await receipt.stored()
            print(f"said {text}", flush=True)
            await receipt.result()
            return
        case "archive":
            await keep.archive(key)
            print("did archive", flush=True)
        case "restore" if over:
            await keep.restore(chance.choice(over).ref)
            print("did restore", flush=True)
        case "delete":
            await keep.delete(chance.choice([key, *(one.ref for one in over)]))
            print("did delete", flush=True)
        case "new":
            await (await engine.submit(said("/new"), session_key=key)).result()
            print("did new", flush=True)
        case "label":
            await keep.label(key, ["kept"])
            await keep.label(key, [], ["kept"])
            print("did label", flush=True)
        case "prune":
            plan = await keep.rules.plan(Rules(sessions=1))
            await keep.rules.carry_out(plan)
            print("did prune", flush=True)
        case "erase" if len(over) > 5:
            await erase(engine, over[-1])


async def erase(engine: Engine, one: Generation) -> None:
    """Erase an old one, as retention does it after a day in the trash."""
    gone = await engine.keeping.delete(one.ref)
    print(f"erasing {gone.session_id}", flush=True)
    plan = await engine.keeping.rules.plan(Rules(trash=30 * DAY))
    assert plan == Plan(held=plan.held), "nothing is so old"
    records = engine.keeping.rules._kitchen.pool.store.list()
    [record] = [record for record in records if str(record.path) == gone.ref]
    step = Step("erase", record, "for the test", "trashDays")
    done = await engine.keeping.rules.carry_out(Plan((step,)))
    assert done.kept == tuple[Kept]()
    print("did erase", flush=True)


async def main(state: Path, name: str, seed: int) -> None:
    chance = random.Random(seed)
    async with Engine.open(state, environ={}, paced=False) as engine:
        print("ready", flush=True)
        number = 0
        while True:
            number += 1
            try:
                await step(engine, chance, name, number)
            except BranchlineError:
                continue  # there is no such session just now: the next one then


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
