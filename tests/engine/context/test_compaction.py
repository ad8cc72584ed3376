from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.schema import Compaction, MemoryFlush
from engine.context.compaction import (
    OUTCOME,
    Budget,
    Fold,
    Nothing,
    budget_for,
    compaction_fields,
    due,
    join_summaries,
    outcome_fields,
    plan_fold,
    standstill,
)
from engine.context.memory import (
    FLUSH,
    Scope,
    flush_due,
    flush_fields,
    note_text,
    notes_path,
    read_answer,
)
from engine.context.window import UNLIMITED, build_window
from engine.sessions.tree import Tree

Line = dict[str, Any]
KINDS = ["user", "reply", "call", "two", "result", "note", "summary", "label", "model", "shell"]


def message(role: str, size: int, **fields: Any) -> Line:
    content = [{"type": "text", "text": "word " * size}]
    return {"type": "message", "message": {"role": role, "content": content, **fields}}


def line(kind: str, size: int, number: int, waiting: list[str]) -> Line:
    """An entry without its place; `waiting` are the calls that have no result yet."""
    match kind:
        case "call" | "two":
            names = [f"c{number}", f"d{number}"][: 1 + (kind == "two")]
            waiting[:] = names
            blocks = [{"type": "toolCall", "id": n, "name": "t", "arguments": {}} for n in names]
            return {"type": "message", "message": {"role": "assistant", "content": blocks}}
        case "result" if waiting:
            return message("toolResult", size, toolCallId=waiting.pop(0), toolName="t")
        case "reply":
            return message("assistant", size)
        case "note":
            return {"type": "custom_message", "customType": "n", "content": "w " * size}
        case "summary":
            return {"type": "branch_summary", "fromId": "x", "summary": "b " * size}
        case "label":
            return {"type": "label", "targetId": "e0", "label": "L"}
        case "model":
            return {"type": "model_change", "provider": "p", "modelId": "m"}
        case "shell":
            return {
                "type": "message",
                "message": {"role": "bashExecution", "command": "ls", "output": "o " * size},
            }
    return message("user", size)


def linked(lines: list[Line], fields: Line) -> list[Line]:
    above = lines[-1]["id"] if lines else None
    name = f"e{len(lines)}"
    return [*lines, {"id": name, "parentId": above, "timestamp": "", **fields}]


TALK = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 60)), min_size=1, max_size=25)
BUDGETS = st.builds(
    Budget,
    window=st.just(2000),
    limit=st.just(1600),
    keep_tokens=st.integers(0, 300),
    keep_messages=st.integers(0, 8),
    summary_tokens=st.just(100),
)
ROUNDS = st.lists(st.tuples(TALK, BUDGETS), min_size=1, max_size=4)


def talked(lines: list[Line], talk: list[tuple[str, int]]) -> list[Line]:
    waiting: list[str] = []
    for kind, size in talk:
        lines = linked(lines, line(kind, size, len(lines), waiting))
    return lines


def folded(lines: list[Line], fold: Fold) -> list[Line]:
    fields = compaction_fields(
        fold, "S", before=9, after=5, trigger="command", model="offline/echo"
    )
    return linked(lines, fields)


def words(tree: Tree) -> list[str]:
    """Ids of everything on the path that a model could ever read, but summaries of folds."""
    kinds = ("message", "custom_message", "branch_summary")
    said = [node for node in tree.path(tree.leaf) if node.type in kinds]
    return [n.id for n in said if n.type != "branch_summary" or tree.entry(n.id).text]


@settings(max_examples=300, deadline=None)
@given(ROUNDS)
def test_every_message_is_kept_or_summarised_exactly_once(
    rounds: list[tuple[list[tuple[str, int]], Budget]],
) -> None:
    lines: list[Line] = []
    gone: list[str] = []
    for talk, budget in rounds:
        lines = talked(lines, talk)
        tree = Tree.from_entries(lines)
        fold = plan_fold(tree, tree.leaf, budget, UNLIMITED)
        if isinstance(fold, Nothing):
            continue
        assert fold.count > 0
        gone += [one.entry_id for one in (*fold.folded, *fold.prefix)]
        assert gone + [one.entry_id for one in fold.kept] == words(tree)
        assert (fold.previous is None) == (len(gone) == fold.count)
        lines = folded(lines, fold)
        after = Tree.from_entries(lines)
        window = build_window(after, after.leaf)
        assert window.problems == ()
        assert window.messages[0].role == "compactionSummary"
        kept = [one.entry_id for one in window.messages[1:]]
        # What is kept is what the model sees now; a lone result whose call was never there
        # needs no care, and no other message comes or goes.
        assert gone + kept == words(after)


