"""A process that sends messages as fast as it can, printing each one's id once it is stored.

python -m tests.engine.sender STATE_DIR NAME COUNT [KEY ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from engine import Engine
from tests.engine.conftest import said


async def main(state: Path, name: str, count: int, keys: list[str]) -> None:
    async with Engine.open(state, environ={}, paced=False) as engine:
        print("ready", flush=True)
        for number in range(count):
            key = keys[number % len(keys)]
            text = f"{name}-{number}"
            receipt = await engine.submit(said(text), session_key=key)
            entry_id = await receipt.stored()
            print(f"{key} {entry_id} {text}", flush=True)
            await receipt.result()
    print("done", flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
