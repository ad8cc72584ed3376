from __future__ import annotations

import errno
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import BranchlineError, Disk, Engine
from engine.errors import ConfigError, InputRefused, ModelError, SessionNotFound, StoreError
from engine.events import (
    EntryAppended,
    Event,
    Noticed,
    ReplyDelta,
    TurnEnded,
    TurnQueued,
    TurnStarted,
)
from engine.sessions.transcript import Transcript
from tests.engine.conftest import Open, answer, dm, said

MAIN = "agent:main:main"
UNDER_MAIN = '{ session: { dmScope: "main" } }'


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def transcript_of(engine: Engine, key: str) -> Path:
    return engine._pool.store.resolve(key).path


async def heard(engine: Engine, *envelopes: Any) -> list[Event]:
    """Send messages one after the other and collect what was told meanwhile."""
    async with engine.subscribe() as events:
        for envelope in envelopes:
            await (await engine.submit(envelope)).result()
        found = []
        with anyio.move_on_after(0.05):
            async for event in events:
                found.append(event)
    return found


async def test_the_first_start_writes_a_config_and_says_so(open_engine: Open) -> None:
    async with open_engine() as engine:
        assert engine.first_run
        assert engine.config_path is not None
        assert engine.config_path.exists()
        assert engine.config.session.dm_scope == "per-channel-peer"
        assert engine.problems == ()
    async with open_engine() as engine:
        assert not engine.first_run


async def test_a_session_remembers_and_still_does_after_a_restart(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("remember the number 42"))
        assert "42" in await answer(engine, said("what number?"))
    async with open_engine() as engine:
        assert "42" in await answer(engine, said("what number?"))
        page = await engine.history(MAIN, limit=50)
        assert [entry.role for entry in page.entries] == ["user", "assistant"] * 3
        assert page.before is None


async def test_who_shares_a_memory_follows_the_scope(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("remember the number 42"))
        receipt = await engine.submit(dm("bob", "what number?"))
        assert receipt.session_key == "agent:main:telegram:dm:bob"
        assert "42" not in (await receipt.result()).text
    async with open_engine(UNDER_MAIN) as engine:
        receipt = await engine.submit(dm("bob", "what number?"))
        assert receipt.session_key == MAIN
        assert "42" in (await receipt.result()).text


async def test_the_message_is_on_disk_before_the_model_is_asked(open_engine: Open) -> None:
    async with open_engine() as engine:
        events = await heard(engine, said("hello"))
        kinds = [type(event) for event in events if not isinstance(event, ReplyDelta)]
        assert kinds == [EntryAppended, TurnStarted, EntryAppended, TurnEnded]
        user, reply = (event.entry for event in events if isinstance(event, EntryAppended))
        assert reply.parent_id == user.id
        streamed = "".join(event.text for event in events if isinstance(event, ReplyDelta))
        assert streamed == reply.text != ""


async def test_the_transcript_is_plain_v3(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, dm("bob", "hello there"))
        header, user, reply = lines(transcript_of(engine, "agent:main:telegram:dm:bob"))
    assert (header["type"], header["version"]) == ("session", 3)
    assert header["sessionKey"] == "agent:main:telegram:dm:bob"
    assert user["message"]["content"] == [{"type": "text", "text": "hello there"}]
    assert user["origin"]["sender"] == {"id": "bob", "name": "Bob"}
    assert reply["message"]["stopReason"] == "stop"
    assert reply["message"]["usage"]["totalTokens"] > 0
    assert (reply["message"]["provider"], reply["message"]["model"]) == ("offline", "echo")


async def test_messages_of_one_session_are_answered_in_order(open_engine: Open) -> None:
    async with open_engine() as engine:
        receipts = [await engine.submit(said(f"message number {n}")) for n in range(8)]
        assert [await receipt.stored() for receipt in receipts]
        page = await engine.history(MAIN, limit=50)
        await receipts[-1].result()
        page = await engine.history(MAIN, limit=50)
        asked = [entry.text for entry in page.entries if entry.role == "user"]
        assert asked == [f"message number {n}" for n in range(8)]
        assert [entry.role for entry in page.entries] == ["user", "assistant"] * 8


async def test_a_second_message_is_told_to_be_queued(open_engine: Open) -> None:
    async with open_engine() as engine, engine.subscribe() as events:
        for n in range(3):
            last = await engine.submit(said(f"m{n}"))
        await last.result()
        queued = []
        with anyio.move_on_after(0.05):
            async for event in events:
                if isinstance(event, TurnQueued):
                    queued.append(event.ahead)
        assert queued == [1, 2]


