from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import Engine, Envelope, ManualClock, Peer, Sender
from engine.errors import InputRefused, StoreError
from engine.events import EntryAppended, Noticed, TurnedAway
from tests.engine.conftest import Open, answer, dm, said

PAIRING = "{ channels: { telegram: {} } }"
GROUP = "agent:main:discord:group:team"
ASK_MENTION = """{ agents: { list: [{ id: "main", groupChat: { mentionPatterns: ["@?mia"] } }] },
    channels: { discord: { groupPolicy: "open", groups: { "*": { requireMention: true } } } } }"""


def room(text: str, who: str = "carol", **facts: Any) -> Envelope:
    return Envelope(
        "discord", text=text, peer=Peer("group", "team"), sender=Sender(who, who.title()), **facts
    )


async def outcome(engine: Engine, envelope: Envelope) -> tuple[str, str]:
    """What the gate said, and what the sender is told."""
    result = await (await engine.submit(envelope)).result()
    assert result.error is None, result.error
    return (result.admission.outcome if result.admission else "answered"), result.text


async def texts(engine: Engine, key: str) -> list[str]:
    return [entry.text for entry in (await engine.history(key)).entries if entry.role == "user"]


async def test_a_stranger_gets_a_code_once_and_nothing_is_stored(open_engine: Open) -> None:
    async with open_engine(PAIRING) as engine:
        kind, told = await outcome(engine, dm("bob", "let me in"))
        assert kind == "pairing"
        assert re.search(r"\b[A-Z2-9]{8}\b", told)
        assert await outcome(engine, dm("bob", "hello?")) == ("pairing", "")
        assert await engine.sessions() == ()
        assert stat.S_IMODE(engine.pairing.path.stat().st_mode) == 0o600


async def test_an_approved_stranger_is_answered_at_once_and_after_a_restart(
    open_engine: Open,
) -> None:
    async with open_engine(PAIRING) as engine:
        _, told = await outcome(engine, dm("bob", "let me in"))
        code = re.findall(r"\b[A-Z2-9]{8}\b", told)[0]
        # The approval comes from another process: the file is all that they share.
        other = type(engine.pairing)(engine._kitchen.disk, engine.state_dir, engine._clock)
        made = other.change(lambda pairings: pairings.approve(code, now=engine._clock.now()))
        assert made is not None
        assert (await outcome(engine, dm("bob", "hello")))[0] == "answered"
        assert (await outcome(engine, dm("eve", "hello")))[0] == "pairing"
    async with open_engine() as engine:
        assert (await outcome(engine, dm("bob", "again")))[0] == "answered"


async def test_the_operator_is_told_who_asks_and_how_to_let_them_in(open_engine: Open) -> None:
    async with open_engine(PAIRING) as engine, engine.subscribe() as events:
        await outcome(engine, dm("bob", "hi"))
        found = []
        with anyio.move_on_after(0.05):
            async for event in events:
                found.append(event)
    [away] = [event for event in found if isinstance(event, TurnedAway)]
    [notice] = [event for event in found if isinstance(event, Noticed)]
    assert away.admission.code in (notice.problem.hint or "")
    assert "Bob (telegram)" in notice.problem.message
    assert not [event for event in found if isinstance(event, EntryAppended)]


async def test_a_code_runs_out_after_an_hour(open_engine: Open) -> None:
    clock = ManualClock()
    async with open_engine(PAIRING, clock=clock) as engine:
        _, told = await outcome(engine, dm("bob", "hi"))
        code = re.findall(r"\b[A-Z2-9]{8}\b", told)[0]
        clock.advance(3601)
        late = engine.pairing.change(lambda one: one.approve(code, now=clock.now()))
        assert late is None
        _, again = await outcome(engine, dm("bob", "hi"))
        assert code not in again
        assert again


