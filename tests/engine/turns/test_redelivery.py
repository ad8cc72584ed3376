from __future__ import annotations

from pathlib import Path

import pytest

from engine import Disk, Engine, Envelope, Peer, Sender
from engine.errors import StoreError
from engine.turns import redelivery
from engine.turns.redelivery import Deliveries, delivery_of
from tests.engine.conftest import Open, answer, dm, said

APART = '{session: {dmScope: "per-channel-peer"}}'
ALICE = "agent:main:telegram:dm:alice"


async def duplicate(engine: Engine, envelope: Envelope) -> bool:
    receipt = await engine.submit(envelope)
    result = await receipt.result()
    assert result.error is None
    assert not result.duplicate or (await receipt.stored(), result.text) == (None, "")
    return result.duplicate


async def asked(engine: Engine, key: str = ALICE) -> list[str]:
    page = await engine.history(key, limit=100)
    return [entry.text for entry in page.entries if entry.role == "user"]


async def test_a_message_counts_once(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        message = dm("alice", "hello", message_id="7")
        assert [await duplicate(engine, message) for _ in range(3)] == [False, True, True]
        assert await asked(engine) == ["hello"]


async def test_at_the_same_time_too(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        receipts = [await engine.submit(dm("alice", "hi", message_id="7")) for _ in range(5)]
        results = [await receipt.result() for receipt in receipts]
        assert [result.duplicate for result in results] == [False, True, True, True, True]


async def test_ids_count_within_their_conversation_only(open_engine: Open) -> None:
    group = Envelope("telegram", "x", peer=Peer("group", "g"), sender=Sender("alice"))
    async with open_engine(APART) as engine:
        for envelope in (
            dm("alice", "x", message_id="7"),
            dm("bob", "x", message_id="7"),
            dm("alice", "x", "slack", message_id="7"),
            dm("alice", "x", account_id="second", message_id="7"),
            dm("alice", "x", message_id="8"),
            dm("alice", "x"),
            dm("alice", "x"),
            Envelope(group.channel, "x", peer=group.peer, sender=group.sender, message_id="7"),
            said("x"),
            said("x"),
        ):
            assert not await duplicate(engine, envelope)


async def test_after_a_restart_the_transcript_knows(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "hello", message_id="7"))
    async with open_engine() as engine:
        assert await duplicate(engine, dm("alice", "hello", message_id="7"))
        assert not await duplicate(engine, dm("alice", "hello", message_id="8"))


async def test_another_process_counts_as_well(open_engine: Open, tmp_path: Path) -> None:
    async with open_engine(APART) as engine, open_engine(APART) as other:
        await answer(engine, dm("alice", "one", message_id="1"))
        await answer(other, dm("alice", "two", message_id="2"))
        assert await duplicate(engine, dm("alice", "two", message_id="2"))


async def test_a_command_is_obeyed_once(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "hello", message_id="1"))
        assert not await duplicate(engine, dm("alice", "/new", message_id="2"))
        await answer(engine, dm("alice", "again", message_id="3"))
        assert await duplicate(engine, dm("alice", "/new", message_id="2"))
        assert await duplicate(engine, dm("alice", "hello", message_id="1"))
        assert await asked(engine) == ["again"]


async def test_a_switch_of_scope_does_not_make_a_message_new(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "hello", message_id="1"))
        await engine.set_scope("main")
        assert await duplicate(engine, dm("alice", "hello", message_id="1"))


class Full(Disk):
    full = False

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(fd, data)


async def test_what_could_not_be_stored_may_be_delivered_again(open_engine: Open) -> None:
    disk = Full()
    async with open_engine(APART, disk=disk) as engine:
        await answer(engine, dm("alice", "one", message_id="1"))
        disk.full = True
        result = await (await engine.submit(dm("alice", "two", message_id="2"))).result()
        assert isinstance(result.error, StoreError)
        disk.full = False
        assert not await duplicate(engine, dm("alice", "two", message_id="2"))
        assert await asked(engine) == ["one", "two"]


async def test_a_busy_engine_does_not_forget_a_session(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivery, "KEPT", 2)
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "x", message_id="1"))
        for n in range(4):
            await answer(engine, dm("bob", "x", message_id=f"{n}"))
        assert await duplicate(engine, dm("alice", "x", message_id="1"))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redelivery, "KEPT", 2)
    found = Deliveries()
    messages = [dm("a", "x", message_id=f"{n}") for n in range(3)]
    for message in messages:
        found.note(message)
    assert [found.seen(message) for message in messages] == [False, True, True]


def test_spelling_of_ids_does_not_matter() -> None:
    one = Envelope("Telegram", peer=Peer("dm", "U1 "), account_id="Work", message_id="x")
    other = Envelope("telegram", peer=Peer("dm", "u1"), account_id="work", message_id="x")
    assert delivery_of(one) == delivery_of(other)
