from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engine.config.document import dotted, read_document
from engine.config.edit import (
    append_item,
    insert_item,
    move_item,
    remove_value,
    replace_text,
    set_value,
    together,
)
from engine.config.first_run import FIRST_CONFIG
from engine.config.keypath import MISSING, parse_path, parse_value, value_at
from engine.config.load import load_text
from engine.config.written import same
from engine.errors import EditRefused

TOKEN = re.compile(
    r""""(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|//[^\n\r\u2028\u2029]*|/\*[\s\S]*?\*/"""
)


def comments(text: str) -> list[str]:
    return [token for token in TOKEN.findall(text) if token[0] == "/"]


def loaded(text: str) -> Any:
    """The value; tests/engine/config/test_scan.py holds this reader against the json5 package."""
    document = read_document(text)
    assert document.readable and not document.faults
    return document.value


# Random documents: a value written in a random way, with random spaces and comments between.

KEYS = st.sampled_from(["a", "b", "dmScope", "$x", "a b", "a.b", "ключ", "10", "-1", "it's"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=6),
    st.sampled_from(["${KEY}", "it's", 'say "hi"', "// no comment", "\u2028", "\u202e", "a,b}"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)
SPACES = ["", "", "", " ", " ", "\n", "\n  ", "\t", "\r\n", "\n\n    "]


class Scribe:
    """Writes values as some person might."""

    def __init__(self, draw: Any):
        self.draw = draw
        self.count = 0

    def between(self) -> str:
        return "".join(self._between() for _ in range(self.draw(st.integers(0, 2))))

    def _between(self) -> str:
        kind = self.draw(st.sampled_from(["space", "space", "line", "block"]))
        if kind == "space":
            return str(self.draw(st.sampled_from(SPACES)))
        self.count += 1
        if kind == "line":
            return f"// c{self.count} \"}} ,'" + str(
                self.draw(st.sampled_from(["\n", "\n  ", "\r\n"]))
            )
        return f"/* c{self.count} }}, */"

    def string(self, text: str) -> str:
        body = json.dumps(text)[1:-1]
        if self.draw(st.booleans()):
            return f'"{body}"'
        return "'" + body.replace('\\"', '"').replace("'", "\\'") + "'"

    def key(self, key: str) -> str:
        bare = re.fullmatch(r"[a-zA-Z$]\w*", key, re.ASCII) and self.draw(st.booleans())
        return key if bare else self.string(key)

    def write(self, value: Any) -> str:
        if isinstance(value, str):
            return self.string(value)
        if not isinstance(value, dict | list):
            return json.dumps(value)
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        parts = []
        for key, item in pairs:
            name = "" if key is None else f"{self.key(key)}{self.between()}:{self.between()}"
            parts.append(f"{self.between()}{name}{self.write(item)}{self.between()}")
        end = "," + self.between() if parts and self.draw(st.booleans()) else ""
        marks = "{}" if isinstance(value, dict) else "[]"
        return marks[0] + (",".join(parts) + end or self.between()) + marks[1]


@st.composite
def texts(draw: Any) -> str:
    scribe = Scribe(draw)
    return scribe.between() + scribe.write(draw(DOCUMENTS)) + scribe.between()


def paths(value: Any) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = []
    work: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while work:
        path, item = work.pop()
        found.append(path)
        pairs = item.items() if isinstance(item, dict) else ()
        pairs = enumerate(item) if isinstance(item, list) else pairs
        work += [((*path, step), inner) for step, inner in pairs]
    return found


def assert_rest_survives(text: str, path: tuple[str | int, ...], new_text: str) -> None:
    """Every comment outside the changed value is there, byte for byte and in order."""
    span = read_document(text).span(path)
    assert span is not None
    start = span.key_start if span.key_end > span.key_start else span.start
    kept = comments(text[:start]), comments(text[span.end :])
    found = comments(new_text)
    assert found[: len(kept[0])] == kept[0]
    assert not kept[1] or found[-len(kept[1]) :] == kept[1]


@settings(max_examples=150)
@given(texts(), st.data())
def test_a_value_is_replaced_and_nothing_else(text: str, data: st.DataObject) -> None:
    value = read_document(text).value
    path = data.draw(st.sampled_from(paths(value)[1:] or [()]))
    assume(path)
    new = data.draw(VALUES)
    edit = set_value(text, path, new)
    expected = copy.deepcopy(value)
    value_at(expected, path[:-1])[path[-1]] = new
    assert same(loaded(edit.text), expected)
    assert same(edit.before, value_at(value, path)) and same(edit.after, new)
    assert_rest_survives(text, path, edit.text)
    old = value_at(value, path)
    if not isinstance(old, dict | list) or type(old) is not type(new):
        span = read_document(text).span(path)
        assert span is not None
        assert edit.text.startswith(text[: span.start])
        assert edit.text.endswith(text[span.end :])
    assert same(set_value(edit.text, path, old).after, old)


@settings(max_examples=150)
@given(texts(), st.data())
def test_a_missing_value_is_added_with_what_leads_to_it(text: str, data: st.DataObject) -> None:
    value = read_document(text).value
    boxes = [path for path in paths(value) if isinstance(value_at(value, path), dict | list)]
    parent = data.draw(st.sampled_from(boxes))
    box = value_at(value, parent)
    new = data.draw(VALUES)
    step: str | int = len(box) if isinstance(box, list) else data.draw(KEYS)
    assume(isinstance(box, list) or step not in box)
    deeper = data.draw(st.lists(KEYS | st.just(0), max_size=2))
    edit = set_value(text, (*parent, step, *deeper), new)
    for one in reversed(deeper):
        new = [new] if one == 0 else {one: new}
    expected = copy.deepcopy(value)
    grown = value_at(expected, parent)
    if isinstance(grown, list):
        grown.append(new)
    else:
        grown[step] = new
    assert same(loaded(edit.text), expected)
    assert comments(edit.text) == comments(text)
    assert edit.before is MISSING
    back = remove_value(edit.text, (*parent, step))
    assert loaded(back.text) == value
    assert comments(back.text) == comments(text)


@settings(max_examples=150)
@given(texts(), st.data())
def test_a_value_is_removed_and_the_comments_around_it_stay(text: str, data: st.DataObject) -> None:
    value = read_document(text).value
    path = data.draw(st.sampled_from(paths(value)[1:] or [()]))
    assume(path)
    edit = remove_value(text, path)
    expected = copy.deepcopy(value)
    del value_at(expected, path[:-1])[path[-1]]
    assert same(loaded(edit.text), expected)
    assert_rest_survives(text, path, edit.text)
    assert edit.after is MISSING


@settings(max_examples=80)
@given(texts(), st.data())
def test_lists_grow_anywhere_and_their_items_move(text: str, data: st.DataObject) -> None:
    value = read_document(text).value
    lists = [path for path in paths(value) if isinstance(value_at(value, path), list)]
    assume(lists)
    path = data.draw(st.sampled_from(lists))
    items = value_at(value, path)
    at = data.draw(st.integers(0, len(items)))
    new = data.draw(VALUES)
    edit = insert_item(text, path, at, new)
    assert value_at(loaded(edit.text), path) == [*items[:at], new, *items[at:]]
    assert comments(edit.text) == comments(text)
    if items:
        source, target = (data.draw(st.integers(0, len(items) - 1)) for _ in range(2))
        moved = move_item(text, path, source, target)
        order = list(items)
        order.insert(target, order.pop(source))
        assert value_at(loaded(moved.text), path) == order
        assert sorted(comments(moved.text)) == sorted(comments(text))


@settings(max_examples=80)
@given(DOCUMENTS, st.sampled_from([None, 1, 2, 4, "\t"]), st.data())
def test_json_proper_stays_json_proper(
    value: dict[str, Any], indent: Any, data: st.DataObject
) -> None:
    assume(value)
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    path = data.draw(st.sampled_from(paths(value)[1:]))
    new = data.draw(VALUES)
    edit = set_value(text, path, new)
    expected = copy.deepcopy(value)
    value_at(expected, path[:-1])[path[-1]] = new
    assert json.loads(edit.text) == expected
    fresh = set_value(text, ("another",), new)
    assert json.loads(fresh.text) == {**value, "another": new}
    if indent is not None and not isinstance(new, dict | list):
        laid = json.dumps({**value, "another": new}, indent=indent, ensure_ascii=True)
        assert json.dumps(json.loads(fresh.text), indent=indent) == laid
        assert fresh.text.count("\n") == laid.count("\n")


@given(texts(), texts())
@example("{\n}", "{\r\n}")
def test_a_diff_shows_only_and_all_lines_that_differ(one: str, other: str) -> None:
    edit = replace_text(one, other)
    assert bool(edit.diff) == (one != other) == edit.changes
    added = [line[1:] for line in edit.diff.split("\n") if line.startswith("+")]
    new = [line.rstrip("\r") for line in other.split("\n")]
    assert all(line.rstrip("␍") in new for line in added)


# What a person sees in their own file.

OURS = """\
{
  // who answers
  agents: { list: [{ id: 'main' }] }, // one only

  session: {
    dmScope: 'main', // everybody shares!
  },
  bindings: [
    // the shop
    { agentId: 'main', match: { channel: 'telegram' } }, // first
    { agentId: 'main', match: { channel: 'discord' } } // last
  ], // end
}
"""


def changed(edit: Any) -> list[str]:
    return [line for line in edit.diff.splitlines() if line[0] in "+-"]


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        (
            "session.dmScope",
            "per-peer",
            [
                "-    dmScope: 'main', // everybody shares!",
                "+    dmScope: 'per-peer', // everybody shares!",
            ],
        ),
        ("session.mainKey", "home", ["+    mainKey: 'home',"]),
        ("history.dm.maxMessages", 5, ["+  history: { dm: { maxMessages: 5 } },"]),
        (
            "bindings[2]",
            {"agentId": "x", "match": {"channel": "slack", "accountId": "*"}},
            [
                "-    { agentId: 'main', match: { channel: 'discord' } } // last",
                "+    { agentId: 'main', match: { channel: 'discord' } }, // last",
                "+    { agentId: 'x', match: { channel: 'slack', accountId: '*' } }",
            ],
        ),
        (
            "agents.list[0].default",
            True,
            [
                "-  agents: { list: [{ id: 'main' }] }, // one only",
                "+  agents: { list: [{ id: 'main', default: true }] }, // one only",
            ],
        ),
        (
            "bindings[0].match.accountId",
            "*",
            [
                "-    { agentId: 'main', match: { channel: 'telegram' } }, // first",
                "+    { agentId: 'main', match: { channel: 'telegram', "
                "accountId: '*' } }, // first",
            ],
        ),
    ],
)
def test_an_edit_looks_as_if_its_writer_had_made_it(
    path: str, value: Any, lines: list[str]
) -> None:
    assert changed(set_value(OURS, parse_path(path), value)) == lines