async def test_a_damaged_pairing_file_lets_nobody_in_and_is_not_overwritten(
    open_engine: Open,
) -> None:
    async with open_engine(PAIRING) as engine:
        engine.pairing.path.write_text("{ broken")
        result = await (await engine.submit(dm("bob", "hi"))).result()
        assert isinstance(result.error, StoreError)
        assert str(engine.pairing.path) in str(result.error)
        assert engine.pairing.path.read_text() == "{ broken"


@pytest.mark.parametrize(
    ("channel", "envelope", "expected"),
    [
        ('dmPolicy: "disabled"', dm("bob", "hi"), "refused"),
        ('dmPolicy: "allowlist", allowFrom: ["bob"]', dm("bob", "hi"), "answered"),
        ('dmPolicy: "allowlist", allowFrom: ["bob"]', dm("eve", "hi"), "refused"),
        ('dmPolicy: "open", allowFrom: ["*"]', dm("eve", "hi"), "answered"),
        ("enabled: false", dm("bob", "hi"), "refused"),
    ],
)
async def test_policies_decide(
    open_engine: Open, channel: str, envelope: Envelope, expected: str
) -> None:
    async with open_engine(f"{{ channels: {{ telegram: {{ {channel} }} }} }}") as engine:
        kind, _ = await outcome(engine, envelope)
        assert kind == expected
        assert len(await engine.sessions()) == (expected == "answered")


async def test_the_operator_and_simulated_channels_are_always_let_in(open_engine: Open) -> None:
    config = '{ channels: { telegram: { dmPolicy: "disabled" }, terminal: { enabled: false } } }'
    async with open_engine(config) as engine:
        assert (await outcome(engine, said("hello")))[0] == "answered"
        assert (await outcome(engine, dm("bob", "hi", channel="matrix")))[0] == "answered"


async def test_what_is_not_for_the_agent_is_kept_as_context(open_engine: Open) -> None:
    async with open_engine(ASK_MENTION) as engine:
        assert (await outcome(engine, room("the build is red since noon")))[0] == "context"
        kind, told = await outcome(engine, room("mia, since when is the build red?", "dave"))
        assert kind == "answered"
        assert "since noon" in told
        assert await texts(engine, GROUP) == [
            "the build is red since noon",
            "mia, since when is the build red?",
        ]
        assert (await outcome(engine, room("look", mentions_agent=True)))[0] == "answered"


async def test_activation_is_of_the_session_and_lasts(open_engine: Open) -> None:
    admin = ASK_MENTION[:-1].rstrip() + ', permissions: { default: "admin" } }'
    async with open_engine(admin) as engine:
        assert (await outcome(engine, room("hello")))[0] == "context"
        assert (await outcome(engine, room("/activation always")))[0] == "answered"
        assert (await outcome(engine, room("hello again")))[0] == "answered"
    async with open_engine() as engine:
        assert (await outcome(engine, room("and again")))[0] == "answered"
        assert (await outcome(engine, room("/activation mention")))[0] == "answered"
        assert (await outcome(engine, room("nobody asked")))[0] == "context"
        result = await (await engine.submit(said("/activation always"))).result()
        assert "for groups" in str(result.error)


async def test_over_the_limit_a_new_sender_is_told_politely_and_only_counted(
    open_engine: Open,
) -> None:
    config = '{ session: { maxConcurrent: 2, dmScope: "per-channel-peer", busyMessage: "Later!" } }'
    async with open_engine(config) as engine:
        await answer(engine, said("I do not count"))
        assert (await outcome(engine, dm("a", "hi")))[0] == "answered"
        assert (await outcome(engine, dm("b", "hi")))[0] == "answered"
        assert await outcome(engine, dm("c", "hi")) == ("refused", "Later!")
        assert (await outcome(engine, dm("a", "still here")))[0] == "answered"
        assert len(await engine.sessions()) == 3
        assert engine.turned_away == 1


