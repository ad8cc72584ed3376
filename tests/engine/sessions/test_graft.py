from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.context.window import build_window
from engine.errors import BranchlineError, CommandError
from engine.sessions.diff import diff_branches, mark_words
from engine.sessions.graft import Source, graft, plan_fork
from engine.sessions.journal import Marks, Plan, last_step, marks_of, undo
from engine.sessions.navigate import (
    compacted,
    continue_at,
    hide,
    label,
    move_leaf,
    name_branch,
    whole_exchange,
)
from engine.sessions.tree import Tree
from tests.engine.sessions.test_navigate import (
    BRANCHED,
    calls,
    chain,
    entry,
    grown,
    ids,
    plain_leaf,
    result,
    said,
)


def source(tree: Tree) -> Source:
    return Source(tree, "1234", "agent:main:main")


def test_a_graft_copies_one_entry_and_says_from_where() -> None:
    tree = grown(BRANCHED)
    plan = graft(tree, source(tree), "d", "x", ids())
    after = grown(BRANCHED, plan)
    (copy,) = plan.names.values()
    assert after.node(copy).parent_id == "x"
    assert after.entry(copy).text == "d"
    origin = {"sessionId": "1234", "sessionKey": "agent:main:main", "entryId": "d"}
    assert after.entry(copy).data["graftedFrom"] == origin
    assert after.leaf == "y"
    assert plain_leaf(after) == said(after) == ["a", "b", "x", "y"]


def test_a_graft_where_the_talk_goes_on_is_gone_on_with() -> None:
    tree = grown(BRANCHED)
    plan = graft(tree, source(tree), "c", "y", ids(), subtree=True)
    after = grown(BRANCHED, plan)
    assert [after.entry(name).text for name in said(after)[-2:]] == ["c", "d"]
    back = grown(BRANCHED, plan, undo(after, ids("u")))
    assert back.leaf == "y"
    assert set(plan.names.values()) <= set(back.nodes)


def test_a_subtree_keeps_its_branches_and_labels() -> None:
    tree = grown(BRANCHED, label(grown(BRANCHED), "x", "side", ids("l")))
    entries = [dict(tree.entry(name).data) for name in tree.nodes]
    plan = graft(tree, source(tree), "b", "d", ids(), subtree=True)
    after = grown(entries, plan)
    names = plan.names
    assert set(names) == {"b", "c", "d", "x", "y"}
    assert after.children(names["b"]) == (names["c"], names["x"])
    assert after.node(names["b"]).parent_id == "d"
    assert after.labels == {"x": "side", names["x"]: "side"}
    undone = grown(entries, plan, undo(after, ids("u")))
    assert undone.labels == {"x": "side"}
    assert undone.leaf == tree.leaf


def test_a_tool_call_is_grafted_with_its_results() -> None:
    entries = [
        entry("q", None),
        calls("k", "q", "c1", "c2"),
        result("r1", "k", "c1"),
        result("r2", "r1", "c2"),
        entry("z", "r2", "assistant"),
    ]
    tree = grown(entries)
    for chosen in ("k", "r1", "r2"):
        plan = graft(tree, source(tree), chosen, "z", ids())
        assert set(plan.names) == {"k", "r1", "r2"}
    assert set(graft(tree, source(tree), "r1", "z", ids(), subtree=True).names) == {
        *("k", "r1", "r2", "z")
    }


def fold(name: str, parent: str, kept: str, text: str = "S") -> dict[str, Any]:
    return {
        "type": "compaction",
        "id": name,
        "parentId": parent,
        "summary": text,
        "firstKeptEntryId": kept,
    }


def test_a_grafted_compaction_keeps_its_entries_or_hides_none() -> None:
    entries = [*chain("a", "b", "c", "d"), fold("k", "d", "c"), *chain("e", under="k")]
    entries += [*chain("x", "y", under="a")]
    tree = grown(entries)
    whole = graft(tree, source(tree), "c", "y", ids(), subtree=True)
    after = grown(entries, whole)
    copy = after.entry(whole.names["k"])
    assert copy.data["firstKeptEntryId"] == whole.names["c"]
    assert build_window(after, after.leaf).problems == ()
    part = graft(tree, source(tree), "k", "y", ids(), subtree=True)
    after = grown(entries, part)
    assert after.node(part.names["k"]).type == "branch_summary"
    texts = [one.text for one in build_window(after, after.leaf).messages]
    assert texts == ["a", "x", "y", "S", "e"]


