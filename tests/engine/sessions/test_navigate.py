from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.context.window import build_window
from engine.errors import CommandError, EntryNotFound
from engine.sessions.journal import NothingToUndo, Plan, marks_of, undo
from engine.sessions.navigate import (
    abandoned,
    bookmark,
    continue_at,
    hide,
    label,
    move_leaf,
    name_branch,
    question_of,
    tip_of,
    whole_exchange,
    with_results,
)
from engine.sessions.tree import Tree
from engine.text import safe_line

CASES = json.loads((Path(__file__).parents[2] / "cases/tree.json").read_text("utf-8"))
NAVIGATE = [case for case in CASES if case["group"] == "navigate"]
ABANDONED = [case for case in CASES if case["group"] == "abandoned"]


def ids(prefix: str = "new") -> Callable[[], str]:
    counter = itertools.count(1)
    return lambda: f"{prefix}{next(counter)}"


def entry(name: str, parent: str | None, role: str = "user", text: str = "") -> dict[str, Any]:
    content: Any = text or name
    if role == "assistant":
        content = [{"type": "text", "text": text or name}]
    message = {"role": role, "content": content}
    return {"type": "message", "id": name, "parentId": parent, "message": message}


def chain(*names: str, under: str | None = None) -> list[dict[str, Any]]:
    found = []
    for index, name in enumerate(names):
        found.append(entry(name, under, "user" if index % 2 == 0 else "assistant"))
        under = name
    return found


def grown(entries: list[dict[str, Any]], *plans: Plan) -> Tree:
    """The tree after plans were written."""
    stamp = {"timestamp": "2026-01-01T00:00:00.000Z"}
    lines = [*entries, *({**stamp, **line} for plan in plans for line in plan.lines)]
    return Tree.from_entries(lines)


def plain_leaf(tree: Tree) -> list[str]:
    """The messages on the path of a reader that knows only v3: its leaf is the last line."""
    last = next(reversed(tree.nodes), None)
    return [node.id for node in tree.path(last) if node.type not in ("custom", "label")]


def said(tree: Tree) -> list[str]:
    return [node.id for node in tree.path(tree.leaf) if node.type not in ("custom", "label")]