@settings(max_examples=300, deadline=None)
@given(ROUNDS, st.integers(0, 30))
def test_no_cut_stands_between_a_call_and_its_result(
    rounds: list[tuple[list[tuple[str, int]], Budget]], at: int
) -> None:
    lines: list[Line] = []
    for number, (talk, budget) in enumerate(rounds):
        lines = talked(lines, talk)
        tree = Tree.from_entries(lines)
        spot = words(tree)[at % len(words(tree))] if number % 2 and words(tree) else None
        fold = plan_fold(tree, tree.leaf, budget, UNLIMITED, keep_from=spot)
        if isinstance(fold, Nothing):
            continue
        asked = {call["id"] for one in (*fold.folded, *fold.prefix) for call in one.tool_calls}
        kept = {one.tool_call_id for one in fold.kept if one.tool_call_id}
        assert not asked & kept
        assert fold.kept == () or fold.kept[0].role != "toolResult"
        if spot is not None:
            assert spot in [one.entry_id for one in fold.kept]
        lines = folded(lines, fold)


@given(TALK, BUDGETS)
def test_what_folds_and_what_stays_is_everything(
    talk: list[tuple[str, int]], budget: Budget
) -> None:
    tree = Tree.from_entries(talked([], talk))
    fold = plan_fold(tree, tree.leaf, budget, UNLIMITED)
    if isinstance(fold, Fold):
        total = sum(one.tokens for one in fold.window.messages)
        assert fold.tokens_folded + fold.tokens_kept == total
        assert fold.tokens_kept < total


def test_the_newest_messages_stay_from_the_beginning_of_their_turn() -> None:
    talk = [("user", 5), ("reply", 5)] * 12
    tree = Tree.from_entries(talked([], talk))
    budget = Budget(32000, 25600, 10_000, 10, 1024)
    fold = plan_fold(tree, tree.leaf, budget, UNLIMITED)
    assert isinstance(fold, Fold)
    assert (fold.count, len(fold.kept), fold.split) == (14, 10, False)
    asked = Tree.from_entries(talked([], [*talk, ("user", 5)]))
    fold = plan_fold(asked, asked.leaf, budget, UNLIMITED)
    assert isinstance(fold, Fold)
    assert (len(fold.kept), fold.split) == (11, False)


def test_a_result_that_is_larger_than_the_budget_does_not_keep_all_before_it() -> None:
    talk = [("user", 50), ("reply", 50)] * 5 + [("user", 2), ("call", 1), ("result", 900)]
    tree = Tree.from_entries(talked([], talk))
    fold = plan_fold(tree, tree.leaf, Budget(2000, 1600, 200, 0, 100), UNLIMITED)
    assert isinstance(fold, Fold)
    assert [one.role for one in fold.kept] == ["assistant", "toolResult"]
    assert [one.role for one in fold.prefix] == ["user"]


def test_there_is_nothing_to_fold_in_nothing() -> None:
    tree = Tree.from_entries([])
    budget = Budget(2000, 1600, 200, 10, 100)
    assert isinstance(plan_fold(tree, None, budget, UNLIMITED), Nothing)
    lines = talked([], [("user", 50), ("reply", 50)] * 8)
    tree = Tree.from_entries(lines)
    fold = plan_fold(tree, tree.leaf, budget, UNLIMITED)
    assert isinstance(fold, Fold)
    after = Tree.from_entries(folded(lines, fold))
    again = plan_fold(after, after.leaf, budget, UNLIMITED)
    assert isinstance(again, Nothing)
    assert "since the last" in again.reason


@given(st.integers(500, 2_000_000), st.integers(0, 5000), st.floats(0.05, 1))
def test_a_budget_fits_its_window(window: int, prompt: int, threshold: float) -> None:
    budget = budget_for(Compaction(threshold=threshold), window, prompt)
    assert 0 < budget.limit <= window
    assert budget.limit <= max(1, window * threshold)
    assert budget.keep_tokens + budget.summary_tokens + prompt <= max(
        budget.limit, budget.summary_tokens + prompt
    )
    assert not due(budget.limit, budget)
    assert due(budget.limit + 1, budget)


def test_the_reserve_is_the_references_for_large_windows_and_scaled_for_small_ones() -> None:
    assert budget_for(Compaction(), 200_000).limit == 170_000
    assert budget_for(Compaction(threshold=1), 200_000).limit == 180_000
    assert budget_for(Compaction(), 2000).limit == 1600
    assert budget_for(Compaction(), 200_000).keep_tokens == 20_000


