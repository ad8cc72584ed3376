from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EntryNotFound
from engine.sessions.nodes import make_node
from engine.sessions.tree import Tree

Cases = Callable[[str], list[dict[str, Any]]]


def message(name: str, parent: str | None, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "id": name, "parentId": parent, "message": {"role": role}}


def names(tree: Tree, leaf: str | None) -> list[str]:
    return [node.id for node in tree.path(leaf)]


def test_recorded_trees_end_at_the_last_entry_and_hold_every_entry(cases: Cases) -> None:
    seen = 0
    for case in cases("tree"):
        entries = case["input"].get("entries") if isinstance(case["input"], dict) else None
        if case["group"] not in ("context", "context-oc") or not entries:
            continue
        seen += 1
        tree = Tree.from_entries(entries)
        assert tree.leaf == entries[-1]["id"], case["id"]
        assert list(tree.nodes) == [entry["id"] for entry in entries], case["id"]
    assert seen > 80


def test_recorded_models_and_thinking_levels_are_what_nearest_finds(cases: Cases) -> None:
    for case in cases("tree"):
        if case["group"] != "context":
            continue
        tree = Tree.from_entries(case["input"]["entries"])
        leaf = case["input"]["leaf"]
        leaf = tree.leaf if leaf == "__default__" else leaf
        model, thinking = tree.nearest(leaf, "model"), tree.nearest(leaf, "thinking")
        expected = case["expected"]
        assert (model is None) == (expected["model"] is None), case["id"]
        if model is not None:
            entry = tree.entry(model)
            found = entry.data.get("modelId") or entry.message.get("model")
            assert found == expected["model"]["modelId"], case["id"]
        level = tree.entry(thinking).data["thinkingLevel"] if thinking else "off"
        assert level == expected["thinkingLevel"], case["id"]


def test_a_missing_parent_makes_a_root_that_is_reported() -> None:
    tree = Tree.from_entries([message("a", None), message("b", "gone"), message("c", "b")])
    assert names(tree, "c") == ["b", "c"]
    assert tree.children(None) == ("a", "b")
    assert ["gone" in str(problem) for problem in tree.problems] == [True]


def test_a_parent_that_comes_later_takes_its_children_in() -> None:
    tree = Tree.from_entries([message("b", "a"), message("c", "b"), message("x", None)])
    assert tree.children(None) == ("b", "x")
    compaction = {"type": "compaction", "id": "a", "parentId": None}
    node = make_node(compaction, 3)
    assert node is not None
    tree.add(node, compaction)
    assert names(tree, "c") == ["a", "b", "c"]
    assert tree.children(None) == ("x", "a")
    assert tree.nearest("c", "compaction") == "a"
    assert tree.problems == []


@pytest.mark.parametrize(
    "parents",
    [
        {"a": "a"},
        {"a": "b", "b": "a"},
        {"a": "c", "b": "a", "c": "b", "d": "c"},
        {"a": "b", "b": "a", "x": "y", "y": "x"},
    ],
)
def test_cycles_are_cut_at_their_first_entry_and_reported(parents: dict[str, str]) -> None:
    tree = Tree.from_entries([message(name, parent) for name, parent in parents.items()])
    for name in parents:
        assert names(tree, name)[-1] == name
    assert tree.children(None)[0] == "a"
    rings = 2 if "x" in parents else 1
    assert sum("ancestor" in str(problem) for problem in tree.problems) == rings


def test_of_entries_with_one_id_the_last_has_it_and_the_others_stay_visible() -> None:
    tree = Tree.from_entries(
        [message("a", None), message("b", "a"), message("c", "b"), message("b", None)]
    )
    assert list(tree.nodes) == ["a", "b~1", "c", "b"]
    assert names(tree, "c") == ["b", "c"]
    assert names(tree, "b~1") == ["a", "b~1"]
    assert tree.leaf == "b"
    assert len(tree.problems) == 1 and "2 entries have the id b" in str(tree.problems[0])