async def test_a_send_policy_keeps_the_message_and_withholds_the_answer(
    open_engine: Open,
) -> None:
    config = """{ session: { dmScope: "per-channel-peer", sendPolicy: { default: "allow",
        rules: [{ action: "deny", match: { channel: "telegram" } }] } } }"""
    async with open_engine(config) as engine:
        assert await outcome(engine, dm("bob", "are you there?")) == ("context", "")
        assert await texts(engine, "agent:main:telegram:dm:bob") == ["are you there?"]
        assert (await outcome(engine, dm("bob", "hi", channel="slack")))[0] == "answered"
        assert (await outcome(engine, said("hi")))[0] == "answered"


async def test_messages_stay_in_order_through_the_gate(open_engine: Open) -> None:
    async with open_engine(
        '{ channels: { telegram: { dmPolicy: "allowlist", allowFrom: ["bob"] } } }'
    ) as engine:
        receipts = [await engine.submit(dm("bob", f"message {n}")) for n in range(20)]
        for receipt in receipts:
            await receipt.result()
        [info] = await engine.sessions()
        page = await engine.history(info.key, limit=100)
        said_ = [entry.text for entry in page.entries if entry.role == "user"]
        assert said_ == [f"message {n}" for n in range(20)]


async def test_people_without_ids_are_told_apart_by_what_the_channel_gives(
    open_engine: Open,
) -> None:
    def web(text: str, **extra: str) -> Envelope:
        return Envelope("webchat", text=text, peer=Peer("dm", ""), extra=dict(extra))

    async with open_engine() as engine:
        keys = {
            name: (await engine.submit(web("hi", **facts))).session_key
            for name, facts in {
                "ann": {"username": "ann"},
                "ann again": {"username": "ann"},
                "cookie 1": {"visit": "1"},
                "cookie 1 again": {"visit": "1"},
                "cookie 2": {"visit": "2"},
            }.items()
        }
    assert keys["ann"] == keys["ann again"] == "agent:main:webchat:dm:ann"
    assert keys["cookie 1"] == keys["cookie 1 again"]
    assert re.fullmatch(r"agent:main:webchat:dm:anon_[0-9a-f]{12}", keys["cookie 1"])
    assert len(set(keys.values())) == 3


async def test_a_profile_decides_on_commands_and_names_its_rule(open_engine: Open) -> None:
    config = """{ session: { dmScope: "per-channel-peer" }, permissions: {
        profiles: { helper: { commands: ["model", "status"] } },
        assign: [{ match: { channel: "telegram", peer: { kind: "dm", id: "bob" } },
                   profile: "helper" }] } }"""
    async with open_engine(config) as engine:
        result = await (await engine.submit(dm("bob", "/model offline/echo-2k"))).result()
        assert result.error is None
        result = await (await engine.submit(dm("eve", "/model offline/echo-2k"))).result()
        assert "does not allow /model" in str(result.error)
        result = await (await engine.submit(dm("bob", "/new"))).result()
        assert "profile helper does not allow /new (permissions.assign[0]" in str(result.error)


async def test_shared_knowledge_is_read_under_partial_isolation_only(
    open_engine: Open, tmp_path: Path
) -> None:
    seen: list[str] = []
    for isolation in ("full", "partial"):
        state = tmp_path / isolation
        (state / "knowledge").mkdir(parents=True)
        (state / "knowledge" / "hours.md").write_text("We are open until nine.")
        config = f'{{ session: {{ isolation: "{isolation}" }} }}'
        async with open_engine(
            config, state_dir=state, checks=(lambda request: seen.append(request.system),)
        ) as engine:
            await answer(engine, dm("bob", "hi"))
        assert (state / "knowledge" / "hours.md").read_text() == "We are open until nine."
    assert ["until nine" in system for system in seen] == [False, True]


async def test_nobody_but_the_operator_writes_past_routing(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, dm("alice", "my secret"))
        alice = "agent:main:telegram:dm:alice"
        with pytest.raises(InputRefused, match="belongs to agent:main:telegram:dm:bob"):
            await engine.submit(dm("bob", "hi"), session_key=alice)
        assert await texts(engine, alice) == ["my secret"]
        assert await answer(engine, dm("alice", "still me"), session_key=alice)
        assert await answer(engine, said("the operator here"), session_key=alice)