@pytest.mark.parametrize("case", NAVIGATE, ids=lambda case: case["title"])
def test_going_somewhere_does_what_the_reference_does(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    entries = given["entries"]
    tree = grown(entries)
    if tree.leaf != given["leaf"]:
        tree = grown(entries, move_leaf(tree, given["leaf"], ids("m")))
    entries = [dict(tree.entry(name).data) for name in tree.nodes]
    if "error" in expected:
        with pytest.raises(EntryNotFound, match=given["target"]):
            continue_at(tree, given["target"], ids())
        return
    options = {"summary": given["summary"] or "", "label": given["label"]}
    plan = continue_at(tree, given["target"], ids(), **options)
    assert plan.editor == expected["editorText"]
    after = grown(entries, plan)
    window = build_window(after, after.leaf)
    shown = [{"role": one.role, "text": one.text} for one in window.messages]
    assert shown == expected["context"]
    ours = [line for line in plan.lines if line["type"] != "custom"]
    assert [line["type"] for line in ours] == [one["type"] for one in expected["newEntries"]]
    for line, wanted in zip(ours, expected["newEntries"], strict=True):
        # The id and, for a label, the parent are ours to choose.
        for field in wanted.keys() - {"id", "type"}:
            assert line[field] == wanted[field]
    if not any(one["type"] == "label" for one in expected["newEntries"]):
        assert after.leaf == expected["leaf"]
    assert plain_leaf(after) == said(after)


@pytest.mark.parametrize("case", ABANDONED, ids=lambda case: case["title"])
def test_what_is_left_behind_is_what_the_reference_says(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    tree = Tree.from_entries(given["entries"])
    found = abandoned(tree, given["oldLeaf"], given["target"])
    assert list(found.ids) == expected["entryIds"]
    assert found.ancestor == expected["commonAncestor"]


BRANCHED = [*chain("a", "b", "c", "d"), *chain("x", "y", under="b")]


def test_undo_takes_back_step_after_step_and_then_says_so() -> None:
    new = ids()
    tree = grown(BRANCHED)
    plans = [continue_at(tree, "d", new)]
    steps: tuple[Callable[[Tree], Plan], ...] = (
        lambda tree: label(tree, "b", "start", new),
        lambda tree: name_branch(tree, "d", "main", new),
        lambda tree: hide(tree, "x", "hide", new),
        lambda tree: label(tree, "b", "begin", new),
        lambda tree: bookmark(tree, "a", True, new),
    )
    for make in steps:
        plans.append(make(grown(BRANCHED, *plans)))
    tree = grown(BRANCHED, *plans)
    assert tree.leaf == "d"
    assert tree.labels == {"b": "begin"}
    marks = marks_of(tree)
    assert marks.branches == {"main": "d"}
    assert (marks.bookmarks, marks.hidden) == (("a",), {"x": "hide"})
    told = []
    for _ in range(6):
        plans.append(undo(tree, new))
        tree = grown(BRANCHED, *plans)
        told.append(plans[-1].what)
        assert plain_leaf(tree) == said(tree)
    assert told == [
        "undo bookmark",
        "undo label",
        "undo hide",
        "undo branch name",
        "undo label",
        "undo continue here",
    ]
    assert tree.leaf == "y"
    assert tree.labels == {}
    assert marks_of(tree) == marks_of(grown(BRANCHED))
    with pytest.raises(NothingToUndo):
        undo(tree, new)


def test_a_step_after_an_undo_is_the_next_to_be_undone() -> None:
    new = ids()
    plans: list[Plan] = []

    def do(make: Callable[[Tree], Plan]) -> Tree:
        plans.append(make(grown(BRANCHED, *plans)))
        return grown(BRANCHED, *plans)

    do(lambda tree: label(tree, "a", "one", new))
    do(lambda tree: label(tree, "b", "two", new))
    do(lambda tree: undo(tree, new))
    assert do(lambda tree: label(tree, "c", "three", new)).labels == {"a": "one", "c": "three"}
    assert do(lambda tree: undo(tree, new)).labels == {"a": "one"}
    assert do(lambda tree: undo(tree, new)).labels == {}


def test_before_the_first_entry_is_a_place_too() -> None:
    tree = grown(BRANCHED)
    after = grown(BRANCHED, move_leaf(tree, None, ids()))
    assert after.leaf is None
    assert plain_leaf(after) == []
    assert grown(BRANCHED, move_leaf(tree, "y", ids())).leaf == "y"
    assert move_leaf(tree, "y", ids()).empty


def test_a_branch_summary_lies_where_the_conversation_goes_on() -> None:
    tree = grown(BRANCHED)
    plan = continue_at(tree, "d", ids(), summary="tried x", details={"fromHook": False}, label="L")
    after = grown(BRANCHED, plan)
    summary = after.node(plan.leaf or "")
    assert (summary.type, summary.parent_id) == ("branch_summary", "d")
    assert after.entry(summary.id).data["fromId"] == "y"
    assert after.labels == {summary.id: "L"}
    assert after.leaf == summary.id
    assert said(after) == ["a", "b", "c", "d", summary.id]


def test_labels_are_taken_away_and_nothing_changes_nothing() -> None:
    tree = grown(BRANCHED)
    plan = label(tree, "c", " two words ", ids())
    after = grown(BRANCHED, plan)
    assert after.labels == {"c": "two words"}
    assert after.leaf == tree.leaf
    assert label(after, "c", "two words", ids()).empty
    assert label(tree, "c", None, ids()).empty
    gone = grown(BRANCHED, plan, label(after, "c", "", ids("more")))
    assert gone.labels == {}


def test_what_is_being_said_cannot_be_hidden() -> None:
    tree = grown(BRANCHED)
    for place in ("a", "b", "x", "y"):
        with pytest.raises(CommandError):
            hide(tree, place, "archive", ids())
    assert marks_of(grown(BRANCHED, hide(tree, "c", "archive", ids()))).hidden == {"c": "archive"}


def test_two_branches_cannot_have_one_name() -> None:
    tree = grown(BRANCHED)
    named = grown(BRANCHED, name_branch(tree, "d", "left", ids()))
    with pytest.raises(CommandError, match="left"):
        name_branch(named, "y", "left", ids())
    assert name_branch(named, "d", "left", ids()).empty


def test_the_tip_of_a_branch_is_the_newest_entry_below() -> None:
    tree = grown([*BRANCHED, *chain("e", "f", under="d")])
    assert tip_of(tree, "c") == "f"
    assert tip_of(tree, "x") == "y"
    assert tip_of(tree, "a") == "f"


def test_regenerating_finds_the_question() -> None:
    tree = grown(BRANCHED)
    for target, question in (("d", "c"), ("c", "c"), ("y", "x"), ("b", "a")):
        found = question_of(tree, target)
        assert found is not None
        assert found.id == question


def calls(name: str, parent: str, *call_ids: str) -> dict[str, Any]:
    blocks = [{"type": "toolCall", "id": one, "name": "t", "arguments": {}} for one in call_ids]
    made = entry(name, parent, "assistant")
    return made | {"message": {"role": "assistant", "content": blocks}}


def result(name: str, parent: str, call_id: str) -> dict[str, Any]:
    made = entry(name, parent, "toolResult")
    return made | {"message": made["message"] | {"toolCallId": call_id}}


def test_no_call_stands_without_its_result() -> None:
    tree = grown(
        [
            entry("q", None),
            calls("k", "q", "c1", "c2"),
            result("r1", "k", "c1"),
            result("r2", "r1", "c2"),
            entry("z", "r2", "assistant"),
        ]
    )
    assert whole_exchange(tree, "k") == "r2"
    assert whole_exchange(tree, "r1") == "r2"
    assert whole_exchange(tree, "r2") == "r2"
    assert whole_exchange(tree, "z") == "z"
    assert whole_exchange(tree, "q") == "q"
    assert whole_exchange(tree, None) is None


def test_going_to_a_call_takes_its_results_along_where_they_are() -> None:
    answered = [entry("q", None), calls("k", "q", "c1"), result("r1", "k", "c1")]
    tree = grown(answered)
    assert [with_results(tree, name) for name in ("q", "k", "r1")] == ["q", "r1", "r1"]
    running = grown([entry("q", None), calls("k", "q", "c1")])
    assert with_results(running, "k") == "k"
    with pytest.raises(EntryNotFound):
        with_results(tree, "nowhere")


def test_a_call_that_still_runs_is_left_out() -> None:
    running = grown([entry("q", None), calls("k", "q", "c1", "c2"), result("r1", "k", "c1")])
    assert whole_exchange(running, "k") == "q"
    assert whole_exchange(running, "r1") == "q"
    stopped = [entry("q", None), calls("k", "q", "c1"), entry("q2", "k")]
    assert whole_exchange(grown(stopped), "k") == "q"
    assert whole_exchange(grown(stopped), "q2") == "q2"


def test_hostile_names_stay_what_they_are() -> None:
    tree = grown(BRANCHED)
    evil = "\x1b]0;x\x07[red]"
    after = grown(BRANCHED, name_branch(tree, "d", evil, ids()))
    assert marks_of(after).branches == {evil: "d"}
    assert "\x1b" not in safe_line(evil)