def test_labels_and_the_name_follow_the_latest_entry() -> None:
    tree = Tree.from_entries(
        [
            message("a", None),
            {"type": "label", "id": "1", "parentId": "a", "targetId": "a", "label": "first"},
            {"type": "label", "id": "2", "parentId": "1", "targetId": "a", "label": "second"},
            {"type": "session_info", "id": "3", "parentId": "2", "name": " Title "},
        ]
    )
    assert tree.labels == {"a": "second"} and tree.name == "Title"
    for body in ({"label": ""}, {"label": None}, {}):
        more = {"type": "label", "id": f"x{body}", "parentId": "a", "targetId": "a", **body}
        tree.labels["a"] = "again"
        node = make_node(more, 4)
        assert node is not None
        tree.add(node, more)
        assert tree.labels == {}


def test_our_bookkeeping_is_never_the_leaf_and_a_leaf_entry_moves_it() -> None:
    ours = {"type": "custom", "customType": "branchline.model", "data": {"model": "p/m"}}
    moved = {"type": "custom", "customType": "branchline.leaf", "data": {"targetId": "a"}}
    lines = [message("a", None), message("b", "a"), {**ours, "id": "m", "parentId": "b"}]
    tree = Tree.from_entries(lines)
    assert tree.leaf == "b"
    assert tree.ours == {"branchline.model": "m"}
    assert Tree.from_entries([*lines, {**moved, "id": "l", "parentId": "a"}]).leaf == "a"
    nowhere = {**moved, "id": "l", "parentId": None, "data": {"targetId": None}}
    assert Tree.from_entries([*lines, nowhere]).leaf is None
    lost = Tree.from_entries([*lines, {**moved, "id": "l", "data": {"targetId": "zz"}}])
    assert lost.leaf == "b"
    assert any("zz" in str(problem) for problem in lost.problems)


def test_the_anchor_skips_all_bookkeeping() -> None:
    chain = [
        message("a", None),
        {"type": "label", "id": "1", "parentId": "a", "targetId": "a", "label": "x"},
        {"type": "session_info", "id": "2", "parentId": "1", "name": "x"},
        {"type": "custom", "id": "3", "parentId": "2", "customType": "ext"},
        {"type": "model_change", "id": "4", "parentId": "3", "provider": "p", "modelId": "m"},
        {"type": "thinking_level_change", "id": "5", "parentId": "4", "thinkingLevel": "low"},
    ]
    tree = Tree.from_entries(chain)
    assert tree.leaf == "5"
    assert tree.anchor(tree.leaf) == "a"
    assert Tree.from_entries(chain[1:]).anchor("5") is None
    kept = {"type": "custom_message", "id": "6", "parentId": "5", "customType": "ext"}
    assert Tree.from_entries([*chain, kept]).anchor("6") == "6"


def test_an_unknown_node_is_an_error_that_names_it() -> None:
    with pytest.raises(EntryNotFound, match="nope"):
        Tree.from_entries([message("a", None)]).entry("nope")
    with pytest.raises(ValueError, match="colour"):
        Tree.from_entries([message("a", None)]).nearest("a", "colour")


def test_a_chain_of_100_000_needs_no_recursion() -> None:
    count = 100_000
    backwards = Tree.from_entries(message(str(n), str(n + 1)) for n in range(count))
    assert len(backwards.path("0")) == count
    ring = Tree.from_entries(message(str(n), str((n + 1) % count)) for n in range(count))
    assert len(ring.path("1")) == count
    assert len(ring.problems) == 1


def test_thousands_of_orphans_are_counted_not_listed() -> None:
    tree = Tree.from_entries(message(str(n), f"gone{n}") for n in range(5000))
    assert len(tree.problems) < 30
    assert "4,980 more" in str(tree.problems[-1])


