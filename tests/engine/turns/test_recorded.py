from __future__ import annotations

from pathlib import Path

from engine import Engine
from engine.clock import SystemClock
from engine.disk import Disk
from engine.routing.envelope import Envelope
from engine.sessions.store import Store
from engine.turns.recorded import by_name, recorded_envelopes, recorded_lately
from tests.engine.conftest import Open, answer, dm, said


def speakers(state: Path) -> list[str]:
    found = recorded_envelopes(Store(Disk(), state, SystemClock()))
    return sorted(one.peer.id if one.peer else one.channel for one in found)


async def test_what_was_said_in_chats_and_forks_was_not_routed(open_engine: Open) -> None:
    async with open_engine('{session: {dmScope: "per-channel-peer"}}') as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, said("the operator speaks"))
        await in_chat(engine, "agent:main:chat:plans")
        key = "agent:main:telegram:dm:alice"
        leaf = (await engine.tree(key)).leaf
        assert leaf is not None
        forked = await engine.branches.fork(key, leaf)
        await in_chat(engine, forked.session_key)
        assert speakers(engine.state_dir) == ["alice", "terminal"]


async def in_chat(engine: Engine, key: str) -> None:
    receipt = await engine.submit(Envelope("terminal", "among ourselves"), session_key=key)
    assert (await receipt.result()).error is None


def test_keys_that_only_a_name_leads_to() -> None:
    assert by_name("agent:main:chat:plans")
    assert by_name("agent:main:telegram:dm:alice:fork:1a2b")
    assert by_name("agent:main:subagent:7")
    assert not by_name("agent:main:main")
    assert not by_name("agent:main:telegram:group:x:topic:9")


async def test_what_was_said_lately_is_of_the_latest_sessions_oldest_first(
    open_engine: Open,
) -> None:
    async with open_engine('{session: {dmScope: "per-channel-peer"}}') as engine:
        for who in ("alice", "bob", "alice", "carol", "carol"):
            await answer(engine, dm(who, "words"))
        store = Store(Disk(), engine.state_dir, SystemClock())
        names = [one.envelope.peer.id for one in recorded_lately(store, sessions=9, each=9)]  # type: ignore[union-attr]
        assert sorted(names) == ["alice", "alice", "bob", "carol", "carol"]
        whens = [one.when for one in recorded_lately(store, sessions=9, each=9)]
        assert whens == sorted(whens)
        few = recorded_lately(store, sessions=2, each=1)
        assert len(few) == 2
        assert len({one.envelope.peer for one in few}) == 2