def test_an_object_in_place_of_an_object_changes_only_the_keys_that_differ() -> None:
    edit = set_value(OURS, ("session",), {"dmScope": "main", "mainKey": "m"})
    assert changed(edit) == ["+    mainKey: 'm',"]


def test_removing_and_moving_items_keep_their_neighbours_as_they_are() -> None:
    assert changed(remove_value(OURS, parse_path("bindings[1]"))) == [
        "-    { agentId: 'main', match: { channel: 'telegram' } }, // first",
        "-    { agentId: 'main', match: { channel: 'discord' } } // last",
        "+    { agentId: 'main', match: { channel: 'telegram' } } // first",
        "+    // last",
    ]
    moved = move_item(OURS, ("bindings",), 1, 0)
    assert read_document(moved.text).value["bindings"][0]["match"]["channel"] == "discord"
    assert insert_item(OURS, ("bindings",), 1, 5).text.splitlines()[9:12] == [
        "    { agentId: 'main', match: { channel: 'telegram' } }, // first",
        "    5,",
        "    { agentId: 'main', match: { channel: 'discord' } } // last",
    ]


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ("{}", "a", 1, "{\n  a: 1,\n}"),
        ("{ }\n", "a", 1, "{\n  a: 1,\n}\n"),
        ("{\n  // nothing yet\n}\n", "a", 1, "{\n  // nothing yet\n  a: 1,\n}\n"),
        ("{ a: {} }", "a.b", 1, "{ a: { b: 1 } }"),
        ('{"a":{}}', "a.b", 1, '{"a":{"b":1}}'),
        ('{"a": []}', "a[0]", "x", '{"a": ["x"]}'),
        ("{a: [1, 2]}", "a[2]", 3, "{a: [1, 2, 3]}"),
        ("{a: [1,2,],}", "a[2]", 3, "{a: [1,2,3,],}"),
        ('{\n\t"a": 1\n}', "b", {"c": 2}, '{\n\t"a": 1,\n\t"b": {\n\t\t"c": 2\n\t}\n}'),
        ("{\r\n  a: 1,\r\n}\r\n", "b", 2, "{\r\n  a: 1,\r\n  b: 2,\r\n}\r\n"),
        ("{ a: 1 /* one */ }", "b", 2, "{ a: 1, /* one */ b: 2 }"),
        ("{\n a: 1 // one\n}", "b", 2, "{\n a: 1, // one\n b: 2\n}"),
        ("{a: 1,\n b: 2}", "c", 3, "{a: 1,\n b: 2,\n c: 3}"),
        ("\ufeff{ a: 1 }", "a", 2, "\ufeff{ a: 2 }"),
        ("{ a: 'x' }", "a", "it's", "{ a: 'it\\'s' }"),
        ("{ a: 1 }", "a", "x\u202ey", '{ a: "x\\u202ey" }'),
    ],
)
def test_small_texts(text: str, path: str, value: Any, after: str) -> None:
    assert set_value(text, parse_path(path), value).text == after


