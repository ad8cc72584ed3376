from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from engine.config.watch import watch_file


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[list[str]]:
    """What the file held at each call."""
    seen: list[str] = []

    async def look() -> None:
        seen.append(path.read_text() if path.exists() else "gone")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_file, path, look)
        await until(seen, 1)
        await anyio.sleep(0.15)
        yield seen
        tasks.cancel_scope.cancel()


async def until(seen: list[str], count: int) -> None:
    with anyio.fail_after(60):
        while len(seen) < count:
            await anyio.sleep(0.005)


async def test_it_looks_once_at_the_start_and_once_at_each_change(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("one")
    async with watching(path) as seen:
        for number, word in enumerate(("two", "three")):
            path.with_name("x").write_text(word)
            path.with_name("x").replace(path)
            await until(seen, number + 2)
        path.unlink()
        await until(seen, 4)
        assert seen == ["one", "two", "three", "gone"]


async def test_its_neighbours_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("one")
    async with watching(path) as seen:
        for name in ("c~", ".c.swp", "cc"):
            (tmp_path / name).write_text("x")
        (tmp_path / "folder").mkdir()
        await anyio.sleep(0.4)
        assert seen == ["one"]


async def test_a_file_and_a_folder_that_are_not_there_yet_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later" / "c"
    async with watching(path) as seen:
        path.parent.mkdir()
        path.write_text("one")
        with anyio.fail_after(60):
            while seen[-1] != "one":
                await anyio.sleep(0.01)


async def test_a_chain_and_a_circle_of_links_are_followed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    target = tmp_path / "c" / "file"
    target.write_text("one")
    (tmp_path / "b" / "middle").symlink_to("../c/file")
    path = tmp_path / "a" / "link"
    path.symlink_to(tmp_path / "b" / "middle")
    async with watching(path) as seen:
        target.write_text("two!")
        await until(seen, 2)
        os.symlink("middle", tmp_path / "b" / "fresh")
        (tmp_path / "b" / "fresh").replace(tmp_path / "b" / "middle")  # now it leads to itself
        with anyio.fail_after(60):
            while seen[-1] != "gone":
                await anyio.sleep(0.01)
        (tmp_path / "b" / "middle").unlink()
        (tmp_path / "b" / "middle").write_text("three")
        with anyio.fail_after(60):
            while seen[-1] != "three":
                await anyio.sleep(0.01)