async def test_sessions_do_not_wait_for_each_other(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        receipts = [await engine.submit(dm(f"user{n}", "hello " * 50)) for n in range(4)]
        await receipts[0].stored()
        await anyio.sleep(0.05)
        assert len(engine.busy) == 4
        for receipt in receipts:
            await receipt.result()
        assert engine.busy == ()


async def test_stop_keeps_what_was_written_and_marks_it(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        await answer(engine, said("one two three four five six seven eight nine " * 20))
        receipt = await engine.submit(said("one two three four five six seven"))
        async with engine.subscribe() as events:
            async for event in events:
                if isinstance(event, ReplyDelta):
                    break
        assert await engine.cancel(MAIN)
        result = await receipt.result()
        assert result.stop_reason == "aborted"
        assert result.text
        assert result.error is None
        last = (await engine.history(MAIN, limit=1)).entries[-1]
        assert last.message["stopReason"] == "aborted"
        assert last.text == result.text
        assert not await engine.cancel(MAIN)
        assert await answer(engine, said("and on"))


async def test_a_waiting_turn_can_be_stopped_before_it_begins(
    open_engine: Open, tmp_path: Path
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        other = Transcript.open(transcript_of(engine, MAIN))
        with other.hold():
            receipt = await engine.submit(said("never sent"))
            await anyio.sleep(0.05)
            assert await engine.cancel(MAIN)
            result = await receipt.result()
        other.close()
        assert result.stop_reason == "aborted"
        assert receipt.entry_id is None
        assert "never sent" not in transcript_of(engine, MAIN).read_text()


async def test_closing_the_engine_keeps_the_partial_reply(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        await answer(engine, said("alpha beta gamma delta " * 40))
        async with engine.subscribe() as events:
            await engine.submit(said("alpha beta gamma"))
            async for event in events:
                if isinstance(event, ReplyDelta):
                    break
    async with open_engine() as engine:
        last = (await engine.history(MAIN, limit=1)).entries[-1]
        assert last.message["stopReason"] == "aborted"


async def test_an_override_survives_and_shows_its_source(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
        assert (await engine.view(MAIN)).model.source == "config"
        await answer(engine, said("/model offline/echo-2k"))
        assert (await engine.view(MAIN)).model.ref == "offline/echo-2k"
    (Path(engine.state_dir) / "agents/main/sessions/sessions.json").unlink()
    async with open_engine() as engine:
        model = (await engine.view(MAIN)).model
        assert (model.ref, model.source, model.context_window) == (
            "offline/echo-2k",
            "session",
            2000,
        )
        turn = await (await engine.submit(said("hi"), model="offline/echo")).result()
        assert turn.model == "offline/echo"
        assert (await engine.view(MAIN)).model.ref == "offline/echo-2k"
        await answer(engine, said("/model default"))
        assert (await engine.view(MAIN)).model.source == "config"


async def test_settings_are_never_parents_of_messages(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        await answer(engine, said("/model offline/echo-2k"))
        await answer(engine, said("two"))
        entries = lines(transcript_of(engine, MAIN))[1:]
    by_id = {entry["id"]: entry for entry in entries}
    for entry in entries:
        if entry["type"] == "message" and entry["parentId"]:
            assert by_id[entry["parentId"]]["type"] == "message"


async def test_new_starts_afresh_and_loses_nothing(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("remember the number 42"))
        await answer(engine, said("/model offline/echo-2k"))
        old = transcript_of(engine, MAIN).read_bytes()
        await answer(engine, said("/new"))
        assert "42" not in await answer(engine, said("what number?"))
        assert (await engine.view(MAIN)).model.ref == "offline/echo-2k"
        kinds = {info.kind: info for info in await engine.sessions()}
        assert set(kinds) == {"session", "reset"}
        assert Path(kinds["reset"].ref).read_bytes().startswith(old)
        page = await engine.history(kinds["reset"].ref)
        assert page.entries[0].text == "remember the number 42"


async def test_clear_empties_the_context_for_good_and_keeps_the_tree(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("remember the number 42"))
        await answer(engine, said("/clear"))
        assert (await engine.history(MAIN)).entries == ()
    async with open_engine() as engine:
        assert "42" not in await answer(engine, said("what number?"))
        assert (await engine.view(MAIN)).counts.branches == 2
        assert "number 42" in transcript_of(engine, MAIN).read_text()


async def test_a_command_waits_for_the_messages_before_it(open_engine: Open) -> None:
    async with open_engine() as engine:
        first = await engine.submit(said("remember the number 42"))
        new = await engine.submit(said("/new"))
        after = await engine.submit(said("what number?"))
        assert (await first.result()).text
        assert (await new.result()).command
        assert "42" not in (await after.result()).text


async def test_a_person_cannot_use_the_operators_commands(open_engine: Open) -> None:
    async with open_engine() as engine:
        receipt = await engine.submit(dm("bob", "/model offline/echo-2k"))
        result = await receipt.result()
        assert isinstance(result.error, BranchlineError)
        assert "profile user does not allow /model" in str(result.error)
        with pytest.raises(BranchlineError):
            await receipt.stored()


async def test_a_second_person_in_one_memory_is_warned_of_at_once(open_engine: Open) -> None:
    async with open_engine(UNDER_MAIN) as engine:
        first = await heard(engine, dm("alice", "my password is secret123"))
        second = await heard(engine, dm("bob", "hello"))
        again = await heard(engine, dm("alice", "hi"))
    assert not [event for event in first if isinstance(event, Noticed)]
    [notice] = [event for event in second if isinstance(event, Noticed)]
    assert "Alice, Bob share one memory" in notice.problem.message
    assert "per-channel-peer" in (notice.problem.hint or "")
    assert not [event for event in again if isinstance(event, Noticed)]


@pytest.mark.parametrize("text", ["", "  \n", "x" * ((1 << 20) + 1)])
async def test_what_is_no_message_is_refused_with_nothing_stored(
    open_engine: Open, text: str
) -> None:
    async with open_engine() as engine:
        with pytest.raises(InputRefused):
            await engine.submit(said(text))
        assert await engine.sessions() == ()


async def test_text_that_is_no_unicode_is_stored_and_answered(open_engine: Open) -> None:
    async with open_engine() as engine:
        assert await answer(engine, said("lone \ud800 surrogate"))
        assert (await engine.history(MAIN)).entries[0].text.startswith("lone ")


async def test_a_key_that_is_none_is_refused(open_engine: Open) -> None:
    async with open_engine() as engine:
        with pytest.raises(SessionNotFound, match="no session key"):
            await engine.submit(said("hi"), session_key="nonsense")


async def test_an_unknown_model_is_a_clear_error_and_the_message_is_kept(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        result = await (await engine.submit(said("hi"), model="offlin/echo")).result()
        assert isinstance(result.error, ModelError)
        assert "offlin/echo" in str(result.error)
        assert "Did you mean" in str(result.error)
        assert (await engine.history(MAIN)).entries[-1].text == "hi"
        assert await answer(engine, said("still here?"))


async def test_a_dead_provider_is_a_clear_error_and_nothing_is_lost(open_engine: Open) -> None:
    config = """{ models: { providers: { dead: { api: "openai-completions", apiKey: null,
        baseUrl: "http://127.0.0.1:9/v1", models: [{ id: "m" }] } } } }"""
    async with open_engine(config) as engine:
        result = await (await engine.submit(said("hi"), model="dead/m")).result()
        assert isinstance(result.error, ModelError)
        assert result.error.kind == "connection"
        assert "127.0.0.1" in str(result.error)
        entries = (await engine.history(MAIN)).entries
        assert [entry.role for entry in entries] == ["user", "assistant"]
        assert entries[-1].message["stopReason"] == "error"
        assert await answer(engine, said("back to work"), model="offline/echo")


async def test_a_broken_config_stops_the_start_and_changes_nothing(
    open_engine: Open, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"branchline\.json5:1:.*dmScop"):
        async with open_engine('{ session: { dmScop: "main" } }'):
            pass
    assert (tmp_path / "state/branchline.json5").read_text() == '{ session: { dmScop: "main" } }'


class FullDisk(Disk):
    """A disk whose transcripts take no more from a certain write on."""

    full = False

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.full and os.readlink(f"/proc/self/fd/{fd}").endswith(".jsonl"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data)


async def test_a_full_disk_refuses_the_message_and_keeps_all_before(open_engine: Open) -> None:
    disk = FullDisk()
    async with open_engine(disk=disk) as engine:
        await answer(engine, said("first"))
        before = transcript_of(engine, MAIN).read_bytes()
        disk.full = True
        receipt = await engine.submit(said("does not fit"))
        with pytest.raises(StoreError, match="No space left"):
            await receipt.stored()
        assert isinstance((await receipt.result()).error, StoreError)
        assert transcript_of(engine, MAIN).read_bytes() == before
        disk.full = False
        assert await answer(engine, said("fits again"))
        assert transcript_of(engine, MAIN).read_bytes().startswith(before)


async def test_a_reply_that_cannot_be_stored_is_still_told(open_engine: Open) -> None:
    disk = FullDisk()
    async with open_engine(disk=disk, paced=True) as engine:
        receipt = await engine.submit(said("hello there"))
        await receipt.stored()
        disk.full = True
        result = await receipt.result()
        assert isinstance(result.error, StoreError)
        assert result.reply_entry_id is None
        assert "hello there" in result.text


async def test_several_engines_on_one_state_dir_see_each_other(open_engine: Open) -> None:
    async with open_engine() as one, open_engine() as two, anyio.create_task_group() as group:
        await answer(one, said("remember the number 42"))
        group.start_soon(one.watch)
        await anyio.sleep(0.3)
        async with one.subscribe() as events:
            assert "42" in await answer(two, said("what number?"))
            with anyio.fail_after(60):
                found: list[EntryAppended] = []
                async for event in events:
                    if isinstance(event, EntryAppended):
                        found.append(event)
                    if len(found) == 2:
                        break
        assert [event.entry.role for event in found] == ["user", "assistant"]
        assert all(event.foreign for event in found)
        assert "42" in await answer(one, said("number?"))
        group.cancel_scope.cancel()


async def test_a_small_model_gets_what_fits_and_says_what_does_not(open_engine: Open) -> None:
    async with open_engine("{ compaction: { enabled: false } }") as engine:
        for n in range(30):
            await answer(engine, said(f"fact {n}: " + "some words to fill the window " * 10))
        result = await (await engine.submit(said("fact?"), model="offline/echo-2k")).result()
        assert result.error is None
        await answer(engine, said("/model offline/echo-2k"))
        view = await engine.view(MAIN)
        assert view.tokens <= 2000
        out = [decision for decision in view.window.decisions if not decision.included]
        assert any("window" in decision.reason for decision in out)


async def test_history_comes_in_pages_from_the_newest(open_engine: Open) -> None:
    async with open_engine() as engine:
        for n in range(7):
            await answer(engine, said(f"m{n}"))
        texts: list[str] = []
        page = await engine.history(MAIN, limit=4)
        while True:
            texts = [entry.text for entry in page.entries if entry.role == "user"] + texts
            if page.before is None:
                break
            page = await engine.history(MAIN, before=page.before, limit=4)
        assert texts == [f"m{n}" for n in range(7)]


async def test_every_session_of_a_real_state_dir_can_be_read_and_continued(
    open_engine: Open, sample_state: Path
) -> None:
    sessions = sample_state / "agents/main/sessions"
    files = {path.name: path.read_bytes() for path in sessions.glob("*.jsonl*")}
    async with open_engine(state_dir=sample_state) as engine:
        infos = await engine.sessions()
        assert {Path(info.ref).name for info in infos if info.kind != "session"} | {
            engine._pool.store.resolve(info.key).path.name
            for info in infos
            if info.kind == "session"
        } == set(files)
        for info in infos:
            await engine.history(info.ref)
            await engine.window(info.ref)
            if info.kind == "session":
                reply = await answer(
                    engine, said("hello again"), session_key=info.key, model="offline/echo"
                )
                assert reply
    for name, before in files.items():
        after = (sessions / name).read_bytes()
        assert after.startswith(before)
        if after != before:
            fresh = [json.loads(line) for line in after[len(before) :].splitlines()]
            # Some of these sessions are too large for the offline model and compact themselves.
            said_now = [line for line in fresh if line["type"] in ("message", "compaction")]
            assert [line.get("message", {}).get("role") for line in said_now] in (
                ["user", "assistant"],
                ["user", None, "assistant"],
            )
            for above, below in pairwise(said_now):
                assert below["parentId"] == above["id"]


async def test_a_session_can_be_looked_at_though_its_model_cannot_be_used(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hello"))
    (engine.state_dir / "branchline.json5").write_text(
        '{ agents: { defaults: { model: "gone/away" } } }'
    )
    async with open_engine() as engine:
        view = await engine.view(MAIN)
        assert view.model.source == "unusable"
        assert any("gone/away" in problem.message for problem in view.problems)
        assert len(view.window.messages) == 2


async def test_a_session_begun_afresh_elsewhere_is_followed(open_engine: Open) -> None:
    async with open_engine() as one, open_engine() as two:
        await answer(one, said("remember the number 42"))
        await answer(two, said("/new"))
        assert "42" not in await answer(one, said("what number?"))
        assert "42" not in await answer(two, said("number?"))
        page = await two.history(MAIN)
        assert [entry.text for entry in page.entries if entry.role == "user"] == [
            "what number?",
            "number?",
        ]