@pytest.mark.parametrize(
    ("text", "path", "value", "why"),
    [
        ("{ a: 1", "a", 2, "line 1, column 7"),
        ("", "a", 2, "expected a value"),
        ("{ a: 'x' }", "a.b", 1, 'a: "x" stands there and holds no keys'),
        ("{ a: [1] }", "a[3]", 1, "the list has 1 items"),
        ("{ a: [1] }", "a.b", 1, "positions, not keys"),
        ("{ a: {} }", "b[1]", 1, r"begins at \[0\]"),
        ("{ a: 1, a: 2 }", "b", object(), "cannot hold object"),
        ("{ a: { b: 1 }, a: { c: 1 } }", "a.c", {"b": [()] * 200_000}, "too large"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_place(
    text: str, path: str, value: Any, why: str
) -> None:
    with pytest.raises(EditRefused, match=why):
        set_value(text, parse_path(path), value)


def test_the_second_of_two_equal_keys_is_not_removed_behind_a_persons_back() -> None:
    with pytest.raises(EditRefused, match="without touching more"):
        remove_value("{ a: 1, a: 2 }", ("a",))
    with pytest.raises(EditRefused, match="no such value"):
        remove_value("{ a: 1 }", ("b",))


def test_edits_on_edits_make_one() -> None:
    first = set_value(OURS, ("session", "dmScope"), "per-peer")
    second = append_item(first.text, ("session", "resetTriggers"), "/new")
    both = together(first, second)
    assert (both.source, both.text) == (OURS, second.text)
    assert "dmScope" in both.diff and "resetTriggers" in both.diff
    with pytest.raises(EditRefused):
        together(second, first)


def test_nothing_to_change_changes_nothing() -> None:
    edit = set_value(OURS, ("session", "dmScope"), "main")
    assert (edit.text, edit.diff, edit.changes) == (OURS, "", False)
    assert set_value("{ a: 1 }", ("a",), 1.0).changes
    assert set_value("{ a: 1 }", ("a",), True).changes


def test_keys_are_hidden_in_what_is_shown_and_variables_are_not() -> None:
    text = '{ models: { providers: { x: { apiKey: "${X_KEY}" }, y: { apiKey: "plainsecret1" } } } }'
    edit = set_value(text, parse_path("models.providers.x.apiKey"), "another-secret-of-mine")
    assert "${X_KEY}" in edit.diff
    assert "another-secret" not in edit.diff + edit.reason
    assert "plainsecret1" not in edit.diff
    assert "another-secret-of-mine" in edit.text and "plainsecret1" in edit.text


def test_the_first_config_takes_every_setting_of_the_schema() -> None:
    text = FIRST_CONFIG
    for path, value in [
        ("session.identityLinks", {"alice": ["telegram:111"]}),
        ("bindings", [{"agentId": "main", "match": {"channel": "x"}}]),
        ("models.aliases.smart", "offline/echo"),
        ("agents.defaults.model", "smart"),
    ]:
        text = set_value(text, parse_path(path), value).text
    assert load_text(text, {}).problems == ()
    assert comments(text) == comments(FIRST_CONFIG)


@given(st.lists(st.text(max_size=8) | st.integers(0, 50), max_size=5))
@example(["a b", 0, "10", ""])
def test_paths_are_read_as_they_are_written(path: list[str | int]) -> None:
    assert parse_path(dotted(tuple(path))) == tuple(path)


@pytest.mark.parametrize("text", ["a..b", ".a", "a.", "a[", "a[x]", "a.[0]", "a b]"])
def test_a_path_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(EditRefused, match="cannot read the path"):
        parse_path(text)


def test_values_are_json5_and_bare_words_are_text() -> None:
    assert parse_value("true") is True
    assert parse_value(" 12 ") == 12
    assert parse_value("per-peer") == "per-peer"
    assert parse_value("anthropic/claude-opus") == "anthropic/claude-opus"
    assert parse_value("{a: [1,]}") == {"a": [1]}
    assert parse_value("'12'") == "12"
    for text in ("{a: ", "[1, 2", '"open', ""):
        with pytest.raises(EditRefused, match="no JSON5 value"):
            parse_value(text)
