from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sessions.outline import VIEWS, Outline, View, lay_out
from engine.sessions.rows import Fold, TreeRows, read_row, runs_behind
from engine.sessions.tree import Tree
from tests.corpus import HOSTILE, raw_controls


def message(
    name: str, parent: str | None, role: str = "user", text: str = "words"
) -> dict[str, Any]:
    body = {"role": role, "content": [{"type": "text", "text": text}]}
    stamp = "2026-01-01T10:00:00.000Z"
    return {"type": "message", "id": name, "parentId": parent, "timestamp": stamp, "message": body}


def chain(names: str, parent: str | None = None) -> list[dict[str, Any]]:
    made = []
    for name in names:
        made.append(message(name, parent, "user" if len(made) % 2 == 0 else "assistant"))
        parent = name
    return made


def leaf_at(target: str | None) -> dict[str, Any]:
    data = {"targetId": target}
    return {
        "type": "custom",
        "id": "L",
        "parentId": target,
        "customType": "branchline.leaf",
        "data": data,
    }


def drawn(outline: Outline, most: int = 20) -> list[str]:
    return [outline.gutter(place, most) + name for place, name in enumerate(outline.ids)]


def test_a_straight_conversation_is_one_column() -> None:
    outline = lay_out(Tree.from_entries(chain("abcd")))
    assert drawn(outline) == ["a", "b", "c", "d"]
    assert outline.leaf == "d"


def test_only_forks_indent_and_the_active_branch_comes_first() -> None:
    tree = Tree.from_entries([*chain("ab"), *chain("cd", "b"), *chain("ef", "b"), *chain("g", "e")])
    assert tree.leaf == "g"
    assert drawn(lay_out(tree)) == [
        "a",
        "b",
        "├─e",
        "│ ├─g",
        "│ └─f",
        "└─c",
        "  d",
    ]


def test_several_roots_are_branches_of_nothing() -> None:
    tree = Tree.from_entries([*chain("ab"), *chain("cd")])
    assert drawn(lay_out(tree)) == ["├─c", "│ d", "└─a", "  b"]


def test_the_leaf_is_the_last_entry_shown_on_its_path() -> None:
    tree = Tree.from_entries([*chain("abc"), leaf_at("b")])
    outline = lay_out(tree)
    assert outline.leaf == "b"
    assert {name for name in outline.ids if name in outline.active} == {"a", "b"}
    assert lay_out(tree, "user only").leaf == "a"


def test_bookkeeping_shows_in_the_view_of_all_only_even_where_it_is_a_parent() -> None:
    label = {"type": "label", "id": "x", "parentId": "a", "targetId": "a", "label": "mark"}
    tree = Tree.from_entries([*chain("a"), label, *chain("bc", "x")])
    assert lay_out(tree).ids == ["a", "b", "c"]
    assert lay_out(tree, "all").ids == ["a", "x", "b", "c"]
    assert lay_out(tree, "labelled").ids == ["a"]


def test_views_leave_out_and_keep_the_order() -> None:
    lines = [*chain("ab"), message("t", "b", "toolResult"), message("c", "t", "assistant")]
    lines.append({"type": "compaction", "id": "k", "parentId": "c", "summary": "s"})
    lines.append(message("d", "k"))
    tree = Tree.from_entries(lines)
    assert lay_out(tree).ids == ["a", "b", "c", "k", "d"]
    assert lay_out(tree, "user only").ids == ["a", "d"]
    assert lay_out(tree, "compactions").ids == ["k"]
    assert lay_out(tree, "labelled", marked=["c"]).ids == ["c"]


def test_branches_of_an_entry_that_is_left_out_part_at_the_one_above() -> None:
    lines = [*chain("a"), message("t", "a", "toolResult"), *chain("bc", "t"), *chain("d", "t")]
    outline = lay_out(Tree.from_entries(lines))
    assert drawn(outline) == ["a", "├─d", "└─b", "  c"]


def test_hidden_subtrees_are_left_out_but_not_from_the_view_of_all() -> None:
    tree = Tree.from_entries([*chain("ab"), *chain("cd", "b"), *chain("e", "b")])
    assert lay_out(tree, hidden={"c": "hide"}).ids == ["a", "b", "e"]
    assert lay_out(tree, "all", hidden={"c": "hide"}).ids == ["a", "b", "e", "c", "d"]


