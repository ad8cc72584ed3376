from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import Engine, Envelope, Peer, Sender
from engine.branching.branch import DEFAULT_SUMMARY
from engine.errors import (
    BranchlineError,
    CommandError,
    EntryNotFound,
    InputRefused,
    LeakRefused,
)
from engine.events import EntryAppended, ReplyDelta, SessionChanged
from engine.sessions.graft import FORKED
from engine.sessions.journal import NothingToUndo
from engine.sessions.tree import Tree
from tests.engine.conftest import Open, answer, dm, said

MAIN = "agent:main:main"


def tree_of(engine: Engine, key: str = MAIN) -> Tree:
    return engine._pool.store.open(key).tree


def path_of(engine: Engine, key: str = MAIN) -> list[str]:
    """The words on the path to the leaf."""
    tree = tree_of(engine, key)
    return [tree.entry(node.id).text for node in tree.path(tree.leaf) if node.type == "message"]


def node_of(engine: Engine, text: str, key: str = MAIN) -> str:
    tree = tree_of(engine, key)
    return next(name for name in tree.nodes if tree.entry(name).text == text)


async def test_continuing_elsewhere_survives_a_restart_and_lists_the_old_tip(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        for text in ("one", "two", "three"):
            await answer(engine, said(text))
        old = tree_of(engine).leaf
        moved = await engine.branches.move(MAIN, node_of(engine, "two"))
        assert (moved.editor, moved.what) == ("two", "continue here")
        assert path_of(engine)[0] == "one"
        assert len(path_of(engine)) == 2
    async with open_engine() as engine:
        assert len(path_of(engine)) == 2
        await answer(engine, said("other"))
        assert [text for text in path_of(engine) if text in ("one", "two", "other")] == [
            "one",
            "other",
        ]
        assert old in tree_of(engine).nodes
        assert (await engine.view(MAIN)).branches == 2
        again = await engine.branches.move(MAIN, old or "")
        assert again.leaf == old


async def test_going_where_one_is_writes_nothing(open_engine: Open, tmp_path: Path) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        (path,) = (tmp_path / "state/agents/main/sessions").glob("*.jsonl")
        before = path.read_bytes()
        moved = await engine.branches.move(MAIN, tree_of(engine).leaf or "")
        assert moved.entries == ()
        assert path.read_bytes() == before
        with pytest.raises(EntryNotFound):
            await engine.branches.move(MAIN, "nowhere")
        assert path.read_bytes() == before


async def test_a_branch_that_is_left_may_leave_a_summary(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        await answer(engine, said("Bob lives at 7 Elm Street"))
        first = node_of(engine, "one")
        reply = tree_of(engine).children(first)[0]
        moved = await engine.branches.move(MAIN, reply, summary=DEFAULT_SUMMARY, label="L")
        assert "7 Elm Street" in moved.summary
        tree = tree_of(engine)
        assert tree.node(moved.leaf or "").type == "branch_summary"
        assert tree.labels == {moved.leaf: "L"}
        window = await engine.window(MAIN)
        assert [one.role for one in window.messages] == ["user", "assistant", "branchSummary"]
        await engine.branches.undo(MAIN)
        assert "Bob lives at 7 Elm Street" in path_of(engine)


async def test_an_edit_is_a_sibling_and_is_answered(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        await answer(engine, said("Parse a CSV"))
        node = node_of(engine, "Parse a CSV")
        receipt = await engine.branches.edit(MAIN, node, "Parse a JSON")
        result = await receipt.result()
        assert result.error is None
        tree = tree_of(engine)
        assert tree.node(receipt.entry_id or "").parent_id == tree.node(node).parent_id
        assert "Parse a JSON" in path_of(engine)
        assert "Parse a CSV" not in path_of(engine)
        await engine.branches.undo(MAIN)
        assert "Parse a CSV" in path_of(engine)
        first = await engine.branches.edit(MAIN, node_of(engine, "one"), "uno")
        await first.result()
        assert path_of(engine)[0] == "uno"
        assert tree_of(engine).node(first.entry_id or "").parent_id is None


async def test_what_cannot_be_edited_is_refused_before_anything_moves(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        node = node_of(engine, "one")
        leaf = tree_of(engine).leaf
        with pytest.raises(CommandError):
            await engine.branches.edit(MAIN, leaf or "", "x")
        with pytest.raises(CommandError):
            await engine.branches.edit(MAIN, node, "/new")
        with pytest.raises(InputRefused):
            await engine.branches.edit(MAIN, node, "  ")
        assert tree_of(engine).leaf == leaf


async def test_a_reply_is_made_again_beside_the_first_with_another_model(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        first = tree_of(engine).leaf
        receipt = await engine.branches.regenerate(MAIN, first or "", model="offline/echo-2k")
        result = await receipt.result()
        assert (result.error, result.model) == (None, "offline/echo-2k")
        tree = tree_of(engine)
        assert result.reply_entry_id != first
        assert receipt.entry_id == node_of(engine, "one")
        assert tree.node(result.reply_entry_id or "").parent_id == receipt.entry_id
        assert tree.leaf == result.reply_entry_id
        assert len([node for node in tree.nodes.values() if node.role == "user"]) == 1
        assert (await engine.view(MAIN)).model.ref != "offline/echo-2k"
        await engine.branches.undo(MAIN)
        assert tree_of(engine).leaf == first


async def test_a_persons_message_is_answered_again_for_that_person(open_engine: Open) -> None:
    seen: list[Any] = []
    async with open_engine(
        '{ session: { dmScope: "per-channel-peer" } }', checks=(seen.append,)
    ) as engine:
        await answer(engine, dm("alice", "one", message_id="m1"))
        key = "agent:main:telegram:dm:alice"
        leaf = tree_of(engine, key).leaf
        assert (await (await engine.branches.regenerate(key, leaf or "")).result()).error is None
        node = node_of(engine, "one", key)
        receipt = await engine.branches.edit(key, node, "uno")
        assert (await receipt.result()).error is None
        assert tree_of(engine, key).entry(receipt.entry_id or "").data["origin"]["sender"] == {
            "id": "alice",
            "name": "Alice",
        }
    assert {request.principal for request in seen} == {"telegram:default:alice"}


async def test_labels_do_not_wait_for_a_turn_and_do_not_move_it(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine, engine.subscribe() as events:
        receipt = await engine.submit(said("tell me something " * 30))
        async for event in events:
            if isinstance(event, ReplyDelta):
                break
        assert receipt.entry_id is not None
        await engine.branches.label(MAIN, receipt.entry_id, "question")
        await engine.branches.bookmark(MAIN, receipt.entry_id)
        assert not receipt.finished
        result = await receipt.result()
        tree = tree_of(engine)
        assert tree.leaf == result.reply_entry_id
        assert tree.node(tree.leaf or "").parent_id == receipt.entry_id
        assert tree.labels == {receipt.entry_id: "question"}
        assert (await engine.branches.marks(MAIN)).bookmarks == (receipt.entry_id,)


async def test_a_move_waits_for_the_turn_that_runs(open_engine: Open) -> None:
    async with open_engine(paced=True) as engine:
        await answer(engine, said("one"))
        first = node_of(engine, "one")
        receipt = await engine.submit(said("two"))
        await receipt.stored()
        moved = await engine.branches.move(MAIN, first)
        assert receipt.finished
        assert (moved.leaf, moved.editor) == (None, "one")
        assert tree_of(engine).leaf is None


async def test_every_change_is_told(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        async with engine.subscribe() as events:
            await engine.branches.label(MAIN, node_of(engine, "one"), "L")
            told = []
            with anyio.move_on_after(0.1):
                async for event in events:
                    told.append(event)
        assert [type(event) for event in told] == [*[EntryAppended] * 3, SessionChanged]


async def test_a_fork_has_its_own_key_and_both_sides_know(
    open_engine: Open, tmp_path: Path
) -> None:
    async with open_engine() as engine:
        for text in ("one", "two"):
            await answer(engine, said(text))
        await engine.branches.label(MAIN, node_of(engine, "one"), "start")
        node = tree_of(engine).children(node_of(engine, "one"))[0]
        shown = await engine.branches.preview_fork(MAIN, node)
        assert shown.window.messages[0].text == "one"
        assert (shown.leaf, shown.entries) == (node, 2)
        forked = await engine.branches.fork(MAIN, node, name="try")
        assert forked.tokens == shown.tokens
        assert forked.session_key.startswith(f"{MAIN}:fork:")
        assert path_of(engine, forked.session_key) == path_of(engine)[:2]
        copy = tree_of(engine, forked.session_key)
        assert copy.labels == {node_of(engine, "one"): "start"}
        (info,) = [one for one in await engine.sessions() if one.key == forked.session_key]
        assert (info.label, info.session_id) == ("try", forked.session_id)
        header = json.loads(
            (tmp_path / f"state/agents/main/sessions/{forked.session_id}.jsonl")
            .read_text()
            .splitlines()[0]
        )
        assert header["parentSession"] == forked.parent_session
        assert header["lineage"]["parentEntry"] == node
        parent = tree_of(engine)
        note = parent.entry(parent.ours[FORKED]).data["data"]
        assert (note["sessionKey"], note["entryId"]) == (forked.session_key, node)
        child = await engine.branches.lineage(forked.session_key)
        assert (child.parent_key, child.parent_entry) == (MAIN, node)
        assert child.parent_session == forked.parent_session
        (known,) = (await engine.branches.lineage(MAIN)).forks
        assert (known.session_key, known.entry_id) == (forked.session_key, node)
        # Each goes on alone.
        await answer(engine, said("in the fork"), session_key=forked.session_key)
        assert "in the fork" not in path_of(engine)
        assert "two" not in path_of(engine, forked.session_key)


async def test_a_fork_while_a_turn_runs_ends_at_the_last_completed_entry(
    open_engine: Open,
) -> None:
    async with open_engine(paced=True) as engine, engine.subscribe() as events:
        receipt = await engine.submit(said("tell me something " * 30))
        async for event in events:
            if isinstance(event, ReplyDelta):
                break
        forked = await engine.branches.fork(MAIN, None)
        assert not receipt.finished
        assert forked.leaf == receipt.entry_id
        assert (await receipt.result()).error is None
        assert len(path_of(engine, forked.session_key)) == 1
        assert len(path_of(engine)) == 2


async def test_every_session_and_leftover_of_a_real_state_dir_can_be_forked(
    open_engine: Open, sample_state: Path
) -> None:
    async with open_engine(state_dir=sample_state) as engine:
        infos = await engine.sessions()
        for info in infos:
            there = await engine.window(info.ref)
            if there.leaf is None:
                continue
            before = Path(engine._pool.store.resolve(info.ref).path).read_bytes()
            forked = await engine.branches.fork(info.ref, there.leaf)
            copy = await engine.window(forked.session_key)
            assert [one.text for one in copy.messages] == [one.text for one in there.messages]
            after = Path(engine._pool.store.resolve(info.ref).path).read_bytes()
            assert after.startswith(before)


async def test_a_graft_from_another_session_says_so(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("here"))
        await answer(engine, said("there"), session_key="agent:main:chat:work")
        node = node_of(engine, "there", "agent:main:chat:work")
        under = tree_of(engine).leaf
        done = await engine.branches.graft(
            MAIN, node, under, subtree=True, from_key="agent:main:chat:work"
        )
        assert path_of(engine)[2] == "there"
        copy = tree_of(engine).entry(done.entries[0].id)
        assert copy.data["graftedFrom"]["sessionKey"] == "agent:main:chat:work"
        assert await engine.branches.can_undo(MAIN)
        await engine.branches.undo(MAIN)
        assert tree_of(engine).leaf == under
        assert not await engine.branches.can_undo(MAIN)
        with pytest.raises(NothingToUndo):
            await engine.branches.undo(MAIN)


async def test_what_undo_would_take_back_is_told_with_what_was_said_since(
    open_engine: Open,
) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        with pytest.raises(NothingToUndo, match="not undone yet"):
            await engine.branches.undoing(MAIN)
        await answer(engine, said("two"))
        await (await engine.branches.edit(MAIN, node_of(engine, "two"), "three")).result()
        edited = await engine.branches.undoing(MAIN)
        assert (edited.what, edited.leaves, edited.later) == ("edit", 2, 0)
        assert edited.when >= engine.branches.since
        await answer(engine, said("four"))
        later = await engine.branches.undoing(MAIN)
        assert (later.step, later.leaves, later.later) == (edited.step, 4, 1)
        await engine.branches.label(MAIN, node_of(engine, "one"), "first")
        labelled = await engine.branches.undoing(MAIN)
        assert (labelled.what, labelled.leaves, labelled.later) == ("label", 0, 0)
        with pytest.raises(NothingToUndo, match="changed meanwhile"):
            await engine.branches.undo(MAIN, step=edited.step)
        await engine.branches.undo(MAIN, step=labelled.step)
        assert (await engine.branches.undoing(MAIN)).step == edited.step


async def test_branches_are_named_hidden_and_compared(open_engine: Open) -> None:
    async with open_engine() as engine:
        await answer(engine, said("one"))
        await answer(engine, said("Parse a CSV"))
        left = tree_of(engine).leaf or ""
        await (
            await engine.branches.edit(MAIN, node_of(engine, "Parse a CSV"), "Parse a JSON")
        ).result()
        right = tree_of(engine).leaf or ""
        await engine.branches.name_branch(MAIN, left, "csv")
        await engine.branches.hide(MAIN, node_of(engine, "Parse a CSV"), "archive")
        marks = await engine.branches.marks(MAIN)
        assert marks.branches == {"csv": left}
        assert marks.hidden == {node_of(engine, "Parse a CSV"): "archive"}
        with pytest.raises(CommandError):
            await engine.branches.hide(MAIN, right)
        found = await engine.branches.diff(MAIN, left, right)
        row = found.rows[0]
        assert row.left is not None
        assert [row.left.text[a:b] for a, b in row.left_marks] == ["CSV"]
        window = await engine.window(MAIN, left)
        assert len(window.messages) == 4


async def test_commands_do_the_same(open_engine: Open) -> None:
    async with open_engine() as engine:
        for n in range(12):
            await answer(engine, said(f"order #{n + 100} costs {n} euros and some more words"))
        assert "→" in await answer(engine, said("/compact the prices"))
        assert "undo compaction" in await answer(engine, said("/undo"))
        assert "Labelled" in await answer(engine, said("/label here"))
        assert list(tree_of(engine).labels.values()) == ["here"]
        assert ":fork:" in await answer(engine, said("/fork"))
        leaf = tree_of(engine).leaf
        await answer(engine, said("/clear"))
        assert tree_of(engine).leaf is None
        assert "undo clear" in await answer(engine, said("/undo"))
        assert tree_of(engine).leaf == leaf
        result = await (await engine.submit(dm("bob", "/undo"))).result()
        assert isinstance(result.error, BranchlineError)


async def test_a_graft_of_another_persons_words_reaches_no_model(open_engine: Open) -> None:
    async with open_engine('{ session: { dmScope: "per-channel-peer" } }') as engine:
        for who in ("alice", "bob"):
            await answer(engine, dm(who, f"{who} keeps a secret"))
        alice, bob = ("agent:main:telegram:dm:alice", "agent:main:telegram:dm:bob")
        node = node_of(engine, "alice keeps a secret", alice)
        leaf = tree_of(engine, bob).leaf
        await engine.branches.graft(bob, node, leaf, subtree=True, from_key=alice)
        result = await (await engine.submit(dm("bob", "what is it?"))).result()
        assert isinstance(result.error, LeakRefused)
        assert "secret" not in result.text
        await engine.branches.undo(bob)
        assert "bob" in await answer(engine, dm("bob", "what was said first?"))


async def test_a_group_folds_with_all_its_names(open_engine: Open) -> None:
    key = "agent:main:telegram:group:g1"
    async with open_engine() as engine:
        for n in range(8):
            for who in ("alice", "bob"):
                text = f"I owe {n}{n} euros to {who}"
                spoken = Envelope(
                    "telegram",
                    text=text,
                    peer=Peer("group", "g1"),
                    sender=Sender(who, who.title()),
                    mentions_agent=True,
                )
                await answer(engine, spoken)
        done = await engine.compaction.compact(key)
        assert done.outcome == "done"
        assert "Alice: I owe 00 euros" in done.summary
        assert "Bob: I owe 00 euros" in done.summary