def test_a_graft_from_another_session_and_what_cannot_be_grafted() -> None:
    other = grown([entry("far", None, text="from afar")])
    tree = grown(BRANCHED)
    plan = graft(tree, source(other), "far", None, ids())
    after = grown(BRANCHED, plan)
    assert after.node(plan.names["far"]).parent_id is None
    assert after.leaf == "y"
    labelled = grown(BRANCHED, label(tree, "a", "L", ids()))
    with pytest.raises(CommandError):
        graft(labelled, source(labelled), "new1", "y", ids())


def test_a_fork_is_the_path_with_its_labels() -> None:
    tree = grown(BRANCHED, label(grown(BRANCHED), "c", "here", ids()))
    fork = plan_fork(tree, "d", ids("f"))
    copy = Tree.from_entries(fork.lines)
    assert said(copy) == ["a", "b", "c", "d"]
    assert copy.labels == {"c": "here"}
    assert plan_fork(tree, "x", ids("f")).leaf == "x"
    assert plan_fork(tree, None, ids("f")).lines == ()
    assert copy.problems == []


def test_a_fork_behind_two_compactions_sees_what_was_seen_there() -> None:
    entries = [*chain("a", "b", "c", "d"), fold("k1", "d", "c", "one")]
    entries += [*chain("e", "f", under="k1"), fold("k2", "f", "f", "two")]
    entries += [*chain("g", "h", under="k2")]
    tree = grown(entries)
    for place in ("b", "d", "k1", "f", "k2", "h"):
        copy = Tree.from_entries(plan_fork(tree, place, ids("n")).lines)
        there = build_window(copy, copy.anchor(copy.leaf))
        assert [one.text for one in there.messages] == [
            one.text for one in build_window(tree, place).messages
        ]


def test_a_diff_finds_the_ancestor_the_tails_and_the_words() -> None:
    left = [entry("l1", "b", text="Parse a CSV of orders"), entry("l2", "l1", "assistant")]
    right = [entry("r1", "b", text="Parse a JSON of orders"), entry("r2", "r1", "assistant", "l2")]
    tree = grown([*chain("a", "b"), *left, *right, *chain("r3", under="r2")])
    found = diff_branches(tree, "l2", "r3")
    assert (found.ancestor, found.shared) == ("b", 2)
    assert (found.left, found.right) == (("l1", "l2"), ("r1", "r2", "r3"))
    first, second, third = found.rows
    assert (first.left_marks, first.right_marks) == (((8, 11),), ((8, 12),))
    assert second.same
    assert third.left is None
    assert third.right is not None


def test_a_diff_of_a_branch_with_itself_and_of_strangers() -> None:
    tree = grown([*BRANCHED, entry("root2", None)])
    assert diff_branches(tree, "d", "d").rows == ()
    assert diff_branches(tree, "d", "root2").ancestor is None
    down = diff_branches(tree, "b", "d")
    assert (down.left, down.right) == ((), ("c", "d"))


@given(st.text(max_size=60), st.text(max_size=60))
def test_unmarked_words_are_the_same_on_both_sides(left: str, right: str) -> None:
    marks = mark_words(left, right)
    kept = []
    for text, spans in zip((left, right), marks, strict=True):
        out, last = [], 0
        for start, end in spans:
            assert last <= start < end <= len(text)
            out.append(text[last:start])
            last = end
        kept.append("".join([*out, text[last:]]))
    assert kept[0] == kept[1]


OPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["go", "sum", "move", "label", "hide", "name", "graft", "tree", "say", "fold", "undo"]
        ),
        st.integers(0, 50),
        st.integers(0, 50),
    ),
    max_size=14,
)