def test_forks_siblings_and_tips_are_found() -> None:
    tree = Tree.from_entries([*chain("ab"), *chain("cd", "b"), *chain("ef", "b"), *chain("g", "e")])
    outline = lay_out(tree)  # a b e g f c d
    assert [name for place, name in enumerate(outline.ids) if outline.is_fork(place)] == ["b", "e"]
    assert [name for place, name in enumerate(outline.ids) if outline.is_tip(place)] == [
        "g",
        "f",
        "d",
    ]
    assert outline.siblings(outline.places["d"]) == ([2, 5], 1)
    assert outline.siblings(outline.places["f"]) == ([3, 4], 1)
    assert outline.next_fork(0, 1) == 1
    assert outline.next_fork(1, 1) == 2
    assert outline.next_fork(2, 1) is None
    assert outline.next_fork(6, -1) == 2
    assert outline.next_fork(1, -1) is None


def test_a_deep_nest_of_forks_keeps_its_innermost_lines() -> None:
    lines, above = [message("r", None)], "r"
    for depth in range(1000):
        lines += [message(f"x{depth}", above), message(f"y{depth}", above)]
        above = f"y{depth}"
    outline = lay_out(Tree.from_entries(lines))
    deepest = outline.places["y999"]
    assert outline.segments[outline.segment_at(deepest)].level == 1000
    gutter = outline.gutter(deepest, 6)
    assert gutter == "⋯ │ │ │ │ ├─"
    assert max(len(outline.gutter(place, 6)) for place in range(len(outline))) == 12


def folded(tree: Tree, *names: str, behind: bool = False) -> list[str]:
    outline = lay_out(tree)
    rows = TreeRows(outline, names, runs_behind(tree, outline) if behind else ())
    found = []
    for index in range(len(rows)):
        place = rows.at(index)
        if isinstance(place, Fold):
            found.append(f"{place.size} of {place.key}")
            assert rows.row_of_fold(place.key) == index
        else:
            found.append(outline.ids[place])
            assert rows.row_of(outline.ids[place]) == index
    return found


def test_a_fold_stands_for_everything_below() -> None:
    tree = Tree.from_entries([*chain("ab"), *chain("cd", "b"), *chain("efg", "b")])
    assert folded(tree, "e") == ["a", "b", "e", "2 of e", "c", "d"]
    assert folded(tree, "b") == ["a", "b", "5 of b"]
    assert folded(tree, "b", "e", "c") == ["a", "b", "5 of b"]
    assert folded(tree, "e", "c") == ["a", "b", "e", "2 of e", "c", "1 of c"]
    assert folded(tree, "g", "nowhere") == folded(tree)


def compacted(names: str, kept: str, name: str, parent: str | None = None) -> list[dict[str, Any]]:
    lines = chain(names, parent)
    fields = {"type": "compaction", "id": name, "parentId": names[-1], "summary": "s"}
    return [*lines, {**fields, "firstKeptEntryId": kept}]


def test_what_lies_behind_a_compaction_is_folded_but_not_what_it_keeps() -> None:
    tree = Tree.from_entries([*compacted("abcdefgh", "g", "K"), *chain("ij", "K")])
    assert folded(tree, behind=True) == ["a", "b", "4 of K", "g", "h", "K", "i", "j"]


def test_a_second_compaction_folds_what_the_first_had_kept() -> None:
    lines = [*compacted("abcdefgh", "g", "K"), *compacted("ijklmn", "n", "M", "K")]
    assert folded(Tree.from_entries(lines), behind=True) == [
        *("a", "b", "6 of K", "K", "5 of M", "n", "M"),
    ]


def test_a_compaction_that_keeps_all_or_little_folds_nothing() -> None:
    assert len(folded(Tree.from_entries(compacted("abcd", "d", "K")), behind=True)) == 5
    lost = Tree.from_entries(compacted("abcdefgh", "nowhere", "K"))
    assert folded(lost, behind=True) == ["a", "b", "6 of K", "K"]


def test_a_compaction_that_was_undone_folds_nothing() -> None:
    lines = [*compacted("abcdefgh", "g", "K"), leaf_at("h")]
    assert len(folded(Tree.from_entries(lines), behind=True)) == 9


