from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import Engine
from engine.branching.scribe import CompactionFailed
from engine.context.compaction import OUTCOME
from engine.context.memory import FLUSH
from engine.errors import ModelError, SessionBusy
from engine.events import CompactionEnded, CompactionProgress, CompactionStarted, Noticed
from engine.models.protocol import ModelRequest
from engine.sessions.tree import Tree
from tests.engine.conftest import Open, answer, dm, said

MAIN = "agent:main:main"
SMALL = '{ agents: { defaults: { model: "offline/echo-2k" } } }'
FILL = "Some words to fill the window with. " * 3


def tree_of(engine: Engine, key: str = MAIN) -> Tree:
    return engine._pool.store.open(key).tree


def entries_of(engine: Engine, kind: str, key: str = MAIN) -> list[dict[str, Any]]:
    tree = tree_of(engine, key)
    found = (dict(tree.entry(name).data) for name in tree.nodes)
    return [one for one in found if kind in (one["type"], one.get("customType"))]


async def chat(engine: Engine, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        await answer(
            engine, said(f"Fact {n}: order #{1000 + n} of Bob costs {n * 17} euros. {FILL}")
        )


class Sent:
    """Remembers requests on their way out; refuses those that it is told to."""

    def __init__(self, *, refuse: dict[str, int] | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self.refuse = refuse or {}

    def __call__(self, request: ModelRequest) -> None:
        self.requests.append(request)
        left = self.refuse.get(request.purpose, 0)
        if left:
            self.refuse[request.purpose] = left - 1
            raise ModelError(
                "prompt is too long: 9 tokens > 8 maximum", kind="overflow", status=400
            )

    def of(self, purpose: str) -> list[ModelRequest]:
        return [request for request in self.requests if request.purpose == purpose]


async def test_a_chat_that_outgrows_its_window_folds_itself_and_goes_on(open_engine: Open) -> None:
    sent = Sent()
    async with open_engine(SMALL, checks=(sent,)) as engine, engine.subscribe() as events:
        await chat(engine, 30)
        told = [event async for event in taken(events)]
        folds = entries_of(engine, "compaction")
        assert len(folds) >= 2
        for fold in folds:
            assert fold["tokensAfter"] < fold["tokensBefore"]
            assert fold["trigger"] == "threshold"
            assert fold["folded"]["messages"] > 0
            assert "order #1" in fold["summary"]
        view = await engine.view(MAIN)
        assert view.window.messages[0].role == "compactionSummary"
        assert view.compactions == len(folds)
        assert "order #1003" in await answer(engine, said("What does order #1003 cost?"))
        started = [event for event in told if isinstance(event, CompactionStarted)]
        ended = [event for event in told if isinstance(event, CompactionEnded)]
        assert len(started) == len(ended) == len(folds)
        assert ended[0].entry_id == folds[0]["id"]
        assert (ended[0].before, ended[0].after) == (
            folds[0]["tokensBefore"],
            folds[0]["tokensAfter"],
        )
        assert any(isinstance(event, CompactionProgress) and event.text for event in told)
        # Nothing that was said is gone, and no two compactions follow each other.
        assert sum(1 for n in tree_of(engine).nodes.values() if n.role == "user") == 31
    for request in sent.of("summary"):
        assert request.session_key == MAIN
        assert request.principal == "operator"
        assert any(message.entry_ids for message in request.messages)


async def taken(events: Any) -> Any:
    with anyio.move_on_after(0.2):
        async for event in events:
            yield event


async def test_undo_brings_the_former_leaf_and_all_messages_back(open_engine: Open) -> None:
    async with open_engine() as engine:
        await chat(engine, 12)
        before = await engine.view(MAIN)
        done = await engine.compaction.compact(MAIN, "prices")
        assert (done.outcome, done.kept) == ("done", 10)
        assert done.folded == 14
        assert done.after < done.before
        after = await engine.view(MAIN)
        assert len(after.window.messages) == 11
        undone = await engine.branches.undo(MAIN)
        assert undone.what == "undo compaction"
        assert (await engine.view(MAIN)).leaf == before.leaf
        assert (await engine.view(MAIN)).window.messages == before.window.messages
    async with open_engine() as engine:
        assert (await engine.view(MAIN)).leaf == before.leaf


async def test_repeated_compactions_update_the_summary_from_the_kept_boundary(
    open_engine: Open,
) -> None:
    sent = Sent()
    async with open_engine(checks=(sent,)) as engine:
        await chat(engine, 10)
        first = await engine.compaction.compact(MAIN)
        await chat(engine, 6, 10)
        second = await engine.compaction.compact(MAIN)
        assert (first.outcome, second.outcome) == ("done", "done")
        assert second.folded == 12
        tree = tree_of(engine)
        users = [name for name, node in tree.nodes.items() if node.type == "message"]
        windows = await engine.window(MAIN)
        kept = [one.entry_id for one in windows.messages[1:]]
        folded = [
            name
            for request in sent.of("summary")
            for message in request.messages
            for name in message.entry_ids
            if tree.nodes[name].type == "message"
        ]
        assert len(folded) == len(set(folded))
        assert [*folded, *kept] == users
        assert first.summary.splitlines()[0] in second.summary


async def test_a_preview_writes_nothing_and_can_be_edited(open_engine: Open) -> None:
    async with open_engine() as engine:
        await chat(engine, 12)
        before = tree_of(engine).nodes.keys()
        shown = await engine.compaction.preview(MAIN)
        assert tree_of(engine).nodes.keys() == before
        assert "order #1000" in shown.summary
        assert shown.after < shown.before
        assert shown.loss.count == 0
        for useless in ("  ", "far too long " * 500):
            with pytest.raises(CompactionFailed):
                await engine.compaction.accept(shown, useless)
        assert tree_of(engine).nodes.keys() == before
        done = await engine.compaction.accept(shown, "Bob ordered things.")
        assert done.missing is not None
        assert "#1000" in done.missing.ids
        weighed = (await engine.view(MAIN)).tokens
        assert weighed == pytest.approx(done.after, rel=0.25)
        assert done.after < shown.after
        (fold,) = entries_of(engine, "compaction")
        assert (fold["summary"], fold["edited"]) == ("Bob ordered things.", True)
        assert fold["firstKeptEntryId"] == shown.fold.first_kept
        with pytest.raises(CompactionFailed, match="moved on"):
            await engine.compaction.accept(shown)


async def test_a_preview_holds_while_the_talk_goes_on_but_not_elsewhere(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await chat(engine, 12)
        shown = await engine.compaction.preview(MAIN)
        await answer(engine, said("one more thing"))
        assert (await engine.compaction.accept(shown)).outcome == "done"
        texts = [one.text for one in (await engine.window(MAIN)).messages]
        assert "one more thing" in texts
        await engine.branches.undo(MAIN)
        later = await engine.compaction.preview(MAIN)
        first = next(iter(tree_of(engine).nodes))
        await engine.branches.leave(MAIN, first)
        with pytest.raises(CompactionFailed):
            await engine.compaction.accept(later)


async def test_compact_to_here_keeps_everything_from_there(open_engine: Open) -> None:
    async with open_engine() as engine:
        await chat(engine, 12)
        ids = [one.entry_id for one in (await engine.window(MAIN)).messages]
        shown = await engine.compaction.preview(MAIN, keep_from=ids[4])
        assert [one.entry_id for one in shown.fold.kept] == ids[4:]
        with pytest.raises(CompactionFailed, match=r"nothing stands before .* Choose a later"):
            await engine.compaction.preview(MAIN, keep_from=ids[0])


async def test_a_fold_that_gains_nothing_says_how_to_fold_more(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("hi"))
        await answer(engine, said("ho"))
        second = (await engine.window(MAIN)).messages[1].entry_id
        with pytest.raises(CompactionFailed, match=r"as much as .* To fold more, name the first"):
            await engine.compaction.preview(MAIN, keep_from=second)


async def test_the_outcome_of_every_attempt_is_stored(open_engine: Open) -> None:
    async with open_engine() as engine:
        await chat(engine, 2)
        done = await engine.compaction.compact(MAIN)
        assert done.outcome == "failed"
        assert "recent enough" in done.reason and "c on it in the tree" in done.reason
        (note,) = entries_of(engine, OUTCOME)
        assert note["id"] == done.entry_id
        assert note["data"]["outcome"] == "failed"
        assert "recent enough" in note["data"]["reason"]
        assert "in the tree" not in note["data"]["reason"]
        reply = await answer(engine, said("/compact"))
        assert "recent enough" in reply and "--keep-from ID" in reply
        # Bookkeeping is never a parent: the next message follows the last reply.
        await chat(engine, 1, 2)
        tree = tree_of(engine)
        assert {node.type for node in tree.path(tree.leaf)} == {"message"}


async def test_a_summary_that_gains_nothing_is_not_kept_and_twice_is_enough(
    open_engine: Open,
) -> None:
    sent = Sent()
    async with open_engine(SMALL, checks=(sent,)) as engine, engine.subscribe() as events:
        # One message that is nearly as large as the window: there is nothing else to fold.
        result = await (await engine.submit(said("word " * 1450))).result()
        assert result.reply_entry_id is not None
        for _ in range(3):
            await (await engine.branches.regenerate(MAIN, result.reply_entry_id)).result()
        notes = [one["data"] for one in entries_of(engine, OUTCOME)]
        assert [note["outcome"] for note in notes] == ["failed", "failed"]
        assert entries_of(engine, "compaction") == []
        noticed = [event async for event in taken(events) if isinstance(event, Noticed)]
        (stop,) = [one for one in noticed if "does not compact" in one.problem.message]
        assert "/model" in (stop.problem.hint or "")
        # Once there is something to fold it goes on by itself.
        await chat(engine, 8)
        assert entries_of(engine, "compaction")


async def test_overflow_folds_and_asks_the_same_model_once_more(open_engine: Open) -> None:
    sent = Sent()
    async with open_engine(checks=(sent,)) as engine:
        await chat(engine, 12)
        sent.refuse["reply"] = 1
        told = await answer(engine, said("What does order #1003 cost?"))
        assert "1003" in told
        (fold,) = entries_of(engine, "compaction")
        assert fold["trigger"] == "overflow"
        replies = [node for node in tree_of(engine).nodes.values() if node.role == "assistant"]
        assert len(replies) == 13
        assert len(sent.of("reply")) == 14


async def test_a_second_overflow_is_an_error_that_is_told(open_engine: Open) -> None:
    sent = Sent()
    async with open_engine(checks=(sent,)) as engine:
        await chat(engine, 12)
        sent.refuse["reply"] = 2
        result = await (await engine.submit(said("too much"))).result()
        assert isinstance(result.error, ModelError)
        assert result.error.kind == "overflow"
        assert result.reply_entry_id is not None
        assert len(entries_of(engine, "compaction")) == 1


async def test_a_summary_request_that_does_not_fit_is_cut_finer(open_engine: Open) -> None:
    sent = Sent(refuse={"summary": 2})
    async with open_engine(checks=(sent,)) as engine:
        await chat(engine, 12)
        done = await engine.compaction.compact(MAIN)
        assert done.outcome == "done"
        assert len(sent.of("summary")) >= 3


async def test_an_endless_session_recovers_in_the_smallest_window(open_engine: Open) -> None:
    sent = Sent()
    async with open_engine("{ compaction: { enabled: false } }", checks=(sent,)) as engine:
        for n in range(8):
            await answer(engine, said(f"Part {n} costs {n}00 euros. " + "x y z. " * 2500))
        await answer(engine, said("/model offline/echo-2k"))
        done = await engine.compaction.compact(MAIN)
        assert done.outcome == "done"
        assert done.after < 2000
        result = await (await engine.submit(said("go on"))).result()
        assert result.error is None
    for request in sent.of("summary"):
        assert (request.context_window, request.max_tokens) == (2000, 400)


async def test_summaries_may_have_a_model_of_their_own(open_engine: Open) -> None:
    sent = Sent()
    config = '{ compaction: { model: "offline/echo-2k" } }'
    async with open_engine(config, checks=(sent,)) as engine:
        await chat(engine, 12)
        assert (await engine.compaction.compact(MAIN, "the euros")).outcome == "done"
        (fold,) = entries_of(engine, "compaction")
        assert (fold["model"], fold["focus"]) == ("offline/echo-2k", "the euros")
    assert {request.model for request in sent.of("summary")} == {"echo-2k"}
    assert "the euros" in str(sent.of("summary")[0].messages[-1].content)


async def test_a_compaction_can_be_stopped_and_there_is_only_one(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine, engine.subscribe() as events:
        await chat(engine, 8)
        found: list[Any] = []

        async def run() -> None:
            found.append(await engine.compaction.compact(MAIN))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            async for event in events:
                if isinstance(event, CompactionProgress) and event.text:
                    break
            assert engine.compaction.running(MAIN)
            with pytest.raises(SessionBusy):
                await engine.compaction.preview(MAIN)
            assert engine.compaction.cancel(MAIN)
        assert found[0].outcome == "cancelled"
        assert entries_of(engine, "compaction") == []
        (note,) = entries_of(engine, OUTCOME)
        assert note["data"]["outcome"] == "cancelled"
        assert not engine.compaction.cancel(MAIN)
        assert (await engine.compaction.compact(MAIN)).outcome == "done"


async def test_stopping_the_turn_stops_its_compaction_and_stores_that(open_engine: Open) -> None:
    async with open_engine() as engine:
        await chat(engine, 20)
        await answer(engine, said("/model offline/echo-2k"))
    async with open_engine(paced=True) as engine, engine.subscribe() as events:
        receipt = await engine.submit(said("what now?"))
        async for event in events:
            if isinstance(event, CompactionProgress) and event.text:
                break
        assert await engine.cancel(MAIN)
        assert (await receipt.result()).stop_reason == "aborted"
        (note,) = entries_of(engine, OUTCOME)
        assert note["data"]["outcome"] == "cancelled"
        assert entries_of(engine, "compaction") == []


async def test_a_preview_that_comes_to_nothing_is_told_and_not_stored(open_engine: Open) -> None:
    async with open_engine() as engine, engine.subscribe() as events:
        await chat(engine, 2)
        with pytest.raises(CompactionFailed, match="recent enough"):
            await engine.compaction.preview(MAIN)
        ended = [event async for event in taken(events) if isinstance(event, CompactionEnded)]
        assert [event.outcome for event in ended] == ["failed"]
        assert entries_of(engine, OUTCOME) == []


async def test_compaction_off_leaves_the_history_cut(open_engine: Open) -> None:
    config = """{ agents: { defaults: { model: "offline/echo-2k" } },
                  compaction: { enabled: false } }"""
    async with open_engine(config) as engine:
        await chat(engine, 20)
        assert entries_of(engine, "compaction") == []
        out = [one for one in (await engine.window(MAIN)).decisions if not one.included]
        assert any("window" in one.reason for one in out)


async def test_notes_are_asked_for_once_per_cycle_and_shown_to_nobody(open_engine: Open) -> None:
    sent = Sent()
    async with open_engine(SMALL, checks=(sent,)) as engine:
        await chat(engine, 30)
        folds, flushes = entries_of(engine, "compaction"), entries_of(engine, FLUSH)
        assert len(sent.of("flush")) == len(flushes)
        cycles = [one["data"]["cycle"] for one in flushes]
        assert len(cycles) == len(set(cycles))
        assert set(cycles) <= {"", *(fold["id"] for fold in folds)}
        assert len(folds) <= len(flushes) <= len(folds) + 1
        assert {one["data"]["outcome"] for one in flushes} == {"nothing"}
        assert "NO_REPLY" not in str([one.text for one in (await engine.window(MAIN)).messages])


async def test_notes_can_be_turned_off(open_engine: Open) -> None:
    sent = Sent()
    config = """{ agents: { defaults: { model: "offline/echo-2k" } },
                  compaction: { memoryFlush: { enabled: false } } }"""
    async with open_engine(config, checks=(sent,)) as engine:
        await chat(engine, 20)
        assert sent.of("flush") == []
        assert entries_of(engine, "compaction")


async def test_one_persons_notes_are_never_loaded_for_another(
    open_engine: Open, tmp_path: Path
) -> None:
    sent = Sent()
    async with open_engine(
        '{ session: { dmScope: "per-channel-peer" } }', checks=(sent,)
    ) as engine:
        for who in ("alice", "bob"):
            await answer(engine, dm(who, "hello"))
        await answer(engine, said("hello"))
        workspace = tmp_path / "state/workspace"
        write_notes(engine, workspace, "agent:main:telegram:dm:alice", "Alice likes tea")
        (workspace / "memory").mkdir(exist_ok=True)
        (workspace / "memory/2026-01-01.md").write_text("The operator plans a surprise")
        sent.requests.clear()
        for envelope in (dm("alice", "and?"), dm("bob", "and?"), said("and?")):
            await answer(engine, envelope)
    alice, bob, operator = (request.system for request in sent.of("reply"))
    assert "tea" in alice
    assert "surprise" not in alice
    assert "tea" not in bob + operator
    assert "surprise" in operator
    assert "surprise" not in bob


def write_notes(engine: Engine, workspace: Path, key: str, text: str) -> None:
    from engine.context.memory import Scope, notes_path

    path = workspace / notes_path(Scope(key), "2026-01-01")
    path.parent.mkdir(parents=True)
    path.write_text(text)


async def test_a_stored_compaction_is_plain_v3_for_other_readers(
    open_engine: Open, tmp_path: Path
) -> None:
    async with open_engine() as engine:
        await chat(engine, 12)
        done = await engine.compaction.compact(MAIN)
    (path,) = (tmp_path / "state/agents/main/sessions").glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    fold = next(line for line in lines if line["id"] == done.entry_id)
    assert {"summary", "firstKeptEntryId", "tokensBefore", "parentId"} <= fold.keys()
    by_id = {line["id"]: line for line in lines[1:]}
    last, path_ids = lines[-1]["id"], []
    while last is not None:
        path_ids.append(last)
        last = by_id[last]["parentId"]
    assert done.entry_id in path_ids


async def test_every_session_of_a_real_state_dir_can_be_compacted(
    open_engine: Open, sample_state: Path
) -> None:
    async with open_engine(state_dir=sample_state) as engine:
        await answer(engine, said("/model offline/echo"))
        outcomes = []
        for info in await engine.sessions():
            if info.kind != "session":
                continue
            await engine.set_override(info.key, "offline/echo")
            path = engine._pool.store.resolve(info.key).path
            before = path.read_bytes()
            done = await engine.compaction.compact(info.key)
            outcomes.append(done.outcome)
            assert path.read_bytes().startswith(before)
            assert done.outcome == "failed" or done.after < done.before
            assert (await engine.window(info.key)).problems == ()
        assert "done" in outcomes
        assert "cancelled" not in outcomes