def carry_out(tree: Tree, op: tuple[str, int, int], number: int) -> Plan | None:
    kind, first, second = op
    names = [node.id for node in tree.nodes.values() if node.type in ("message", "branch_summary")]
    one, other = names[first % len(names)], names[second % len(names)]
    new = ids(f"n{number}-")
    try:
        match kind:
            case "go":
                return continue_at(tree, one, new, label="L" if second % 2 else None)
            case "sum":
                return continue_at(tree, one, new, summary="S")
            case "move":
                return move_leaf(tree, None if second % 5 == 0 else one, new)
            case "label":
                return label(tree, one, "L" if second % 3 else None, new)
            case "hide":
                return hide(tree, one, "hide" if second % 3 else None, new)
            case "name":
                return name_branch(tree, one, f"b{second % 3}", new)
            case "graft" | "tree":
                return graft(tree, source(tree), one, other, new, subtree=kind == "tree")
            case "fold":
                fields = {"type": "compaction", "summary": "S", "firstKeptEntryId": one}
                return compacted(tree, fields, new)
    except CommandError:
        return None
    return None


State = tuple[str | None, dict[str, str], Marks]


def state(tree: Tree) -> State:
    return tree.leaf, dict(tree.labels), marks_of(tree)


@settings(max_examples=150, deadline=None)
@given(OPS)
def test_any_row_of_steps_is_undone_to_where_it_began_and_v3_readers_follow(
    ops: list[tuple[str, int, int]],
) -> None:
    lines = list(BRANCHED)
    stack: list[State] = []
    for number, op in enumerate(ops):
        tree = grown(lines)
        if op[0] == "say":
            said_now = {**entry(f"said{number}", tree.anchor(tree.leaf)), "timestamp": ""}
            lines.append(said_now)
            continue
        if op[0] == "undo":
            if not stack:
                continue
            plan: Plan | None = undo(tree, ids(f"u{number}-"))
        else:
            plan = carry_out(tree, op, number)
        if plan is None or plan.empty:
            continue
        after = grown(lines, plan)
        assert after.leaf == plan.leaf
        assert plain_leaf(after) == said(after)
        assert after.problems == []
        if op[0] == "undo":
            _, labels, marks = stack.pop()
            assert dict(after.labels) == labels
            assert marks_of(after) == marks
        else:
            stack.append(state(tree))
        lines += [{"timestamp": "", **line} for line in plan.lines]
    while stack:
        tree = grown(lines)
        plan = undo(tree, ids(f"z{len(lines)}-"))
        lines += [{"timestamp": "", **line} for line in plan.lines]
        _, labels, marks = stack.pop()
        after = grown(lines)
        assert (dict(after.labels), marks_of(after)) == (labels, marks)
        assert plain_leaf(after) == said(after)
    assert last_step(grown(lines)) is None


@settings(max_examples=100, deadline=None)
@given(OPS.map(lambda ops: [op for op in ops if op[0] != "say"]))
def test_undoing_everything_restores_the_leaf(ops: list[tuple[str, int, int]]) -> None:
    lines = list(BRANCHED)
    begun = state(grown(lines))
    for number, op in enumerate(ops):
        plan = carry_out(grown(lines), op, number)
        lines += [{"timestamp": "", **line} for line in (plan.lines if plan else ())]
    for number in range(200):
        try:
            plan = undo(grown(lines), ids(f"z{number}-"))
        except BranchlineError:
            break
        lines += [{"timestamp": "", **line} for line in plan.lines]
    assert state(grown(lines)) == begun


TOOLS = st.lists(st.sampled_from(["user", "call", "result", "reply"]), min_size=1, max_size=20)


@given(TOOLS, st.integers(0, 30))
def test_a_fork_never_ends_between_a_call_and_its_result(kinds: list[str], at: int) -> None:
    entries: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for number, kind in enumerate(kinds):
        above = entries[-1]["id"] if entries else None
        name = f"e{number}"
        if kind == "call" and above:
            open_calls = [f"c{number}"]
            entries.append(calls(name, above, *open_calls))
        elif kind == "result" and open_calls and above:
            entries.append(result(name, above, open_calls.pop()))
        else:
            open_calls = []
            entries.append(entry(name, above, "assistant" if kind == "reply" else "user"))
    tree = grown(entries)
    place = whole_exchange(tree, entries[at % len(entries)]["id"])
    answered = {
        tree.entry(node.id).message.get("toolCallId")
        for node in tree.up(place)
        if node.role == "toolResult"
    }
    path = tree.path(place)
    last = path[-1] if path else None
    if last is not None and last.role in ("assistant", "toolResult"):
        caller = next((n for n in reversed(path) if n.role == "assistant"), None)
        content = tree.entry(caller.id).message["content"] if caller else []
        asked = {block["id"] for block in content if block["type"] == "toolCall"}
        assert asked <= answered