def test_a_turn_cut_in_two_has_its_beginning_told_apart() -> None:
    assert join_summaries("A", "") == "A"
    joined = join_summaries("A", "B")
    assert joined.startswith("A\n")
    assert joined.endswith("\nB")
    assert join_summaries("", "B").endswith("B")


def test_fruitless_attempts_in_a_row_stop_until_it_grows_or_is_done_by_hand() -> None:
    lines = talked([], [("user", 5), ("reply", 5)])

    def attempt(trigger: Any, *, gainless: bool = True) -> Tree:
        tree = Tree.from_entries(lines)
        fields = outcome_fields(
            tree, tree.leaf, "failed", "no gain", trigger=trigger, tokens=100, gainless=gainless
        )
        assert fields["customType"] == OUTCOME
        lines.append({"id": f"o{len(lines)}", "parentId": tree.leaf, "timestamp": "", **fields})
        return Tree.from_entries(lines)

    assert standstill(attempt("threshold"), "e1", 100) is None
    assert standstill(attempt("command"), "e1", 100) is None
    tree = attempt("threshold")
    assert standstill(tree, "e1", 100) == "no gain"
    assert standstill(tree, "e1", 126) is None
    assert standstill(attempt("overflow", gainless=False), "e1", 100) is None
    attempt("threshold")
    tree = attempt("threshold")
    assert standstill(tree, tree.leaf, 100) == "no gain"
    fold = {"type": "compaction", "summary": "S", "firstKeptEntryId": "e1"}
    lines.append({"id": "k", "parentId": "e1", "timestamp": "", **fold})
    tree = Tree.from_entries(lines)
    assert standstill(tree, tree.leaf, 100) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2500), st.booleans()), max_size=30))
def test_flush_and_compaction_cannot_call_each_other(steps: list[tuple[int, bool]]) -> None:
    lines = talked([], [("user", 5)])
    budget, config = budget_for(Compaction(), 2000), MemoryFlush()
    flushes = folds = 0
    for tokens, folds_now in steps:
        tree = Tree.from_entries(lines)
        window = build_window(tree, tree.leaf)
        if flush_due(tree, tree.leaf, tokens, budget, config):
            flushes += 1
            fields = flush_fields(tree, tree.leaf, "nothing")
            lines.append({"id": f"f{flushes}", "parentId": tree.leaf, "timestamp": "", **fields})
            tree = Tree.from_entries(lines)
            # A flush adds nothing to the window, so it cannot make a compaction due.
            assert build_window(tree, tree.leaf).messages == window.messages
            assert not flush_due(tree, tree.leaf, tokens, budget, config)
        if folds_now and due(tokens, budget):
            folds += 1
            fields = {"type": "compaction", "summary": "S", "firstKeptEntryId": "e0"}
            lines.append({"id": f"k{folds}", "parentId": tree.leaf, "timestamp": "", **fields})
    assert flushes <= folds + 1


def test_a_flush_comes_shortly_before_and_only_where_it_is_wanted() -> None:
    tree = Tree.from_entries(talked([], [("user", 5)]))
    budget = budget_for(Compaction(), 200_000)
    assert not flush_due(tree, tree.leaf, 166_000, budget, MemoryFlush())
    assert flush_due(tree, tree.leaf, 166_001, budget, MemoryFlush())
    assert not flush_due(tree, tree.leaf, 190_000, budget, MemoryFlush(enabled=False))
    assert flush_fields(tree, tree.leaf, "noted", "memory/x.md")["customType"] == FLUSH


def test_silence_is_no_note() -> None:
    for text in ("NO_REPLY", " NO_REPLY\n", "**NO_REPLY**", "", "  ", "Nothing new. NO_REPLY"):
        assert read_answer(text) is None
    assert read_answer("- Bob likes tea\n") == "- Bob likes tea"
    assert read_answer("the word NO_REPLY was said by Bob") is not None
    assert len(read_answer("x" * 100_000) or "") == 8000
    assert note_text(" a ", "2026-01-01T00:00:00.000Z").count("\n\n") == 2


def test_notes_lie_apart_for_every_person_and_no_name_reaches_the_path() -> None:
    scopes = [
        Scope(),
        Scope("agent:main:telegram:dm:alice"),
        Scope("agent:main:telegram:dm:bob"),
        Scope("agent:main:main", "telegram:default:bob"),
        Scope("agent:main:../../etc", "\ud800"),
    ]
    paths = [notes_path(scope, "2026-01-01") for scope in scopes]
    assert len(set(paths)) == len(paths)
    assert paths[0] == "memory/2026-01-01.md"
    assert all(".." not in path and "bob" not in path for path in paths)