def test_a_parent_that_comes_later_as_the_next_message_takes_its_children_in() -> None:
    lines = [message("x", "late"), message("a", None), message("late", "a", "assistant")]
    bulk = Tree.from_entries(lines)
    other = Tree.from_entries([])
    other.extend([node for n, data in enumerate(lines) if (node := make_node(data, n))])
    for tree in (bulk, other):
        assert names(tree, "x") == ["a", "late", "x"]
        assert tree.children("late") == ("x",)
        assert tree.nearest("x", "model") == "late"
        assert tree.problems == []


KINDS = ["user", "assistant", "compaction", "thinking_level_change", "model_change"]
NAMES = st.sampled_from("abcdefgh")
LINES = st.lists(
    st.tuples(NAMES, st.none() | st.sampled_from("abcdefghz"), st.sampled_from(KINDS)), max_size=12
)


def line(name: str, parent: str | None, kind: str) -> dict[str, Any]:
    if kind in ("user", "assistant"):
        return message(name, parent, kind)
    return {"type": kind, "id": name, "parentId": parent}


def ancestors(tree: Tree, start: str) -> list[str]:
    """By the links alone, without any of the tree's own walking."""
    found: list[str] = []
    current: str | None = start
    while current in tree.nodes and current not in found:
        found.append(current)
        current = tree.nodes[current].parent_id
    return found


def nearest(tree: Tree, path: list[str], kind: str) -> str | None:
    for name in path:
        node = tree.nodes[name]
        is_model = node.type == "model_change" or node.role == "assistant"
        if {
            "compaction": node.type == "compaction",
            "thinking": node.type == "thinking_level_change",
            "model": is_model,
        }[kind]:
            return name
    return None


@given(LINES)
def test_any_links_make_a_forest_in_which_every_entry_is_once(
    drawn: list[tuple[str, str | None, str]],
) -> None:
    tree = Tree.from_entries(line(*item) for item in drawn)
    assert len(tree.nodes) == len(drawn)
    reached: list[str] = []
    stack = list(tree.children(None))
    while stack:
        name = stack.pop()
        reached.append(name)
        stack.extend(tree.children(name))
    assert sorted(reached) == sorted(tree.nodes)
    for name in tree.nodes:
        path = [node.id for node in tree.up(name)]
        assert ancestors(tree, name)[: len(path)] == path
        for kind in ("compaction", "model", "thinking"):
            assert tree.nearest(name, kind) == nearest(tree, path, kind), (name, kind)


@given(LINES, st.integers(0, 12))
def test_a_tree_that_grows_is_the_tree_that_was_read_at_once(
    drawn: list[tuple[str, str | None, str]], looked: int
) -> None:
    lines = [line(*item) for item in drawn]
    whole, grown = Tree.from_entries(lines), Tree.from_entries([])
    grown._reader = whole._reader
    for index, data in enumerate(lines):
        node = make_node(data, index)
        assert node is not None
        grown.add(node, data)
        if index % 3 == looked % 3:
            grown.children(None)
            assert grown.problems is not None
    assert list(grown.nodes) == list(whole.nodes)
    assert grown.problems == whole.problems
    for name in whole.nodes:
        assert names(grown, name) == names(whole, name)
        assert sorted(grown.children(name)) == sorted(whole.children(name))
        assert grown.nearest(name, "model") == whole.nearest(name, "model")
    assert grown.leaf == whole.leaf


@given(LINES)
def test_many_at_once_are_as_one_by_one(drawn: list[tuple[str, str | None, str]]) -> None:
    lines = [line(*item) for item in drawn]
    single, bulk = Tree.from_entries(lines), Tree.from_entries([])
    bulk.extend([node for n, data in enumerate(lines) if (node := make_node(data, n))])
    for name in single.nodes:
        assert names(bulk, name) == names(single, name)
        assert bulk.nearest(name, "model") == single.nearest(name, "model")
    assert (bulk.leaf, bulk.problems) == (single.leaf, single.problems)