def test_a_hidden_entry_is_found_under_its_fold() -> None:
    tree = Tree.from_entries([*compacted("abcdefgh", "g", "K"), *chain("ij", "K")])
    outline = lay_out(tree)
    rows = TreeRows(outline, ["i"], runs_behind(tree, outline))
    over = rows.fold_over("d")
    assert over is not None and over.key == "K" and over.behind
    assert rows.row_of("d") is None
    assert rows.nearest(outline.places["d"]) == 2
    assert rows.fold_over("a") is None and rows.fold_over("none") is None


parents = st.lists(st.integers(0, 1000), min_size=1, max_size=60)


@given(parents, st.sampled_from(VIEWS), st.sets(st.integers(0, 59), max_size=6))
def test_every_entry_has_one_row_or_one_fold(links: list[int], view: View, folds: set[int]) -> None:
    roles = ("user", "assistant", "toolResult")
    lines = [
        message(f"n{index}", f"n{link % index}" if index and link % 7 else None, roles[link % 3])
        for index, link in enumerate(links)
    ]
    tree = Tree.from_entries(lines)
    outline = lay_out(tree, view)
    assert sorted(outline.ids) == sorted(set(outline.ids))
    if view == "all":
        assert set(outline.ids) == set(tree.nodes)
    for place, name in enumerate(outline.ids):  # nothing stands above its parent
        above = tree.nodes[name].parent_id
        assert above not in outline.places or outline.places[above] < place
        subtree = outline.ids[place + 1 : outline.end_of(place)]
        assert all(name in {node.id for node in tree.up(below)} for below in subtree)
    rows = TreeRows(outline, {f"n{number}" for number in folds})
    covered: list[int] = []
    for index in range(len(rows)):
        found = rows.at(index)
        covered += range(found.start, found.stop) if isinstance(found, Fold) else [found]
    assert covered == list(range(len(outline)))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_harmless_in_a_row(name: str) -> None:
    text = HOSTILE[name]
    lines = [message("a", None, text=text)]
    lines[0]["origin"] = {"channel": "telegram", "sender": {"id": "x", "name": text}}
    lines.append({"type": "compaction", "id": "b", "parentId": "a", "summary": text})
    lines.append({"type": text or "t", "id": "c", "parentId": "b"})
    call = {"type": "toolCall", "name": text, "arguments": {"x": text}}
    lines.append(
        {
            "type": "message",
            "id": "d",
            "parentId": "c",
            "message": {"role": "assistant", "content": [call]},
        }
    )
    lines.append(message("e", "d", role=text))
    tree = Tree.from_entries(lines)
    for node in tree.nodes:
        row = read_row(tree, node, agent="mia")
        for told in (row.speaker, row.text, row.broken):
            assert not raw_controls(told) and "\n" not in told and "\t" not in told
            assert len(told) <= 500


def test_rows_say_who_what_and_when() -> None:
    tool = {"type": "toolCall", "name": "exec", "arguments": {"command": "ls -la"}}
    said = {"role": "assistant", "content": [tool], "stopReason": "aborted"}
    compaction = {"type": "compaction", "id": "k", "parentId": "b", "summary": "in short"}
    tree = Tree.from_entries(
        [
            {**message("a", None, text="two\nlines"), "origin": {"channel": "terminal"}},
            {"type": "message", "id": "b", "parentId": "a", "timestamp": "?", "message": said},
            {**compaction, "tokensBefore": 27100, "tokensAfter": "many"},
        ]
    )
    first, second, third = (read_row(tree, name, agent="mia") for name in "abk")
    assert (first.speaker, first.text, first.time) == ("you", "two lines", 1767261600000)
    assert (second.speaker, second.text, second.broken) == ("mia", "calls exec ls -la", "stopped")
    assert second.time is None
    assert (third.kind, third.text, third.tokens) == ("compaction", "in short", (27100, None))


def test_a_huge_line_is_not_read_for_its_row() -> None:
    tree = Tree.from_entries(chain("ab"))
    tree.nodes["b"].length = 50_000_000
    row = read_row(tree, "b", agent="mia")
    assert (row.speaker, row.text) == ("mia", "(50,000,000 bytes)")
